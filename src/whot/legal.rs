//! Which actions are legal (sections 7, 12.4 and 13 of the rules).
//!
//! [`State::playable`] is the one statement of section 7 as a set of cards: the legal list is made from it, and a play is
//! refused exactly if it lies outside. [`State::refusal`] only names the reason, in the order of section 13.

use crate::whot::action::{Action, Actor};
use crate::whot::card::{Card, CardSet, Seat, Shape};
use crate::whot::options::Options;
use crate::whot::refusal::Refusal;
use crate::whot::state::{Pending, Phase, State};

/// The cards that would follow the top card or answer the penalty (rules 7.2, 7.3), whoever holds them.
pub(in crate::whot) fn following(
    options: &Options,
    top: Option<Card>,
    called: Option<Shape>,
    pending: Option<Pending>,
) -> CardSet {
    if let Some(pending) = pending {
        let answers = CardSet::with_number(pending.number);
        return if options.whot_defends { answers.or(CardSet::WHOTS) } else { answers };
    }
    let followers = top.map_or(CardSet::EMPTY, |top| match top.shape() {
        Some(shape) => shape.cards().or(CardSet::with_number(top.number())),
        None => called.map_or(CardSet::EMPTY, Shape::cards),
    });
    followers.or(CardSet::WHOTS)
}

impl State {
    fn following(&self, options: &Options) -> CardSet {
        following(options, self.pile.last(), self.called, self.pending)
    }

    /// The cards the seat on turn may play (rules 7.1 to 7.5).
    pub(in crate::whot) fn playable(&self, options: &Options, seat: Seat) -> CardSet {
        let hand = *self.hands.of(seat);
        let held = match self.drawn {
            Some(card) => hand.and(CardSet::of(card)),
            None => hand,
        };
        let cards = held.and(self.following(options));
        if !options.special_finish && hand.len() == 1 { cards.without(options.specials()) } else { cards }
    }

    /// Whether a play by this seat may call the last card now (rules 7.6).
    fn may_call(&self, options: &Options, seat: Seat) -> bool {
        options.call_required() && self.hands.of(seat).len() == 2
    }

    /// Whether the seat on turn may draw, given what it may play (rules 7.7).
    fn may_draw(&self, options: &Options, playable: CardSet) -> bool {
        self.phase == Phase::Play && (self.pending.is_some() || options.voluntary_draw || playable.is_empty())
    }

    /// Appends the legal list of a seat (rules 12.4) to `list`.
    pub(in crate::whot) fn legal_into(&self, options: &Options, seat: Seat, list: &mut Vec<Action>) {
        if self.phase == Phase::MatchOver {
            return;
        }
        if self.turn == Some(seat) {
            let playable = self.playable(options, seat);
            let call = self.may_call(options, seat);
            for card in playable.iter() {
                if card.is_whot() {
                    Shape::ALL.into_iter().for_each(|shape| push_play(list, card, Some(shape), call));
                } else {
                    push_play(list, card, None, call);
                }
            }
            if self.phase == Phase::AfterDraw {
                list.push(Action::Pass);
            } else if self.may_draw(options, playable) {
                list.push(Action::Draw);
            }
        }
        list.push(Action::Resign);
    }

    /// Why the action is refused, if it is: the first failing line of rules 13.
    pub(in crate::whot) fn refusal(&self, options: &Options, actor: Actor, action: &Action) -> Option<Refusal> {
        if matches!(actor, Actor::Seat(_)) != action.is_players() {
            return Some(Refusal::BadAction);
        }
        if self.phase == Phase::MatchOver {
            return Some(Refusal::MatchOver);
        }
        let live = self.phase.is_live();
        match action {
            Action::Resign => return None,
            Action::NextRound { .. } => return live.then_some(Refusal::RoundLive),
            Action::Play { .. } | Action::Draw | Action::Pass | Action::Timeout if !live => {
                return Some(Refusal::RoundOver);
            }
            Action::Timeout => return None,
            Action::Play { .. } | Action::Draw | Action::Pass => {}
        }
        let seat = match actor {
            Actor::Seat(seat) if self.turn == Some(seat) => seat,
            Actor::Seat(_) | Actor::Server => return Some(Refusal::NotYourTurn),
        };
        match *action {
            Action::Play { card, shape, call } => self.play_refusal(options, seat, card, shape, call),
            Action::Draw if self.phase == Phase::AfterDraw => Some(Refusal::AlreadyDrew),
            Action::Draw => {
                let free = self.pending.is_some() || options.voluntary_draw;
                (!free && !self.playable(options, seat).is_empty()).then_some(Refusal::MustPlay)
            }
            Action::Pass if self.phase != Phase::AfterDraw => Some(Refusal::CannotPass),
            Action::Pass | Action::Resign | Action::Timeout | Action::NextRound { .. } => None,
        }
    }

    fn play_refusal(
        &self,
        options: &Options,
        seat: Seat,
        card: Card,
        shape: Option<Shape>,
        call: bool,
    ) -> Option<Refusal> {
        let right_shape = card.is_whot() == shape.is_some();
        let right_call = !call || self.may_call(options, seat);
        if right_shape && right_call && self.playable(options, seat).contains(card) {
            return None;
        }
        if !self.hands.of(seat).contains(card) {
            return Some(Refusal::CardNotInHand);
        }
        if self.drawn.is_some_and(|drawn| drawn != card) {
            return Some(Refusal::MustPlayDrawn);
        }
        if !right_shape {
            return Some(if card.is_whot() { Refusal::ShapeRequired } else { Refusal::ShapeNotAllowed });
        }
        if !self.following(options).contains(card) {
            return Some(if self.pending.is_some() { Refusal::PenaltyPending } else { Refusal::NoMatch });
        }
        if !self.playable(options, seat).contains(card) {
            return Some(Refusal::SpecialFinish);
        }
        Some(Refusal::BadCall)
    }
}

fn push_play(list: &mut Vec<Action>, card: Card, shape: Option<Shape>, call: bool) {
    list.push(Action::Play { card, shape, call: false });
    if call {
        list.push(Action::Play { card, shape, call: true });
    }
}
