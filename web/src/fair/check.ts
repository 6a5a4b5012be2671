//! Whether a deal was fair (whot-rules 17.5): the promise, the own share, the seed, and the cards that follow.

import type { GameEvent, Proof, Seat } from '../base/contract';
import { card } from '../cards/deck';
import { sha256 } from './sha256';
import { shuffle } from './shuffle';

export type Fate = 'good' | 'commitment' | 'nonce' | 'seed' | 'cards';

const ZERO = '0'.repeat(64);
const text = new TextEncoder();

export const unhex = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], pair => Number.parseInt(pair, 16));

export const tohex = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');

function digest(label: string, ...parts: Uint8Array[]): string {
  const all = [text.encode(label), Uint8Array.of(0), ...parts];
  const whole = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let used = 0;
  for (const part of all) {
    whole.set(part, used);
    used += part.length;
  }
  return tohex(sha256(whole));
}

export const commitment = (serverSeed: string): string => digest('whotbox/commit/v1', unhex(serverSeed));

export function seedOf(game: string, round: number, serverSeed: string, nonces: (string | null)[]): string {
  const number = new DataView(new ArrayBuffer(4));
  number.setUint32(0, round, true);
  const shares = nonces.map(nonce => unhex(nonce ?? ZERO));
  const session = unhex(game.replace(/-/g, ''));
  return digest('whotbox/seed/v1', session, new Uint8Array(number.buffer), unhex(serverSeed), ...shares);
}

interface Deal {
  hands: [number[], number[]];
  market: number[];
  start: number;
}

const DECK = Array.from({ length: 54 }, (_, id) => id);
/** The deals that may not open the pile under `plain` (whot-rules 2.5). */
const SPECIAL = [1, 2, 8, 14, 20];

/** The hands, the start card and the market that a seed gives (whot-rules 5). */
export function deal(seed: string, round: Proof['rounds'][number]): Deal {
  const deck = shuffle(unhex(seed), DECK, 0);
  const starter = ((round.first_starter + round.round - 1) % 2) as Seat;
  const hands: [number[], number[]] = [[], []];
  for (let i = 0; i < round.options.hand_size * 2; i += 1) {
    hands[((starter + i) % 2) as Seat].push(deck.shift() ?? 0);
  }
  const special = (id: number): boolean => {
    const { number, shape } = card(id);
    if (!shape) return true;
    const five = number === 5 && round.options.pick_three !== 'off';
    return round.options.start_card === 'plain' && (SPECIAL.includes(number) || five);
  };
  while (special(deck[0] ?? 0) && deck.some(id => !special(id))) deck.push(deck.shift() ?? 0);
  const start = deck.shift() ?? 0;
  return { hands, market: deck, start };
}

const sorted = (cards: readonly number[]): number[] => [...cards].sort((a, b) => a - b);
const same = (a: readonly number[], b: readonly number[]): boolean => String(sorted(a)) === String(sorted(b));

/**
 * Whether everything this player saw in a round follows from its seed: the hand, the start card, every card drawn, and
 * both hands at the end. It takes the events as they came and needs no rule of play.
 */
export function follows(round: Proof['rounds'][number], seed: string, events: readonly GameEvent[]): boolean {
  const { hands, market, start } = deal(seed, round);
  const pile = [start];
  let refills = 0;
  const draw = (): number => {
    const next = market.shift() ?? -1;
    const again = round.options.market_empty === 'reshuffle' && refills < round.options.reshuffle_limit;
    if (market.length === 0 && again && pile.length > 1) {
      refills += 1;
      market.push(...shuffle(unhex(seed), sorted(pile.splice(0, pile.length - 1)), refills));
    }
    return next;
  };
  return events.every(event => {
    switch (event.type) {
      case 'round_started':
        return event.card === start;
      case 'dealt':
        return !event.cards || same(event.cards, hands[event.seat]);
      case 'played':
        pile.push(event.card);
        return hands[event.seat].splice(hands[event.seat].indexOf(event.card), 1)[0] === event.card;
      case 'drew': {
        const cards = Array.from({ length: event.count }, draw);
        hands[event.seat].push(...cards);
        return !event.cards || same(event.cards, cards);
      }
      case 'round_over':
        return same(event.hands[0], hands[0]) && same(event.hands[1], hands[1]);
      default:
        return true;
    }
  });
}

/** The verdict on one round. `own` is this phone's share, where it remembers one. */
export function check(
  id: string,
  seat: Seat,
  promised: string | undefined,
  round: Proof['rounds'][number],
  own: string | null,
  events: readonly GameEvent[],
): Fate {
  if (promised !== commitment(round.server_seed)) return 'commitment';
  const used = round.nonces[seat];
  if (own && used && used !== own) return 'nonce';
  if (round.seed !== seedOf(id, round.round, round.server_seed, round.nonces)) return 'seed';
  return follows(round, round.seed, events) ? 'good' : 'cards';
}

/** The events of each round, by its number. */
export function byRound(steps: readonly { events: GameEvent[] }[]): Map<number, GameEvent[]> {
  const rounds = new Map<number, GameEvent[]>();
  let now: GameEvent[] = [];
  for (const event of steps.flatMap(step => step.events)) {
    if (event.type === 'round_started') {
      now = [];
      rounds.set(event.round, now);
    }
    now.push(event);
  }
  return rounds;
}
