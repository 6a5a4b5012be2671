//! The stored shapes of the game domain: invites, matches, rounds and standings.
//!
//! Shapes only. Field order and the order of enum variants are the format; a change is a new version. A match and a
//! live round show every hidden card: nothing here is ever for a player, and no `Debug` prints a card.

use std::fmt;

use replication::row::{Lane, Table, Type, Value};
use serde::{Deserialize, Serialize};

use crate::base::id::{GameId, GameInviteId, RawId, SessionId, UserId};
use crate::base::text::Username;
use crate::base::time::Timestamp;
use crate::store::columns::{
    RECORD, bytes, bytes_or_null, column, nullable, number, number_or_null, text, text_or_null, time, time_or_null,
};
use crate::store::fault::Fault;
use crate::store::index::{Index, Indexes};
use crate::store::key::Key;
use crate::store::record::{Record, TableId, Upstream, bytes_of, decode_body, encode};
use crate::store::values::Values;
use crate::whot::card::{Card, Shape};
use crate::whot::options::{Options, StoredOptions};
use crate::whot::state::{EndReason, Phase};
use crate::whot::stored::{StoredMatch, StoredState};

/// What stands upstream as the phase of a bot's match that nobody has said ready to yet.
const WAITING: &str = "waiting";

/// An invite to a match. The match's id is drawn with it, because the seed of round 1 is bound to that id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::game) struct GameInvite {
    pub(in crate::game) id: GameInviteId,
    pub(in crate::game) sender_id: UserId,
    pub(in crate::game) sender_username: Username,
    pub(in crate::game) recipient_id: UserId,
    pub(in crate::game) recipient_username: Username,
    pub(in crate::game) options: StoredOptions,
    pub(in crate::game) first_starter: u8,
    pub(in crate::game) game_id: GameId,
    /// Of round 1.
    pub(in crate::game) commitment: [u8; 32],
    /// The server seed of round 1, sealed to the match and its round.
    #[serde(with = "serde_bytes")]
    pub(in crate::game) seed_sealed: Vec<u8>,
    /// By seat: the sender's, the recipient's.
    pub(in crate::game) nonces: [Option<[u8; 32]>; 2],
    pub(in crate::game) state: InviteState,
    pub(in crate::game) rematch_of: Option<GameId>,
    pub(in crate::game) expires_at: Timestamp,
    pub(in crate::game) created_at: Timestamp,
    pub(in crate::game) answered_at: Option<Timestamp>,
}

/// What became of an invite. One past its time is expired even while it is stored as pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum InviteState {
    /// It waits for its answer.
    Pending,
    /// The match exists.
    Accepted,
    /// The recipient said no.
    Declined,
    /// The sender took it back.
    Cancelled,
    /// Nobody answered in time.
    Expired,
}

impl InviteState {
    /// Its name in the API and upstream.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// A sender's invites, oldest first.
pub(in crate::game) const INVITE_BY_SENDER: Index = Index::ordered(1);
/// A recipient's invites, oldest first.
pub(in crate::game) const INVITE_BY_RECIPIENT: Index = Index::ordered(2);
/// A sender's pending invites.
pub(in crate::game) const INVITE_PENDING: Index = Index::ordered(3);
/// Pending invites in the order of their ends.
pub(in crate::game) const INVITE_BY_END: Index = Index::ordered(4);
/// Pending rematches of a match.
pub(in crate::game) const INVITE_REMATCH: Index = Index::ordered(5);

impl Record for GameInvite {
    const TABLE: TableId = TableId { number: 50, name: "game.invites" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &INVITES, lane: Lane::Bulk });

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(INVITE_BY_SENDER, &Key::of(self.sender_id));
        to.add(INVITE_BY_RECIPIENT, &Key::of(self.recipient_id));
        if self.state == InviteState::Pending {
            to.add(INVITE_PENDING, &Key::of(self.sender_id));
            to.add(INVITE_BY_END, &Key::new().time(self.expires_at));
            if let Some(game) = self.rematch_of {
                to.add(INVITE_REMATCH, &Key::of(game));
            }
        }
    }

    fn upstream_row(&self) -> Vec<Value> {
        vec![
            text(self.sender_id),
            text(&self.sender_username),
            text(self.recipient_id),
            text(&self.recipient_username),
            options_json(&self.options),
            bytes(self.commitment),
            text(self.state.name()),
            text_or_null((self.state == InviteState::Accepted).then_some(self.game_id)),
            text_or_null(self.rematch_of),
            time(self.expires_at),
            time(self.created_at),
            time_or_null(self.answered_at),
        ]
    }
}

static INVITES: Table = Table {
    schema: "game",
    name: "invites",
    append_only: false,
    columns: &[
        column("sender_id", Type::Text),
        column("sender_username", Type::Text),
        column("recipient_id", Type::Text),
        column("recipient_username", Type::Text),
        column("options", Type::Json),
        column("commitment", Type::Bytes),
        column("status", Type::Text),
        nullable("game_id", Type::Text),
        nullable("rematch_of", Type::Text),
        column("expires_at", Type::Time),
        column("created_at", Type::Time),
        nullable("answered_at", Type::Time),
        RECORD,
    ],
};

/// A match. Every ordinary action rewrites this row and no other replicated one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::game) struct Session {
    pub(in crate::game) id: GameId,
    pub(in crate::game) seats: [Seated; 2],
    pub(in crate::game) bot_level: Option<BotLevel>,
    pub(in crate::game) board: Board,
    /// The actions of the present round; those of earlier rounds stand with their rounds.
    pub(in crate::game) log: Vec<Logged>,
    pub(in crate::game) reconnect: [Reconnect; 2],
    /// Closed without a winner, because nobody had touched it.
    pub(in crate::game) void: bool,
    pub(in crate::game) created_at: Timestamp,
    pub(in crate::game) updated_at: Timestamp,
    pub(in crate::game) ended_at: Option<Timestamp>,
}

/// Who sits at a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::game) struct Seated {
    /// Nobody's at a bot's seat.
    pub(in crate::game) user_id: Option<UserId>,
    pub(in crate::game) username: Username,
}

/// How well a bot plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BotLevel {
    /// Plays the first good card.
    Easy,
    /// Looks ahead within its turn.
    Medium,
    /// Weighs many possible deals.
    Hard,
}

impl BotLevel {
    /// Its name in the API and upstream.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        }
    }

    /// The level of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Easy, Self::Medium, Self::Hard].into_iter().find(|level| level.name() == name)
    }
}

/// The table before and after the first deal.
#[expect(clippy::large_enum_variant, reason = "nearly every match is dealt, and none is kept in memory")]
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::game) enum Board {
    /// Round 1 waits for the player against the bot.
    Waiting { options: StoredOptions, first_starter: u8 },
    /// The match as the rules store it.
    Dealt(StoredMatch),
    /// A match of the old service, over there: its scores, and nothing of its cards.
    Closed { options: StoredOptions, scores: OldScores },
}

/// The scores of a match that the old service kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::game) struct OldScores {
    /// By seat, as that service counted.
    pub(in crate::game) points: [u32; 2],
    /// The seat that won, where it was told.
    pub(in crate::game) winner: Option<u8>,
    /// The card that lay on top, as that service named it.
    pub(in crate::game) top_card: Option<String>,
}

/// One accepted action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::game) struct Logged {
    /// 0, 1, or 2 for the server.
    pub(in crate::game) actor: u8,
    /// Rules 12.3.
    pub(in crate::game) code: u16,
    /// The front of a digest of seat and `client_id`, if the client gave one.
    pub(in crate::game) client: Option<[u8; 8]>,
}

/// A seat's reconnect token. It derives from match, seat and generation; only its digest stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::game) struct Reconnect {
    pub(in crate::game) generation: u32,
    /// None once it was used.
    pub(in crate::game) digest: Option<[u8; 32]>,
    /// The sign-in that asked for it: a socket opened with the token ends with it.
    pub(in crate::game) session: Option<SessionId>,
    pub(in crate::game) expires_at: Option<Timestamp>,
}

/// A player's matches, oldest first.
pub(in crate::game) const SESSION_BY_PLAYER: Index = Index::ordered(1);
/// A player's matches that are not over (0) or over (1), oldest first.
pub(in crate::game) const SESSION_BY_STATE: Index = Index::ordered(2);
/// All matches that are not over.
pub(in crate::game) const SESSION_LIVE: Index = Index::ordered(3);
/// The matches of two players that are over, oldest first; whoever invited.
pub(in crate::game) const SESSION_BY_PAIR: Index = Index::ordered(4);

impl Record for Session {
    const TABLE: TableId = TableId { number: 51, name: "game.sessions" };
    const VERSION: u8 = 2;
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &SESSIONS, lane: Lane::Bulk });

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        for user in self.seats.iter().filter_map(|seat| seat.user_id) {
            to.add(SESSION_BY_PLAYER, &Key::of(user));
            to.add(SESSION_BY_STATE, &Key::of(user).byte(u8::from(self.ended_at.is_some())));
        }
        if self.ended_at.is_none() {
            to.add(SESSION_LIVE, &Key::new());
        } else if let [Some(zero), Some(one)] = self.seats.each_ref().map(|seat| seat.user_id) {
            to.add(SESSION_BY_PAIR, &Pair::key_of(zero, one));
        }
    }

    fn upgrade(version: u8, body: &[u8]) -> Result<Self, Fault> {
        match version {
            // The first version had no closed boards, and is else the same.
            1 => decode_body(Self::TABLE, body),
            _ => Err(Fault::Newer { table: Self::TABLE.name, version }),
        }
    }

    fn upstream_row(&self) -> Vec<Value> {
        let [zero, one] = &self.seats;
        let (options, first_starter, state) = match &self.board {
            Board::Waiting { options, first_starter } => (options, *first_starter, None),
            Board::Dealt(dealt) => (&dealt.options, dealt.first_starter, Some(&dealt.state)),
            Board::Closed { options, .. } => (options, 0, None),
        };
        let old = match &self.board {
            Board::Closed { scores, .. } => Some(scores),
            Board::Waiting { .. } | Board::Dealt(_) => None,
        };
        let points = state.map(|state| state.points).or(old.map(|scores| scores.points)).unwrap_or_default();
        let top = state.and_then(top_card).or_else(|| old.and_then(|scores| scores.top_card.clone()));
        let phase = match old {
            Some(_) => Phase::MatchOver.word(),
            None => state.and_then(|state| Phase::from_code(state.phase)).map_or(WAITING, Phase::word),
        };
        let of_state = |column: fn(&StoredState) -> u64| number(state.map_or(0, column));
        let player = match state.and_then(|state| state.turn) {
            Some(0) => zero.user_id,
            Some(_) => one.user_id,
            None => None,
        };
        let [reconnect0, reconnect1] = self.reconnect;
        vec![
            text_or_null(zero.user_id),
            text_or_null(one.user_id),
            text(&zero.username),
            text(&one.username),
            text_or_null(self.bot_level.map(BotLevel::name)),
            options_json(options),
            number(first_starter),
            text(phase),
            of_state(|state| state.seq),
            of_state(|state| u64::from(state.round)),
            number_or_null(state.and_then(|state| state.turn)),
            text_or_null(player),
            text_or_null(top),
            text_or_null(state.and_then(|state| state.called).and_then(Shape::from_index).map(Shape::word)),
            of_state(|state| u64::from(first(state.rounds_won))),
            of_state(|state| u64::from(second(state.rounds_won))),
            number(first(points)),
            number(second(points)),
            number_or_null(state.and_then(|state| state.winner).or(old.and_then(|scores| scores.winner))),
            text_or_null(self.end_reason()),
            Value::Bool(self.void),
            bytes(self.board_bytes()),
            bytes_or_null(reconnect0.digest),
            bytes_or_null(reconnect1.digest),
            time(self.created_at),
            time(self.updated_at),
            time_or_null(self.ended_at),
        ]
    }

    /// The reconnect tokens alone: board and log travel as `state`.
    fn upstream_record(&self, _stored: &[u8]) -> Result<Value, Fault> {
        Ok(Value::Bytes(bytes_of(Self::TABLE, &self.reconnect)?))
    }

    fn of_upstream(id: &str, values: &[Value]) -> Result<Self, Fault> {
        let mut of = Values::of(Self::TABLE, values);
        let id = id.parse().map_err(|_| of.wrong())?;
        let (zero, one) = (of.text_or_null()?, of.text_or_null()?);
        let (zero_name, one_name) = (of.text()?, of.text()?);
        let level = of.text_or_null::<String>()?;
        let bot_level = level.map(|level| BotLevel::named(&level).ok_or_else(|| of.wrong())).transpose()?;
        // From options to end_reason all follows from the board.
        of.skip(15);
        let void = of.bool()?;
        let (board, log) = decode_body(Self::TABLE, of.bytes_or_null()?.unwrap_or_default())?;
        of.skip(2);
        let (created_at, updated_at, ended_at) = (of.time()?, of.time()?, of.time_or_null()?);
        let reconnect = decode_body(Self::TABLE, of.bytes_or_null()?.unwrap_or_default())?;
        let seats = [Seated { user_id: zero, username: zero_name }, Seated { user_id: one, username: one_name }];
        Ok(Self { id, seats, bot_level, board, log, reconnect, void, created_at, updated_at, ended_at })
    }
}

impl Session {
    /// Why it ended, in the API's word and upstream's.
    pub(in crate::game) fn end_reason(&self) -> Option<&'static str> {
        match &self.board {
            _ if self.void => Some(VOID),
            Board::Waiting { .. } | Board::Closed { .. } => None,
            Board::Dealt(dealt) => dealt.state.end_reason.and_then(EndReason::from_code).map(EndReason::word),
        }
    }

    /// Board and log as they travel upstream: what a lost box's match goes on from. What cannot be encoded was refused
    /// by the store long before.
    fn board_bytes(&self) -> Vec<u8> {
        bytes_of(Self::TABLE, &(&self.board, &self.log)).unwrap_or_default()
    }
}

/// The `end_reason` of a match that was closed without a winner.
pub(in crate::game) const VOID: &str = "void";

const fn first([zero, _]: [u32; 2]) -> u32 {
    zero
}

const fn second([_, one]: [u32; 2]) -> u32 {
    one
}

fn top_card(state: &StoredState) -> Option<String> {
    state.pile.last().and_then(|id| card_name(*id))
}

/// The name of a stored card.
pub(in crate::game) fn card_name(id: u8) -> Option<String> {
    Card::new(u64::from(id)).map(Card::name)
}

static SESSIONS: Table = Table {
    schema: "game",
    name: "sessions",
    append_only: false,
    columns: &[
        nullable("player0_id", Type::Text),
        nullable("player1_id", Type::Text),
        column("player0_username", Type::Text),
        column("player1_username", Type::Text),
        nullable("bot_level", Type::Text),
        column("options", Type::Json),
        column("first_starter", Type::BigInt),
        column("phase", Type::Text),
        column("seq", Type::BigInt),
        column("round", Type::BigInt),
        nullable("turn", Type::BigInt),
        nullable("current_player_id", Type::Text),
        nullable("top_card", Type::Text),
        nullable("called", Type::Text),
        column("rounds_won0", Type::BigInt),
        column("rounds_won1", Type::BigInt),
        column("points0", Type::BigInt),
        column("points1", Type::BigInt),
        nullable("winner", Type::BigInt),
        nullable("end_reason", Type::Text),
        column("void", Type::Bool),
        column("state", Type::Bytes),
        nullable("reconnect_digest0", Type::Bytes),
        nullable("reconnect_digest1", Type::Bytes),
        column("created_at", Type::Time),
        column("updated_at", Type::Time),
        nullable("ended_at", Type::Time),
        RECORD,
    ],
};

/// One round. Written when its commitment is published, when it is dealt and when it ends; what is needed to play it
/// again stands in it, so that events are never stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::game) struct Round {
    pub(in crate::game) game_id: GameId,
    pub(in crate::game) round: u32,
    pub(in crate::game) commitment: [u8; 32],
    pub(in crate::game) server_seed: ServerSeed,
    pub(in crate::game) nonces: [Option<[u8; 32]>; 2],
    /// Who wants this round to begin.
    pub(in crate::game) ready: [bool; 2],
    /// The match before the deal; none for round 1.
    pub(in crate::game) before: Option<StoredMatch>,
    /// What the deck follows from; none before the deal.
    pub(in crate::game) seed: Option<[u8; 32]>,
    pub(in crate::game) starter: Option<u8>,
    /// All of the round's actions once it has ended; until then they stand with the match.
    pub(in crate::game) actions: Vec<Logged>,
    /// The result as JSON, once there is one.
    pub(in crate::game) result: Option<String>,
    pub(in crate::game) started_at: Option<Timestamp>,
    pub(in crate::game) ended_at: Option<Timestamp>,
}

/// The server's share in a shuffle.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::game) enum ServerSeed {
    /// Sealed while it must stay secret.
    Sealed(Vec<u8>),
    /// Revealed: the round has ended.
    Open([u8; 32]),
}

impl Record for Round {
    const TABLE: TableId = TableId { number: 52, name: "game.rounds" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &ROUNDS, lane: Lane::Bulk });

    fn key(&self) -> Key {
        Key::of(self.game_id).small(self.round)
    }

    fn upstream_id(key: &[u8]) -> Option<String> {
        let (game, rest) = RawId::read_key(key).ok()?;
        let round = u32::from_be_bytes(rest.try_into().ok()?);
        Some(format!("{game}.{round}"))
    }

    fn upstream_key(id: &str) -> Option<Vec<u8>> {
        let (game, round) = id.rsplit_once('.')?;
        let (game, number) = (game.parse::<crate::base::id::RawId>().ok()?, round.parse::<u32>().ok()?);
        // Another spelling of the number is another id upstream, and none of ours.
        (number.to_string() == round).then(|| Key::of(game).small(number).as_bytes().to_vec())
    }

    fn upstream_row(&self) -> Vec<Value> {
        let (sealed, open) = match &self.server_seed {
            ServerSeed::Sealed(sealed) => (Some(sealed), None),
            ServerSeed::Open(open) => (None, Some(open)),
        };
        let [nonce0, nonce1] = self.nonces;
        let coded = |logged: &Logged| {
            let [low, high] = logged.code.to_le_bytes();
            [logged.actor, low, high]
        };
        vec![
            text(self.game_id),
            number(self.round),
            bytes(self.commitment),
            bytes_or_null(sealed),
            bytes_or_null(open),
            bytes_or_null(nonce0),
            bytes_or_null(nonce1),
            // The deck follows from it, so it travels only with the server seed.
            bytes_or_null(self.seed.filter(|_| open.is_some())),
            number_or_null(self.starter),
            bytes(self.actions.iter().flat_map(coded).collect::<Vec<u8>>()),
            self.result.clone().map_or(Value::Null, Value::Json),
            time_or_null(self.started_at),
            time_or_null(self.ended_at),
        ]
    }

    /// Without what the deck follows from, until that is revealed.
    fn upstream_record(&self, stored: &[u8]) -> Result<Value, Fault> {
        match self.server_seed {
            ServerSeed::Open(_) => Ok(Value::Bytes(stored.to_vec())),
            ServerSeed::Sealed(_) => Ok(Value::Bytes(encode(&Self { seed: None, ..self.clone() })?)),
        }
    }
}

/// `actions` is three bytes for each action: the actor (0, 1, or 2 for the server) and the code of rules 12.3, low byte first.
static ROUNDS: Table = Table {
    schema: "game",
    name: "rounds",
    append_only: false,
    columns: &[
        column("game_id", Type::Text),
        column("round", Type::BigInt),
        column("commitment", Type::Bytes),
        nullable("secret_sealed", Type::Bytes),
        nullable("server_seed", Type::Bytes),
        nullable("nonce0", Type::Bytes),
        nullable("nonce1", Type::Bytes),
        nullable("seed", Type::Bytes),
        nullable("starter", Type::BigInt),
        column("actions", Type::Bytes),
        nullable("result", Type::Json),
        nullable("started_at", Type::Time),
        nullable("ended_at", Type::Time),
        RECORD,
    ],
};

/// How a player stands in a period. Follows from the matches, so it stays on the box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::game) struct Standing {
    /// 0 for all time, otherwise a week's number from 1970 on, starting at 1.
    pub(in crate::game) period: u32,
    pub(in crate::game) user_id: UserId,
    pub(in crate::game) username: Username,
    pub(in crate::game) won: u32,
    pub(in crate::game) played: u32,
}

/// A period's players, most matches won first.
pub(in crate::game) const STANDING_BY_RANK: Index = Index::ordered(1);

impl Record for Standing {
    const TABLE: TableId = TableId { number: 53, name: "game.standings" };

    fn key(&self) -> Key {
        Key::new().small(self.period).id(self.user_id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(STANDING_BY_RANK, &Key::new().small(self.period).small(u32::MAX - self.won).small(self.played));
    }
}

/// How two players stand against each other: all their matches that somebody won. Arrays are by the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::game) struct Pair {
    pub(in crate::game) low: UserId,
    pub(in crate::game) high: UserId,
    pub(in crate::game) played: u32,
    pub(in crate::game) won: [u32; 2],
    pub(in crate::game) rounds_won: [u32; 2],
    pub(in crate::game) points: [u64; 2],
    /// The match that was counted last, and when it ended.
    pub(in crate::game) last_game_id: GameId,
    pub(in crate::game) last_ended_at: Timestamp,
}

impl Pair {
    /// The key of two players, in whatever order they are named.
    pub(in crate::game) fn key_of(one: UserId, other: UserId) -> Key {
        Key::of(one.min(other)).id(one.max(other))
    }
}

impl Record for Pair {
    const TABLE: TableId = TableId { number: 54, name: "game.pairs" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &PAIRS, lane: Lane::Bulk });

    fn key(&self) -> Key {
        Self::key_of(self.low, self.high)
    }

    fn upstream_id(key: &[u8]) -> Option<String> {
        let (low, rest) = RawId::read_key(key).ok()?;
        let (high, rest) = RawId::read_key(rest).ok()?;
        rest.is_empty().then(|| format!("{low}.{high}"))
    }

    fn upstream_row(&self) -> Vec<Value> {
        let [won0, won1] = self.won;
        let [rounds_won0, rounds_won1] = self.rounds_won;
        let [points0, points1] = self.points;
        vec![
            text(self.low),
            text(self.high),
            number(self.played),
            number(won0),
            number(won1),
            number(rounds_won0),
            number(rounds_won1),
            number(points0),
            number(points1),
            text(self.last_game_id),
            time(self.last_ended_at),
        ]
    }
}

static PAIRS: Table = Table {
    schema: "game",
    name: "pairs",
    append_only: false,
    columns: &[
        column("player0_id", Type::Text),
        column("player1_id", Type::Text),
        column("played", Type::BigInt),
        column("won0", Type::BigInt),
        column("won1", Type::BigInt),
        column("rounds_won0", Type::BigInt),
        column("rounds_won1", Type::BigInt),
        column("points0", Type::BigInt),
        column("points1", Type::BigInt),
        column("last_game_id", Type::Text),
        column("last_ended_at", Type::Time),
        RECORD,
    ],
};

/// Options as upstream's JSON; a damaged set is `null`, which upstream refuses by name.
fn options_json(options: &StoredOptions) -> Value {
    match Options::from_stored(options).map(|options| serde_json::to_string(&options)) {
        Ok(Ok(json)) => Value::Json(json),
        Ok(Err(_)) | Err(_) => Value::Null,
    }
}

macro_rules! shy_debug {
    ($($name:ident: $($field:ident),*;)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
            }
        }
    )*};
}

shy_debug! {
    GameInvite: id, state;
    Session: id, updated_at, ended_at;
    Round: game_id, round;
}

/// A stored match that the rules cannot read is damage.
pub(in crate::game) fn damaged(_: impl std::error::Error) -> Fault {
    Fault::Corrupt { table: Session::TABLE.name, reason: "the rules cannot read it" }
}

#[cfg(test)]
mod tests;
