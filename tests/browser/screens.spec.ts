//! Every screen in both languages and themes: nothing for axe to say, nothing wider than a small phone, nothing from
//! elsewhere; and what a first visit costs.

import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { Box, type Person } from './box';
import { type Lang, Phone, type Theme } from './phone';

test.describe.configure({ mode: 'serial' });

let box: Box;
let owner: Person;
let chidi: Person;
let tunde: Person;
let game: string;
let talk: string;
let code: string;

test.beforeAll(async () => {
  box = await Box.start();
  owner = await box.distributor('mama-put', 'Mama Put');
  chidi = await box.customer('chidi', owner);
  tunde = await box.customer('tunde', owner);
  await box.customer('ngozi', owner);
  const invite = async (from: Person, to: string) =>
    (await box.call<{ id: string }>('POST', '/api/v1/games/invites', { recipient_username: to }, from.token)).id;
  const id = await invite(tunde, 'chidi');
  const accepted = await box.call<{ game_id: string }>('POST', `/api/v1/games/invites/${id}/accept`, {}, chidi.token);
  game = accepted.game_id;
  await invite(owner, 'chidi');
  await invite(chidi, 'ngozi');
  const started = await box.call<{ id: string }>(
    'POST',
    '/api/v1/conversations',
    { participant_id: owner.id },
    chidi.token,
  );
  talk = started.id;
  const said: [Person, string][] = [
    [owner, 'Good afternoon, stock don land'],
    [chidi, 'I dey come now'],
    [chidi, 'Keep two packs for me abeg'],
  ];
  for (const [who, body] of said) {
    await box.call('POST', `/api/v1/conversations/${talk}/messages`, { body }, who.token);
  }
  code = (await box.invite(owner)).token;
});

test.afterAll(() => box.end());

interface Screen {
  name: string;
  path: () => string;
  signed: boolean;
  ready: string;
  open?: (phone: Phone) => Promise<void>;
}

const SCREENS: Screen[] = [
  { name: 'sign-in', path: () => '/', signed: false, ready: 'form' },
  { name: 'join', path: () => `/#join=${code}`, signed: false, ready: '.notice.good' },
  { name: 'lobby', path: () => '/play', signed: true, ready: '.rows .row' },
  { name: 'table', path: () => `/play/g/${game}`, signed: true, ready: '.hand-card' },
  {
    name: 'more',
    path: () => `/play/g/${game}`,
    signed: true,
    ready: '.hand-card',
    open: async phone => {
      await phone.page.locator('.actions > .button').last().click();
      await phone.page.locator('dialog .button').nth(1).click();
      await expect(phone.page.locator('dialog .prose')).toBeVisible();
    },
  },
  { name: 'chats', path: () => '/chat', signed: true, ready: '.rows .row' },
  { name: 'chat', path: () => `/chat/${talk}`, signed: true, ready: '.bubble.mine' },
  { name: 'me', path: () => '/me', signed: true, ready: '.rows .row' },
  { name: 'help', path: () => '/help', signed: true, ready: '.specials' },
  { name: 'nowhere', path: () => '/play/g/none', signed: true, ready: 'h1' },
];

const LOOKS: [Lang, Theme][] = [
  ['en', 'light'],
  ['en', 'dark'],
  ['pcm', 'light'],
  ['pcm', 'dark'],
];

for (const [lang, theme] of LOOKS) {
  test(`every screen can be read by everybody: ${lang}, ${theme}`, async ({ browser }) => {
    const phone = await Phone.open(browser, box, { lang, theme, width: 320, height: 568 });
    let signed = false;
    for (const screen of SCREENS) {
      if (screen.signed && !signed) {
        await phone.page.evaluate(() => sessionStorage.clear());
        await phone.signIn(chidi);
        signed = true;
      }
      await phone.page.goto('about:blank');
      await phone.page.goto(screen.path());
      await expect(phone.page.locator(screen.ready).first()).toBeVisible();
      await screen.open?.(phone);
      // What moves in is read when it has arrived.
      await phone.settled();
      const { violations } = await new AxeBuilder({ page: phone.page }).analyze();
      const told = violations.flatMap(one =>
        one.nodes.map(node => `${one.id}: ${node.html.slice(0, 120)} ${node.any[0]?.message ?? ''}`),
      );
      expect(told, screen.name).toEqual([]);
      const wider = await phone.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wider, `${screen.name} is wider than the phone`).toBeLessThanOrEqual(0);
      expect(await phone.page.evaluate(() => document.documentElement.lang)).toBe(lang === 'en' ? 'en-NG' : 'pcm');
    }
    await phone.close();
  });
}

test('a first visit costs at most 60 KB and 8 requests', async ({ browser }) => {
  const phone = await Phone.open(browser, box);
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
  await phone.close();
});

test('a card is played from the keyboard alone', async ({ browser }) => {
  const phones = [await Phone.open(browser, box), await Phone.open(browser, box)] as const;
  await phones[0].signIn(chidi);
  await phones[1].signIn(tunde);
  for (const phone of phones) {
    await phone.page.goto(`/play/g/${game}`);
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
  if (await shape.isVisible()) await shape.press('Enter');
  await expect(other.page.locator('.hand-card')).not.toHaveCount(held);
  for (const phone of phones) await phone.close();
});

test('the app works by a name on plain HTTP, which browsers hold for insecure', async ({ browser }) => {
  const phone = await Phone.open(browser, box, { base: `http://whot.local:${box.port}` });
  await phone.signIn(chidi);
  expect(await phone.page.evaluate(() => isSecureContext)).toBe(false);
  await phone.page.goto(`/play/g/${game}`);
  await expect(phone.page.locator('.hand-card').first()).toBeVisible();
  await expect(phone.page.locator('.bar-warn')).toBeHidden();
  await phone.close();
});
