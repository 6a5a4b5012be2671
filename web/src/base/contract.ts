//! The shapes of the box's API that the apps read, and nothing that is computed.
//!
//! They are generated from the routes (`npm run types`). Where the document only says “object” or “string”, the exact
//! shape of the rules (whot-rules 12 to 16) is put in here; a field that the box renames no longer compiles.

import type { components } from '../api.gen';

type Schemas = components['schemas'];

/** The box writes every field, with null where there is nothing. */
type Full<T> = { [K in keyof T]-?: Exclude<T[K], undefined> };

/** A schema with some of its fields told more exactly; fields that it does not have are refused. */
type Refine<T, Exact extends { [K in keyof Exact]: K extends keyof T ? unknown : never }> = Full<Omit<T, keyof Exact>> &
  Exact;

export type Shape = 'circle' | 'triangle' | 'cross' | 'square' | 'star';
export type Seat = 0 | 1;
export type PerSeat<T> = [T, T];

export interface Problem {
  status: number;
  code: string;
  detail: string;
  errors?: { field: string; message: string }[];
  retry_after?: number;
}

export type User = Refine<
  Schemas['User'],
  {
    role: 'admin' | 'distributor' | 'customer' | 'moderator';
    account_type: 'staff' | 'distributor' | 'customer';
    status: 'active' | 'suspended' | 'erased';
  }
>;
export type Session = Refine<Schemas['Session'], { user: User }>;
export type SignedIn = Full<Schemas['OwnSession']>;
export type Relationship = Refine<Schemas['Relationship'], { status: 'active' | 'ended' }>;
export type Standing = Full<Schemas['Standing']>;
export type PairBoard = Pick<Full<Schemas['PairScores']>, 'players' | 'played'>;
export type InviteLook = Refine<Schemas['InviteGlance'], { status: 'open' | 'redeemed' | 'expired' | 'revoked' }>;
export type Conversation = Full<Schemas['Conversation']>;
export type Message = Full<Schemas['Message']>;

export type Invite = Refine<Schemas['Invite'], { status: InviteLook['status'] }>;
export type Audit = Full<Schemas['Audit']>;
export type Backup = Full<Schemas['Backup']>;
export type Backups = Refine<Schemas['Backups'], { items: Backup[] }>;
export type Checked = Full<Schemas['Checked']>;
export type RecoverySheet = Full<Schemas['RecoverySheet']>;
export type Finding = Full<Schemas['Finding']>;
export type SupportReply = Schemas['SupportReply'];
export type SupportSection = Schemas['SupportSection'];
export type Examined = Refine<Schemas['Examined'], { findings: Finding[] }>;
export type PowerState = Full<Schemas['PowerState']>;
export type RestoreState = Refine<
  Schemas['RestoreState'],
  { state: 'idle' | 'running' | 'failed' | 'done'; files: Backup[] }
>;
export type RestoreLook = Full<Schemas['RestoreLook']>;
export type SyncHistory = Full<Schemas['SyncHistory']>;
export type Setting = Refine<
  Schemas['Shown'],
  { value: unknown; source: 'flag' | 'environment' | 'file' | 'central' | 'screen' | 'default' }
>;
export type BoxSettings = Refine<
  Schemas['BoxSettings'],
  { settings: Setting[]; changeable: Full<Schemas['BoxChoice']>[] }
>;
export type BoxCard = Full<Schemas['BoxCard']>;
export type RunningGame = Refine<Schemas['RunningGame'], { players: Full<Schemas['RunningPlayer']>[] }>;
export type TrailState = Full<Schemas['TrailState']>;
export type Hold = Full<Schemas['Hold']>;
export type ClockState = Full<Schemas['ClockState']>;
export type Ran = Full<Schemas['Ran']>;
export type Review = Refine<Schemas['Review'], { conversation: Conversation; messages: Message[] }>;
export type PendingCode = Full<Schemas['PendingCode']>;
export type Replication = Refine<
  Schemas['ReplicationReport'],
  {
    state: 'disabled' | 'offline' | 'catching_up' | 'live' | 'fenced' | 'stalled';
  }
>;

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** whot-rules 3. */
export interface Options {
  hand_size: number;
  pick_two: 'stack' | 'cancel' | 'none';
  pick_three: 'stack' | 'cancel' | 'none' | 'off';
  whot_defends: boolean;
  general_market: 'keep' | 'pass';
  market_empty: 'count' | 'reshuffle';
  voluntary_draw: boolean;
  draw_then_play: boolean;
  special_finish: boolean;
  last_card_call: 'auto' | 'required';
  match_kind: 'rounds' | 'points';
  match_target: number;
  start_card: 'plain' | 'any';
  reshuffle_limit: number;
  turn_seconds: number;
  timeout_limit: number;
}

export type GameInvite = Refine<
  Schemas['GameInvite'],
  {
    options: Options;
    status: 'pending' | 'accepted' | 'declined' | 'cancelled' | 'expired';
  }
>;

export type Action =
  | { type: 'play'; card: number; shape?: Shape; call?: boolean }
  | { type: 'draw' }
  | { type: 'pass' }
  | { type: 'resign' };

export interface HistoryEntry {
  round: number;
  starter: Seat;
  reason: 'empty_hand' | 'count' | 'resign' | 'timeout';
  winner: Seat | null;
  points: PerSeat<number>;
}

export interface RoundResult extends HistoryEntry {
  hands: PerSeat<number[]>;
  seed: string;
}

/** What a seat may know (whot-rules 16). */
export interface View {
  seat: Seat;
  seq: number;
  round: number;
  phase: 'play' | 'after_draw' | 'round_over' | 'match_over';
  turn: Seat | null;
  starter: Seat;
  hand: number[];
  opponent_cards: number;
  market_cards: number;
  pile: number[];
  called: Shape | null;
  pending: { number: 2 | 5; count: number } | null;
  drawn: number | null;
  reshuffles: number;
  timeouts: PerSeat<number>;
  rounds_won: PerSeat<number>;
  points: PerSeat<number>;
  history: HistoryEntry[];
  result: RoundResult | null;
  winner: Seat | null;
  end_reason: 'target' | 'resign' | 'timeout' | 'void' | null;
  legal: Action[];
}

export type Game = Refine<Schemas['Game'], View & { options: Options; players: PerSeat<Full<Schemas['Seated']>> }>;

/** whot-rules 14. */
export type GameEvent =
  | {
      type: 'round_started';
      round: number;
      starter: Seat;
      hand_size: number;
      card: number;
      market_cards: number;
    }
  | { type: 'dealt'; seat: Seat; cards?: number[] }
  | { type: 'played'; seat: Seat; card: number; shape?: Shape }
  | {
      type: 'semi_last_card' | 'last_card' | 'call_missed' | 'passed' | 'resigned';
      seat: Seat;
    }
  | { type: 'skipped'; seat: Seat; number: number }
  | { type: 'penalty'; seat: Seat; number: number; count: number }
  | { type: 'penalty_cleared'; seat: Seat; by: 'number' | 'whot' }
  | {
      type: 'drew';
      seat: Seat;
      count: number;
      reason: 'market' | 'penalty' | 'general_market' | 'no_call';
      cards?: number[];
    }
  | { type: 'reshuffled'; index: number; market_cards: number }
  | { type: 'timed_out'; seat: Seat; count: number }
  | { type: 'turn'; seat: Seat; phase: 'play' | 'after_draw' }
  | ({ type: 'round_over' } & RoundResult)
  | {
      type: 'match_over';
      winner: Seat | null;
      reason: string;
      rounds_won: PerSeat<number>;
      points: PerSeat<number>;
    };

export type GameFrame =
  | { type: 'snapshot'; seq: number; game: Game }
  | { type: 'events'; seq: number; events: GameEvent[]; game: Omit<Game, 'game_id' | 'players' | 'options'> }
  | { type: 'presence'; opponent: 'online' | 'offline'; since: string | null }
  | { type: 'ack'; ref?: string; seq: number }
  | { type: 'error'; ref?: string; code: string; detail?: string }
  | { type: 'pong' };

export type RoundProof = Refine<
  Schemas['RoundProof'],
  {
    options: Options;
    first_starter: Seat;
    nonces: PerSeat<string | null>;
    actions: {
      actor: Seat | 'server';
      action: { type: string; card?: number };
    }[];
  }
>;
export type Proof = Refine<Schemas['ProofBody'], { rounds: RoundProof[] }>;

export type ChatFrame =
  | { type: 'message'; message: Message }
  | {
      type: 'receipt';
      message_id: string;
      state: 'delivered' | 'read';
      at: string;
    }
  | { type: 'vanished'; message_ids: string[] }
  | { type: 'typing'; user_id: string }
  | { type: 'ack'; ref?: string; message?: Message }
  | { type: 'error'; ref?: string; code: string; detail?: string }
  | { type: 'pong' };
