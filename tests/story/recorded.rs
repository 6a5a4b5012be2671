//! What central knows of a match, read by somebody who has nothing else: its log played again by the rules.

use serde_json::{Value, json};
use whotbox::base::digest::sha256;
use whotbox::whot::action::{Action, Actor};
use whotbox::whot::card::Seat;
use whotbox::whot::matches::Match;
use whotbox::whot::options::{Options, Preset};
use whotbox::whot::shuffle::{Seed, bytes_from_hex, bytes_to_hex};

use crate::support::postgres::Database;

/// The one row of a query, as JSON.
fn row(central: &Database, sql: &str) -> Value {
    serde_json::from_str(&central.sql(&format!("select row_to_json(r) from ({sql}) r"))).unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Central's rounds of a finished match, played again, give central's score; and the pair's board holds it.
pub(crate) fn replays(central: &Database, game: &str) {
    let session = row(central, &format!("select * from game.sessions where id = '{game}'"));
    let options = Options::from_json(Preset::Nigerian, &session["options"]).unwrap();
    let starter = Seat::from_index(session["first_starter"].as_u64().unwrap()).unwrap();
    let mut played: Option<Match> = None;
    for number in 1..=session["round"].as_u64().unwrap() {
        let round = row(
            central,
            &format!(
                "select encode(seed, 'hex') seed, encode(actions, 'hex') actions, result from game.rounds
                 where game_id = '{game}' and round = {number}"
            ),
        );
        let seed = Seed(bytes_from_hex(round["seed"].as_str().unwrap()).unwrap());
        let game = match played.as_mut() {
            None => played.insert(Match::start(options, starter, seed).0),
            Some(game) => {
                game.apply(Actor::Server, &Action::NextRound { seed }).unwrap();
                game
            }
        };
        for action in bytes(&round["actions"]).chunks_exact(3) {
            let code = u16::from_le_bytes([action[1], action[2]]);
            game.apply(Actor::from_code(action[0]).unwrap(), &Action::from_code(code, None).unwrap()).unwrap();
        }
        assert_eq!(json!(game.result()), round["result"], "round {number}");
    }
    let state = json!(played.unwrap().full_state());
    let [seq, winner, reason] = ["seq", "winner", "end_reason"].map(|column| session[column].clone());
    assert_eq!([&state["seq"], &state["winner"], &state["end_reason"]], [&seq, &winner, &reason]);
    let score = |name: &str| json!([session[format!("{name}0")], session[format!("{name}1")]]);
    assert_eq!((&state["rounds_won"], &state["points"]), (&score("rounds_won"), &score("points")));
    let pair = row(central, &format!("select * from game.pairs where last_game_id = '{game}'"));
    assert_eq!(pair["played"], 1, "{pair}");
    let won = pair["won0"].as_u64().unwrap() + pair["won1"].as_u64().unwrap();
    assert_eq!(won, 1, "{pair}");
}

/// Central holds the digest of a reconnect token, and nowhere the token.
pub(crate) fn knows_the_digest_of(central: &Database, game: &str, token: &str) {
    use base64::Engine as _;
    let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).unwrap();
    let digest = bytes_to_hex(&sha256(&[b"reconnect", &token]));
    let sql = format!(
        "select encode(reconnect_digest0, 'hex') as zero, encode(reconnect_digest1, 'hex') as one
         from game.sessions where id = '{game}'"
    );
    let held = row(central, &sql);
    assert!(held["zero"] == json!(digest) || held["one"] == json!(digest), "{held}");
    let raw = central
        .sql(&format!("select count(*) from game.sessions s where s::text like '%{}%'", bytes_to_hex_of(&token)));
    assert_eq!(raw.trim(), "0", "the token itself is in the row");
}

fn bytes_to_hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
