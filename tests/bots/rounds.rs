//! Rounds of one player against another, each deal once from either seat. Shared with the bench, so it knows of no test.

use std::fmt;

use whotbox::base::entropy::{Entropy, SeededEntropy};
use whotbox::whot::action::{Action, Actor};
use whotbox::whot::bot::{Bot, Level};
use whotbox::whot::card::Seat;
use whotbox::whot::event::seen_by;
use whotbox::whot::matches::Match;
use whotbox::whot::options::Options;
use whotbox::whot::shuffle::Seed;
use whotbox::whot::view::View;

/// Who sits on a seat.
#[derive(Clone, Copy)]
pub(crate) enum Player {
    /// Any legal action but giving up, each as likely as the others.
    Random,
    /// A bot of this level with so many playouts a choice.
    Bot(Level, usize),
}

/// What came of some rounds.
#[derive(Default)]
pub(crate) struct Score {
    pub(crate) wins: u64,
    pub(crate) rounds: u64,
}

impl Score {
    /// Rounds won of all; one without a winner is not won.
    pub(crate) fn share(&self) -> f64 {
        self.wins as f64 / self.rounds as f64
    }

    /// The standard error of the share.
    pub(crate) fn error(&self) -> f64 {
        (self.share() * (1.0 - self.share()) / self.rounds as f64).sqrt()
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} % ± {:.1} of {} rounds", 100.0 * self.share(), 100.0 * self.error(), self.rounds)
    }
}

/// Plays so many rounds. `choose` asks a bot of `ours`, so that a bench can hold a watch to it.
pub(crate) fn play(
    options: Options,
    rounds: u64,
    ours: Player,
    theirs: Player,
    mut choose: impl FnMut(&Bot, &View, u64) -> Option<Action>,
) -> Score {
    let mut score = Score { wins: 0, rounds };
    for round in 0..rounds {
        // Both seats of one deal follow each other, so that luck in the deal favours nobody.
        let seat = if round % 2 == 0 { Seat::Zero } else { Seat::One };
        let deal = Seed(entropy(2 * (round / 2)).bytes());
        let dice = entropy(2 * round + 1);
        let (mut game, opening) = Match::start(options, Seat::One, deal);
        let mut bots = [(seat, ours), (seat.other(), theirs)].map(|(seat, player)| match player {
            Player::Random => None,
            Player::Bot(level, rollouts) => Some(Bot::new(level, options, seat).with_rollouts(rollouts)),
        });
        let mut events = opening;
        while let Some(on_turn) = game.turn_of() {
            for (bot, seat) in bots.iter_mut().zip([seat, seat.other()]) {
                bot.iter_mut().for_each(|bot| bot.observe(&seen_by(&events, seat)));
            }
            let chance = u64::from_le_bytes(dice.bytes());
            let view = game.view(on_turn);
            let action = match &bots[usize::from(on_turn != seat)] {
                Some(bot) if on_turn == seat => choose(bot, &view, chance).expect("on turn"),
                Some(bot) => bot.choose(&view, chance).expect("on turn"),
                // The last of the list is to resign.
                None => view.legal[(chance % (view.legal.len() as u64 - 1)) as usize],
            };
            events = game.apply(Actor::Seat(on_turn), &action).expect("legal");
        }
        score.wins += u64::from(game.result().expect("the round is over").winner == Some(seat));
    }
    score
}

fn entropy(seed: u64) -> Box<dyn Entropy> {
    // Neighbouring seeds of SplitMix64 are shifts of one another by a step; this sets them far apart.
    Box::new(SeededEntropy::new(seed.wrapping_mul(0xd134_2543_de82_ef95)))
}
