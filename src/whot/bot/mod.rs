//! Practice opponents: three levels that are given what a player is shown, and nothing else.
//!
//! A [`Bot`] sits on one seat. It is told the events of its seat as they come, and asked for an action with its
//! [`View`]. It is pure: no clock, no input or output, and no randomness but the seed of each question. The same
//! events, view and seed give the same action. It never sees a match: where it imagines one, it makes it up from what
//! it was shown.
//!
//! ```text
//!   events ──observe──▶ memory ────────────────┐ deals that fit
//!                                              ▼
//!   view, seed ──choose──▶ table ─▶ chain ─▶ rollout ─▶ action of view.legal
//!                            easy ◀─┘ medium ◀─┘ hard
//! ```

mod chain;
mod deal;
mod memory;
mod random;
mod rollout;
mod score;
mod table;

use crate::whot::action::Action;
use crate::whot::bot::memory::Memory;
use crate::whot::bot::random::Random;
use crate::whot::bot::rollout::Trial;
use crate::whot::bot::score::{WEIGHTS, WON};
use crate::whot::bot::table::{Move, Table, on_turn};
use crate::whot::card::{CardSet, Seat, Shape};
use crate::whot::event::Event;
use crate::whot::options::Options;
use crate::whot::view::View;
use crate::whot::words::words;

words! {
    /// How well a bot plays.
    Level {
        /// Plays its most expensive card and thinks no further.
        Easy = "easy",
        /// Searches its own turn to the end and scores what is left.
        Medium = "medium",
        /// Plays the likely moves out over deals that fit what it has seen.
        Hard = "hard",
    }
}

/// Playouts of one choice of [`Level::Hard`].
pub const ROLLOUTS: usize = 200;

/// A practice opponent on one seat of a match.
#[derive(Clone, Debug)]
pub struct Bot {
    level: Level,
    options: Options,
    seat: Seat,
    memory: Memory,
    rollouts: usize,
}

impl Bot {
    /// A bot that has seen nothing yet.
    pub const fn new(level: Level, options: Options, seat: Seat) -> Self {
        Self { level, options, seat, memory: Memory::new(seat), rollouts: ROLLOUTS }
    }

    /// The same bot with another number of playouts a choice, for samples that must be cheap.
    #[must_use]
    pub const fn with_rollouts(mut self, rollouts: usize) -> Self {
        self.rollouts = rollouts;
        self
    }

    /// How well it plays.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Learns what happened, in order. After a restart the events of the running round are enough; with fewer, or none,
    /// it plays on with what its view shows. Private cards of the other seat are taken away before they are looked at.
    pub fn observe(&mut self, events: &[Event]) {
        for event in events {
            self.memory.learn(&self.options, &event.seen_by(self.seat));
        }
    }

    /// What the bot does now: always a member of `view.legal`, and never to resign. None if it is not on turn, or the
    /// view is another seat's.
    pub fn choose(&self, view: &View, seed: u64) -> Option<Action> {
        if view.seat != self.seat || !on_turn(view) {
            return None;
        }
        let table = Table::of_view(view);
        let may_rest = view.legal.iter().any(|action| matches!(action, Action::Draw | Action::Pass));
        let chosen = match self.level {
            Level::Easy => easy(&table, table.playable(&self.options)),
            Level::Medium | Level::Hard => self.think(view, &table, may_rest, seed)?,
        };
        let action = table.action(&self.options, chosen);
        // The table and the rules agree, as a property says; should they not, any legal action but giving up will do.
        let fallback = || view.legal.iter().copied().find(|action| *action != Action::Resign);
        if view.legal.contains(&action) { Some(action) } else { fallback() }
    }

    fn think(&self, view: &View, table: &Table, may_rest: bool, seed: u64) -> Option<Move> {
        let rated = chain::rate(&self.options, &WEIGHTS, table, may_rest);
        let first = rated.first()?;
        if self.level == Level::Medium || rated.len() == 1 || first.score >= WON {
            return Some(first.chosen);
        }
        let trial = Trial { options: &self.options, memory: &self.memory, view, rollouts: self.rollouts };
        trial.best(&rated, &mut Random::new(seed))
    }
}

/// The card with the most points, a Whot only if nothing else fits, naming the shape of which most is held.
fn easy(table: &Table, playable: CardSet) -> Move {
    let plain = playable.without(CardSet::WHOTS);
    if let Some(card) = plain.iter().max_by_key(|card| card.points()) {
        return Move::Play(card, None);
    }
    let most = Shape::ALL.into_iter().max_by_key(|shape| table.hand.and(shape.cards()).len());
    playable.iter().next().map_or(Move::Rest, |whot| Move::Play(whot, most))
}
