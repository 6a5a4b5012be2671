//! An archive that is sealed to a key off the box, through the program: reviews, evidence, the console, a moderator's desk.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use whotbox::base::recovery::RecoveryKey;

use crate::chat::{Stage, stage_in};
use crate::support::whotbox::command;

/// A stage of a box that seals to a key, which lies in a folder elsewhere.
async fn sealing() -> (Stage, tempfile::TempDir, String) {
    let (folder, desk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = RecoveryKey::generate().unwrap();
    let public = key.public().unwrap().as_str().to_owned();
    std::fs::write(desk.path().join("key.txt"), format!("# public key: {public}\n{}\n", key.expose())).unwrap();
    std::fs::write(folder.path().join("whotbox.toml"), format!("archive_recipient = \"{public}\"\n")).unwrap();
    (stage_in(folder).await, desk, public)
}

/// Opens a file of messages at the desk, where no box is.
fn open(desk: &Path, file: &str, more: &[&str]) -> Output {
    command(desk, &[&["archive", "open", "--identity", "key.txt", file], more].concat())
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moderator_with_the_key_reads_what_the_box_cannot() {
    // Given two messages of which one is read, and a moderator's review.
    let (stage, desk, public) = sealing().await;
    let first = stage.says(&stage.cast.owner, "behind the \"market\"").await;
    stage.says(&stage.cast.chidi, "at dawn").await;
    assert_eq!(stage.sees(&stage.cast.chidi).await, ["behind the \"market\"", "at dawn"]);
    stage.cast.chidi.done(&format!("/api/v1/messages/{}/read", first["id"].as_str().unwrap()), &Value::Null).await;
    let moderator = stage.moderator().await;
    let one = format!("/api/v1/admin/moderation/conversations/{}", stage.id);
    let answer = moderator.get(&format!("{one}?reason=report+17+of+today")).await;
    // Then the answer has no text, and the desk reads it.
    assert!(!answer.text().contains("market") && !answer.text().contains("dawn"), "{}", answer.text());
    let review = answer.json();
    assert_eq!((&review["messages"][0]["body"], &review["messages"][0]["error"]), (&Value::Null, &Value::Null));
    std::fs::write(desk.path().join("review.json"), answer.text()).unwrap();
    let opened = open(desk.path(), "review.json", &["--json"]);
    let opened: Value = serde_json::from_slice(&opened.stdout).unwrap();
    assert_eq!([&opened[0]["body"], &opened[1]["body"]], [&json!("behind the \"market\""), &json!("at dawn")]);
    // Evidence has them sealed too, and the state says to which key.
    let tar = moderator.get(&format!("{one}/export?reason=report+17+of+today")).await;
    std::fs::write(desk.path().join("evidence.tar"), &tar.body).unwrap();
    let unpacked = std::process::Command::new("tar").args(["xf", "evidence.tar"]).current_dir(desk.path()).status();
    assert!(unpacked.unwrap().success());
    let (out, err) = said(&open(desk.path(), "messages.json", &[]));
    assert!(out.contains("behind the \"market\"") && out.contains("at dawn"), "{out}{err}");
    let status = stage.whotbox.command(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["expiry"]["archive_recipient"], json!(public));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_a_swapped_text_are_named_and_the_rest_is_opened() {
    let (stage, desk, _) = sealing().await;
    for text in ["one", "two", "three"] {
        stage.says(&stage.cast.owner, text).await;
    }
    let moderator = stage.moderator().await;
    let one = format!("/api/v1/admin/moderation/conversations/{}", stage.id);
    let mut review = moderator.see(&format!("{one}?reason=report+17+of+today")).await;
    let swapped = review["messages"][0]["sealed"].clone();
    review["messages"][1]["sealed"] = swapped;
    std::fs::write(desk.path().join("review.json"), review.to_string()).unwrap();
    let done = open(desk.path(), "review.json", &[]);
    let (out, err) = said(&done);
    assert!(
        out.contains("one") && out.contains("(it is the text of another message") && out.contains("three"),
        "{out}"
    );
    assert!(done.status.code() == Some(1) && err.contains("1 of 3 messages could not be opened"), "{err}");
    let other = RecoveryKey::generate().unwrap();
    std::fs::write(desk.path().join("key.txt"), other.expose()).unwrap();
    let (out, err) = said(&open(desk.path(), "review.json", &[]));
    assert!(out.contains("sealed to another recovery key") && err.contains("3 of 3"), "{out}{err}");
    for (name, text) in [("none.json", "no json"), ("key.txt", "age1qqq")] {
        std::fs::write(desk.path().join(name), text).unwrap();
        let done = open(desk.path(), "none.json", &[]);
        assert_eq!(done.status.code(), Some(2), "{name}: {}", said(&done).1);
    }
}
