//! One build, an entry for each kind of person, so that a player never downloads what staff use.

import { defineConfig } from 'vite';
import { precompress } from './build/precompress.ts';
import { sprite } from './build/sprite.ts';

export default defineConfig({
  base: '/',
  plugins: [sprite(), precompress()],
  build: {
    target: 'es2020',
    // A data: address would be refused by the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { play: 'index.html', owner: 'owner.html', staff: 'staff.html' } },
  },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:8080', ws: true } } },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0]);
