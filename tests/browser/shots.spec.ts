//! Pictures of the screens for the documents: `SHOTS=1 npm test -- shots`. They are looked at before they are committed.

import { expect, test } from '@playwright/test';
import { Box } from './box';
import { Phone } from './phone';
import { SCREENS, type Who, World } from './world';

/** Takes a picture when nothing moves any more. */
async function picture(phone: Phone, name: string, fullPage = false): Promise<void> {
  await phone.settled();
  await phone.page.screenshot({ path: `${FOLDER}${name}.png`, fullPage });
}

const FOLDER = new URL('../../docs/screens/', import.meta.url).pathname;

test.skip(process.env.SHOTS !== '1', 'pictures are made on demand');

test('the screens', async ({ browser }) => {
  const box = await Box.start();
  const owner = await box.distributor('mama-put', 'Mama Put');
  const [chidi, amaka] = [await box.customer('chidi', owner), await box.customer('amaka', owner)];
  const invited = await box.call<{ id: string }>(
    'POST',
    '/api/v1/games/invites',
    { recipient_username: 'chidi' },
    amaka.token,
  );
  const { game_id } = await box.call<{ game_id: string }>(
    'POST',
    `/api/v1/games/invites/${invited.id}/accept`,
    {},
    chidi.token,
  );
  await box.call('POST', '/api/v1/games/invites', { recipient_username: 'chidi' }, owner.token);
  const talk = await box.call<{ id: string }>(
    'POST',
    '/api/v1/conversations',
    { participant_id: owner.id },
    chidi.token,
  );
  const say = (token: string, body: string) =>
    box.call('POST', `/api/v1/conversations/${talk.id}/messages`, { body }, token);
  await say(owner.token, 'Good afternoon, stock don land');
  await say(chidi.token, 'I dey come now');
  const link = (await box.invite(owner)).url;

  const guest = await Phone.open(browser, box);
  await guest.page.goto(link);
  await expect(guest.page.locator('.notice.good')).toBeVisible();
  await picture(guest, 'join');

  const phone = await Phone.open(browser, box);
  await phone.signIn(chidi);
  await expect(phone.page.locator('.rows .row').nth(1)).toBeVisible();
  await picture(phone, 'lobby');
  const other = await Phone.open(browser, box);
  await other.signIn(amaka);
  await other.page.goto(`/play/g/${game_id}`);
  await phone.page.goto(`/play/g/${game_id}`);
  await expect(phone.page.locator('.hand-card')).toHaveCount(6);
  // A few moves, until this phone may play more than one card.
  for (let moves = 0; moves < 40; moves += 1) {
    const [mine, theirs] = [await phone.acts(), await other.acts()];
    if (mine && moves > 3 && (await phone.page.locator('.hand-card.can').count()) > 1) break;
    if (mine) await phone.move();
    else if (theirs) await other.move();
    await phone.page.waitForTimeout(400);
  }
  await picture(phone, 'table');
  await phone.page.goto(`/chat/${talk.id}`);
  await expect(phone.page.locator('.bubble.mine')).toBeVisible();
  await picture(phone, 'chat');
  await box.call('POST', `/api/v1/games/${game_id}/play`, { type: 'resign' }, amaka.token);
  await phone.page.goto(`/play/g/${game_id}`);
  await expect(phone.page.locator('.outcome')).toBeVisible();
  await picture(phone, 'result', true);
  await phone.page.goto('/help');
  await picture(phone, 'help');

  const night = await Phone.open(browser, box, { lang: 'pcm', theme: 'dark' });
  await night.signIn(owner);
  await expect(night.page.locator('.rows .row').first()).toBeVisible();
  await picture(night, 'lobby-dark-pidgin');
  await night.page.goto(`/chat/${talk.id}`);
  await expect(night.page.locator('.bubble').first()).toBeVisible();
  await picture(night, 'chat-dark-pidgin');
  for (const one of [guest, phone, other, night]) await one.close();
  await box.end();
});

/** These are taken above, where there is more to see on them. */
const TAKEN = new Set(['join', 'lobby', 'table', 'result', 'chat', 'help']);
const DESKS: Who[] = ['admin', 'owner', 'moderator'];

test('every other screen', async ({ browser }) => {
  const world = await World.make();
  for (const screen of SCREENS.filter(one => !TAKEN.has(one.name))) {
    // A desk is used at a desk; its pictures need no more than one point a pixel.
    const size = DESKS.includes(screen.who) ? { width: 1024, height: 720 } : {};
    const phone = await Phone.open(browser, world.box, size);
    const person = world.person(screen.who);
    if (person) await phone.has(person);
    await phone.show(screen, world);
    await phone.page.screenshot({ path: `${FOLDER}${screen.name}.png`, scale: 'css' });
    await phone.close();
  }
  await world.box.end();
});
