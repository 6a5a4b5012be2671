//! Sections 7 and 13 of the rules a second time, line by line over a seat's view, to judge the bit sets of the engine.
//!
//! Written from the text and from what a client can see; shares nothing with the engine but the names on the cards.

use serde_json::Value;
use whotbox::whot::action::{Action, Actor};
use whotbox::whot::card::{Card, Seat, Shape};
use whotbox::whot::matches::Match;
use whotbox::whot::state::Phase;
use whotbox::whot::view::View;

pub(crate) struct Oracle {
    whot_defends: bool,
    voluntary_draw: bool,
    special_finish: bool,
    call_required: bool,
    five_special: bool,
}

impl Oracle {
    pub(crate) fn new(options: &Value) -> Self {
        Self {
            whot_defends: options["whot_defends"] == true,
            voluntary_draw: options["voluntary_draw"] == true,
            special_finish: options["special_finish"] == true,
            call_required: options["last_card_call"] == "required",
            five_special: options["pick_three"] != "off",
        }
    }

    /// The code of rules 13, or none if the action is accepted.
    pub(crate) fn code(&self, game: &Match, actor: Actor, action: &Action) -> Option<&'static str> {
        let viewer = if let Actor::Seat(seat) = actor { seat } else { Seat::Zero };
        self.code_for(&game.view(viewer), actor, action)
    }

    /// The same from the actor's view.
    fn code_for(&self, view: &View, actor: Actor, action: &Action) -> Option<&'static str> {
        let server_type = matches!(action, Action::Timeout | Action::NextRound { .. });
        if server_type != (actor == Actor::Server) {
            return Some("bad_action");
        }
        let live = matches!(view.phase, Phase::Play | Phase::AfterDraw);
        if view.phase == Phase::MatchOver {
            return Some("match_over");
        }
        if *action == Action::Resign {
            return None;
        }
        if matches!(action, Action::NextRound { .. }) {
            return live.then_some("round_live");
        }
        if !live {
            return Some("round_over");
        }
        let Actor::Seat(seat) = actor else { return None };
        if view.turn != Some(seat) {
            return Some("not_your_turn");
        }
        match *action {
            Action::Play { card, shape, call } => self.play_code(view, card, shape, call),
            Action::Draw if view.phase == Phase::AfterDraw => Some("already_drew"),
            Action::Draw if view.pending.is_some() || self.voluntary_draw || !self.can_play(view) => None,
            Action::Draw => Some("must_play"),
            Action::Pass if view.phase != Phase::AfterDraw => Some("cannot_pass"),
            _ => None,
        }
    }

    fn play_code(&self, view: &View, card: Card, shape: Option<Shape>, call: bool) -> Option<&'static str> {
        let hand: Vec<Card> = view.hand.iter().collect();
        if !hand.contains(&card) {
            return Some("card_not_in_hand");
        }
        if view.phase == Phase::AfterDraw && view.drawn != Some(card) {
            return Some("must_play_drawn");
        }
        let whot = card.number() == 20;
        if whot && shape.is_none() {
            return Some("shape_required");
        }
        if !whot && shape.is_some() {
            return Some("shape_not_allowed");
        }
        let top = *view.pile.as_slice().last().expect("a pile");
        if let Some(pending) = view.pending {
            if !(card.number() == pending.number || whot && self.whot_defends) {
                return Some("penalty_pending");
            }
        } else if top.number() == 20 {
            if !(whot || card.shape() == view.called) {
                return Some("no_match");
            }
        } else if !(whot || card.shape() == top.shape() || card.number() == top.number()) {
            return Some("no_match");
        }
        let special = matches!(card.number(), 1 | 2 | 8 | 14 | 20) || card.number() == 5 && self.five_special;
        if !self.special_finish && hand.len() == 1 && special {
            return Some("special_finish");
        }
        (call && !(self.call_required && hand.len() == 2)).then_some("bad_call")
    }

    fn can_play(&self, view: &View) -> bool {
        let shape = |card: Card| (card.number() == 20).then_some(Shape::Circle);
        view.hand.iter().any(|card| self.play_code(view, card, shape(card), false).is_none())
    }

    /// The legal list of rules 12.4, from the codes of every action there is.
    pub(crate) fn legal(&self, game: &Match, seat: Seat) -> Vec<Action> {
        let view = game.view(seat);
        let mut list = Vec::new();
        let mut add = |action: Action| {
            if self.code_for(&view, Actor::Seat(seat), &action).is_none() {
                list.push(action);
            }
        };
        for card in Card::all() {
            for shape in [None].into_iter().chain(Shape::ALL.map(Some)) {
                for call in [false, true] {
                    add(Action::Play { card, shape, call });
                }
            }
        }
        [Action::Pass, Action::Draw, Action::Resign].into_iter().for_each(add);
        list
    }
}
