//! What reaches a player tells nothing of the other hand and the market.
//!
//! Two matches that differ only in what a seat may not know must look the same to that seat. The deal follows from a
//! seed, so the hidden cards are exchanged in the stored match; a view that leaked would then differ.

use serde_json::json;

use super::table::{Table, options, table};
use crate::base::id::GameId;
use crate::game::records::Board;
use crate::store::fault::Fault;
use crate::whot::card::Seat;

/// All that a seat is given of the present state, as JSON text.
fn told(table: &Table, game: GameId, seat: Seat) -> String {
    let shown = table.shown(game, seat);
    let frames = table.frames(game, seat, None);
    let last = frames.items.last().unwrap();
    json!({
        "view": shown.view, "options": shown.options, "commitment": shown.commitment,
        "last": {"seq": last.seq, "events": last.events},
    })
    .to_string()
}

/// Exchanges a hidden card of the seat's opponent with one of the market.
fn exchange(table: &Table, game: GameId, seat: Seat) {
    let mut session = table.session(game);
    let Board::Dealt(dealt) = &mut session.board else { panic!("not dealt") };
    let hand = &mut dealt.state.hands[usize::from(seat.other().index())];
    let (card, market) = (hand.trailing_zeros(), dealt.state.market[0]);
    *hand = *hand & !(1 << card) | 1 << market;
    dealt.state.market[0] = u8::try_from(card).unwrap();
    dealt.state.market.reverse();
    let put = table.store.write_blocking(move |tx, _| tx.put(&session).map_err(|fault: Fault| fault));
    put.unwrap();
}

#[test]
fn a_view_does_not_depend_on_the_other_hand_or_the_market() {
    for steps in 0..6 {
        for seat in Seat::BOTH {
            let table = table();
            let game = table.open(options(&json!({"hand_size": 6, "voluntary_draw": true})));
            for n in 0..steps {
                table.step(game, n);
            }
            if table.shown(game, seat).view.turn.is_none() {
                continue;
            }
            let view = |table: &Table, seat| json!(table.shown(game, seat).view).to_string();
            let (own, other) = (view(&table, seat), view(&table, seat.other()));
            exchange(&table, game, seat);
            assert_eq!(view(&table, seat), own, "after {steps} steps, seat {}", seat.index());
            assert_ne!(view(&table, seat.other()), other, "the control: the other's own view shows the exchange");
        }
    }
}

#[test]
fn every_frame_names_only_cards_that_its_seat_may_know() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 2})));
    table.play_out(game);
    let mut leaks = [0, 0];
    for seat in Seat::BOTH {
        for frame in table.frames(game, seat, None).items {
            for event in &frame.events {
                let event = json!(event);
                let private = event["type"] == "dealt" || event["type"] == "drew";
                if private && event["seat"] != json!(seat) {
                    assert!(event.get("cards").is_none(), "{event}");
                    leaks[0] += 1;
                } else if private {
                    assert!(event.get("cards").is_some(), "the control: the own cards are there");
                    leaks[1] += 1;
                }
            }
            let view = json!(frame.shown.view);
            assert!(view.get("market").is_none() && view.get("hands").is_none());
            assert_eq!(view["result"].is_null(), frame.shown.view.phase.is_live(), "hands open at a round's end alone");
        }
    }
    assert!(leaks[0] > 0 && leaks[1] > 0, "both kinds occurred");
}

#[test]
fn what_is_told_holds_no_seed_while_the_round_is_live() {
    let table = table();
    let game = table.open(options(&json!({})));
    table.step(game, 0);
    let round = table.rounds(game).remove(0);
    let seeds = [round.seed.unwrap(), table.service.server_seed(&round).unwrap()];
    let told = Seat::BOTH.map(|seat| told(&table, game, seat)).concat();
    for seed in seeds {
        assert!(!told.contains(&crate::whot::shuffle::bytes_to_hex(&seed)));
    }
    table.play_out(game);
    let shown = json!(table.shown(game, Seat::Zero).view).to_string();
    assert!(shown.contains(&crate::whot::shuffle::bytes_to_hex(&seeds[0])), "the control: at its end it is there");
}
