//! What the lobby and the end of a match ask of the box about games and invites.

import { get, post } from '../base/api';
import type { Game, GameInvite, Options, Page, PairBoard } from '../base/contract';
import { t } from '../base/i18n';
import { Refusal } from '../base/problem';
import { moveNonce, nonceFor } from './nonces';

export type Preset = 'nigerian' | 'quick' | 'strict' | 'pagat';
export type Level = 'easy' | 'medium' | 'hard';

const BASE = '/api/v1/games';

/** A player without an account is the box itself. */
export const isBot = (game: Pick<Game, 'players' | 'seat'>): boolean => !game.players[1 - game.seat]?.user_id;

/** The name of the other player. */
export function otherName(game: Pick<Game, 'players' | 'seat'>): string {
  return isBot(game) ? t('bot.name') : (game.players[1 - game.seat]?.username ?? '');
}

export const games = async (state: 'live' | 'over'): Promise<Game[]> =>
  (await get<Page<Game>>(`${BASE}?state=${state}&limit=20`)).items;

export const invites = async (box: 'received' | 'sent'): Promise<GameInvite[]> =>
  (await get<Page<GameInvite>>(`${BASE}/invites?box=${box}&limit=20`)).items;

/** How this player and another stand over all their matches. */
export const against = (user: string): Promise<PairBoard> => get<PairBoard>(`${BASE}/pairs/${user}?limit=1`);

/** Challenges somebody, and adds the own share to the shuffle of round 1 while they have not answered. */
export async function challenge(name: string, preset: Preset): Promise<GameInvite> {
  const invite = await post<GameInvite>(`${BASE}/invites`, {
    recipient_username: name.trim().toLowerCase(),
    preset,
  });
  await share(invite.id);
  return invite;
}

async function share(invite: string): Promise<void> {
  try {
    await post(`${BASE}/invites/${invite}/nonce`, {
      nonce: nonceFor(invite, 1),
    });
  } catch (fault) {
    // Already answered: the deal stands without this share, as the rules allow.
    if (!(fault instanceof Refusal)) throw fault;
  }
}

export async function accept(invite: string): Promise<string> {
  const { game_id } = await post<{ game_id: string }>(`${BASE}/invites/${invite}/accept`, {
    nonce: nonceFor(invite, 1),
  });
  moveNonce(invite, game_id);
  return game_id;
}

export const decline = (invite: string): Promise<GameInvite> => post(`${BASE}/invites/${invite}/decline`);

export async function practise(level: Level, rules: Preset | Options): Promise<string> {
  const body = typeof rules === 'string' ? { level, preset: rules } : { level, options: rules };
  return (await post<{ game_id: string }>(`${BASE}/bot`, body)).game_id;
}

export async function rematch(game: string): Promise<GameInvite> {
  const invite = await post<GameInvite>(`${BASE}/${game}/rematch`);
  await share(invite.id);
  return invite;
}
