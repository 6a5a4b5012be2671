//! One match on this phone: what the box last said of it, and what the person did that the box has not answered yet.
//!
//! The state comes only from the socket's snapshot and events, in the order of `seq`. What was not acknowledged is
//! sent again with the same `client_id` after every reconnection, so nothing is lost and nothing is done twice.

import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Action, Game, GameEvent, GameFrame } from '../../base/contract';
import { painted } from '../../base/paint';
import { newId } from '../../base/random';
import { Live } from '../../base/socket';
import { recall, remember } from '../../base/storage';
import { nonceFor } from '../nonces';

/** An answer that takes longer is waited for in sight. */
const SLOW_MS = 400;

interface Sent {
  client_id: string;
  expected_seq: number;
  action: Action;
}

/** What the last thing that happened was, for the page to show; `at` tells two alike apart. */
export interface News {
  at: number;
  events: GameEvent[];
}

/** A match in a frame of events: without what the snapshot has told for good. */
type Changed = Extract<GameFrame, { type: 'events' }>['game'];

/** A short name of an action for its answer; its `client_id` is what makes it the same action. */
const refOf = (sent: Sent): string => sent.client_id.slice(0, 6);

export class Match {
  readonly id: string;
  readonly #game: Signal<Game | null> = signal(null);
  readonly #news: Signal<News> = signal({ at: -1, events: [] });
  readonly #sending: Signal<Sent | null>;
  readonly #slow: Signal<boolean> = signal(false);
  #slowly: ReturnType<typeof setTimeout> | undefined;
  readonly #presence: Signal<{ online: boolean; since: string | null } | null> = signal(null);
  readonly #refused: Signal<{ code: string; at: number } | null> = signal(null);
  readonly #ready: Signal<number | null> = signal(null);
  /** What the box said while a tap waits to be seen; `null` where none does. */
  #unseen: GameFrame[] | null = null;
  readonly #live: Live;

  constructor(id: string) {
    this.id = id;
    this.#sending = signal(recall<Sent>(this.#key, 'session'));
    this.#live = new Live({
      path: () => {
        const game = this.#game.peek();
        // Before the first deal there is nothing to go on from. Players and rules come once, with the snapshot.
        return `/api/v1/games/${id}/ws?terms=once${game && game.round > 0 ? `&after=${game.seq}` : ''}`;
      },
      frame: frame => {
        if (this.#unseen) this.#unseen.push(frame as GameFrame);
        else this.#take(frame as GameFrame);
      },
      opened: () => this.#resend(),
      pings: true,
      about: `/api/v1/games/${id}`,
    });
  }

  get game(): ReadonlySignal<Game | null> {
    return this.#game;
  }
  get news(): ReadonlySignal<News> {
    return this.#news;
  }
  /** The action on its way to the box. */
  get sending(): ReadonlySignal<Sent | null> {
    return this.#sending;
  }
  /** The action has been on its way for so long that the table should say so. */
  get slow(): ReadonlySignal<boolean> {
    return this.#slow;
  }
  get presence(): ReadonlySignal<{
    online: boolean;
    since: string | null;
  } | null> {
    return this.#presence;
  }
  get refused(): ReadonlySignal<{ code: string; at: number } | null> {
    return this.#refused;
  }
  /** The round for which this player has said ready. */
  get ready(): ReadonlySignal<number | null> {
    return this.#ready;
  }
  get status() {
    return this.#live.status;
  }

  get #key(): string {
    return `whot.sending.${this.id}`;
  }

  /** Sends one action, unless another is still on its way. */
  act(action: Action): void {
    const game = this.#game.peek();
    if (!game || this.#sending.peek()) return;
    this.#refused.value = null;
    this.#hold({ client_id: newId(), expected_seq: game.seq, action });
    this.#resend();
    this.#answerFinger();
  }

  /** Says that the next round may start, with the own share in its shuffle. */
  next(): void {
    const game = this.#game.peek();
    if (!game) return;
    this.#ready.value = nextRound(game);
    this.#sayReady();
  }

  close(): void {
    clearTimeout(this.#slowly);
    this.#live.close();
  }

  /** The finger is answered first: a new table, which is more work, is shown after the frame that marks the tap. */
  #answerFinger(): void {
    if (this.#unseen) return;
    this.#unseen = [];
    painted(() => {
      const waiting = this.#unseen ?? [];
      this.#unseen = null;
      for (const frame of waiting) this.#take(frame);
    });
  }

  #hold(sent: Sent | null): void {
    this.#sending.value = sent;
    clearTimeout(this.#slowly);
    if (!sent) this.#slow.value = false;
    else this.#slowly = setTimeout(() => (this.#slow.value = true), SLOW_MS);
    remember(this.#key, sent, 'session');
  }

  #resend(): void {
    const sent = this.#sending.peek();
    if (sent) this.#live.send({ type: 'play', ref: refOf(sent), ...sent });
    this.#sayReady();
  }

  #sayReady(): void {
    const round = this.#ready.peek();
    const game = this.#game.peek();
    if (round === null || !game || round !== nextRound(game)) return;
    this.#live.send({
      type: 'ready',
      ref: `ready-${round}`,
      nonce: nonceFor(this.id, round),
    });
  }

  #take(frame: GameFrame): void {
    switch (frame.type) {
      case 'snapshot':
        this.#show(frame.game, []);
        break;
      case 'events':
        this.#follow(frame.seq, frame.events, frame.game);
        break;
      case 'presence':
        this.#presence.value = {
          online: frame.opponent === 'online',
          since: frame.since,
        };
        break;
      case 'ack':
        this.#done(frame.ref);
        break;
      case 'error':
        this.#refuse(frame.ref, frame.code);
        break;
      case 'pong':
        break;
    }
  }

  /** One step further. What is known already is left out; a gap, which never should be, starts the socket afresh. */
  #follow(seq: number, events: GameEvent[], game: Changed): void {
    const known = this.#game.peek();
    if (!known) return this.#live.again();
    if (seq < known.seq) return;
    if (seq === known.seq && events.length > 0 && this.#news.peek().at === seq) return;
    if (seq > known.seq + 1) this.#live.again();
    else this.#show({ ...known, ...game }, events);
  }

  #show(game: Game, events: GameEvent[]): void {
    this.#game.value = game;
    // Past the place it was meant for, an action has been done or will be refused: the next may be made at once.
    const sent = this.#sending.peek();
    if (sent && game.seq > sent.expected_seq) this.#hold(null);
    const ready = this.#ready.peek();
    if (ready !== null && game.round >= ready && game.turn !== null) this.#ready.value = null;
    if (events.length > 0) this.#news.value = { at: game.seq, events };
    // Asking for a practice match was this player's word that the first round may start.
    if (game.round === 0 && ready === null && game.phase !== 'match_over') this.next();
  }

  #done(ref: string | undefined): void {
    const sent = this.#sending.peek();
    if (sent && ref === refOf(sent)) this.#hold(null);
  }

  #refuse(ref: string | undefined, code: string): void {
    if (ref?.startsWith('ready-')) return;
    const sent = this.#sending.peek();
    if (ref && sent && ref !== refOf(sent)) return;
    this.#hold(null);
    this.#refused.value = { code, at: Date.now() };
  }
}

/** The round that would be dealt next. */
export function nextRound(game: Pick<Game, 'round' | 'result' | 'phase' | 'history'>): number {
  return game.history.length + 1;
}
