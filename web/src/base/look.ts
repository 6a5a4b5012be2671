//! What the person set for this phone: theme, cards, sound, vibration. Kept here, never sent to the box.

import { effect, signal } from '@preact/signals';
import { LANGS, lang } from './i18n';
import { recall, remember } from './storage';

export interface Look {
  theme: 'auto' | 'light' | 'dark';
  deck: 'colour' | 'classic';
  sound: boolean;
  vibration: boolean;
  /** Short rule names on the cards. */
  hints: boolean;
}

const KEY = 'whot.look';
const DEFAULT: Look = {
  theme: 'auto',
  deck: 'colour',
  sound: true,
  vibration: true,
  hints: true,
};

export const look = signal<Look>({ ...DEFAULT, ...recall<Partial<Look>>(KEY) });

export function set(change: Partial<Look>): void {
  look.value = { ...look.value, ...change };
  remember(KEY, look.value);
}

/** Keeps the page's attributes in step, for the styles to follow. */
export function apply(): void {
  const night = matchMedia('(prefers-color-scheme: dark)');
  const dark = signal(night.matches);
  night.addEventListener?.('change', () => {
    dark.value = night.matches;
  });
  effect(() => {
    const root = document.documentElement;
    const { theme, deck } = look.value;
    root.dataset.theme = theme === 'auto' ? (dark.value ? 'dark' : 'light') : theme;
    root.dataset.deck = deck;
    root.lang = LANGS[lang.value].tag;
  });
}
