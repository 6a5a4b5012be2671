//! The end of a round or of the match: who won, how it was counted, and how to go on.

import { useEffect, useState } from 'preact/hooks';
import type { Game, GameInvite } from '../../base/contract';
import { plural, t } from '../../base/i18n';
import { look } from '../../base/look';
import { navigate } from '../../base/router';
import { card, cardName, points, ruleWord } from '../../cards/deck';
import { Face, Mark } from '../../cards/face';
import { useAction, useLoad } from '../../ui/hooks';
import { Announce, Button, Fault } from '../../ui/parts';
import { accept, against, invites, isBot, type Level, otherName, practise, rematch } from '../games';
import { moveNonce } from '../nonces';
import { type Match, nextRound } from './match';
import { Moves } from './moves';
import { ending, other } from './said';
import { Verify } from './verify';

/** How often the other's wish to play again is looked for. */
const EVERY_MS = 3000;

export function Result({ match, game }: { match: Match; game: Game }) {
  const [moves, show] = useState(false);
  const dealt = game.result !== null || game.phase === 'match_over';
  const title = dealt ? heading(game) : t('table.ready');
  return (
    <section class="result">
      <Announce text={title} />
      <div class="panel stack">
        {!dealt && <Mark />}
        <h2 class="outcome">{title}</h2>
        {dealt ? <p class="soft">{ending(game).why}</p> : <p class="soft">{t('table.ready.lead')}</p>}
        {game.result && <Counting game={game} />}
        {dealt && <Series game={game} />}
        {game.phase === 'match_over' && !isBot(game) && <AllMatches game={game} />}
        {game.phase === 'match_over' ? <Again game={game} /> : <Next match={match} game={game} />}
        <a class="button quiet" href="/play">
          {t('go.lobby')}
        </a>
      </div>
      {dealt && (
        <div class="panel stack">
          <Button onClick={() => show(true)}>{t('more.moves')}</Button>
          <Verify game={game} />
        </div>
      )}
      {moves && <Moves game={game} onClose={() => show(false)} />}
    </section>
  );
}

function heading(game: Game): string {
  const name = otherName(game);
  if (game.phase === 'match_over') {
    if (game.winner === null) return t('over.void');
    return game.winner === game.seat ? t('over.win') : t('over.lose', { name });
  }
  const winner = game.result?.winner ?? null;
  if (winner === null) return t('over.draw');
  return winner === game.seat ? t('over.win.round') : t('over.lose.round', { name });
}

const score = (n: number): string => t(plural(n, 'over.points.one' as const, 'over.points' as const), { n });

function Counting({ game }: { game: Game }) {
  const { result } = game;
  if (!result) return null;
  const seats = [game.seat, other(game.seat)] as const;
  const { counted, earlier } = ending(game);
  return (
    <div class="counting">
      <h3 class={earlier ? 'soft' : 'unseen'}>{counted}</h3>
      {seats.map(seat => (
        <div key={seat} class="counted">
          <p class="counted-line">
            <strong>{seat === game.seat ? t('seat.you') : otherName(game)}</strong>
            <span class="tabular">{score(result.points[seat])}</span>
          </p>
          {result.hands[seat].length === 0 ? (
            <p class="soft">{t('over.nothing')}</p>
          ) : (
            <ul class="left">
              {result.hands[seat].map(id => (
                <li key={id}>
                  <span class="mini" role="img" aria-label={cardName(id)}>
                    <Face id={id} rule={look.value.hints ? ruleWord(card(id).number, game.options) : ''} />
                  </span>
                  {result.points[seat] > 0 && <span class="soft tabular">{points(card(id))}</span>}
                </li>
              ))}
            </ul>
          )}
        </div>
      ))}
    </div>
  );
}

function Series({ game }: { game: Game }) {
  const [me, them] = [game.seat, other(game.seat)];
  const name = otherName(game);
  return (
    <dl class="series tabular">
      <div>
        <dt>{t('over.series')}</dt>
        <dd>
          {t('seat.you')} <strong>{game.rounds_won[me]}</strong> – <strong>{game.rounds_won[them]}</strong> {name}
        </dd>
      </div>
      <div>
        <dt>{t('over.total')}</dt>
        <dd>
          {t('seat.you')} <strong>{game.points[me]}</strong> – <strong>{game.points[them]}</strong> {name}
        </dd>
      </div>
    </dl>
  );
}

/** All finished matches of the two, this one included. */
function AllMatches({ game }: { game: Game }) {
  const them = game.players[other(game.seat)]?.user_id ?? '';
  const board = useLoad(() => against(them), [them]).data;
  const [mine, theirs] = board?.players ?? [];
  // After their first match the line would say what the one above says.
  if (!board || board.played < 2 || !mine || !theirs) return null;
  return (
    <dl class="series tabular">
      <div>
        <dt>{t('over.pair', { n: board.played })}</dt>
        <dd>
          {t('seat.you')} <strong>{mine.won}</strong> – <strong>{theirs.won}</strong> {otherName(game)}
        </dd>
      </div>
    </dl>
  );
}

function Next({ match, game }: { match: Match; game: Game }) {
  const said = match.ready.value === nextRound(game);
  return (
    <Button kind="main" disabled={said || match.status.value !== 'open'} onClick={() => match.next()}>
      {said ? t('over.waiting', { name: otherName(game) }) : t(game.result ? 'over.next' : 'table.ready')}
    </Button>
  );
}

/** The level of the box as an opponent, which its name tells. */
function levelOf(game: Game): Level {
  const name = game.players[other(game.seat)]?.username ?? '';
  return (['easy', 'medium', 'hard'] as const).find(level => name.includes(level)) ?? 'easy';
}

function Again({ game }: { game: Game }) {
  return isBot(game) ? <AgainBox game={game} /> : <AgainPerson game={game} />;
}

function AgainBox({ game }: { game: Game }) {
  const { busy, fault, run } = useAction(async () =>
    navigate(`/play/g/${await practise(levelOf(game), game.options)}`, 'replace'),
  );
  return (
    <>
      <Fault of={fault} />
      <Button kind="main" busy={busy} onClick={run}>
        {t('over.again')}
      </Button>
    </>
  );
}

function AgainPerson({ game }: { game: Game }) {
  const name = otherName(game);
  const [sent, setSent] = useState<GameInvite | null>(null);
  const theirs = useLoad(() => invites('received'), [], EVERY_MS);
  const mine = useLoad(() => (sent ? invites('sent') : Promise.resolve([])), [sent], EVERY_MS);
  const them = game.players[other(game.seat)]?.user_id;
  const wish = theirs.data?.find(invite => invite.status === 'pending' && invite.sender_id === them);
  const answer = mine.data?.find(invite => invite.id === sent?.id);
  useEffect(() => {
    if (answer?.status === 'accepted' && answer.game_id) {
      moveNonce(answer.id, answer.game_id);
      navigate(`/play/g/${answer.game_id}`, 'replace');
    }
  }, [answer]);
  const { busy, fault, run } = useAction(async () => {
    if (wish) navigate(`/play/g/${await accept(wish.id)}`, 'replace');
    else setSent(await rematch(game.game_id));
  });
  const waits = sent !== null && answer?.status !== 'declined' && !wish;
  return (
    <>
      {wish && <p class="notice good">{t('over.again.them', { name })}</p>}
      {answer?.status === 'declined' && <p class="notice warn">{t('lobby.declined', { name })}</p>}
      <Fault of={fault} />
      <Button kind="main" busy={busy} disabled={waits} onClick={run}>
        {waits ? t('over.again.sent', { name }) : t('over.again')}
      </Button>
    </>
  );
}
