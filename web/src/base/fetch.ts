//! One HTTP request to the box: JSON out, JSON or a refusal in, and a deadline. Knows nothing of who is signed in.

import { signal } from '@preact/signals';
import { Refusal, Unreachable } from './problem';

/** A phone on a bad link waits this long before it is told that the box cannot be reached. */
const DEADLINE_MS = 10_000;

/** How far the box's clock is ahead of the phone's, in ms, as replies tell it. Phones are often hours off. */
export const clockOffset = signal(0);
let offsetKnown = false;

/** The box's time now, in ms since 1970. */
export const boxNow = (): number => Date.now() + clockOffset.value;

export interface Ask {
  method: string;
  path: string;
  body?: unknown;
  token?: string | undefined;
  key?: string | undefined;
  /** How long it may take, in ms, where that is known to be longer. */
  patience?: number | undefined;
}

export async function ask<T>({ method, path, body, token, key, patience }: Ask): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (token) headers.Authorization = `Bearer ${token}`;
  if (key) headers['Idempotency-Key'] = key;
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), patience ?? DEADLINE_MS);
  let reply: Response;
  let text: string;
  try {
    const init: RequestInit = {
      method,
      headers,
      signal: abort.signal,
      credentials: 'omit',
      cache: 'no-store',
    };
    if (body !== undefined) init.body = JSON.stringify(body);
    reply = await fetch(path, init);
    text = await reply.text();
  } catch {
    throw new Unreachable();
  } finally {
    clearTimeout(timer);
  }
  learnOffset(reply.headers.get('Date'));
  if (reply.ok) return (text ? JSON.parse(text) : undefined) as T;
  throw new Refusal(problem(reply.status, text));
}

function problem(status: number, text: string) {
  try {
    const said = JSON.parse(text);
    if (typeof said?.code === 'string') return { ...said, status };
  } catch {
    // Not the box's own words: a proxy or a captive portal answered.
  }
  return {
    status,
    code: status >= 500 ? 'unavailable' : 'not_found',
    detail: '',
  };
}

/** `Date` has whole seconds, so the true time lies up to one second after it. */
function learnOffset(date: string | null): void {
  const at = date ? Date.parse(date) : Number.NaN;
  if (Number.isNaN(at)) return;
  const [low, high] = [at - Date.now(), at + 1000 - Date.now()];
  const offset = offsetKnown ? Math.min(Math.max(clockOffset.value, low), high) : (low + high) / 2;
  offsetKnown = true;
  if (offset !== clockOffset.value) clockOffset.value = offset;
}
