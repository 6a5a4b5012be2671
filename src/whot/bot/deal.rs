//! Imagined deals: a whole state that agrees with a view and with what is remembered, its hidden cards drawn by lot.
//!
//! The only place of the bots that makes a state, and it makes it of a [`View`]: the real one is never here.

use crate::whot::bot::memory::Memory;
use crate::whot::bot::random::Random;
use crate::whot::bot::table::set;
use crate::whot::card::{Card, CardSet, PerSeat, Seat};
use crate::whot::matches::Match;
use crate::whot::options::Options;
use crate::whot::state::State;
use crate::whot::view::View;

/// In how many of 4 deals the other holds a card of the shape it named: it mostly names one it has.
const NAMED_IS_HELD: usize = 3;

/// A match in a state that the seat of the view cannot tell from the real one. The scoreboard is left out, because a
/// playout ends with the round.
pub(in crate::whot::bot) fn imagine(options: &Options, memory: &Memory, view: &View, random: &mut Random) -> Match {
    let seen = set(&view.pile).or(view.hand);
    let hidden = CardSet::DECK.without(seen);
    let other = guess(memory, hidden, view.opponent_cards, random);
    let mut market: Vec<Card> = hidden.without(other).iter().collect();
    random.mix(&mut market);
    let mut hands = PerSeat([CardSet::EMPTY; 2]);
    *hands.of_mut(view.seat) = view.hand;
    *hands.of_mut(view.seat.other()) = other;
    let state = State {
        called: view.called,
        drawn: view.drawn,
        hands,
        market: market.into_iter().collect(),
        pending: view.pending,
        phase: view.phase,
        pile: view.pile,
        reshuffles: view.reshuffles,
        round: view.round,
        starter: view.starter,
        turn: view.turn,
        ..State::before_first_deal()
    };
    Match { options: *options, first_starter: Seat::Zero, seed: random.seed(), state }
}

/// The other hand, `cards` of the hidden ones. What is ruled out for a group is ruled out for the older ones, so filling
/// the oldest first makes every hand that fits as likely as the others.
fn guess(memory: &Memory, hidden: CardSet, cards: u32, random: &mut Random) -> CardSet {
    let mut hand = memory.held.and(hidden);
    let mut last_allowed = hidden;
    for group in &memory.groups {
        last_allowed = if memory.honest { hidden.without(group.without) } else { hidden };
        let room = group.cards.min(cards.saturating_sub(hand.len()));
        hand = fill(hand, last_allowed, room, random);
    }
    if let Some(shape) = memory.wants.filter(|shape| hand.and(shape.cards()).is_empty()) {
        let named = last_allowed.and(shape.cards());
        let given = hand.without(memory.held);
        if random.below(4) < NAMED_IS_HELD && !named.is_empty() && !given.is_empty() {
            hand = hand.without(any(given, random));
            hand = hand.or(any(named, random));
        }
    }
    // What is still missing, because too little fits or nothing was told, may be anything.
    let missing = cards.saturating_sub(hand.len());
    fill(hand, hidden, missing, random)
}

/// Adds up to `count` cards of those allowed.
fn fill(mut hand: CardSet, allowed: CardSet, count: u32, random: &mut Random) -> CardSet {
    for _ in 0..count {
        hand = hand.or(any(allowed.without(hand), random));
    }
    hand
}

/// One card of the set, or none if it is empty.
fn any(cards: CardSet, random: &mut Random) -> CardSet {
    let place = random.below(usize::try_from(cards.len()).unwrap_or_default());
    cards.iter().nth(place).map_or(CardSet::EMPTY, CardSet::of)
}

#[cfg(test)]
mod tests {
    use super::imagine;
    use crate::whot::action::{Action, Actor};
    use crate::whot::bot::memory::Memory;
    use crate::whot::bot::random::Random;
    use crate::whot::bot::{Bot, Level};
    use crate::whot::card::{CardSet, Seat};
    use crate::whot::matches::Match;
    use crate::whot::options::{Options, Preset};
    use crate::whot::view::View;

    /// The view without what a playout does not need.
    fn of_the_round(view: View) -> View {
        let (seq, history) = (0, Vec::new());
        let (rounds_won, points, timeouts) = Default::default();
        View { seq, history, rounds_won, points, timeouts, ..view }
    }

    #[test]
    fn an_imagined_deal_looks_like_the_real_one_and_obeys_the_laws() {
        let mut random = Random::new(11);
        for preset in Preset::ALL {
            let options = Options::preset(*preset);
            let (mut game, opening) = Match::start(options, Seat::Zero, random.seed());
            let mut memory = Memory::new(Seat::Zero);
            opening.iter().for_each(|event| memory.learn(&options, &event.seen_by(Seat::Zero)));
            while let Some(seat) = game.turn_of() {
                if seat == Seat::Zero {
                    let view = game.view(seat);
                    let guess = imagine(&options, &memory, &view, &mut random);
                    assert_eq!(guess.state.check(&options), Ok(()));
                    assert_eq!(of_the_round(guess.view(seat)), of_the_round(view));
                    let (surely, other) = (memory.held, *guess.state.hands.of(Seat::One));
                    assert_eq!(surely.without(other), CardSet::EMPTY);
                    assert_eq!(surely.without(*game.state.hands.of(Seat::One)), CardSet::EMPTY);
                }
                let action = Bot::new(Level::Medium, options, seat).choose(&game.view(seat), 0).expect("on turn");
                let events = game.apply(Actor::Seat(seat), &action).expect("legal");
                events.iter().for_each(|event| memory.learn(&options, &event.seen_by(Seat::Zero)));
            }
        }
    }

    /// The first card the other may not have held is in none of the guesses; without the memory it is in some.
    #[test]
    fn what_was_not_followed_is_not_guessed() {
        let options = Options::preset(Preset::Nigerian);
        let mut random = Random::new(12);
        let (mut game, opening) = Match::start(options, Seat::One, random.seed());
        let mut memory = Memory::new(Seat::Zero);
        let events = game.apply(Actor::Seat(Seat::One), &Action::Draw).expect("legal");
        opening.iter().chain(&events).for_each(|event| memory.learn(&options, &event.seen_by(Seat::Zero)));
        let view = game.view(Seat::Zero);
        let followers = memory.groups.first().expect("the hand it was dealt").without;

        let held = |memory: &Memory, random: &mut Random| {
            let guess = imagine(&options, memory, &view, random);
            guess.state.hands.of(Seat::One).and(followers).len()
        };

        // The one card it drew is free to follow, the six others are not.
        assert!((0..100).all(|_| held(&memory, &mut random) <= 1));
        assert!((0..100).any(|_| held(&Memory::new(Seat::Zero), &mut random) > 1));
    }
}
