//! The state of a match (section 15 of the rules) and the laws it obeys at all times (section 20).
//!
//! [`State`] holds both hands and the market, so its fields are open to the rules only. Outside, a match is seen through
//! `Match::view`; the store and the records use `stored` and `record`, whose names say what they show. `Debug` shows
//! public facts only, so that no log line can carry a hand.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use thiserror::Error;

use crate::whot::card::{Card, CardList, CardSet, PerSeat, Seat, Shape};
use crate::whot::options::{Options, Pick};
use crate::whot::shuffle::Seed;
use crate::whot::words::words;

words! {
    /// Where a match stands.
    Phase {
        /// The seat on turn plays a card or draws.
        Play = "play",
        /// The seat on turn plays the card just drawn or passes.
        AfterDraw = "after_draw",
        /// Between rounds.
        RoundOver = "round_over",
        /// The match is over.
        MatchOver = "match_over",
    }
}
words! {
    /// Why a round ended (rules 10).
    RoundReason {
        /// A hand became empty.
        EmptyHand = "empty_hand",
        /// The market ran out and the hands were counted.
        Count = "count",
        /// A player resigned.
        Resign = "resign",
        /// A player let the clock run out too often.
        Timeout = "timeout",
    }
}
words! {
    /// Why a match ended (rules 11).
    EndReason {
        /// The target was reached.
        Target = "target",
        /// A player resigned.
        Resign = "resign",
        /// A player let the clock run out too often.
        Timeout = "timeout",
    }
}

impl Phase {
    /// Whether the round is live (rules 1.4).
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Play | Self::AfterDraw)
    }
}

/// A penalty that the seat on turn must answer or take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pending {
    /// 2 or 5.
    pub number: u8,
    /// Cards to draw in total.
    pub count: u32,
}

impl Serialize for Pending {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Pending", 2)?;
        fields.serialize_field("count", &self.count)?;
        fields.serialize_field("number", &self.number)?;
        fields.end()
    }
}

/// One finished round on the scoreboard (rules 10.5). Fields stand in canonical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HistoryEntry {
    /// Points of each seat in this round; low is good.
    pub points: PerSeat<u32>,
    /// Why it ended.
    pub reason: RoundReason,
    /// Which round, from 1.
    pub round: u32,
    /// Who started it.
    pub starter: Seat,
    /// Who won it, if anyone.
    pub winner: Option<Seat>,
}

/// A finished round with everything open (rules 10.1). Fields stand in canonical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RoundResult {
    /// Both hands at the end.
    pub hands: PerSeat<CardSet>,
    /// Points of each seat in this round.
    pub points: PerSeat<u32>,
    /// Why it ended.
    pub reason: RoundReason,
    /// Which round, from 1.
    pub round: u32,
    /// The seed of the round, from which anyone can deal it again.
    pub seed: Seed,
    /// Who started it.
    pub starter: Seat,
    /// Who won it, if anyone.
    pub winner: Option<Seat>,
}

/// Everything about a match but its options, first starter and seed (rules 15.1). Fields stand in canonical order.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub(in crate::whot) struct State {
    pub(in crate::whot) called: Option<Shape>,
    pub(in crate::whot) drawn: Option<Card>,
    pub(in crate::whot) end_reason: Option<EndReason>,
    pub(in crate::whot) hands: PerSeat<CardSet>,
    pub(in crate::whot) history: Vec<HistoryEntry>,
    pub(in crate::whot) market: CardList,
    pub(in crate::whot) pending: Option<Pending>,
    pub(in crate::whot) phase: Phase,
    pub(in crate::whot) pile: CardList,
    pub(in crate::whot) points: PerSeat<u32>,
    pub(in crate::whot) reshuffles: u32,
    pub(in crate::whot) result: Option<RoundResult>,
    pub(in crate::whot) round: u32,
    pub(in crate::whot) rounds_won: PerSeat<u32>,
    pub(in crate::whot) seq: u64,
    pub(in crate::whot) starter: Seat,
    pub(in crate::whot) timeouts: PerSeat<u32>,
    pub(in crate::whot) turn: Option<Seat>,
    pub(in crate::whot) winner: Option<Seat>,
}

/// A state that the rules can never reach; only a damaged row or a forged file has one.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct BadState(pub &'static str);

impl State {
    /// Tests the laws of rules 15.1 and 20.1.
    pub(in crate::whot) fn check(&self, options: &Options) -> Result<(), BadState> {
        let law = |holds: bool, name: &'static str| if holds { Ok(()) } else { Err(BadState(name)) };
        let live = self.phase.is_live();
        let [zero, one] = self.hands.0;
        let lists = self.market.as_slice().iter().chain(self.pile.as_slice()).copied();
        let all: CardSet = zero.iter().chain(one.iter()).chain(lists).collect();
        let count = zero.len() + one.len() + u32::from(self.market.len()) + u32::from(self.pile.len());
        law(all == CardSet::DECK && count == all.len(), "Hands, market and pile are not exactly the 54 cards.")?;
        let top = self.pile.last().ok_or(BadState("The pile is empty."))?;
        law(
            !live || !(zero.is_empty() || one.is_empty() || self.market.is_empty()),
            "A live hand or market is empty.",
        )?;
        law(self.called.is_some() == top.is_whot(), "A shape is called exactly under a Whot.")?;
        law(self.turn.is_some() == live, "A seat is on turn exactly while the round is live.")?;
        law(self.drawn.is_some() == (self.phase == Phase::AfterDraw), "A drawn card is marked exactly after a draw.")?;
        let own_drawn = |card| self.turn.is_some_and(|seat| self.hands.of(seat).contains(card));
        law(self.drawn.is_none_or(own_drawn), "The drawn card is not in the hand of the seat on turn.")?;
        law(self.pending.is_none() || self.phase == Phase::Play, "A penalty stands outside a turn.")?;
        let possible = |p: Pending| p.count >= 2 && matches!(options.pick(p.number), Pick::Stack | Pick::Cancel);
        law(self.pending.is_none_or(possible), "The penalty is impossible under the options.")?;
        law(!live || self.result.is_none(), "A live round has a result.")?;
        let over = self.phase == Phase::MatchOver;
        law(self.winner.is_some() == over && self.end_reason.is_some() == over, "A winner stands exactly at the end.")?;
        law(self.round >= 1, "Rounds are numbered from 1.")
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("seq", &self.seq)
            .field("round", &self.round)
            .field("phase", &self.phase)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}
