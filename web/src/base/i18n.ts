//! Words: two typed dictionaries, and the language that the person chose.
//!
//! A key that one dictionary lacks does not compile; a placeholder that is not filled in does not either.

import { computed, signal } from '@preact/signals';
import { en } from '../words/en';
import { pcm } from '../words/pcm';
import { recall, remember } from './storage';

export type Lang = 'en' | 'pcm';
export type Key = keyof typeof en;
export type Words = Record<Key, string>;

type Names<S extends string> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
/** A key whose sentence has no placeholder. */
export type Plain = {
  [K in Key]: Names<(typeof en)[K]> extends never ? K : never;
}[Key];

export const LANGS: Record<Lang, { name: string; tag: string }> = {
  en: { name: 'English', tag: 'en-NG' },
  pcm: { name: 'Pidgin', tag: 'pcm' },
};

export const lang = signal<Lang>(recall<Lang>('whot.lang') === 'pcm' ? 'pcm' : 'en');

export function speak(next: Lang): void {
  lang.value = next;
  remember('whot.lang', next);
}

/**
 * The sentences of two dictionaries, by key, with their placeholders filled in. Each app has its own beside the shared
 * ones, so that a player never downloads the words of the staff.
 */
export function dictionary<E extends Record<string, string>>(english: E, pidgin: Record<keyof E, string>) {
  const both: Record<Lang, Record<keyof E, string>> = {
    en: english,
    pcm: pidgin,
  };
  return <K extends keyof E>(
    key: K,
    ...given: Names<E[K]> extends never ? [] : [Record<Names<E[K]>, string | number>]
  ) => fill(both[lang.value][key], given[0]);
}

/** The shared sentences and those of the player. */
export const t = dictionary(en, pcm);

function fill(sentence: string, values?: Record<string, string | number>): string {
  return values ? sentence.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole)) : sentence;
}

/** Whether a text, such as a code from the box, is a key without placeholders. */
export function known(key: string): key is Plain {
  return key in en && !en[key as Key].includes('{');
}

const plurals = computed(() => new Intl.PluralRules(LANGS[lang.value].tag));

/** `one` or `other` for a number, as the language counts. */
export function plural<One, Other>(count: number, one: One, other: Other): One | Other {
  return plurals.value.select(count) === 'one' ? one : other;
}

/** A time of day, such as 14:02, by the phone's zone. */
export function clock(iso: string): string {
  return new Intl.DateTimeFormat('en-NG', {
    hour: '2-digit',
    minute: '2-digit',
    hour12: false,
  }).format(new Date(iso));
}

/** A date, such as 22 Dec. */
export function day(iso: string): string {
  return new Intl.DateTimeFormat('en-NG', {
    day: 'numeric',
    month: 'short',
  }).format(new Date(iso));
}
