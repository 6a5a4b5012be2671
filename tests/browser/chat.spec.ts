//! A conversation on two phones: ticks, vanishing, and a box that is away.

import { expect, test } from '@playwright/test';
import { Box, type Person } from './box';
import { Phone } from './phone';

test.describe.configure({ mode: 'serial' });

let box: Box;
let owner: Person;
let chidi: Person;

test.beforeAll(async () => {
  box = await Box.start();
  owner = await box.distributor('mama-put', 'Mama Put');
  chidi = await box.customer('chidi', owner);
});

test.afterAll(() => box.end());

test('a message is delivered, read, and vanishes from both phones', async ({ browser }) => {
  // Given a customer who opens the chat with the distributor.
  const phone = await Phone.open(browser, box);
  await phone.signIn(chidi);
  await phone.page.getByRole('link', { name: 'Chat', exact: true }).click();
  await phone.page.getByRole('button', { name: 'Write to Mama Put' }).click();
  const write = phone.page.getByLabel('Message', { exact: true });
  await write.fill('Good afternoon, stock don land?');
  await phone.page.getByRole('button', { name: 'Send' }).click();
  const sent = phone.page.locator('.bubble.mine').filter({ hasText: 'stock don land?' });
  await expect(sent.locator('.tick')).toHaveText('sent');

  // When it comes to the distributor's phone.
  const other = await Phone.open(browser, box);
  await other.signIn(owner);
  await other.page.getByRole('link', { name: 'Chat', exact: true }).click();
  await expect(other.page.getByText('1 new')).toBeVisible();
  await other.page.getByRole('link', { name: 'Chat with chidi' }).click();
  const received = other.page.locator('.bubble').filter({ hasText: 'stock don land?' });
  await expect(received).toBeVisible();
  await expect(sent.locator('.tick')).toHaveText('delivered');

  // Then it stays long enough to be read, and is gone from both once it was.
  await expect(received).toBeHidden();
  await expect(sent).toBeHidden();
  for (const page of [phone.page, other.page]) {
    await expect(page.getByText('1 message was read and has vanished')).toBeVisible();
    await expect(page.locator('body')).not.toContainText('stock don land?');
  }
  await phone.page.reload();
  await expect(phone.page.getByText('Nothing to read')).toBeVisible();
  await phone.close();
  await other.close();
});

test('a message written while the box is away goes out once when it is back', async ({ browser }) => {
  const phone = await Phone.open(browser, box);
  await phone.signIn(chidi);
  const { id } = await box.call<{ id: string }>(
    'POST',
    '/api/v1/conversations',
    { participant_id: owner.id },
    chidi.token,
  );
  await phone.page.goto(`/chat/${id}`);
  await expect(phone.page.getByText('Nothing to read')).toBeVisible();

  // Given a box that is gone.
  await box.kill();
  await expect(phone.page.getByRole('alert')).toContainText('Messages wait here', { timeout: 2000 });

  // When something is written all the same.
  await phone.page.getByLabel('Message', { exact: true }).fill('I dey come now');
  await phone.page.getByRole('button', { name: 'Send' }).click();
  await expect(phone.page.locator('.tick.waiting')).toBeVisible();

  // Then it goes out when the box is back, and the box has it once.
  await box.start();
  await expect(phone.page.locator('.bubble.mine .tick.sent')).toBeVisible();
  const { items } = await box.call<{ items: { body: string }[] }>(
    'GET',
    `/api/v1/conversations/${id}/messages`,
    undefined,
    chidi.token,
  );
  expect(items.map(message => message.body)).toEqual(['I dey come now']);
  await phone.close();
});
