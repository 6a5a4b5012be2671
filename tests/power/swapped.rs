//! A data folder that somebody put together: its key files are another box's, damaged, gone, or of another day. A box
//! that cannot use a file says which, changes nothing, and starts once the right one is back.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::story::evening::{Cast, gather};
use crate::support::whotbox::{Person, Whotbox};

const QUIET: &[&str] = &["--log-level", "warn"];

/// A box on which somebody has written something.
async fn written(folder: &Path) -> (Whotbox, Cast, String) {
    let whotbox = Whotbox::start(folder, QUIET);
    let cast = gather(&whotbox).await;
    let path = says(&cast.chidi, &cast.owner, "stock don land").await;
    (whotbox, cast, path)
}

/// Writes a message; where the conversation's messages are.
async fn says(from: &Person, to: &Person, body: &str) -> String {
    let made = from.done("/api/v1/conversations", &json!({"participant_id": to.id})).await;
    let path = format!("/api/v1/conversations/{}/messages", made["id"].as_str().unwrap());
    from.done(&path, &json!({ "body": body })).await;
    path
}

/// What a data folder holds, but for the room that is kept.
fn held(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(data).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file());
    let named = files.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    named.filter(|(name, _)| name != "box.reserve").map(|(name, path)| (name, std::fs::read(path).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_with_another_boxs_key_file_names_it_and_changes_nothing() {
    // Given two boxes that have stopped.
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, cast, path) = written(own.path()).await;
    let (second, ..) = written(other.path()).await;
    assert_eq!((first.terminate(), second.terminate()), (Some(0), Some(0)));
    let data = own.path().join("data");
    let whole = held(&data);
    let mut bent = whole["chat.keys"].clone();
    bent[40] ^= 1;
    let strange = |name: &str| std::fs::read(other.path().join("data").join(name)).ok();
    let half = whole["chat.keys"][..whole["chat.keys"].len() / 2].to_vec();
    // When a key file is another's, damaged, cut, or gone,
    for (name, bytes) in [
        ("chat.keys", strange("chat.keys")),
        ("chat.keys", Some(bent)),
        ("chat.keys", Some(half)),
        ("chat.keys", None),
        ("master.key", strange("master.key")),
    ] {
        let file = data.join(name);
        match &bytes {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let before = held(&data);
        std::fs::write(own.path().join("log"), "").unwrap();
        // Then the box does not start, and says which file it is.
        let Err(said) = Whotbox::try_start(&[], own.path(), QUIET) else { panic!("it starts with a wrong {name}") };
        assert!(said.contains(name), "{said}");
        // Of the store only what says that it was opened may differ.
        let (mut after, mut before) = (held(&data), before);
        assert_eq!(after.remove("box.redb").is_some(), before.remove("box.redb").is_some());
        assert_eq!(after, before);
        std::fs::write(&file, &whole[name]).unwrap();
    }
    // And with its own files it is the box that it was.
    let again = Whotbox::start(own.path(), QUIET);
    let seen = cast.chidi.at(&again.http).see(&path).await;
    assert_eq!(seen["items"][0]["body"], "stock don land");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_file_of_an_earlier_day_what_it_opens_is_read_and_the_rest_is_called_damaged() {
    // Given a key file from before a conversation began.
    let folder = tempfile::tempdir().unwrap();
    let (mut whotbox, cast, path) = written(folder.path()).await;
    let file = folder.path().join("data/chat.keys");
    let earlier = std::fs::read(&file).unwrap();
    let later = says(&cast.amaka, &cast.owner, "I dey come").await;
    whotbox.kill();
    // When it is put back,
    std::fs::write(&file, earlier).unwrap();
    let whotbox = whotbox.kill_and_restart();
    // Then nothing is read wrongly, and what has no key says so.
    let seen = |person: &Person, path: String| {
        let person = person.at(&whotbox.http);
        async move { person.see(&path).await["items"][0].clone() }
    };
    assert_eq!(seen(&cast.chidi, path).await["body"], "stock don land");
    let lost = seen(&cast.amaka, later).await;
    assert_eq!((&lost["body"], &lost["error"]), (&Value::Null, &json!("integrity")));
}
