//! A conversation: messages with ticks, what vanishing means, and honest words about review.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { del, post } from '../../base/api';
import type { Message } from '../../base/contract';
import { clock, day, known, plural, t } from '../../base/i18n';
import { Refusal } from '../../base/problem';
import { myId } from '../../base/session';
import { useAction, useLoad, useTitle } from '../../ui/hooks';
import { Icon } from '../../ui/icons';
import { Announce, Button, Dialog, Fault, Heading } from '../../ui/parts';
import { type Contact, contacts } from './people';
import { type Draft, Talk } from './talk';

/** A message counts as read after this long on the screen, and longer for longer texts: it vanishes then. */
const READ_MS = 4000;
const READ_PER_LETTER_MS = 25;

export function Thread({ id }: { id: string }) {
  const talk = useMemo(() => new Talk(id), [id]);
  useEffect(() => () => talk.close(), [talk]);
  const people = useLoad(contacts, [id]);
  const contact = people.data?.find(one => one.conversation?.id === id);
  const name = contact?.name ?? '';
  const blocked = contact?.conversation?.blocked === true;
  const [about, tell] = useState(false);
  const [detail, look] = useState<Message | null>(null);
  useTitle(name ? t('chat.with', { name }) : t('chat.title'));
  const missing = talk.fault.value instanceof Refusal && talk.fault.value.status === 404;
  return (
    <main class="thread">
      <header class="thread-head">
        <a class="button quiet" href="/chat" aria-label={t('go.back')}>
          <Icon name="back" />
        </a>
        <div class="grow">
          <Heading>{name || t('chat.title')}</Heading>
          <p class="soft">{t('chat.protected')}</p>
        </div>
        <Button kind="quiet" label={t('chat.about')} onClick={() => tell(true)}>
          <Icon name="help" />
        </Button>
      </header>
      {talk.status.value === 'lost' && (
        <p class="bar-warn" role="alert">
          {t('net.chat')}
        </p>
      )}
      <Messages talk={talk} onLook={look} />
      <p class="typing soft" aria-live="polite">
        {talk.typing.value ? t('chat.typing', { name }) : ''}
      </p>
      {missing ? <p class="notice warn">{t('err.not_found')}</p> : blocked ? <p class="notice warn">{t('block.on', { name })}</p> : <Compose talk={talk} />}
      {about && (
        <Dialog title={t('chat.about')} onClose={() => tell(false)}>
          <p>{t('chat.vanish')}</p>
          <p>{t('chat.privacy')}</p>
          {contact?.conversation && <Blocking contact={contact} onChange={people.reload} />}
          <Button onClick={() => tell(false)}>{t('go.close')}</Button>
        </Dialog>
      )}
      {detail && <Detail message={detail} onClose={() => look(null)} />}
    </main>
  );
}

/** Ends or opens the writing of both; the other is not told why. */
function Blocking({ contact, onChange }: { contact: Contact; onChange: () => Promise<unknown> }) {
  const blocked = contact.conversation?.blocked === true;
  const path = `/api/v1/conversations/${contact.conversation?.id}/block`;
  const { busy, fault, run } = useAction(async () => {
    await (blocked ? del(path) : post(path));
    await onChange();
  });
  return (
    <div class="stack">
      <p role="status">{t(blocked ? 'block.on' : 'block.about', { name: contact.name })}</p>
      <Fault of={fault} />
      <Button kind={blocked ? 'plain' : 'danger'} busy={busy} onClick={run}>
        {t(blocked ? 'block.off' : 'block.do', { name: contact.name })}
      </Button>
    </div>
  );
}

function Messages({ talk, onLook }: { talk: Talk; onLook: (message: Message) => void }) {
  const foot = useRef<HTMLLIElement>(null);
  const messages = talk.messages.value;
  const drafts = talk.drafts.value;
  const gone = talk.vanished.value;
  const count = (messages?.length ?? 0) + drafts.length;
  useEffect(() => foot.current?.scrollIntoView({ block: 'end' }), [count]);
  if (!messages && talk.fault.value) {
    return (
      <div class="messages">
        <Fault of={talk.fault.value} />
        <Button onClick={() => void talk.refresh()}>{t('go.retry')}</Button>
      </div>
    );
  }
  if (!messages) return <p class="messages soft">{t('state.loading')}</p>;
  const newest = messages[messages.length - 1];
  const vanished = t(plural(gone, 'chat.vanished.one' as const, 'chat.vanished.other' as const), { n: gone });
  return (
    <>
      <Announce text={newest && newest.sender_id !== myId() ? (newest.body ?? '') : ''} />
      <ol class="messages">
        {count === 0 && gone === 0 && <li class="system">{t('chat.empty')}</li>}
        {gone > 0 && <li class="system">{vanished}</li>}
        {messages.map(message => (
          <Bubble key={message.id} message={message} talk={talk} onLook={onLook} />
        ))}
        {drafts.map(draft => (
          <Waiting key={draft.client_message_id} draft={draft} talk={talk} />
        ))}
        <li ref={foot} aria-hidden="true" class="foot-mark" />
      </ol>
    </>
  );
}

function Bubble({ message, talk, onLook }: { message: Message; talk: Talk; onLook: (message: Message) => void }) {
  const mine = message.sender_id === myId();
  const own = useRef<HTMLLIElement>(null);
  useReading(own, mine || message.read_at ? null : message, talk);
  const state = message.read_at ? 'read' : message.delivered_at ? 'delivered' : 'sent';
  return (
    <li ref={own} class={mine ? 'bubble mine' : 'bubble'}>
      <button type="button" onClick={() => onLook(message)}>
        <span class="body">{message.body ?? t('chat.unreadable')}</span>
        <span class="stamp tabular">
          {clock(message.created_at)}
          {mine && <Tick state={state} />}
        </span>
      </button>
    </li>
  );
}

type State = 'waiting' | 'sent' | 'delivered' | 'read';

function Tick({ state }: { state: State }) {
  return (
    <span class={`tick ${state}`}>
      <svg viewBox="0 0 20 12" width="20" height="12" aria-hidden="true">
        {state === 'waiting' ? (
          <path d="M10 1.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zM10 3.500V6l2 1.200" />
        ) : (
          <path d={state === 'sent' ? 'm5 6.500 3 3 7-7.500' : 'm1 6.500 3 3L11 2M8.500 9 9 9.500 16 2'} />
        )}
      </svg>
      <span class="unseen">{t(`tick.${state}`)}</span>
    </span>
  );
}

function Waiting({ draft, talk }: { draft: Draft; talk: Talk }) {
  if (!draft.failed) {
    return (
      <li class="bubble mine">
        <div>
          <span class="body">{draft.body}</span>
          <span class="stamp">
            <Tick state="waiting" />
          </span>
        </div>
      </li>
    );
  }
  const key = `err.${draft.failed}`;
  return (
    <li class="bubble mine failed">
      <button type="button" onClick={() => talk.again(draft)}>
        <span class="body">{draft.body}</span>
        <span class="stamp">
          {draft.failed === 'not_entitled' ? t('chat.ended') : known(key) ? t(key) : t('chat.fail')}
        </span>
      </button>
    </li>
  );
}

/** Marks a message read once it was long enough on a screen that somebody looks at. */
function useReading(own: { current: HTMLElement | null }, message: Message | null, talk: Talk): void {
  const id = message?.id;
  const length = message?.body?.length ?? 0;
  useEffect(() => {
    const element = own.current;
    if (!id || !element) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let seen = false;
    const weigh = () => {
      clearTimeout(timer);
      if (!seen || document.visibilityState !== 'visible') return;
      timer = setTimeout(() => void talk.read(id), READ_MS + length * READ_PER_LETTER_MS);
    };
    const watch = new IntersectionObserver(entries => {
      seen = entries.some(entry => entry.isIntersecting);
      weigh();
    });
    watch.observe(element);
    document.addEventListener('visibilitychange', weigh);
    return () => {
      clearTimeout(timer);
      watch.disconnect();
      document.removeEventListener('visibilitychange', weigh);
    };
  }, [id, length, own, talk]);
}

function Compose({ talk }: { talk: Talk }) {
  const [text, write] = useState('');
  const send = () => {
    const body = text.trim();
    if (!body) return;
    talk.send(body);
    write('');
  };
  return (
    <form
      class="compose"
      onSubmit={event => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        rows={1}
        maxLength={4000}
        value={text}
        aria-label={t('chat.write')}
        placeholder={t('chat.write')}
        onInput={event => {
          write(event.currentTarget.value);
          talk.type();
        }}
        onKeyDown={event => {
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      <Button kind="main" submit disabled={!text.trim()}>
        {t('chat.send')}
      </Button>
    </form>
  );
}

function Detail({ message, onClose }: { message: Message; onClose: () => void }) {
  const at = (iso: string) => `${day(iso)}, ${clock(iso)}`;
  return (
    <Dialog title={t('detail.title')} onClose={onClose}>
      <ul class="prose">
        <li>{t('detail.sent', { at: at(message.created_at) })}</li>
        <li>{message.delivered_at ? t('detail.delivered', { at: at(message.delivered_at) }) : t('detail.notyet')}</li>
        {message.read_at && <li>{t('detail.read', { at: at(message.read_at) })}</li>}
        <li>{t('detail.kept', { at: day(message.expires_at) })}</li>
      </ul>
      <p class="soft">{t('chat.vanish')}</p>
      <Button onClick={onClose}>{t('go.close')}</Button>
    </Dialog>
  );
}
