//! Sessions: signing in and out, rotation, reuse, revocation.

use std::time::Duration;

use serde_json::json;
use whotbox::identity::users::Role;

use super::fixture::{PASSWORD, Person, start};

const ME: &str = "/api/v1/users/me";

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_is_known_and_signs_out() {
    let whole = start().await;
    whole.account(Role::Distributor, "ada").await;

    let answer = whole.login("Ada", PASSWORD).await;
    let session = answer.json();
    assert_eq!((answer.status, &session["token_type"], &session["expires_in"]), (200, &json!("bearer"), &json!(900)));
    let ada = Person::of(&session);
    let me = whole.get(&ada, ME).await.json();
    assert_eq!(me, session["user"]);
    assert_eq!(
        (&me["role"], &me["account_type"], &me["status"]),
        (&json!("distributor"), &json!("distributor"), &json!("active"))
    );

    let out = whole.post(&ada, "/api/v1/auth/logout", &json!({})).await;
    assert_eq!(out.status, 204);
    assert_eq!(whole.get(&ada, ME).await.refusal(), (401, "unauthenticated".into()));
    assert_eq!(whole.refresh(&ada.refresh).await.refusal(), (401, "invalid_refresh".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_rotates_and_its_lost_answer_comes_again() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;

    let second = whole.refresh(&ada.refresh).await.json();
    whole.clock.advance(Duration::from_secs(10));
    let again = whole.refresh(&ada.refresh).await.json();

    assert_eq!(second["refresh_token"], again["refresh_token"]);
    assert_ne!(second["refresh_token"], json!(ada.refresh));
    assert_eq!(whole.get(&Person::of(&again), ME).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_refresh_token_ends_the_whole_session_at_once() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let second = Person::of(&whole.refresh(&ada.refresh).await.json());
    whole.clock.advance(Duration::from_secs(11));

    assert_eq!(whole.refresh(&ada.refresh).await.refusal(), (401, "refresh_reused".into()));

    assert_eq!(whole.refresh(&second.refresh).await.refusal(), (401, "refresh_reused".into()));
    assert_eq!(whole.get(&second, ME).await.status, 401, "the access token dies with its session");
    assert_eq!(whole.get(&whole.sign_in("ada").await, ME).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_generation_is_a_reuse_even_within_ten_seconds() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let second = Person::of(&whole.refresh(&ada.refresh).await.json());
    whole.refresh(&second.refresh).await;
    assert_eq!(whole.refresh(&ada.refresh).await.refusal(), (401, "refresh_reused".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_refreshes_have_one_successor() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let all = futures_util::future::join_all((0..50).map(|_| whole.refresh(&ada.refresh))).await;
    let successors: std::collections::BTreeSet<String> =
        all.iter().map(|answer| answer.json()["refresh_token"].as_str().unwrap().to_owned()).collect();
    assert_eq!(successors.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_of_idleness_and_of_age_and_its_access_token_after_fifteen_minutes() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    whole.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(whole.get(&ada, ME).await.status, 401);

    let day = Duration::from_secs(24 * 3600);
    let mut refresh = ada.refresh.clone();
    for _ in 0..4 {
        whole.clock.advance(day * 20);
        refresh = Person::of(&whole.refresh(&refresh).await.json()).refresh;
    }
    whole.clock.advance(day * 10);
    assert_eq!(whole.refresh(&refresh).await.status, 401, "ninety days are the end");
    let idle = whole.sign_in("ada").await;
    whole.clock.advance(day * 30);
    assert_eq!(whole.refresh(&idle.refresh).await.status, 401, "thirty days of idleness too");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_one_is_ended_from_another() {
    let whole = start().await;
    let phone = whole.person(Role::Distributor, "ada").await;
    let laptop = whole.sign_in("ada").await;
    let stranger = whole.person(Role::Distributor, "eze").await;

    let list = whole.get(&laptop, "/api/v1/users/me/sessions").await.json();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let other = items.iter().find(|item| item["current"] == false).unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/users/me/sessions/{other}");

    assert_eq!(whole.call(&stranger, "DELETE", &path, &json!(null)).await.refusal(), (404, "not_found".into()));
    assert_eq!(whole.call(&laptop, "DELETE", &path, &json!(null)).await.status, 204);
    assert_eq!(whole.get(&phone, ME).await.status, 401);
    assert_eq!(whole.get(&laptop, ME).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_thirty_third_session_takes_the_place_of_the_first() {
    let whole = start().await;
    let first = whole.person(Role::Distributor, "ada").await;
    for _ in 0..32 {
        whole.clock.advance(Duration::from_secs(1));
        whole.sign_in("ada").await;
    }
    assert_eq!(whole.get(&first, ME).await.status, 401);
    let list = whole.get(&whole.sign_in("ada").await, "/api/v1/users/me/sessions").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 32);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_all_other_sessions() {
    let whole = start().await;
    let phone = whole.person(Role::Distributor, "ada").await;
    let laptop = whole.sign_in("ada").await;
    let change = |new: &str| json!({"current_password": PASSWORD, "new_password": new});

    assert_eq!(whole.post(&laptop, "/api/v1/auth/password", &change("12345678")).await.status, 422);
    let wrong = json!({"current_password": "not it at all", "new_password": "abuja by day"});
    assert_eq!(
        whole.post(&laptop, "/api/v1/auth/password", &wrong).await.refusal(),
        (401, "invalid_credentials".into())
    );
    assert_eq!(whole.post(&laptop, "/api/v1/auth/password", &change("abuja by day")).await.status, 204);

    assert_eq!(whole.get(&phone, ME).await.status, 401);
    assert_eq!(whole.get(&laptop, ME).await.status, 200);
    assert_eq!(whole.login("ada", PASSWORD).await.status, 401);
    assert_eq!(whole.login("ada", "abuja by day").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_sign_in_with_a_key_gives_the_same_session() {
    let whole = start().await;
    whole.account(Role::Distributor, "ada").await;
    let body = json!({"username": "ada", "password": PASSWORD});
    let send = |body| whole.http.post("/api/v1/auth/login").idempotency_key("one").json(body).send();

    let (first, second) = (send(&body).await, send(&body).await);
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(first.json()["refresh_token"], second.json()["refresh_token"]);
    let other = json!({"username": "ada", "password": PASSWORD, "more": 1});
    assert_eq!(send(&other).await.refusal(), (409, "idempotency_key_reused".into()));
}
