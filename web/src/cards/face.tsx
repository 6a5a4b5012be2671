//! The pictures of cards: SVG from the page's symbols, so that the whole deck needs no image file.

import type { Shape } from '../base/contract';
import { card, points, SHAPES } from './deck';

/** The five small shapes around the 20, as on the drawn deck. */
const RING: [Shape, number, number][] = [
  ['circle', 42, 34],
  ['star', 17, 52],
  ['triangle', 66, 52],
  ['square', 26, 80],
  ['cross', 59, 80],
];

export function ShapeIcon({ shape, size = 24 }: { shape: Shape; size?: number }) {
  return (
    <svg class={`shape ${shape}`} width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <use href={`#s-${shape}`} />
    </svg>
  );
}

function Corner({ number, shape }: { number: number; shape: Shape | null }) {
  return (
    <>
      <text x="9" y="25" class="face-number">
        {number}
      </text>
      {shape ? (
        <use href={`#s-${shape}`} x="9" y="31" width="13" height="13" />
      ) : (
        <text x="9" y="36" class="face-rule">
          WHOT
        </text>
      )}
    </>
  );
}

function Middle({ id }: { id: number }) {
  const face = card(id);
  if (!face.shape) {
    return (
      <>
        {RING.map(([shape, x, y]) => (
          <use key={shape} href={`#s-${shape}`} x={x} y={y} width="16" height="16" class={`shape ${shape}`} />
        ))}
        <text x="50" y="77" text-anchor="middle" class="face-number">
          20
        </text>
      </>
    );
  }
  return (
    <>
      <use href={`#s-${face.shape}`} x="24" y="44" width="52" height="52" />
      {face.shape === 'star' && (
        <text x="50" y="77" text-anchor="middle" class="face-points">
          {points(face)}
        </text>
      )}
    </>
  );
}

/** The front of a card. Its name is the surrounding element's to say. */
export function Face({ id, rule }: { id: number; rule?: string }) {
  const { shape, number } = card(id);
  return (
    <svg class={`card-face shape ${shape ?? 'whot'}`} viewBox="0 0 100 140" aria-hidden="true">
      <rect x="0.75" y="0.75" width="98.5" height="138.5" rx="9" class="face-paper" />
      <Corner number={number} shape={shape} />
      <g transform="rotate(180 50 70)">
        <Corner number={number} shape={shape} />
      </g>
      <Middle id={id} />
      {rule && (
        <text x="92" y="20" text-anchor="end" class="face-rule">
          {rule}
        </text>
      )}
    </svg>
  );
}

export function Back() {
  return (
    <svg class="card-face" viewBox="0 0 100 140" aria-hidden="true">
      <use href="#s-back" width="100" height="140" />
    </svg>
  );
}

/** The five shapes in a row, as the mark of the game. */
export function Mark() {
  return (
    <span class="mark" aria-hidden="true">
      {SHAPES.map(shape => (
        <ShapeIcon key={shape} shape={shape} size={28} />
      ))}
    </span>
  );
}
