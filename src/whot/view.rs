//! What one seat may know of a match (section 16 of the rules): the one projection of the state.
//!
//! Whatever reaches a player is a [`View`] or an event through `Event::seen_by`; there is no third way. While the round
//! is live a view depends on nothing of the other hand and the market but their sizes, and a property test says so.

use serde::Serialize;

use crate::whot::action::Action;
use crate::whot::card::{Card, CardList, CardSet, PerSeat, Seat, Shape};
use crate::whot::options::Options;
use crate::whot::state::{EndReason, HistoryEntry, Pending, Phase, RoundResult, State};

/// All a seat may know and all a client needs to redraw (rules 16.1). Fields stand in canonical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// The shape named with the Whot on top.
    pub called: Option<Shape>,
    /// The card just drawn, for the seat that may play it now.
    pub drawn: Option<Card>,
    /// Why the match ended.
    pub end_reason: Option<EndReason>,
    /// The own hand.
    pub hand: CardSet,
    /// The scoreboard, a line for each finished round.
    pub history: Vec<HistoryEntry>,
    /// What this seat may do now (rules 12.4).
    pub legal: Vec<Action>,
    /// How many cards the market holds.
    pub market_cards: u8,
    /// How many cards the other seat holds.
    pub opponent_cards: u32,
    /// The penalty to answer or take.
    pub pending: Option<Pending>,
    /// Where the match stands.
    pub phase: Phase,
    /// The face-up pile; the last card is the top.
    pub pile: CardList,
    /// Running points of each seat; low is good.
    pub points: PerSeat<u32>,
    /// Refills of this round.
    pub reshuffles: u32,
    /// The finished round, with everything open, until the next deal.
    pub result: Option<RoundResult>,
    /// Which round, from 1.
    pub round: u32,
    /// Rounds won by each seat.
    pub rounds_won: PerSeat<u32>,
    /// Whose view this is.
    pub seat: Seat,
    /// Accepted actions of the match so far.
    pub seq: u64,
    /// Who started this round.
    pub starter: Seat,
    /// Timeouts in a row of each seat.
    pub timeouts: PerSeat<u32>,
    /// Who is on turn while the round is live.
    pub turn: Option<Seat>,
    /// Who won the match.
    pub winner: Option<Seat>,
}

impl State {
    /// The projection for a seat.
    pub(in crate::whot) fn view(&self, options: &Options, seat: Seat) -> View {
        let mut legal = Vec::new();
        self.legal_into(options, seat, &mut legal);
        View {
            called: self.called,
            drawn: self.drawn.filter(|_| self.turn == Some(seat)),
            end_reason: self.end_reason,
            hand: *self.hands.of(seat),
            history: self.history.clone(),
            legal,
            market_cards: self.market.len(),
            opponent_cards: self.hands.of(seat.other()).len(),
            pending: self.pending,
            phase: self.phase,
            pile: self.pile,
            points: self.points,
            reshuffles: self.reshuffles,
            result: self.result,
            round: self.round,
            rounds_won: self.rounds_won,
            seat,
            seq: self.seq,
            starter: self.starter,
            timeouts: self.timeouts,
            turn: self.turn,
            winner: self.winner,
        }
    }
}
