//! Where the person is: the path as a signal, and moving between paths without loading the page again.

import { signal } from '@preact/signals';

/** The present path, without its slash at the end. */
export const path = signal(clean(globalThis.location?.pathname ?? '/'));

function clean(raw: string): string {
  return raw.length > 1 ? raw.replace(/\/+$/, '') : raw;
}

/** Goes to a path of this app. */
export function navigate(to: string, how: 'push' | 'replace' = 'push'): void {
  if (how === 'replace') history.replaceState(null, '', to);
  else if (to !== location.pathname) history.pushState(null, '', to);
  path.value = clean(new URL(to, location.href).pathname);
  scrollTo(0, 0);
}

/** The parts of `path` named in `pattern` (`/chat/:id`), or null where it does not fit. */
export function match(pattern: string, at: string): Record<string, string> | null {
  const want = pattern.split('/');
  const have = at.split('/');
  if (want.length !== have.length) return null;
  const parts: Record<string, string> = {};
  for (const [index, segment] of want.entries()) {
    const given = have[index] ?? '';
    if (segment.startsWith(':')) {
      if (!given) return null;
      try {
        parts[segment.slice(1)] = decodeURIComponent(given);
      } catch {
        return null;
      }
    } else if (segment !== given) return null;
  }
  return parts;
}

/** Follows the back button, and turns clicks on links of this app into moves. */
export function listen(): void {
  addEventListener('popstate', () => {
    path.value = clean(location.pathname);
  });
  addEventListener('click', event => {
    const link = (event.target as Element | null)?.closest?.('a[href]');
    if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute('download')) return;
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    if (link.origin !== location.origin || link.hasAttribute('data-reload')) return;
    event.preventDefault();
    navigate(link.pathname);
  });
}
