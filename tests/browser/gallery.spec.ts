//! Every screen at four sizes, in both languages and themes, to be looked at: `SHOTS=all npm test -- gallery` writes them
//! under `target/screens/`.

import { test } from '@playwright/test';
import { type Lang, Phone, type Theme } from './phone';
import { SCREENS, type Who, World } from './world';

test.skip(process.env.SHOTS !== 'all', 'pictures are made on demand');

const FOLDER = new URL('../../target/screens/', import.meta.url).pathname;
const SIZES = [
  [320, 568],
  [360, 640],
  [768, 1024],
  [1366, 768],
] as const;
const LOOKS: [Lang, Theme][] = [
  ['en', 'light'],
  ['en', 'dark'],
  ['pcm', 'light'],
  ['pcm', 'dark'],
];

test('every screen at every size', async ({ browser }) => {
  test.setTimeout(1_800_000);
  const world = await World.make();
  for (const [lang, theme] of LOOKS) {
    for (const [width, height] of SIZES) {
      let who: Who = 'nobody';
      let phone: Phone | null = null;
      for (const screen of SCREENS) {
        if (!phone || screen.who !== who) {
          await phone?.close();
          phone = await Phone.open(browser, world.box, { lang, theme, width, height });
          who = screen.who;
          const person = world.person(who);
          if (person) await phone.has(person);
        }
        await phone.show(screen, world);
        await phone.page.screenshot({ path: `${FOLDER}${lang}-${theme}-${width}/${screen.name}.png` });
      }
      await phone?.close();
    }
  }
  await world.box.end();
});
