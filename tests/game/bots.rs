//! Practice against bots, with the box's own job at work.

use std::sync::Arc;

use serde_json::{Value, json};
use whotbox::identity::users::Role;
use whotbox::jobs::bots::Bots;
use whotbox::whot::proof::{Known, check};

use super::at_work;
use crate::identity::fixture::{Person, Whole, start};
use crate::support::ws::Ws;

async fn practise(whole: &Whole, ada: &Person, body: &Value) -> (String, Value) {
    let made = whole.post(ada, "/api/v1/games/bot", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    (format!("/api/v1/games/{}", made["game_id"].as_str().unwrap()), made)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_practice_match_is_played_to_its_end_and_proves_itself() {
    for level in ["easy", "medium"] {
        let whole = start().await;
        let ada = whole.person(Role::Customer, "ada").await;
        let _bots = at_work(&whole, Bots::new(Arc::clone(&whole.app)));
        let body = json!({"level": level, "preset": "quick", "options": {"match_target": 2}});
        let (path, made) = practise(&whole, &ada, &body).await;
        let mut socket = Ws::open(whole.http.address, &format!("{path}/ws"), &ada.token).await.unwrap();
        let mut game = socket.next_of("snapshot").await["game"].clone();
        assert_eq!((&game["round"], &game["phase"], &game["turn"]), (&json!(0), &json!("round_over"), &Value::Null));
        assert_eq!((&game["commitment"], &game["players"][1]["user_id"]), (&made["commitment"], &Value::Null));
        let mut last = None;
        while game["phase"] != "match_over" {
            if game["turn"].is_null() {
                socket.send(&json!({"type": "ready", "nonce": "0c".repeat(32)})).await;
            } else if game["turn"] == 0 {
                socket.send(&json!({"type": "play", "action": game["legal"][0]})).await;
            }
            let frame = socket.next_of("events").await;
            let seq = frame["seq"].as_u64();
            assert_eq!(seq, Some(last.map_or(0, |last: u64| last + 1)), "none missing, none twice");
            (last, game) = (seq, frame["game"].clone());
        }
        let proof = whole.get(&ada, &format!("{path}/proof")).await.json();
        let events = whole.get(&ada, &format!("{path}/events")).await.json();
        let known = Known { events: Some(events), nonces: vec![(1, [0x0c; 32])], ..Known::default() };
        let report = check(&proof, &known).unwrap();
        assert!(report.ok, "{:#?}", report.lines);
        let board = whole.get(&ada, "/api/v1/games/leaderboard").await.json();
        assert_eq!(board["items"], json!([]), "practice does not count");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_waited_while_the_box_was_down_plays_on() {
    let whole = start().await;
    let ada = whole.person(Role::Customer, "ada").await;
    let (path, _) = practise(&whole, &ada, &json!({"level": "easy"})).await;
    let dealt = whole.post(&ada, &format!("{path}/ready"), &json!({})).await.json();
    assert_eq!((&dealt["turn"], &dealt["seq"]), (&json!(1), &json!(0)), "the bot starts, and none is at work");
    let mut socket = Ws::open(whole.http.address, &format!("{path}/ws"), &ada.token).await.unwrap();
    socket.next_of("snapshot").await;
    let _bots = at_work(&whole, Bots::new(Arc::clone(&whole.app)));
    assert_eq!(socket.next_of("events").await["seq"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_and_options_are_checked() {
    let whole = start().await;
    let (ada, staff) = (whole.person(Role::Customer, "ada").await, whole.person(Role::Admin, "root").await);
    let path = "/api/v1/games/bot";
    let wrong = whole.post(&ada, path, &json!({"level": "perfect"})).await;
    assert_eq!((wrong.status, &wrong.json()["errors"][0]["field"]), (422, &json!("level")));
    let wrong = whole.post(&ada, path, &json!({"level": "easy", "options": {"hand_size": 0}})).await;
    assert_eq!(wrong.refusal(), (422, "bad_options".into()));
    assert_eq!(whole.post(&staff, path, &json!({"level": "easy"})).await.refusal(), (403, "forbidden".into()));
}
