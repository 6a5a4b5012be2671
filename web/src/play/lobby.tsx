//! The lobby: own matches, invites both ways, challenging, practising, and who plays best.

import { useEffect, useRef } from 'preact/hooks';
import { del } from '../base/api';
import type { Game, GameInvite } from '../base/contract';
import { plural, t } from '../base/i18n';
import { navigate } from '../base/router';
import { held } from '../base/session';
import { sound } from '../base/sound';
import { type Loaded, useAction, useLoad, useTitle } from '../ui/hooks';
import { Announce, Button, Fault, Heading, List } from '../ui/parts';
import { Page } from './app';
import { accept, decline, games, invites, otherName } from './games';
import { Board, Challenge, Past, Practise } from './lobby/start';
import { moveNonce } from './nonces';

/** How often the lobby looks again: an invite is seen within a few seconds, at under 1 KB a look. */
const EVERY_MS = 4000;

export function Lobby() {
  const live = useLoad(() => games('live'), [], EVERY_MS);
  const received = useLoad(async () => (await invites('received')).filter(pending), [], EVERY_MS);
  const sent = useLoad(() => invites('sent'), [], EVERY_MS);
  const mine = (live.data ?? []).filter(game => game.turn === game.seat).length;
  useTitle(mine > 0 ? t('app.turn') : t('app.title'));
  useNews(received.data, sent.data);
  const online = !live.fault;
  return (
    <Page at="play">
      <header class="greeting">
        <Heading>{t('lobby.hi', { name: held.value?.user.username ?? '' })}</Heading>
        <p class={`pulse ${online ? 'good' : 'bad'}`}>{online ? t('lobby.good') : t('net.off')}</p>
      </header>
      <section class="panel">
        <h2>{t('lobby.games')}</h2>
        <List from={live} empty={t('lobby.games.none')}>
          {game => <GameRow key={game.game_id} game={game} />}
        </List>
      </section>
      <Invitations received={received} sent={sent} />
      <Challenge known={sent.data} onSent={sent.reload} />
      <Practise />
      <Past />
      <Board />
    </Page>
  );
}

const pending = (invite: GameInvite): boolean => invite.status === 'pending';

/** Goes to the table when a challenge is taken up, and sounds when one comes. */
function useNews(received: GameInvite[] | null, sent: GameInvite[] | null): void {
  const waiting = useRef(new Set<string>());
  const heard = useRef<number | null>(null);
  useEffect(() => {
    for (const invite of sent ?? []) {
      if (pending(invite)) waiting.current.add(invite.id);
      else if (waiting.current.delete(invite.id) && invite.status === 'accepted' && invite.game_id) {
        moveNonce(invite.id, invite.game_id);
        sound('turn');
        navigate(`/play/g/${invite.game_id}`);
      }
    }
  }, [sent]);
  useEffect(() => {
    if (!received) return;
    if (heard.current !== null && received.length > heard.current) sound('message');
    heard.current = received.length;
  }, [received]);
}

function GameRow({ game }: { game: Game }) {
  const mine = game.turn === game.seat;
  const between = game.turn === null;
  const state = t(between ? 'lobby.between' : mine ? 'lobby.turn' : 'lobby.theirs');
  const [me, them] = [game.rounds_won[game.seat], game.rounds_won[game.seat === 0 ? 1 : 0]];
  return (
    <li class="row">
      <span class="grow">
        <strong>{otherName(game)}</strong>
        <span class={mine || between ? 'badge act' : 'badge'}>{state}</span>
        <span class="soft tabular">{t('lobby.series', { mine: me, theirs: them })}</span>
      </span>
      <a class={`button ${mine || between ? 'main' : 'plain'}`} href={`/play/g/${game.game_id}`}>
        {t('lobby.play')}
      </a>
    </li>
  );
}

function Invitations({ received, sent }: { received: Loaded<GameInvite[]>; sent: Loaded<GameInvite[]> }) {
  const yes = useAction(async (id: string) => navigate(`/play/g/${await accept(id)}`));
  const no = useAction(async (id: string) => {
    await decline(id);
    await received.reload();
  });
  const cancel = useAction(async (id: string) => {
    await del(`/api/v1/games/invites/${id}`);
    await sent.reload();
  });
  const out = (sent.data ?? []).filter(pending);
  const latest = received.data?.[0];
  return (
    <section class="panel">
      <h2>{t('lobby.invites')}</h2>
      <Announce text={latest ? t('lobby.wants', { name: latest.sender_username }) : ''} />
      <List from={received} empty={out.length > 0 ? '' : t('lobby.invites.none')}>
        {invite => (
          <li key={invite.id} class="row">
            <span class="grow">{t('lobby.wants', { name: invite.sender_username })}</span>
            <span class="pair">
              <Button kind="main" busy={yes.busy} onClick={() => void yes.run(invite.id)}>
                {t('lobby.accept')}
              </Button>
              <Button busy={no.busy} onClick={() => void no.run(invite.id)}>
                {t('lobby.decline')}
              </Button>
            </span>
          </li>
        )}
      </List>
      {out.length > 0 && (
        <ul class="rows">
          {out.map(invite => (
            <li key={invite.id} class="row">
              <span class="grow soft">{t('lobby.sent', { name: invite.recipient_username })}</span>
              <Button busy={cancel.busy} onClick={() => void cancel.run(invite.id)}>
                {t('go.cancel')}
              </Button>
            </li>
          ))}
        </ul>
      )}
      <Fault of={yes.fault ?? no.fault ?? cancel.fault} />
    </section>
  );
}

/** In words, how often somebody won. */
export const wins = (n: number, played: number): string =>
  t(plural(n, 'lobby.won.one' as const, 'lobby.won.other' as const), {
    n,
    played,
  });
