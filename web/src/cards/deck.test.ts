import { describe, expect, it } from 'vitest';
import { DECK, points } from './deck';

describe('the deck', () => {
  it('is the one of the rules: 54 cards that count 472', () => {
    expect(DECK).toHaveLength(54);
    expect(DECK.reduce((sum, card) => sum + points(card), 0)).toBe(472);
    const named = [0, 11, 12, 24, 32, 33, 41, 42, 48, 49].map(id => `${DECK[id]?.shape} ${DECK[id]?.number}`);
    expect(named).toEqual([
      'circle 1',
      'circle 14',
      'triangle 1',
      'cross 1',
      'cross 14',
      'square 1',
      'square 14',
      'star 1',
      'star 8',
      'null 20',
    ]);
  });
});
