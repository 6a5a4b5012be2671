//! `kill -9` under a mixed load: chat, a match, new accounts and sign-outs at once. Whatever was acknowledged is there after
//! each start, and nothing is there twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::story::evening::{Cast, gather};
use crate::support::http::{Answer, Http};
use crate::support::whotbox::{Person, Whotbox, own_password};
use crate::whot::random::Random;

/// Kills in CI, and under `tests/run --full`.
fn kills() -> usize {
    if std::env::var_os("WHOTBOX_FULL").is_some() { 300 } else { 30 }
}

/// What was acknowledged.
#[derive(Debug, Default)]
struct Ledger {
    messages: BTreeSet<String>,
    accounts: BTreeSet<String>,
    signed_out: Vec<String>,
    /// The match, and the highest number of an event in it.
    moved: (String, u64),
    moves: usize,
}

/// What the load shares.
struct Load {
    ledger: Mutex<Ledger>,
    acknowledged: AtomicUsize,
}

impl Load {
    fn note(&self, write: impl FnOnce(&mut Ledger)) {
        write(&mut self.ledger.lock().unwrap());
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}

/// A request to a box that may die before it answers.
async fn post(http: &Http, token: Option<&str>, path: &str, body: &Value) -> Option<Answer> {
    let mut wire = http.connect().await.ok()?;
    let mut call = http.post(path);
    if let Some(token) = token {
        call = call.bearer(token);
    }
    let call = if body.is_null() { call } else { call.json(body) };
    wire.write(&call.bytes()).await;
    wire.answer().await
}

async fn get(person: &Person, path: &str) -> Option<Answer> {
    let mut wire = person.http.connect().await.ok()?;
    wire.write(&person.http.get(path).bearer(&person.token).bytes()).await;
    wire.answer().await
}

/// Writes messages until the box is gone.
async fn chat(load: Arc<Load>, person: Person, conversation: String) {
    let path = format!("/api/v1/conversations/{conversation}/messages");
    while let Some(answer) = post(&person.http, Some(&person.token), &path, &json!({"body": "stock don land"})).await {
        assert!(answer.status == 201, "{} {}", answer.status, answer.text());
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        load.note(|ledger| assert!(ledger.messages.insert(id)));
    }
}

/// Plays, and begins the next match where one is over, until the box is gone.
async fn play(load: Arc<Load>, seats: [Person; 2]) {
    loop {
        let (mut game, _) = load.ledger.lock().unwrap().moved.clone();
        if game.is_empty() {
            let options = json!({"hand_size": 3, "match_target": 1, "turn_seconds": 0});
            let invite = json!({"recipient_username": seats[1].username, "preset": "quick", "options": options});
            let (first, second) = (&seats[0], &seats[1]);
            let Some(sent) = post(&first.http, Some(&first.token), "/api/v1/games/invites", &invite).await else {
                return;
            };
            // A match or an invite of before the kill: whoever is in it goes on there.
            let id = if sent.status == 201 { sent.json()["id"].clone() } else { Value::Null };
            let Some(id) = id.as_str() else {
                let Some(mine) = get(first, "/api/v1/games?status=active").await else { return };
                let open = mine.json()["items"][0]["id"].as_str().map(str::to_owned);
                match open {
                    Some(open) => load.ledger.lock().unwrap().moved = (open, 0),
                    None if !withdraw(first).await => return,
                    None => {}
                }
                continue;
            };
            let path = format!("/api/v1/games/invites/{id}/accept");
            let Some(made) = post(&second.http, Some(&second.token), &path, &Value::Null).await else { return };
            game = made.json()["game_id"].as_str().unwrap_or_else(|| panic!("{}", made.text())).to_owned();
            load.note(|ledger| ledger.moved = (game.clone(), 0));
        }
        for seat in &seats {
            let Some(seen) = get(seat, &format!("/api/v1/games/{game}")).await else { return };
            let seen = seen.json();
            if seen["phase"] == "match_over" {
                load.ledger.lock().unwrap().moved = (String::new(), 0);
                break;
            }
            if seen["seat"] != seen["turn"] {
                continue;
            }
            let path = format!("/api/v1/games/{game}/play");
            let Some(played) = post(&seat.http, Some(&seat.token), &path, &seen["legal"][0]).await else { return };
            assert_eq!(played.status, 200, "{}", played.text());
            let seq = played.json()["game"]["seq"].as_u64().unwrap_or_else(|| panic!("{}", played.text()));
            load.note(|ledger| {
                ledger.moved.1 = seq;
                ledger.moves += 1;
            });
        }
    }
}

/// Takes back an invite that was made and never answered; whether the box is still there.
async fn withdraw(person: &Person) -> bool {
    let Some(mine) = get(person, "/api/v1/games/invites").await else { return false };
    for invite in mine.json()["items"].as_array().unwrap().iter().filter(|invite| invite["status"] == "pending") {
        let path = format!("/api/v1/games/invites/{}", invite["id"].as_str().unwrap());
        let Ok(mut wire) = person.http.connect().await else { return false };
        wire.write(&person.http.call("DELETE", &path).bearer(&person.token).bytes()).await;
        if wire.answer().await.is_none() {
            return false;
        }
    }
    true
}

/// Makes accounts, each of which signs out again, until the box is gone.
async fn join(load: Arc<Load>, owner: Person, kill: usize) {
    for number in 0.. {
        let name = format!("guest-{kill}-{number}");
        let Some(invite) = post(&owner.http, Some(&owner.token), "/api/v1/invites", &json!({})).await else { return };
        let path = format!("/api/v1/invites/{}/redeem", invite.json()["token"].as_str().unwrap());
        let body = json!({"username": name, "password": own_password(&name)});
        let Some(made) = post(&owner.http, None, &path, &body).await else { return };
        assert_eq!(made.status, 201, "{}", made.text());
        load.note(|ledger| assert!(ledger.accounts.insert(name)));
        let token = made.json()["access_token"].as_str().unwrap().to_owned();
        let Some(out) = post(&owner.http, Some(&token), "/api/v1/auth/logout", &Value::Null).await else { return };
        assert_eq!(out.status, 204, "{}", out.text());
        load.note(|ledger| ledger.signed_out.push(token));
    }
}

/// Every id that a list has, over all its pages.
async fn listed(person: &Person, path: &str, field: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = person.see(&format!("{path}{cursor}")).await;
        found.extend(page["items"].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// All that was acknowledged is there, and nothing is there twice.
async fn assert_nothing_is_lost(cast: &Cast, conversation: &str, load: &Load, kill: usize) {
    let (messages, accounts, signed_out, (game, seq)) = {
        let mut ledger = load.ledger.lock().unwrap();
        let ledger = &mut *ledger;
        let out = std::mem::take(&mut ledger.signed_out);
        (ledger.messages.clone(), ledger.accounts.clone(), out, ledger.moved.clone())
    };
    let path = format!("/api/v1/conversations/{conversation}/messages?limit=100");
    let there = listed(&cast.chidi, &path, "id").await;
    let unique: BTreeSet<String> = there.iter().cloned().collect();
    assert_eq!(unique.len(), there.len(), "kill {kill}: a message is there twice");
    assert!(messages.is_subset(&unique), "kill {kill}: lost {:?}", messages.difference(&unique));
    let there = listed(&cast.admin, "/api/v1/admin/users?limit=100", "username").await;
    let unique: BTreeSet<String> = there.iter().cloned().collect();
    assert!(
        unique.len() == there.len() && accounts.is_subset(&unique),
        "kill {kill}: {:?}",
        accounts.difference(&unique)
    );
    for token in signed_out {
        let answer = cast.chidi.http.get("/api/v1/users/me").bearer(&token).send().await;
        assert_eq!(answer.status, 401, "kill {kill}: who signed out is in again");
    }
    if !game.is_empty() {
        let now = cast.chidi.see(&format!("/api/v1/games/{game}")).await;
        assert!(now["seq"].as_u64().unwrap() >= seq, "kill {kill}: acknowledged {seq}, back at {}", now["seq"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_a_busy_box_is_killed() {
    // given: people who write, play, join and leave at once
    let folder = tempfile::tempdir().unwrap();
    let mut whotbox = Whotbox::start(folder.path(), &["--log-level", "info"]);
    let mut cast = gather(&whotbox).await;
    let made = cast.chidi.done("/api/v1/conversations", &json!({"participant_id": cast.owner.id})).await;
    let conversation = made["id"].as_str().unwrap().to_owned();
    let load = Arc::new(Load { ledger: Mutex::default(), acknowledged: AtomicUsize::new(0) });
    let mut random = Random::new(11);
    for kill in 0..kills() {
        if kill % 40 == 39 {
            // Access tokens end after a quarter of an hour.
            for person in [&mut cast.admin, &mut cast.owner, &mut cast.chidi, &mut cast.amaka] {
                *person = whotbox.sign_in(&person.username, &own_password(&person.username)).await;
            }
        }
        let mut busy = JoinSet::new();
        for person in [&cast.chidi, &cast.owner] {
            busy.spawn(chat(Arc::clone(&load), person.clone(), conversation.clone()));
        }
        busy.spawn(play(Arc::clone(&load), [cast.chidi.clone(), cast.amaka.clone()]));
        busy.spawn(join(Arc::clone(&load), cast.owner.clone(), kill));
        // when: the box dies some acknowledgements later
        let goal = load.acknowledged.load(Ordering::SeqCst) + 1 + random.below(40);
        // Passwords take long: every fifth time an account is waited for, so that the load is mixed on any machine.
        let joined = || load.ledger.lock().unwrap().accounts.len();
        let before = joined();
        let is_due = || load.acknowledged.load(Ordering::SeqCst) >= goal && (kill % 5 > 0 || joined() > before);
        while !is_due() && !busy.is_empty() {
            tokio::task::yield_now().await;
        }
        whotbox.kill();
        while let Some(ended) = busy.join_next().await {
            ended.unwrap();
        }
        whotbox = whotbox.kill_and_restart();
        for person in [&mut cast.admin, &mut cast.owner, &mut cast.chidi, &mut cast.amaka] {
            *person = person.at(&whotbox.http);
        }
        // then
        assert_nothing_is_lost(&cast, &conversation, &load, kill).await;
    }
    let ledger = load.ledger.lock().unwrap();
    let (messages, accounts, moves) = (ledger.messages.len(), ledger.accounts.len(), ledger.moves);
    let all = load.acknowledged.load(Ordering::SeqCst);
    println!(
        "{} kills, {all} acknowledged: {messages} messages, {accounts} accounts, {moves} moves; none lost",
        kills()
    );
    assert!(messages > 0 && moves > 0 && accounts > 0, "the load was not mixed");
}
