//! A disk that fails once, at each call of an evening: through the real routes, whoever was answered with success finds it,
//! whoever was not tries again with the same key, and both find it once.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use whotbox::identity::users::Role;

use crate::identity::fixture::Whole;
use crate::store::disk::{Broken, Disk};
use crate::store::lab::full;
use crate::support::http::{Answer, Http};
use crate::support::whotbox::{Person, own_password};

/// Tries of one request. The store opens again by itself; one failure costs two at most.
const TRIES: usize = 5;

/// Moves of the evening.
const MOVES: u64 = 4;

/// A box whose people are gathered, as a folder of keys and an image of its store.
struct Stage {
    folder: tempfile::TempDir,
    image: Vec<u8>,
    people: [Person; 4],
    conversation: String,
    game: String,
}

async fn signed_in(whole: &Whole, role: Role, name: &str) -> Person {
    whole.account_with(role, name, &own_password(name)).await;
    let credentials = json!({"username": name, "password": own_password(name)});
    Person::of(&whole.http, &whole.http.post("/api/v1/auth/login").json(&credentials).send().await.json())
}

async fn redeem(http: &Http, owner: &Person, name: &str) -> Person {
    let invite = owner.done("/api/v1/invites", &json!({})).await;
    let path = format!("/api/v1/invites/{}/redeem", invite["token"].as_str().unwrap());
    let answer = http.post(&path).json(&json!({"username": name, "password": own_password(name)})).send().await;
    Person::of(http, &answer.json())
}

async fn stage() -> Stage {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::formatted());
    let whole = Whole::on(folder.path(), Arc::new(disk.clone())).await;
    let judge = signed_in(&whole, Role::Moderator, "judge").await;
    let ada = signed_in(&whole, Role::Distributor, "ada").await;
    let (chidi, amaka) = (redeem(&whole.http, &ada, "chidi").await, redeem(&whole.http, &ada, "amaka").await);
    let conversation = chidi.done("/api/v1/conversations", &json!({"participant_id": ada.id})).await;
    let conversation = conversation["id"].as_str().unwrap().to_owned();
    // With the first message the conversation gets its keys.
    chidi.done(&format!("/api/v1/conversations/{conversation}/messages"), &json!({"body": "good evening"})).await;
    let invite = json!({"recipient_username": "amaka", "preset": "quick", "options": {"turn_seconds": 0}});
    let invite = chidi.done("/api/v1/games/invites", &invite).await;
    let accepted = format!("/api/v1/games/invites/{}/accept", invite["id"].as_str().unwrap());
    let game = amaka.done(&accepted, &Value::Null).await["game_id"].as_str().unwrap().to_owned();
    whole.app.store.close();
    Stage { folder, image: disk.bytes(), people: [judge, ada, chidi, amaka], conversation, game }
}

/// A copy of the box with a disk of its own.
async fn copy(stage: &Stage, bytes: Vec<u8>) -> (tempfile::TempDir, Disk, Whole, [Person; 4]) {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::holding(bytes));
    copy_keys(stage.folder.path(), folder.path());
    let whole = Whole::on(folder.path(), Arc::new(disk.clone())).await;
    let people = stage.people.clone().map(|person| person.at(&whole.http));
    (folder, disk, whole, people)
}

fn copy_keys(from: &Path, to: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(to.join("data")).unwrap();
    for entry in fs::read_dir(from.join("data")).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), to.join("data").join(entry.file_name())).unwrap();
    }
}

/// A request under one key until it is done; every refusal on the way is one of a store that cannot write now.
async fn insist(person: &Person, path: &str, body: &Value, key: &str) -> Answer {
    for _ in 0..TRIES {
        let call = person.http.post(path).bearer(&person.token).idempotency_key(key);
        let answer = if body.is_null() { call.send().await } else { call.json(body).send().await };
        if answer.status < 300 {
            return answer;
        }
        assert_eq!(answer.refusal(), (503, "unavailable".to_owned()), "{path}");
    }
    panic!("{path} is refused for ever");
}

/// The evening: messages, receipts, moves, a hold, a sign-out.
async fn evening(stage: &Stage, people: &[Person; 4]) {
    let [judge, ada, chidi, amaka] = people;
    let messages = format!("/api/v1/conversations/{}/messages", stage.conversation);
    for number in 0..4 {
        let body = json!({"body": format!("{number} {}", "stock ".repeat(500))});
        insist(chidi, &messages, &body, &format!("message-{number}")).await;
    }
    let game = format!("/api/v1/games/{}", stage.game);
    for number in 0..MOVES {
        let mut seen = chidi.get(&game).await;
        for _ in 0..TRIES {
            seen = if seen.status == 503 { chidi.get(&game).await } else { seen };
        }
        let seen = seen.json();
        let seat = if seen["seat"] == seen["turn"] { chidi } else { amaka };
        let legal = if seat.id == chidi.id { seen } else { amaka.see(&game).await };
        insist(seat, &format!("{game}/play"), &legal["legal"][0], &format!("move-{number}")).await;
    }
    let hold = format!("/api/v1/admin/moderation/conversations/{}/legal-hold", stage.conversation);
    insist(judge, &hold, &json!({"reason": "court order 44/26"}), "hold").await;
    insist(ada, "/api/v1/auth/logout", &Value::Null, "logout").await;
}

/// All of it is there, once.
async fn assert_all_is_there(stage: &Stage, people: &[Person; 4], call: u32) {
    let [judge, ada, chidi, _] = people;
    let messages = chidi.see(&format!("/api/v1/conversations/{}/messages", stage.conversation)).await;
    assert_eq!(messages["items"].as_array().unwrap().len(), 5, "call {call}");
    assert_eq!(chidi.see(&format!("/api/v1/games/{}", stage.game)).await["seq"], MOVES, "call {call}");
    let held = judge.see("/api/v1/admin/moderation/conversations").await;
    assert_eq!(held["items"][0]["legal_hold"]["active"], true, "call {call}: {held}");
    assert_eq!(ada.get("/api/v1/users/me").await.status, 401, "call {call}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_of_an_evening_can_fail_and_nothing_is_lost_or_done_twice() {
    // given: how many calls an evening makes
    let stage = stage().await;
    let (_folder, disk, whole, people) = copy(&stage, stage.image.clone()).await;
    let before = disk.events();
    evening(&stage, &people).await;
    assert_all_is_there(&stage, &people, u32::MAX).await;
    assert!(whole.app.store.figures().checkpoints > 0, "the evening should meet a checkpoint");
    let calls = u32::try_from(disk.events() - before).unwrap();
    // In CI each seventh, which meets writes and syncs of commits and of checkpoints; under `tests/run --full` every one.
    let sample = (0..calls).step_by(if full() { 1 } else { 7 });
    let (mut failed, mut tried) = (0, 0);
    for call in sample {
        tried += 1;
        // when: one of them fails
        let (folder, disk, whole, people) = copy(&stage, stage.image.clone()).await;
        disk.fail(Broken::Either, ErrorKind::Other, call);
        evening(&stage, &people).await;
        failed += whole.app.store.figures().failures;
        // then: all is there, and on the disk too
        assert_all_is_there(&stage, &people, call).await;
        let left = disk.bytes();
        drop((whole, folder));
        let (_folder, _, _whole, people) = copy(&stage, left).await;
        assert_all_is_there(&stage, &people, call).await;
    }
    println!("{tried} of {calls} calls, {failed} failures that the store met");
    assert!(tried <= failed + 8, "of {tried} failures {failed} were met");
}
