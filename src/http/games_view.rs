//! What games look like as JSON, and what their refusals are to a client. Every field is listed here; what a seat may
//! know was decided before, by the rules' projection.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::base::id::{GameId, GameInviteId, UserId};
use crate::base::text::{ClientId, Username};
use crate::base::time::Timestamp;
use crate::game::error::Error;
use crate::game::history::{Frame, Proof, ProvenRound};
use crate::game::invites::InviteInfo;
use crate::game::play::Play;
use crate::game::scores::{PairBoard, PairScore, PastMatch, Place, Scoreboard};
use crate::game::sessions::{SeatInfo, Shown};
use crate::http::problem::{Code, Problem};
use crate::http::{auth, body, reply};
use crate::store::page::Listed;
use crate::whot::action::{Action, Actor};
use crate::whot::card::{Card, CardList, CardSet, PerSeat, Seat, Shape};
use crate::whot::event::Event;
use crate::whot::options::{BadOptions, Options, Preset};
use crate::whot::refusal::Refusal;
use crate::whot::shuffle::{bytes_from_hex, bytes_to_hex};
use crate::whot::state::{HistoryEntry, Pending, Phase, RoundResult};

/// A player of a match.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Seated {
    /// `null` for a bot.
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
    #[schema(value_type = String)]
    username: Username,
}

/// A match as the caller may see it: the seat's view, who plays, and the terms.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Game {
    #[schema(value_type = String)]
    game_id: GameId,
    /// By seat.
    #[schema(value_type = Vec<Seated>)]
    players: PerSeat<Seated>,
    #[schema(value_type = Object)]
    options: Options,
    /// 64 hexadecimal digits: the present round's, between rounds the next one's.
    commitment: String,
    /// When the seat on turn runs out of time; `null` while no clock runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    turn_deadline: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    called: Option<Shape>,
    #[schema(value_type = Option<u8>)]
    drawn: Option<Card>,
    /// `target`, `resign`, `timeout`, or `void`.
    end_reason: Option<&'static str>,
    #[schema(value_type = Vec<u8>)]
    hand: CardSet,
    #[schema(value_type = Vec<Object>)]
    history: Vec<HistoryEntry>,
    #[schema(value_type = Vec<Object>)]
    legal: Vec<Action>,
    market_cards: u8,
    opponent_cards: u32,
    #[schema(value_type = Option<Object>)]
    pending: Option<Pending>,
    #[schema(value_type = String)]
    phase: Phase,
    #[schema(value_type = Vec<u8>)]
    pile: CardList,
    #[schema(value_type = Vec<u32>)]
    points: PerSeat<u32>,
    reshuffles: u32,
    #[schema(value_type = Option<Object>)]
    result: Option<RoundResult>,
    round: u32,
    #[schema(value_type = Vec<u32>)]
    rounds_won: PerSeat<u32>,
    #[schema(value_type = u8)]
    seat: Seat,
    seq: u64,
    #[schema(value_type = u8)]
    starter: Seat,
    #[schema(value_type = Vec<u32>)]
    timeouts: PerSeat<u32>,
    #[schema(value_type = Option<u8>)]
    turn: Option<Seat>,
    #[schema(value_type = Option<u8>)]
    winner: Option<Seat>,
}

impl Game {
    /// As it was at a time that is over.
    #[must_use]
    pub fn past(shown: Shown) -> Self {
        let Shown { game_id, players, options, commitment, view, end_reason } = shown;
        Self {
            game_id,
            players: PerSeat(players.0.map(seated)),
            options,
            commitment: bytes_to_hex(&commitment),
            turn_deadline: None,
            called: view.called,
            drawn: view.drawn,
            end_reason,
            hand: view.hand,
            history: view.history,
            legal: view.legal,
            market_cards: view.market_cards,
            opponent_cards: view.opponent_cards,
            pending: view.pending,
            phase: view.phase,
            pile: view.pile,
            points: view.points,
            reshuffles: view.reshuffles,
            result: view.result,
            round: view.round,
            rounds_won: view.rounds_won,
            seat: view.seat,
            seq: view.seq,
            starter: view.starter,
            timeouts: view.timeouts,
            turn: view.turn,
            winner: view.winner,
        }
    }

    /// As it is now, with its clock.
    #[must_use]
    pub fn now(app: &App, shown: Shown) -> Self {
        let game = Self::past(shown);
        if game.turn.is_none() {
            return game;
        }
        let online = |user| app.hub.presence(game.game_id, user).is_some_and(|presence| presence.online);
        let attended = game.players.0.iter().filter_map(|seat| seat.user_id).any(online);
        let (seconds, now) = (game.options.turn_seconds(), app.clock.monotonic());
        let remaining = app.game.clocks().remaining(game.game_id, game.seq, seconds, now, attended);
        Self { turn_deadline: remaining.map(|remaining| app.clock.now().plus(remaining)), ..game }
    }
}

/// A player as shown.
#[must_use]
pub fn seated(seat: SeatInfo) -> Seated {
    Seated { user_id: seat.user_id, username: seat.username }
}

/// An invite to a match.
#[derive(Debug, Serialize, ToSchema)]
pub struct GameInvite {
    #[schema(value_type = String)]
    id: GameInviteId,
    #[schema(value_type = String)]
    sender_id: UserId,
    #[schema(value_type = String)]
    sender_username: Username,
    #[schema(value_type = String)]
    recipient_id: UserId,
    #[schema(value_type = String)]
    recipient_username: Username,
    /// The full set.
    #[schema(value_type = Object)]
    options: Options,
    /// Of round 1, 64 hexadecimal digits.
    commitment: String,
    /// `pending`, `accepted`, `declined`, `cancelled` or `expired`.
    status: &'static str,
    /// The match, once accepted.
    #[schema(value_type = Option<String>)]
    game_id: Option<GameId>,
    /// The match that this is a rematch of.
    #[schema(value_type = Option<String>)]
    rematch_of: Option<GameId>,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<InviteInfo> for GameInvite {
    fn from(info: InviteInfo) -> Self {
        Self {
            id: info.id,
            sender_id: info.sender_id,
            sender_username: info.sender_username,
            recipient_id: info.recipient_id,
            recipient_username: info.recipient_username,
            options: info.options,
            commitment: bytes_to_hex(&info.commitment),
            status: info.state.name(),
            game_id: info.game_id,
            rematch_of: info.rematch_of,
            expires_at: info.expires_at,
            created_at: info.created_at,
        }
    }
}

/// An accepted action, and the match after it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Moved {
    /// Its number.
    seq: u64,
    /// What the caller may see of what happened.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Event>,
    game: Game,
}

impl Moved {
    /// The answer to an action.
    #[must_use]
    pub fn of(app: &App, frame: Frame) -> Self {
        Self { seq: frame.seq, events: frame.events, game: Game::now(app, frame.shown) }
    }
}

/// One action as the caller may see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Step {
    seq: u64,
    #[schema(value_type = Vec<Object>)]
    events: Vec<Event>,
}

impl From<Frame> for Step {
    fn from(frame: Frame) -> Self {
        Self { seq: frame.seq, events: frame.events }
    }
}

/// The scoreboard of a match.
#[derive(Debug, Serialize, ToSchema)]
pub struct Scores {
    #[schema(value_type = String)]
    game_id: GameId,
    /// By seat.
    players: Vec<Score>,
    #[schema(value_type = Vec<Object>)]
    history: Vec<HistoryEntry>,
    #[schema(value_type = Option<u8>)]
    winner: Option<Seat>,
    end_reason: Option<&'static str>,
}

/// A player's score in a match.
#[derive(Debug, Serialize, ToSchema)]
struct Score {
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
    #[schema(value_type = String)]
    username: Username,
    rounds_won: u32,
    points: u32,
}

impl From<Scoreboard> for Scores {
    fn from(board: Scoreboard) -> Self {
        let score = |seat: Seat| {
            let SeatInfo { user_id, username } = board.players.of(seat).clone();
            Score { user_id, username, rounds_won: *board.rounds_won.of(seat), points: *board.points.of(seat) }
        };
        Self {
            game_id: board.game_id,
            players: Seat::BOTH.map(score).into(),
            history: board.history,
            winner: board.winner,
            end_reason: board.end_reason,
        }
    }
}

/// How the caller stands against another player, and their matches that are over, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct PairScores {
    /// The caller, then the other.
    players: Vec<PairScoreLine>,
    /// Matches that somebody won.
    played: u32,
    #[schema(value_type = String)]
    last_game_id: GameId,
    #[schema(value_type = String, format = DateTime)]
    last_ended_at: Timestamp,
    items: Vec<PastGame>,
    next_cursor: Option<String>,
}

/// One of the two.
#[derive(Debug, Serialize, ToSchema)]
struct PairScoreLine {
    #[schema(value_type = String)]
    user_id: UserId,
    #[schema(value_type = String)]
    username: Username,
    /// Matches won.
    won: u32,
    /// Rounds won in all matches.
    rounds_won: u32,
    /// Points of all matches; low is good.
    points: u64,
}

/// A match that is over.
#[derive(Debug, Serialize, ToSchema)]
struct PastGame {
    #[serde(flatten)]
    scores: Scores,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

impl PairScores {
    /// The answer: the sums and a page of the history.
    #[must_use]
    pub fn of(board: PairBoard, history: Listed<PastMatch>) -> Self {
        let line = |score: PairScore| {
            let PairScore { user_id, username, won, rounds_won, points } = score;
            PairScoreLine { user_id, username, won, rounds_won, points }
        };
        let past = |past: PastMatch| PastGame {
            scores: past.board.into(),
            created_at: past.created_at,
            ended_at: past.ended_at,
        };
        Self {
            players: board.players.into_iter().map(line).collect(),
            played: board.played,
            last_game_id: board.last_game_id,
            last_ended_at: board.last_ended_at,
            items: history.items.into_iter().map(past).collect(),
            next_cursor: history.next.as_deref().map(reply::cursor),
        }
    }
}

/// A line of the leaderboard.
#[derive(Debug, Serialize, ToSchema)]
pub struct Standing {
    #[schema(value_type = String)]
    user_id: UserId,
    #[schema(value_type = String)]
    username: Username,
    /// Matches won.
    won: u32,
    /// Matches played to their end.
    played: u32,
}

impl From<Place> for Standing {
    fn from(place: Place) -> Self {
        Self { user_id: place.user_id, username: place.username, won: place.won, played: place.played }
    }
}

/// What proves the deals of a match; `whotbox replay` checks it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProofBody {
    #[schema(value_type = String)]
    game_id: GameId,
    /// In round order, each 64 hexadecimal digits.
    commitments: Vec<String>,
    /// Finished rounds.
    rounds: Vec<RoundProof>,
}

/// A finished round's proof.
#[derive(Debug, Serialize, ToSchema)]
struct RoundProof {
    round: u32,
    server_seed: String,
    /// By seat; `null` where none was sent.
    nonces: [Option<String>; 2],
    seed: String,
    #[schema(value_type = Object)]
    options: Options,
    #[schema(value_type = u8)]
    first_starter: Seat,
    actions: Vec<ActionProof>,
}

/// One action of a finished round.
#[derive(Debug, Serialize, ToSchema)]
struct ActionProof {
    /// 0, 1 or `"server"`.
    #[schema(value_type = Object)]
    actor: Actor,
    #[schema(value_type = Object)]
    action: Action,
}

impl From<Proof> for ProofBody {
    fn from(proof: Proof) -> Self {
        let round = |round: ProvenRound| RoundProof {
            round: round.round,
            server_seed: bytes_to_hex(&round.server_seed),
            nonces: round.nonces.map(|nonce| nonce.map(|nonce| bytes_to_hex(&nonce))),
            seed: bytes_to_hex(&round.seed),
            options: round.options,
            first_starter: round.first_starter,
            actions: round.actions.into_iter().map(|(actor, action)| ActionProof { actor, action }).collect(),
        };
        Self {
            game_id: proof.game_id,
            commitments: proof.commitments.iter().map(|commitment| bytes_to_hex(commitment)).collect(),
            rounds: proof.rounds.into_iter().map(round).collect(),
        }
    }
}

/// An action: `{"type": "play", "card": …, "shape"?: …, "call"?: …}`, `draw`, `pass` or `resign`. Without a `type` it
/// is a play. Other fields than these are refused.
#[derive(Deserialize, ToSchema)]
pub struct PlayBody {
    /// The client's own id of this action: sent again, it gives the first answer again.
    #[schema(value_type = Option<String>, max_length = 128)]
    client_id: Option<ClientId>,
    /// Where the client takes the match to be; another is refused with `stale_state`.
    expected_seq: Option<u64>,
    #[serde(rename = "type")]
    #[schema(value_type = Option<String>)]
    _kind: Option<serde::de::IgnoredAny>,
    /// An id from 0 to 53, or a name such as `C12`.
    #[serde(rename = "card")]
    #[schema(value_type = Option<Value>)]
    _card: Option<serde::de::IgnoredAny>,
    #[serde(rename = "shape")]
    #[schema(value_type = Option<String>)]
    _shape: Option<serde::de::IgnoredAny>,
    #[serde(rename = "call")]
    #[schema(value_type = Option<bool>)]
    _call: Option<serde::de::IgnoredAny>,
}

/// Reads an action with its envelope in one object, as a play's body has it.
///
/// # Errors
/// 422 for the envelope, `bad_action` for the action.
pub fn play_of(value: &Value) -> Result<Play, Problem> {
    let PlayBody { client_id, expected_seq, .. } = body::from_value(value.clone())?;
    let action = Action::from_client(value, &["client_id", "expected_seq"]).map_err(refused)?;
    Ok(Play { action, client_id, expected_seq })
}

/// A share in a shuffle: 64 lower-case hexadecimal digits.
///
/// # Errors
/// 422 naming `nonce`.
pub fn nonce_of(text: &str) -> Result<[u8; 32], Problem> {
    bytes_from_hex(text).ok_or_else(|| Problem::field("nonce", "A nonce is 64 lower-case hexadecimal digits."))
}

/// The options of a request: those given, laid over the preset (rules 3.1).
///
/// # Errors
/// `bad_options` naming the field.
pub fn options_of(preset: Option<&str>, options: Option<&Value>) -> Result<Options, Problem> {
    let bad = |bad: BadOptions| {
        let field =
            if bad.field == "preset" || bad.field == "options" { bad.field } else { format!("options.{}", bad.field) };
        Problem::new(Code::BadOptions).and_field(field, bad.message)
    };
    let preset = preset.map_or(Ok(Preset::Nigerian), Preset::from_name).map_err(bad)?;
    match options {
        None | Some(Value::Null) => Ok(Options::preset(preset)),
        Some(options) => Options::from_json(preset, options).map_err(bad),
    }
}

/// What a refusal of the game's is to a client.
#[must_use]
pub fn problem(error: Error) -> Problem {
    match error {
        Error::NotFound => Code::NotFound.into(),
        Error::UnknownPlayer => Problem::field("recipient_username", "Nobody of this name plays on this box."),
        Error::SelfInvite => Problem::field("recipient_username", "Invite somebody else: this is you."),
        Error::TooManyInvites => {
            Problem::new(Code::Conflict).detail("Too many of your invites wait for an answer. Take one back or wait.")
        }
        Error::TooManyMatches => {
            Problem::new(Code::Conflict).detail("One of the two has too many unfinished matches. Finish one first.")
        }
        Error::OpponentGone => Problem::new(Code::Conflict).detail("The other player can play no longer."),
        Error::InviteAnswered => Code::InviteAnswered.into(),
        Error::InviteExpired => Code::InviteExpired.into(),
        Error::Refused(refusal) => refused(refusal),
        Error::Stale { seq } => Problem::new(Code::StaleState).with("seq", seq),
        Error::NotOver => Problem::new(Code::Conflict).detail("The match is not over yet."),
        Error::NotDealt => Code::RoundOver.into(),
        Error::BadToken => Code::Unauthenticated.into(),
        Error::Denied(denied) => auth::denied(denied),
        Error::Reused(_) => Code::IdempotencyKeyReused.into(),
        Error::Store(fault) => auth::fault(fault),
    }
}

fn refused(refusal: Refusal) -> Problem {
    let code = match refusal {
        Refusal::BadAction => Code::BadAction,
        Refusal::MatchOver => Code::MatchOver,
        Refusal::RoundLive => Code::RoundLive,
        Refusal::RoundOver => Code::RoundOver,
        Refusal::NotYourTurn => Code::NotYourTurn,
        Refusal::CardNotInHand => Code::CardNotInHand,
        Refusal::MustPlayDrawn => Code::MustPlayDrawn,
        Refusal::ShapeRequired => Code::ShapeRequired,
        Refusal::ShapeNotAllowed => Code::ShapeNotAllowed,
        Refusal::PenaltyPending => Code::PenaltyPending,
        Refusal::NoMatch => Code::NoMatch,
        Refusal::SpecialFinish => Code::SpecialFinish,
        Refusal::BadCall => Code::BadCall,
        Refusal::AlreadyDrew => Code::AlreadyDrew,
        Refusal::MustPlay => Code::MustPlay,
        Refusal::CannotPass => Code::CannotPass,
    };
    code.into()
}
