//! Seeded random matches: numbers, option sets, actions. Every failure names its seed and replays from it.

use std::env;

use serde_json::{Value, json};
use whotbox::whot::action::{Action, Actor};
use whotbox::whot::card::{Card, Seat, Shape};
use whotbox::whot::matches::Match;
use whotbox::whot::options::{Options, Preset};
use whotbox::whot::shuffle::Seed;

/// SplitMix64: a few lines, the same everywhere, good enough to choose test cases.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i + 1));
        }
    }

    pub(crate) fn seed(&mut self) -> Seed {
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.next().to_le_bytes()));
        Seed(bytes)
    }

    pub(crate) fn seat(&mut self) -> Seat {
        *self.pick(&Seat::BOTH)
    }

    /// Any option set of rules 3.1; targets stay small, so that a match takes a few rounds.
    pub(crate) fn options(&mut self) -> (Options, Value) {
        let flags = [false, true];
        let points = self.chance(40);
        let value = json!({
            "hand_size": 3 + self.below(8),
            "start_card": self.pick(&["plain", "any"]),
            "pick_two": self.pick(&["stack", "cancel", "none"]),
            "pick_three": self.pick(&["stack", "cancel", "none", "off"]),
            "whot_defends": self.pick(&flags),
            "general_market": self.pick(&["keep", "pass"]),
            "market_empty": self.pick(&["count", "reshuffle"]),
            "reshuffle_limit": self.below(11).min(self.below(11)),
            "voluntary_draw": self.pick(&flags),
            "draw_then_play": self.pick(&flags),
            "special_finish": self.pick(&flags),
            "last_card_call": self.pick(&["auto", "required"]),
            "match_kind": if points { "points" } else { "rounds" },
            "match_target": if points { 20 + self.below(60) } else { 1 + self.below(2) },
            "turn_seconds": self.below(601),
            "timeout_limit": self.below(11),
        });
        (Options::from_json(Preset::Nigerian, &value).expect("a valid set"), value)
    }

    /// A match with random options, just dealt.
    pub(crate) fn start(&mut self) -> Match {
        let (options, _) = self.options();
        Match::start(options, self.seat(), self.seed()).0
    }

    /// Any well-formed action by anyone, mostly one that the rules refuse.
    pub(crate) fn wild_action(&mut self) -> (Actor, Action) {
        let card = Card::new(self.below(54) as u64).expect("a card");
        let shape = if card.is_whot() == self.chance(80) { Some(*self.pick(&Shape::ALL)) } else { None };
        let action = match self.below(10) {
            0 => Action::Draw,
            1 => Action::Pass,
            2 => Action::Timeout,
            3 => Action::NextRound { seed: self.seed() },
            _ => Action::Play { card, shape, call: self.chance(20) },
        };
        let actor = *self.pick(&[Actor::Seat(Seat::Zero), Actor::Seat(Seat::One), Actor::Server]);
        (actor, action)
    }

    /// An action the rules accept now: mostly plays, seldom a timeout, and a resignation once in a while.
    pub(crate) fn fair_action(&mut self, game: &Match) -> (Actor, Action) {
        let Some(seat) = game.turn_of() else {
            let resigns = self.below(400) == 0;
            let next = (Actor::Server, Action::NextRound { seed: self.seed() });
            return if resigns { (Actor::Seat(self.seat()), Action::Resign) } else { next };
        };
        if self.chance(2) {
            return (Actor::Server, Action::Timeout);
        }
        let mut list = game.legal(seat);
        if self.below(1000) != 0 {
            list.retain(|action| *action != Action::Resign);
        }
        let playing = list.iter().any(|action| matches!(action, Action::Play { .. }));
        if playing && self.chance(75) {
            list.retain(|action| matches!(action, Action::Play { .. }));
        }
        (Actor::Seat(seat), *self.pick(&list))
    }
}

/// Runs `test` for this many seeds, or for the one in `WHOTBOX_SEED`; `WHOTBOX_FULL=1` runs the larger number.
pub(crate) fn for_seeds(small: u64, full: u64, test: impl Fn(u64)) {
    if let Some(seed) = env::var("WHOTBOX_SEED").ok().and_then(|seed| seed.parse().ok()) {
        return named(seed, &test);
    }
    let count = if env::var_os("WHOTBOX_FULL").is_some_and(|full| full == "1") { full } else { small };
    (0..count).for_each(|seed| named(seed, &test));
}

fn named(seed: u64, test: &impl Fn(u64)) {
    struct Name(u64);
    impl Drop for Name {
        fn drop(&mut self) {
            if std::thread::panicking() {
                println!("failed with seed {}; run it again with WHOTBOX_SEED={}", self.0, self.0);
            }
        }
    }
    let _name = Name(seed);
    test(seed);
}
