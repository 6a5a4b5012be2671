//! A fresh box that becomes the one of a backup, from the first page of its setup.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use whotbox::backup::incoming;
use whotbox::base::time::Clock as _;
use whotbox::identity::users::Role;
use whotbox::live::power::Ending;

use crate::identity::fixture::{Person, Whole, start};

const ROOT: &str = "/api/v1/box/restore";
/// Bytes of a piece: its base64 fits into a body.
const PIECE: usize = 30_000;

/// A backup of a box with a distributor, as it is carried to another machine, and what its sheet says.
struct Carried {
    bytes: Vec<u8>,
    key: String,
    signature: String,
}

async fn carried(from: &Whole) -> Carried {
    let admin = from.person(Role::Admin, "root").await;
    from.account(Role::Distributor, "ada").await;
    let sheet = from.post(&admin, "/api/v1/admin/backups/recovery-key", &json!({})).await.json();
    let made = from.post(&admin, "/api/v1/admin/backups", &json!({})).await.json();
    let name = made["name"].as_str().unwrap();
    let bytes = from.get(&admin, &format!("/api/v1/admin/backups/{name}")).await.body.to_vec();
    let text = |name: &str| sheet[name].as_str().unwrap().to_owned();
    Carried { bytes, key: text("recovery_key"), signature: text("signature") }
}

/// Sends a file in pieces.
async fn send(whole: &Whole, admin: &Person, bytes: &[u8]) {
    for (number, piece) in bytes.chunks(PIECE).enumerate() {
        let body = json!({"offset": number * PIECE, "data": STANDARD.encode(piece)});
        let taken = whole.post(admin, &format!("{ROOT}/pieces"), &body).await;
        assert_eq!(taken.json()["received"], json!(number * PIECE + piece.len()), "{}", taken.text());
    }
}

fn data_dir(whole: &Whole) -> PathBuf {
    whole.app.config.data_dir.clone()
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_box_becomes_the_one_of_a_backup() {
    // Given a backup on a stick, and a fresh box.
    let carried = carried(&start().await).await;
    let fresh = start().await;
    let admin = fresh.person(Role::Admin, "newcomer").await;
    let state = fresh.get(&admin, ROOT).await.json();
    assert_eq!((&state["possible"], &state["state"], &state["received"]), (&json!(true), &json!("idle"), &json!(0)));
    // When the file is sent, also after a piece got lost.
    send(&fresh, &admin, &carried.bytes).await;
    let lost = json!({"offset": carried.bytes.len() + 7, "data": ""});
    let said = fresh.post(&admin, &format!("{ROOT}/pieces"), &lost).await.json();
    assert_eq!(said["received"], json!(carried.bytes.len()));
    // Then it is looked at before it is restored, and another box's sheet, another key and a changed file are refused.
    let wanted = |key: &str, signature: Option<&str>| json!({"recovery_key": key, "signature": signature});
    let look = format!("{ROOT}/look");
    let seen = fresh.post(&admin, &look, &wanted(&carried.key.to_lowercase(), Some(&carried.signature))).await.json();
    assert_eq!((&seen["signature"], &seen["elsewhere"]), (&json!(carried.signature), &json!(false)), "{seen}");
    let other = whotbox::base::recovery::RecoveryKey::generate().unwrap();
    for (body, status) in [
        (wanted("not a key", None), 422),
        (wanted(other.expose(), None), 409),
        (wanted(&carried.key, Some("0000-0000")), 409),
    ] {
        assert_eq!(fresh.post(&admin, &look, &body).await.status, status, "{body}");
        assert_eq!(fresh.post(&admin, ROOT, &body).await.status, status, "{body}");
    }
    // And once it is restored, the box ends and comes back as the other one.
    let begun = fresh.post(&admin, ROOT, &wanted(&carried.key, None)).await;
    assert_eq!(begun.status, 202, "{}", begun.text());
    assert_eq!(fresh.app.power.asked().await, Ending::Restart);
    assert_eq!(fresh.get(&admin, ROOT).await.json()["state"], json!("done"));
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    copy(&data_dir(&fresh), place.path());
    assert!(incoming::move_in(place.path()).unwrap());
    assert!(!place.path().join("restore").exists());
    let restored = Whole::open(place.path(), fresh.clock.now()).await;
    restored.sign_in("ada").await;
    assert_eq!(restored.login("newcomer", crate::identity::fixture::PASSWORD).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_changes_nothing_and_a_box_with_people_is_never_replaced() {
    let mut carried = carried(&start().await).await;
    let fresh = start().await;
    let admin = fresh.person(Role::Admin, "newcomer").await;
    // Given a file whose last bytes did not arrive.
    carried.bytes.truncate(carried.bytes.len() - 40);
    send(&fresh, &admin, &carried.bytes).await;
    let body = json!({"recovery_key": carried.key});
    // When it is to be restored, the box refuses and stays what it is.
    assert_eq!(fresh.post(&admin, ROOT, &body).await.status, 409);
    let state = fresh.get(&admin, ROOT).await.json();
    assert_eq!((&state["state"], &state["possible"]), (&json!("idle"), &json!(true)), "{state}");
    assert!(!incoming::move_in(&data_dir(&fresh)).unwrap());
    // And as soon as somebody is on it, it becomes no other box.
    fresh.account(Role::Distributor, "bola").await;
    assert_eq!(fresh.get(&admin, ROOT).await.json()["possible"], json!(false));
    for path in [ROOT.to_owned(), format!("{ROOT}/look"), format!("{ROOT}/pieces")] {
        assert_eq!(fresh.post(&admin, &path, &body).await.status, 409, "{path}");
    }
}
