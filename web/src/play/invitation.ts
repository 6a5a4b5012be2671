//! The invite in the address: a QR code or a link brings it, and it is taken out of the address at once, so that
//! it stays out of the history and out of what somebody copies later.

import { navigate } from '../base/router';
import { recall, remember } from '../base/storage';

const KEY = 'whot.invite';

/** The invite that this phone came with, if any. */
export function invitation(): string {
  const url = new URL(location.href);
  const inPath = /^\/join\/([^/]+)$/.exec(url.pathname)?.[1];
  const inQuery = url.searchParams.get('token') ?? url.searchParams.get('invite') ?? url.searchParams.get('code');
  const inHash = new URLSearchParams(url.hash.slice(1));
  const bare = url.hash.length > 1 && !url.hash.includes('=') ? url.hash.slice(1) : null;
  const found = inPath ?? inQuery ?? inHash.get('join') ?? inHash.get('token') ?? bare;
  if (found) {
    remember(KEY, found, 'session');
    navigate('/join', 'replace');
  }
  return recall<string>(KEY, 'session') ?? '';
}

export const spent = (): void => remember(KEY, null, 'session');
