//! A whole match between two phones by every way to the box: a name on plain HTTP, which browsers hold for insecure, and
//! HTTPS with the box's own certificate. (By its address it is played in `play.spec.ts`.) On HTTPS the app can be installed.

import { type Browser, chromium, expect, test } from '@playwright/test';
import { Box } from './box';
import { Phone, playRound } from './phone';

/** Bytes of the frames that a phone sends and gets. */
async function frames(phone: Phone): Promise<{ bytes: number }> {
  const count = { bytes: 0 };
  const wire = await phone.context.newCDPSession(phone.page);
  await wire.send('Network.enable');
  const add = (event: { response: { payloadData: string } }) => {
    count.bytes += Buffer.byteLength(event.response.payloadData);
  };
  wire.on('Network.webSocketFrameSent', add);
  wire.on('Network.webSocketFrameReceived', add);
  return count;
}

/** Two people meet in the lobby, play a match to its end, and check its deal. */
async function wholeMatch(browser: Browser, box: Box, base: string): Promise<Phone> {
  const owner = await box.distributor('mama-put', 'Mama Put');
  const people = [await box.customer('ngozi', owner), await box.customer('tunde', owner)] as const;
  const [ngozi, tunde] = [await Phone.open(browser, box, { base }), await Phone.open(browser, box, { base })];
  await ngozi.signIn(people[0]);
  await tunde.signIn(people[1]);
  await ngozi.page.getByLabel('Name of the player').fill('tunde');
  await ngozi.page.getByLabel('Rules').first().selectOption('quick');
  await ngozi.page.getByRole('button', { name: 'Challenge', exact: true }).click();
  await tunde.page.getByRole('button', { name: 'Accept' }).click();
  for (const phone of [ngozi, tunde]) await expect(phone.page.locator('.hand-card')).toHaveCount(4);
  // The frames from here on are those of moves.
  const wire = await frames(ngozi);
  await ngozi.page.reload();
  await expect(ngozi.page.locator('.hand-card').first()).toBeVisible();
  wire.bytes = 0;
  const moves = await playRound([ngozi, tunde]);
  expect(moves).toBeGreaterThan(2);
  console.log(`${base}: ${moves} moves, ${Math.round(wire.bytes / moves)} bytes a move to and from one phone`);
  expect(wire.bytes / moves).toBeLessThanOrEqual(1024);
  for (const phone of [ngozi, tunde]) await expect(phone.page.locator('.outcome')).toBeVisible();
  await tunde.page.getByRole('button', { name: 'Verify this deal' }).click();
  await expect(tunde.page.getByText('The deal was fair. Round 1')).toBeVisible();
  await tunde.close();
  return ngozi;
}

test('a whole match by a name on plain HTTP, with nothing that wants a secure page', async ({ browser }) => {
  const box = await Box.start();
  const phone = await wholeMatch(browser, box, `http://whot.local:${box.port}`);
  expect(await phone.page.evaluate(() => [isSecureContext, 'serviceWorker' in navigator])).toEqual([false, false]);
  await phone.close();
  await box.end();
});

test('a whole match on HTTPS with the own certificate of the box', async ({ browser }) => {
  const box = await Box.start({ tls: true });
  const phone = await wholeMatch(browser, box, box.url);
  expect(await phone.page.evaluate(() => isSecureContext && location.protocol)).toBe('https:');
  await phone.close();
  await box.end();
});

test('on HTTPS the app can be installed, and says in its own words that the box is away', async () => {
  const box = await Box.start({ tls: true });
  // A browser that trusts the box, as a phone does whose owner has installed its certificate.
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    timeout: 60_000,
    args: ['--no-sandbox', '--disable-gpu', '--ignore-certificate-errors'],
  });
  const context = await browser.newContext({ baseURL: box.url });
  const page = await context.newPage();
  await page.goto('/');
  await expect(page.locator('form')).toBeVisible();

  // Given an app that the browser finds nothing to say against.
  const wire = await context.newCDPSession(page);
  const { installabilityErrors } = await wire.send('Page.getInstallabilityErrors');
  expect(installabilityErrors.filter(one => one.errorId !== 'in-incognito')).toEqual([]);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));

  // When the box is away, then the app's own page says so, and leads back when the box is there again.
  await box.kill();
  await page.goto('/play');
  await expect(page.getByRole('heading', { name: 'The box cannot be reached' })).toBeVisible();
  await expect(page.locator('[lang=pcm]').first()).toContainText('We no see the box');
  await box.start();
  await page.getByRole('link', { name: 'Try again' }).click();
  await expect(page.locator('form')).toBeVisible();
  await browser.close();
  await box.end();
});
