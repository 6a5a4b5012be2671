//! `Idempotency-Key` on every POST about accounts, invites and matches: the same request again gives the first answer
//! again, and does nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use whotbox::identity::users::Role;

use super::fixture::{PASSWORD, Person, Whole, start_with};
use crate::support::http::Answer;

/// Who sends, where, and what.
type Act = (Option<Person>, &'static str, String, Value);

async fn send(whole: &Whole, (who, _, path, body): &Act, key: &str) -> Answer {
    let call = whole.http.post(path).idempotency_key(key);
    let call = if let Some(who) = who { call.bearer(&who.token) } else { call };
    if body.is_null() { call.send().await } else { call.json(body).send().await }
}

/// Does an act twice under one key, and checks that the second was none. The first answer.
async fn twice(whole: &Whole, act: &Act) -> Value {
    let first = send(whole, act, "only-once").await;
    assert!(first.status < 300, "{}: {} {}", act.2, first.status, first.text());
    assert_eq!(first.header("idempotency-replayed"), None, "{}", act.2);
    let again = send(whole, act, "only-once").await;
    assert_eq!(again.status, first.status, "{}: {}", act.2, again.text());
    assert_eq!(again.header("idempotency-replayed"), Some("true"), "{}", act.2);
    let other = match &act.3 {
        Value::Null => json!({"another": true}),
        body => json!({"another": true, "token": body["token"], "username": body["username"],
            "password": body["password"], "purpose": body["purpose"], "code": body["code"],
            "current_password": body["current_password"], "new_password": body["new_password"],
            "refresh_token": body["refresh_token"], "recipient_username": body["recipient_username"],
            "level": body["level"], "alias": body["alias"], "nonce": body["nonce"], "action": body["action"],
            "type": body["type"]}),
    };
    let act = (act.0.clone(), act.1, act.2.clone(), other);
    let reused = send(whole, &act, "only-once").await;
    assert!([409, 422].contains(&reused.status), "{}: {} {}", act.2, reused.status, reused.text());
    if first.body.is_empty() { Value::Null } else { serde_json::from_slice(&first.body).unwrap_or_default() }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_post_is_done_once_however_often_it_is_sent() {
    let whole = start_with(|given| given.open_registration = Some(true)).await;
    let (admin, ada) = (whole.person(Role::Admin, "root").await, whole.person(Role::Distributor, "ada").await);
    let (chidi, amaka) = (whole.customer(&ada, "chidi").await, whole.customer(&ada, "amaka").await);
    let (one, two) = (whole.invite(&ada).await, whole.invite(&ada).await);
    let mut done = BTreeSet::new();
    let mut act = async |who: Option<&Person>, pattern: &'static str, path: String, body: Value| {
        done.insert(pattern);
        twice(&whole, &(who.cloned(), pattern, path, body)).await
    };
    let name = |username: &str| json!({"username": username, "password": PASSWORD});

    for (who, path, body) in [
        (None, "/api/v1/auth/register", name("ngozi")),
        (None, "/api/v1/auth/login", name("chidi")),
        (None, "/api/v1/auth/refresh", json!({"refresh_token": amaka.refresh})),
        (None, "/api/v1/auth/otp/request", json!({"username": "amaka", "purpose": "password_reset"})),
        (Some(&admin), "/api/v1/admin/distributors", json!({"username": "eze", "alias": "Eze"})),
        (Some(&admin), "/api/v1/admin/moderators", json!({"username": "musa"})),
        (Some(&admin), "/api/v1/admin/replication/sync", Value::Null),
        (Some(&ada), "/api/v1/invites", json!({})),
        (Some(&ada), "/api/v1/invites/sheet", json!({"count": 2})),
        (None, "/api/v1/invites/redeem", json!({"token": one["token"], "username": "uche", "password": PASSWORD})),
        (Some(&chidi), "/api/v1/games/bot", json!({"level": "easy"})),
    ] {
        act(who, path, path.to_owned(), body).await;
    }
    let path = format!("/api/v1/invites/{}/redeem", text(&two["token"]));
    act(None, "/api/v1/invites/{token}/redeem", path, name("obi")).await;

    let offer = json!({"recipient_username": "amaka"});
    let offered = act(Some(&chidi), "/api/v1/games/invites", "/api/v1/games/invites".into(), offer.clone()).await;
    let invite = |of: &Value, what: &str| format!("/api/v1/games/invites/{}/{what}", text(&of["id"]));
    let nonce = json!({"nonce": "0f".repeat(32)});
    act(Some(&amaka), "/api/v1/games/invites/{id}/nonce", invite(&offered, "nonce"), nonce).await;
    let accept = invite(&offered, "accept");
    let game = act(Some(&amaka), "/api/v1/games/invites/{invite_id}/accept", accept, Value::Null).await;
    let second = whole.post(&chidi, "/api/v1/games/invites", &offer).await.json();
    let decline = invite(&second, "decline");
    act(Some(&amaka), "/api/v1/games/invites/{invite_id}/decline", decline, Value::Null).await;
    let game = |what: &str| format!("/api/v1/games/{}/{what}", text(&game["game_id"]));
    act(Some(&chidi), "/api/v1/games/{game_id}/play", game("play"), json!({"type": "resign"})).await;
    act(Some(&chidi), "/api/v1/games/{game_id}/rematch", game("rematch"), Value::Null).await;

    // What ends sessions stands last. A code is used up by the first, a password changed, a session over.
    let shown = whole.get(&ada, "/api/v1/admin/codes").await.json();
    let code = text(&shown["items"][0]["code"]);
    let verify =
        json!({"username": "amaka", "purpose": "password_reset", "code": code, "new_password": "abuja by day"});
    act(None, "/api/v1/auth/otp/verify", "/api/v1/auth/otp/verify".into(), verify).await;
    assert_eq!(whole.login("amaka", "abuja by day").await.status, 200);
    let change = json!({"current_password": PASSWORD, "new_password": "abuja by day"});
    act(Some(&chidi), "/api/v1/auth/password", "/api/v1/auth/password".into(), change).await;
    let reset = format!("/api/v1/admin/users/{}/password-reset", amaka.id);
    act(Some(&ada), "/api/v1/admin/users/{id}/password-reset", reset, Value::Null).await;
    act(Some(&chidi), "/api/v1/auth/logout", "/api/v1/auth/logout".into(), Value::Null).await;
    assert_eq!(whole.get(&chidi, "/api/v1/users/me").await.status, 401, "a repeated sign-out lets nobody in");

    let document = whole.http.get("/openapi.json").send().await.json();
    let ours = ["/api/v1/auth/", "/api/v1/users/", "/api/v1/admin/users", "/api/v1/invites", "/api/v1/games"];
    let posts = document["paths"].as_object().unwrap().iter().filter(|(_, methods)| methods.get("post").is_some());
    let posts = posts.map(|(path, _)| path.as_str()).filter(|path| ours.iter().any(|front| path.starts_with(front)));
    // Readiness for a next round is idempotent by itself and has its own test.
    let left: Vec<_> = posts.filter(|path| !done.contains(path) && !path.ends_with("/ready")).collect();
    assert!(left.is_empty(), "not tried twice: {left:?}");
}
