//! The reason that a form of the staff's asks for: typed, long enough, or told to be too short.

import { useState } from 'preact/hooks';
import { Field } from '../ui/parts';
import { s } from './words';

/** The shortest reason that the box takes (contract 5). */
const SHORTEST = 10;
/** The longest that a form takes, where the box does not ask for less. */
const LONGEST = 500;

export interface Reason {
  /** What was typed, without blanks around it. */
  text: string;
  clear: () => void;
  /** What a form does when it is sent: the act, if the reason will do. */
  before: (act: () => Promise<unknown>) => (event: Event) => void;
  typed: string;
  type: (text: string) => void;
  short: boolean;
}

export function useReason(): Reason {
  const [typed, type] = useState('');
  const [short, setShort] = useState(false);
  const text = typed.trim();
  const before = (act: () => Promise<unknown>) => (event: Event) => {
    event.preventDefault();
    setShort(text.length < SHORTEST);
    if (text.length >= SHORTEST) void act();
  };
  return { text, clear: () => type(''), before, typed, type, short };
}

export function ReasonField({ of, label, longest = LONGEST }: { of: Reason; label: string; longest?: number }) {
  return (
    <Field
      label={label}
      hint={s('gate.reason.hint')}
      fault={of.short ? s('gate.short') : undefined}
      value={of.typed}
      onInput={of.type}
      attributes={{ autocomplete: 'off', maxLength: longest }}
    />
  );
}
