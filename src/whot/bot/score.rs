//! What a turn is worth to its seat: a linear score of the cards left, the cards the other must draw, and what follows.
//!
//! Scores are whole numbers, so that a choice is the same on every machine. They order the moves of one turn and mean
//! nothing else. The weights were fitted by play against one another over `nigerian` rounds, and are only that good
//! elsewhere.

use crate::whot::bot::table::{Effect, Move, Table};
use crate::whot::card::{Card, CardSet, Shape};
use crate::whot::legal::following;
use crate::whot::options::{MarketEmpty, Options};

/// An empty hand: more than all else together.
pub(in crate::whot::bot) const WON: i32 = 1_000_000;

/// The hands are counted now, and the own one is likely lower.
const COUNTED: i32 = 100_000;

/// The weights of the score.
#[derive(Clone, Copy, Debug)]
pub(in crate::whot::bot) struct Weights {
    /// A card that leaves the hand.
    pub(in crate::whot::bot) card: i32,
    /// Each point of it.
    pub(in crate::whot::bot) point: i32,
    /// Each point once more, divided by the cards of the market: the hands are counted when it is empty.
    pub(in crate::whot::bot) point_late: i32,
    /// Less for a Whot, which follows everything and is better kept.
    pub(in crate::whot::bot) keep_whot: i32,
    /// Less for a 1, 8 or 14, which are best kept for the turn in which they win.
    pub(in crate::whot::bot) keep_again: i32,
    /// Less for a 2 or 5, which answers a penalty.
    pub(in crate::whot::bot) keep_penalty: i32,
    /// Each card the other has to draw.
    pub(in crate::whot::bot) cost: i32,
    /// As much again, divided by the cards the other holds.
    pub(in crate::whot::bot) cost_late: i32,
    /// Each held card that follows what is left on top.
    pub(in crate::whot::bot) follow: i32,
    /// Each held card of the shape that was named with a Whot.
    pub(in crate::whot::bot) named: i32,
    /// Each held card that follows a penalty card, should the other have to draw.
    pub(in crate::whot::bot) go_on: i32,
    /// Each hundredth of the hidden cards that would follow.
    pub(in crate::whot::bot) open: i32,
    /// Each shape held.
    pub(in crate::whot::bot) shape: i32,
    /// One card left.
    pub(in crate::whot::bot) last: i32,
    /// An extra turn with nothing to play in it.
    pub(in crate::whot::bot) dead: i32,
    /// A turn without a play.
    pub(in crate::whot::bot) rest: i32,
}

/// The weights in use.
pub(in crate::whot::bot) const WEIGHTS: Weights = Weights {
    card: 24,
    point: 1,
    point_late: 30,
    keep_whot: 177,
    keep_again: 47,
    keep_penalty: 52,
    cost: -33,
    cost_late: 157,
    follow: -8,
    named: -5,
    go_on: 3,
    open: -3,
    shape: -27,
    last: 29,
    dead: -20,
    rest: -1000,
};

impl Weights {
    /// What it is worth that this card leaves the hand with this effect.
    pub(in crate::whot::bot) fn play(&self, table: &Table, card: Card, effect: Effect) -> i32 {
        let kept = match card.number() {
            20 => self.keep_whot,
            1 | 8 | 14 => self.keep_again,
            2 | 5 => self.keep_penalty,
            _ => 0,
        };
        let drawn = self.cost + self.cost_late / whole(table.other_cards.max(1));
        let point = self.point + self.point_late / i32::from(table.market_cards.max(1));
        self.card + point * whole(card.points()) - kept + drawn * whole(effect.costs)
    }

    /// What it is worth that the hands are counted now, if the market ends with so many cards drawn.
    pub(in crate::whot::bot) fn counted(
        &self,
        options: &Options,
        table: &Table,
        hand: CardSet,
        drawn: u32,
    ) -> Option<i32> {
        if drawn < u32::from(table.market_cards) || options.market_empty == MarketEmpty::Reshuffle {
            return None;
        }
        // A hidden card counts 8.7 on average: 472 points on 54 cards.
        let other = 87 * whole(table.other_cards);
        Some(COUNTED * (other - 10 * whole(hand.points())).signum())
    }

    /// What the table is worth when the turn goes to the other, who may have a penalty to answer.
    pub(in crate::whot::bot) fn left(&self, options: &Options, table: &Table, penalty: bool) -> i32 {
        let followers = following(options, table.top, table.called, None);
        let own = whole(table.hand.and(followers).without(CardSet::WHOTS).len());
        let follow = match (penalty, table.called) {
            (true, _) => self.go_on,
            (false, Some(_)) => self.named,
            (false, None) => self.follow,
        };
        let hidden = CardSet::DECK.without(table.pile).without(table.hand);
        let open = 100 * whole(hidden.and(followers).len()) / whole(hidden.len().max(1));
        let mut shapes = 0;
        for shape in Shape::ALL {
            shapes += i32::from(!table.hand.and(shape.cards()).is_empty());
        }
        let last = if table.hand.len() == 1 { self.last } else { 0 };
        follow * own + self.open * open + self.shape * shapes + last
    }

    /// One play and no look beyond: what playouts do, who must be quick.
    pub(in crate::whot::bot) fn glance(&self, options: &Options, table: &Table) -> Move {
        let playable = table.playable(options);
        let mut cards = playable.iter();
        match (cards.next(), cards.next()) {
            (None, _) => return Move::Rest,
            (Some(card), None) if !card.is_whot() => return Move::Play(card, None),
            (Some(_), _) => {}
        }
        let mut best = (i32::MIN, Move::Rest);
        for_each_move(table, playable, |card, shape| {
            let score = self.first_sight(options, table, card, shape);
            if score > best.0 {
                best = (score, Move::Play(card, shape));
            }
        });
        best.1
    }

    /// The score of a play, with an extra turn taken as the end.
    fn first_sight(&self, options: &Options, table: &Table, card: Card, shape: Option<Shape>) -> i32 {
        let effect = table.effect(options, card);
        let after = table.after(card, shape, effect);
        if after.hand.is_empty() {
            return WON;
        }
        if let Some(score) = self.counted(options, table, after.hand, effect.at_once) {
            return score;
        }
        let stuck = if effect.again && after.playable(options).is_empty() { self.dead } else { 0 };
        self.play(table, card, effect) + self.left(options, &after, effect.penalty()) + stuck
    }
}

/// Calls `each` for every play that differs in more than which Whot is played.
pub(in crate::whot::bot) fn for_each_move(table: &Table, playable: CardSet, mut each: impl FnMut(Card, Option<Shape>)) {
    let plain = playable.without(CardSet::WHOTS);
    plain.iter().for_each(|card| each(card, None));
    if let Some(whot) = playable.and(CardSet::WHOTS).iter().next() {
        // Naming a shape that is not held can still win, but too seldom to be looked at.
        let held = |shape: &Shape| !table.hand.and(shape.cards()).is_empty();
        let any = Shape::ALL.iter().any(held);
        Shape::ALL.into_iter().filter(|shape| !any || held(shape)).for_each(|shape| each(whot, Some(shape)));
    }
}

/// Counts of cards and points, which are far below the bound.
pub(in crate::whot::bot) fn whole(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
