//! What the box holds about a person, given to that person and taken away at that person's wish.

use serde_json::{Value, json};
use whotbox::base::time::Clock as _;
use whotbox::identity::users::Role;
use whotbox::jobs::erasure::Erasure;

use super::fixture::{PASSWORD, Person, Whole, start};
use crate::support::ws::Ws;

const ME: &str = "/api/v1/users/me";
const EXPORT: &str = "/api/v1/users/me/export";

/// A distributor and two customers who have met, played and written.
struct Hall {
    whole: Whole,
    admin: Person,
    ada: Person,
    chidi: Person,
    amaka: Person,
    conversation: String,
    game: String,
}

async fn made(whole: &Whole, by: &Person, path: &str, body: Value) -> Value {
    let answer = whole.post(by, path, &body).await;
    assert!(answer.status < 300, "{path}: {}", answer.text());
    answer.json()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

impl Hall {
    async fn new() -> Self {
        let whole = start().await;
        let (admin, ada) = (whole.person(Role::Admin, "root").await, whole.person(Role::Distributor, "ada").await);
        let invite = whole.invite(&ada).await;
        let join = json!({"username": "chidi", "password": PASSWORD, "phone": "+234 801 234 5678"});
        let joined = whole.http.post(&format!("/api/v1/invites/{}/redeem", text(&invite["token"]))).json(&join);
        let chidi = Person::of(&joined.send().await.json());
        let amaka = whole.customer(&ada, "amaka").await;
        let opened = made(&whole, &chidi, "/api/v1/conversations", json!({"participant_id": ada.id})).await;
        let conversation = text(&opened["id"]);
        let write = format!("/api/v1/conversations/{conversation}/messages");
        made(&whole, &ada, &write, json!({"body": "Your change is at the bar."})).await;
        let offer = made(&whole, &chidi, "/api/v1/games/invites", json!({"recipient_username": "amaka"})).await;
        let accept = format!("/api/v1/games/invites/{}/accept", text(&offer["id"]));
        let game = text(&made(&whole, &amaka, &accept, json!({})).await["game_id"]);
        made(&whole, &chidi, "/api/v1/games/bot", json!({"level": "easy"})).await;
        made(&whole, &amaka, "/api/v1/games/invites", json!({"recipient_username": "chidi"})).await;
        Self { whole, admin, ada, chidi, amaka, conversation, game }
    }

    async fn goodbye(&self, of: &Person, password: &str) -> (u16, String) {
        let answer = self.whole.call(of, "DELETE", ME, &json!({"password": password})).await;
        let code = if answer.status < 300 { String::new() } else { answer.code() };
        (answer.status, code)
    }

    async fn carry_out(&self) -> usize {
        Erasure::new(self.whole.app.clone()).round().await.unwrap()
    }

    /// What the admin sees of a user.
    async fn seen(&self, user: &str) -> Value {
        let list = self.whole.get(&self.admin, "/api/v1/admin/users?limit=200").await.json();
        let users = list["items"].as_array().unwrap();
        users.iter().find(|item| item["id"] == user).unwrap().clone()
    }

    async fn hold(&self, moderator: &Person, method: &str) {
        let path = format!("/api/v1/admin/moderation/conversations/{}/legal-hold", self.conversation);
        let answer = self.whole.call(moderator, method, &path, &json!({"reason": "court order 44/26"})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_given_all_that_is_held_about_them_and_nothing_of_others() {
    let hall = Hall::new().await;
    hall.whole.login("chidi", "not the password").await;
    let asked = json!({"username": "chidi", "purpose": "password_reset"});
    hall.whole.http.post("/api/v1/auth/otp/request").json(&asked).send().await;

    let answer = hall.whole.get(&hall.chidi, EXPORT).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"whot-chidi.json\""));
    let all = answer.json();
    assert_eq!((&all["user"]["username"], &all["user"]["phone"]), (&json!("chidi"), &json!("+2348012345678")));
    let count = |kind: &str| all[kind].as_array().unwrap_or_else(|| panic!("{kind}: {all}")).len();
    let kinds = ["sessions", "login_attempts", "one_time_codes", "invites", "relationships", "game_invites", "games"];
    assert_eq!(kinds.map(count), [1, 1, 1, 1, 1, 2, 2], "{all}");
    assert_eq!(all["relationships"][0]["distributor_id"], json!(hall.ada.id));
    assert_eq!(all["conversations"][0]["messages"][0]["body"], "Your change is at the bar.");
    assert_eq!(all["truncated"], json!([]));

    // Nothing of what somebody else has alone, and no secret of one's own.
    for foreign in ["root", &hall.admin.id, &hall.chidi.refresh, &hall.chidi.token, "argon2", "digest"] {
        assert!(!answer.text().contains(foreign), "{foreign}");
    }
    let of_staff = hall.whole.get(&hall.admin, EXPORT).await.json();
    assert_eq!((of_staff["games"].clone(), of_staff["conversations"].clone()), (json!([]), json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wishes_to_be_gone_is_gone_everywhere_and_the_name_is_free() {
    let hall = Hall::new().await;
    let path = format!("/api/v1/games/{}/ws", hall.game);
    let socket = Ws::open(hall.whole.http.address, &path, &hall.chidi.token).await.unwrap();

    assert_eq!(hall.goodbye(&hall.chidi, "not the password").await, (401, "invalid_credentials".into()));
    assert_eq!(hall.goodbye(&hall.chidi, PASSWORD).await, (202, String::new()));

    // At once: nobody gets in any more, and the sockets are closed.
    assert_eq!(socket.closed().await, Some(4403));
    assert_eq!(hall.whole.get(&hall.chidi, ME).await.refusal(), (401, "unauthenticated".into()));
    assert_eq!(hall.whole.refresh(&hall.chidi.refresh).await.refusal(), (401, "invalid_refresh".into()));
    assert_eq!(hall.whole.login("chidi", PASSWORD).await.refusal(), (401, "invalid_credentials".into()));
    assert_eq!(hall.carry_out().await, 1);
    let seen = hall.seen(&hall.chidi.id).await;
    assert_eq!(
        (&seen["status"], &seen["phone"], &seen["distributor_id"]),
        (&json!("erased"), &Value::Null, &Value::Null)
    );
    let name = text(&seen["username"]);

    // The others keep what is theirs, under a name that tells nothing.
    let game = hall.whole.get(&hall.amaka, &format!("/api/v1/games/{}", hall.game)).await.json();
    assert_eq!((&game["players"][0]["username"], &game["end_reason"]), (&json!(name), &json!("resign")));
    let invites = hall.whole.get(&hall.amaka, "/api/v1/games/invites?box=sent").await.json();
    assert_eq!(
        (&invites["items"][0]["recipient_username"], &invites["items"][0]["status"]),
        (&json!(name), &json!("cancelled"))
    );
    let bonds = hall.whole.get(&hall.ada, "/api/v1/relationships").await.json();
    let bond = bonds["items"].as_array().unwrap().iter().find(|item| item["customer_id"] == hall.chidi.id).unwrap();
    assert_eq!((&bond["customer_username"], &bond["status"]), (&json!(name), &json!("ended")));
    let messages = format!("/api/v1/conversations/{}/messages", hall.conversation);
    assert_eq!(hall.whole.get(&hall.ada, &messages).await.json()["items"], json!([]));
    for (who, path) in [(&hall.amaka, EXPORT), (&hall.ada, EXPORT), (&hall.amaka, "/api/v1/games/leaderboard")] {
        assert!(!hall.whole.get(who, path).await.text().contains("chidi"), "{path}");
    }

    assert_eq!(hall.carry_out().await, 0, "what is finished is not done again");
    let again = hall.whole.customer(&hall.ada, "chidi").await;
    assert_ne!(again.id, hall.chidi.id, "somebody else may have the name now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legal_hold_puts_an_erasure_off_and_its_end_lets_it_go_on() {
    let hall = Hall::new().await;
    let moderator = hall.whole.person(Role::Moderator, "musa").await;
    hall.hold(&moderator, "POST").await;

    assert_eq!(hall.goodbye(&hall.chidi, PASSWORD).await, (202, String::new()), "nobody is told of a hold");
    assert_eq!(hall.whole.login("chidi", PASSWORD).await.status, 401, "the account is closed all the same");
    assert_eq!((hall.carry_out().await, hall.carry_out().await), (0, 0));
    let seen = hall.seen(&hall.chidi.id).await;
    assert_eq!((&seen["username"], &seen["phone"]), (&json!("chidi"), &json!("+2348012345678")));
    let review = format!("/api/v1/admin/moderation/conversations/{}?reason=court+order+44/26", hall.conversation);
    let kept = hall.whole.get(&moderator, &review).await.json();
    assert_eq!(kept["messages"][0]["body"], "Your change is at the bar.");

    hall.hold(&moderator, "DELETE").await;
    assert_eq!(hall.carry_out().await, 0, "the release may still be taken back");
    hall.whole.clock.advance(std::time::Duration::from_secs(72 * 3600));
    hall.whole.clock.set(hall.whole.clock.now(), false);
    assert_eq!(hall.carry_out().await, 0, "nobody knows whether the grace is over");
    hall.whole.clock.set(hall.whole.clock.now(), true);
    assert_eq!(hall.carry_out().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_distributor_who_goes_leaves_customers_free_to_join_another() {
    let hall = Hall::new().await;
    let open = hall.whole.invite(&hall.ada).await;
    assert_eq!(hall.goodbye(&hall.ada, PASSWORD).await.0, 202);
    assert_eq!(hall.carry_out().await, 1);
    let glance = hall.whole.http.get(&format!("/api/v1/invites/{}", text(&open["token"]))).send().await.json();
    assert_eq!((&glance["status"], &glance["distributor_alias"]), (&json!("revoked"), &Value::Null));
    assert_eq!(hall.whole.get(&hall.chidi, ME).await.json()["distributor_id"], Value::Null);
    let eze = hall.whole.person(Role::Distributor, "eze").await;
    let redeem = format!("/api/v1/invites/{}/redeem", text(&hall.whole.invite(&eze).await["token"]));
    assert_eq!(hall.whole.call(&hall.chidi, "POST", &redeem, &Value::Null).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_stays_and_one_of_two_may_go() {
    let hall = Hall::new().await;
    assert_eq!(hall.goodbye(&hall.admin, PASSWORD).await, (409, "conflict".into()));
    let other = hall.whole.person(Role::Admin, "boss").await;
    let (one, two) = tokio::join!(hall.goodbye(&hall.admin, PASSWORD), hall.goodbye(&other, PASSWORD));
    let mut both = [one.0, two.0];
    both.sort_unstable();
    assert_eq!(both, [202, 409], "of two who go at once one stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_the_password_of_a_phone_left_lying_about_is_throttled() {
    let hall = Hall::new().await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(hall.goodbye(&hall.chidi, "not the password").await.0);
    }
    assert_eq!(answers, [401, 401, 401, 429]);
    assert_eq!(hall.whole.get(&hall.chidi, ME).await.status, 200);
}
