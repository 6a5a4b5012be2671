//! How the two participants of a conversation are called.

import { get } from '../base/api';
import type { Conversation, Relationship } from '../base/contract';
import { Refusal } from '../base/problem';
import { s } from './words';

export interface Names {
  distributor: string;
  customer: string;
}

/** By customer, since a customer has one distributor at a time; a page asks for each once. */
const known = new Map<string, Promise<Names>>();

async function look(talk: Conversation): Promise<Names> {
  try {
    const one = await get<Relationship>(`/api/v1/relationships/${talk.customer_id}`);
    return { distributor: one.distributor_alias ?? one.distributor_id, customer: one.customer_username };
  } catch (fault) {
    if (!(fault instanceof Refusal)) throw fault;
    return { distributor: s('talks.unknown'), customer: s('talks.unknown') };
  }
}

export function namesOf(talk: Conversation): Promise<Names> {
  const names = known.get(talk.customer_id) ?? look(talk);
  known.set(talk.customer_id, names);
  names.catch(() => known.delete(talk.customer_id));
  return names;
}
