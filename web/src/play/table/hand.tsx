//! The own cards: tapped, dragged onto the table, or played from the keyboard.

import { type ReadonlySignal, useComputed } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Action, Game } from '../../base/contract';
import { t } from '../../base/i18n';
import { look } from '../../base/look';
import { card, cardName, ruleWord } from '../../cards/deck';
import { Face } from '../../cards/face';
import { SLOP, useTap } from '../../ui/tap';

/** A card dragged up this far lands on the table, in px. */
const LIFT = 70;

interface Props {
  game: Game;
  can: Set<number>;
  inert: boolean;
  /** The action on its way: only the card that it is about follows it. */
  sending: ReadonlySignal<{ action: Action } | null>;
  onPlay: (card: number) => void;
}

/** Columns that keep every card a good target: bigger cards while there are few. */
export const columns = (cards: number): number => (cards <= 4 ? 4 : cards <= 8 ? 4 : cards <= 10 ? 5 : 6);

export function Hand({ game, can, inert, sending, onPlay }: Props) {
  const own = useRef<HTMLUListElement>(null);
  const wide = columns(game.hand.length);
  useKeys(own);
  return (
    <section class="tray" aria-label={t('hand')}>
      <ul
        class="hand"
        ref={own}
        style={{
          '--columns': String(wide),
          '--gap': wide > 4 ? '6px' : '12px',
        }}
      >
        {game.hand.map(id => (
          <li key={id}>
            <HandCard
              id={id}
              can={can.has(id)}
              sending={sending}
              inert={inert}
              rule={look.value.hints ? ruleWord(card(id).number, game.options) : ''}
              onPlay={onPlay}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}

interface CardProps {
  id: number;
  can: boolean;
  sending: Props['sending'];
  inert: boolean;
  rule: string;
  onPlay: (card: number) => void;
}

function HandCard({ id, can, sending, inert, rule, onPlay }: CardProps) {
  const sent = useComputed(() => {
    const action = sending.value?.action;
    return action?.type === 'play' && action.card === id;
  });
  // The picture is a dozen parts that never change: it is made once.
  const face = useMemo(() => <Face id={id} rule={rule} />, [id, rule]);
  const start = useRef<{ x: number; y: number } | null>(null);
  const dragged = useRef(false);
  const [by, move] = useState<{ x: number; y: number } | null>(null);
  const name = cardName(id);
  const tap = useTap(can && !inert, () => onPlay(id));
  const stop = (event: PointerEvent) => {
    const from = start.current;
    start.current = null;
    move(null);
    if (from && dragged.current && from.y - event.clientY > LIFT) onPlay(id);
  };
  return (
    <button
      type="button"
      class={`hand-card${can ? ' can' : ''}${sent.value ? ' sent' : ''}${by ? ' dragged' : ''}`}
      aria-label={can ? t('card.playable', { card: name }) : name}
      aria-disabled={inert || !can}
      style={by ? { transform: `translate(${by.x}px, ${by.y}px)` } : undefined}
      onClick={() => {
        if (!dragged.current) onPlay(id);
      }}
      onTouchEnd={tap.onTouchEnd}
      onPointerDown={event => {
        tap.onPointerDown(event);
        dragged.current = false;
        if (can && !inert) start.current = { x: event.clientX, y: event.clientY };
      }}
      onPointerMove={event => {
        const from = start.current;
        if (!from) return;
        const [x, y] = [event.clientX - from.x, event.clientY - from.y];
        if (!dragged.current && Math.hypot(x, y) < SLOP) return;
        if (!dragged.current) event.currentTarget.setPointerCapture(event.pointerId);
        dragged.current = true;
        tap.onPointerCancel();
        move({ x, y });
      }}
      onPointerUp={stop}
      onPointerCancel={() => {
        tap.onPointerCancel();
        start.current = null;
        move(null);
      }}
    >
      {face}
    </button>
  );
}

/** Arrows walk through the hand, M goes to market. */
function useKeys(own: { current: HTMLUListElement | null }): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
      if (event.target instanceof HTMLInputElement) return;
      if (event.key === 'm' || event.key === 'M') document.querySelector<HTMLButtonElement>('.market')?.click();
      const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
      const cards = [...(own.current?.querySelectorAll('button') ?? [])];
      if (!step || cards.length === 0) return;
      const at = cards.indexOf(document.activeElement as HTMLButtonElement);
      cards[(at + step + cards.length) % cards.length]?.focus();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [own]);
}
