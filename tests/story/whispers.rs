//! A thousand messages, kills and a panic: their text is in no file, log, dump nor on the wire to central, in no
//! spelling; and whatever is planted there is found.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use whotbox::app::{App, Parts};
use whotbox::base::entropy::OsEntropy;
use whotbox::base::recovery::{self, RecoveryKey};
use whotbox::base::time::SystemClock;
use whotbox::chat::body::Body;
use whotbox::config::Given;
use whotbox::config::secrets::OldVariables;

use crate::story::backup::key_of;
use crate::story::evening::{caught_up, gather, linked};
use crate::story::secrecy::search;
use crate::support::postgres::{Database, Postgres};
use crate::support::whotbox::{Person, Whotbox};

/// What every message says, besides its number.
const SECRET: &str = "the yellow bus waits behind the church";
/// Messages in CI, and under `tests/run --full`.
fn messages() -> usize {
    if std::env::var_os("WHOTBOX_FULL").is_some() { 1000 } else { 200 }
}

/// Passes bytes between a box and central and keeps them.
struct Wire {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (own, heard) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<u8>>>::default());
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    let kept = Arc::clone(&kept);
                    std::thread::spawn(move || {
                        let mut buffer = vec![0; 65_536];
                        while let Ok(read @ 1..) = from.read(&mut buffer) {
                            kept.lock().unwrap().extend_from_slice(&buffer[..read]);
                            if to.write_all(&buffer[..read]).is_err() {
                                break;
                            }
                        }
                        drop(to.shutdown(std::net::Shutdown::Both));
                    });
                }
            }
        });
        Self { port: own, heard }
    }

    /// Writes down what has passed so far.
    fn record(&self, to: &Path) -> usize {
        let heard = self.heard.lock().unwrap();
        std::fs::write(to, &*heard).unwrap();
        heard.len()
    }
}

/// Makes the box speak to central over the wire and without TLS, so that what passes can be read.
fn tapped(folder: &Path, central: &Database, wire: &Wire) {
    let file = folder.join("data/upstream.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let direct = format!(":{}/{}", central.port(), central.name);
    let (tapped, and) = (format!(":{}/{}", wire.port, central.name), if text.contains('?') { "&" } else { "?" });
    assert!(text.contains(&direct), "{}", text.len());
    let text = text.replace(&direct, &tapped);
    let end = text.find(&tapped).unwrap() + tapped.len();
    let end = end + text[end..].find('"').unwrap();
    std::fs::write(&file, format!("{}{and}sslmode=disable{}", &text[..end], &text[end..])).unwrap();
}

/// Both talk in turns; every second message is read, so that it vanishes.
async fn whisper(owner: &Person, customer: &Person, path: &str, from: usize, to: usize) {
    let mut sockets = [owner.socket(&format!("{path}/ws")).await, customer.socket(&format!("{path}/ws")).await];
    for number in from..to {
        let (speaker, hearer) = (number % 2, 1 - number % 2);
        let body = format!("{}{SECRET} {number}", " .".repeat(number % 3));
        sockets[speaker].send(&json!({"type": "send", "ref": number, "body": body})).await;
        // All sockets get every message, the speaker's own among them.
        sockets[speaker].next_of("message").await;
        let heard = sockets[hearer].next_of("message").await["message"].clone();
        assert_eq!(heard["body"], body);
        if number % 2 == 0 {
            sockets[hearer].send(&json!({"type": "read", "ref": number, "message_id": heard["id"]})).await;
        }
    }
}

fn dumped(central: &Database, to: &Path) {
    let dump = Command::new("pg_dump").args(["--enable-row-security", "--dbname", &central.admin_url()]).output();
    let dump = dump.unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    std::fs::write(to, dump.stdout).unwrap();
}

// Long because one story goes through every place that keeps anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_leave_their_text_nowhere() {
    // Given a box that logs everything it can, linked to central over a wire that is listened to.
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    let (central, wire) = (server.database(), Wire::to(server.database().port()));
    let whotbox = Whotbox::start(folder.path(), &["--log-level", "trace"]);
    linked(&whotbox, &central);
    let cast = gather(&whotbox).await;
    tapped(folder.path(), &central, &wire);
    let whotbox = whotbox.kill_and_restart();
    let at = |person: &Person, whotbox: &Whotbox| person.at(&whotbox.http);
    let (owner, chidi) = (at(&cast.owner, &whotbox), at(&cast.chidi, &whotbox));
    let made = chidi.done("/api/v1/conversations", &json!({"participant_id": owner.id})).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/conversations/{id}");

    // When the two whisper, the power goes in the middle, and a moderator reads and exports it.
    let messages = messages();
    whisper(&owner, &chidi, &path, 0, messages / 2).await;
    let whotbox = whotbox.kill_and_restart();
    let (owner, chidi, admin) = (at(&owner, &whotbox), at(&chidi, &whotbox), at(&cast.admin, &whotbox));
    whisper(&owner, &chidi, &path, messages / 2, messages).await;
    let made = admin.done("/api/v1/admin/moderators", &json!({"username": "mod-one"})).await;
    let moderator = whotbox.sign_in("mod-one", made["temporary_password"].as_str().unwrap()).await;
    let one = format!("/api/v1/admin/moderation/conversations/{id}");
    let review = moderator.see(&format!("{one}?reason=a+routine+look")).await;
    assert_eq!(review["messages"].as_array().unwrap().len(), messages);
    assert_eq!(moderator.get(&format!("{one}/export?reason=a+routine+look")).await.status, 200);
    whotbox.command(&["keys", "rotate"]);
    let backup = backed_up(&whotbox, folder.path());
    caught_up(&admin).await;
    custody_settled(&central, &whotbox).await;
    let mut whotbox = whotbox;
    whotbox.kill();
    panicked(folder.path());

    // Then no place that keeps anything has a word of it, and neither has the backup behind its own seal.
    let seen = tempfile::tempdir().unwrap();
    let inside = seen.path().join("inside-the-backup");
    backup.open(&inside);
    assert!(
        std::fs::metadata(&inside).unwrap().len() > messages as u64 * 200,
        "every message's sealed copies are in it"
    );
    dumped(&central, &seen.path().join("dump.sql"));
    assert!(wire.record(&seen.path().join("wire")) > messages * 500, "the wire was listened to");
    central.sql("checkpoint");
    let sealed = central.sql("select count(archive_sealed) from chat.messages");
    assert_eq!(sealed, messages.to_string(), "central has them, sealed");
    for place in [folder.path(), seen.path(), &server.data()] {
        assert_eq!(search(place, &[SECRET]), Vec::<String>::new());
    }

    // And what is planted in each place is found.
    let found = |place: &Path| search(place, &[SECRET]).len();
    let plant = |path: &Path| {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        write!(file, "\0{SECRET}\0").unwrap();
    };
    for (number, name) in
        ["log", "data/chat.keys", "data/box.redb", "core.17", "data/left.tmp", &backup.file].iter().enumerate()
    {
        plant(&folder.path().join(name));
        assert_eq!(found(folder.path()), number + 1, "{name}");
    }
    central.sql(&format!("create table planted (text text); insert into planted values ('{SECRET}')"));
    central.sql("checkpoint; grant select on planted to public");
    assert!(found(&server.data()) > 0);
    dumped(&central, &seen.path().join("dump.sql"));
    wire.heard.lock().unwrap().extend_from_slice(SECRET.as_bytes());
    wire.record(&seen.path().join("wire"));
    assert_eq!(found(seen.path()), 2, "the dump and the wire");
    plant(&inside);
    assert_eq!(found(seen.path()), 3, "and what is in the backup");
}

/// A backup, and the key that opens it.
struct Backup {
    folder: PathBuf,
    /// Its file's name within the folder.
    file: String,
    key: RecoveryKey,
}

/// Prints the recovery sheet and makes a backup.
fn backed_up(whotbox: &Whotbox, folder: &Path) -> Backup {
    let told = |arguments: &[&str]| {
        let done = whotbox.command(arguments);
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let sheet = told(&["backup", "sheet"]);
    let key = RecoveryKey::parse(&key_of(&sheet)).unwrap();
    let made: Value = serde_json::from_str(&told(&["backup", "create", "--json"])).unwrap();
    Backup { folder: folder.to_owned(), file: made["file"].as_str().unwrap().to_owned(), key }
}

impl Backup {
    /// Writes down everything that is in it, as it lies behind the seal.
    fn open(&self, to: &Path) {
        let sealed = std::fs::File::open(self.folder.join(&self.file)).unwrap();
        let mut plain = recovery::open(&self.key, sealed).unwrap();
        std::io::copy(&mut plain, &mut std::fs::File::create(to).unwrap()).unwrap();
    }
}

/// Waits until central has the keys of the conversations as the box has them.
async fn custody_settled(central: &Database, whotbox: &Whotbox) {
    let told = whotbox.command(&["keys", "status", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let version = told["wrap_version"].to_string();
    let settled = async {
        let question = format!("select count(*) > 0 and min(wrap_version) = {version} from replication.bucket_keys");
        while central.sql(&question) != "t" {
            tokio::task::yield_now().await;
        }
    };
    crate::support::soon("central to have the keys", settled).await;
}

/// Says to the test below that it is the child that panics.
const CHILD: &str = "WHOTBOX_PANIC_IN";

/// A process that holds open texts panics with everything that it can say about them, and is gone.
fn panicked(folder: &Path) {
    let out = std::fs::File::create(folder.join("panic.out")).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "story::whispers::a_child_that_panics"])
        .env(CHILD, folder)
        .env("RUST_BACKTRACE", "full")
        .current_dir(folder)
        .stdout(Stdio::from(out.try_clone().unwrap()))
        .stderr(Stdio::from(out))
        .status()
        .unwrap();
    assert!(!status.success());
    let said = std::fs::read_to_string(folder.join("panic.out")).unwrap();
    assert!(said.contains("a forced panic over Body(..)"), "{said}");
}

/// Run by the story above in a process of its own; by itself it does nothing.
#[test]
fn a_child_that_panics() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let config = Given { data_dir: Some(Path::new(&folder).join("data")), ..Given::default() }.complete().unwrap();
    let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(OsEntropy));
    let app = App::open(config, Parts { clock, entropy, old: OldVariables::default(), medium: None }).unwrap();
    let body = Body::parse(format!("{SECRET} in the last breath")).unwrap();
    assert!(app.store.read().is_ok());
    panic!("a forced panic over {body:?}, {:?}", app.chat.status());
}
