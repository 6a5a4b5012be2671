//! A box is lost, and made anew from central and the key on its owner's sheet; and central is lost, and filled again by the box.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use serde_json::{Value, json};
use whotbox::base::entropy::OsEntropy;
use whotbox::base::recovery::RecoveryKey;
use whotbox::base::time::SystemClock;
use whotbox::upstream::rebuild::{Order, RebuildError, rebuild};

use replication::settings::Settings;

use crate::story::backup::{key_of, signed_in, well};
use crate::story::compare::differences;
use crate::story::evening::{caught_up, gather, linked};
use crate::story::match_play::Table;
use crate::support::postgres::{Database, Postgres};
use crate::support::soon;
use crate::support::whotbox::{Person, Whotbox, command};

/// What a box says of the players' standing.
async fn standing(person: &Person) -> Value {
    person.see("/api/v1/games/leaderboard?period=all").await
}

/// `whotbox sync rebuild` in a folder, of the box that central has.
pub(crate) fn rebuilding(folder: &Path, central: &Database, more: &[&str]) -> Output {
    let (url, ca) = (central.admin_url(), central.ca_file().display().to_string());
    let box_id = central.sql("select box_id from replication.boxes");
    let key = folder.join("key").display().to_string();
    let mut arguments = vec!["sync", "rebuild", &box_id, "--admin-url", &url, "--upstream-ca", &ca, "--json"];
    arguments.extend(["--recovery-key-file", &key]);
    arguments.extend(more);
    command(folder, &arguments)
}

/// Rebuilds in the folder and is cut off after each stretch of rows, until nothing is left to be cut; how often that was.
async fn cut_again_and_again(folder: &Path, central: &Database) -> usize {
    let operator =
        Settings::parse(&format!("{}?sslmode=verify-full", central.admin_url()), Some(&central.ca_file())).unwrap();
    let box_id = central.sql("select box_id from replication.boxes").parse().unwrap();
    let key = RecoveryKey::parse(&std::fs::read_to_string(folder.join("key")).unwrap()).unwrap();
    let (data, ca) = (folder.join("data"), central.ca_file());
    let order = Order { box_id, operator: &operator, ca: Some(&ca), key: &key, data_dir: &data, adopt: true };
    let (clock, entropy) = (Arc::new(SystemClock::new()) as _, Arc::new(OsEntropy) as _);
    for cuts in 0.. {
        // The first stretch goes well, the second is cut off behind its commit.
        let mut left = 2;
        let mut watch = |_rows: u64| {
            left -= 1;
            left > 0
        };
        match rebuild(&order, &clock, &entropy, &mut watch).await {
            Err(RebuildError::Stopped) => {}
            other => {
                assert_eq!(other.unwrap().compared.diverged, 0);
                return cuts;
            }
        }
    }
    unreachable!()
}

/// Somebody says that the clock is right.
fn vouched(whotbox: &Whotbox) {
    let clock: Value = serde_json::from_str(&well(&whotbox.command(&["clock", "status", "--json"]))).unwrap();
    let time = clock["now"].as_str().unwrap();
    well(&whotbox.command(&["clock", "confirm", "--time", time, "--reason", "the wall clock of the shop"]));
}

/// The messages, once they are open.
async fn opened(who: &Person, messages: &str) -> Value {
    let open = async {
        loop {
            let answer = who.get(messages).await;
            if answer.status == 200 {
                return answer.json();
            }
        }
    };
    soon("the messages' opening", open).await
}

// Long because one box is told of from its evening to its next life.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_box_is_rebuilt_from_central_and_people_play_on() {
    // Given people in a match, others who have finished one, a chat that is held, and a sheet that was printed.
    let (first, second, third) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let central = Postgres::shared().database();
    let whotbox = Whotbox::start(first.path(), &[]);
    linked(&whotbox, &central);
    let cast = gather(&whotbox).await;
    let sheet = well(&whotbox.command(&["backup", "sheet"]));
    for folder in [&second, &third] {
        std::fs::write(folder.path().join("key"), key_of(&sheet)).unwrap();
    }
    let mut over = Table::open(&cast.chidi, &cast.amaka, &json!({"match_target": 1, "turn_seconds": 0})).await;
    over.play_to_the_end().await;
    let mut table = Table::open(&cast.chidi, &cast.amaka, &json!({"match_target": 20, "turn_seconds": 0})).await;
    for _ in 0..5 {
        table.step().await;
    }
    let conversation = cast.owner.done("/api/v1/conversations", &json!({"participant_id": cast.chidi.id})).await;
    let id = conversation["id"].as_str().unwrap().to_owned();
    let messages = format!("/api/v1/conversations/{id}/messages");
    cast.owner.done(&messages, &json!({"body": "keep this for the court"})).await;
    let made = cast.admin.done("/api/v1/admin/moderators", &json!({"username": "mod-one"})).await;
    let moderator = whotbox.sign_in("mod-one", made["temporary_password"].as_str().unwrap()).await;
    let held = format!("/api/v1/admin/moderation/conversations/{id}");
    moderator.done(&format!("{held}/legal-hold"), &json!({"reason": "the court has asked"})).await;
    let (seq, before) = (table.seq(), standing(&cast.chidi).await);
    caught_up(&cast.admin).await;
    let keys = "select (select count(*) > 0 from replication.bucket_keys) and (select count(*) = 1 from replication.recovery_keys)";
    soon("the keys at central", async {
        while central.sql(keys) != "t" {
            tokio::task::yield_now().await
        }
    })
    .await;
    caught_up(&cast.admin).await;

    // When the machine is lost, and somebody is too fast.
    drop(whotbox);
    drop(first);
    let early = rebuilding(second.path(), &central, &[]);
    assert_eq!(early.status.code(), Some(1), "it may be running: {}", String::from_utf8_lossy(&early.stderr));
    let survey: Value =
        serde_json::from_str(&well(&rebuilding(second.path(), &central, &["--adopt", "--dry-run"]))).unwrap();
    assert!(survey["rows"].as_i64().unwrap() > 20 && survey["chat_keys"].as_i64().unwrap() > 0, "{survey}");
    assert!(!second.path().join("data").exists(), "a dry run leaves nothing");

    // Then another machine becomes the box, however often that is cut off.
    let cuts = cut_again_and_again(third.path(), &central).await;
    assert!(cuts > 5, "it was cut off {cuts} times");
    let said: Value = serde_json::from_str(&well(&rebuilding(second.path(), &central, &["--adopt"]))).unwrap();
    assert_eq!((said["diverged"].as_u64(), said["set_aside"].as_array().map(Vec::len)), (Some(0), Some(0)), "{said}");
    assert_eq!(rebuilding(second.path(), &central, &["--adopt"]).status.code(), Some(1), "it overwrites nothing");
    let whotbox = Whotbox::start(second.path(), &[]);
    assert!(!second.path().join("data/before-upgrade").exists(), "nothing was upgraded, so nothing is copied");
    let (chidi, amaka) = (signed_in(&whotbox, "chidi").await, signed_in(&whotbox, "amaka").await);
    assert_eq!(standing(&chidi).await, before);
    let mut table = table.come_back([chidi.clone(), amaka]).await;
    assert_eq!(table.seq(), seq);
    table.step().await;
    // The held archive opens, and what was said is there for those who said it.
    vouched(&whotbox);
    let moderator = signed_in(&whotbox, "mod-one").await;
    assert_eq!(opened(&chidi, &messages).await["items"][0]["body"], "keep this for the court");
    let review = moderator.see(&format!("{held}?reason=the+court+asks")).await;
    assert_eq!(review["messages"][0]["body"], "keep this for the court");
    // Central follows the new life, holds the same, and the copy that was cut off and never used is fenced.
    let admin = signed_in(&whotbox, "admin").await;
    caught_up(&admin).await;
    assert_eq!(whotbox.terminate(), Some(0));
    let (differ, rows) = differences(second.path(), &central);
    assert!(differ.is_empty() && rows > 20, "{differ:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_central_is_filled_again_by_the_box() {
    // Given a linked box whose central is gone for good, and an empty one in its place.
    let folder = tempfile::tempdir().unwrap();
    let (central, new) = (Postgres::shared().database(), Postgres::shared().database());
    let whotbox = Whotbox::start(folder.path(), &[]);
    linked(&whotbox, &central);
    let cast = gather(&whotbox).await;
    let mut table = Table::open(&cast.chidi, &cast.amaka, &json!({"match_target": 1, "turn_seconds": 0})).await;
    table.play_to_the_end().await;
    caught_up(&cast.admin).await;

    // When the box is enrolled there.
    linked(&whotbox, &new);

    // Then it gets everything.
    caught_up(&cast.admin).await;
    assert_eq!(whotbox.terminate(), Some(0));
    let (differ, rows) = differences(folder.path(), &new);
    assert!(differ.is_empty() && rows > 10, "{differ:#?}");
}
