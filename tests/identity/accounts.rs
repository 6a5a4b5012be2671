//! Accounts: registration, provisioning, suspension, temporary passwords.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use whotbox::identity::users::Role;

use super::fixture::{PASSWORD, Person, start, start_with};
use crate::support::ws::Ws;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_registers_without_an_invite_unless_the_box_is_open() {
    let body = json!({"username": "chidi", "password": PASSWORD, "phone": "+234 801 234 5678"});
    let closed = start().await;
    let answer = closed.http.post("/api/v1/auth/register").json(&body).send().await;
    assert_eq!(answer.refusal(), (403, "registration_closed".into()));

    let open = start_with(|given| given.open_registration = Some(true)).await;
    let answer = open.http.post("/api/v1/auth/register").json(&body).send().await;
    let session = answer.json();
    assert_eq!(answer.status, 201, "{session}");
    assert_eq!((&session["user"]["phone"], &session["user"]["role"]), (&json!("+2348012345678"), &json!("customer")));
    assert!(session.get("relationship").is_none());
    let again = open.http.post("/api/v1/auth/register").json(&body).send().await;
    assert_eq!(again.refusal(), (409, "username_taken".into()));
    let weak = json!({"username": "amaka", "password": "password1"});
    let weak = open.http.post("/api/v1/auth/register").json(&weak).send().await;
    assert_eq!(weak.refusal(), (422, "validation_failed".into()));
    assert_eq!(weak.json()["errors"][0]["field"], "password");
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_with_an_invite_makes_a_customer_of_its_distributor() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let invite = whole.invite(&ada).await;
    let body = json!({"username": "chidi", "password": PASSWORD, "invite_token": invite["code"]});
    let answer = whole.http.post("/identity/api/v1/auth/register").json(&body).send().await;
    let session = answer.json();
    assert_eq!(answer.status, 201, "{session}");
    assert_eq!(session["user"]["distributor_id"], json!(ada.id));
    assert_eq!(session["relationship"]["distributor_id"], json!(ada.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provisioned_distributor_changes_the_temporary_password_before_anything_else() {
    let whole = start().await;
    let admin = whole.person(Role::Admin, "root").await;
    let body = json!({"username": "ada", "alias": "Mama Put"});
    let send = || {
        let call = whole.http.post("/api/v1/admin/distributors").bearer(&admin.token);
        call.idempotency_key("k-1").json(&body).send()
    };
    let (made, again) = (send().await, send().await);
    assert_eq!((made.status, again.status), (201, 201), "{}", made.text());
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(made.json(), again.json(), "the temporary password is told again");
    let temporary = made.json()["temporary_password"].as_str().unwrap().to_owned();
    assert_eq!(made.json()["user"]["alias"], "Mama Put");

    let ada = Person::of(&whole.login("ada", &temporary).await.json());
    assert_eq!(whole.get(&ada, "/api/v1/users/me").await.json()["must_change_password"], true);
    for (method, path) in
        [("GET", "/api/v1/invites"), ("POST", "/api/v1/invites"), ("GET", "/api/v1/users/me/sessions")]
    {
        let answer = whole.call(&ada, method, path, &json!(null)).await;
        assert_eq!(answer.refusal(), (403, "password_change_required".into()), "{method} {path}");
    }
    let change = json!({"current_password": temporary, "new_password": PASSWORD});
    assert_eq!(whole.post(&ada, "/api/v1/auth/password", &change).await.status, 204);
    assert_eq!(whole.get(&ada, "/api/v1/invites").await.status, 200);
    assert_eq!(whole.get(&ada, "/api/v1/users/me").await.json()["must_change_password"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_password_is_the_users_own() {
    let whole = start().await;
    let admin = whole.person(Role::Admin, "root").await;
    let body = json!({"username": "musa", "password": PASSWORD});
    let made = whole.post(&admin, "/api/v1/admin/moderators", &body).await;
    assert_eq!(made.status, 201);
    assert_eq!(
        (&made.json()["user"]["role"], &made.json()["user"]["account_type"]),
        (&json!("moderator"), &json!("staff"))
    );
    assert!(made.json().get("temporary_password").is_none());
    assert_eq!(made.json()["user"]["must_change_password"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_is_felt_at_once_and_can_be_lifted() {
    let whole = start().await;
    let admin = whole.person(Role::Admin, "root").await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let path = format!("/api/v1/admin/users/{}", ada.id);

    let changed = whole.call(&admin, "PATCH", &path, &json!({"status": "suspended", "vip_enabled": true})).await;
    assert_eq!((changed.status, &changed.json()["status"]), (200, &json!("suspended")));
    assert_eq!(whole.get(&ada, "/api/v1/users/me").await.refusal(), (403, "account_suspended".into()));
    assert_eq!(whole.refresh(&ada.refresh).await.refusal(), (403, "account_suspended".into()));
    assert_eq!(whole.login("ada", PASSWORD).await.refusal(), (403, "account_suspended".into()));
    assert_eq!(whole.login("ada", "not the password").await.status, 401, "only who knows the password is told");

    whole.call(&admin, "PATCH", &path, &json!({"status": "active"})).await;
    assert_eq!(whole.get(&ada, "/api/v1/users/me").await.status, 401, "the old session stays over");
    let ada = whole.sign_in("ada").await;
    assert_eq!(whole.get(&ada, "/api/v1/users/me").await.json()["vip_enabled"], true);
    let own = format!("/api/v1/admin/users/{}", admin.id);
    let refused = whole.call(&admin, "PATCH", &own, &json!({"status": "suspended"})).await;
    assert_eq!(refused.refusal(), (409, "conflict".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_admin_grants_and_a_relationships_end_reach_old_tokens_and_open_sockets_at_once() {
    let whole = start().await;
    let (admin, ada) = (whole.person(Role::Admin, "root").await, whole.person(Role::Distributor, "ada").await);
    let chidi = whole.customer(&ada, "chidi").await;
    let game = whole.post(&chidi, "/api/v1/games/bot", &json!({"level": "easy"})).await.json();
    let table = format!("/api/v1/games/{}/ws", game["game_id"].as_str().unwrap());
    let chat = whole.post(&chidi, "/api/v1/conversations", &json!({"participant_id": ada.id})).await.json();
    let chat = format!("/api/v1/conversations/{}/ws", chat["id"].as_str().unwrap());
    let mut sockets = Vec::new();
    for path in [&table, &chat] {
        sockets.push(Ws::open(whole.http.address, path, &chidi.token).await.unwrap());
    }

    let path = format!("/api/v1/admin/users/{}", chidi.id);
    assert_eq!(whole.call(&admin, "PATCH", &path, &json!({"vip_enabled": true})).await.status, 200);
    for socket in &mut sockets {
        let news = json!({"type": "account", "vip_enabled": true, "distributor_id": ada.id});
        assert_eq!(socket.next_of("account").await, news);
    }
    assert_eq!(whole.get(&chidi, "/api/v1/users/me").await.json()["vip_enabled"], true, "the old token is good");

    let bond = format!("/api/v1/relationships/{}", chidi.id);
    assert_eq!(whole.call(&ada, "DELETE", &bond, &json!(null)).await.status, 204);
    for socket in &mut sockets {
        let news = json!({"type": "account", "vip_enabled": true, "distributor_id": null});
        assert_eq!(socket.next_of("account").await, news);
    }
    let renewed = Person::of(&whole.refresh(&chidi.refresh).await.json());
    assert_eq!(claims(&renewed.token)["vip_enabled"], true, "a refresh brings the claims up to date");
    assert_eq!(claims(&chidi.token)["vip_enabled"], false);
}

/// What an access token says.
fn claims(token: &str) -> serde_json::Value {
    let middle = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_distributor_resets_own_customers_passwords_alone() {
    let whole = start().await;
    let (admin, ada) = (whole.person(Role::Admin, "root").await, whole.person(Role::Distributor, "ada").await);
    let eze = whole.person(Role::Distributor, "eze").await;
    let chidi = whole.customer(&ada, "chidi").await;
    let path = |id: &str| format!("/api/v1/admin/users/{id}/password-reset");

    let foreign = whole.post(&eze, &path(&chidi.id), &json!({})).await;
    let unknown = whole.post(&eze, &path("019ab3c0-0000-7000-8000-00000000dead"), &json!({})).await;
    assert_eq!((foreign.refusal(), unknown.status), ((404, "not_found".into()), 404));
    assert_eq!(whole.post(&ada, &path(&admin.id), &json!({})).await.status, 404);
    assert_eq!(whole.post(&chidi, &path(&chidi.id), &json!({})).await.status, 403);

    let reset = whole.post(&ada, &path(&chidi.id), &json!({})).await;
    let temporary = reset.json()["temporary_password"].as_str().unwrap().to_owned();
    assert_eq!(whole.get(&chidi, "/api/v1/users/me").await.status, 401);
    assert_eq!(whole.login("chidi", &temporary).await.json()["user"]["must_change_password"], true);
    assert_eq!(whole.post(&admin, &path(&ada.id), &json!({})).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_listed_by_role_and_part_of_a_name_page_by_page() {
    let whole = start().await;
    let admin = whole.person(Role::Admin, "root").await;
    for name in ["ada", "adaobi", "bola", "canada"] {
        whole.account(Role::Customer, name).await;
    }
    whole.account(Role::Moderator, "adamu").await;
    let names = |list: &serde_json::Value| {
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["username"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = whole.get(&admin, "/api/v1/admin/users?role=customer&q=ADA&limit=2").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = whole.get(&admin, &format!("/api/v1/admin/users?role=customer&q=ADA&limit=2&cursor={cursor}")).await;
    let mut found = [names(&first), names(&rest.json())].concat();
    found.sort();
    assert_eq!(found, ["ada", "adaobi", "canada"]);
    assert_eq!(whole.get(&admin, "/api/v1/admin/users?role=king").await.status, 422);
}
