//! The table as one seat sees it on its turn: the small copy of a view that bots think on.
//!
//! Holds nothing that a [`View`] of the seat does not show. Made from a view for a real choice, and from an imagined
//! state in a playout, where each seat again sees its own side only.

use crate::whot::action::Action;
use crate::whot::card::{Card, CardList, CardSet, Seat, Shape};
use crate::whot::legal::following;
use crate::whot::options::{GeneralMarket, Options, Pick};
use crate::whot::state::{Pending, Phase, State};
use crate::whot::view::View;

/// What decides a turn.
#[derive(Clone, Copy, Debug)]
pub(in crate::whot::bot) struct Table {
    /// The own hand.
    pub(in crate::whot::bot) hand: CardSet,
    /// The cards of the pile.
    pub(in crate::whot::bot) pile: CardSet,
    /// How many cards the other holds.
    pub(in crate::whot::bot) other_cards: u32,
    /// How many cards the market holds.
    pub(in crate::whot::bot) market_cards: u8,
    pub(in crate::whot::bot) top: Option<Card>,
    pub(in crate::whot::bot) called: Option<Shape>,
    pub(in crate::whot::bot) pending: Option<Pending>,
    pub(in crate::whot::bot) drawn: Option<Card>,
}

/// One thing to do on a turn, without the call of the last card: that is always made where it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::whot::bot) enum Move {
    /// A card, and the shape named with a Whot.
    Play(Card, Option<Shape>),
    /// Draw, or pass after drawing: the hand is kept and the turn ends.
    Rest,
}

/// What a card does to the turn when no penalty stands (rules 8.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::whot::bot) struct Effect {
    /// Whether the turn stays.
    pub(in crate::whot::bot) again: bool,
    /// Cards the other draws at once, or must draw unless it answers.
    pub(in crate::whot::bot) costs: u32,
    /// Those of them that it draws at once.
    pub(in crate::whot::bot) at_once: u32,
}

impl Effect {
    /// Whether the other must answer or take a penalty.
    pub(in crate::whot::bot) const fn penalty(self) -> bool {
        self.costs > self.at_once
    }
}

impl Table {
    pub(in crate::whot::bot) fn of_view(view: &View) -> Self {
        Self {
            hand: view.hand,
            pile: set(&view.pile),
            other_cards: view.opponent_cards,
            market_cards: view.market_cards,
            top: view.pile.last(),
            called: view.called,
            pending: view.pending,
            drawn: view.drawn,
        }
    }

    /// What `seat`, being on turn, sees of an imagined state. The caller keeps the set of the pile's cards, because to
    /// gather it anew for every turn is what a playout would spend most of its time on.
    pub(in crate::whot::bot) fn of_state(state: &State, seat: Seat, pile: CardSet) -> Self {
        Self {
            hand: *state.hands.of(seat),
            pile,
            other_cards: state.hands.of(seat.other()).len(),
            market_cards: state.market.len(),
            top: state.pile.last(),
            called: state.called,
            pending: state.pending,
            drawn: state.drawn,
        }
    }

    /// The cards that may be played now (rules 7.1 to 7.5).
    pub(in crate::whot::bot) fn playable(&self, options: &Options) -> CardSet {
        let held = self.drawn.map_or(self.hand, CardSet::of);
        let cards = held.and(following(options, self.top, self.called, self.pending));
        if !options.special_finish && self.hand.len() == 1 { cards.without(options.specials()) } else { cards }
    }

    /// What a card would do now.
    pub(in crate::whot::bot) fn effect(&self, options: &Options, card: Card) -> Effect {
        let number = card.number();
        let penalty = if number == 5 { 3 } else { 2 };
        let effect = |again, costs, at_once| Effect { again, costs, at_once };
        if let Some(pending) = self.pending {
            let grows = !card.is_whot() && options.pick(number) == Pick::Stack;
            return effect(false, if grows { pending.count + penalty } else { 0 }, 0);
        }
        match number {
            1 | 8 => effect(true, 0, 0),
            14 => effect(options.general_market == GeneralMarket::Keep, 1, 1),
            2 | 5 => match options.pick(number) {
                Pick::Stack | Pick::Cancel => effect(false, penalty, 0),
                Pick::None => effect(true, penalty, penalty),
                Pick::Off => effect(false, 0, 0),
            },
            _ => effect(false, 0, 0),
        }
    }

    /// The table after a play that leaves the turn here.
    pub(in crate::whot::bot) fn after(&self, card: Card, shape: Option<Shape>, effect: Effect) -> Self {
        let mut hand = self.hand;
        hand.remove(card);
        let drawn_by_other = effect.at_once.min(u32::from(self.market_cards));
        Self {
            hand,
            pile: self.pile.or(CardSet::of(card)),
            other_cards: self.other_cards + drawn_by_other,
            market_cards: self.market_cards.saturating_sub(u8::try_from(drawn_by_other).unwrap_or(u8::MAX)),
            top: Some(card),
            called: shape,
            pending: None,
            drawn: None,
        }
    }

    /// The action of a move on this table.
    pub(in crate::whot::bot) fn action(&self, options: &Options, chosen: Move) -> Action {
        match chosen {
            Move::Play(card, shape) => {
                let call = options.call_required() && self.hand.len() == 2;
                Action::Play { card, shape, call }
            }
            Move::Rest if self.drawn.is_some() => Action::Pass,
            Move::Rest => Action::Draw,
        }
    }
}

/// Whether a view is one to act on: its seat is on turn in a live round.
pub(in crate::whot::bot) fn on_turn(view: &View) -> bool {
    view.turn == Some(view.seat) && matches!(view.phase, Phase::Play | Phase::AfterDraw)
}

/// The cards of a list as a set.
pub(in crate::whot::bot) fn set(cards: &CardList) -> CardSet {
    cards.as_slice().iter().copied().collect()
}
