//! The vectors of the rules (whot-rules 18), read where they lie.

import { readFileSync } from 'node:fs';
import type { Game, GameEvent, Options, Proof, Seat, View } from '../base/contract';

export function lines<T>(name: string): T[] {
  const path = new URL(`../../../tests/vectors/${name}`, import.meta.url);
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as T);
}

interface Outcome {
  events: GameEvent[];
  seen: [GameEvent[], GameEvent[]];
  views: [View, View];
}

export interface Record {
  id: string;
  kind: 'game' | 'position';
  options: Options;
  first_starter: Seat;
  seed: string;
  opening: Outcome;
  steps: (Outcome & {
    actor: Seat | 'server';
    action: { type: string; card?: number; seed?: string };
    error?: string;
  })[];
}

export const corner = lines<Record>('corner.jsonl');

/** What the box would send for a view: the view, the players and the terms. */
export function game(view: View, options: Options, them = 'amaka'): Game {
  const players: Game['players'] = [
    { user_id: 'u0', username: view.seat === 0 ? 'chidi' : them },
    { user_id: 'u1', username: view.seat === 1 ? 'chidi' : them },
  ];
  return {
    ...view,
    game_id: 'g',
    players,
    options,
    commitment: '',
    turn_deadline: null,
  };
}

/** A finished round of a record, as its proof would show it. */
export function proven(record: Record): Proof['rounds'][number] {
  const { options, first_starter, seed } = record;
  return {
    round: 1,
    server_seed: '',
    nonces: [null, null],
    seed,
    options,
    first_starter,
    actions: [],
  };
}
