import { describe, expect, it } from 'vitest';
import type { Game } from '../../base/contract';
import { corner, game } from '../../testing/vectors';
import { columns } from './hand';
import { countdown, ending, happened, playable, prompt, whyNot } from './said';

/** Every position that the vectors show to somebody. */
const seen: Game[] = corner.flatMap(record =>
  [record.opening, ...record.steps.filter(step => !step.error)].flatMap(outcome =>
    outcome.views.map(view => game(view, record.options)),
  ),
);

function find(fits: (game: Game) => boolean): Game {
  const found = seen.find(fits);
  if (!found) throw new Error('no such position in the vectors');
  return found;
}

describe('what to do', () => {
  it('is said in every live position, and only the player on turn is asked to act', () => {
    expect(seen.length).toBeGreaterThan(200);
    for (const one of seen) {
      const { text, act } = prompt(one, false);
      expect(act).toBe(one.turn === one.seat);
      expect(text !== '').toBe(one.turn !== null);
      expect(text).not.toMatch(/\{|undefined|null/);
    }
  });

  it('names the shape that was called', () => {
    const one = find(it => it.called === 'square' && it.turn === it.seat && it.phase === 'play' && !it.pending);
    expect(prompt(one, false).text).toBe('Your turn: square or Whot');
  });

  it('asks to pick where nothing defends, and else tells with what', () => {
    const can = find(it => it.pending !== null && it.turn === it.seat && playable(it).size > 0);
    expect(prompt(can, false).text).toMatch(/^Pick \d+, or (play a|defend with)/);
    const cannot = find(it => it.pending !== null && it.turn === it.seat && playable(it).size === 0);
    expect(prompt(cannot, false).text).toMatch(/^Pick \d+ from the market$/);
  });
});

describe('a card that cannot be played', () => {
  it('is explained in every live position', () => {
    for (const one of seen.filter(it => it.turn !== null)) expect(whyNot(one)).not.toMatch(/^$|\{|undefined/);
  });
});

describe('what happened', () => {
  it('is told of every step without a gap', () => {
    let told = 0;
    for (const record of corner) {
      for (const step of record.steps.filter(step => !step.error)) {
        const text = happened(step.seen[0], game(step.views[0], record.options));
        expect(text).not.toMatch(/\{|undefined|null/);
        if (text) told += 1;
      }
    }
    expect(told).toBeGreaterThan(100);
  });
});

describe('the end', () => {
  /** What the record's last step leaves a seat with. */
  const end = (id: string, seat: 0 | 1) => {
    const record = corner.find(it => it.id === id);
    const last = record?.steps.filter(step => !step.error).at(-1);
    if (!record || !last) throw new Error(`no record ${id}`);
    return ending(game(last.views[seat], record.options));
  };

  it('tells a resignation in the middle of a round by that round', () => {
    expect(end('corner-resign-on-turn', 1)).toEqual({
      why: 'amaka resigned',
      counted: 'How it was counted',
      earlier: false,
    });
    expect(end('corner-resign-on-turn', 0).why).toBe('You resigned');
  });

  it('does not show the round before as the count of a resignation between rounds', () => {
    expect(end('corner-resign-between-rounds', 1)).toEqual({
      why: 'amaka resigned after the last round',
      counted: 'The last round',
      earlier: true,
    });
    expect(end('corner-resign-between-rounds', 0).why).toBe('You resigned after the last round');
  });

  it('names a time that ran out', () => {
    expect(end('corner-timeouts', 1).why).toBe('amaka did not come back in time');
  });
});

describe('the hand', () => {
  it('leaves every card a target of 44 px on the smallest phone', () => {
    for (let cards = 1; cards <= 40; cards += 1) {
      const wide = columns(cards);
      const card = Math.min(58, (320 - 24 - (wide - 1) * 6) / wide);
      expect(card, `${cards} cards`).toBeGreaterThanOrEqual(44);
    }
  });
});

describe('the countdown', () => {
  it('never shows less than nothing', () => {
    expect([countdown(45_000), countdown(59_100), countdown(-5)]).toEqual(['0:45', '1:00', '0:00']);
  });
});
