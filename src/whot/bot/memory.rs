//! What a seat can know of the other hand from what it was shown: counts, cards seen, and what was not followed.
//!
//! Learns from events as `Event::seen_by` leaves them, one round at a time. Knows nothing of what moves are worth.
//!
//! The unknown cards of the other hand stand in groups, oldest first. A group is so many cards that came at the same
//! time, and the cards that cannot be among them: whoever draws although a card would have followed is taken not to
//! hold it. What is ruled out for a group is ruled out for every older one too, because those cards were there as well.

use crate::whot::card::{Card, CardSet, Seat, Shape};
use crate::whot::event::{DrawReason, Event};
use crate::whot::legal::following;
use crate::whot::options::{Options, Pick};
use crate::whot::state::Pending;

/// Unknown cards of the other hand that came at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::whot::bot) struct Group {
    pub(in crate::whot::bot) cards: u32,
    /// What cannot be among them.
    pub(in crate::whot::bot) without: CardSet,
}

/// What one seat remembers of the running round.
#[derive(Clone, Debug)]
pub(in crate::whot::bot) struct Memory {
    seat: Seat,
    hand: CardSet,
    pile: CardSet,
    top: Option<Card>,
    called: Option<Shape>,
    pending: Option<Pending>,
    /// The turn clock drew, not the player: that tells nothing of a hand.
    timed_out: bool,
    /// Cards that the other surely holds.
    pub(in crate::whot::bot) held: CardSet,
    /// Its other cards, oldest first.
    pub(in crate::whot::bot) groups: Vec<Group>,
    /// The shape it named last and has not played since.
    pub(in crate::whot::bot) wants: Option<Shape>,
    /// Whether it draws only when it must. One card played that it was taken not to hold disproves this for the round.
    pub(in crate::whot::bot) honest: bool,
}

impl Memory {
    /// Nothing is known.
    pub(in crate::whot::bot) const fn new(seat: Seat) -> Self {
        Self {
            seat,
            hand: CardSet::EMPTY,
            pile: CardSet::EMPTY,
            top: None,
            called: None,
            pending: None,
            timed_out: false,
            held: CardSet::EMPTY,
            groups: Vec::new(),
            wants: None,
            honest: true,
        }
    }

    /// Learns from one event as this seat is shown it.
    pub(in crate::whot::bot) fn learn(&mut self, options: &Options, event: &Event) {
        match *event {
            Event::RoundStarted { hand_size, card, .. } => {
                let dealt = Group { cards: u32::from(hand_size), without: CardSet::EMPTY };
                *self = Self { pile: CardSet::of(card), top: Some(card), groups: vec![dealt], ..Self::new(self.seat) };
            }
            Event::Dealt { cards, .. } => self.hand = self.hand.or(cards.unwrap_or_default()),
            Event::Played { seat, card, shape } => self.played(seat, card, shape),
            Event::Penalty { number, count, .. } => self.pending = Some(Pending { number, count }),
            Event::PenaltyCleared { .. } => self.pending = None,
            Event::Drew { seat, count, reason, cards } => {
                if seat == self.seat {
                    self.hand = self.hand.or(cards.unwrap_or_default());
                } else {
                    self.rule_out(options, reason);
                    self.groups.push(Group { cards: u32::from(count), without: CardSet::EMPTY });
                }
                if reason == DrawReason::Penalty {
                    self.pending = None;
                }
            }
            Event::Reshuffled { .. } => self.refilled(),
            Event::TimedOut { .. } => self.timed_out = true,
            Event::Turn { .. } => self.timed_out = false,
            Event::SemiLastCard { .. }
            | Event::LastCard { .. }
            | Event::Skipped { .. }
            | Event::CallMissed { .. }
            | Event::Passed { .. }
            | Event::Resigned { .. }
            | Event::RoundOver(_)
            | Event::MatchOver { .. } => {}
        }
    }

    fn played(&mut self, seat: Seat, card: Card, shape: Option<Shape>) {
        self.pile.insert(card);
        self.top = Some(card);
        self.called = shape;
        self.pending = None;
        if seat == self.seat {
            self.hand.remove(card);
            return;
        }
        if shape.is_some() || card.shape() == self.wants {
            self.wants = shape;
        }
        if self.held.contains(card) {
            self.held.remove(card);
            return;
        }
        // The oldest group that may hold it: if it came from a younger one, more stays possible than is, never less.
        let fits = self.groups.iter().position(|group| group.cards > 0 && !group.without.contains(card));
        let place = fits.or_else(|| self.groups.iter().rposition(|group| group.cards > 0));
        self.honest &= fits.is_some();
        if let Some(group) = place.and_then(|place| self.groups.get_mut(place)) {
            group.cards -= 1;
        }
    }

    /// The other is about to draw for this reason: if it chose to, it holds nothing that would have followed.
    fn rule_out(&mut self, options: &Options, reason: DrawReason) {
        let chosen = match reason {
            DrawReason::Market => true,
            DrawReason::Penalty => self.pending.is_some_and(|pending| options.pick(pending.number) != Pick::None),
            DrawReason::GeneralMarket | DrawReason::NoCall => false,
        };
        if chosen && !self.timed_out {
            let follows = following(options, self.top, self.called, self.pending);
            self.groups.iter_mut().for_each(|group| group.without = group.without.or(follows));
        }
    }

    /// The market was empty, so that every card not here and not on the pile was in the other hand; what that hand has
    /// drawn beyond is from the new market.
    fn refilled(&mut self) {
        let unknown: u32 = self.groups.iter().map(|group| group.cards).sum();
        let cards = self.held.len() + unknown;
        self.held = CardSet::DECK.without(self.hand).without(self.pile);
        let since = Group { cards: cards.saturating_sub(self.held.len()), without: CardSet::EMPTY };
        self.groups = vec![since];
        self.pile = self.top.map_or(CardSet::EMPTY, CardSet::of);
    }
}

#[cfg(test)]
mod tests {
    use super::{Group, Memory};
    use crate::whot::card::{Card, CardSet, Seat, Shape};
    use crate::whot::event::{DrawReason, Event};
    use crate::whot::options::{Options, Preset};

    fn card(name: &str) -> Card {
        Card::from_name(name).expect("a card's name")
    }

    fn cards(names: &[&str]) -> CardSet {
        names.iter().map(|name| card(name)).collect()
    }

    /// Seat 0 in a round that opened with `C3` and these own cards.
    fn opened(hand: &[&str]) -> Memory {
        let mut memory = Memory::new(Seat::Zero);
        let start =
            Event::RoundStarted { round: 1, starter: Seat::One, hand_size: 6, card: card("C3"), market_cards: 41 };
        told(&mut memory, &[start, Event::Dealt { seat: Seat::Zero, cards: Some(cards(hand)) }]);
        memory
    }

    fn told(memory: &mut Memory, events: &[Event]) {
        let options = Options::preset(Preset::Nigerian);
        events.iter().for_each(|event| memory.learn(&options, event));
    }

    const fn drew(count: u8) -> Event {
        Event::Drew { seat: Seat::One, count, reason: DrawReason::Market, cards: None }
    }

    #[test]
    fn who_draws_is_taken_not_to_hold_what_would_have_followed() {
        let mut memory = opened(&["T1"]);

        told(&mut memory, &[drew(1)]);

        let follows_c3 = Shape::Circle.cards().or(CardSet::with_number(3)).or(CardSet::WHOTS);
        let old = Group { cards: 6, without: follows_c3 };
        assert_eq!(memory.groups, [old, Group { cards: 1, without: CardSet::EMPTY }]);
    }

    #[test]
    fn a_clock_that_draws_tells_nothing() {
        let mut memory = opened(&["T1"]);

        told(&mut memory, &[Event::TimedOut { seat: Seat::One, count: 1 }, drew(1)]);

        assert!(memory.groups.iter().all(|group| group.without.is_empty()), "{:?}", memory.groups);
    }

    #[test]
    fn a_card_that_was_ruled_out_came_from_the_market_or_shows_a_free_draw() {
        let played = |name| Event::Played { seat: Seat::One, card: card(name), shape: None };
        let mut memory = opened(&["T1"]);

        told(&mut memory, &[drew(1), played("C7")]);
        assert_eq!(memory.groups.iter().map(|group| group.cards).collect::<Vec<_>>(), [6, 0]);
        assert!(memory.honest, "the card may be the one it drew");

        told(&mut memory, &[played("C8")]);
        assert!(!memory.honest, "it held a circle and drew all the same");
    }

    #[test]
    fn a_refill_shows_the_whole_other_hand() {
        let mut memory = opened(&["T1", "T2"]);
        memory.pile = CardSet::DECK.without(cards(&["T1", "T2", "W1", "C10", "C11"]));
        memory.groups = vec![Group { cards: 2, without: CardSet::EMPTY }];

        // It draws two: C10, C11 or W1 was the last of the market, the other card came from the new one.
        told(&mut memory, &[drew(2), Event::Reshuffled { index: 1, market_cards: 47 }]);

        assert_eq!(memory.held, cards(&["W1", "C10", "C11"]));
        assert_eq!(memory.groups, [Group { cards: 1, without: CardSet::EMPTY }]);
    }
}
