//! What a screen says before the box has answered, and where it answers badly: in words, with a way to ask again; and
//! what a button says while it works and when it could not.

import { expect, type Route, test } from '@playwright/test';
import { Phone } from './phone';
import { SCREENS, type Who, World } from './world';

let world: World;

test.beforeAll(async () => {
  world = await World.make();
});

test.afterAll(() => world.box.end());

/** Screens that need no answer, or get it by a socket. */
const ELSEWHERE = new Set(['table', 'result', 'help', 'nowhere', 'wrong-desk', 'staff-gate', 'staff-retention']);
/** Screens that ask the box for something before they can show anything. */
const ASKING = SCREENS.filter(
  one => ['player', 'admin', 'owner', 'moderator'].includes(one.who) && !one.open && !ELSEWHERE.has(one.name),
);

const REFUSED = {
  status: 500,
  contentType: 'application/problem+json',
  json: { type: '/problems/internal', title: 'Internal error', status: 500, code: 'internal', request_id: 'r-1' },
};

test('every screen that asks says that it waits, what went wrong, and asks again', async ({ browser }) => {
  test.setTimeout(300_000);
  let who: Who = 'nobody';
  let phone: Phone | null = null;
  for (const screen of ASKING) {
    if (!phone || who !== screen.who) {
      await phone?.close();
      phone = await Phone.open(browser, world.box);
      who = screen.who;
      const person = world.person(who);
      if (person) await phone.has(person);
    }
    const { page } = phone;

    // Given a box that has not answered yet.
    let fail = (_: boolean) => {};
    const verdict = new Promise<boolean>(done => {
      fail = done;
    });
    const answer = async (route: Route) => {
      if (route.request().method() !== 'GET') return route.fallback();
      await ((await verdict) ? route.fulfill(REFUSED) : route.fallback());
    };
    await page.goto('about:blank');
    await page.route('**/api/v1/**', answer);
    await page.goto(screen.path(world));
    await expect.soft(page.getByText('Loading', { exact: false }).first(), `${screen.name} waits`).toBeVisible();

    // When it answers badly, that is said, and asking again when it is well brings the screen.
    fail(true);
    const again = page.getByRole('button', { name: 'Try again' }).first();
    await expect.soft(page.getByRole('alert').first(), `${screen.name} says what went wrong`).toBeVisible();
    await expect.soft(again, `${screen.name} can ask again`).toBeVisible();
    await page.unroute('**/api/v1/**', answer);
    await expect(async () => {
      if (await again.isVisible()) await again.click({ timeout: 1000 });
      await expect(again).toHaveCount(0, { timeout: 1000 });
    }, screen.name).toPass();
    await expect.soft(page.locator(screen.ready).first(), `${screen.name} comes`).toBeVisible();
  }
  await phone?.close();
});

interface Deed {
  screen: string;
  fill?: [string, string];
  button: string;
  done: string;
}

/** One button of each desk, and what is there once it has done its work. */
const DEEDS: Deed[] = [
  { screen: 'staff-retention', button: '.button.main', done: '.notice.good' },
  { screen: 'owner-invites', button: 'form .button.main', done: '.paper img' },
  { screen: 'staff-gate', fill: ['form input', 'LG-2291: a threat'], button: 'form .button.main', done: '.transcript li' },
];

test('a button says that it works, that it could not, and works when it is pressed again', async ({ browser }) => {
  for (const deed of DEEDS) {
    const screen = SCREENS.find(one => one.name === deed.screen);
    const person = screen && world.person(screen.who);
    if (!screen || !person) throw new Error(`no screen ${deed.screen}`);
    const phone = await Phone.open(browser, world.box);
    await phone.has(person);
    await phone.show(screen, world);
    const { page } = phone;
    if (deed.fill) await page.locator(deed.fill[0]).first().fill(deed.fill[1]);

    // Given a box that takes its time.
    let refuse = () => {};
    const late = new Promise<void>(done => {
      refuse = done;
    });
    const answer = async (route: Route) => {
      await late;
      await route.fulfill(REFUSED);
    };
    const deeds = /\/api\/v1\/(admin\/archive-expiry|invites|admin\/moderation\/conversations\/.*reason=)/;
    await page.route(deeds, answer);
    const button = page.locator(deed.button).first();

    // When it is pressed, it is busy and cannot be pressed again.
    await button.click();
    await expect.soft(page.locator('button[aria-busy=true]:disabled'), `${screen.name} is busy`).toHaveCount(1);

    // When that fails, it is said and the button can be pressed again.
    refuse();
    await expect.soft(page.getByRole('alert').first(), `${screen.name} says so`).toBeVisible();
    await page.unroute(deeds, answer);
    await expect(button).toBeEnabled();
    await button.click();
    await expect.soft(page.locator(deed.done).first(), `${screen.name} is done`).toBeVisible();
    await phone.close();
  }
});
