//! Reading one conversation: the reason first, then the transcript for half an hour, with the reader's name on it.

import { useEffect, useState } from 'preact/hooks';
import { get } from '../base/api';
import type { Conversation, Message, Review } from '../base/contract';
import { download } from '../base/download';
import { clock, day } from '../base/i18n';
import { held } from '../base/session';
import { useAction, useLoad, useTick, useTitle } from '../ui/hooks';
import { Button, Choice, Fault, Heading, Loading } from '../ui/parts';
import { Page } from './app';
import { Hold } from './hold';
import { namesOf } from './names';
import { ReasonField, useReason } from './reason';
import { Key, type Opened as Unsealed } from './sealed';
import { Wider } from './wider';
import { s } from './words';

export const KINDS = ['report', 'legal', 'safety', 'support', 'audit'] as const;
type Kind = (typeof KINDS)[number];

/** A reading is over after this long; the texts are dropped then. */
const OPEN_MS = 30 * 60_000;

interface Opened {
  review: Review;
  reason: string;
  code: Kind;
  until: number;
}

const ONE = '/api/v1/admin/moderation/conversations';

export function Reading({ id }: { id: string }) {
  const [opened, open] = useState<Opened | null>(null);
  const [over, end] = useState(false);
  const head = useLoad(async () => {
    const talk = await find(id);
    return { talk, names: talk ? await namesOf(talk) : null };
  }, [id]);
  const names = head.data?.names;
  const title = names ? s('talks.between', { distributor: names.distributor, customer: names.customer }) : s('talks');
  useTitle(`${title} · ${s('app')}`);
  useEffect(() => {
    if (!opened) return;
    const timer = setTimeout(
      () => {
        open(null);
        end(true);
      },
      Math.max(0, opened.until - Date.now()),
    );
    return () => clearTimeout(timer);
  }, [opened]);
  return (
    <Page at="/staff">
      <Heading>{title}</Heading>
      {head.fault ? <Loading from={head} /> : null}
      {over && !opened && <p class="notice warn">{s('read.over')}</p>}
      {opened ? (
        <Transcript id={id} opened={opened} onMore={open} onClose={() => open(null)} />
      ) : (
        <Gate
          id={id}
          onOpen={next => {
            end(false);
            open(next);
          }}
        />
      )}
      {head.data?.talk && <Hold talk={opened?.review.conversation ?? head.data.talk} />}
      {head.data?.talk && <Wider talk={head.data.talk} />}
    </Page>
  );
}

/** The conversation in the list, which shows its hold without opening it. */
async function find(id: string): Promise<Conversation | null> {
  let cursor = '';
  do {
    const at = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
    const page = await get<{ items: Conversation[]; next_cursor: string | null }>(`${ONE}?limit=200${at}`);
    const found = page.items.find(talk => talk.id === id);
    if (found) return found;
    cursor = page.next_cursor ?? '';
  } while (cursor);
  return null;
}

function Gate({ id, onOpen }: { id: string; onOpen: (opened: Opened) => void }) {
  const [code, setCode] = useState<Kind>('report');
  const reason = useReason();
  const { busy, fault, run } = useAction(async () => {
    const why = new URLSearchParams({ reason: reason.text, code });
    const review = await get<Review>(`${ONE}/${id}?${why}`);
    onOpen({ review, reason: reason.text, code, until: Date.now() + OPEN_MS });
  });
  return (
    <form
      class="panel stack"
      noValidate
      onSubmit={reason.before(run)}
    >
      <h2>{s('gate.title')}</h2>
      <p>{s('gate.lead')}</p>
      <Choice
        label={s('gate.kind')}
        value={code}
        options={KINDS.map(kind => [kind, s(`gate.${kind}`)] as const)}
        onChange={setCode}
      />
      <ReasonField of={reason} label={s('gate.reason')} />
      <Fault of={fault} />
      <Button kind="main" submit busy={busy}>
        {s('gate.open')}
      </Button>
    </form>
  );
}

/** Minutes and seconds. */
function remaining(ms: number): string {
  const left = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
}

/** What a message says that the box could not show. */
function unsealed(message: Message, texts: Map<string, Unsealed> | null): string {
  const text = texts?.get(message.id);
  if (text && 'body' in text) return text.body;
  if (text) return s(`sealed.${text.why}`);
  return message.sealed ? s('sealed.closed') : s('read.gone', { why: message.error ?? '' });
}

interface TranscriptProps {
  id: string;
  opened: Opened;
  onMore: (opened: Opened) => void;
  onClose: () => void;
}

function Transcript({ id, opened, onMore, onClose }: TranscriptProps) {
  const { review, reason, code, until } = opened;
  // The next page is opened for the same reason, and noted like the first.
  const more = useAction(async () => {
    const why = new URLSearchParams({ reason, code, cursor: review.next_cursor ?? '' });
    const next = await get<Review>(`${ONE}/${id}?${why}`);
    onMore({ ...opened, review: { ...next, messages: [...review.messages, ...next.messages] } });
  });
  const now = useTick(Date.now, 1000, true);
  const [saved, tell] = useState(false);
  const [texts, unseal] = useState<Map<string, Unsealed> | null>(null);
  const evidence = useAction(async () => {
    await download(`${ONE}/${id}/export?${new URLSearchParams({ reason })}`, `evidence-${id}`);
    tell(true);
  });
  const name = held.value?.user.username ?? '';
  const at = new Date(until - OPEN_MS).toISOString();
  const who = (sender: string) =>
    s(sender === review.conversation.distributor_id ? 'read.distributor' : 'read.customer');
  return (
    <section class="panel stack">
      <div class="row reader">
        <span class="grow">
          <span class="counter">{s('read.left', { t: remaining(until - now) })}</span>
          <span class="watermark">{s('read.mark', { name, at: `${day(at)}, ${clock(at)}` })}</span>
        </span>
        <span class="pair">
          <Button busy={evidence.busy} onClick={evidence.run}>
            {s('read.export')}
          </Button>
          <Button onClick={onClose}>{s('read.close')}</Button>
        </span>
      </div>
      <Fault of={evidence.fault} />
      <div role="status">{saved && <p class="notice good">{s('read.exported')}</p>}</div>
      <p class="soft">{s('read.recorded', { id: review.audit_id })}</p>
      {review.messages.some(message => message.sealed && !texts?.has(message.id)) && (
        <Key of={review.messages} onOpen={unseal} />
      )}
      {review.messages.length === 0 && <p class="soft">{s('read.none')}</p>}
      <ol class="transcript">
        {review.messages.map(message => (
          <li key={message.id}>
            <span class="soft tabular">
              {day(message.created_at)}, {clock(message.created_at)}
            </span>
            <strong>{who(message.sender_id)}</strong>
            <span class="words">{message.body ?? unsealed(message, texts)}</span>
          </li>
        ))}
      </ol>
      <Fault of={more.fault} />
      {review.next_cursor && (
        <Button busy={more.busy} onClick={more.run}>
          {s('read.more')}
        </Button>
      )}
      <p class="watermark">{s('read.mark', { name, at: `${day(at)}, ${clock(at)}` })}</p>
    </section>
  );
}
