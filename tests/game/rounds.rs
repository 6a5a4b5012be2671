//! Rounds and clocks with the box's own job at work.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use whotbox::jobs::Job as _;
use whotbox::jobs::games::Games;

use super::hall;

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_runs_out_is_told_and_counted() {
    let hall = hall(json!({"turn_seconds": 20, "timeout_limit": 0})).await;
    let mut clocks = Games::new(Arc::clone(&hall.whole.app));
    let mut sockets = [hall.socket(0, "").await, hall.socket(1, "").await];
    for socket in &mut sockets {
        let deadline = socket.next_of("snapshot").await["game"]["turn_deadline"].clone();
        assert_eq!(deadline, "2026-11-22T10:00:20.000Z", "both see when the turn ends");
    }
    clocks.step().await;
    hall.whole.clock.advance(Duration::from_secs(19));
    clocks.step().await;
    assert_eq!(hall.game(0).await["seq"], 0);
    hall.whole.clock.advance(Duration::from_secs(1));
    clocks.step().await;
    for socket in &mut sockets {
        let frame = socket.next_of("events").await;
        assert_eq!((&frame["seq"], &frame["events"][0]["type"]), (&json!(1), &json!("timed_out")));
        assert_eq!(frame["game"]["turn_deadline"], "2026-11-22T10:00:40.000Z");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_round_comes_by_itself_while_both_are_there() {
    let hall = hall(json!({"match_target": 2})).await;
    hall.until("round_over").await;
    let mut clocks = Games::new(Arc::clone(&hall.whole.app));
    let mut socket = hall.socket(0, "").await;
    socket.next_of("snapshot").await;
    clocks.step().await;
    hall.whole.clock.advance(Duration::from_secs(31));
    clocks.step().await;
    assert_eq!(hall.game(0).await["round"], 1, "one of the two is missing");
    let mut other = hall.socket(1, "").await;
    other.next_of("snapshot").await;
    clocks.step().await;
    for socket in [&mut socket, &mut other] {
        assert_eq!(socket.next_of("events").await["events"][0]["type"], "round_started");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_nobody_touches_ends_void_and_says_so() {
    let hall = hall(json!({"match_target": 2})).await;
    let mut socket = hall.socket(0, "").await;
    socket.next_of("snapshot").await;
    let mut clocks = Games::new(Arc::clone(&hall.whole.app));
    clocks.step().await;
    hall.whole.clock.advance(Duration::from_secs(24 * 3600));
    clocks.step().await;
    let end = socket.next_of("snapshot").await["game"].clone();
    assert_eq!(
        (&end["phase"], &end["end_reason"], &end["winner"]),
        (&json!("match_over"), &json!("void"), &Value::Null)
    );
    assert_eq!((&end["turn"], &end["legal"]), (&Value::Null, &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_of_both_deals_and_the_nonces_are_in_the_proof() {
    let hall = hall(json!({"match_target": 2})).await;
    hall.until("round_over").await;
    let before = hall.game(0).await;
    let nonces = ["0a".repeat(32), "0b".repeat(32)];
    let mut sockets = [hall.socket(0, "").await, hall.socket(1, "").await];
    for (socket, nonce) in sockets.iter_mut().zip(&nonces) {
        socket.send(&json!({"type": "ready", "ref": "go", "nonce": nonce})).await;
        assert_eq!(socket.next_of("ack").await["ref"], "go");
    }
    let round = hall.game(0).await;
    assert_eq!((&round["round"], &round["commitment"]), (&json!(2), &before["commitment"]), "it was published before");
    for socket in &mut sockets {
        let frame = socket.next_of("events").await;
        assert_eq!((&frame["events"][0]["type"], &frame["events"][0]["round"]), (&json!("round_started"), &json!(2)));
    }
    hall.post(0, "/play", &json!({"type": "resign"})).await;
    let proof = hall.whole.get(&hall.players[1], &hall.path("/proof")).await.json();
    assert_eq!(proof["rounds"][1]["nonces"], json!(nonces));
}
