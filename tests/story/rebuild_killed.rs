//! `kill -9` of `whotbox sync rebuild`: at named places, where a lock holds central until it is dead, and anywhere, where a proxy counts
//! central's bytes. The program itself knows nothing of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use whotbox::store::fault::Fault;
use whotbox::store::rebuild::{Rebuilding, progress};

use crate::owner::upgrading::{bare, master};
use crate::story::backup::well;
use crate::story::rebuild::{Lost, rebuilding, words};
use crate::support::postgres::{Database, Session};
use crate::support::proxy::Proxy;
use crate::support::soon;
use crate::support::whotbox::{PROGRAM, Whotbox, command};
use crate::whot::random::Random;

/// Kills at random in CI and under `tests/run --full`, and words of the chat that is rebuilt then.
fn at_random() -> (usize, usize) {
    if std::env::var_os("WHOTBOX_FULL").is_some() { (20, WORDS) } else { (4, 0) }
}

/// More than one stretch of rows.
const WORDS: usize = 520;

/// Where a rebuild is killed, in the order in which it gets there.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// It asks central to follow the new life.
    Enrolling,
    /// It reads the keys of sealed messages.
    Keys,
    /// It is about to read this table's rows.
    Rows(&'static str),
    /// Every row is here, and it was not noted that the box is whole.
    Last,
    /// That was noted, and both copies are being compared.
    Comparing,
}

/// A rebuild under way; it is killed with its value.
struct Running(Child);

impl Running {
    fn start(folder: &Path, central: &Database, port: u16) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(words(folder, central, port)).arg("--adopt").current_dir(folder);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Whether it has ended by itself.
    fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGKILL: nothing of it runs any more.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A lock on a table that nobody else can have for a while.
fn locking(table: &str) -> String {
    // Readers go on at the row of boxes; it is the writer that is held there.
    let mode = if table == "replication.boxes" { "share row exclusive" } else { "access exclusive" };
    format!("begin; lock table {table} in {mode} mode")
}

fn locked(central: &Database, table: &str) -> Session {
    let mut session = central.session(&central.admin_url());
    session.run(&locking(table));
    session
}

/// Asks for the lock of a table that the rebuild has read before: whoever asks next waits too.
async fn queued(central: &Database, table: &str) -> Session {
    let mut session = central.session(&central.admin_url());
    session.ask(&locking(table));
    waiting(central, table, 1).await;
    session
}

/// Waits until so many wait for a table.
async fn waiting(central: &Database, table: &str, many: u8) {
    let sql = format!(
        "select count(*) = {many} from pg_locks l join pg_database d on d.oid = l.database
          where d.datname = current_database() and not l.granted and l.relation = '{table}'::regclass"
    );
    soon("the rebuild's coming to its place", async {
        while central.sql(&sql) != "t" {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Rebuilds as far as the place, and kills it there.
async fn killed_at(place: Place, folder: &Path, central: &Database) {
    let gate = locked(central, if matches!(place, Place::Last | Place::Comparing) { DIRECTIVES } else { BOXES });
    let begun = Running::start(folder, central, central.port());
    let table = match place {
        Place::Enrolling => return waiting(central, BOXES, 1).await,
        Place::Last => return waiting(central, DIRECTIVES, 1).await,
        Place::Keys => "replication.bucket_keys",
        Place::Rows(table) => table,
        Place::Comparing => "identity.users",
    };
    waiting(central, if matches!(place, Place::Comparing) { DIRECTIVES } else { BOXES }, 1).await;
    let queue = queued(central, table).await;
    drop(gate);
    waiting(central, table, 2).await;
    drop(begun);
    drop(queue);
}

const BOXES: &str = "replication.boxes";
/// The last that is read before the box is noted to be whole.
const DIRECTIVES: &str = "replication.directives";

/// What a killed rebuild has noted; nothing where there is no store or nothing is missing any more.
fn noted(folder: &Path) -> Option<Rebuilding> {
    let data = folder.join("data");
    let file = data.join("box.redb");
    if !file.exists() {
        return None;
    }
    let store = bare(&file, &master(&data));
    let noted = progress(&store.read().unwrap()).unwrap();
    store.close();
    noted
}

/// Nobody takes what is there for a box.
fn is_no_box(folder: &Path) {
    // What an earlier start said is not this one's.
    drop(std::fs::remove_file(folder.join("log")));
    let refused = Whotbox::try_start(&[], folder, &[]).map(|_served| ()).unwrap_err();
    assert!(refused.contains("was cut off"), "{refused}");
    for question in [["status", "--json"], ["doctor", "--json"]] {
        let answer = command(folder, &question);
        assert!(!answer.status.success(), "{question:?}: {}", String::from_utf8_lossy(&answer.stdout));
    }
}

/// Ends the rebuild; what it says.
fn ended(folder: &Path, lost: &Lost) -> Value {
    let said: Value = serde_json::from_str(&well(&rebuilding(folder, &lost.central, &["--adopt"]))).unwrap();
    assert_eq!((said["diverged"].as_u64(), said["set_aside"].as_array().map(Vec::len)), (Some(0), Some(0)), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_killed_goes_on_where_it_was() {
    // Given a lost box and a new machine.
    let lost = Lost::new(WORDS).await;
    let machine = lost.machine();
    let folder = machine.path();

    // When its rebuild is killed at one place after the other, each time as far as it has come, then nobody takes it for a box, and
    // what was noted says that it was there.
    let mut rows = 0;
    let places = [
        Place::Enrolling,
        Place::Keys,
        Place::Rows("identity.refresh_tokens"),
        Place::Rows("game.sessions"),
        Place::Rows("chat.messages"),
        Place::Last,
        Place::Comparing,
    ];
    for place in places {
        killed_at(place, folder, &lost.central).await;
        is_no_box(folder);
        let noted = noted(folder);
        match place {
            Place::Enrolling | Place::Keys | Place::Comparing => assert_eq!(noted, None, "{place:?}"),
            Place::Rows(_) | Place::Last => {
                let now = noted.unwrap().rows;
                assert!(now > rows, "{place:?}: {now} rows after {rows}");
                rows = now;
            }
        }
    }
    assert!(rows > WORDS as u64, "{rows}");

    // Then it ends as if nothing had been: the same people, the same match, the held archive, at central the same.
    assert!(ended(folder, &lost)["compared_rows"].as_u64().unwrap() >= rows);
    lost.comes_back(folder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_may_be_killed_anywhere() {
    // Given how much central says in a whole rebuild.
    let (kills, words) = at_random();
    let lost = Lost::new(words).await;
    let proxy = Proxy::to(lost.central.port()).await;
    let whole = lost.machine();
    let mut running = Running::start(whole.path(), &lost.central, proxy.port);
    soon("a whole rebuild", async {
        while !running.is_over() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let said = proxy.passed();
    assert!(said > 20_000, "{said}");

    // When it is killed again and again while that is said; one that comes to its end begins anew elsewhere.
    let mut random = Random::new(6);
    let (mut machine, mut killed, mut whole) = (lost.machine(), 0, 0);
    while killed < kills {
        proxy.allow(random.below(said));
        let mut running = Running::start(machine.path(), &lost.central, proxy.port);
        let over = async {
            while !running.is_over() {
                tokio::task::yield_now().await;
            }
        };
        let ended = soon("the place or the end", async {
            tokio::select! { () = proxy.held() => false, () = over => true }
        })
        .await;
        drop(running);
        if ended {
            whole += 1;
            assert!(!machine.path().join("data/restore.unfinished").exists(), "it ended without being whole");
            machine = lost.machine();
        } else {
            killed += 1;
            if machine.path().join("data").exists() {
                is_no_box(machine.path());
            }
        }
    }
    println!("{killed} kills, {whole} rebuilds came to their end between them, {said} bytes each");

    // Then the last one is as good as any.
    ended(machine.path(), &lost);
    lost.comes_back(machine.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_is_ahead_of_the_rows_does_not_pass() {
    // Given a killed rebuild whose note says more than is there.
    let lost = Lost::new(0).await;
    let machine = lost.machine();
    let data = machine.path().join("data");
    killed_at(Place::Rows("game.sessions"), machine.path(), &lost.central).await;
    let store = bare(&data.join("box.redb"), &master(&data));
    let ahead = Rebuilding { table: u16::MAX, ..progress(&store.read().unwrap()).unwrap().unwrap() };
    store.write_blocking(move |tx, _| tx.put(&ahead)).map_err(|fault: Fault| fault).unwrap();
    store.close();

    // When it goes on, then the comparison with central names what is missing.
    let answer = rebuilding(machine.path(), &lost.central, &["--adopt"]);
    let said: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answer.status.code(), Some(1), "{said}");
    assert!(said["diverged"].as_u64().unwrap() > 0, "{said}");
}
