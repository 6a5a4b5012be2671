//! What the players of the bench know of their match, and how they choose: they play the first card in their hand that fits.
//!
//! Over HTTP a player is told nothing while the other moves; what it still knows of its hand is enough to go on, and
//! where it is not a draw is always legal.

use serde::Deserialize;
use whotbox::whot::card::Card;

/// The part of a `Game` that choosing needs; the peers answer in the same words.
#[derive(Deserialize)]
pub(crate) struct Game {
    pub(crate) seq: u64,
    seat: usize,
    turn: Option<usize>,
    phase: String,
    hand: Vec<u8>,
    pile: Vec<u8>,
    called: Option<String>,
    pending: Option<serde::de::IgnoredAny>,
}

/// A reply to a play.
#[derive(Deserialize)]
pub(crate) struct Moved {
    pub(crate) game: Game,
}

/// A match as its two players know it.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) seq: u64,
    pub(crate) turn: Option<usize>,
    pub(crate) over: bool,
    hands: [Vec<u8>; 2],
    top: u8,
    called: Option<String>,
    pending: bool,
}

impl Known {
    pub(crate) fn take_in(&mut self, game: Game) {
        self.seq = game.seq;
        self.turn = game.turn;
        self.over = game.phase == "match_over";
        if self.turn.is_none() {
            // The next round's hands are others.
            self.hands = Default::default();
        } else {
            self.hands[game.seat] = game.hand;
        }
        self.top = game.pile.last().copied().unwrap_or_default();
        self.called = game.called;
        self.pending = game.pending.is_some();
    }

    /// The action of the seat on turn, as JSON.
    pub(crate) fn choose(&self, seat: usize) -> String {
        let fits = |id: &&u8| !self.pending && self.follows(**id);
        match self.hands[seat].iter().find(fits) {
            Some(id) if *id >= 49 => format!("{{\"type\":\"play\",\"card\":{id},\"shape\":\"circle\"}}"),
            Some(id) => format!("{{\"type\":\"play\",\"card\":{id}}}"),
            None => DRAW.to_owned(),
        }
    }

    fn follows(&self, id: u8) -> bool {
        let (card, top) = (card(id), card(self.top));
        let called = self.called.as_deref();
        card.is_whot()
            || called.is_some_and(|called| card.shape().is_some_and(|shape| shape.word() == called))
            || called.is_none() && (card.shape() == top.shape() || card.number() == top.number())
    }
}

fn card(id: u8) -> Card {
    Card::new(u64::from(id)).unwrap()
}

/// What is always legal under the preset `nigerian`.
pub(crate) const DRAW: &str = "{\"type\":\"draw\"}";
