//! A box is lost, and made anew from central and the key on its owner's sheet; and central is lost, and filled again by the box.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
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

/// What is said to `whotbox` in a folder, so that it rebuilds the box that central has; `port` is where central is called.
pub(crate) fn words(folder: &Path, central: &Database, port: u16) -> Vec<String> {
    let url = central.admin_url_by(port);
    let (box_id, ca) = (central.sql("select box_id from replication.boxes"), central.ca_file().display().to_string());
    let key = folder.join("key").display().to_string();
    let words = ["sync", "rebuild", &box_id, "--admin-url", &url, "--upstream-ca", &ca, "--json"];
    words.into_iter().chain(["--recovery-key-file", &key]).map(str::to_owned).collect()
}

/// `whotbox sync rebuild` in a folder, of the box that central has.
pub(crate) fn rebuilding(folder: &Path, central: &Database, more: &[&str]) -> Output {
    let words = words(folder, central, central.port());
    command(folder, &words.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>())
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

/// A box that was in use and is lost, and what was known of it.
pub(crate) struct Lost {
    pub(crate) central: Database,
    key: String,
    table: Table,
    messages: String,
    held: String,
    standing: Value,
}

impl Lost {
    /// People in a match, others who have finished one, a chat that is held with so many words more, and a sheet that was printed; then
    /// the machine is lost.
    pub(crate) async fn new(words: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let central = Postgres::shared().database();
        let whotbox = Whotbox::start(folder.path(), &[]);
        linked(&whotbox, &central);
        let cast = gather(&whotbox).await;
        let key = key_of(&well(&whotbox.command(&["backup", "sheet"])));
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
        for word in 0..words {
            cast.owner.done(&messages, &json!({"body": format!("word {word}")})).await;
        }
        let made = cast.admin.done("/api/v1/admin/moderators", &json!({"username": "mod-one"})).await;
        let moderator = whotbox.sign_in("mod-one", made["temporary_password"].as_str().unwrap()).await;
        let held = format!("/api/v1/admin/moderation/conversations/{id}");
        moderator.done(&format!("{held}/legal-hold"), &json!({"reason": "the court has asked"})).await;
        let standing = standing(&cast.chidi).await;
        caught_up(&cast.admin).await;
        let keys = "select (select count(*) > 0 from replication.bucket_keys) and (select count(*) = 1 from replication.recovery_keys)";
        soon("the keys at central", async {
            while central.sql(keys) != "t" {
                tokio::task::yield_now().await
            }
        })
        .await;
        caught_up(&cast.admin).await;
        Self { central, key, table, messages, held, standing }
    }

    /// A new machine, to which the owner has brought the key of the sheet.
    pub(crate) fn machine(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), &self.key).unwrap();
        folder
    }

    /// The box in the folder is the lost one: people play on, what is held opens, and central holds the same.
    pub(crate) async fn comes_back(self, folder: &Path) {
        let whotbox = Whotbox::start(folder, &[]);
        assert!(!folder.join("data/before-upgrade").exists(), "nothing was upgraded, so nothing is copied");
        let (chidi, amaka) = (signed_in(&whotbox, "chidi").await, signed_in(&whotbox, "amaka").await);
        assert_eq!(standing(&chidi).await, self.standing);
        let seq = self.table.seq();
        let mut table = self.table.come_back([chidi.clone(), amaka]).await;
        assert_eq!(table.seq(), seq);
        table.step().await;
        // The held archive opens, and what was said is there for those who said it.
        vouched(&whotbox);
        let moderator = signed_in(&whotbox, "mod-one").await;
        assert!(!opened(&chidi, &self.messages).await["items"].as_array().unwrap().is_empty());
        let review = moderator.see(&format!("{}?reason=the+court+asks", self.held)).await;
        assert_eq!(review["messages"][0]["body"], "keep this for the court");
        // Central follows the new life, and holds the same.
        let admin = signed_in(&whotbox, "admin").await;
        caught_up(&admin).await;
        assert_eq!(whotbox.terminate(), Some(0));
        let (differ, rows) = differences(folder, &self.central);
        assert!(differ.is_empty() && rows > 20, "{differ:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_box_is_rebuilt_from_central_and_people_play_on() {
    // Given a lost box and two machines.
    let lost = Lost::new(0).await;
    let (second, third) = (lost.machine(), lost.machine());

    // When somebody is too fast.
    let early = rebuilding(second.path(), &lost.central, &[]);
    assert_eq!(early.status.code(), Some(1), "it may be running: {}", String::from_utf8_lossy(&early.stderr));
    let survey: Value =
        serde_json::from_str(&well(&rebuilding(second.path(), &lost.central, &["--adopt", "--dry-run"]))).unwrap();
    assert!(survey["rows"].as_i64().unwrap() > 20 && survey["chat_keys"].as_i64().unwrap() > 0, "{survey}");
    assert!(!second.path().join("data").exists(), "a dry run leaves nothing");

    // Then another machine becomes the box, however often that is cut off; the copy that was never used is fenced.
    let cuts = cut_again_and_again(third.path(), &lost.central).await;
    assert!(cuts > 5, "it was cut off {cuts} times");
    let said: Value = serde_json::from_str(&well(&rebuilding(second.path(), &lost.central, &["--adopt"]))).unwrap();
    assert_eq!((said["diverged"].as_u64(), said["set_aside"].as_array().map(Vec::len)), (Some(0), Some(0)), "{said}");
    assert_eq!(rebuilding(second.path(), &lost.central, &["--adopt"]).status.code(), Some(1), "it overwrites nothing");
    lost.comes_back(second.path()).await;
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
