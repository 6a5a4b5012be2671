//! Stories about invites and relationships.

mod torn;

use serde_json::{Value, json};
use whotbox::identity::users::Role;

use crate::identity::fixture::{PASSWORD, Person, Whole, start};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_is_shown_once_redeemed_once_and_listed_without_its_secrets() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let invite = whole.invite(&ada).await;
    assert_eq!(invite["status"], "open");
    assert_eq!(text(&invite["url"]), format!("http://{}/#join={}", whole.http.address, text(&invite["token"])));

    let glance = whole.http.get(&format!("/api/v1/invites/{}", text(&invite["code"]))).send().await.json();
    assert_eq!((&glance["status"], &glance["distributor_alias"]), (&json!("open"), &json!("ada")));
    let joined = whole.redeem(text(&invite["token"]), "chidi").await;
    assert_eq!(joined.status, 201, "{}", joined.text());
    let (chidi, relationship) = (Person::of(&joined.json()), joined.json()["relationship"].clone());
    assert_eq!((&relationship["customer_id"], &relationship["status"]), (&json!(chidi.id), &json!("active")));

    let again = whole.redeem(text(&invite["token"]), "amaka").await;
    assert_eq!(again.refusal(), (409, "invite_redeemed".into()));
    let list = whole.get(&ada, "/api/v1/invites").await.json();
    assert_eq!(list["items"][0]["redeemed_by_user_id"], json!(chidi.id));
    for secret in ["token", "code", "url"] {
        assert!(list["items"][0].get(secret).is_none(), "{secret}");
    }
    let path = format!("/api/v1/relationships/{}", chidi.id);
    for viewer in [&ada, &chidi] {
        assert_eq!(whole.get(viewer, &path).await.json(), relationship);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_who_race_for_one_token_have_one_winner() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let token = text(&whole.invite(&ada).await["token"]).to_owned();
    let names: Vec<String> = (0..100).map(|n| format!("racer-{n}")).collect();
    let all = futures_util::future::join_all(names.iter().map(|name| whole.redeem(&token, name))).await;

    let count = |status| all.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(409)), (1, 99), "{:?}", all.iter().map(|a| a.status).collect::<Vec<_>>());
    let relationships = whole.get(&ada, "/api/v1/relationships").await.json();
    assert_eq!(relationships["items"].as_array().unwrap().len(), 1, "and nobody was made besides");
    let mut made = 0;
    for name in &names {
        made += u32::from(whole.login(name, PASSWORD).await.status == 200);
        whole.clock.advance(std::time::Duration::from_secs(10));
    }
    assert_eq!(made, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_redemption_with_a_key_gives_the_same_customer() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let invite = whole.invite(&ada).await;
    let body = json!({"token": invite["token"], "username": "chidi", "password": PASSWORD});
    let send = || whole.http.post("/api/v1/invites/redeem").idempotency_key("k").json(&body).send();
    let (first, second) = (send().await, send().await);
    assert_eq!((first.status, second.status), (201, 201), "{}", second.text());
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(first.json()["refresh_token"], second.json()["refresh_token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_and_revoked_invites_and_those_of_suspended_distributors_are_gone() {
    let whole = start().await;
    let admin = whole.person(Role::Admin, "root").await;
    let (ada, eze) = (whole.person(Role::Distributor, "ada").await, whole.person(Role::Distributor, "eze").await);
    let [old, dropped, orphan] = [whole.invite(&ada).await, whole.invite(&ada).await, whole.invite(&eze).await];
    let path = format!("/api/v1/invites/{}", text(&dropped["id"]));
    assert_eq!(whole.call(&eze, "DELETE", &path, &json!(null)).await.refusal(), (404, "not_found".into()));
    assert_eq!(whole.call(&ada, "DELETE", &path, &json!(null)).await.status, 204);
    assert_eq!(whole.call(&ada, "DELETE", &path, &json!(null)).await.status, 204, "twice is once");
    let suspend = format!("/api/v1/admin/users/{}", eze.id);
    whole.call(&admin, "PATCH", &suspend, &json!({"status": "suspended"})).await;

    let refusal = async |invite: &Value| whole.redeem(text(&invite["token"]), "chidi").await.refusal();
    assert_eq!(refusal(&dropped).await, (410, "invite_revoked".into()));
    assert_eq!(refusal(&orphan).await, (410, "invite_revoked".into()));
    whole.clock.advance(std::time::Duration::from_secs(7 * 24 * 3600));
    assert_eq!(refusal(&old).await, (410, "invite_expired".into()));
    assert_eq!(whole.redeem("no-such-token", "chidi").await.refusal(), (404, "not_found".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_whose_relationship_ended_joins_another_distributor_signed_in() {
    let whole = start().await;
    let (ada, eze) = (whole.person(Role::Distributor, "ada").await, whole.person(Role::Distributor, "eze").await);
    let chidi = whole.customer(&ada, "chidi").await;
    let invite = whole.invite(&eze).await;
    let redeem = format!("/api/v1/invites/{}/redeem", text(&invite["code"]));
    let chat = format!("/api/v1/entitlements/chat/{}/{}", chidi.id, ada.id);
    assert_eq!(whole.get(&chidi, &chat).await.json(), json!({"entitled": true, "reason": "active_relationship"}));

    let early = whole.call(&chidi, "POST", &redeem, &json!(null)).await;
    assert_eq!(early.refusal(), (409, "already_customer".into()));
    let path = format!("/api/v1/relationships/{}", chidi.id);
    assert_eq!(whole.call(&eze, "DELETE", &path, &json!(null)).await.status, 404);
    assert_eq!(whole.call(&chidi, "DELETE", &path, &json!(null)).await.status, 403);
    assert_eq!(whole.call(&ada, "DELETE", &path, &json!(null)).await.status, 204);
    assert_eq!(whole.get(&chidi, &chat).await.json(), json!({"entitled": false, "reason": "relationship_ended"}));
    assert_eq!(whole.get(&ada, &path).await.json()["status"], "ended");

    let joined = whole.call(&chidi, "POST", &redeem, &json!(null)).await;
    assert_eq!(joined.status, 201, "{}", joined.text());
    assert_eq!(joined.json()["user"]["distributor_id"], json!(eze.id));
    assert_eq!(whole.get(&ada, &path).await.json()["status"], "ended", "each distributor sees the own one");
    assert_eq!(whole.get(&eze, &path).await.json()["status"], "active");
}

async fn guess(whole: &Whole, code: &str) -> u16 {
    whole.http.get(&format!("/api/v1/invites/{code}")).send().await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_codes_cannot_be_guessed_in_a_row_but_tokens_still_open() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let invite = whole.invite(&ada).await;
    for n in 0..20 {
        assert_eq!(guess(&whole, &format!("AAAA-00{n:02}")).await, 404);
    }
    assert_eq!(guess(&whole, "AAAA-0099").await, 429);
    assert_eq!(guess(&whole, text(&invite["code"])).await, 429);
    assert_eq!(guess(&whole, text(&invite["token"])).await, 200);
    whole.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(guess(&whole, text(&invite["code"])).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_qr_code_is_a_picture_of_the_link() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let invite = whole.invite(&ada).await;
    let picture = whole.http.get(&format!("/api/v1/invites/{}/qr.svg", text(&invite["token"]))).send().await;
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/svg+xml")));
    assert!(picture.text().contains("<svg"));
    assert_eq!(whole.http.get("/api/v1/invites/nothing/qr.svg").send().await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_of_cards_is_printed_once_and_every_card_opens() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let body = json!({"count": 3, "distributor_alias": "Mama <Put> & Sons"});
    let sheet = whole.post(&ada, "/api/v1/invites/sheet", &body).await;
    assert_eq!((sheet.status, sheet.header("content-type")), (201, Some("text/html; charset=utf-8")));
    let page = sheet.text();
    assert!(page.contains("Mama &lt;Put&gt; &amp; Sons") && page.contains("Open it in Chrome"), "{page}");
    assert!(page.contains(&whole.http.address.to_string()), "the cards carry the address");
    assert!(sheet.header("content-security-policy").unwrap().starts_with("default-src 'none'"));

    let codes: Vec<&str> = page.split("<b>").skip(1).map(|rest| rest.split("</b>").next().unwrap()).collect();
    assert_eq!((codes.len(), page.matches("<svg").count()), (3, 3));
    for code in codes {
        assert_eq!(guess(&whole, code).await, 200, "{code}");
    }
    for count in [0, 61] {
        let refused = whole.post(&ada, "/api/v1/invites/sheet", &json!({"count": count})).await;
        assert_eq!(refused.refusal(), (422, "validation_failed".into()));
    }
}
