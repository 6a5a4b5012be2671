//! Sentences about a match: what to do now, what just happened, why a card cannot be played.
//!
//! All of it is read off what the box sent. Which cards may be played is `game.legal`, never worked out here.

import type { Game, GameEvent, Seat } from '../../base/contract';
import { plural, t } from '../../base/i18n';
import { card, cardName } from '../../cards/deck';
import { otherName } from '../games';

/** `0:45`. */
export const countdown = (ms: number): string => {
  const s = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
};

export const cardCount = (n: number): string => t(plural(n, 'cards.one' as const, 'cards.other' as const), { n });

export const other = (seat: Seat): Seat => (seat === 0 ? 1 : 0);

/** The card on top of the pile. */
export const topCard = (game: Pick<Game, 'pile'>): number | null => game.pile[game.pile.length - 1] ?? null;

const canPlay = (game: Game, id?: number): boolean =>
  game.legal.some(action => action.type === 'play' && (id === undefined || action.card === id));

/** The cards that the box lets this player play now. */
export const playable = (game: Game): Set<number> =>
  new Set(game.legal.flatMap(action => (action.type === 'play' ? [action.card] : [])));

/** What follows the top card, such as “star, 7 or Whot”. */
function follows(game: Game): string {
  const top = topCard(game);
  if (game.called) return t('turn.or', { first: t(`shape.${game.called}`) });
  if (top === null) return 'Whot';
  const { shape, number } = card(top);
  return shape ? t('turn.both', { shape: t(`shape.${shape}`), number }) : 'Whot';
}

/** What to do, in one sentence, and whether it is this player who must do it. */
export function prompt(game: Game, again: boolean): { text: string; act: boolean } {
  const name = otherName(game);
  if (game.turn === null) return { text: '', act: false };
  if (game.turn !== game.seat) {
    const { pending } = game;
    return {
      text: pending ? t('pick.them', { name, n: pending.count }) : t('turn.them', { name }),
      act: false,
    };
  }
  if (game.phase === 'after_draw') return { text: t('drawn'), act: true };
  if (game.pending) return { text: defend(game, game.pending), act: true };
  return {
    text: t(again ? 'turn.again' : 'turn.you.follow', { what: follows(game) }),
    act: true,
  };
}

function defend(game: Game, pending: { number: number; count: number }): string {
  const values = { n: pending.count, c: pending.number };
  if (!canPlay(game)) return t('pick.only', { n: pending.count });
  const whot = [...playable(game)].some(id => card(id).shape === null);
  return whot ? t('pick.whot', values) : t('pick', values);
}

/** Why a tapped card cannot be played. */
export function whyNot(game: Game): string {
  if (game.turn !== game.seat) return t('illegal.turn');
  if (game.phase === 'after_draw') return t('illegal.drawn');
  if (game.pending) return t('illegal.pick', { c: game.pending.number, n: game.pending.count });
  if (game.called) return t('illegal.shape', { shape: t(`shape.${game.called}`) });
  const top = topCard(game);
  const face = top === null ? null : card(top);
  if (game.hand.length === 1 && !game.options.special_finish) return t('illegal.last');
  return face?.shape
    ? t('illegal.both', {
        shape: t(`shape.${face.shape}`),
        number: face.number,
      })
    : t('illegal.turn');
}

type Said = Exclude<GameEvent, { type: 'dealt' | 'turn' | 'round_over' | 'match_over' | 'penalty' }>;

/** One event as a sentence; nothing for those that the table shows anyway. */
export function sentence(event: GameEvent, game: Game): string {
  switch (event.type) {
    case 'dealt':
    case 'turn':
    case 'round_over':
    case 'match_over':
    case 'penalty':
      return '';
    default:
      return tell(event, game);
  }
}

function tell(event: Said, game: Game): string {
  const name = otherName(game);
  if (event.type === 'round_started') return t('did.round', { n: event.round });
  if (event.type === 'reshuffled') return t('did.reshuffled', { n: event.market_cards });
  if (event.type === 'penalty_cleared') return t('did.cleared');
  const mine = event.seat === game.seat;
  switch (event.type) {
    case 'played': {
      const what = cardName(event.card);
      const played = mine ? t('did.played.you', { card: what }) : t('did.played.them', { name, card: what });
      if (!event.shape) return played;
      const shape = t(`shape.${event.shape}`);
      return `${played}. ${mine ? t('did.need.you', { shape }) : t('did.need.them', { name, shape })}`;
    }
    case 'drew':
      return drew(event, mine, name);
    case 'skipped':
      return mine ? t('did.skipped.you') : t('did.skipped.them', { name });
    case 'semi_last_card':
      return mine ? t('did.semi.you') : t('did.semi.them', { name });
    case 'last_card':
      return mine ? t('did.last.you') : t('did.last.them', { name });
    case 'passed':
      return mine ? t('did.passed.you') : t('did.passed.them', { name });
    case 'timed_out':
      return mine ? t('did.timeout.you') : t('did.timeout.them', { name });
    case 'resigned':
      return mine ? t('did.resigned.you') : t('did.resigned.them', { name });
    case 'call_missed':
      return '';
  }
}

function drew(event: Extract<GameEvent, { type: 'drew' }>, mine: boolean, name: string): string {
  const n = cardCount(event.count);
  switch (event.reason) {
    case 'market':
      return mine ? t('did.drew.you', { n }) : t('did.drew.them', { name, n });
    case 'penalty':
      return mine ? t('did.penalty.you', { n }) : t('did.penalty.them', { name, n });
    case 'general_market':
      return mine ? t('did.general.you', { n }) : t('did.general.them', { name, n });
    case 'no_call':
      return mine ? t('did.nocall.you', { n }) : t('did.nocall.them', { name, n });
  }
}

/** What happened in one step, as one line. */
export const happened = (events: GameEvent[], game: Game): string =>
  events
    .map(event => sentence(event, game))
    .filter(Boolean)
    .join('. ');

/** Whether the player on turn has it again after an own play. */
export function isAgain(events: GameEvent[], game: Game): boolean {
  return game.turn === game.seat && events.some(event => event.type === 'played' && event.seat === game.seat);
}

/** Why a round or a match ended, where that was not by an empty hand; and what the count below it is of. */
export function ending(game: Game): { why: string; counted: string; earlier: boolean } {
  // Who leaves between rounds ends the match without another count: what the box still shows is the round before.
  const earlier = game.end_reason === 'resign' && game.result !== null && game.result.reason !== 'resign';
  return { why: why(game, earlier), counted: t(earlier ? 'over.cards.last' : 'over.cards'), earlier };
}

function why(game: Game, earlier: boolean): string {
  const name = otherName(game);
  const mine = game.winner === game.seat;
  if (earlier) return mine ? t('over.resign.after.them', { name }) : t('over.resign.after.you');
  if (game.end_reason === 'resign') return mine ? t('over.resign.them', { name }) : t('over.resign.you');
  if (game.end_reason === 'timeout') return mine ? t('over.timeout.them', { name }) : t('over.timeout.you');
  return game.result?.reason === 'count' ? t('over.count') : '';
}
