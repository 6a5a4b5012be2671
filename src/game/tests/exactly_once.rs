//! Every action once, however often and from how many places it is sent.

use std::sync::Barrier;

use serde_json::json;

use super::table::{Table, options, table};
use crate::base::id::GameId;
use crate::base::text::ClientId;
use crate::game::error::Error;
use crate::game::play::{Play, Played};
use crate::whot::action::Action;
use crate::whot::card::Seat;
use crate::whot::state::Phase;

fn turn(table: &Table, game: GameId) -> Seat {
    table.shown(game, Seat::Zero).view.turn.unwrap()
}

fn draw(client_id: &str, expected_seq: Option<u64>) -> Play {
    Play { action: Action::Draw, client_id: Some(client_id.parse::<ClientId>().unwrap()), expected_seq }
}

#[test]
fn a_client_id_seen_before_gives_the_first_answer() {
    let table = table();
    let game = table.open(options(&json!({"voluntary_draw": true})));
    let seat = turn(&table, game);
    let first = table.send(game, seat, draw("a", Some(0))).unwrap();
    assert_eq!(first, Played { seq: 1, replayed: false });
    for _ in 0..3 {
        assert_eq!(table.send(game, seat, draw("a", Some(0))).unwrap(), Played { seq: 1, replayed: true });
    }
    // The other's clients choose their ids without knowing of these.
    assert_eq!(table.send(game, seat.other(), draw("a", None)).unwrap(), Played { seq: 2, replayed: false });
}

#[test]
fn an_id_of_an_earlier_round_is_remembered() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 3, "voluntary_draw": true})));
    let seat = turn(&table, game);
    table.send(game, seat, draw("a", None)).unwrap();
    while table.shown(game, Seat::Zero).view.phase != Phase::RoundOver {
        table.step(game, 0);
    }
    assert_eq!(table.send(game, seat, draw("a", None)).unwrap(), Played { seq: 1, replayed: true });
    table.step(game, 0);
    table.step(game, 0);
    assert_eq!(table.shown(game, Seat::Zero).view.round, 2);
    assert_eq!(table.send(game, seat, draw("a", None)).unwrap(), Played { seq: 1, replayed: true });
}

#[test]
fn another_seq_than_the_present_one_is_stale() {
    let table = table();
    let game = table.open(options(&json!({"voluntary_draw": true})));
    let seat = turn(&table, game);
    assert!(matches!(table.send(game, seat, draw("a", Some(7))), Err(Error::Stale { seq: 0 })));
    assert_eq!(table.session(game).seq(), 0);
}

#[test]
fn a_hundred_at_once_apply_once() {
    let table = table();
    let game = table.open(options(&json!({"voluntary_draw": true})));
    let (seat, start) = (turn(&table, game), Barrier::new(100));
    let answers: Vec<Played> = std::thread::scope(|scope| {
        let send = || {
            start.wait();
            table.send(game, seat, draw("a", Some(0))).unwrap()
        };
        let threads: Vec<_> = (0..100).map(|_| scope.spawn(send)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer.seq == 1));
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert_eq!((table.session(game).seq(), table.session(game).log.len()), (1, 1));
}

#[test]
fn without_ids_a_hundred_at_once_apply_once_by_their_seq() {
    let table = table();
    let game = table.open(options(&json!({"voluntary_draw": true})));
    let (seat, start) = (turn(&table, game), Barrier::new(100));
    let play = Play { action: Action::Draw, client_id: None, expected_seq: Some(0) };
    let good = std::thread::scope(|scope| {
        let send = || {
            start.wait();
            table.send(game, seat, play.clone()).is_ok()
        };
        let threads: Vec<_> = (0..100).map(|_| scope.spawn(send)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|good| *good).count()
    });
    assert_eq!((good, table.session(game).seq()), (1, 1));
}

#[test]
fn frames_from_anywhere_are_the_same_frames() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 2})));
    let mut sent = [Vec::new(), Vec::new()];
    let mut at = [None, None];
    loop {
        // As a socket does: from the own place on, after every step.
        for seat in Seat::BOTH {
            let place = usize::from(seat.index());
            let frames = table.frames(game, seat, at[place]);
            at[place] = Some(frames.last_seq);
            sent[place].extend(frames.items);
        }
        if !table.step(game, 2) {
            break;
        }
    }
    for seat in Seat::BOTH {
        let sent = &sent[usize::from(seat.index())];
        let numbers: Vec<u64> = sent.iter().map(|frame| frame.seq).collect();
        assert_eq!(numbers, (0..=table.session(game).seq()).collect::<Vec<_>>(), "none missing, none twice");
        assert!(&table.frames(game, seat, None).items == sent, "asked for at the end, they are what was sent");
        for after in [0, 1, 5, numbers.len() as u64 - 2] {
            let from = usize::try_from(after).unwrap() + 1;
            assert!(table.frames(game, seat, Some(after)).items == sent[from..]);
        }
    }
}
