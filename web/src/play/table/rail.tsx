//! Who sits opposite, whether they are there, and how the series stands.

import type { Game } from '../../base/contract';
import { boxNow } from '../../base/fetch';
import { t } from '../../base/i18n';
import { useLeft } from '../../ui/hooks';
import { isBot, otherName } from '../games';
import { cardCount, countdown, other } from './said';

export type Presence = { online: boolean; since: string | null } | null;

export function Rail({ game, presence }: { game: Game; presence: Presence }) {
  const name = otherName(game);
  const [mine, theirs] = [game.rounds_won[game.seat], game.rounds_won[other(game.seat)]];
  const online = isBot(game) || presence?.online !== false;
  return (
    <header class="rail">
      <a class="avatar" href="/play">
        <span aria-hidden="true">{(name[0] ?? '?').toUpperCase()}</span>
        <span class="unseen">{t('go.lobby')}</span>
      </a>
      <div class="who">
        <p class="name">
          <strong>{name}</strong>{' '}
          <span class={online ? 'seen' : 'seen off'}>{online ? t('seat.online') : t('seat.offline')}</span>
        </p>
        <p class="count">{cardCount(game.opponent_cards)}</p>
      </div>
      <div class="score">
        <p class="tally">
          {mine} – {theirs}
        </p>
        <p class="count">
          {t('seat.you')} – {name}
        </p>
      </div>
    </header>
  );
}

/** What becomes of the game while the other is away. */
export function Away({ game, presence }: { game: Game; presence: Presence }) {
  const away = presence?.online === false && !isBot(game);
  const waits = away && game.turn !== game.seat && game.turn_deadline !== null;
  const left = useLeft(boxNow, waits && game.turn_deadline ? Date.parse(game.turn_deadline) : null);
  if (!away) return null;
  const name = otherName(game);
  return <p class="away">{waits && left > 0 ? t('away', { name, t: countdown(left) }) : t('away.free', { name })}</p>;
}
