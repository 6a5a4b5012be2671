import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { GameEvent } from '../base/contract';
import { corner, lines, proven } from '../testing/vectors';
import { check, commitment, deal, follows, seedOf, tohex, unhex } from './check';
import { sha256 } from './sha256';
import { shuffle } from './shuffle';

interface Shuffled {
  cards: number[];
  index: number;
  seed: string;
  shuffled: number[];
}
interface Fair {
  commitment: string;
  deck: number[];
  nonces: [string, string];
  round: number;
  round_seed: string;
  server_seed: string;
  session_id: string;
}

const DECK = Array.from({ length: 54 }, (_, id) => id);

describe('the own SHA-256', () => {
  it('agrees with the platform for every length around a block', () => {
    for (let length = 0; length < 200; length += 1) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + length) % 256);
      expect(tohex(sha256(bytes)), `${length} bytes`).toBe(createHash('sha256').update(bytes).digest('hex'));
    }
  });
});

describe('the shuffle', () => {
  it('gives the order of every vector', () => {
    for (const one of lines<Shuffled>('shuffle.jsonl')) {
      expect(shuffle(unhex(one.seed), one.cards, one.index)).toEqual(one.shuffled);
    }
  });
});

describe('commit and reveal', () => {
  it('gives the promise, the seed and the deck of every vector', () => {
    for (const one of lines<Fair>('fairness.jsonl')) {
      expect(commitment(one.server_seed)).toBe(one.commitment);
      expect(seedOf(one.session_id, one.round, one.server_seed, one.nonces)).toBe(one.round_seed);
      expect(shuffle(unhex(one.round_seed), DECK, 0)).toEqual(one.deck);
    }
  });

  it('names what does not fit', () => {
    const [one] = lines<Fair>('fairness.jsonl');
    if (!one) throw new Error('no vector');
    const [record] = corner;
    if (!record) throw new Error('no record');
    const round = {
      ...proven(record),
      server_seed: one.server_seed,
      nonces: one.nonces,
      seed: one.round_seed,
      round: one.round,
    };
    const fate = (promised: string, changed = {}, own: string | null = one.nonces[0]) =>
      check(one.session_id, 0, promised, { ...round, ...changed }, own, []);
    expect(fate(one.commitment)).toBe('good');
    expect(fate('00')).toBe('commitment');
    expect(fate(one.commitment, {}, 'ff')).toBe('nonce');
    expect(fate(one.commitment, { seed: one.server_seed })).toBe('seed');
  });
});

describe('the cards of a round', () => {
  const [record] = corner;
  if (!record) throw new Error('no record');
  const seed = '42'.repeat(32);
  const round = {
    ...proven(record),
    options: { ...record.options, hand_size: 5, start_card: 'any' as const },
  };
  const { hands, market, start } = deal(seed, round);
  const [drawn = 0, next = 0, ...left] = market;
  const [played = 0] = hands[0];
  const hand = (seat: 0 | 1, extra: number[]) => [...hands[seat], ...extra];
  const result = {
    round: 1,
    starter: 0,
    reason: 'count',
    winner: null,
    points: [0, 0],
    seed,
  } as const;
  const events: GameEvent[] = [
    {
      type: 'round_started',
      round: 1,
      starter: 0,
      hand_size: 5,
      card: start,
      market_cards: market.length,
    },
    { type: 'dealt', seat: 0, cards: hands[0] },
    { type: 'dealt', seat: 1 },
    { type: 'drew', seat: 0, count: 1, reason: 'market', cards: [drawn] },
    { type: 'drew', seat: 1, count: 1, reason: 'market' },
    { type: 'played', seat: 0, card: played },
    {
      type: 'round_over',
      ...result,
      points: [0, 0],
      hands: [hand(0, [drawn]).filter(id => id !== played), hand(1, [next])],
    },
  ];

  it('follow from the seed', () => {
    expect(left).toHaveLength(54 - 10 - 1 - 2);
    expect(follows(round, seed, events)).toBe(true);
  });

  it('do not follow from another seed, another draw or another hand at the end', () => {
    expect(follows(round, 'ab'.repeat(32), events)).toBe(false);
    const changed = (at: number, change: object) =>
      events.map((event, index) => (index === at ? ({ ...event, ...change } as GameEvent) : event));
    expect(follows(round, seed, changed(3, { cards: [next] }))).toBe(false);
    expect(follows(round, seed, changed(5, { card: hands[1][0] }))).toBe(false);
    expect(follows(round, seed, changed(6, { hands: [hand(0, []), hand(1, [next])] }))).toBe(false);
  });

  it('follow through a refill, which shuffles what was played', () => {
    const refilled = {
      ...round,
      options: { ...round.options, market_empty: 'reshuffle' as const },
    };
    const rest = market.length;
    const again = shuffle(unhex(seed), [start], 1);
    const all: GameEvent[] = [
      { type: 'played', seat: 0, card: played },
      { type: 'drew', seat: 1, count: rest, reason: 'market', cards: market },
      { type: 'drew', seat: 0, count: 1, reason: 'market', cards: again },
    ];
    expect(follows(refilled, seed, all)).toBe(true);
    expect(follows(round, seed, all)).toBe(false);
  });
});
