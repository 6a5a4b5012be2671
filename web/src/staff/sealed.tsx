//! Messages that are sealed to a key off the box: opened here, in this page's memory, with the key that a moderator brings.
//!
//! The library is loaded only when there is such a message. The key goes nowhere and is dropped with the page.

import { useState } from 'preact/hooks';
import type { Message } from '../base/contract';
import { useAction } from '../ui/hooks';
import { Button, Fault, Field } from '../ui/parts';
import { s } from './words';

/** What stands inside the seal: it says itself whose it is, so that no swapped text passes for another. */
interface Document {
  format: string;
  message_id: string;
  sender_id: string;
  conversation_id: string;
  body: string;
}

/** A text, or why there is none. */
export type Opened = { body: string } | { why: 'locked' | 'other' };

/** The line of a key file that is the key. */
const keyIn = (text: string): string => text.match(/AGE-SECRET-KEY-1[A-Z0-9]+/i)?.[0].toUpperCase() ?? '';

/** The text of a sealed message, if this key opens it and it is this message's. */
async function read(message: Message, open: (sealed: Uint8Array) => Promise<Uint8Array>): Promise<Opened> {
  let text: string;
  try {
    const sealed = Uint8Array.from(atob(message.sealed ?? ''), letter => letter.charCodeAt(0));
    text = new TextDecoder().decode(await open(sealed));
  } catch {
    return { why: 'locked' };
  }
  try {
    const inside = JSON.parse(text) as Document;
    const own =
      inside.format === 'whotbox-message-1' &&
      inside.message_id === message.id &&
      inside.sender_id === message.sender_id &&
      inside.conversation_id === message.conversation_id;
    return own ? { body: inside.body } : { why: 'other' };
  } catch {
    return { why: 'other' };
  }
}

/** Opens all sealed messages with a key. A key that is none is refused by the library, with an error. */
export async function openAll(messages: readonly Message[], key: string): Promise<Map<string, Opened>> {
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  decrypter.addIdentity(keyIn(key));
  const texts = new Map<string, Opened>();
  for (const message of messages) {
    if (message.sealed) texts.set(message.id, await read(message, sealed => decrypter.decrypt(sealed)));
  }
  return texts;
}

/** Asks for the key. */
export function Key({ of, onOpen }: { of: readonly Message[]; onOpen: (texts: Map<string, Opened>) => void }) {
  const [key, setKey] = useState('');
  const [bad, setBad] = useState(false);
  const { busy, fault, run } = useAction(async () => {
    try {
      onOpen(await openAll(of, key));
      setKey('');
    } catch {
      setBad(true);
    }
  });
  return (
    <form
      class="stack"
      noValidate
      onSubmit={event => {
        event.preventDefault();
        setBad(keyIn(key) === '');
        if (keyIn(key) !== '') void run();
      }}
    >
      <p class="notice warn">{s('sealed.lead')}</p>
      <Field
        label={s('sealed.key')}
        hint={s('sealed.hint')}
        fault={bad ? s('sealed.bad') : undefined}
        value={key}
        onInput={setKey}
        secret
        attributes={{ autocomplete: 'off', spellcheck: false }}
      />
      <Fault of={fault} />
      <Button kind="main" submit busy={busy}>
        {s('sealed.open')}
      </Button>
    </form>
  );
}
