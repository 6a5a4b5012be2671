//! The 54 cards as the rules number them (whot-rules 2.1), and how each is called. No rule of play is here.

import type { Options, Shape } from '../base/contract';
import { type Plain, t } from '../base/i18n';

export const SHAPES: readonly Shape[] = ['circle', 'triangle', 'cross', 'square', 'star'];

export interface Card {
  id: number;
  /** Null for a Whot. */
  shape: Shape | null;
  number: number;
}

const LONG = [1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14];
const SHORT = [1, 2, 3, 5, 7, 10, 11, 13, 14];
const NUMBERS: Record<Shape, number[]> = {
  circle: LONG,
  triangle: LONG,
  cross: SHORT,
  square: SHORT,
  star: [1, 2, 3, 4, 5, 7, 8],
};

const faces: Omit<Card, 'id'>[] = [
  ...SHAPES.flatMap(shape => NUMBERS[shape].map(number => ({ shape, number }))),
  ...Array.from({ length: 5 }, () => ({ shape: null, number: 20 })),
];
export const DECK: readonly Card[] = faces.map((face, id) => ({ id, ...face }));

export function card(id: number): Card {
  const found = DECK[id];
  if (!found) throw new RangeError(`there is no card ${id}`);
  return found;
}

/** What a card counts at the end of a round (whot-rules 2.4). */
export const points = ({ shape, number }: Card): number => (shape === 'star' ? number * 2 : number);

/** The name of a card in a sentence, such as “7 of stars”. */
export function cardName(id: number): string {
  const { shape, number } = card(id);
  return shape ? t('card.name', { number, shapes: t(`shapes.${shape}`) }) : t('card.whot');
}

const RULES: Record<number, Plain> = {
  1: 'rule.hold',
  2: 'rule.pick2',
  5: 'rule.pick3',
  8: 'rule.suspend',
  14: 'rule.market',
  20: 'rule.need',
};

/** The short rule name printed on a card, or nothing for a plain one. */
export function ruleWord(number: number, options?: Pick<Options, 'pick_three'>): string {
  const rule = RULES[number];
  return rule && !(number === 5 && options?.pick_three === 'off') ? t(rule) : '';
}
