//! Guessing: passwords, one-time codes, names.

use std::time::Duration;

use serde_json::{Value, json};
use whotbox::identity::users::Role;

use super::fixture::{PASSWORD, Whole, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_name_and_a_wrong_password_are_told_alike() {
    let whole = start().await;
    whole.account(Role::Customer, "chidi").await;
    let strip = |mut problem: Value| {
        for member in ["instance", "request_id"] {
            problem.as_object_mut().unwrap().remove(member);
        }
        problem
    };
    let known = whole.login("chidi", "not the password").await;
    assert_eq!(known.refusal(), (401, "invalid_credentials".into()));
    for unknown in ["nobody", "x", "not a name at all", ""] {
        let answer = whole.login(unknown, "not the password").await;
        assert_eq!(strip(answer.json()), strip(known.json()), "{unknown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_slowed_and_the_right_password_opens_after_the_wait() {
    let whole = start().await;
    whole.account(Role::Customer, "chidi").await;
    for name in ["chidi", "nobody"] {
        for _ in 0..3 {
            assert_eq!(whole.login(name, "guess after guess").await.status, 401, "{name}");
        }
        let slowed = whole.login(name, PASSWORD).await;
        assert_eq!(slowed.refusal(), (429, "too_many_attempts".into()), "{name}");
        assert_eq!(slowed.header("retry-after"), Some("1"));
        assert_eq!(slowed.json()["retry_after"], 1);
    }
    whole.clock.advance(Duration::from_secs(1));
    assert_eq!(whole.login("chidi", PASSWORD).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_guesses_at_once_few_are_judged() {
    let whole = start().await;
    whole.account(Role::Customer, "chidi").await;
    let all = futures_util::future::join_all((0..16).map(|_| whole.login("chidi", "a guess like any"))).await;
    let judged = all.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(judged, 3, "{:?}", all.iter().map(|answer| answer.status).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attack_from_elsewhere_does_not_lock_the_owner_out() {
    let whole = start_with(|given| given.proxies = Some(vec!["127.0.0.1".parse().unwrap()])).await;
    whole.account(Role::Customer, "chidi").await;
    let from = |address: &str, password: &str| {
        let body = json!({"username": "chidi", "password": password});
        whole.http.post("/api/v1/auth/login").header("X-Forwarded-For", address).json(&body).send()
    };
    assert_eq!(from("10.0.0.7", PASSWORD).await.status, 200);

    for _ in 0..100 {
        from("10.0.0.66", "guess after guess").await;
        whole.clock.advance(Duration::from_secs(10));
    }

    assert_eq!(from("10.0.0.67", PASSWORD).await.status, 429, "a hundred guesses are a day's");
    assert_eq!(from("10.0.0.7", PASSWORD).await.status, 200, "the owner's own phone is let in");
}

async fn ask(whole: &Whole, username: &str) {
    let body = json!({"username": username, "purpose": "password_reset"});
    let answer = whole.http.post("/api/v1/auth/otp/request").json(&body).send().await;
    assert_eq!(answer.status, 202, "{}", answer.text());
}

async fn try_code(whole: &Whole, username: &str, code: &str) -> u16 {
    let body =
        json!({"username": username, "purpose": "password_reset", "code": code, "new_password": "a new one, mine"});
    whole.http.post("/api/v1/auth/otp/verify").json(&body).send().await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_replaced_with_the_code_on_the_distributors_screen() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let eze = whole.person(Role::Distributor, "eze").await;
    let chidi = whole.customer(&ada, "chidi").await;
    ask(&whole, "nobody").await;
    ask(&whole, "chidi").await;

    let codes = whole.get(&ada, "/api/v1/admin/codes").await.json();
    assert_eq!(whole.get(&eze, "/api/v1/admin/codes").await.json()["items"], json!([]));
    assert_eq!(whole.get(&chidi, "/api/v1/admin/codes").await.status, 403);
    let code = codes["items"][0]["code"].as_str().unwrap().to_owned();
    assert_eq!((code.len(), &codes["items"][0]["username"]), (6, &json!("chidi")));

    assert_eq!(try_code(&whole, "chidi", &code).await, 204);
    assert_eq!(whole.get(&chidi, "/api/v1/users/me").await.status, 401, "the old sessions are over");
    assert_eq!(whole.login("chidi", "a new one, mine").await.status, 200);
    assert_eq!(try_code(&whole, "chidi", &code).await, 401, "a code is good once");
    assert_eq!(whole.get(&ada, "/api/v1/admin/codes").await.json()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_dies_after_five_tries_or_ten_minutes_or_with_the_next_one() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    whole.customer(&ada, "chidi").await;
    let shown = async || {
        ask(&whole, "chidi").await;
        let codes = whole.get(&ada, "/api/v1/admin/codes").await.json();
        codes["items"][0]["code"].as_str().unwrap().to_owned()
    };
    let wrong = |code: &str| if code == "000000" { "000001" } else { "000000" };

    let code = shown().await;
    for _ in 0..5 {
        assert_eq!(try_code(&whole, "chidi", wrong(&code)).await, 401);
    }
    assert_eq!(try_code(&whole, "chidi", &code).await, 401, "five tries");
    let first = shown().await;
    let second = shown().await;
    if first != second {
        assert_eq!(try_code(&whole, "chidi", &first).await, 401, "replaced");
    }
    whole.clock.advance(Duration::from_secs(600));
    assert_eq!(try_code(&whole, "chidi", &second).await, 401, "ten minutes");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_way_for_codes_there_are_none() {
    let whole = start_with(|given| given.code_sender = Some(whotbox::config::CodeSender::Off)).await;
    let ada = whole.person(Role::Distributor, "ada").await;
    whole.customer(&ada, "chidi").await;
    ask(&whole, "chidi").await;
    assert_eq!(whole.get(&ada, "/api/v1/admin/codes").await.json()["items"], json!([]));
    assert_eq!(try_code(&whole, "chidi", "123456").await, 401);
}
