//! One whole evening: a distributor, two customers, a match, a chat, and a central that comes and goes.

use serde_json::{Value, json};

use crate::story::compare::{differences, heads_and_cursors};
use crate::story::match_play::Table;
use crate::story::recorded;
use crate::story::secrecy::search;
use crate::support::postgres::{Database, Postgres, Stop};
use crate::support::soon;
use crate::support::whotbox::{Person, Whotbox, own_password};

const MESSAGES: [&str; 4] = [
    "Good evening, stock don land this night",
    "I dey come now with the small bus",
    "Bring the receipt of last week, abeg",
    "No wahala, e dey my hand already",
];

/// The people of the evening.
pub(crate) struct Cast {
    pub(crate) admin: Person,
    pub(crate) owner: Person,
    pub(crate) chidi: Person,
    pub(crate) amaka: Person,
}

/// The admin provisions a distributor, who invites two customers; both redeem.
pub(crate) async fn gather(whotbox: &Whotbox) -> Cast {
    let admin = whotbox.sign_in("admin", whotbox.password.as_ref().unwrap()).await;
    let made = admin.done("/api/v1/admin/distributors", &json!({"username": "mama-put", "alias": "Mama Put"})).await;
    let owner = whotbox.sign_in("mama-put", made["temporary_password"].as_str().unwrap()).await;
    let (chidi, amaka) = (redeem(whotbox, &owner, "chidi").await, redeem(whotbox, &owner, "amaka").await);
    Cast { admin, owner, chidi, amaka }
}

async fn redeem(whotbox: &Whotbox, owner: &Person, name: &str) -> Person {
    let invite = owner.done("/api/v1/invites", &json!({})).await;
    let path = format!("/api/v1/invites/{}/redeem", invite["token"].as_str().unwrap());
    let body = json!({"username": name, "password": own_password(name)});
    let answer = whotbox.http.post(&path).json(&body).send().await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.json()["relationship"]["customer_username"], name);
    Person::of(&whotbox.http, &answer.json())
}

/// A conversation in which the two write to each other in turn, over sockets, and read each message.
async fn chat(owner: &Person, customer: &Person) {
    let conversation = customer.done("/api/v1/conversations", &json!({"participant_id": owner.id})).await;
    let path = format!("/api/v1/conversations/{}", conversation["id"].as_str().unwrap());
    let mut sockets = [owner.socket(&format!("{path}/ws")).await, customer.socket(&format!("{path}/ws")).await];
    for (number, body) in MESSAGES.iter().enumerate() {
        let (from, to) = (number % 2, 1 - number % 2);
        sockets[from].send(&json!({"type": "send", "ref": "s", "body": body})).await;
        let heard = sockets[to].next_of("message").await["message"].clone();
        assert_eq!(heard["body"], *body);
        sockets[to].send(&json!({"type": "read", "ref": "r", "message_id": heard["id"]})).await;
        for socket in &mut sockets {
            let gone = socket.next_of("vanished").await;
            assert_eq!(gone["message_ids"], json!([heard["id"]]));
        }
    }
    for person in [owner, customer] {
        let list = person.see(&format!("{path}/messages")).await;
        assert_eq!(list["items"], json!([]), "both have read everything");
    }
}

pub(crate) async fn replication(admin: &Person) -> Value {
    admin.see("/api/v1/admin/replication").await
}

/// Waits until central has everything, asking the box to go on at once.
pub(crate) async fn caught_up(admin: &Person) {
    let wait = async {
        loop {
            let now = replication(admin).await;
            if now["state"] == "live" && now["backlog"] == 0 {
                return;
            }
            admin.post("/api/v1/admin/replication/sync", &Value::Null).await;
        }
    };
    soon("central's catching up", wait).await;
}

/// Links a running box to central, as the operator's book says.
pub(crate) fn linked(whotbox: &Whotbox, central: &Database) {
    linked_by(whotbox, central, central.port());
}

/// The same, by way of another port of this machine.
pub(crate) fn linked_by(whotbox: &Whotbox, central: &Database, port: u16) {
    let (url, ca) = (central.admin_url_by(port), central.ca_file().display().to_string());
    for command in ["migrate", "enroll"] {
        let done = whotbox.command(&["upstream", command, "--admin-url", &url, "--upstream-ca", &ca]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evening_ends_with_central_holding_exactly_what_the_box_holds() {
    // Given a box of its own folder and a central with TLS.
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    let central = server.database();
    let whotbox = Whotbox::start(folder.path(), &[]);
    linked(&whotbox, &central);

    // When people gather, play and chat while central goes away in the middle and comes back, twice without a goodbye.
    let cast = gather(&whotbox).await;
    caught_up(&cast.admin).await;
    let mut table = Table::open(&cast.chidi, &cast.amaka, &json!({"match_target": 2})).await;
    let token = cast.amaka.see(&format!("/api/v1/games/{}/reconnect-token", table.game_id)).await;
    for _ in 0..3 {
        table.step().await;
    }
    server.stop(Stop::Immediate);
    for _ in 0..3 {
        table.step().await;
    }
    chat(&cast.owner, &cast.chidi).await;
    assert!(replication(&cast.admin).await["backlog"].as_u64().unwrap() > 0);
    server.start_again();
    server.restart(Stop::Immediate);
    table.play_to_the_end().await;
    let score = cast.amaka.see(&format!("/api/v1/games/{}/scoreboard", table.game_id)).await;
    assert!(!score["winner"].is_null(), "{score}");
    caught_up(&cast.admin).await;

    // Then nothing is missing, doubled or out of order, and no message text lies anywhere.
    assert_eq!(whotbox.terminate(), Some(0));
    let (differ, rows) = differences(folder.path(), &central);
    assert!(differ.is_empty(), "{differ:#?}");
    assert!(rows > 20, "{rows} rows were compared");
    let [heads, cursors] = heads_and_cursors(folder.path(), &central);
    assert_eq!(heads, cursors);
    recorded::replays(&central, &table.game_id);
    recorded::knows_the_digest_of(&central, &table.game_id, token["reconnect_token"].as_str().unwrap());
    assert_eq!(search(folder.path(), &MESSAGES), Vec::<String>::new());
    assert_eq!(search(&server.data(), &MESSAGES), Vec::<String>::new());
}
