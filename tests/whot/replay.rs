//! `whotbox replay`: vector files plain, gzipped and hostile; proofs that hold and proofs that do not.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use whotbox::cli::replay::{ReplayArgs, run};
use whotbox::whot::action::{Action, Actor};
use whotbox::whot::card::{PerSeat, Seat};
use whotbox::whot::event::{Event, seen_by};
use whotbox::whot::fair::{NO_NONCE, commitment, round_seed};
use whotbox::whot::matches::Match;
use whotbox::whot::options::{Options, Preset};
use whotbox::whot::record::{Outcome, canonical};
use whotbox::whot::shuffle::{Seed, bytes_to_hex};
use whotbox::whot::state::Phase;

use crate::whot::random::Random;

const GAME: &str = "0199a4c0-0000-7000-8000-000000000001";
const NONCE: [u8; 32] = [7; 32];

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    file
}

fn replay(args: &ReplayArgs) -> (bool, String) {
    let mut out = Vec::new();
    let ok = run(args, &mut out).expect("files that can be read");
    (ok, String::from_utf8(out).expect("text"))
}

fn vectors(bytes: &[u8]) -> (bool, String) {
    let file = file(bytes);
    replay(&ReplayArgs { vectors: Some(file.path().to_owned()), ..ReplayArgs::default() })
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("packed");
    encoder.finish().expect("packed")
}

/// A finished match of two rounds with everything its players have: proof, and what seat 1 was told.
fn finished() -> (Value, Value) {
    let mut random = Random::new(11);
    let options = Options::from_json(Preset::Quick, &json!({"match_target": 2})).expect("options");
    let (mut commitments, mut rounds, mut items) = (Vec::new(), Vec::new(), Vec::new());
    let mut game: Option<Match> = None;
    for round in 1.. {
        let server_seed = random.seed().0;
        let nonces = PerSeat([NO_NONCE, NONCE]);
        let id = uuid::Uuid::parse_str(GAME).expect("an id");
        let seed: Seed = round_seed(id.as_bytes(), round, &server_seed, &nonces);
        commitments.push(bytes_to_hex(&commitment(&server_seed)));
        let opening = match &mut game {
            None => {
                let (new, events) = Match::start(options, Seat::One, seed);
                game = Some(new);
                events
            }
            Some(game) => game.apply(Actor::Server, &Action::NextRound { seed }).expect("a round is over"),
        };
        let game = game.as_mut().expect("a game");
        items.push(json!({"seq": game.seq(), "events": seen_by(&opening, Seat::One)}));
        let mut actions = Vec::new();
        while let Some(seat) = game.turn_of() {
            let legal: Vec<Action> = game.legal(seat).into_iter().filter(|a| *a != Action::Resign).collect();
            let action = *random.pick(&legal);
            let events: Vec<Event> = game.apply(Actor::Seat(seat), &action).expect("legal");
            items.push(json!({"seq": game.seq(), "events": seen_by(&events, Seat::One)}));
            actions.push(json!({"actor": seat, "action": action}));
        }
        rounds.push(json!({
            "round": round, "server_seed": bytes_to_hex(&server_seed), "nonces": [null, bytes_to_hex(&NONCE)],
            "seed": seed, "options": options, "first_starter": 1, "actions": actions,
        }));
        if game.phase() == Phase::MatchOver {
            break;
        }
    }
    assert!(rounds.len() >= 2, "the match must have several rounds");
    (json!({"game_id": GAME, "commitments": commitments, "rounds": rounds}), json!({"items": items, "last_seq": 0}))
}

fn prove(proof: &Value, change: impl FnOnce(&mut ReplayArgs)) -> (bool, String) {
    let file = file(proof.to_string().as_bytes());
    let mut args = ReplayArgs { file: Some(file.path().to_owned()), ..ReplayArgs::default() };
    change(&mut args);
    replay(&args)
}

#[test]
fn a_gzipped_file_runs_as_the_plain_one() {
    let plain = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/shuffle.jsonl")).expect("vectors");
    let (ok, text) = vectors(&gzipped(&plain));
    assert!(ok, "{text}");
    assert_eq!(text.lines().count(), 40);
    assert_eq!((ok, text), vectors(&plain));
}

/// Digest positions are in none of the files given with the rules, and the command must run them all the same.
#[test]
fn a_digest_record_of_a_position_runs() {
    use sha2::{Digest, Sha256};
    let corner =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/corner.jsonl")).expect("it");
    let mut lines = Vec::new();
    for line in corner.lines() {
        let mut record: Value = serde_json::from_str(line).expect("JSON");
        let mut hash = Sha256::digest(canonical(&record["opening"]));
        record["opening"] = json!(&bytes_to_hex(&hash)[..8]);
        for step in record["steps"].as_array_mut().expect("steps") {
            let mut outcome = step.as_object().expect("a step").clone();
            let (actor, action) = (outcome.remove("actor"), outcome.remove("action"));
            hash = Sha256::new().chain_update(hash).chain_update(canonical(&Value::Object(outcome))).finalize();
            *step = json!([actor, action, &bytes_to_hex(&hash)[..8]]);
        }
        record["final"] = json!(bytes_to_hex(&hash));
        lines.push(record.to_string());
    }
    let (ok, text) = vectors(lines.join("\n").as_bytes());
    assert!(ok && text.lines().count() == 96, "{text}");
}

#[test]
fn a_full_record_of_a_game_runs() {
    let options = Options::preset(Preset::Pagat);
    let seed = Random::new(12).seed();
    let (mut game, events) = Match::start(options, Seat::Zero, seed);
    let opening = json!(Outcome::of(&game, &events));
    let action = Action::Draw;
    let events = game.apply(Actor::Seat(Seat::Zero), &action).expect("legal");
    let mut step = json!(Outcome::of(&game, &events));
    step["actor"] = json!(0);
    step["action"] = json!(action);
    let record = json!({"id": "g", "kind": "game", "options": options, "first_starter": 0, "seed": seed,
        "opening": opening, "steps": [step]});
    assert_eq!(vectors(record.to_string().as_bytes()), (true, "g ok\n".to_owned()));
}

#[test]
fn hostile_vector_files_get_a_sentence_each() {
    let deep = "[".repeat(100_000);
    let smoke = include_str!("../vectors/smoke.jsonl").lines().next().expect("a record");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "line 1: there is no record"),
        (b"\n\n{\n".to_vec(), "line 3: not JSON"),
        (b"\xff\xfe\n".to_vec(), "line 1: not UTF-8"),
        (deep.into_bytes(), "line 1: not JSON: recursion limit"),
        (b"[1]".to_vec(), "line 1 step 0: the record cannot be run"),
        (br#"{"id":"\u001b[2Jx"}"#.to_vec(), "\\u{1b}[2Jx step 0: the record cannot be run"),
        (gzipped(smoke.as_bytes())[..200].to_vec(), "line 1: cannot be read"),
        (
            smoke.replace("nigerian-0000\"", "a\",\"kind\":\"puzzle\"").into_bytes(),
            "a step 0: the record cannot be run: its kind",
        ),
        (
            smoke.replace("\"hand_size\":6", "\"hand_size\":60").into_bytes(),
            "step 0: the record cannot be run: hand_size",
        ),
        (smoke.replace("[0,{\"type\":\"draw\"},", "[0,").into_bytes(), "step 1: the step has no actor"),
    ];
    for (bytes, expected) in cases {
        let (ok, text) = vectors(&bytes);
        assert!(!ok && text.contains(expected), "expected {expected:?} in {text:?}");
    }
}

#[test]
fn a_bad_line_does_not_hide_the_others() {
    let smoke = include_str!("../vectors/smoke.jsonl").lines().next().expect("a record");
    let (ok, text) = vectors(format!("{smoke}\nnonsense\n{smoke}\n").as_bytes());
    assert!(!ok);
    assert_eq!(text.lines().filter(|line| *line == "nigerian-0000 ok").count(), 2, "{text}");
}

#[test]
fn an_honest_proof_holds() {
    let (proof, events) = finished();
    let events = file(events.to_string().as_bytes());
    let (ok, text) = prove(&proof, |args| {
        args.nonce = vec![(1, NONCE), (2, NONCE)];
        args.events = Some(events.path().to_owned());
    });
    assert!(ok, "{text}");
    for part in ["round 2", "your nonce was used for seat 1", "wins the match by target", "is what seat 1 was dealt"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn the_game_id_may_be_given_apart() {
    let (mut proof, _) = finished();
    proof.as_object_mut().expect("a proof").remove("game_id");
    let (ok, text) = prove(&proof, |_| {});
    assert!(!ok && text.contains("--game-id"), "{text}");
    assert!(prove(&proof, |args| args.game_id = uuid::Uuid::parse_str(GAME).ok()).0);
    assert!(!prove(&proof, |args| args.game_id = Some(uuid::Uuid::nil())).0);
}

#[test]
fn every_lie_in_a_proof_is_found() {
    let (proof, _) = finished();
    let other = "11".repeat(32);
    let lies = [
        ("/commitments/0", json!(other), "FAILED commitment"),
        ("/rounds/1/server_seed", json!(other), "FAILED commitment"),
        ("/rounds/0/nonces/0", json!(other), "FAILED seed"),
        ("/rounds/0/seed", json!(other), "FAILED seed"),
        ("/rounds/0/round", json!(2), "FAILED order"),
        ("/rounds/0/options/hand_size", json!(5), "FAILED"),
        ("/rounds/1/options/turn_seconds", json!(9), "FAILED options"),
        ("/rounds/0/first_starter", json!(0), "FAILED actions"),
        ("/rounds/0/actions/0/actor", json!(0), "FAILED actions"),
        ("/rounds/0/actions/0", json!({"actor": 3}), "action 1 is malformed"),
        ("/rounds/0/nonces", json!([null]), "its nonces are not two"),
        ("/rounds", json!([]), "nothing to check"),
        ("/rounds", json!(7), "there is no list of rounds"),
    ];
    for (place, lie, expected) in lies {
        let mut changed = proof.clone();
        *changed.pointer_mut(place).expect(place) = lie;
        let (ok, text) = prove(&changed, |_| {});
        assert!(!ok && text.contains(expected), "{place}: expected {expected:?} in {text}");
    }
}

#[test]
fn a_foreign_nonce_and_a_false_event_are_found() {
    let (proof, mut events) = finished();
    assert!(prove(&proof, |args| args.nonce = vec![(1, [8; 32])]).1.contains("FAILED own nonce"));
    assert!(prove(&proof, |args| args.nonce = vec![(99, NONCE)]).1.contains("FAILED own nonce"));
    let card = events.pointer_mut("/items/0/events/2/cards/0").expect("the own first card");
    *card = json!((card.as_u64().expect("an id") + 1) % 54);
    let events = file(events.to_string().as_bytes());
    let (ok, text) = prove(&proof, |args| args.events = Some(events.path().to_owned()));
    assert!(!ok && text.contains("FAILED told"), "{text}");
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let args = ReplayArgs { vectors: Some("no/such/file".into()), ..ReplayArgs::default() };
    let error = run(&args, &mut Vec::new()).expect_err("no such file");
    assert!(error.to_string().starts_with("no/such/file: "), "{error}");
}
