//! Reading a whole state from the JSON of rules 15.1, as `position` records carry it.
//!
//! The JSON is turned into the plain numbers of `stored`. Unknown fields and wrong types are errors. The laws of the
//! rules are not tested: positions made for a test leave cards out or hold one twice. So this serves records only; a
//! match that is to be played comes from `Match::from_stored`, which tests them.

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::whot::card::{Card, CardSet, Seat, Shape};
use crate::whot::matches::Match;
use crate::whot::options::Options;
use crate::whot::shuffle::{Seed, bytes_from_hex};
use crate::whot::state::{BadState, EndReason, Phase, RoundReason, State};
use crate::whot::stored::{StoredResult, StoredRound, StoredState};

/// A position that cannot be loaded.
#[derive(Debug, Error)]
pub(in crate::whot) enum BadPosition {
    /// The JSON has not the form of rules 15.1.
    #[error("the state is malformed: {0}")]
    Form(#[from] serde_json::Error),
    /// A word, number or list stands for nothing.
    #[error("the state is malformed: {0}")]
    State(#[from] BadState),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Doc {
    called: Option<String>,
    drawn: Option<u8>,
    end_reason: Option<String>,
    hands: [Vec<u8>; 2],
    history: Vec<RoundDoc>,
    market: Vec<u8>,
    pending: Option<PendingDoc>,
    phase: String,
    pile: Vec<u8>,
    points: [u32; 2],
    reshuffles: u32,
    result: Option<ResultDoc>,
    round: u32,
    rounds_won: [u32; 2],
    seq: u64,
    starter: u8,
    timeouts: [u32; 2],
    turn: Option<u8>,
    winner: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PendingDoc {
    number: u8,
    count: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoundDoc {
    round: u32,
    starter: u8,
    reason: String,
    winner: Option<u8>,
    points: [u32; 2],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResultDoc {
    round: u32,
    starter: u8,
    reason: String,
    winner: Option<u8>,
    points: [u32; 2],
    hands: [Vec<u8>; 2],
    seed: String,
}

/// A match in the position of this JSON.
///
/// # Errors
/// [`BadPosition`] if it is malformed.
pub(in crate::whot) fn load(
    options: Options,
    first_starter: Seat,
    seed: Seed,
    state: &Value,
) -> Result<Match, BadPosition> {
    let state = State::from_stored(&Doc::deserialize(state)?.into_stored()?)?;
    Ok(Match { options, first_starter, seed, state })
}

impl Doc {
    fn into_stored(self) -> Result<StoredState, BadState> {
        let shape = |word: String| Shape::from_word(&word).map(Shape::index);
        let end = |word: String| EndReason::from_word(&word).map(EndReason::code);
        Ok(StoredState {
            seq: self.seq,
            round: self.round,
            phase: Phase::from_word(&self.phase).ok_or(BadState("There is no such phase."))?.code(),
            turn: self.turn,
            starter: self.starter,
            hands: hands(&self.hands)?,
            market: self.market,
            pile: self.pile,
            called: known(self.called, shape)?,
            pending: self.pending.map(|pending| (pending.number, pending.count)),
            drawn: self.drawn,
            reshuffles: self.reshuffles,
            timeouts: self.timeouts,
            rounds_won: self.rounds_won,
            points: self.points,
            history: self.history.into_iter().map(RoundDoc::into_stored).collect::<Result<_, _>>()?,
            result: self.result.map(ResultDoc::into_stored).transpose()?,
            winner: self.winner,
            end_reason: known(self.end_reason, end)?,
        })
    }
}

impl RoundDoc {
    fn into_stored(self) -> Result<StoredRound, BadState> {
        let reason = RoundReason::from_word(&self.reason).ok_or(UNKNOWN_WORD)?.code();
        Ok(StoredRound { round: self.round, starter: self.starter, reason, winner: self.winner, points: self.points })
    }
}

impl ResultDoc {
    fn into_stored(self) -> Result<StoredResult, BadState> {
        let Self { round, starter, reason, winner, points, .. } = self;
        Ok(StoredResult {
            line: RoundDoc { round, starter, reason, winner, points }.into_stored()?,
            hands: hands(&self.hands)?,
            seed: bytes_from_hex(&self.seed).ok_or(BadState("The seed is not 64 lower-case hexadecimal digits."))?,
        })
    }
}

const UNKNOWN_WORD: BadState = BadState("There is no such shape or reason.");

fn known(word: Option<String>, read: impl Fn(String) -> Option<u8>) -> Result<Option<u8>, BadState> {
    word.map(|word| read(word).ok_or(UNKNOWN_WORD)).transpose()
}

fn hands(hands: &[Vec<u8>; 2]) -> Result<[u64; 2], BadState> {
    let [zero, one] = hands;
    Ok([hand(zero)?, hand(one)?])
}

fn hand(ids: &[u8]) -> Result<u64, BadState> {
    let cards: Option<CardSet> = ids.iter().map(|id| Card::new(u64::from(*id))).collect();
    cards.map(CardSet::bits).ok_or(BadState("There is no such card."))
}
