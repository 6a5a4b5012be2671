//! Moving out: what came in goes out again in the same fields, and no text lies on the disk.

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::Value;
use whotbox::base::digest::Key;
use whotbox::base::fernet;
use whotbox::base::secret::Secret;

use crate::moving::sources::Sources;
use crate::story::secrecy::search;
use crate::support::whotbox::{PROGRAM, Whotbox};

fn export(folder: &Path, to: &str, format: &str) -> Output {
    Command::new(PROGRAM)
        .args(["export", to, "--format", format, "--chat-key-file", "owner.key", "--reason", "the owner moves on"])
        .current_dir(folder)
        .output()
        .unwrap()
}

fn lines(folder: &Path, table: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(format!("{table}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moved_in_moves_out_again_sealed_under_the_owners_key() {
    // Given a box with imported data, and a key of the owner's.
    let sources = Sources::make("integers", 300);
    let folder = tempfile::tempdir().unwrap();
    sources.import(folder.path());
    std::fs::write(folder.path().join("owner.key"), URL_SAFE.encode([7; 32])).unwrap();
    let key: Key = Secret::new([7; 32]);
    // When the stopped box gives out JSON Lines, and the running one CSV.
    let done = export(folder.path(), "lines", "jsonl");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let whotbox = Whotbox::start(folder.path(), &[]);
    assert!(export(folder.path(), "table", "csv").status.success());
    // Then ids, names and hashes are what they were, and each text opens under the key.
    let out = folder.path().join("lines");
    let users = lines(&out, "identity.users");
    let cust0 = users.iter().find(|user| user["username"] == "cust0").unwrap();
    assert_eq!((&cust0["id"], &cust0["phone"]), (&"100".into(), &"+2348012300100".into()));
    assert!(cust0["password_hash"].as_str().unwrap().starts_with("$2b$"));
    let messages = lines(&out, "chat.messages");
    for (id, told) in sources.truth["texts"].as_object().unwrap() {
        let found = messages.iter().find(|message| message["id"] == **id).unwrap();
        let opened = fernet::open(&key, found["ciphertext"].as_str().unwrap()).unwrap();
        assert_eq!(opened.as_slice(), told[1].as_str().unwrap().as_bytes());
    }
    let csv = std::fs::read_to_string(folder.path().join("table/chat.messages.csv")).unwrap();
    assert_eq!(csv.lines().count(), messages.len() + 1);
    // And it is on the audit trail, a folder with files in it is refused, and no text is in any file.
    let audits = lines(&out, "chat.audits");
    assert!(
        audits.iter().any(|audit| audit["action"] == "export" && audit["moderator_id"] == "console"),
        "{audits:#?}"
    );
    assert_eq!(export(folder.path(), "table", "csv").status.code(), Some(2));
    drop(whotbox);
    assert_eq!(search(folder.path(), &["harmattan message 1 from", "harmattan under hold"]), Vec::<String>::new());
}
