//! Rules 16.2: what a seat is sent does not depend on the other hand or the market beyond their sizes.

use serde_json::to_string;
use whotbox::whot::card::Seat;
use whotbox::whot::event::{Event, seen_by};
use whotbox::whot::matches::Match;
use whotbox::whot::state::Phase;

use crate::whot::random::{Random, for_seeds};

/// The same match with every card the viewer cannot see dealt anew among the places it cannot see.
pub(crate) fn with_hidden_cards_mixed(game: &Match, viewer: Seat, random: &mut Random) -> Match {
    let mut stored = game.to_stored();
    let other = usize::from(viewer.other().index());
    let mut hidden: Vec<u8> = (0..54).filter(|id| stored.state.hands[other] & (1 << id) != 0).collect();
    let held = hidden.len();
    hidden.append(&mut stored.state.market);
    random.shuffle(&mut hidden);
    stored.state.market = hidden.split_off(held);
    stored.state.hands[other] = hidden.iter().fold(0, |bits, id| bits | 1 << id);
    if stored.state.turn == Some(viewer.other().index()) && stored.state.drawn.is_some() {
        stored.state.drawn = hidden.first().copied();
    }
    Match::from_stored(&stored).expect("the same places, other cards")
}

/// Whether what the viewer is told may differ by right: own cards were drawn, all is open, or the phase tells.
fn reveals(events: &[Event], viewer: Seat) -> bool {
    events.iter().any(|event| match event {
        Event::Drew { seat, .. } => *seat == viewer,
        Event::RoundOver(_) | Event::MatchOver { .. } | Event::RoundStarted { .. } => true,
        Event::Turn { phase, .. } => *phase == Phase::AfterDraw,
        _ => false,
    })
}

#[test]
fn a_view_does_not_change_with_the_hidden_cards() {
    for_seeds(150, 5_000, |seed| {
        let mut random = Random::new(seed);
        let mut game = random.start();
        while game.phase() != Phase::MatchOver {
            let (actor, action) = random.fair_action(&game);
            for viewer in Seat::BOTH {
                if game.turn_of().is_none() {
                    continue;
                }
                let mut mixed = with_hidden_cards_mixed(&game, viewer, &mut random);
                assert_eq!(game.view(viewer), mixed.view(viewer));
                assert_eq!(to_string(&game.view(viewer)).ok(), to_string(&mixed.view(viewer)).ok());
                let Ok(other_events) = mixed.apply(actor, &action) else { continue };
                let events = game.clone().apply(actor, &action).expect("legal");
                if !reveals(&events, viewer) && !reveals(&other_events, viewer) {
                    assert_eq!(seen_by(&events, viewer), seen_by(&other_events, viewer));
                }
            }
            game.apply(actor, &action).expect("legal");
        }
    });
}

#[test]
fn the_other_view_and_the_full_state_do_change_with_them() {
    let mut random = Random::new(3);
    let game = random.start();
    let mixed = with_hidden_cards_mixed(&game, Seat::Zero, &mut random);
    assert_ne!(game.view(Seat::One), mixed.view(Seat::One));
    assert_ne!(to_string(&game.full_state()).ok(), to_string(&mixed.full_state()).ok());
}

#[test]
fn only_the_own_dealt_and_drawn_cards_are_seen() {
    let mut random = Random::new(4);
    let (options, _) = random.options();
    let (_, events) = Match::start(options, Seat::One, random.seed());
    let text = to_string(&seen_by(&events, Seat::Zero)).expect("JSON");
    assert_eq!(text.matches("\"cards\"").count(), 1);
    assert_eq!(to_string(&events).expect("JSON").matches("\"cards\"").count(), 2);
}
