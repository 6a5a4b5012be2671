//! How the two participants of a conversation are called.

import { get } from '../base/api';
import type { Conversation, Hold, Relationship } from '../base/contract';
import { Refusal } from '../base/problem';
import { s } from './words';

export interface Names {
  distributor: string;
  customer: string;
}

/** By customer, since a customer has one distributor at a time; a page asks for each once. */
const known = new Map<string, Promise<Names>>();

type Pair = Pick<Conversation, 'distributor_id' | 'customer_id'>;

async function look(talk: Pair): Promise<Names> {
  try {
    const one = await get<Relationship>(`/api/v1/relationships/${talk.customer_id}`);
    return { distributor: one.distributor_alias ?? one.distributor_id, customer: one.customer_username };
  } catch (fault) {
    if (!(fault instanceof Refusal)) throw fault;
    return { distributor: s('talks.unknown'), customer: s('talks.unknown') };
  }
}

/** Who a wide hold is about, as far as it can be told. */
export async function whoIn({ distributor_id, customer_id }: Hold): Promise<string> {
  if (!customer_id) return distributor_id ?? '';
  const names = await namesOf({ distributor_id: distributor_id ?? '', customer_id });
  return s('talks.between', { distributor: names.distributor, customer: names.customer });
}

export function namesOf(talk: Pair): Promise<Names> {
  const names = known.get(talk.customer_id) ?? look(talk);
  known.set(talk.customer_id, names);
  names.catch(() => known.delete(talk.customer_id));
  return names;
}
