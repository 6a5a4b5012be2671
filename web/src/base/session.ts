//! Who is signed in on this phone, and the two tokens that prove it.
//!
//! All tabs share one session through local storage. Access tokens live 15 minutes; one tab at a time fetches the
//! next pair. Web locks are missing on plain HTTP, so the turn is taken with a note in storage; two tabs that slip
//! through get the same successor, since the box answers a repeated refresh within 10 s alike (contract 2).

import { signal } from '@preact/signals';
import type { Session, User } from './contract';
import { ask } from './fetch';
import { Refusal, SignedOut } from './problem';
import { newId } from './random';
import { recall, remember } from './storage';

const KEY = 'whot.session';
const TURN = 'whot.refresh';
/** Fetch the next pair this long before the old one ends. */
const MARGIN_MS = 60_000;
/** A tab that died while it had the turn does not hold up the others for longer. */
const TURN_MS = 12_000;
const TAB = newId();

interface Held {
  access: string;
  refresh: string;
  /** By this phone's own clock, so that a wrong one does no harm. */
  until: number;
  user: User;
}

export const held = signal<Held | null>(recall<Held>(KEY));
/** Why the person was signed out: the session ended, the account was stopped, or it was closed for good. */
export type Ended = 'session' | 'suspended' | 'erased';

export const ended = signal<Ended | null>(null);

export const me = (): User | null => held.value?.user ?? null;

/** The own id, or an empty text when nobody is signed in. */
export const myId = (): string => held.value?.user.id ?? '';

export function adopt(session: Session): void {
  keep({
    access: session.access_token,
    refresh: session.refresh_token,
    until: Date.now() + session.expires_in * 1000,
    user: session.user,
  });
  ended.value = null;
}

export function know(user: User): void {
  if (held.value) keep({ ...held.value, user });
}

function keep(next: Held | null): void {
  remember(KEY, next);
  held.value = next;
}

/** Forgets the session on this phone. */
export function forget(why: Ended | null = null): void {
  if (held.value) ended.value = why;
  keep(null);
}

/** Follows what other tabs do. */
export function followTabs(): void {
  addEventListener('storage', event => {
    if (event.key === KEY) held.value = recall<Held>(KEY);
  });
}

let refreshing: Promise<string> | null = null;

/** An access token that is good for a while. `stale` is one that the box has just refused. */
export async function access(stale?: string): Promise<string> {
  const now = held.value;
  if (!now) throw new SignedOut();
  if (now.access !== stale && Date.now() < now.until - MARGIN_MS) return now.access;
  refreshing ??= refresh(now.access).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

async function refresh(old: string): Promise<string> {
  await takeTurn();
  try {
    const stored = recall<Held>(KEY) ?? held.value;
    if (!stored) throw new SignedOut();
    if (stored.access !== old && Date.now() < stored.until - MARGIN_MS) {
      held.value = stored;
      return stored.access;
    }
    const body = { refresh_token: stored.refresh };
    const session = await ask<Session>({
      method: 'POST',
      path: '/api/v1/auth/refresh',
      body,
    });
    adopt(session);
    return session.access_token;
  } catch (fault) {
    if (fault instanceof Refusal && (fault.status === 401 || fault.status === 403)) {
      forget(fault.code === 'account_suspended' ? 'suspended' : 'session');
      throw new SignedOut();
    }
    throw fault;
  } finally {
    if (recall<{ tab: string }>(TURN)?.tab === TAB) remember(TURN, null);
  }
}

async function takeTurn(): Promise<void> {
  for (let tries = 0; tries < 40; tries += 1) {
    const turn = recall<{ tab: string; until: number }>(TURN);
    const free = !turn || turn.until < Date.now() || turn.until > Date.now() + TURN_MS;
    if (free) remember(TURN, { tab: TAB, until: Date.now() + TURN_MS });
    else if (turn.tab === TAB) return;
    // Whoever wrote last within this moment has it.
    await new Promise(done => setTimeout(done, free ? 20 : 250));
  }
}
