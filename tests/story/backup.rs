//! A busy box is backed up, its machine is lost, and people play on at another: by the commands of the operator's book.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::story::evening::gather;
use crate::story::match_play::Table;
use crate::support::soon;
use crate::support::whotbox::{Person, Whotbox, command, own_password};

#[track_caller]
pub(crate) fn well(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The key as somebody would copy it off the sheet.
pub(crate) fn key_of(sheet: &str) -> String {
    let from = sheet.lines().skip_while(|line| !line.starts_with("Recovery key"));
    from.skip(1).take_while(|line| !line.starts_with("Signature")).collect::<Vec<_>>().join("\n")
}

/// Sends messages until it is told to stop; what was acknowledged.
async fn chatter(who: Person, path: String, stop: tokio::sync::watch::Receiver<bool>) -> usize {
    let mut sent = 0;
    while !*stop.borrow() {
        who.done(&path, &json!({"body": format!("word {sent}")})).await;
        sent += 1;
    }
    sent
}

pub(crate) async fn signed_in(at: &Whotbox, name: &str) -> Person {
    at.sign_in(name, &own_password(name)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_play_on_at_another_machine() {
    // Given people at a long match and in a chat that goes on all the while.
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whotbox = Whotbox::start(first.path(), &[]);
    let cast = gather(&whotbox).await;
    let conversation = cast.owner.done("/api/v1/conversations", &json!({"participant_id": cast.chidi.id})).await;
    let messages = format!("/api/v1/conversations/{}/messages", conversation["id"].as_str().unwrap());
    let mut table = Table::open(&cast.chidi, &cast.amaka, &json!({"match_target": 20, "turn_seconds": 0})).await;
    for _ in 0..5 {
        table.step().await;
    }
    cast.owner.done(&messages, &json!({"body": "before the backup"})).await;
    let seq = table.seq();
    // When the owner prints the sheet and makes a backup, and the machine is lost.
    std::fs::write(second.path().join("key"), key_of(&well(&whotbox.command(&["backup", "sheet"])))).unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let busy = tokio::spawn(chatter(cast.owner.clone(), messages.clone(), stopped));
    let made = whotbox.command(&["backup", "create", "--json"]);
    stop.send(true).unwrap();
    let sent = busy.await.unwrap();
    assert!(sent > 0, "nobody was busy");
    let made: Value = serde_json::from_str(&well(&made)).unwrap();
    let file = second.path().join("stick.age");
    std::fs::rename(first.path().join(made["file"].as_str().unwrap()), &file).unwrap();
    drop(whotbox);
    drop(first);
    // Then another machine becomes the box.
    let whotbox = restored(second.path());
    let (chidi, amaka) = (signed_in(&whotbox, "chidi").await, signed_in(&whotbox, "amaka").await);
    let mut table = table.come_back([chidi.clone(), amaka]).await;
    assert_eq!(table.seq(), seq);
    table.step().await;
    // Messages open once somebody vouches for the clock, and what was acknowledged before is among them.
    let clock: Value = serde_json::from_str(&well(&whotbox.command(&["clock", "status", "--json"]))).unwrap();
    let time = clock["now"].as_str().unwrap();
    well(&whotbox.command(&["clock", "confirm", "--time", time, "--reason", "the wall clock of the shop"]));
    let open = async {
        loop {
            let answer = chidi.get(&messages).await;
            if answer.status == 200 {
                return answer.json();
            }
        }
    };
    let seen = soon("the messages' opening", open).await;
    assert_eq!(seen["items"][0]["body"], "before the backup");
    chidi.done(&messages, &json!({"body": "and we go on"})).await;
}

fn restored(folder: &Path) -> Whotbox {
    let arguments = ["backup", "restore", "stick.age", "--recovery-key-file", "key", "--adopt"];
    let said = well(&command(folder, &arguments));
    assert!(said.contains("1 open match"), "{said}");
    let again = command(folder, &arguments);
    assert_eq!(again.status.code(), Some(1), "a second restore overwrites nothing");
    Whotbox::start(folder, &[])
}
