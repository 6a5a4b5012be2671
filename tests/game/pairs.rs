//! Scoreboards of two players: all their matches, whoever invited, and the history behind the sums.

use std::time::Duration;

use serde_json::{Value, json};
use whotbox::identity::users::Role;

use super::{Hall, hall, play_again};
use crate::identity::fixture::Person;

async fn against(hall: &Hall, own: &Person, other: &str, query: &str) -> Value {
    let answer = hall.whole.get(own, &format!("/api/v1/games/pairs/{other}{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The sums of a board's line.
fn line(board: &Value, place: usize) -> [u64; 3] {
    ["won", "rounds_won", "points"].map(|field| board["players"][place][field].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_players_see_how_they_stand_over_all_their_matches() {
    // Given a match given up by Bola, one played to its end, and one that still goes on.
    let mut hall = hall(json!({})).await;
    hall.post(1, "/play", &json!({"type": "resign"})).await;
    let first = hall.game.clone();
    hall.whole.clock.advance(Duration::from_secs(1));
    hall.game = play_again(&hall.whole, &hall.players, &json!({"match_target": 2})).await;
    hall.play_out().await;
    let second = hall.game.clone();
    play_again(&hall.whole, &hall.players, &json!({})).await;

    // When both ask, then the board is the sum of the two scoreboards, the asker's line first.
    let mut sums = [[0; 3]; 2];
    for game in [&first, &second] {
        let scores = hall.whole.get(&hall.players[0], &format!("/api/v1/games/{game}/scoreboard")).await.json();
        for (seat, sum) in sums.iter_mut().enumerate() {
            sum[0] += u64::from(scores["winner"] == json!(seat));
            sum[1] += scores["players"][seat]["rounds_won"].as_u64().unwrap();
            sum[2] += scores["players"][seat]["points"].as_u64().unwrap();
        }
    }
    for (own, other) in [(0, 1), (1, 0)] {
        let board = against(&hall, &hall.players[own], &hall.players[other].id, "").await;
        assert_eq!((line(&board, 0), line(&board, 1)), (sums[own], sums[other]));
        assert_eq!((&board["played"], &board["last_game_id"]), (&json!(2), &json!(second)));
        let games: Vec<&Value> = board["items"].as_array().unwrap().iter().map(|item| &item["game_id"]).collect();
        assert_eq!(games, [&json!(second), &json!(first)], "newest first, the live one is not there");
        assert_eq!(board["items"][1]["end_reason"], "resign");
        assert!(board["items"][0]["ended_at"].is_string() && board["items"][0]["history"].is_array());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_two_comes_in_pages() {
    let mut hall = hall(json!({})).await;
    let mut games = vec![hall.game.clone()];
    for _ in 0..2 {
        hall.post(0, "/play", &json!({"type": "resign"})).await;
        hall.whole.clock.advance(Duration::from_secs(1));
        hall.game = play_again(&hall.whole, &hall.players, &json!({})).await;
        games.push(hall.game.clone());
    }
    hall.post(0, "/play", &json!({"type": "resign"})).await;
    let (mut found, mut query) = (vec![], "?limit=2".to_owned());
    loop {
        let page = against(&hall, &hall.players[0], &hall.players[1].id, &query).await;
        let items = page["items"].as_array().unwrap();
        found.extend(items.iter().map(|item| item["game_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={next}");
    }
    games.reverse();
    assert_eq!(found, games);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_finished_no_match_with_somebody_finds_nothing() {
    let hall = hall(json!({})).await;
    let chidi = hall.whole.person(Role::Customer, "chidi").await;
    let path = |id: &str| format!("/api/v1/games/pairs/{id}");
    let live = hall.whole.get(&hall.players[0], &path(&hall.players[1].id)).await;
    assert_eq!(live.refusal(), (404, "not_found".into()), "the only match goes on");
    hall.post(1, "/play", &json!({"type": "resign"})).await;
    for other in [&hall.players[0].id, &chidi.id, "019ab3c0-0000-7000-8000-00000000dead", "nonsense"] {
        assert_eq!(hall.whole.get(&hall.players[0], &path(other)).await.refusal(), (404, "not_found".into()));
    }
    let foreign = hall.whole.get(&chidi, &path(&hall.players[0].id)).await;
    assert_eq!(foreign.refusal(), (404, "not_found".into()));
    let bad = hall.whole.get(&hall.players[0], &format!("{}?limit=0", path(&hall.players[1].id))).await;
    assert_eq!(bad.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn practice_counts_for_no_pair() {
    let hall = hall(json!({})).await;
    let made = hall.whole.post(&hall.players[0], "/api/v1/games/bot", &json!({"level": "easy"})).await;
    let game = made.json()["game_id"].as_str().unwrap().to_owned();
    for (rest, body) in [("ready", json!({})), ("play", json!({"type": "resign"}))] {
        let done = hall.whole.post(&hall.players[0], &format!("/api/v1/games/{game}/{rest}"), &body).await;
        assert_eq!(done.status, 200, "{}", done.text());
    }
    hall.post(1, "/play", &json!({"type": "resign"})).await;
    let board = against(&hall, &hall.players[0], &hall.players[1].id, "").await;
    assert_eq!((&board["played"], board["items"].as_array().unwrap().len()), (&json!(1), 1));
}
