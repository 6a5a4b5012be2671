//! Calls to the box as the person who is signed in.

import { ask } from './fetch';
import { Refusal, Unreachable } from './problem';
import { newId } from './random';
import { access, forget } from './session';

/** Pauses before a request that may safely be repeated is sent again. */
const AGAIN_MS = [400, 1500];

/** Longer than the box itself gives a request. */
const LONG_MS = 40_000;

async function call<T>(method: string, path: string, body?: unknown, key?: string, patience?: number): Promise<T> {
  const token = await access();
  try {
    return await ask<T>({ method, path, body, token, key, patience });
  } catch (fault) {
    if (fault instanceof Refusal && fault.code === 'account_suspended') forget('suspended');
    // A wrong password is 401 too, and sending it twice would count twice.
    if (!(fault instanceof Refusal) || fault.code !== 'unauthenticated') throw fault;
    return ask<T>({ method, path, body, token: await access(token), key, patience });
  }
}

/** Repeats over a bad link. The idempotency key makes the repetition harmless (contract 1). */
async function steady<T>(send: () => Promise<T>): Promise<T> {
  for (const pause of AGAIN_MS) {
    try {
      return await send();
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      await new Promise(done => setTimeout(done, pause));
    }
  }
  return send();
}

export const get = <T>(path: string): Promise<T> => call<T>('GET', path);

export const post = <T>(path: string, body?: unknown): Promise<T> => {
  const key = newId();
  return steady(() => call<T>('POST', path, body, key));
};

/** For what takes its time on the box, such as a backup: waited for, and never begun twice. */
export const postOnce = <T>(path: string, body?: unknown): Promise<T> =>
  call<T>('POST', path, body, newId(), LONG_MS);

export const put = <T>(path: string, body: unknown): Promise<T> => steady(() => call<T>('PUT', path, body));

export const patch = <T>(path: string, body: unknown): Promise<T> => steady(() => call<T>('PATCH', path, body));

export const del = <T = void>(path: string, body?: unknown): Promise<T> => steady(() => call<T>('DELETE', path, body));

/** A call that needs no sign-in. */
export const open = <T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> => {
  const key = method === 'POST' ? newId() : undefined;
  return steady(() => ask<T>({ method, path, body, key }));
};
