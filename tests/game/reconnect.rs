//! Coming back: reconnect tokens, expiry, and many at once.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Hall, hall};
use crate::support::ws::Ws;

async fn token(hall: &Hall, seat: usize) -> String {
    let answer = hall.whole.get(&hall.players[seat], &hall.path("/reconnect-token")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["reconnect_token"].as_str().unwrap().to_owned()
}

async fn open(hall: &Hall, token: &str) -> Result<Ws, u16> {
    Ws::with(hall.whole.http.address, &hall.path(&format!("/ws?reconnect_token={token}")), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconnect_token_opens_the_own_seat_once() {
    let hall = hall(json!({})).await;
    let (old, new) = (token(&hall, 1).await, token(&hall, 1).await);
    assert_eq!(open(&hall, &old).await.err(), Some(401), "replaced");
    let mut socket = open(&hall, &new).await.unwrap();
    assert_eq!(socket.next_of("snapshot").await["game"]["seat"], 1);
    socket.send(&json!({"type": "play", "ref": "r", "action": {"type": "resign"}})).await;
    assert_eq!(socket.next_of("ack").await["seq"], 1);
    assert_eq!(open(&hall, &new).await.err(), Some(401), "used");
    assert_eq!(open(&hall, "AAAA").await.err(), Some(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconnect_token_ends_with_the_sign_in_that_asked_for_it() {
    let hall = hall(json!({})).await;
    let (first, second) = (token(&hall, 0).await, token(&hall, 1).await);
    let mut socket = open(&hall, &first).await.unwrap();
    socket.next_of("snapshot").await;
    for player in &hall.players {
        let body = json!({"refresh_token": player.refresh});
        assert_eq!(hall.whole.post(player, "/api/v1/auth/logout", &body).await.status, 204);
    }
    assert_eq!(socket.closed().await, Some(4403), "an open one closes");
    assert_eq!(open(&hall, &second).await.err(), Some(401), "a new one does not open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_match_opens_nothing() {
    let hall = hall(json!({})).await;
    let token = token(&hall, 0).await;
    let other = super::play_again(&hall.whole, &hall.players, &json!({})).await;
    let path = format!("/api/v1/games/{other}/ws?reconnect_token={token}");
    assert_eq!(Ws::with(hall.whole.http.address, &path, &[]).await.err(), Some(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_identical_plays_at_once_apply_once() {
    let hall = hall(json!({"voluntary_draw": true})).await;
    let turn = hall.turn().await;
    let body = json!({"type": "draw", "client_id": "same", "expected_seq": 0});
    let answers = join_all((0..100).map(|_| hall.post(turn, "/play", &body))).await;
    let answers: Vec<(u16, Value)> = answers.iter().map(|answer| (answer.status, answer.json())).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "all get the same answer");
    assert_eq!((answers[0].0, &answers[0].1["seq"]), (200, &json!(1)));
    assert_eq!(hall.game(turn).await["seq"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_access_token_outlives_its_time_by_opening_a_socket() {
    let hall = hall(json!({})).await;
    hall.whole.clock.advance(Duration::from_secs(16 * 60));
    let expired = Ws::open(hall.whole.http.address, &hall.path("/ws"), &hall.players[0].token).await;
    assert_eq!(expired.err(), Some(401));
}
