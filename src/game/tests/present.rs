//! What is kept of a match's last action is told only where the store has it.

use serde_json::json;

use super::table::{Table, options, table};
use crate::base::id::GameId;
use crate::game::error::Error;
use crate::game::history::played_again;
use crate::game::play::Play;
use crate::whot::action::Action;
use crate::whot::card::Seat;

/// The last frame as it is served, and as the rows alone give it.
fn both_ways(table: &Table, game: GameId, seat: Seat) -> bool {
    let seq = table.session(game).seq();
    let read = table.store.read().unwrap();
    let served = table.service.frame(&read, table.player(seat), game, seq).unwrap();
    let again = played_again(&read, table.player(seat), game, seq.checked_sub(1), 1).unwrap();
    assert_eq!(again.items, std::slice::from_ref(&served), "seq {seq}");
    assert_eq!((again.last_seq, served.seq), (seq, seq));
    table.service.present(&read, game).unwrap().is_some()
}

#[test]
fn the_frame_of_an_action_is_the_one_that_the_rows_give_for_both_seats() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 3, "market_empty": "reshuffle"})));
    let (mut kept, mut steps) = (0, 0);
    while table.step(game, steps) {
        for seat in Seat::BOTH {
            kept += usize::from(both_ways(&table, game, seat));
        }
        steps += 1;
    }
    assert!(kept > steps, "{kept} of {steps} steps were kept: otherwise nothing was compared");
}

#[test]
fn an_action_that_was_not_committed_is_not_shown() {
    // Given a match in which an action was done and the command then failed.
    let table = table();
    let game = table.open(options(&json!({})));
    assert!(table.step(game, 0));
    let turn = table.shown(game, Seat::Zero).view.turn.unwrap();
    let who = table.player(turn).clone();
    let before = table.session(game);
    let lost: Result<(), Error> = table.run(move |service, tx, now| {
        service.play(tx, now, &who, game, &Play { action: Action::Draw, client_id: None, expected_seq: None })?;
        Err(Error::NotFound)
    });
    assert!(matches!(lost, Err(Error::NotFound)));
    let read = table.store.read().unwrap();
    assert!(table.service.present(&read, game).unwrap().is_none(), "what is kept is ahead of the store");

    // Then what is shown is what was committed, and the next action begins there.
    assert!(!both_ways(&table, game, Seat::Zero));
    assert!(table.session(game) == before);
    let mut legal = table.shown(game, turn).view.legal;
    legal.pop();
    table.play(game, turn, legal[0]).unwrap();
    assert_eq!(table.session(game).seq(), before.seq() + 1);
    for seat in Seat::BOTH {
        both_ways(&table, game, seat);
    }
}
