//! One match: its options, its state, and the three things that can be done with it: apply, ask what is legal, look.
//!
//! A [`Match`] owns its hidden cards. A player gets [`Match::view`] and events through `Event::seen_by`; the whole state
//! leaves only by [`Match::to_stored`] for the store and [`Match::full_state`] for records, never towards a player.
//!
//! ```text
//!   options, first starter, seed ──start──▶ Match ──view(seat)──▶ View
//!                                            │ ▲
//!                  (actor, action) ──apply───┘ │ Err(Refusal): nothing has changed
//!                                   └─▶ events ─┴─seen_by(seat)─▶ what that player is told
//! ```

use serde::Serialize;
use thiserror::Error;

use crate::whot::action::{Action, Actor};
use crate::whot::card::{PerSeat, Seat};
use crate::whot::event::Event;
use crate::whot::options::Options;
use crate::whot::play::Turn;
use crate::whot::refusal::Refusal;
use crate::whot::shuffle::Seed;
use crate::whot::state::{EndReason, Phase, RoundResult, State};
use crate::whot::view::View;

/// A match in progress or over. `Debug` shows no hidden card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    pub(in crate::whot) options: Options,
    pub(in crate::whot) first_starter: Seat,
    pub(in crate::whot) seed: Seed,
    pub(in crate::whot) state: State,
}

/// Everything about a match, both hands and the market included (rules 15.1), as JSON. Never for a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FullState<'a>(&'a State);

impl Serialize for FullState<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A recorded action that the rules refuse: the record was not made by these rules.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("action {index} is refused: {refusal}")]
pub struct ReplayError {
    /// Which action, from 0.
    pub index: usize,
    /// Why.
    pub refusal: Refusal,
}

impl Match {
    /// Deals the first round. The events are those of the opening (rules 14.2).
    pub fn start(options: Options, first_starter: Seat, seed: Seed) -> (Self, Vec<Event>) {
        let mut new = Self { options, first_starter, seed, state: State::before_first_deal() };
        let mut events = Vec::new();
        new.turn(&mut events).deal(first_starter);
        (new, events)
    }

    /// Performs one action completely and returns its events in order.
    ///
    /// # Errors
    /// The first failing line of rules 13; then nothing has changed.
    pub fn apply(&mut self, actor: Actor, action: &Action) -> Result<Vec<Event>, Refusal> {
        let mut events = Vec::new();
        self.apply_into(actor, action, &mut events)?;
        Ok(events)
    }

    /// As [`Match::apply`], with the events appended to a list that the caller may reuse.
    ///
    /// # Errors
    /// The first failing line of rules 13; then neither the match nor the list has changed.
    pub fn apply_into(&mut self, actor: Actor, action: &Action, events: &mut Vec<Event>) -> Result<(), Refusal> {
        if let Some(refusal) = self.state.refusal(&self.options, actor, action) {
            return Err(refusal);
        }
        self.state.seq = self.state.seq.saturating_add(1);
        if let Action::NextRound { seed } = action {
            self.seed = *seed;
        }
        let first_starter = self.first_starter;
        let on_turn = self.state.turn;
        let mut turn = self.turn(events);
        match (*action, actor, on_turn) {
            (Action::NextRound { .. }, _, _) => turn.deal(first_starter),
            (Action::Play { card, shape, call }, Actor::Seat(seat), _) => turn.play(seat, card, shape, call),
            (Action::Draw, Actor::Seat(seat), _) => turn.draw(seat),
            (Action::Pass, Actor::Seat(seat), _) => turn.pass(seat),
            (Action::Resign, Actor::Seat(seat), _) => turn.resign(seat),
            (Action::Timeout, _, Some(seat)) => turn.time_out(seat),
            // `refusal` has refused these: a player's action by the server, and a timeout with nobody on turn.
            (Action::Play { .. } | Action::Draw | Action::Pass | Action::Resign, Actor::Server, _)
            | (Action::Timeout, _, None) => {}
        }
        Ok(())
    }

    fn turn<'a>(&'a mut self, events: &'a mut Vec<Event>) -> Turn<'a> {
        Turn { options: &self.options, seed: &self.seed, state: &mut self.state, events }
    }

    /// The legal list of a seat (rules 12.4).
    pub fn legal(&self, seat: Seat) -> Vec<Action> {
        let mut list = Vec::new();
        self.legal_into(seat, &mut list);
        list
    }

    /// As [`Match::legal`], appended to a list that the caller may reuse.
    pub fn legal_into(&self, seat: Seat, list: &mut Vec<Action>) {
        self.state.legal_into(&self.options, seat, list);
    }

    /// Why the action would be refused, or none. Changes nothing.
    pub fn refusal(&self, actor: Actor, action: &Action) -> Option<Refusal> {
        self.state.refusal(&self.options, actor, action)
    }

    /// What a seat may know (rules 16.1).
    pub fn view(&self, seat: Seat) -> View {
        self.state.view(&self.options, seat)
    }

    /// The option set.
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Who starts round 1.
    pub const fn first_starter(&self) -> Seat {
        self.first_starter
    }

    /// Accepted actions so far.
    pub const fn seq(&self) -> u64 {
        self.state.seq
    }

    /// Which round, from 1.
    pub const fn round(&self) -> u32 {
        self.state.round
    }

    /// Where the match stands.
    pub const fn phase(&self) -> Phase {
        self.state.phase
    }

    /// Who is on turn while the round is live.
    pub const fn turn_of(&self) -> Option<Seat> {
        self.state.turn
    }

    /// The finished round, until the next deal.
    pub const fn result(&self) -> Option<&RoundResult> {
        self.state.result.as_ref()
    }

    /// Rounds won by each seat.
    pub const fn rounds_won(&self) -> PerSeat<u32> {
        self.state.rounds_won
    }

    /// Running points of each seat; low is good.
    pub const fn points(&self) -> PerSeat<u32> {
        self.state.points
    }

    /// Who won and why, once the match is over.
    pub fn outcome(&self) -> Option<(Seat, EndReason)> {
        self.state.winner.zip(self.state.end_reason)
    }

    /// Everything, hidden cards included, for records and checks. Never for a player, a log or a metric.
    pub const fn full_state(&self) -> FullState<'_> {
        FullState(&self.state)
    }
}

/// Plays a recorded match again. `each` sees the match and the events after the opening and after every action.
///
/// # Errors
/// [`ReplayError`] at the first action that is refused.
pub fn replay(
    options: Options,
    first_starter: Seat,
    seed: Seed,
    actions: impl IntoIterator<Item = (Actor, Action)>,
    mut each: impl FnMut(&Match, &[Event]),
) -> Result<Match, ReplayError> {
    let (mut game, mut events) = Match::start(options, first_starter, seed);
    each(&game, &events);
    for (index, (actor, action)) in actions.into_iter().enumerate() {
        events.clear();
        game.apply_into(actor, &action, &mut events).map_err(|refusal| ReplayError { index, refusal })?;
        each(&game, &events);
    }
    Ok(game)
}
