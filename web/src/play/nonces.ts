//! The phone's own shares in the shuffles (whot-rules 17), kept so that a deal can be checked afterwards.

import { newNonce } from '../base/random';
import { recall, remember } from '../base/storage';

const KEY = 'whot.nonces';
/** Matches remembered; older ones can no longer be checked for their nonce on this phone. */
const KEPT = 30;

type Kept = [id: string, rounds: Record<number, string>][];

function read(): Kept {
  return recall<Kept>(KEY) ?? [];
}

function put(id: string, round: number, nonce: string): void {
  const all = read();
  const rounds = { ...all.find(([key]) => key === id)?.[1], [round]: nonce };
  remember(KEY, [[id, rounds], ...all.filter(([key]) => key !== id)].slice(0, KEPT));
}

/** The share for a round of a match, or of an invite before there is a match: made once, then always the same. */
export function nonceFor(id: string, round: number): string {
  const known = ownNonce(id, round);
  if (known) return known;
  const fresh = newNonce();
  put(id, round, fresh);
  return fresh;
}

export function ownNonce(id: string, round: number): string | null {
  return read().find(([key]) => key === id)?.[1][round] ?? null;
}

/** An invite has become a match: its share is that of round 1. */
export function moveNonce(invite: string, game: string): void {
  const nonce = ownNonce(invite, 1);
  if (nonce && !ownNonce(game, 1)) put(game, 1, nonce);
}
