//! A person takes what the box holds about them, and leaves it for good.

import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { Box } from './box';
import { Phone } from './phone';

test('a person saves what the box knows, and then leaves for good', async ({ browser }) => {
  // Given a customer on the screen about oneself.
  const box = await Box.start();
  const chidi = await box.customer('chidi', await box.distributor('mama-put', 'Mama Put'));
  const phone = await Phone.open(browser, box);
  await phone.signIn(chidi);
  await phone.page.goto(`${box.url}/me`);

  // When the data is saved, then it is all in one file.
  const saving = phone.page.waitForEvent('download');
  await phone.page.getByRole('button', { name: 'Save my data' }).click();
  const saved = await saving;
  expect(saved.suggestedFilename()).toBe('whot-chidi.json');
  const data = JSON.parse(readFileSync(await saved.path(), 'utf8'));
  expect(data.user.username).toBe('chidi');
  expect(data.relationships).toHaveLength(1);

  // When the account is deleted, a wrong password does nothing.
  await phone.page.getByRole('button', { name: 'Delete my account' }).click();
  const dialog = phone.page.getByRole('dialog');
  await dialog.getByLabel('Present password').fill('not the password');
  await dialog.getByRole('button', { name: 'Delete it for good' }).click();
  await expect(dialog.getByText('do not match')).toBeVisible();
  await dialog.getByLabel('Present password').fill(chidi.password);
  await dialog.getByRole('button', { name: 'Delete it for good' }).click();

  // Then the phone is signed out, and nobody gets in any more.
  await expect(phone.page.getByText('Your account is closed')).toBeVisible();
  const credentials = { username: 'chidi', password: chidi.password };
  await expect(box.call('POST', '/api/v1/auth/login', credentials)).rejects.toThrow();
  await phone.close();
  await box.end();
});
