//! A match from its first deal to its end, and the ways in which it can end early.

use std::time::Duration;

use serde_json::json;

use super::table::{options, refusal, table};
use crate::game::error::Error;
use crate::game::history::replay;
use crate::game::records::Board;
use crate::game::scores::{self, Period};
use crate::store::page::Page;
use crate::whot::action::Action;
use crate::whot::card::Seat;
use crate::whot::refusal::Refusal;
use crate::whot::state::{EndReason, Phase};

#[test]
fn a_match_of_many_rounds_ends_and_is_counted_once() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 3})));
    table.play_out(game);
    let shown = table.shown(game, Seat::One);
    assert_eq!((shown.view.phase, shown.end_reason), (Phase::MatchOver, Some("target")));
    let winner = shown.view.winner.unwrap();
    assert_eq!(*shown.view.rounds_won.of(winner), 3);
    let read = table.store.read().unwrap();
    for period in [Period::All, Period::Week] {
        let places =
            scores::leaderboard(&read, table.session(game).updated_at, period, &Page::first(10)).unwrap().items;
        let counts: Vec<_> = places.iter().map(|place| (place.user_id, place.won, place.played)).collect();
        let (first, second) = (table.player(winner).id(), table.player(winner.other()).id());
        assert_eq!(counts, [(first, 1, 1), (second, 0, 1)]);
    }
    assert_eq!(refusal(table.play(game, Seat::Zero, Action::Draw)), Refusal::MatchOver);
    assert_eq!(refusal(table.ready(game, Seat::Zero)), Refusal::MatchOver);
}

#[test]
fn the_stored_actions_replay_to_the_stored_match_byte_for_byte() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 2, "market_empty": "reshuffle"})));
    loop {
        let (session, rounds) = (table.session(game), table.rounds(game));
        let present = rounds.iter().rfind(|round| round.seed.is_some()).unwrap();
        let again = replay(&session, present, |_, _| {}).unwrap();
        assert!(Board::Dealt(again.to_stored()) == session.board, "seq {}", session.seq());
        if !table.step(game, 1) {
            break;
        }
    }
    let rounds = table.rounds(game);
    assert!(rounds.len() >= 2);
    for pair in rounds.windows(2).filter(|pair| pair[1].seed.is_some()) {
        let again = replay(&table.session(game), &pair[0], |_, _| {}).unwrap();
        assert!(pair[1].before.as_ref() == Some(&again.to_stored()), "a round goes on where the one before ended");
    }
}

#[test]
fn an_ordinary_action_rewrites_one_row() {
    let table = table();
    let game = table.open(options(&json!({})));
    let (rounds, session) = (table.rounds(game), table.session(game));
    table.step(game, 0);
    assert!(table.rounds(game) == rounds, "the round's row is as it was");
    assert!(table.session(game) != session, "the control: the match's row is not");
}

#[test]
fn readiness_of_one_waits_and_of_both_deals() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 2})));
    while table.shown(game, Seat::Zero).view.phase != Phase::RoundOver {
        table.step(game, 0);
    }
    let seq = table.session(game).seq();
    table.ready(game, Seat::One).unwrap();
    table.ready(game, Seat::One).unwrap();
    assert_eq!(table.session(game).seq(), seq, "one of two");
    table.ready(game, Seat::Zero).unwrap();
    assert_eq!(table.shown(game, Seat::Zero).view.round, 2);
    table.ready(game, Seat::Zero).unwrap();
    assert_eq!(table.session(game).seq(), seq + 1, "said again, it changes nothing");
}

#[test]
fn the_clock_deals_times_out_and_does_neither_twice() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 2, "timeout_limit": 2})));
    let timed_out = table.run(move |service, tx, now| service.time_out(tx, now, game, 0));
    assert!(timed_out.unwrap());
    let again = table.run(move |service, tx, now| service.time_out(tx, now, game, 0));
    assert!(!again.unwrap(), "the match has moved on");
    while table.shown(game, Seat::Zero).view.phase != Phase::RoundOver {
        table.step(game, 0);
    }
    let seq = table.session(game).seq();
    assert!(!table.run(move |service, tx, now| service.time_out(tx, now, game, seq)).unwrap(), "nobody is on turn");
    assert!(table.run(move |service, tx, now| service.next_round(tx, now, game, seq)).unwrap());
    assert!(!table.run(move |service, tx, now| service.next_round(tx, now, game, seq)).unwrap());
    assert_eq!(table.shown(game, Seat::Zero).view.round, 2);
}

#[test]
fn whoever_lets_the_clock_run_out_too_often_loses() {
    let table = table();
    let game = table.open(options(&json!({"timeout_limit": 1})));
    let late = table.shown(game, Seat::Zero).view.turn.unwrap();
    table.run(move |service, tx, now| service.time_out(tx, now, game, 0)).unwrap();
    let view = table.shown(game, Seat::Zero).view;
    assert_eq!((view.winner, view.end_reason), (Some(late.other()), Some(EndReason::Timeout)));
    assert!(table.session(game).ended_at.is_some());
}

#[test]
fn resigning_between_rounds_belongs_to_the_round_before() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 2})));
    while table.shown(game, Seat::Zero).view.phase != Phase::RoundOver {
        table.step(game, 0);
    }
    let actions = table.rounds(game)[0].actions.len();
    table.play(game, Seat::One, Action::Resign).unwrap();
    let rounds = table.rounds(game);
    assert_eq!((rounds[0].actions.len(), rounds[1].seed), (actions + 1, None));
    assert_eq!(table.shown(game, Seat::Zero).end_reason, Some("resign"));
    let again = replay(&table.session(game), &rounds[0], |_, _| {}).unwrap();
    assert!(Board::Dealt(again.to_stored()) == table.session(game).board);
}

#[test]
fn a_void_match_keeps_its_scores_and_shows_its_seed() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 2})));
    table.step(game, 0);
    let touched = table.session(game).updated_at;
    table.clock.advance(Duration::from_secs(1));
    let early = touched.minus(Duration::from_secs(1));
    assert!(!table.run(move |service, tx, now| service.close_void(tx, now, game, early)).unwrap(), "touched since");
    assert!(table.run(move |service, tx, now| service.close_void(tx, now, game, touched)).unwrap());
    let shown = table.shown(game, Seat::Zero);
    assert_eq!((shown.view.phase, shown.view.winner, shown.end_reason), (Phase::MatchOver, None, Some("void")));
    assert!(shown.view.legal.is_empty());
    assert_eq!(table.proof(game)["rounds"].as_array().unwrap().len(), 1);
    assert_eq!(refusal(table.play(game, Seat::Zero, Action::Resign)), Refusal::MatchOver);
    let counted = scores::leaderboard(&table.store.read().unwrap(), touched, Period::All, &Page::first(10));
    assert!(counted.unwrap().items.is_empty(), "it counts for nobody");
}

#[test]
fn a_stranger_s_match_is_no_match() {
    let table = table();
    let game = table.open(options(&json!({})));
    let stranger = crate::identity::testing::user(&table.store, "chidi", crate::identity::users::Role::Moderator);
    let stranger = crate::identity::testing::caller(&stranger);
    let read = table.store.read().unwrap();
    assert!(matches!(crate::game::sessions::show(&read, &stranger, game), Err(Error::NotFound)));
    assert!(matches!(crate::game::history::proof(&read, &stranger, game), Err(Error::NotFound)));
    assert!(matches!(table.service.frames(&read, &stranger, game, None, 9), Err(Error::NotFound)));
    let token = table.run(move |service, tx, now| service.issue_token(tx, now, &stranger, game).map(drop));
    assert!(matches!(token, Err(Error::NotFound)));
}

#[test]
fn a_reconnect_token_is_good_once_and_replaces_the_one_before() {
    let table = table();
    let game = table.open(options(&json!({})));
    let issue = || {
        let who = table.players[1].clone();
        table.run(move |service, tx, now| service.issue_token(tx, now, &who, game)).unwrap().token
    };
    let spend = |token: String| table.run(move |service, tx, now| service.use_token(tx, now, game, &token));
    let (first, second) = (issue(), issue());
    assert!(matches!(spend(first), Err(Error::BadToken)));
    let named = spend(second.clone()).unwrap();
    assert_eq!((named.user, named.session), (table.players[1].id(), table.players[1].session()));
    assert!(matches!(spend(second), Err(Error::BadToken)), "used");
    let third = issue();
    table.clock.advance(crate::game::reconnect::TOKEN_LIFE);
    assert!(matches!(spend(third), Err(Error::BadToken)), "too old");
}
