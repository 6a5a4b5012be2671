//! The routes of matches: who may, what is refused, and what is given again.

use serde_json::{Value, json};
use whotbox::identity::users::Role;
use whotbox::whot::proof::{Known, check};

use super::{Hall, hall};
use crate::identity::fixture::start;

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_is_made_seen_by_both_and_answered_once() {
    let whole = start().await;
    let (ada, bola) = (whole.person(Role::Customer, "ada").await, whole.person(Role::Customer, "bola").await);
    let body = json!({"recipient_username": "Bola", "options": {"turn_seconds": 0}});
    let made = whole.post(&ada, "/api/v1/games/invites", &body).await;
    let invite = made.json();
    assert_eq!((made.status, &invite["status"], &invite["game_id"]), (201, &json!("pending"), &Value::Null));
    assert_eq!((&invite["options"]["turn_seconds"], &invite["options"]["hand_size"]), (&json!(0), &json!(6)));
    assert_eq!(invite["commitment"].as_str().unwrap().len(), 64);
    for (who, side) in [(&ada, "sent"), (&bola, "received")] {
        let list = whole.get(who, &format!("/api/v1/games/invites?box={side}")).await.json();
        assert_eq!(list["items"], json!([invite]), "{side}");
    }
    let path = format!("/api/v1/games/invites/{}", invite["id"].as_str().unwrap());
    let nonce = json!({"nonce": "ab".repeat(32)});
    assert_eq!(whole.post(&ada, &format!("{path}/nonce"), &nonce).await.status, 204);
    let wrong = whole.post(&ada, &format!("{path}/nonce"), &json!({"nonce": "AB"})).await;
    assert_eq!((wrong.status, &wrong.json()["errors"][0]["field"]), (422, &json!("nonce")));
    assert_eq!(whole.post(&ada, &format!("{path}/accept"), &nonce).await.status, 404, "not the sender's to accept");
    let accepted = whole.post(&bola, &format!("{path}/accept"), &nonce).await;
    assert_eq!((accepted.status, &accepted.json()["game"]["turn"]), (201, &json!(1)));
    let again = whole.post(&bola, &format!("{path}/accept"), &nonce).await;
    assert_eq!(again.refusal(), (409, "invite_answered".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accept_that_is_sent_again_gives_the_same_match() {
    let whole = start().await;
    let (ada, bola) = (whole.person(Role::Customer, "ada").await, whole.person(Role::Customer, "bola").await);
    let invite = whole.post(&ada, "/api/v1/games/invites", &json!({"recipient_username": "bola"})).await.json();
    let path = format!("/api/v1/games/invites/{}/accept", invite["id"].as_str().unwrap());
    let send = || whole.http.post(&path).bearer(&bola.token).idempotency_key("once").send();
    let (first, again) = (send().await, send().await);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(first.json(), again.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_do_not_play_and_bad_invites_say_what_is_wrong() {
    let whole = start().await;
    let (ada, staff) = (whole.person(Role::Customer, "ada").await, whole.person(Role::Moderator, "musa").await);
    let path = "/api/v1/games/invites";
    let body = json!({"recipient_username": "ada"});
    assert_eq!(whole.post(&staff, path, &body).await.refusal(), (403, "forbidden".into()));
    for name in ["ada", "musa", "nobody"] {
        let answer = whole.post(&ada, path, &json!({ "recipient_username": name })).await;
        assert_eq!(
            (answer.status, &answer.json()["errors"][0]["field"]),
            (422, &json!("recipient_username")),
            "{name}"
        );
    }
    for (options, field) in [(json!({"hand_size": 99}), "options.hand_size"), (json!({"x": 1}), "options.x")] {
        let answer = whole.post(&ada, path, &json!({"recipient_username": "nobody", "options": options})).await;
        assert_eq!(answer.refusal(), (422, "bad_options".into()));
        assert_eq!(answer.json()["errors"][0]["field"], field);
    }
    let preset = whole.post(&ada, path, &json!({"recipient_username": "nobody", "preset": "poker"})).await;
    assert_eq!(preset.refusal(), (422, "bad_options".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_the_bytes_of_nothing() {
    let hall = hall(json!({})).await;
    let staff = hall.whole.person(Role::Admin, "root").await;
    let nothing = "/api/v1/games/01a20394-0000-7000-8000-000000000000";
    for (method, rest) in [
        ("GET", ""),
        ("GET", "/events"),
        ("GET", "/proof"),
        ("GET", "/scoreboard"),
        ("GET", "/reconnect-token"),
        ("POST", "/play"),
        ("POST", "/ready"),
        ("POST", "/rematch"),
    ] {
        let ask = |path: String| {
            let call = hall.whole.http.call(method, &path).bearer(&staff.token).header("x-request-id", "same");
            async move { call.send().await }
        };
        let (theirs, none) = (ask(hall.path(rest)).await, ask(format!("{nothing}{rest}")).await);
        assert_eq!((theirs.status, theirs.text()), (none.status, none.text()), "{method} {rest}");
        assert_eq!(theirs.refusal(), (404, "not_found".into()), "{method} {rest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_play_is_answered_with_what_its_player_may_see() {
    let hall = hall(json!({"voluntary_draw": true})).await;
    let seat = hall.turn().await;
    let body = json!({"type": "draw", "client_id": "one", "expected_seq": 0});
    let played = hall.post(seat, "/play", &body).await.json();
    assert_eq!((&played["seq"], &played["game"]["seq"]), (&json!(1), &json!(1)));
    let drew = &played["events"][0];
    assert_eq!((&drew["type"], drew["cards"].as_array().unwrap().len()), (&json!("drew"), 1));
    let again = hall.post(seat, "/play", &body).await;
    assert_eq!((again.status, again.json()), (200, played), "the first answer again");
    let other = hall.whole.get(&hall.players[1 - seat], &hall.path("/events?after=0")).await.json();
    assert_eq!((&other["items"][0]["events"][0]["type"], &other["last_seq"]), (&json!("drew"), &json!(1)));
    assert!(other["items"][0]["events"][0].get("cards").is_none());
    let stale = hall.post(1 - seat, "/play", &json!({"type": "draw", "expected_seq": 0})).await;
    assert_eq!((stale.refusal(), &stale.json()["seq"]), ((409, "stale_state".into()), &json!(1)));
    assert_eq!(hall.post(seat, "/play", &json!({"type": "draw"})).await.refusal(), (409, "not_your_turn".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_form_of_a_play_is_a_play_and_others_are_no_actions() {
    let hall = hall(json!({"voluntary_draw": true, "start_card": "plain", "pick_two": "none"})).await;
    loop {
        let seat = hall.turn().await;
        let legal = hall.game(seat).await["legal"].as_array().unwrap().clone();
        let plain = legal.iter().find(|action| action["type"] == "play" && action.get("shape").is_none());
        if let Some(action) = plain {
            let played = hall.post(seat, "/play", &json!({"card": action["card"]})).await;
            assert_eq!((played.status, &played.json()["events"][0]["type"]), (200, &json!("played")));
            break;
        }
        hall.post(seat, "/play", &json!({"type": "draw"})).await;
    }
    for body in [json!({"type": "timeout"}), json!({"type": "draw", "x": 1}), json!({"card": "Z9"}), json!({})] {
        let answer = hall.post(0, "/play", &body).await;
        assert_eq!(answer.refusal(), (422, "bad_action".into()), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_match_is_on_the_boards_and_proves_itself() {
    let hall = hall(json!({"match_target": 2})).await;
    hall.play_out().await;
    let (game, scores) = (hall.game(0).await, hall.whole.get(&hall.players[1], &hall.path("/scoreboard")).await.json());
    let winner = usize::try_from(game["winner"].as_u64().unwrap()).unwrap();
    assert_eq!((&scores["end_reason"], &scores["players"][winner]["rounds_won"]), (&json!("target"), &json!(2)));
    for period in ["week", "all"] {
        let path = format!("/api/v1/games/leaderboard?period={period}");
        let board = hall.whole.get(&hall.players[0], &path).await.json();
        assert_eq!(board["items"][0]["user_id"], json!(hall.players[winner].id));
        assert_eq!((&board["items"][0]["won"], &board["items"][1]["played"]), (&json!(1), &json!(1)));
    }
    for (state, count) in [("live", 0), ("over", 1)] {
        let list = hall.whole.get(&hall.players[0], &format!("/api/v1/games?state={state}")).await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{state}");
    }
    let proof = hall.whole.get(&hall.players[0], &hall.path("/proof")).await.json();
    for seat in [0, 1] {
        let events = hall.whole.get(&hall.players[seat], &hall.path("/events?after=-1")).await.json();
        let report = check(&proof, &Known { events: Some(events), ..Known::default() }).unwrap();
        assert!(report.ok, "{:#?}", report.lines);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rematch_is_an_invite_to_the_other() {
    let hall = hall(json!({})).await;
    assert_eq!(hall.post(0, "/rematch", &Value::Null).await.refusal(), (409, "conflict".into()));
    hall.post(1, "/play", &json!({"type": "resign"})).await;
    let again = hall.post(1, "/rematch", &Value::Null).await;
    assert_eq!((again.status, &again.json()["recipient_username"]), (201, &json!("ada")));
    assert_eq!(again.json()["rematch_of"], json!(hall.game));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_player_stops_at_once() {
    let hall: Hall = hall(json!({})).await;
    let admin = hall.whole.person(Role::Admin, "root").await;
    let mut socket = hall.socket(1, "").await;
    socket.next_of("snapshot").await;
    let path = format!("/api/v1/admin/users/{}", hall.players[1].id);
    let done = hall.whole.call(&admin, "PATCH", &path, &json!({"status": "suspended"})).await;
    assert!(done.status < 300, "{}", done.text());
    assert_eq!(socket.closed().await, Some(4403));
    assert_eq!(hall.post(1, "/play", &json!({"type": "resign"})).await.refusal(), (403, "account_suspended".into()));
}
