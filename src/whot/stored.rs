//! A match as the store keeps it: plain numbers that any binary codec can write, and the checked way back.
//!
//! Field order is part of the stored format. Shows every hidden card: never for a player. Reading back refuses whatever
//! the rules cannot reach, so that a damaged row is an error and never a game.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::whot::card::{Card, CardList, CardSet, LIST_CAPACITY, PerSeat, Seat, Shape};
use crate::whot::matches::Match;
use crate::whot::options::{BadOptions, Options, StoredOptions};
use crate::whot::shuffle::Seed;
use crate::whot::state::{BadState, EndReason, HistoryEntry, Pending, Phase, RoundReason, RoundResult, State};

/// A match in plain numbers; words are positions in their lists, hands are bits (bit n is card n).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "The fields are those of rules 3.1, 4.1, 5.1 and 15.1.")]
pub struct StoredMatch {
    pub options: StoredOptions,
    pub first_starter: u8,
    pub seed: [u8; 32],
    pub state: StoredState,
}

/// The state of rules 15.1 in plain numbers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "The fields are those of rules 15.1.")]
pub struct StoredState {
    pub seq: u64,
    pub round: u32,
    pub phase: u8,
    pub turn: Option<u8>,
    pub starter: u8,
    pub hands: [u64; 2],
    pub market: Vec<u8>,
    pub pile: Vec<u8>,
    pub called: Option<u8>,
    pub pending: Option<(u8, u32)>,
    pub drawn: Option<u8>,
    pub reshuffles: u32,
    pub timeouts: [u32; 2],
    pub rounds_won: [u32; 2],
    pub points: [u32; 2],
    pub history: Vec<StoredRound>,
    pub result: Option<StoredResult>,
    pub winner: Option<u8>,
    pub end_reason: Option<u8>,
}

/// A line of the scoreboard in plain numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "The fields are those of rules 10.5.")]
pub struct StoredRound {
    pub round: u32,
    pub starter: u8,
    pub reason: u8,
    pub winner: Option<u8>,
    pub points: [u32; 2],
}

/// The finished round in plain numbers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "The fields are those of rules 10.1.")]
pub struct StoredResult {
    pub line: StoredRound,
    pub hands: [u64; 2],
    pub seed: [u8; 32],
}

/// A stored match that cannot be one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BadStored {
    /// The options lie outside their table.
    #[error("stored options: {0}")]
    Options(#[from] BadOptions),
    /// The state breaks a law of the rules.
    #[error("stored state: {0}")]
    State(#[from] BadState),
}

/// A number that stands for nothing.
const OUT_OF_RANGE: BadState = BadState("A number stands for no card, seat, shape or word.");

impl Match {
    /// The form for the store. It holds every hidden card.
    pub fn to_stored(&self) -> StoredMatch {
        StoredMatch {
            options: self.options.to_stored(),
            first_starter: self.first_starter.index(),
            seed: self.seed.0,
            state: self.state.to_stored(),
        }
    }

    /// The match of a stored form.
    ///
    /// # Errors
    /// [`BadStored`] if the rules cannot reach it.
    pub fn from_stored(stored: &StoredMatch) -> Result<Self, BadStored> {
        let options = Options::from_stored(&stored.options)?;
        let (first_starter, seed) = (seat(stored.first_starter)?, Seed(stored.seed));
        let state = State::from_stored(&stored.state)?;
        state.check(&options)?;
        Ok(Self { options, first_starter, seed, state })
    }
}

impl State {
    fn to_stored(&self) -> StoredState {
        StoredState {
            seq: self.seq,
            round: self.round,
            phase: self.phase.code(),
            turn: self.turn.map(Seat::index),
            starter: self.starter.index(),
            hands: self.hands.0.map(CardSet::bits),
            market: ids(&self.market),
            pile: ids(&self.pile),
            called: self.called.map(Shape::index),
            pending: self.pending.map(|pending| (pending.number, pending.count)),
            drawn: self.drawn.map(Card::id),
            reshuffles: self.reshuffles,
            timeouts: self.timeouts.0,
            rounds_won: self.rounds_won.0,
            points: self.points.0,
            history: self.history.iter().copied().map(HistoryEntry::to_stored).collect(),
            result: self.result.map(RoundResult::to_stored),
            winner: self.winner.map(Seat::index),
            end_reason: self.end_reason.map(EndReason::code),
        }
    }

    /// Reads the numbers without testing the laws: that is [`State::check`].
    pub(in crate::whot) fn from_stored(stored: &StoredState) -> Result<Self, BadState> {
        let shape = |index| Shape::from_index(index).ok_or(OUT_OF_RANGE);
        let end = |code| EndReason::from_code(code).ok_or(OUT_OF_RANGE);
        Ok(Self {
            called: stored.called.map(shape).transpose()?,
            drawn: stored.drawn.map(card).transpose()?,
            end_reason: stored.end_reason.map(end).transpose()?,
            hands: sets(stored.hands)?,
            history: stored.history.iter().map(HistoryEntry::from_stored).collect::<Result<_, _>>()?,
            market: list(&stored.market)?,
            pending: stored.pending.map(|(number, count)| Pending { number, count }),
            phase: Phase::from_code(stored.phase).ok_or(OUT_OF_RANGE)?,
            pile: list(&stored.pile)?,
            points: PerSeat(stored.points),
            reshuffles: stored.reshuffles,
            result: stored.result.as_ref().map(RoundResult::from_stored).transpose()?,
            round: stored.round,
            rounds_won: PerSeat(stored.rounds_won),
            seq: stored.seq,
            starter: seat(stored.starter)?,
            timeouts: PerSeat(stored.timeouts),
            turn: stored.turn.map(seat).transpose()?,
            winner: stored.winner.map(seat).transpose()?,
        })
    }
}

impl HistoryEntry {
    fn to_stored(self) -> StoredRound {
        StoredRound {
            round: self.round,
            starter: self.starter.index(),
            reason: self.reason.code(),
            winner: self.winner.map(Seat::index),
            points: self.points.0,
        }
    }

    fn from_stored(stored: &StoredRound) -> Result<Self, BadState> {
        Ok(Self {
            points: PerSeat(stored.points),
            reason: RoundReason::from_code(stored.reason).ok_or(OUT_OF_RANGE)?,
            round: stored.round,
            starter: seat(stored.starter)?,
            winner: stored.winner.map(seat).transpose()?,
        })
    }
}

impl RoundResult {
    fn to_stored(self) -> StoredResult {
        let Self { hands, points, reason, round, seed, starter, winner } = self;
        let line = HistoryEntry { points, reason, round, starter, winner }.to_stored();
        StoredResult { line, hands: hands.0.map(CardSet::bits), seed: seed.0 }
    }

    fn from_stored(stored: &StoredResult) -> Result<Self, BadState> {
        let HistoryEntry { points, reason, round, starter, winner } = HistoryEntry::from_stored(&stored.line)?;
        let (hands, seed) = (sets(stored.hands)?, Seed(stored.seed));
        Ok(Self { hands, points, reason, round, seed, starter, winner })
    }
}

fn ids(cards: &CardList) -> Vec<u8> {
    cards.as_slice().iter().map(|card| card.id()).collect()
}

fn seat(index: u8) -> Result<Seat, BadState> {
    Seat::from_index(u64::from(index)).ok_or(OUT_OF_RANGE)
}

fn card(id: u8) -> Result<Card, BadState> {
    Card::new(u64::from(id)).ok_or(OUT_OF_RANGE)
}

fn list(ids: &[u8]) -> Result<CardList, BadState> {
    if ids.len() > LIST_CAPACITY {
        return Err(BadState("A list holds more cards than fit."));
    }
    ids.iter().copied().map(card).collect()
}

fn sets([zero, one]: [u64; 2]) -> Result<PerSeat<CardSet>, BadState> {
    let set = |bits| CardSet::from_bits(bits).ok_or(OUT_OF_RANGE);
    Ok(PerSeat([set(zero)?, set(one)?]))
}
