//! An evidence archive, checked with the tools that its README names.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::chat::audit::{self, Code};
use crate::chat::testing::{why, world};
use crate::store::page::Page;

fn run(folder: &Path, program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).current_dir(folder).output().unwrap().status.success()
}

const VERIFY: [&str; 10] = [
    "pkeyutl",
    "-verify",
    "-pubin",
    "-inkey",
    "public-key.pem",
    "-rawin",
    "-in",
    "manifest.sha256",
    "-sigfile",
    "manifest.sha256.sig",
];

#[tokio::test]
async fn evidence_is_whole_signed_and_every_change_shows() {
    // Given a conversation with a message that has vanished, under hold.
    let w = world().await;
    let id = w.says(&w.ada, "bring am come").await;
    w.reads(&w.bola, id).await;
    w.holds().await.unwrap();

    // When it is exported and unpacked by tar.
    let archive = w.chat.export(&w.store, &w.mods, w.id, why(), Code::Legal).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("evidence.tar"), archive).unwrap();
    assert!(run(folder.path(), "tar", &["xf", "evidence.tar"]));

    // Then the text and the trail are in it, both checks pass, and an edit fails one of them.
    let read =
        |name: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.path().join(name)).unwrap()).unwrap() };
    assert_eq!(read("messages.json")[0]["body"], "bring am come");
    assert_eq!(read("conversation.json")["legal_hold"]["active"], true);
    assert_eq!(read("audits.json")[1]["action"], "export");
    assert!(run(folder.path(), "sha256sum", &["-c", "manifest.sha256"]));
    assert!(run(folder.path(), "openssl", &VERIFY));
    let edited = std::fs::read_to_string(folder.path().join("messages.json")).unwrap().replace("am", "nothing");
    std::fs::write(folder.path().join("messages.json"), edited).unwrap();
    assert!(!run(folder.path(), "sha256sum", &["-c", "manifest.sha256"]));
    let manifest = std::fs::read(folder.path().join("manifest.sha256")).unwrap();
    std::fs::write(folder.path().join("manifest.sha256"), [manifest, b"\n".to_vec()].concat()).unwrap();
    assert!(!run(folder.path(), "openssl", &VERIFY));
}

#[tokio::test]
async fn an_export_is_on_the_trail_and_counts_as_a_review() {
    let w = world().await;
    w.chat.export(&w.store, &w.mods, w.id, why(), Code::Legal).await.unwrap();
    let trail = audit::list(&w.store.read().unwrap(), Some(w.id), &Page::first(9)).unwrap();
    assert_eq!(trail.items[0].action, audit::Action::Export);
}
