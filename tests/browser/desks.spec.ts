//! The desks of owner and staff: an account, an invite that is scanned, a review with its reason, a hold and its release.

import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, type Page, test } from '@playwright/test';
import { Box, type Person } from './box';
import { Phone } from './phone';

test.describe.configure({ mode: 'serial' });

let box: Box;
let admin: Person;
/** What the owner keeps away from the box: the sheet and a backup. */
const kept = { key: '', signature: '', file: '' };

test.beforeAll(async () => {
  box = await Box.start();
  admin = await box.admin();
});

test.afterAll(() => box.end());

async function enter(page: Page, path: string, name: string, password: string): Promise<void> {
  await page.goto(path);
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Changes a password that somebody else gave, as the screen asks. */
async function choose(page: Page, given: string, own: string): Promise<void> {
  await page.getByLabel('Present password').fill(given);
  await page.getByLabel('New password').fill(own);
  await page.getByRole('button', { name: 'Save' }).click();
}

test('from an empty box to a customer at the table', async ({ browser }) => {
  // Given the admin, whom the box tells what is missing.
  const desk = await Phone.open(browser, box, { width: 1366, height: 768 });
  const { page } = desk;
  await enter(page, '/box', 'admin', admin.password);
  await expect(page.getByText('Needs attention')).toBeVisible();
  await page.getByRole('button', { name: 'Go on setting up' }).click();
  await page.getByRole('button', { name: 'A phone can open it' }).click();

  // When the power goes in the middle, it goes on at the step where it was, also on another phone.
  await box.kill();
  await box.start();
  await page.reload();
  await expect(page.locator('[aria-current=step]')).toContainText('The clock is right');
  await page.getByRole('button', { name: 'Yes, the time is right' }).click();
  await page.getByRole('button', { name: 'Make the recovery sheet' }).click();
  await expect(page.locator('.paper .secret')).toContainText('AGE-S ECRET');
  kept.key = (await page.locator('.paper .secret').textContent()) ?? '';
  kept.signature = (await page.locator('.paper strong').textContent()) ?? '';
  await page.getByRole('button', { name: 'I have it on paper' }).click();
  await page.getByRole('button', { name: 'Yes, it is on paper' }).click();
  await page.getByRole('button', { name: 'No head office for now' }).click();

  // And an account for the distributor is made, whose one-time password is shown once.
  await page.getByLabel('User name').fill('mama-put');
  await page.getByLabel('Name that customers see').fill('Mama Put');
  await page.getByRole('button', { name: 'Make account' }).click();
  const given = (await page.locator('dialog .secret').textContent()) ?? '';
  expect(given.length).toBeGreaterThan(7);
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
  await expect(page.getByText('The box is ready')).toBeVisible();
  await page.getByRole('link', { name: 'People' }).click();
  await expect(page.locator('.row').filter({ hasText: 'mama-put' })).toBeVisible();
  await desk.close();

  // And the distributor signs in on a phone, chooses a password and makes an invite.
  const owner = await Phone.open(browser, box);
  await enter(owner.page, '/box', 'mama-put', given);
  await choose(owner.page, given, 'mama-put-Sun7flower');
  await owner.page.getByRole('button', { name: 'Invite someone' }).click();
  await owner.page.getByRole('button', { name: 'Create invite' }).click();
  const picture = owner.page.getByRole('img', { name: 'QR code of the invite' });
  await expect(picture).toBeVisible();
  await expect.poll(() => picture.evaluate(image => (image as HTMLImageElement).naturalWidth)).toBeGreaterThan(0);
  const code = (await owner.page.locator('.paper .secret').textContent()) ?? '';
  expect(code).toMatch(/^\w{4}-\w{4}$/);

  // Then a guest types the code and is in the lobby.
  const guest = await Phone.open(browser, box);
  await guest.page.goto('/join');
  await guest.page.getByLabel('Invite code').fill(code.toLowerCase());
  await guest.page.getByLabel('Your name').fill('chidi');
  await guest.page.getByLabel('Password', { exact: true }).fill('seven of stars');
  await guest.page.getByRole('button', { name: 'Start playing' }).click();
  await expect(guest.page.getByRole('heading', { name: 'Hi chidi' })).toBeVisible();
  await owner.page.getByRole('button', { name: 'Done' }).click();
  await owner.page.getByRole('link', { name: 'Customers' }).click();
  await expect(owner.page.locator('.row').filter({ hasText: 'chidi' })).toBeVisible();
  await owner.close();
  await guest.close();
});

test('a backup is made, checked and taken away', async ({ browser }) => {
  // Given the admin of a box whose recovery key is on paper.
  const desk = await Phone.open(browser, box, { width: 1366, height: 768 });
  const { page } = desk;
  await desk.has(admin);
  await page.goto('/box/backups');
  await expect(page.getByText('There is no backup yet.')).toBeVisible();

  // When a backup is made, it is listed as checked, and can be checked again.
  await page.getByRole('button', { name: 'Back up now' }).click();
  await expect(page.getByText('The last good backup is of')).toBeVisible();
  await page.getByRole('button', { name: /^Check: / }).click();
  await expect(page.getByText(/\d+ rows and \d+ running matches are whole/)).toBeVisible();
  const saving = page.waitForEvent('download');
  await page.getByRole('button', { name: /^Download: / }).click();
  kept.file = test.info().outputPath('taken.age');
  await (await saving).saveAs(kept.file);
  const bytes = readFileSync(kept.file);

  // Then what was taken away is sealed, and the box finds nothing wrong with its backups.
  expect(bytes.subarray(0, 21).toString()).toBe('age-encryption.org/v1');
  await page.getByRole('link', { name: 'Health' }).click();
  await expect(page.getByText(/things were looked at/)).toBeVisible();

  // And for somebody who helps from afar there is a file, shown before it is saved, that names nobody.
  await page.getByRole('button', { name: 'Show what is in it' }).click();
  const versions = page.getByText('Versions of the program, its tables and the system');
  await versions.click();
  await expect(page.getByLabel('versions')).toContainText('"store_last_opened_by"');
  const support = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save the file' }).click();
  expect((await support).suggestedFilename()).toBe('whotbox-support.json');
  const given = readFileSync(await (await support).path(), 'utf8');
  const parts = JSON.parse(given).map((part: { name: string }) => part.name);
  expect(parts).toEqual(['versions', 'state', 'findings', 'settings', 'replication', 'files', 'metrics']);
  for (const hidden of ['127.0.0.1', tmpdir()]) expect(given).not.toContain(hidden);
  await desk.close();
});

test('a fresh box becomes the one of the backup, and everything is there', async ({ browser }) => {
  // Given the backup that was taken away, its sheet, and a fresh box whose admin has chosen a password.
  const fresh = await Box.start({ again: true });
  const newcomer = await fresh.admin();
  const desk = await Phone.open(browser, fresh, { width: 1366, height: 768 });
  const { page } = desk;
  await enter(page, '/box', 'admin', newcomer.password);

  // When its owner restores it on the first page of the setup.
  await page.getByRole('button', { name: 'Go on setting up' }).click();
  await page.getByRole('link', { name: 'Or: restore from a backup' }).click();
  await page.getByLabel('File of the backup').setInputFiles(kept.file);
  await page.getByLabel('Key of the recovery sheet', { exact: true }).fill('AGE-SECRET-KEY-1WRONG');
  await page.getByRole('button', { name: 'Look at the backup' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await page.getByLabel('Key of the recovery sheet', { exact: true }).fill(kept.key);
  await page.getByRole('button', { name: 'Look at the backup' }).click();
  await expect(page.locator('.facts')).toContainText(kept.signature);
  await page.getByRole('button', { name: 'Restore now' }).click();

  // Then the box comes back as the other one: the old names and passwords open it, and the people are there.
  await expect(page.getByText('The box is back as it was on')).toBeVisible({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Sign in' }).click();
  await enter(page, '/box', 'admin', admin.password);
  await page.getByRole('link', { name: 'People' }).click();
  await expect(page.locator('.row').filter({ hasText: 'mama-put' })).toBeVisible();
  await expect(page.locator('.row').filter({ hasText: 'chidi' })).toBeVisible();

  // And once people are on it, no other backup takes its place.
  await page.goto('/box/restore');
  await expect(page.getByText('This box has people on it already')).toBeVisible();
  await desk.close();
  await fresh.end();
});

test('the box is restarted and shut down from its screen', async ({ browser }) => {
  // Given a box of its own, since it will stay down.
  const own = await Box.start({ again: true });
  const owner = await own.admin();
  const desk = await Phone.open(browser, own, { width: 1366, height: 768 });
  const { page } = desk;
  await enter(page, '/box', 'admin', owner.password);
  await page.getByRole('link', { name: 'Settings, restart and shut-down' }).click();
  await expect(page.getByText('said by --listen where the box is started')).toBeVisible();

  // When it is named, guests see the name; what is chosen waits for a restart.
  await page.getByLabel('Name of this box').fill('Mama Put Junction');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();
  await page.getByLabel('Sealed copies of messages are kept').selectOption('30 days');
  await expect(page.getByText('Until the restart: 90 days')).toBeVisible();

  // When it is restarted, it comes back by itself and its owner is still signed in.
  await page.getByRole('button', { name: 'Restart the box' }).click();
  await page.getByRole('button', { name: 'Yes, restart' }).click();
  await expect(page.getByText('The box is back.')).toBeVisible({ timeout: 60_000 });
  await page.getByRole('link', { name: 'Home' }).click();
  await expect(page.getByText('Needs attention')).toBeVisible();

  // Then, shut down, it says when the plug may be pulled, and stays down.
  await page.goto('/box/settings');
  await expect(page.getByLabel('Sealed copies of messages are kept')).toHaveValue('30');
  await expect(page.getByText('Until the restart:')).toHaveCount(0);
  const guest = await Phone.open(browser, own);
  await guest.page.goto('/join');
  await expect(guest.page.getByText('at Mama Put Junction')).toBeVisible();
  await guest.close();
  await page.getByRole('button', { name: 'Shut down' }).click();
  await page.getByRole('button', { name: 'Yes, shut down' }).click();
  await expect(page.getByText('Now pull the plug.')).toBeVisible({ timeout: 60_000 });
  expect(await own.ended()).toBe(6);
  await desk.close();
  await own.end();
});

test('a conversation is read only with a reason, held, and released', async ({ browser }) => {
  // Given a conversation that has vanished for its participants.
  const owner = await box.signIn('mama-put', 'mama-put-Sun7flower');
  const chidi = await box.signIn('chidi', 'seven of stars');
  const { id } = await box.call<{ id: string }>(
    'POST',
    '/api/v1/conversations',
    { participant_id: owner.id },
    chidi.token,
  );
  const sent = await box.call<{ id: string }>(
    'POST',
    `/api/v1/conversations/${id}/messages`,
    { body: 'stock don land' },
    chidi.token,
  );
  await box.call('POST', `/api/v1/messages/${sent.id}/read`, undefined, owner.token);
  await box.call('POST', `/api/v1/conversations/${id}/messages`, { body: 'keep two packs' }, chidi.token);
  const made = await box.call<{ temporary_password: string }>(
    'POST',
    '/api/v1/admin/moderators',
    { username: 'b.okafor' },
    admin.token,
  );
  const moderator = await box.signIn('b.okafor', made.temporary_password);

  // When a moderator wants to read it, a reason is asked for first.
  const desk = await Phone.open(browser, box, { width: 1366, height: 768 });
  const { page } = desk;
  // One message a page, as if there were thousands.
  await page.route(/moderation\/conversations\/[^/?]+\?/, route => route.continue({ url: `${route.request().url()}&limit=1` }));
  await enter(page, '/staff', 'b.okafor', moderator.password);
  await page.getByRole('link', { name: 'Open: chidi' }).click();
  await expect(page.locator('body')).not.toContainText('stock don land');
  await page.getByLabel('Reason, with the case number').first().fill('too short');
  await page.getByRole('button', { name: 'Record and open' }).click();
  await expect(page.getByText('Write at least 10 characters')).toBeVisible();
  await page.getByLabel('Reason, with the case number').first().fill('LG-2291: a customer reported a threat');
  await page.getByRole('button', { name: 'Record and open' }).click();

  // Then it is open for a while, with the reader's name on it, and can be saved as evidence.
  await expect(page.getByText('stock don land')).toBeVisible();
  await expect(page.locator('body')).not.toContainText('keep two packs');
  await page.getByRole('button', { name: 'Open the next messages' }).click();
  await expect(page.getByText('keep two packs')).toBeVisible();
  await expect(page.locator('.transcript li')).toHaveCount(2);
  await expect(page.getByRole('button', { name: 'Open the next messages' })).toHaveCount(0);
  await expect(page.locator('.counter')).toHaveText(/^(30:00|29:\d\d) left$/);
  await expect(page.locator('.watermark').first()).toContainText('b.okafor');
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export evidence' }).click();
  expect((await download).suggestedFilename()).toContain('.');
  await page.getByRole('button', { name: 'Close' }).click();
  await expect(page.locator('body')).not.toContainText('stock don land');

  // And it can be held and released, which the trail shows with its chain.
  await page.getByLabel('Reason, with the case number').last().fill('Court order 44/26 of Lagos');
  await page.getByRole('button', { name: 'Place legal hold' }).click();
  await expect(page.getByText('LEGAL HOLD since')).toBeVisible();
  await expect(page.getByText('No message expires if you release it now.')).toBeVisible();
  await page.getByLabel('Reason, with the case number').last().fill('The court has closed the case');
  await page.getByRole('button', { name: 'Release legal hold' }).click();
  await expect(page.getByRole('button', { name: 'Place legal hold' })).toBeVisible();
  await page.getByRole('link', { name: 'Audit trail' }).click();
  await expect(page.getByText('The chain is unbroken from entry')).toBeVisible();
  await expect(page.locator('.row').filter({ hasText: 'LG-2291' }).first()).toBeVisible();
  await desk.close();
});
