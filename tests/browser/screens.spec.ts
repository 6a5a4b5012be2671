//! Every screen in both languages and themes: nothing for axe to say, nothing wider than a small phone, nothing from
//! elsewhere, nothing cut off in a longer language, nothing out of reach of the keyboard; and what a first visit costs.

import AxeBuilder from '@axe-core/playwright';
import { type Browser, expect, test } from '@playwright/test';
import { type Lang, Phone, type Setting } from './phone';
import { clipped, stretch } from './pseudo';
import { SCREENS, type Screen, type Who, World } from './world';

let world: World;

test.beforeAll(async () => {
  world = await World.make();
});

test.afterAll(() => world.box.end());

const SMALL = { width: 320, height: 568 };

/** Shows every screen, each to whom it is for. */
async function each(browser: Browser, setting: Setting, look: (phone: Phone, screen: Screen) => Promise<void>) {
  let who: Who = 'nobody';
  let phone: Phone | null = null;
  for (const screen of SCREENS) {
    if (!phone || screen.who !== who) {
      await phone?.close();
      phone = await Phone.open(browser, world.box, setting);
      who = screen.who;
      const person = world.person(who);
      if (person) await phone.has(person);
    }
    await phone.show(screen, world);
    await look(phone, screen);
  }
  await phone?.close();
}

const wider = (phone: Phone) => phone.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

/** What axe says of a page as it stands; of `rules` alone, where they are named. */
async function judged({ page }: Phone, ...rules: string[]): Promise<string[]> {
  // Without frames there is nothing that the newer way, which opens a page for every look, would see besides.
  const axe = new AxeBuilder({ page }).setLegacyMode(true);
  const { violations } = await (rules.length > 0 ? axe.withRules(rules) : axe).analyze();
  return violations.flatMap(one =>
    one.nodes.map(node => `${one.id}: ${node.html.slice(0, 120)} ${node.any[0]?.message ?? ''}`),
  );
}

/** The same page at night. Its words and parts stay, so that what can be wrong with it is the contrast. */
async function darken({ page }: Phone): Promise<void> {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.evaluate(() => {
    document.documentElement.dataset.theme = 'dark';
  });
}

const LANGS: Lang[] = ['en', 'pcm'];

for (const lang of LANGS) {
  test(`every screen can be read by everybody, by day and by night: ${lang}`, async ({ browser }) => {
    test.setTimeout(400_000);
    await each(browser, { lang, ...SMALL }, async (phone, screen) => {
      expect.soft(await judged(phone), screen.name).toEqual([]);
      expect.soft(await wider(phone), `${screen.name} is wider than the phone`).toBeLessThanOrEqual(0);
      const said = await phone.page.evaluate(() => document.documentElement.lang);
      // A page of the box itself is in both languages.
      if (screen.name !== 'problem') expect(said).toBe(lang === 'en' ? 'en-NG' : 'pcm');
      await darken(phone);
      expect.soft(await judged(phone, 'color-contrast'), `${screen.name} by night`).toEqual([]);
      await phone.page.emulateMedia({ colorScheme: 'light' });
      if (lang !== 'en') return;
      // No text is cut off in a language that is two fifths longer.
      await stretch(phone.page);
      expect.soft(await clipped(phone.page), screen.name).toEqual([]);
      expect.soft(await wider(phone), `${screen.name}, longer, is wider than the phone`).toBeLessThanOrEqual(0);
    });
  });
}

test('axe sees what is wrong, by night too', async ({ browser }) => {
  const phone = await Phone.open(browser, world.box, SMALL);
  await phone.page.goto('/');
  await expect(phone.page.locator('form')).toBeVisible();
  await phone.page.evaluate(() => {
    const style = document.createElement('p');
    style.textContent = 'a word that nobody can read by night';
    style.style.color = '#1d1b17';
    document.querySelector('main')?.append(style);
  });
  expect(await judged(phone)).toEqual([]);
  await darken(phone);
  expect(await judged(phone, 'color-contrast')).toHaveLength(1);
  await phone.close();
});

test('everything on every screen is reached by the keyboard, seen, and left again', async ({ browser }) => {
  await each(browser, {}, async (phone, screen) => {
    const { page } = phone;
    const within = (await page.locator('dialog[open]').count()) > 0 ? 'dialog[open]' : 'body';
    const wanted = await page.evaluate(within => {
      const parts = 'a[href], button:not(:disabled), input:not(:disabled), select, textarea, summary, [tabindex="0"]';
      const all = [...(document.querySelector(within)?.querySelectorAll<HTMLElement>(parts) ?? [])];
      const shown = all.filter(one => one.checkVisibility({ visibilityProperty: true }) && one.getClientRects().length > 0);
      for (const [index, one] of shown.entries()) one.dataset.stop = String(index);
      return shown.length;
    }, within);
    const reached = new Set<string>();
    for (let tabs = 0; tabs < wanted * 2 + 6 && reached.size < wanted; tabs += 1) {
      await page.keyboard.press('Tab');
      const stop = await page.evaluate(() => {
        const now = document.activeElement as HTMLElement | null;
        if (!now?.dataset.stop) return null;
        const style = getComputedStyle(now);
        const ring = style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2;
        const box = now.getBoundingClientRect();
        const at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
        const seen = !!at && (now.contains(at) || at.contains(now) || !!now.parentElement?.contains(at));
        return { id: now.dataset.stop, ring, seen, html: now.outerHTML.slice(0, 90) };
      });
      if (!stop) continue;
      reached.add(stop.id);
      expect.soft(stop.ring, `${screen.name}: no ring around ${stop.html}`).toBe(true);
      expect.soft(stop.seen, `${screen.name}: hidden while focused: ${stop.html}`).toBe(true);
    }
    expect.soft(reached.size, `${screen.name}: parts that Tab reaches`).toBe(wanted);
  });
});

test('a match that does not exist is said to be gone', async ({ browser }) => {
  const phone = await Phone.open(browser, world.box);
  await phone.has(world.chidi);
  await phone.page.goto('/play/g/none');
  await expect(phone.page.getByRole('heading', { name: 'This game is not yours, or it is no longer here.' })).toBeVisible();
  await phone.close();
});

test('a first visit costs at most 60 KB and 8 requests', async ({ browser }) => {
  const phone = await Phone.open(browser, world.box);
  let [bytes, requests] = [0, 0];
  phone.page.on('requestfinished', async request => {
    requests += 1;
    const sizes = await request.sizes();
    bytes += sizes.responseBodySize + sizes.responseHeadersSize;
  });
  await phone.page.goto('/', { waitUntil: 'networkidle' });
  await expect(phone.page.locator('form')).toBeVisible();
  await expect.poll(() => requests).toBeGreaterThanOrEqual(3);
  expect(requests).toBeLessThanOrEqual(8);
  expect(bytes).toBeGreaterThan(10 * 1024);
  expect(bytes).toBeLessThanOrEqual(60 * 1024);
  console.log(`a first visit: ${bytes} bytes in ${requests} requests`);
  await phone.close();
});

test('a card is played from the keyboard alone', async ({ browser }) => {
  const phones = [await Phone.open(browser, world.box), await Phone.open(browser, world.box)] as const;
  await phones[0].has(world.chidi);
  await phones[1].has(world.tunde);
  for (const phone of phones) {
    await phone.page.goto(`/play/g/${world.game}`);
    await expect(phone.page.locator('.hand-card').first()).toBeVisible();
  }
  const mover = (await phones[0].acts()) ? phones[0] : phones[1];
  const before = await mover.page.locator('.hand-card').count();
  await mover.page.keyboard.press('m');
  await expect(mover.page.locator('.hand-card')).toHaveCount(before + 1);
  const other = mover === phones[0] ? phones[1] : phones[0];
  await expect(other.page.locator('.pill.act')).toBeVisible();
  const held = await other.page.locator('.hand-card').count();
  const target = other.page.locator('.hand-card.can, .market').last();
  await target.focus();
  await other.page.keyboard.press('Enter');
  await other.page.keyboard.press('Tab');
  const shape = other.page.locator('.shape-choice').first();
  // Whot asks for a shape, as soon as the dialog is there.
  await expect(async () => {
    if (await shape.isVisible()) await shape.press('Enter');
    expect(await other.page.locator('.hand-card').count()).not.toBe(held);
  }).toPass();
  for (const phone of phones) await phone.close();
});
