//! A tap that is answered when the finger leaves.
//!
//! A browser says `click` only after it has shown the press, asked what lies under the finger once more and offered a mouse event
//! that nobody wants: on a cheap phone a third of the time until the answer is seen. So a finger's tap acts at `touchend`, and
//! that event is used up, so that no click follows it. Mouse, keyboard and screen readers click as ever.

import { useRef } from 'preact/hooks';

/** A finger that moved further than this does not tap, in px. */
export const SLOP = 12;

interface Tap {
  onPointerDown: (event: PointerEvent) => void;
  onPointerCancel: () => void;
  onTouchEnd: (event: TouchEvent) => void;
}

/** Handlers beside `onClick`: `act` runs once for each tap by one finger, while `on`; what they leave alone becomes a click. */
export function useTap(on: boolean, act: () => void): Tap {
  const from = useRef<{ x: number; y: number } | null>(null);
  return {
    onPointerDown: event => {
      from.current = on && event.pointerType === 'touch' && event.isPrimary ? { x: event.clientX, y: event.clientY } : null;
    },
    onPointerCancel: () => {
      from.current = null;
    },
    onTouchEnd: event => {
      const [start, end] = [from.current, event.changedTouches[0]];
      from.current = null;
      if (!start || !end || !event.cancelable || event.touches.length > 0) return;
      if (Math.hypot(end.clientX - start.x, end.clientY - start.y) >= SLOP) return;
      event.preventDefault();
      act();
    },
  };
}
