//! Random ids and nonces. `crypto.randomUUID` is missing on plain HTTP addresses, `getRandomValues` is not.

/** `bytes` random bytes as lower-case hexadecimal digits. */
export function hex(bytes: number): string {
  const raw = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(raw, byte => byte.toString(16).padStart(2, '0')).join('');
}

/** An id for one intention of the person: the same when it is sent again. */
export const newId = (): string => hex(16);

/** A player's share in a shuffle (whot-rules 17.2). */
export const newNonce = (): string => hex(32);
