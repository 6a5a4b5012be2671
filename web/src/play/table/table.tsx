//! The table: top card, market, hand, and what to do in one sentence.

import { useComputed } from '@preact/signals';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Action, Game, Shape } from '../../base/contract';
import { boxNow } from '../../base/fetch';
import { known, t } from '../../base/i18n';
import { look } from '../../base/look';
import { sound } from '../../base/sound';
import { card, cardName, ruleWord } from '../../cards/deck';
import { Back, Face, ShapeIcon } from '../../cards/face';
import { useLeft, useTitle } from '../../ui/hooks';
import { Announce, Button, Heading } from '../../ui/parts';
import { useTap } from '../../ui/tap';
import { otherName } from '../games';
import { Hand } from './hand';
import { Match, type News } from './match';
import { More, Say } from './more';
import { Need } from './need';
import { Away, Rail } from './rail';
import { Result } from './result';
import { happened, isAgain, playable, prompt, topCard, whyNot } from './said';

/** Below this the seconds are shown, and told once. */
const HURRY_S = 10;
/** With more cards than this the hand needs the room of the table. */
const CROWD = 10;

export function Table({ id }: { id: string }) {
  const match = useMemo(() => new Match(id), [id]);
  useEffect(() => () => match.close(), [match]);
  const game = match.game.value;
  if (!game) return <Waiting match={match} />;
  return <Board match={match} game={game} />;
}

function Waiting({ match }: { match: Match }) {
  useTitle(t('app.title'));
  const gone = match.status.value === 'closed';
  return (
    <main class="table empty">
      <Heading>{gone ? t('table.gone') : t('table.wait')}</Heading>
      {match.status.value === 'lost' && <p class="bar-warn">{t('net.retry')}</p>}
      <a class="button plain" href="/play">
        {t('go.lobby')}
      </a>
    </main>
  );
}

function Board({ match, game }: { match: Match; game: Game }) {
  const name = otherName(game);
  const mine = game.turn === game.seat;
  const lost = match.status.value !== 'open';
  useTitle(mine ? t('app.turn') : t('table.title', { name }));
  useSounds(match.news.value, game);
  return (
    <main
      data-seq={game.seq}
      class={`table${game.turn === null ? ' over' : game.hand.length > CROWD ? ' crowded' : ''}`}
    >
      <Heading hidden>{t('table.title', { name })}</Heading>
      <Rail game={game} presence={match.presence.value} />
      {lost && (
        <p class="bar-warn" role="alert">
          {t('net.retry')}
        </p>
      )}
      {game.turn === null ? <Result match={match} game={game} /> : <Live match={match} game={game} lost={lost} />}
    </main>
  );
}

/** The round while it is live. */
function Live({ match, game, lost }: { match: Match; game: Game; lost: boolean }) {
  const news = match.news.value;
  const [naming, name] = useState<number | null>(null);
  const [calling, call] = useState(false);
  const [note, explain] = useState('');
  // Whatever happened at the table makes an explanation and a half-made choice old.
  useEffect(() => {
    explain('');
    name(null);
    call(false);
  }, [game.seq]);
  const refused = match.refused.value;
  useEffect(() => {
    const key = `err.${refused?.code}`;
    if (refused) explain(known(key) ? t(key) : t('err.conflict'));
  }, [refused]);
  // A tap shows on its card alone (hand.tsx); the rest of the table is shown as busy only where the box takes its time.
  const inert = lost || match.slow.value;
  const free = () => !lost && !match.sending.peek();
  const can = playable(game);
  const draws = game.legal.some(action => action.type === 'draw');
  const play = (id: number, shape?: Shape) => {
    if (!free()) return;
    if (!can.has(id)) return explain(whyNot(game));
    if (card(id).shape === null && !shape) return name(id);
    name(null);
    match.act(chosen(game, id, shape, calling));
  };
  const draw = () => {
    if (!free()) return;
    if (draws) match.act({ type: 'draw' });
    else explain(whyNot(game));
  };
  const line = prompt(game, isAgain(news.events, game));
  const story = happened(news.events, game);
  return (
    <>
      <section class="felt">
        <Piles game={game} sending={match.sending} onDraw={draw} draws={draws && !inert} only={can.size === 0 || game.pending !== null} />
        <p class="story">{note ? '' : story}</p>
        {note ? <p class="pill note">{note}</p> : <p class={line.act ? 'pill act' : 'pill'}>{line.text}</p>}
        <Clock game={game} />
        <Announce text={note || [story, line.text].filter(Boolean).join('. ')} />
        <Away game={game} presence={match.presence.value} />
      </section>
      <Hand game={game} can={can} inert={inert} sending={match.sending} onPlay={play} />
      <nav class="actions" aria-label={t('menu.label')}>
        <Say game={game} />
        <Middle game={game} match={match} calling={calling} call={call} inert={inert} onDraw={draw} />
        <More match={match} game={game} />
      </nav>
      {naming !== null && <Need onNeed={shape => play(naming, shape)} onClose={() => name(null)} />}
    </>
  );
}

/** The legal action that a tap means: with the call if it was armed and the box allows it. */
function chosen(game: Game, id: number, shape: Shape | undefined, calling: boolean): Action {
  const fits = (action: Action, call: boolean) =>
    action.type === 'play' && action.card === id && action.shape === shape && !!action.call === call;
  const found = game.legal.find(action => fits(action, calling)) ?? game.legal.find(action => fits(action, false));
  return found ?? { type: 'play', card: id, ...(shape ? { shape } : {}) };
}

interface MiddleProps {
  game: Game;
  match: Match;
  calling: boolean;
  call: (on: boolean) => void;
  inert: boolean;
  onDraw: () => void;
}

/** The one action that matters most now, where the thumb is. */
function Middle({ game, match, calling, call, inert, onDraw }: MiddleProps) {
  const has = (type: Action['type']) => game.legal.some(action => action.type === type);
  if (game.legal.some(action => action.type === 'play' && action.call)) {
    return (
      <Button kind="quiet" pressed={calling} disabled={inert} onClick={() => call(!calling)}>
        {calling ? t('last.armed') : t('last')}
      </Button>
    );
  }
  if (has('pass')) {
    return (
      <Button kind="quiet" disabled={inert} onClick={() => match.act({ type: 'pass' })}>
        {t('pass')}
      </Button>
    );
  }
  return (
    <Button kind="quiet" disabled={inert || !has('draw')} onClick={onDraw}>
      {game.pending && has('draw') ? t('market.pick', { n: game.pending.count }) : t('market.go')}
    </Button>
  );
}

interface PilesProps {
  game: Game;
  sending: Match['sending'];
  onDraw: () => void;
  draws: boolean;
  /** Nothing but the market is left to choose, or it asks for an answer. */
  only: boolean;
}

function Piles({ game, sending, onDraw, draws, only }: PilesProps) {
  const tap = useTap(draws, onDraw);
  const going = useComputed(() => sending.value?.action.type === 'draw');
  const top = topCard(game);
  const left = t('market.left', { n: game.market_cards });
  const must = game.turn === game.seat && game.pending;
  const label = must ? t('market.pick', { n: must.count }) : t('market', { n: game.market_cards });
  const rule = top !== null && look.value.hints ? ruleWord(card(top).number, game.options) : '';
  const face = useMemo(() => top !== null && <Face id={top} rule={rule} />, [top, rule]);
  return (
    <div class="piles">
      <figure>
        <div class="pile" key={`${top}-${game.pile.length}`} role="img" aria-label={topLabel(game)}>
          {face}
          {game.called && (
            <span class="called">
              <ShapeIcon shape={game.called} size={28} />
            </span>
          )}
        </div>
        <figcaption>{game.called ? t('need.called', { shape: t(`shape.${game.called}`) }) : t('top')}</figcaption>
      </figure>
      <figure>
        <button
          type="button"
          class={`pile market${draws && only ? ' open' : ''}${going.value ? ' sent' : ''}`}
          onClick={onDraw}
          {...tap}
          aria-label={label}
          aria-disabled={!draws}
          aria-keyshortcuts="m"
        >
          <Back />
          {must && <span class="owed">+{must.count}</span>}
        </button>
        <figcaption>{left}</figcaption>
      </figure>
    </div>
  );
}

function topLabel(game: Game): string {
  const top = topCard(game);
  const name = top === null ? '' : t('top.label', { card: cardName(top) });
  return game.called ? `${name}. ${t('need.called', { shape: t(`shape.${game.called}`) })}` : name;
}

/** How much of the turn is left. The box's clock decides; this only shows it. */
function Clock({ game }: { game: Game }) {
  const left = useLeft(boxNow, game.turn_deadline === null ? null : Date.parse(game.turn_deadline));
  if (!game.turn_deadline) return <div class="clock" />;
  const total = game.options.turn_seconds;
  const s = Math.ceil(left / 1000);
  const hurry = s <= HURRY_S && game.turn === game.seat;
  return (
    <div class={`clock${hurry ? ' hurry' : ''}`}>
      <div
        class="bar"
        role="progressbar"
        aria-label={t('clock', { n: s })}
        aria-valuemin={0}
        aria-valuemax={total}
        aria-valuenow={s}
      >
        {/* It moves towards where it will be in a second: the browser draws that by itself, without the table's help. */}
        <span key={game.turn_deadline} style={{ transform: `scaleX(${Math.max(0, s - 1) / total})` }} />
      </div>
      <span aria-hidden="true">{s}</span>
      {hurry && s === HURRY_S && <Announce text={t('clock', { n: s })} />}
    </div>
  );
}

function useSounds(news: News, game: Game): void {
  useEffect(() => {
    const { events } = news;
    const over = events.find(event => event.type === 'round_over');
    if (over?.type === 'round_over') return sound(over.winner === game.seat ? 'win' : 'lose');
    if (events.some(event => event.type === 'last_card' && event.seat !== game.seat)) return sound('last');
    const own = events.some(event => 'seat' in event && event.type !== 'turn' && event.seat === game.seat);
    if (game.turn === game.seat && !own && events.length > 0) sound('turn');
    else if (events.some(event => event.type === 'played')) sound('play');
    else if (events.some(event => event.type === 'drew')) sound('draw');
  }, [news]);
}
