//! Whom this person can write to, and how they are called.

import { get } from '../../base/api';
import type { Conversation, Page, Relationship, User } from '../../base/contract';
import { Refusal } from '../../base/problem';
import { held } from '../../base/session';

export interface Contact {
  /** The other user. */
  id: string;
  name: string;
  conversation: Conversation | null;
}

/** The other participant of a conversation. */
export const otherOf = (conversation: Conversation, me: string): string =>
  conversation.customer_id === me ? conversation.distributor_id : conversation.customer_id;

async function known(user: User): Promise<{ id: string; name: string }[]> {
  if (user.role === 'distributor') {
    const { items } = await get<Page<Relationship>>('/api/v1/relationships?limit=200');
    return items
      .filter(one => one.status === 'active')
      .map(one => ({ id: one.customer_id, name: one.customer_username }));
  }
  if (user.role !== 'customer') return [];
  try {
    const one = await get<Relationship>(`/api/v1/relationships/${user.id}`);
    return one.status === 'active' ? [{ id: one.distributor_id, name: one.distributor_alias ?? '' }] : [];
  } catch (fault) {
    if (fault instanceof Refusal && fault.status === 404) return [];
    throw fault;
  }
}

/** Everybody to write to, those with news first. */
export async function contacts(): Promise<Contact[]> {
  const user = held.value?.user;
  if (!user) return [];
  const [people, { items }] = await Promise.all([
    known(user),
    get<Page<Conversation>>('/api/v1/conversations?limit=200'),
  ]);
  const talks = new Map(items.map(talk => [otherOf(talk, user.id), talk]));
  const named = people.map(one => ({
    ...one,
    conversation: talks.get(one.id) ?? null,
  }));
  const rest = items.filter(talk => !people.some(one => one.id === otherOf(talk, user.id)));
  const all = [
    ...named,
    ...rest.map(talk => ({
      id: otherOf(talk, user.id),
      name: '',
      conversation: talk,
    })),
  ];
  const last = (one: Contact) => one.conversation?.last_message_at ?? '';
  return all.sort((a, b) => last(b).localeCompare(last(a)));
}
