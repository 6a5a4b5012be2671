//! The proof of a match, checked by the program that knows nothing of the box.

use serde_json::{Value, json};

use super::table::{NONCES, options, table};
use crate::game::records::ServerSeed;
use crate::whot::card::Seat;
use crate::whot::fair;
use crate::whot::proof::{Known, check};
use crate::whot::shuffle::bytes_to_hex;
use crate::whot::state::Phase;

#[test]
fn a_finished_match_proves_every_deal() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 2})));
    table.play_out(game);
    let proof = table.proof(game);
    let rounds = u32::try_from(proof["rounds"].as_array().unwrap().len()).unwrap();
    for seat in Seat::BOTH {
        let items: Vec<Value> = table
            .frames(game, seat, None)
            .items
            .iter()
            .map(|frame| json!({"seq": frame.seq, "events": frame.events}))
            .collect();
        let known = Known {
            nonces: (1..=rounds).map(|round| (round, NONCES[usize::from(seat.index())])).collect(),
            events: Some(json!({"items": items})),
            ..Known::default()
        };
        let report = check(&proof, &known).unwrap();
        assert!(report.ok, "{:#?}", report.lines);
    }
}

#[test]
fn a_proof_that_was_tampered_with_fails() {
    let table = table();
    let game = table.open(options(&json!({})));
    table.play_out(game);
    let good = table.proof(game);
    assert!(check(&good, &Known::default()).unwrap().ok, "the control");
    let other = json!(bytes_to_hex(&[7; 32]));
    for path in ["/commitments/0", "/rounds/0/server_seed", "/rounds/0/seed", "/rounds/0/nonces/0"] {
        let mut bent = good.clone();
        *bent.pointer_mut(path).unwrap() = other.clone();
        assert!(!check(&bent, &Known::default()).unwrap().ok, "{path}");
    }
}

#[test]
fn nothing_of_a_live_round_is_proven_yet() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 2})));
    let proof = table.proof(game);
    assert_eq!((proof["commitments"].as_array().unwrap().len(), &proof["rounds"]), (1, &json!([])));
    while table.shown(game, Seat::Zero).view.phase != Phase::RoundOver {
        assert_eq!(table.proof(game)["rounds"], json!([]));
        table.step(game, 0);
    }
    let proof = table.proof(game);
    assert_eq!(proof["rounds"].as_array().unwrap().len(), 1);
    let next = bytes_to_hex(&table.shown(game, Seat::One).commitment);
    assert_eq!(proof["commitments"][1], json!(next), "the next round's commitment stands while the round is over");
}

#[test]
fn a_server_seed_lies_sealed_until_its_round_has_ended() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 2})));
    let first = table.rounds(game).remove(0);
    let ServerSeed::Sealed(sealed) = &first.server_seed else { panic!("it lies open") };
    let open = table.service.server_seed(&first).unwrap();
    assert_eq!(fair::commitment(&open), first.commitment);
    assert!(!sealed.windows(32).any(|window| window == open));
    let moved = crate::game::records::Round { round: 2, ..first.clone() };
    assert!(table.service.server_seed(&moved).is_err(), "it is sealed to its own round");
    while table.shown(game, Seat::Zero).view.phase != Phase::RoundOver {
        table.step(game, 0);
    }
    let rounds = table.rounds(game);
    assert!(rounds[0].server_seed == ServerSeed::Open(open), "revealed");
    assert!(matches!(rounds[1].server_seed, ServerSeed::Sealed(_)), "the next one's is not");
}

#[test]
fn every_round_has_a_seed_of_its_own() {
    let table = table();
    let game = table.open(options(&json!({"match_target": 3})));
    table.play_out(game);
    let mut commitments: Vec<_> = table.rounds(game).iter().map(|round| round.commitment).collect();
    let count = commitments.len();
    commitments.sort_unstable();
    commitments.dedup();
    assert_eq!(commitments.len(), count);
}
