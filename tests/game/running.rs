//! The matches that go on now, as those see them who run the box: names, scores and times, and never a card.

use std::time::Duration;

use serde_json::{Value, json};
use whotbox::identity::users::Role;

use crate::identity::fixture::{Person, Whole, start};
use crate::support::ws::Ws;

const NOW: &str = "/api/v1/box/games";

async fn now(whole: &Whole, person: &Person, query: &str) -> Value {
    let answer = whole.get(person, &format!("{NOW}{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn ids(listed: &Value) -> Vec<&str> {
    listed["items"].as_array().unwrap().iter().map(|item| item["game_id"].as_str().unwrap()).collect()
}

/// A match of two who are on the box; its id.
async fn begin(whole: &Whole, sender: &Person, recipient: &Person, name: &str) -> String {
    whole.clock.advance(Duration::from_secs(1));
    let invite = whole.post(sender, "/api/v1/games/invites", &json!({"recipient_username": name})).await;
    assert_eq!(invite.status, 201, "{}", invite.text());
    let path = format!("/api/v1/games/invites/{}/accept", invite.json()["id"].as_str().unwrap());
    let accepted = whole.post(recipient, &path, &json!({})).await;
    assert_eq!(accepted.status, 201, "{}", accepted.text());
    accepted.json()["game_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_the_box_sees_which_matches_go_on_and_no_card_of_them() {
    // Given two distributors, the one with customers, a match of theirs and one of strangers.
    let whole = start().await;
    let root = whole.person(Role::Admin, "root").await;
    let (ada, eze) = (whole.person(Role::Distributor, "ada").await, whole.person(Role::Distributor, "eze").await);
    let (chidi, amaka) = (whole.customer(&ada, "chidi").await, whole.customer(&ada, "amaka").await);
    let (obi, uche) = (whole.person(Role::Customer, "obi").await, whole.person(Role::Customer, "uche").await);
    let theirs = begin(&whole, &chidi, &amaka, "amaka").await;
    let strangers = begin(&whole, &obi, &uche, "uche").await;
    whole.clock.advance(Duration::from_secs(1));
    let bot = whole.post(&obi, "/api/v1/games/bot", &json!({"level": "easy"})).await.json();
    let bot = bot["game_id"].as_str().unwrap().to_owned();

    // Then the admin sees all, the last begun first, and a distributor the own customers'.
    assert_eq!(ids(&now(&whole, &root, "").await), [&bot, &strangers, &theirs]);
    assert_eq!(ids(&now(&whole, &ada, "").await), [&theirs]);
    assert_eq!(ids(&now(&whole, &eze, "").await), [""; 0]);
    // Pages do not stumble over what they leave out.
    assert_eq!(ids(&now(&whole, &ada, "?limit=1").await), [&theirs]);
    let first = now(&whole, &root, "?limit=2").await;
    let next = format!("?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!((ids(&first), ids(&now(&whole, &root, &next).await)), (vec![&*bot, &*strangers], vec![&*theirs]));
    // A player without a part in running the box, and a moderator, see nothing.
    let musa = whole.person(Role::Moderator, "musa").await;
    for person in [&chidi, &musa] {
        assert_eq!(whole.get(person, NOW).await.status, 403);
    }

    // When one of them is there and plays, then it is told when that was, and still no card.
    let path = format!("/api/v1/games/{theirs}");
    let mut socket = Ws::open(whole.http.address, &format!("{path}/ws"), &chidi.token).await.unwrap();
    socket.next_of("snapshot").await;
    whole.clock.advance(Duration::from_secs(40));
    let seat = usize::try_from(whole.get(&chidi, &path).await.json()["turn"].as_u64().unwrap()).unwrap();
    let played = whole.post([&chidi, &amaka][seat], &format!("{path}/play"), &json!({"type": "draw"})).await;
    assert_eq!(played.status, 200, "{}", played.text());
    let listed = now(&whole, &ada, "").await;
    let game = &listed["items"][0];
    assert_eq!((&game["players"][0]["username"], &game["players"][0]["online"]), (&json!("chidi"), &json!(true)));
    assert_eq!((&game["players"][1]["username"], &game["players"][1]["online"]), (&json!("amaka"), &json!(false)));
    assert_eq!((&game["round"], &game["seq"], &game["bot"]), (&json!(1), &json!(1), &Value::Null));
    let (started, acted) = (game["started_at"].as_str().unwrap(), game["last_action_at"].as_str().unwrap());
    assert!(started < acted, "{game}");
    let mut fields: Vec<&str> = game.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let known =
        ["bot", "game_id", "last_action_at", "options", "phase", "players", "round", "seq", "started_at", "turn"];
    assert_eq!(fields, known, "a new field must be one that tells no card");

    // When it is over, then it is no longer there; and a distributor's own match is the distributor's to see.
    whole.post(&chidi, &format!("{path}/play"), &json!({"type": "resign"})).await;
    assert_eq!(ids(&now(&whole, &ada, "").await), [""; 0]);
    let own = begin(&whole, &ada, &obi, "obi").await;
    assert_eq!(ids(&now(&whole, &ada, "").await), [&own]);
}
