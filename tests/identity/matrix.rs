//! Every route against fourteen kinds of principal, written down, and foreign objects against unknown ones.
//!
//! ```text
//!   none garbage expired | customer, another's customer, without a distributor, without VIP |
//!   distributor, another distributor, a distributor's role on a customer's account | moderator admin suspended S2S
//!
//!   1 unauthenticated · s suspended · f forbidden · n not found · + let through to whatever comes next
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use whotbox::base::secret::Secret;
use whotbox::base::time::Clock as _;
use whotbox::identity::takeover::{OldUser, take_over};
use whotbox::identity::users::{AccountType, Role, Status};

use super::fixture::{PASSWORD, Person, S2S, Whole, start};
use crate::support::http::Answer;

const PUBLIC: &str = "++++++++++++++";
const SIGNED_IN: &str = "111+++++++++s1";
const PLAYERS: &str = "111++++++fffs1";
const DISTRIBUTORS: &str = "111ffff++fffs1";
const MODERATORS: &str = "111fffffff+fs1";
const ADMINS: &str = "111ffffffff+s1";
const ADMINS_AND_SERVICES: &str = "111ffffffff+s+";
/// The customer and the one without VIP sit at the table.
const AT_THE_TABLE: &str = "111+nn+nnnnns1";
/// The customer and the distributor write to each other.
const IN_THE_CHAT: &str = "111+nnn+nnnns1";

/// The hold on a relationship.
const PAIR_HOLD: &str = "/api/v1/admin/moderation/relationships/{distributor_id}/{customer_id}/legal-hold";
/// See [`PAIR_HOLD`].
const PAIR: &[&str] = &["distributor", "customer"];

/// Method, pattern, what its parts stand for, and the fourteen answers. What destroys stands at the end.
const TABLE: &[(&str, &str, &[&str], &str)] = &[
    ("GET", "/healthz", &[], PUBLIC),
    ("GET", "/readyz", &[], PUBLIC),
    ("GET", "/openapi.json", &[], PUBLIC),
    ("GET", "/problems/{code}", &["not_found"], PUBLIC),
    ("GET", "/trust", &[], PUBLIC),
    // A box without TLS has no authority.
    ("GET", "/trust/whot-box.crt", &[], "nnnnnnnnnnnnnn"),
    ("GET", "/metrics", &[], ADMINS_AND_SERVICES),
    ("POST", "/api/v1/auth/register", &[], PUBLIC),
    ("POST", "/api/v1/auth/login", &[], PUBLIC),
    ("POST", "/api/v1/auth/refresh", &[], PUBLIC),
    ("POST", "/api/v1/auth/otp/request", &[], PUBLIC),
    ("POST", "/api/v1/auth/otp/verify", &[], PUBLIC),
    ("POST", "/api/v1/auth/password", &[], SIGNED_IN),
    ("GET", "/api/v1/users/me", &[], SIGNED_IN),
    ("GET", "/api/v1/users/me/export", &[], SIGNED_IN),
    ("DELETE", "/api/v1/users/me", &[], SIGNED_IN),
    ("GET", "/api/v1/users/me/sessions", &[], SIGNED_IN),
    ("DELETE", "/api/v1/users/me/sessions/{sid}", &["unknown"], "111nnnnnnnnns1"),
    ("POST", "/api/v1/admin/distributors", &[], ADMINS),
    ("POST", "/api/v1/admin/moderators", &[], ADMINS),
    ("GET", "/api/v1/admin/users", &[], ADMINS),
    ("PATCH", "/api/v1/admin/users/{id}", &["customer"], ADMINS),
    ("GET", "/api/v1/admin/codes", &[], "111ffff++ff+s1"),
    ("GET", "/api/v1/admin/replication", &[], ADMINS),
    ("POST", "/api/v1/admin/replication/sync", &[], ADMINS),
    ("GET", "/api/v1/admin/doctor", &[], ADMINS),
    ("GET", "/api/v1/admin/support", &[], ADMINS),
    ("GET", "/api/v1/admin/settings", &[], ADMINS),
    ("GET", "/api/v1/admin/backups", &[], ADMINS),
    ("POST", "/api/v1/admin/backups", &[], ADMINS),
    ("GET", "/api/v1/admin/backups/{name}", &["unknown"], "111ffffffffns1"),
    ("POST", "/api/v1/admin/backups/{name}/verify", &["unknown"], "111ffffffffns1"),
    ("POST", "/api/v1/admin/backups/recovery-key", &[], ADMINS),
    ("GET", "/api/v1/box/power", &[], ADMINS),
    ("POST", "/api/v1/box/power", &[], ADMINS),
    ("GET", "/api/v1/box/restore", &[], ADMINS),
    ("POST", "/api/v1/box/restore", &[], ADMINS),
    ("POST", "/api/v1/box/restore/look", &[], ADMINS),
    ("POST", "/api/v1/box/restore/pieces", &[], ADMINS),
    ("GET", "/api/v1/box", &[], PUBLIC),
    ("GET", "/api/v1/box/settings", &[], ADMINS),
    ("PUT", "/api/v1/box/settings/{name}", &["unknown"], "111ffffffffns1"),
    ("GET", "/api/v1/box/sync", &[], ADMINS),
    ("POST", "/api/v1/box/sync/redrive", &[], ADMINS),
    ("POST", "/api/v1/box/sync/link", &[], ADMINS),
    ("GET", "/api/v1/invites", &[], DISTRIBUTORS),
    ("POST", "/api/v1/invites", &[], DISTRIBUTORS),
    ("POST", "/api/v1/invites/sheet", &[], DISTRIBUTORS),
    ("GET", "/api/v1/invites/{token}", &["token"], PUBLIC),
    ("GET", "/api/v1/invites/{token}/qr.svg", &["token"], PUBLIC),
    ("POST", "/api/v1/invites/redeem", &[], "+11++++fffffs+"),
    ("POST", "/api/v1/invites/{token}/redeem", &["revoked token"], "+11++++fffffs+"),
    ("GET", "/api/v1/relationships", &[], DISTRIBUTORS),
    ("GET", "/api/v1/relationships/{customer_id}", &["customer"], "111+nnn+nn++s+"),
    (
        "GET",
        "/api/v1/entitlements/chat/{first_user_id}/{second_user_id}",
        &["customer", "distributor"],
        "111+fff+ff++s+",
    ),
    ("GET", "/api/v1/box/games", &[], "111ffff++ff+s1"),
    ("GET", "/api/v1/games", &[], PLAYERS),
    ("GET", "/api/v1/games/leaderboard", &[], PLAYERS),
    ("GET", "/api/v1/games/pairs/{user_id}", &["customer"], "111nnn+nnfffs1"),
    ("GET", "/api/v1/games/invites", &[], PLAYERS),
    ("POST", "/api/v1/games/invites", &[], PLAYERS),
    ("POST", "/api/v1/games/bot", &[], PLAYERS),
    ("GET", "/api/v1/games/{game_id}", &["game"], AT_THE_TABLE),
    ("GET", "/api/v1/games/{game_id}/events", &["game"], AT_THE_TABLE),
    ("GET", "/api/v1/games/{game_id}/proof", &["game"], AT_THE_TABLE),
    ("GET", "/api/v1/games/{game_id}/scoreboard", &["game"], AT_THE_TABLE),
    ("GET", "/api/v1/games/{game_id}/reconnect-token", &["game"], AT_THE_TABLE),
    ("GET", "/api/v1/games/{game_id}/ws", &["game"], AT_THE_TABLE),
    ("POST", "/api/v1/games/{game_id}/play", &["game"], AT_THE_TABLE),
    ("POST", "/api/v1/games/{game_id}/ready", &["game"], AT_THE_TABLE),
    ("POST", "/api/v1/games/{game_id}/rematch", &["game"], AT_THE_TABLE),
    ("POST", "/api/v1/games/invites/{id}/nonce", &["game invite"], "111+nn+nnfffs1"),
    ("GET", "/api/v1/conversations", &[], SIGNED_IN),
    ("POST", "/api/v1/conversations", &[], PLAYERS),
    ("GET", "/api/v1/conversations/{id}", &["conversation"], IN_THE_CHAT),
    ("GET", "/api/v1/conversations/{id}/messages", &["conversation"], IN_THE_CHAT),
    ("POST", "/api/v1/conversations/{id}/messages", &["conversation"], IN_THE_CHAT),
    ("GET", "/api/v1/conversations/{id}/ws", &["conversation"], IN_THE_CHAT),
    ("POST", "/api/v1/messages/{id}/delivered", &["message"], IN_THE_CHAT),
    ("POST", "/api/v1/messages/{id}/read", &["message"], IN_THE_CHAT),
    ("POST", "/api/v1/messages/{id}/report", &["message"], IN_THE_CHAT),
    ("DELETE", "/api/v1/messages/{id}", &["message"], IN_THE_CHAT),
    ("GET", "/api/v1/admin/moderation/conversations", &[], MODERATORS),
    ("GET", "/api/v1/admin/moderation/conversations/{id}", &["conversation"], MODERATORS),
    ("GET", "/api/v1/admin/moderation/conversations/{id}/export", &["conversation"], MODERATORS),
    ("POST", "/api/v1/admin/moderation/conversations/{id}/legal-hold", &["conversation"], MODERATORS),
    ("DELETE", "/api/v1/admin/moderation/conversations/{id}/legal-hold", &["conversation"], MODERATORS),
    ("POST", "/api/v1/conversations/{id}/block", &["conversation"], IN_THE_CHAT),
    ("DELETE", "/api/v1/conversations/{id}/block", &["conversation"], IN_THE_CHAT),
    ("GET", "/api/v1/admin/moderation/conversations/{id}/legal-hold", &["conversation"], MODERATORS),
    ("GET", "/api/v1/admin/moderation/holds", &[], MODERATORS),
    ("GET", "/api/v1/admin/moderation/distributors/{distributor_id}/legal-hold", &["distributor"], MODERATORS),
    ("POST", "/api/v1/admin/moderation/distributors/{distributor_id}/legal-hold", &["distributor"], MODERATORS),
    ("DELETE", "/api/v1/admin/moderation/distributors/{distributor_id}/legal-hold", &["distributor"], MODERATORS),
    ("GET", PAIR_HOLD, PAIR, MODERATORS),
    ("POST", PAIR_HOLD, PAIR, MODERATORS),
    ("DELETE", PAIR_HOLD, PAIR, MODERATORS),
    ("GET", "/api/v1/admin/clock", &[], ADMINS),
    ("POST", "/api/v1/admin/clock/confirm", &[], ADMINS),
    ("GET", "/api/v1/admin/moderation/audits", &[], "111fffffff++s1"),
    ("GET", "/api/v1/admin/moderation/trail", &[], "111fffffff++s1"),
    ("POST", "/api/v1/admin/moderation/trail/acknowledge", &[], "111fffffff++s1"),
    ("POST", "/api/v1/admin/archive-expiry/run", &[], ADMINS_AND_SERVICES),
    ("DELETE", "/api/v1/games/invites/{id}", &["game invite"], "111+nnnnnfffs1"),
    ("POST", "/api/v1/games/invites/{invite_id}/decline", &["game invite"], "111nnn+nnfffs1"),
    ("POST", "/api/v1/games/invites/{invite_id}/accept", &["game invite"], "111nnn+nnfffs1"),
    ("DELETE", "/api/v1/invites/{token}", &["invite"], "111ffff+nfffs1"),
    ("DELETE", "/api/v1/relationships/{customer_id}", &["customer"], "111fnnn+nnnns1"),
    ("POST", "/api/v1/admin/users/{id}/password-reset", &["another customer"], "111ffff+nff+s1"),
    ("POST", "/api/v1/auth/logout", &[], SIGNED_IN),
];

/// An id that nothing has.
const UNKNOWN: &str = "019ab3c0-0000-7000-8000-00000000dead";

/// Who calls: a bearer token, a service's token, or neither.
#[derive(Clone)]
enum Principal {
    Nobody,
    Bearer(String),
    Service,
}

struct Scene {
    whole: Whole,
    principals: Vec<Principal>,
    things: BTreeMap<&'static str, String>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// A user with a distributor's role on a customer's account, as the old service may have had one.
async fn odd(whole: &Whole) -> Person {
    let (username, password) = ("odd".parse().unwrap(), Secret::new(PASSWORD.to_owned()));
    let password = whole.app.identity.hash_chosen(&username, &password, "password").await.unwrap();
    let old = OldUser {
        id: "17".parse().unwrap(),
        username,
        role: Role::Distributor,
        account_type: AccountType::Customer,
        distributor_id: None,
        alias: None,
        phone: None,
        phone_verified: false,
        vip_enabled: false,
        status: Status::Active,
        password: Some(password),
        temporary: false,
        created_at: whole.clock.now(),
    };
    assert!(whole.app.store.write(move |tx, now| take_over(tx, now, old)).await.unwrap());
    whole.sign_in("odd").await
}

async fn made(whole: &Whole, by: &Person, path: &str, body: Value) -> Value {
    let answer = whole.post(by, path, &body).await;
    assert!(answer.status < 300, "{path}: {}", answer.text());
    answer.json()
}

async fn set() -> Scene {
    let whole = start().await;
    let old = whole.person(Role::Admin, "root").await;
    whole.clock.advance(Duration::from_secs(15 * 60));
    let (admin, moderator) = (whole.sign_in("root").await, whole.person(Role::Moderator, "musa").await);
    let (ada, eze) = (whole.person(Role::Distributor, "ada").await, whole.person(Role::Distributor, "eze").await);
    let (chidi, amaka) = (whole.customer(&ada, "chidi").await, whole.customer(&ada, "amaka").await);
    let ngozi = whole.customer(&ada, "ngozi").await;
    let uche = whole.customer(&eze, "uche").await;
    let (obi, odd) = (whole.person(Role::Customer, "obi").await, odd(&whole).await);
    let bad = whole.person(Role::Customer, "bad").await;
    let patch = async |id: &str, body: Value| {
        let path = format!("/api/v1/admin/users/{id}");
        assert_eq!(whole.call(&admin, "PATCH", &path, &body).await.status, 200);
    };
    patch(&bad.id, json!({"status": "suspended"})).await;
    patch(&chidi.id, json!({"vip_enabled": true})).await;

    let offer = json!({"recipient_username": "amaka"});
    let first = made(&whole, &chidi, "/api/v1/games/invites", offer.clone()).await;
    let accept = format!("/api/v1/games/invites/{}/accept", text(&first["id"]));
    let game = made(&whole, &amaka, &accept, json!({})).await;
    let finished = made(&whole, &chidi, "/api/v1/games/invites", offer.clone()).await;
    let accept = format!("/api/v1/games/invites/{}/accept", text(&finished["id"]));
    let finished = made(&whole, &amaka, &accept, json!({})).await;
    let play = format!("/api/v1/games/{}/play", text(&finished["game_id"]));
    made(&whole, &amaka, &play, json!({"type": "resign"})).await;
    let offered = made(&whole, &chidi, "/api/v1/games/invites", offer).await;
    let conversation = made(&whole, &ada, "/api/v1/conversations", json!({"participant_id": chidi.id})).await;
    let messages = format!("/api/v1/conversations/{}/messages", text(&conversation["id"]));
    let message = made(&whole, &ada, &messages, json!({"body": "How far?"})).await;
    let (invite, revoked) = (whole.invite(&ada).await, whole.invite(&ada).await);
    let revoke = format!("/api/v1/invites/{}", text(&revoked["id"]));
    assert_eq!(whole.call(&ada, "DELETE", &revoke, &json!(null)).await.status, 204);

    let things = BTreeMap::from([
        ("customer", chidi.id.clone()),
        ("another customer", ngozi.id.clone()),
        ("distributor", ada.id.clone()),
        ("game", text(&game["game_id"])),
        ("game invite", text(&offered["id"])),
        ("conversation", text(&conversation["id"])),
        ("message", text(&message["id"])),
        ("invite", text(&invite["id"])),
        ("token", text(&invite["token"])),
        ("revoked token", text(&revoked["token"])),
        ("not_found", "not_found".to_owned()),
        ("unknown", UNKNOWN.to_owned()),
    ]);
    let bearer = |person: Person| Principal::Bearer(person.token);
    let mut principals = vec![Principal::Nobody, Principal::Bearer("garbage".into()), bearer(old)];
    principals.extend([chidi, uche, obi, amaka, ada, eze, odd, moderator, admin, bad].map(bearer));
    principals.push(Principal::Service);
    Scene { whole, principals, things }
}

impl Scene {
    async fn call(&self, principal: &Principal, method: &str, path: &str) -> Answer {
        let call = self.whole.http.call(method, path);
        let call = match principal {
            Principal::Nobody => call,
            Principal::Bearer(token) => call.bearer(token),
            Principal::Service => call.header("X-S2S-Token", S2S),
        };
        call.send().await
    }

    /// A pattern with its parts filled in, each by what `name` gives.
    fn path(pattern: &str, parts: &[&str], thing: impl Fn(&str) -> String) -> String {
        let mut parts = parts.iter();
        let segment = |segment: &str| match segment.starts_with('{') {
            true => thing(parts.next().unwrap()),
            false => segment.to_owned(),
        };
        pattern.split('/').map(segment).collect::<Vec<_>>().join("/")
    }
}

/// The one letter of an answer.
fn letter(answer: &Answer) -> char {
    match answer.status {
        401 if answer.json()["code"] == "unauthenticated" => '1',
        403 => match answer.json()["code"].as_str() {
            Some("account_suspended") => 's',
            Some("forbidden") => 'f',
            _ => '+',
        },
        404 => 'n',
        _ => '+',
    }
}

fn bare(answer: &Answer) -> (u16, Value) {
    let mut problem = answer.json();
    for member in ["instance", "request_id"] {
        problem.as_object_mut().unwrap().remove(member);
    }
    (answer.status, problem)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_every_principal_as_written() {
    let scene = set().await;
    let served = routes(&scene.whole).await;
    let mut mismatches = Vec::new();
    for (method, pattern, parts, expected) in TABLE {
        if !served.contains(&((*method).to_owned(), (*pattern).to_owned())) {
            mismatches.push(format!("{method} {pattern}: there is no such route"));
        }
        let path = Scene::path(pattern, parts, |part| scene.things[part].clone());
        let unknown = Scene::path(pattern, parts, |_| UNKNOWN.to_owned());
        let mut got = String::new();
        for principal in &scene.principals {
            let answer = scene.call(principal, method, &path).await;
            got.push(letter(&answer));
            if got.ends_with('n') && bare(&answer) != bare(&scene.call(principal, method, &unknown).await) {
                mismatches.push(format!("{method} {pattern}: a foreign object does not look like an unknown one"));
            }
        }
        if got != *expected {
            mismatches.push(format!("{method} {pattern}: expected {expected}, got {got}"));
        }
    }
    assert!(mismatches.is_empty(), "\n{}", mismatches.join("\n"));
}

/// Every route of the document.
async fn routes(whole: &Whole) -> BTreeSet<(String, String)> {
    let document = whole.http.get("/openapi.json").send().await.json();
    let mut routes = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().keys().map(|method| method.to_uppercase());
        let methods = methods.filter(|method| ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()));
        routes.extend(methods.map(|method| (method, path.clone())));
    }
    routes
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_holds_every_route_of_the_document() {
    let routes = routes(&start().await).await;
    let written: BTreeSet<_> = TABLE.iter().map(|row| (row.0.to_owned(), row.1.to_owned())).collect();
    // What is no API is a page or a picture, the same for everybody.
    let missing: Vec<_> = routes.difference(&written).filter(|(_, path)| path.starts_with("/api/")).collect();
    assert!(missing.is_empty(), "not in the matrix: {missing:?}");
    assert!(TABLE.iter().all(|row| row.3.len() == 14));
}
