//! An old copy of the store beside the present key file opens nothing that expired since, and what is held still opens.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use whotbox::chat::retention::{Conditions, run};
use whotbox::identity::users::Role;

use crate::identity::fixture::{Person, Whole};

/// Copies the files of a data folder, but for those named, which come from another.
fn copied(from: &Path, keys: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() && entry.file_name() != "chat.keys" {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    std::fs::copy(keys.join("chat.keys"), to.join("chat.keys")).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o700)).unwrap();
}

/// A conversation with one message.
async fn conversation(whole: &Whole, owner: &Person, customer: &Person, body: &str) -> String {
    let made = whole.post(owner, "/api/v1/conversations", &json!({"participant_id": customer.id})).await.json();
    let id = made["id"].as_str().unwrap().to_owned();
    let sent = whole.post(owner, &format!("/api/v1/conversations/{id}/messages"), &json!({"body": body})).await;
    assert_eq!(sent.status, 201, "{}", sent.text());
    id
}

async fn reviewed(whole: &Whole, id: &str) -> Value {
    let moderator = whole.sign_in("musa").await;
    let path = format!("/api/v1/admin/moderation/conversations/{id}?reason=an+old+copy+of+the+box");
    whole.get(&moderator, &path).await.json()["messages"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_store_and_the_present_keys_open_what_is_held_and_nothing_that_expired() {
    // Given one conversation that is held and one that is not, and a copy of the box.
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let whole = Whole::open(&at("box"), start_time()).await;
    let (ada, musa) = (whole.person(Role::Distributor, "ada").await, whole.person(Role::Moderator, "musa").await);
    let (chidi, amaka) = (whole.customer(&ada, "chidi").await, whole.customer(&ada, "amaka").await);
    let free = conversation(&whole, &ada, &chidi, "nobody keeps this").await;
    let held = conversation(&whole, &ada, &amaka, "a court keeps this").await;
    let hold = format!("/api/v1/admin/moderation/conversations/{held}/legal-hold");
    assert_eq!(whole.post(&musa, &hold, &json!({"reason": "court order 44/26"})).await.status, 200);
    whole.app.store.close();
    copied(&at("box"), &at("box"), &at("old"));

    // When the box goes on, and expiry has its day.
    let later = start_time().plus(Duration::from_secs(91 * 86_400));
    let whole = Whole::open(&at("box"), later).await;
    let report = run(&whole.app.chat, &whole.app.store, Conditions::default()).await.unwrap();
    assert_eq!((report.tally.expired, report.tally.held), (1, 1));
    whole.app.store.close();

    // Then the copy with today's keys opens nothing that expired, though with its own keys it would; what is held opens.
    copied(&at("old"), &at("box"), &at("mixed"));
    let mixed = Whole::open(&at("mixed"), later).await;
    let gone = reviewed(&mixed, &free).await;
    assert_eq!((&gone["body"], &gone["error"]), (&Value::Null, &json!("integrity")));
    let present = Whole::open(&at("box"), later).await;
    assert_eq!(reviewed(&present, &held).await["body"], "a court keeps this");
    let control = Whole::open(&at("old"), later).await;
    assert_eq!(reviewed(&control, &free).await["body"], "nobody keeps this", "the negative control");
}

fn start_time() -> whotbox::base::time::Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}
