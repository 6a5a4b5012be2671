//! Sealed messages as the box gives them out, opened with a key and refused with another.

import { Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { expect, test } from 'vitest';
import type { Message } from '../base/contract';
import { openAll } from './sealed';

async function sealed(recipient: string, id: string, inside: Record<string, string>): Promise<Message> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const file = await encrypter.encrypt(`${JSON.stringify({ format: 'whotbox-message-1', ...inside })}   `);
  const text = btoa(String.fromCharCode(...file));
  return { id, sender_id: 'ada', conversation_id: 'talk', sealed: text } as Message;
}

test('a key opens what was sealed to it, and only as the message that it is', async () => {
  const key = await generateIdentity();
  const [own, other] = await Promise.all([identityToRecipient(key), generateIdentity().then(identityToRecipient)]);
  const inside = { conversation_id: 'talk', message_id: 'one', sender_id: 'ada', body: 'how far? 🃏' };
  const texts = await openAll(
    [
      await sealed(own, 'one', inside),
      await sealed(own, 'two', inside),
      await sealed(own, 'three', { ...inside, message_id: 'three', sender_id: 'bola' }),
      await sealed(other, 'four', { ...inside, message_id: 'four' }),
      { id: 'five', body: 'open', sealed: null } as unknown as Message,
    ],
    `# created: today\n${key.toLowerCase()}\n`,
  );
  expect([...texts.values()]).toEqual([
    { body: 'how far? 🃏' },
    { why: 'other' },
    { why: 'other' },
    { why: 'locked' },
  ]);
});

test('what is no key is refused before anything is opened', async () => {
  await expect(openAll([], 'AGE-SECRET-KEY-1QQQ')).rejects.toThrow();
});
