//! Monte Carlo: each likely move is played to the end of the round over deals that fit what was seen.
//!
//! All moves meet the same deals, and the worse half leaves after each stage, so that few playouts tell much. Both seats
//! of a playout think at a glance and see their own side only. A playout is played by the rules themselves.

use crate::whot::action::Actor;
use crate::whot::bot::chain::Rated;
use crate::whot::bot::deal::imagine;
use crate::whot::bot::memory::Memory;
use crate::whot::bot::random::Random;
use crate::whot::bot::score::{WEIGHTS, whole};
use crate::whot::bot::table::{Move, Table, set};
use crate::whot::card::Seat;
use crate::whot::event::Event;
use crate::whot::matches::Match;
use crate::whot::options::{MatchKind, Options};
use crate::whot::view::View;

/// Moves that are played out beside the likeliest one; the search of the own turn has put the best first. With more,
/// the playouts of each would be too few to tell them apart.
const RIVALS: usize = 2;

/// Hundredths of the square of the standard errors by which a move must be better than the likeliest one.
const DOUBT: i64 = 100;

/// Actions of a playout. A `nigerian` round has at most 94 (rules 20.2); only long refilled rounds are cut here, and
/// those are undecided.
const MOST_ACTIONS: usize = 200;

/// What a won round is worth, in points of the loser's hand.
const ROUND: i64 = 200;

/// The same where the points themselves decide the match.
const ROUND_OF_POINTS: i64 = 40;

/// What the choice is made from.
pub(in crate::whot::bot) struct Trial<'a> {
    pub(in crate::whot::bot) options: &'a Options,
    pub(in crate::whot::bot) memory: &'a Memory,
    pub(in crate::whot::bot) view: &'a View,
    /// Playouts in all.
    pub(in crate::whot::bot) rollouts: usize,
}

/// A move against the likeliest one, over the same deals.
struct Rival {
    chosen: Move,
    /// What it did better in all.
    sum: i64,
    /// The squares of that.
    squares: i64,
}

impl Rival {
    const fn new(chosen: Move) -> Self {
        Self { chosen, sum: 0, squares: 0 }
    }

    const fn note(&mut self, better: i64) {
        self.sum += better;
        self.squares += better * better;
    }

    /// Whether the mean difference is above so many of its standard errors.
    const fn is_better(&self, deals: i64) -> bool {
        // mean > z·√(variance / n), both sides squared and without fractions.
        let variance = deals * self.squares - self.sum * self.sum;
        self.sum > 0 && 100 * self.sum * self.sum * deals > DOUBT * variance
    }
}

impl Trial<'_> {
    /// The move that did best of these, of which the first is the likeliest: another must be better than it by more than
    /// chance explains, because most of what few playouts tell is chance.
    pub(in crate::whot::bot) fn best(&self, rated: &[Rated], random: &mut Random) -> Option<Move> {
        let (first, others) = rated.split_first()?;
        let mut rivals: Vec<Rival> = others.iter().take(RIVALS).map(|rated| Rival::new(rated.chosen)).collect();
        let stages = rivals.len().next_power_of_two().ilog2() + 1;
        let share = self.rollouts / usize::try_from(stages).unwrap_or(1).max(1);
        let mut deals = 0;
        for _ in 0..stages {
            for _ in 0..share / (rivals.len() + 1) {
                let deal = imagine(self.options, self.memory, self.view, random);
                let base = self.play_out(deal.clone(), first.chosen);
                rivals.iter_mut().for_each(|rival| rival.note(self.play_out(deal.clone(), rival.chosen) - base));
                deals += 1;
            }
            // Stable: of equal moves the likelier stays.
            rivals.sort_by_key(|rival| std::cmp::Reverse(rival.sum));
            rivals.truncate(rivals.len().div_ceil(2));
        }
        let better = rivals.iter().find(|rival| rival.is_better(deals));
        Some(better.map_or(first.chosen, |rival| rival.chosen))
    }

    /// What the round is worth to this seat after the move and a playout.
    fn play_out(&self, mut game: Match, first: Move) -> i64 {
        let mut events: Vec<Event> = Vec::new();
        let mut next = Some(first);
        let mut pile = set(&game.state.pile);
        for _ in 0..MOST_ACTIONS {
            let Some(seat) = game.state.turn else { break };
            let table = Table::of_state(&game.state, seat, pile);
            let chosen = next.take().unwrap_or_else(|| WEIGHTS.glance(self.options, &table));
            events.clear();
            if game.apply_into(Actor::Seat(seat), &table.action(self.options, chosen), &mut events).is_err() {
                break;
            }
            if let Move::Play(card, _) = chosen {
                pile.insert(card);
            }
            if events.iter().any(|event| matches!(event, Event::Reshuffled { .. })) {
                pile = set(&game.state.pile);
            }
        }
        self.worth(&game)
    }

    fn worth(&self, game: &Match) -> i64 {
        let Some(result) = game.result() else { return 0 };
        let own = self.view.seat;
        let points = |seat: Seat| i64::from(whole(*result.points.of(seat)));
        let round = if self.options.match_kind == MatchKind::Points { ROUND_OF_POINTS } else { ROUND };
        let won = result.winner.map_or(0, |winner| if winner == own { round } else { -round });
        won + points(own.other()) - points(own)
    }
}
