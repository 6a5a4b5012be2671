//! Two phones and a box: joining, a whole match, a killed box, a rematch.

import { type Browser, expect, test } from '@playwright/test';
import { Box, type Person } from './box';
import { Phone, playRound } from './phone';

test.describe.configure({ mode: 'serial' });

let box: Box;
let owner: Person;

test.beforeAll(async () => {
  box = await Box.start();
  owner = await box.distributor('mama-put', 'Mama Put');
});

test.afterAll(() => box.end());

test('an invite leads to the table, and a whole match is played', async ({ browser }) => {
  // Given a phone that scanned the code of an invite, and the owner's own.
  const chidi = await Phone.open(browser, box);
  const { url } = await box.invite(owner);
  await chidi.page.goto(url);
  await expect(chidi.page.getByText('Mama Put invites you')).toBeVisible();
  expect(chidi.page.url()).not.toContain('join=');
  await chidi.page.getByLabel('Your name').fill('chidi');
  await chidi.page.getByLabel('Password', { exact: true }).fill('seven of stars');
  await chidi.page.getByRole('button', { name: 'Start playing' }).click();
  await expect(chidi.page.getByRole('heading', { name: 'Hi chidi' })).toBeVisible();
  const mama = await Phone.open(browser, box, { lang: 'pcm', theme: 'dark' });
  await mama.signIn(owner);

  // When one challenges the other, who accepts.
  await chidi.page.getByLabel('Name of the player').fill('mama-put');
  await chidi.page.getByLabel('Rules').first().selectOption('quick');
  await chidi.page.getByRole('button', { name: 'Challenge', exact: true }).click();
  await mama.page.getByRole('button', { name: 'I gree' }).click();
  await expect(mama.page.locator('.hand-card')).toHaveCount(4);
  await expect(chidi.page.locator('.hand-card')).toHaveCount(4);

  // Then the match is played to its end, counted alike on both, and its deal is proven.
  const moves = await playRound([chidi, mama]);
  expect(moves).toBeGreaterThan(2);
  for (const phone of [chidi, mama]) await expect(phone.page.locator('.outcome')).toBeVisible();
  await chidi.page.getByRole('button', { name: 'Verify this deal' }).click();
  await expect(chidi.page.getByText('The deal was fair. Round 1')).toBeVisible();
  await mama.page.getByRole('button', { name: 'Check this deal' }).click();
  await expect(mama.page.getByText('The deal clean. Round 1')).toBeVisible();

  // And one tap on each side starts another.
  await chidi.page.getByRole('button', { name: 'Play again' }).click();
  await expect(mama.page.getByText('chidi wan play again')).toBeVisible();
  await mama.page.getByRole('button', { name: 'Play again' }).click();
  for (const phone of [chidi, mama]) await expect(phone.page.locator('.hand-card')).toHaveCount(4);
  await chidi.close();
  await mama.close();
});

test('a killed box is told of within 2 s, and play goes on with the same hands', async ({ browser }) => {
  // Given two players in the middle of a match.
  const [ngozi, tunde] = [await box.customer('ngozi', owner), await box.customer('tunde', owner)];
  const { id } = await box.call<{ id: string }>(
    'POST',
    '/api/v1/games/invites',
    { recipient_username: 'tunde' },
    ngozi.token,
  );
  const { game_id } = await box.call<{ game_id: string }>(
    'POST',
    `/api/v1/games/invites/${id}/accept`,
    {},
    tunde.token,
  );
  const phones: [Phone, Phone] = [await Phone.open(browser, box), await Phone.open(browser, box)];
  for (const [index, person] of [ngozi, tunde].entries()) {
    const phone = phones[index] as Phone;
    await phone.signIn(person);
    await phone.page.goto(`/play/g/${game_id}`);
    await expect(phone.page.locator('.hand-card')).toHaveCount(6);
  }
  const mover = (await phones[0].acts()) ? phones[0] : phones[1];
  const hands = await Promise.all(phones.map(phone => phone.hand()));

  // When the box is killed while one of them thinks.
  await box.kill();
  const gone = Date.now();
  for (const phone of phones) await expect(phone.page.locator('.bar-warn')).toBeVisible({ timeout: 2000 });
  expect(Date.now() - gone).toBeLessThan(2000);
  await mover.page.locator('.market').click({ force: true });
  expect(await mover.hand(), 'nothing moves while the box is away').toEqual(hands[phones.indexOf(mover)]);

  // Then both are back soon after it is, with the same hands, and a move counts once.
  await box.start();
  const back = Date.now();
  for (const phone of phones) await expect(phone.page.locator('.bar-warn')).toBeHidden({ timeout: 3000 });
  expect(Date.now() - back).toBeLessThan(3000);
  expect(await Promise.all(phones.map(phone => phone.hand()))).toEqual(hands);
  await mover.page.locator('.market').click();
  await expect(mover.page.locator('.hand-card')).toHaveCount(7);
  for (const phone of phones) await phone.close();
});

/** A match of two new customers, open on a phone each. */
async function opened(browser: Browser, names: [string, string], setup?: (phone: Phone) => Promise<void>) {
  const people = [await box.customer(names[0], owner), await box.customer(names[1], owner)] as const;
  const body = { recipient_username: names[1] };
  const { id } = await box.call<{ id: string }>('POST', '/api/v1/games/invites', body, people[0].token);
  const path = `/api/v1/games/invites/${id}/accept`;
  const { game_id: game } = await box.call<{ game_id: string }>('POST', path, {}, people[1].token);
  const phones: [Phone, Phone] = [await Phone.open(browser, box), await Phone.open(browser, box)];
  for (const [index, phone] of phones.entries()) {
    await setup?.(phone);
    await phone.has(people[index] as Person);
    await phone.page.goto(`/play/g/${game}`);
    await expect(phone.page.locator('.hand-card')).toHaveCount(6);
  }
  const first = (await phones[0].acts()) ? 0 : 1;
  return { people, phones, game, mover: phones[first] as Phone, other: phones[1 - first] as Phone };
}

/** What happened in a match, as the box tells it: the types of the events of each action. */
async function told(person: Person, game: string): Promise<{ seq: number; types: string[] }[]> {
  type Items = { items: { seq: number; events: { type: string }[] }[] };
  const { items } = await box.call<Items>('GET', `/api/v1/games/${game}/events?after=0`, undefined, person.token);
  return items.map(({ seq, events }) => ({ seq, types: events.map(event => event.type) }));
}

test('a move that the box was killed over counts once, though the phone sends it again', async ({ browser }) => {
  const { people, phones, game, mover } = await opened(browser, ['bola', 'dayo']);
  // When the box is gone before the phone hears of its move.
  await mover.page.locator('.market').click();
  await box.kill();
  for (const phone of phones) await expect(phone.page.locator('.bar-warn')).toBeVisible({ timeout: 2000 });
  await box.start();
  for (const phone of phones) await expect(phone.page.locator('.bar-warn')).toBeHidden({ timeout: 3000 });

  // Then it was one draw, and the phone shows it.
  await expect(mover.page.locator('.hand-card')).toHaveCount(7);
  expect(await told(people[0], game)).toEqual([{ seq: 1, types: ['drew', 'turn'] }]);
  for (const phone of phones) await phone.close();
});

test('a phone that was off the network for 20 s goes on where the match is, and nothing is doubled', async ({
  browser,
}) => {
  // Given a phone whose clock the test moves.
  const { people, phones, game, mover, other } = await opened(browser, ['efe', 'femi'], phone =>
    phone.page.clock.install(),
  );
  const away = other;
  await away.context.setOffline(true);
  await expect(away.page.locator('.bar-warn')).toBeVisible({ timeout: 2000 });

  // When the other goes to market in the meantime, and 20 s have passed for the phone.
  await mover.page.locator('.market').click();
  await expect(mover.page.locator('.hand-card')).toHaveCount(7);
  await away.page.clock.runFor(20_000);
  await expect(away.page.locator('.bar-warn')).toBeVisible();
  expect(await away.acts(), 'it knows nothing of the move yet').toBe(false);
  await away.page.locator('.market').click({ force: true });
  await away.context.setOffline(false);

  // Then it is at the table again, on turn, and its tap from when it was away has done nothing.
  await expect(away.page.locator('.bar-warn')).toBeHidden({ timeout: 3000 });
  await expect(away.page.locator('.pill.act')).toBeVisible();
  await expect(away.page.locator('.hand-card')).toHaveCount(6);
  await away.page.locator('.market').click();
  await expect(away.page.locator('.hand-card')).toHaveCount(7);
  expect((await told(people[0], game)).map(one => one.seq)).toEqual([1, 2]);
  for (const phone of phones) await phone.close();
});

test('a practice match is on the table in two taps, and the box plays along', async ({ browser }) => {
  const sade = await box.customer('sade', owner);
  const phone = await Phone.open(browser, box);
  await phone.signIn(sade);
  await phone.page.getByLabel('Rules').last().selectOption('quick');
  await phone.page.getByRole('button', { name: 'Practise', exact: true }).click();
  // The box may lead, and its first card may send this player to market: the hand has four cards or more.
  await expect(phone.page.locator('.hand-card').nth(3)).toBeVisible();
  await expect(phone.page.locator('.rail .name')).toContainText('The box');

  // Moves are made until the box has answered some of them, or the match is over.
  for (let moves = 0; moves < 60 && !(await phone.over()); moves += 1) {
    await expect(phone.page.locator('.pill.act, .result').first()).toBeVisible();
    if (await phone.over()) break;
    const before = await phone.seq();
    await phone.move();
    await expect.poll(() => phone.seq()).toBeGreaterThan(before);
  }
  await expect(phone.page.locator('.outcome')).toBeVisible();
  await phone.page.getByRole('button', { name: 'Verify this deal' }).click();
  await expect(phone.page.getByText('The deal was fair. Round 1')).toBeVisible();
  const first = phone.page.url();
  await phone.page.getByRole('button', { name: 'Play again' }).click();
  await expect(phone.page).not.toHaveURL(first);
  await expect(phone.page.locator('.hand-card').nth(3)).toBeVisible();
  await expect(phone.page.locator('.outcome')).toBeHidden();
  await phone.close();
});
