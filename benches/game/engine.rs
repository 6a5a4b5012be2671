//! Moves a second on one core: the rules with their events and legal lists, a minimal loop without, and OpenSpiel.
//!
//! All three play whole rounds between two players who choose at random among what is legal; an accepted action of a
//! player is a move. The minimal loop knows no events, options, refusals, scores or seeds: it is what the cards alone cost.

use std::path::Path;
use std::process::Command;

use whotbox::base::time::{Clock, SystemClock};
use whotbox::whot::action::{Action, Actor};
use whotbox::whot::card::{Card, Seat};
use whotbox::whot::matches::Match;
use whotbox::whot::options::Options;
use whotbox::whot::shuffle::Seed;

use crate::goal;

/// Rounds of one measurement, and how often each is taken: odd, so that a median is one of them.
const GAMES: u64 = 40_000;
const TIMES: usize = 5;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

/// Measures and prints.
pub(crate) fn run(python: Option<&Path>) {
    let (mut ours, mut bare, mut spiel) = (vec![], vec![], vec![]);
    for seed in 0..=TIMES as u64 {
        let (one, other, third) = (rate(|| with_events(seed)), rate(|| minimal(seed)), python.and_then(open_spiel));
        // The first round warms up.
        if seed > 0 {
            ours.push(one);
            bare.push(other);
            spiel.extend(third);
        }
    }
    let (ours, bare) = (median(ours), median(bare));
    println!("rules with events and legal lists      {ours:>10.0} moves/s on one core");
    println!("minimal loop without events            {bare:>10.0} moves/s on one core");
    goal("rules / minimal loop", ours / bare, 0.3);
    if spiel.is_empty() {
        println!("OpenSpiel is not installed: not compared");
    } else {
        let spiel = median(spiel);
        println!("OpenSpiel's crazy eights, C++          {spiel:>10.0} moves/s on one core");
        goal("rules / OpenSpiel", ours / spiel, 2.0);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn rate(run: impl Fn() -> u64) -> f64 {
    let clock = SystemClock::new();
    let began = clock.monotonic();
    let moves = run();
    moves as f64 / clock.monotonic().since(began).as_secs_f64()
}

fn with_events(seed: u64) -> u64 {
    let (mut random, mut moves) = (Random(seed), 0);
    let (mut legal, mut events) = (Vec::new(), Vec::new());
    for game in 0..GAMES {
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&random.next().to_le_bytes()));
        let starter = if game % 2 == 0 { Seat::Zero } else { Seat::One };
        let (mut state, _) = Match::start(Options::default(), starter, Seed(bytes));
        while let Some(seat) = state.turn_of() {
            legal.clear();
            events.clear();
            state.legal_into(seat, &mut legal);
            // The last is to resign.
            let action: Action = legal[random.below(legal.len() - 1)];
            state.apply_into(Actor::Seat(seat), &action, &mut events).unwrap();
            std::hint::black_box(&events);
            moves += 1;
        }
    }
    moves
}

/// The cards of the minimal loop, by what matters of them.
struct Deck {
    /// By id: the cards that may follow it.
    follow: [u64; 54],
    shape: [u64; 5],
    number: [u8; 54],
    /// By number.
    alike: [u64; 21],
}

const WHOTS: u64 = 0b1_1111 << 49;

impl Deck {
    fn new() -> Self {
        let cards: Vec<Card> = (0..54).map(|id| Card::new(id).unwrap()).collect();
        let mut deck = Self { follow: [0; 54], shape: [0; 5], number: [20; 54], alike: [0; 21] };
        for card in &cards {
            let id = usize::from(card.id());
            deck.number[id] = card.number();
            deck.alike[usize::from(card.number())] |= 1 << id;
            if let Some(shape) = card.shape() {
                deck.shape[usize::from(shape.index())] |= 1 << id;
            }
            for next in &cards {
                let fits = next.is_whot() || next.shape() == card.shape() || next.number() == card.number();
                deck.follow[id] |= u64::from(fits) << next.id();
            }
        }
        deck
    }
}

/// A round in progress.
struct Bare {
    hands: [u64; 2],
    order: [u8; 54],
    at: usize,
    allowed: u64,
    /// The number that answers the penalty, and its cards.
    penalty: (u8, usize),
    turn: usize,
}

impl Bare {
    fn deal(deck: &Deck, random: &mut Random) -> Self {
        let mut order: [u8; 54] = std::array::from_fn(|id| id as u8);
        for i in (1..54).rev() {
            order.swap(i, random.below(i + 1));
        }
        let mut bare = Self { hands: [0; 2], order, at: 0, allowed: 0, penalty: (0, 0), turn: random.below(2) };
        bare.take(0, 6);
        bare.take(1, 6);
        bare.allowed = deck.follow[usize::from(bare.order[bare.at])];
        bare.at += 1;
        bare
    }

    fn take(&mut self, seat: usize, count: usize) {
        for _ in 0..count.min(54 - self.at) {
            self.hands[seat] |= 1 << self.order[self.at];
            self.at += 1;
        }
    }

    /// One move; whether the round goes on.
    fn step(&mut self, deck: &Deck, random: &mut Random) -> bool {
        let seat = self.turn;
        let mut legal = self.hands[seat] & self.allowed;
        if self.penalty.1 > 0 {
            legal &= deck.alike[usize::from(self.penalty.0)];
        }
        // A Whot counts once for each shape, and a draw is one more choice.
        let plain = (legal & !WHOTS).count_ones() as usize;
        let choices = plain + 5 * (legal & WHOTS).count_ones() as usize;
        let choice = random.below(choices + 1);
        if choice == choices {
            let (_, count) = std::mem::take(&mut self.penalty);
            self.take(seat, count.max(1));
            self.turn = 1 - seat;
            return self.at < 54;
        }
        let place = if choice < plain { choice } else { plain + (choice - plain) / 5 };
        let id = (0..place).fold(legal, |left, _| left & (left - 1)).trailing_zeros() as usize;
        self.hands[seat] &= !(1 << id);
        self.allowed = if id < 49 { deck.follow[id] } else { deck.shape[(choice - plain) % 5] | WHOTS };
        let number = deck.number[id];
        match number {
            2 | 5 => self.penalty = (number, self.penalty.1 + if number == 2 { 2 } else { 3 }),
            14 => self.take(1 - seat, 1),
            _ => {}
        }
        if !matches!(number, 1 | 8 | 14) {
            self.turn = 1 - seat;
        }
        self.hands[seat] != 0 && self.at < 54
    }
}

fn minimal(seed: u64) -> u64 {
    let (deck, mut random, mut moves) = (Deck::new(), Random(seed), 0);
    for _ in 0..GAMES {
        let mut bare = Bare::deal(&deck, &mut random);
        moves += 1;
        while bare.step(&deck, &mut random) {
            moves += 1;
        }
    }
    moves
}

fn open_spiel(python: &Path) -> Option<f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/crazy_eights.py");
    let done = Command::new(python).args([script, "3000"]).output().ok().filter(|done| done.status.success())?;
    let said = String::from_utf8(done.stdout).ok()?;
    let (moves, seconds) = said.trim().split_once(' ')?;
    Some(moves.parse::<f64>().ok()? / seconds.parse::<f64>().ok()?)
}
