//! Puts the symbols of `web/sprite.svg` into every page, so that the card art has one source and costs no request.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

export function sprite(): Plugin {
  let root = '.';
  return {
    name: 'sprite',
    configResolved(config) {
      root = config.root;
    },
    transformIndexHtml(html) {
      const svg = readFileSync(join(root, 'sprite.svg'), 'utf8');
      // An inline style would be refused by the content security policy; a size of nothing hides it as well.
      const quiet = svg
        .trim()
        .replace(' xmlns="http://www.w3.org/2000/svg"', '')
        .replace('style="display:none"', 'width="0" height="0" aria-hidden="true" class="sprite"');
      return html.replace('<!--sprite-->', quiet.replace(/\n/g, ''));
    },
  };
}
