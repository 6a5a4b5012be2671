//! An upgrade: a copy first, the rows in their new forms, killed anywhere, refused where it cannot be safe, and undone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;
use whotbox::app::upgrade::{COPY_FOLDER, UpgradeError, note};
use whotbox::app::{App, Parts, StartError};
use whotbox::backup::error::Error;
use whotbox::backup::undo::{NEWER_FILE, undo};
use whotbox::base::entropy::{Entropy, OsEntropy};
use whotbox::base::keys::{MasterKey, Purpose};
use whotbox::base::time::{Clock, ManualClock, Timestamp};
use whotbox::catalog::{self, Unfit};
use whotbox::chat::service::Gate;
use whotbox::config::Given;
use whotbox::config::secrets::{self, OldVariables};
use whotbox::identity::users::Role;
use whotbox::store::backups::{Phase, Restored};
use whotbox::store::bulk;
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
use whotbox::store::medium::FileMedium;
use whotbox::store::meta;
use whotbox::store::read::{Pair, Read, Space};
use whotbox::store::upgrade::{Program, Standing, standing};
use whotbox::store::writer::{Settings, Store};

use crate::identity::fixture::Whole;
use crate::store::lab::full;
use crate::support::whotbox::{PROGRAM, command};

/// The table of matches, whose second form has the bytes of the first and another number.
const MATCHES: u16 = 51;
const NOW: Timestamp = Timestamp::from_micros(1_795_341_600_000_000);

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

fn open(data: &Path) -> Result<Arc<App>, StartError> {
    let config = Given { data_dir: Some(data.to_owned()), ..Given::default() }.complete().unwrap();
    let parts = Parts { clock: clock(), entropy: Arc::new(OsEntropy), old: OldVariables::default(), medium: None };
    App::open(config, parts)
}

pub(crate) fn master(data: &Path) -> MasterKey {
    secrets::load(data, &OldVariables::default(), false, &OsEntropy).unwrap().master
}

/// The store of a data folder as it is, without a box.
pub(crate) fn bare(file: &Path, master: &MasterKey) -> Store {
    Store::open(Settings {
        medium: Arc::new(FileMedium { path: file.to_owned(), reserve: 0 }),
        clock: clock(),
        entropy: Arc::new(OsEntropy),
        digest_key: master.derive(Purpose::ChangeLog),
        checkpoints_beside: false,
        listener: Arc::new(|_| {}),
    })
    .unwrap()
}

fn rows_of(read: &impl Read, table: u16) -> Vec<Pair> {
    let mut found = Vec::new();
    bulk::walk(read, Space::Rows, |pair| {
        found.extend(pair.0.starts_with(&table.to_be_bytes()).then(|| pair.clone()));
        Ok::<_, Fault>(())
    })
    .unwrap();
    found
}

/// A stored match in its first form.
fn in_the_first_form(place: &[u8], stored: &[u8]) -> Vec<u8> {
    let mut bytes = stored[..stored.len() - 4].to_vec();
    bytes[0] = 1;
    let key = &place[2..];
    let mut crc = crc32fast::Hasher::new();
    for part in [&MATCHES.to_be_bytes()[..], &(key.len() as u64).to_be_bytes(), key, &bytes] {
        crc.update(part);
    }
    bytes.extend_from_slice(&crc.finalize().to_le_bytes());
    bytes
}

fn replaced(bytes: &[u8], from: &[u8; 16], to: &[u8; 16]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in 0..out.len().saturating_sub(15) {
        if out[at..at + 16] == from[..] {
            out[at..at + 16].copy_from_slice(to);
        }
    }
    out
}

/// A data folder as an earlier program left it: no mark, and so many matches in their first form.
async fn earlier(folder: &Path, matches: u128) -> PathBuf {
    let data = folder.join("data");
    let whole = Whole::open(&data, NOW).await;
    let (ada, bola) = (whole.person(Role::Customer, "ada").await, whole.person(Role::Distributor, "bola").await);
    let body = json!({"recipient_username": "bola", "preset": "quick", "options": {"turn_seconds": 0}});
    let invite = whole.post(&ada, "/api/v1/games/invites", &body).await.json();
    let accept = format!("/api/v1/games/invites/{}/accept", invite["id"].as_str().unwrap());
    let game: Uuid =
        whole.call(&bola, "POST", &accept, &json!(null)).await.json()["game_id"].as_str().unwrap().parse().unwrap();
    let read = whole.app.store.read().unwrap();
    let [(place, stored)] = rows_of(&read, MATCHES).try_into().unwrap();
    let mut entries = Vec::new();
    bulk::walk(&read, Space::Indexes, |pair| {
        entries.extend(pair.0.starts_with(&MATCHES.to_be_bytes()).then(|| pair.clone()));
        Ok::<_, Fault>(())
    })
    .unwrap();
    drop(read);
    let mut pairs = Vec::new();
    for id in (0..matches).map(|number| if number == 0 { game } else { Uuid::from_u128(number) }) {
        let like = |bytes: &[u8]| replaced(bytes, game.as_bytes(), id.as_bytes());
        let place = like(&place);
        pairs.push((Space::Rows, (place.clone(), in_the_first_form(&place, &like(&stored)))));
        pairs.extend(entries.iter().map(|(key, value)| (Space::Indexes, (like(key), like(value)))));
    }
    let store = whole.app.store.clone();
    let restored =
        Restored { at: NOW, backup: game, backup_at: NOW, from_epoch: game, epoch: game, phase: Phase::Loading };
    store.write(move |tx, _| tx.put(&restored)).await.map_err(|fault: Fault| fault).unwrap();
    store.write(move |tx, _| bulk::lay(tx, pairs)).await.unwrap();
    store
        .write(|tx, _| {
            tx.delete::<Restored>(&Key::new())?;
            tx.delete::<Program>(&Key::new())
        })
        .await
        .map_err(|fault: Fault| fault)
        .unwrap();
    store.close();
    data
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        // A file of holes stays one.
        if entry.file_name() != "box.reserve" {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// The copy that was made is the store as it was: every match in its first form, no mark.
fn holds_the_earlier_store(data: &Path, matches: usize) {
    let (copy, place) = (data.join(COPY_FOLDER).join("box.redb"), tempfile::tempdir().unwrap());
    let note = note(data).unwrap();
    let bytes = fs::read(&copy).unwrap();
    assert_eq!((bytes.len() as u64, note.to.as_str()), (note.bytes, env!("CARGO_PKG_VERSION")));
    fs::write(place.path().join("box.redb"), bytes).unwrap();
    let store = bare(&place.path().join("box.redb"), &master(data));
    let read = store.read().unwrap();
    assert_eq!(standing(&read, &catalog::tables()).unwrap(), Standing::Earlier(None));
    let rows = rows_of(&read, MATCHES);
    assert_eq!((rows.len(), rows.iter().all(|(_, stored)| stored[0] == 1)), (matches, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_store_is_copied_before_it_is_brought_up() {
    let folder = tempfile::tempdir().unwrap();
    let data = earlier(folder.path(), 600).await;
    let app = open(&data).unwrap();
    let read = app.store.read().unwrap();
    assert_eq!(standing(&read, &catalog::tables()).unwrap(), Standing::Present);
    let rows = rows_of(&read, MATCHES);
    assert_eq!((rows.len(), rows.iter().all(|(_, stored)| stored[0] == 2)), (600, true));
    bulk::walk(&read, Space::Indexes, |entry| {
        assert!(bulk::has_row(&read, entry)?);
        Ok::<_, Fault>(())
    })
    .unwrap();
    // It is locked as ever, although the file was read past its owner.
    assert!(matches!(open(&data), Err(StartError::Store(Fault::Unavailable(_)))));
    drop(read);
    app.store.close();
    holds_the_earlier_store(&data, 600);
    // The next start has nothing to do, and a new box never had.
    let first = note(&data);
    open(&data).unwrap().store.close();
    assert_eq!(note(&data), first);
    let fresh = folder.path().join("fresh");
    open(&fresh).unwrap().store.close();
    open(&fresh).unwrap().store.close();
    assert_eq!(note(&fresh), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_copy_there_is_no_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let data = earlier(folder.path(), 5).await;
    // Given something in the copy's way, then the start is refused by name, and the store is as it was.
    let obstacle = data.join(format!("{COPY_FOLDER}.part"));
    fs::write(&obstacle, "x").unwrap();
    let refused = open(&data).map(|_| ()).unwrap_err();
    assert!(matches!(refused, StartError::Upgrade(UpgradeError::Copy(_))), "{refused}");
    let kept = bare(&data.join("box.redb"), &master(&data));
    assert_eq!(standing(&kept.read().unwrap(), &catalog::tables()).unwrap(), Standing::Earlier(None));
    kept.close();
    // The console says what to do.
    let said = command(folder.path(), &["status"]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        !said.status.success() && text.contains("could not be copied") && text.contains("earlier version"),
        "{text}"
    );
    fs::remove_file(&obstacle).unwrap();
    open(&data).unwrap().store.close();
    holds_the_earlier_store(&data, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_program_refuses_the_store_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let app = open(&data).unwrap();
    let next = |mut program: Program, change: fn(&mut Program)| {
        program.version = "9.9.9".into();
        change(&mut program);
        program
    };
    let this = Program::this(&catalog::tables());
    for (change, says) in [
        ((|program| program.tables.push((999, 1))) as fn(&mut Program), "a table of number 999"),
        (|program| program.tables.iter_mut().for_each(|(_, version)| *version += 1), "has records of version"),
    ] {
        let program = next(this.clone(), change);
        app.store.write_blocking(move |tx, _| tx.put(&program)).map_err(|fault: Fault| fault).unwrap();
        let refused = catalog::check(&app.store.read().unwrap()).unwrap_err();
        assert!(matches!(refused, Unfit::Newer(_)), "{refused}");
        assert!(refused.to_string().contains("9.9.9") && refused.to_string().contains(says), "{refused}");
    }
    app.store.close();
    drop(app);
    assert!(matches!(open(&data), Err(StartError::Unfit(Unfit::Newer(_)))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_can_be_undone() {
    let folder = tempfile::tempdir().unwrap();
    let data = earlier(folder.path(), 40).await;
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (clock(), Arc::new(OsEntropy));
    let whole = Whole::open(&data, NOW).await;
    let epoch = meta::identity(&whole.app.store.read().unwrap()).unwrap().epoch;
    whole.account(Role::Customer, "late").await;
    // While the box runs nothing is undone.
    assert!(matches!(undo(&data, &master(&data), &clock, &entropy), Err(Error::Store(_))));
    whole.app.store.close();
    drop(whole);
    undo(&data, &master(&data), &clock, &entropy).unwrap();

    // The store is the earlier one under a new life, closed until what was due is destroyed.
    let store = bare(&data.join("box.redb"), &master(&data));
    let read = store.read().unwrap();
    assert_eq!(standing(&read, &catalog::tables()).unwrap(), Standing::Earlier(None));
    assert!(rows_of(&read, MATCHES).iter().all(|(_, stored)| stored[0] == 1));
    assert_ne!(meta::identity(&read).unwrap().epoch, epoch);
    drop(read);
    store.close();
    let whole = Whole::open(&data, NOW).await;
    assert_eq!(whole.app.chat.gate(), Gate::Closed);
    assert_eq!(whole.login("ada", crate::identity::fixture::PASSWORD).await.status, 200);
    assert_eq!(whole.login("late", crate::identity::fixture::PASSWORD).await.status, 401);
    whole.app.store.close();
    // The newer store is kept.
    let newer = bare(&data.join(NEWER_FILE), &master(&data));
    assert!(rows_of(&newer.read().unwrap(), MATCHES).iter().all(|(_, stored)| stored[0] == 2));
    newer.close();

    // A program that cannot read the copy either changes nothing.
    let copy = bare(&data.join(COPY_FOLDER).join("box.redb"), &master(&data));
    let mut program = Program::this(&catalog::tables());
    program.tables.push((999, 1));
    copy.write_blocking(move |tx, _| tx.put(&program)).map_err(|fault: Fault| fault).unwrap();
    copy.close();
    assert!(matches!(undo(&data, &master(&data), &clock, &entropy), Err(Error::Newer(_))));
    let kept = bare(&data.join("box.redb"), &master(&data));
    assert_eq!(standing(&kept.read().unwrap(), &catalog::tables()).unwrap(), Standing::Present);
    kept.close();
    // And the copy goes once it has served its time, by a clock that is right.
    assert!(!whotbox::app::upgrade::forget(&data, clock.wall()).unwrap());
    let later = ManualClock::at(NOW.plus(Duration::from_hours(15 * 24)));
    assert!(whotbox::app::upgrade::forget(&data, later.wall()).unwrap() && note(&data).is_none());
}

/// Starts the program on a data folder and has it killed after a while, or kills it once it is ready; how long that took.
fn killed(folder: &Path, data: &Path, after: Option<Duration>) -> Duration {
    use std::io::BufRead as _;
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    let clock = whotbox::base::time::SystemClock::new();
    let begun = clock.monotonic();
    let mut child = Command::new(if after.is_some() { "timeout" } else { PROGRAM });
    if let Some(after) = after {
        // Nought would be for ever.
        child.args(["--signal=KILL", &format!("{:.3}", after.as_secs_f64().max(0.001)), PROGRAM]);
    }
    child.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(data).current_dir(folder);
    let mut child = child.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    if after.is_none() {
        assert!(lines.any(|line| line == "Ready."), "it did not start");
        child.kill().unwrap();
    }
    let took = clock.monotonic().since(begun);
    // Its words end when it does.
    lines.for_each(drop);
    child.wait().unwrap();
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_in_an_upgrade_nothing_is_lost() {
    let (points, matches) = if full() { (200, 4000) } else { (10, 600) };
    let folder = tempfile::tempdir().unwrap();
    let planted = earlier(folder.path(), matches).await;
    // Given how long a whole upgrade takes here, and what it comes to.
    let whole = folder.path().join("whole");
    copied(&planted, &whole);
    let takes = killed(folder.path(), &whole, None);
    let master = master(&planted);
    let wanted = {
        let store = bare(&whole.join("box.redb"), &master);
        rows_of(&store.read().unwrap(), MATCHES)
    };
    assert_eq!(wanted.len() as u128, matches);
    let mut seen = [0; 4];
    for point in 0..points {
        let data = folder.path().join(format!("data-{point}"));
        copied(&planted, &data);
        killed(folder.path(), &data, Some(takes * 2 / 3 * point / points));
        // Then the store is the earlier one, or a copy of that lies whole beside it.
        let store = bare(&data.join("box.redb"), &master);
        let read = store.read().unwrap();
        let state = standing(&read, &catalog::tables()).unwrap();
        catalog::check(&read).unwrap();
        let rows = rows_of(&read, MATCHES);
        assert_eq!(rows.len() as u128, matches, "{state:?}");
        match state {
            Standing::Earlier(_) => assert!(rows.iter().all(|(_, stored)| stored[0] == 1)),
            Standing::UnderWay | Standing::Present => holds_the_earlier_store(&data, wanted.len()),
        }
        seen[match state {
            Standing::Earlier(_) if note(&data).is_none() => 0,
            Standing::Earlier(_) => 1,
            Standing::UnderWay => 2,
            Standing::Present => 3,
        }] += 1;
        drop(read);
        store.close();
        // And the next start ends it.
        let app = open(&data).unwrap();
        assert_eq!(rows_of(&app.store.read().unwrap(), MATCHES), wanted);
        app.store.close();
        holds_the_earlier_store(&data, wanted.len());
        fs::remove_dir_all(&data).unwrap();
    }
    println!(
        "killed at {points} points: {} before the copy, {} before the mark, {} under way, {} after",
        seen[0], seen[1], seen[2], seen[3]
    );
}
