import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { en } from './en';
import { ownerEn } from './owner.en';
import { ownerPcm } from './owner.pcm';
import { pcm } from './pcm';
import { staffEn } from './staff.en';
import { staffPcm } from './staff.pcm';

type Words = Record<string, string>;
const APPS: Record<string, [Words, Words]> = {
  player: [en, pcm],
  owner: [ownerEn, ownerPcm],
  staff: [staffEn, staffPcm],
};
const names = (sentence: string): string[] => [...sentence.matchAll(/\{(\w+)\}/g)].map(match => match[1] ?? '').sort();

function sources(folder: string): string[] {
  return readdirSync(folder).flatMap(name => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? sources(path) : /\.tsx?$/.test(name) && !/\.test\./.test(name) ? [path] : [];
  });
}

describe('the dictionaries', () => {
  it('fill in the same placeholders', () => {
    for (const [english, pidgin] of Object.values(APPS)) {
      for (const key of Object.keys(english)) expect(names(pidgin[key] ?? ''), key).toEqual(names(english[key] ?? ''));
    }
  });

  it('say what happened and what to do', () => {
    const banned = /error occurred|oops|invalid|please try again later|something went wrong|!!/i;
    for (const words of Object.values(APPS).flat()) {
      for (const [key, text] of Object.entries(words)) {
        expect(text, key).not.toMatch(banned);
        const longest = Math.max(...text.split(/[.!?:] /).map(part => part.split(/\s+/).length));
        expect(longest, `${key}: a sentence has ${longest} words`).toBeLessThanOrEqual(20);
      }
    }
  });

  it('say why central has not got everything, for each name that the box gives', () => {
    const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
    const named = (path: string) =>
      [...(/pub fn name\(&self\)[\s\S]*?\n {4}\}/.exec(read(path))?.[0] ?? '').matchAll(/=> "(\w+)"/g)].map(it => it[1]);
    const names = [...named('replication/src/error.rs'), ...named('replication/src/fence.rs')];
    expect(names.length).toBeGreaterThan(15);
    for (const name of names) expect(Object.keys(ownerEn)).toEqual(expect.arrayContaining([`why.${name}`, `mend.${name}`]));
  });

  it('have no key that nothing uses', () => {
    const text = sources(new URL('..', import.meta.url).pathname)
      .filter(path => !path.includes('/words/'))
      .map(path => readFileSync(path, 'utf8'))
      .join('\n');
    // Keys made of a part and a value, such as `shape.${shape}`.
    const made = [...text.matchAll(/`([a-z.]+\.|[a-z.]+_)\$\{/g)].map(match => match[1] ?? '');
    const unused = Object.values(APPS)
      .flatMap(([english]) => Object.keys(english))
      .filter(key => !text.includes(`'${key}'`) && !made.some(start => key.startsWith(start)));
    expect(unused).toEqual([]);
  });
});
