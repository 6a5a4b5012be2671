//! Saving a file that only a signed-in person may fetch.

import { Refusal, Unreachable } from './problem';
import { access } from './session';

/** Puts bytes into the downloads of the browser. */
export function save(bytes: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(bytes);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Fetches a file and saves it under the name that the box gives it, or `name`. */
export async function download(path: string, name: string): Promise<void> {
  const token = await access();
  const reply = await fetch(path, { headers: { Authorization: `Bearer ${token}` }, credentials: 'omit' }).catch(() => {
    throw new Unreachable();
  });
  if (!reply.ok) {
    const said = await reply.json().catch(() => ({}));
    throw new Refusal({ code: 'unavailable', detail: '', ...said, status: reply.status });
  }
  const given = /filename="?([\w.-]+)"?/.exec(reply.headers.get('Content-Disposition') ?? '')?.[1];
  const kind = reply.headers.get('Content-Type') ?? '';
  const ending = kind.includes('json') ? '.json' : kind.includes('zip') ? '.zip' : kind.includes('tar') ? '.tar' : '';
  save(await reply.blob(), given ?? name + ending);
}
