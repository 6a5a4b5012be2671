//! The shapes of the box's API that the apps read (contract sections 2 to 6), and nothing that is computed.

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

export interface User {
  id: string;
  username: string;
  role: 'admin' | 'distributor' | 'customer' | 'moderator';
  account_type: 'staff' | 'distributor' | 'customer';
  distributor_id: string | null;
  alias: string | null;
  phone: string | null;
  must_change_password: boolean;
  created_at: string;
}

export interface Session {
  access_token: string;
  expires_in: number;
  refresh_token: string;
  user: User;
}

export interface SignedIn {
  id: string;
  current: boolean;
  created_at: string;
  last_used_at: string;
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface InviteLook {
  distributor_alias: string | null;
  expires_at: string;
  status: 'open' | 'redeemed' | 'expired' | 'revoked';
}

export interface Relationship {
  customer_id: string;
  distributor_id: string;
  customer_username: string;
  distributor_alias: string | null;
  status: 'active' | 'ended';
  created_at: string;
}

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

export interface GameInvite {
  id: string;
  sender_id: string;
  sender_username: string;
  recipient_username: string;
  options: Options;
  commitment: string;
  status: 'pending' | 'accepted' | 'declined' | 'cancelled' | 'expired';
  game_id: string | null;
  expires_at: string;
  created_at: string;
}

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

export interface Game extends View {
  game_id: string;
  players: PerSeat<{ user_id: string | null; username: string }>;
  options: Options;
  commitment: string | null;
  turn_deadline: string | null;
}

export type GameEvent =
  | { type: 'round_started'; round: number; starter: Seat; hand_size: number; card: number; market_cards: number }
  | { type: 'dealt'; seat: Seat; cards?: number[] }
  | { type: 'played'; seat: Seat; card: number; shape?: Shape }
  | { type: 'semi_last_card' | 'last_card' | 'call_missed' | 'passed' | 'resigned'; seat: Seat }
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
  | { type: 'match_over'; winner: Seat | null; reason: string; rounds_won: PerSeat<number>; points: PerSeat<number> };

export type GameFrame =
  | { type: 'snapshot'; seq: number; game: Game }
  | { type: 'events'; seq: number; events: GameEvent[]; game: Game }
  | { type: 'presence'; opponent: 'online' | 'offline'; since: string | null }
  | { type: 'ack'; ref?: string; seq: number }
  | { type: 'error'; ref?: string; code: string; detail?: string }
  | { type: 'pong' };

export interface Proof {
  commitments: string[];
  rounds: {
    round: number;
    server_seed: string;
    nonces: PerSeat<string | null>;
    seed: string;
    options: Options;
    first_starter: Seat;
    actions: { actor: Seat | 'server'; action: { type: string; card?: number } }[];
  }[];
}

export interface Conversation {
  id: string;
  distributor_id: string;
  customer_id: string;
  created_at: string;
  unread_count?: number;
  last_message_at?: string | null;
}

export interface Message {
  id: string;
  conversation_id: string;
  sender_id: string;
  /** Null where the box cannot open it. */
  body: string | null;
  created_at: string;
  expires_at: string;
  delivered_at: string | null;
  read_at: string | null;
  client_message_id: string | null;
}

export type ChatFrame =
  | { type: 'message'; message: Message }
  | { type: 'receipt'; message_id: string; state: 'delivered' | 'read'; at: string }
  | { type: 'vanished'; message_ids: string[] }
  | { type: 'typing'; user_id: string }
  | { type: 'ack'; ref?: string; message?: Message }
  | { type: 'error'; ref?: string; code: string; detail?: string }
  | { type: 'pong' };
