//! One conversation on this phone: what is there to read, what is on its way, and what has vanished.
//!
//! Messages come by the socket and, after every reconnection, by the list, so that nothing is missed in between. What
//! was not acknowledged is sent again with the same `client_message_id`, so nothing is doubled. Texts are held in
//! memory only, and dropped when the box says that they have vanished.

import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { get, post } from '../../base/api';
import type { ChatFrame, Message, Page } from '../../base/contract';
import { Refusal } from '../../base/problem';
import { newId } from '../../base/random';
import { myId } from '../../base/session';
import { Live } from '../../base/socket';
import { sound } from '../../base/sound';

/** A message on its way to the box, or refused by it. */
export interface Draft {
  client_message_id: string;
  body: string;
  failed: string | null;
}

/** How long “is typing” stands after its last sign. */
const TYPING_MS = 5000;
/** Signs of typing are sent at most this often. */
const TYPING_EVERY_MS = 3000;

export class Talk {
  readonly id: string;
  readonly #messages: Signal<Message[] | null> = signal(null);
  readonly #drafts: Signal<Draft[]> = signal([]);
  readonly #vanished: Signal<number> = signal(0);
  readonly #typing: Signal<boolean> = signal(false);
  readonly #fault: Signal<unknown> = signal(null);
  readonly #live: Live;
  readonly #read = new Set<string>();
  #typingOff: ReturnType<typeof setTimeout> | undefined;
  #typingSent = 0;
  #sending = false;

  constructor(id: string) {
    this.id = id;
    this.#live = new Live({
      path: () => `/api/v1/conversations/${id}/ws`,
      frame: frame => this.#take(frame as ChatFrame),
      opened: () => void this.refresh(),
      about: `/api/v1/conversations/${id}/messages?limit=1`,
    });
    void this.refresh();
  }

  get messages(): ReadonlySignal<Message[] | null> {
    return this.#messages;
  }
  get drafts(): ReadonlySignal<Draft[]> {
    return this.#drafts;
  }
  /** How many messages have vanished while this was open. */
  get vanished(): ReadonlySignal<number> {
    return this.#vanished;
  }
  get typing(): ReadonlySignal<boolean> {
    return this.#typing;
  }
  get fault(): ReadonlySignal<unknown> {
    return this.#fault;
  }
  get status() {
    return this.#live.status;
  }

  close(): void {
    clearTimeout(this.#typingOff);
    this.#live.close();
  }

  /** Takes the list from the box as the truth, and sends what waits. */
  async refresh(): Promise<void> {
    try {
      const known = new Set((this.#messages.peek() ?? []).map(one => one.id));
      const listed = await this.#all();
      const ids = new Set(listed.map(one => one.id));
      // What came by the socket meanwhile may be newer than the list.
      const shown = (this.#messages.peek() ?? []).filter(one => !ids.has(one.id));
      const items = [...listed, ...shown.filter(one => !known.has(one.id))];
      this.#vanished.value += shown.filter(one => known.has(one.id)).length;
      this.#messages.value = items;
      this.#fault.value = null;
      this.#settle(items);
      for (const one of items) this.#note(one);
      await this.#flush();
    } catch (fault) {
      this.#fault.value = fault;
    }
  }

  /** Every message that is there to read: the list gives the oldest first, 200 at a time. */
  async #all(): Promise<Message[]> {
    const items: Message[] = [];
    let cursor = '';
    for (;;) {
      const page = await get<Page<Message>>(`/api/v1/conversations/${this.id}/messages?limit=200${cursor}`);
      items.push(...page.items);
      if (!page.next_cursor) return items;
      cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`;
    }
  }

  send(body: string): void {
    this.#drafts.value = [...this.#drafts.value, { client_message_id: newId(), body, failed: null }];
    void this.#flush();
  }

  again(draft: Draft): void {
    this.#drafts.value = this.#drafts.value.map(one => (one === draft ? { ...one, failed: null } : one));
    void this.#flush();
  }

  /** Tells the other that this person is writing. */
  type(): void {
    if (Date.now() - this.#typingSent < TYPING_EVERY_MS) return;
    this.#typingSent = Date.now();
    this.#live.send({ type: 'typing', ref: 'typing' });
  }

  /** Says that a message was read, once. Read by both, it vanishes. */
  async read(id: string): Promise<void> {
    if (this.#read.has(id)) return;
    this.#read.add(id);
    try {
      await post(`/api/v1/messages/${id}/read`);
    } catch {
      this.#read.delete(id);
    }
  }

  /** Sends what waits, in order, one at a time. */
  async #flush(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (;;) {
        const draft = this.#drafts.peek().find(one => !one.failed);
        if (!draft) return;
        await this.#post(draft);
      }
    } catch {
      // The box cannot be reached: it goes out when the socket is open again.
    } finally {
      this.#sending = false;
    }
  }

  async #post(draft: Draft): Promise<void> {
    const { body, client_message_id } = draft;
    try {
      this.#add(
        await post<Message>(`/api/v1/conversations/${this.id}/messages`, {
          body,
          client_message_id,
        }),
      );
    } catch (fault) {
      if (!(fault instanceof Refusal)) throw fault;
      const failed = { ...draft, failed: fault.code };
      this.#drafts.value = this.#drafts.value.map(one => (one.client_message_id === client_message_id ? failed : one));
    }
  }

  #take(frame: ChatFrame): void {
    switch (frame.type) {
      case 'message':
        this.#add(frame.message);
        this.#note(frame.message);
        if (frame.message.sender_id !== myId()) sound('message');
        break;
      case 'receipt':
        this.#change(frame.message_id, one => ({
          ...one,
          delivered_at: one.delivered_at ?? frame.at,
          read_at: frame.state === 'read' ? frame.at : one.read_at,
        }));
        break;
      case 'vanished':
        this.#drop(frame.message_ids);
        break;
      case 'typing':
        this.#showTyping(frame.user_id);
        break;
      default:
        break;
    }
  }

  #showTyping(user: string): void {
    if (user === myId()) return;
    clearTimeout(this.#typingOff);
    this.#typing.value = true;
    this.#typingOff = setTimeout(() => {
      this.#typing.value = false;
    }, TYPING_MS);
  }

  #add(message: Message): void {
    const all = this.#messages.peek() ?? [];
    const rest = all.filter(one => one.id !== message.id);
    this.#messages.value = [...rest, message].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#settle([message]);
    if (message.sender_id !== myId()) this.#typing.value = false;
  }

  /** Drafts that have become messages are drafts no more. */
  #settle(messages: Message[]): void {
    const known = new Set(messages.map(one => one.client_message_id));
    this.#drafts.value = this.#drafts.value.filter(one => !known.has(one.client_message_id));
  }

  /** A message of the other has reached this phone. */
  #note(message: Message): void {
    if (message.sender_id === myId() || message.delivered_at) return;
    void post(`/api/v1/messages/${message.id}/delivered`).catch(() => undefined);
  }

  #change(id: string, to: (message: Message) => Message): void {
    this.#messages.value = (this.#messages.peek() ?? []).map(one => (one.id === id ? to(one) : one));
  }

  #drop(ids: string[]): void {
    const gone = new Set(ids);
    const all = this.#messages.peek() ?? [];
    const left = all.filter(one => !gone.has(one.id));
    this.#vanished.value += all.length - left.length;
    this.#messages.value = left;
  }
}
