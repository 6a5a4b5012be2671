//! The matches that go on now: an admin's all, a distributor's own and customers'. No card is shown.

import { get } from '../base/api';
import type { Page as PageOf, RunningGame } from '../base/contract';
import { clock } from '../base/i18n';
import { useLoad, useTitle } from '../ui/hooks';
import { Heading, List } from '../ui/parts';
import { Page } from './app';
import { o } from './words';

/** How often the list is looked at. */
const EVERY_MS = 5000;

export function Games() {
  useTitle(`${o('games')} · ${o('app')}`);
  const all = useLoad(async () => (await get<PageOf<RunningGame>>('/api/v1/box/games?limit=100')).items, [], EVERY_MS);
  return (
    <Page at="/box/games">
      <Heading>{o('games')}</Heading>
      <section class="panel stack">
        <List from={all} empty={o('games.none')}>
          {game => <Row key={game.game_id} of={game} />}
        </List>
      </section>
    </Page>
  );
}

function Row({ of: { players, bot, round, turn, phase, last_action_at } }: { of: RunningGame }) {
  return (
    <li class="row">
      <span class="grow lines">
        {players.map((player, seat) => (
          <span key={player.username}>
            <strong>{player.username}</strong> <span class="tabular">{player.rounds_won}</span>{' '}
            <span class="soft">
              {player.user_id === null ? o('games.bot', { level: bot ?? '' }) : o(player.online ? 'games.here' : 'games.away')}
              {turn === seat && ` · ${o('games.turn')}`}
            </span>
          </span>
        ))}
        <span class="soft">
          {o(phase === 'round_over' ? 'games.between' : 'games.round', { n: Math.max(round, 1) })} ·{' '}
          {o('games.last', { at: clock(last_action_at) })}
        </span>
      </span>
    </li>
  );
}
