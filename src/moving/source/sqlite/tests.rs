//! Files as old services leave them: closed well, with a log, in the middle of a change.

use rusqlite::Connection;

use super::*;
use crate::moving::map::{ServiceMap, resolve};
use crate::moving::source::{Location, Reader, Source};
use crate::moving::tables::Service;

const SCHEMA: &str = "create table conversations (id integer primary key, distributor_id, customer_id);
    create table messages (id text, conversation_id, sender_id, body text, created_at text);";

fn messages(connection: &Connection) {
    connection.execute_batch(SCHEMA).unwrap();
    for (id, at) in
        [("c", "2026-01-03 10:00:00"), ("a", "2026-01-01T10:00:00Z"), ("x", "2026-02-30"), ("b", "1767348000")]
    {
        connection.execute("insert into messages values (?1, 1, 2, 'hello', ?2)", [id, at]).unwrap();
    }
    connection.execute("insert into messages values ('bad', 1, 2, cast(x'ff' as text), '2026-01-04')", []).unwrap();
}

async fn read(path: &Path) -> Vec<Cells> {
    let source = Source::open(&Location::File(path.to_owned()), None).await.unwrap();
    let plans = resolve(Service::Chat, &source.catalogue().unwrap(), &ServiceMap::default()).unwrap();
    let plan = plans.iter().find(|plan| plan.table.key == "chat.messages").unwrap();
    assert_eq!(source.count(plan).await.unwrap(), 5);
    let mut reader: Reader<'_> = source.read(plan, 0).await.unwrap();
    let mut all = Vec::new();
    loop {
        let page = reader.next().await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn ids(rows: &[Cells]) -> Vec<String> {
    let id = |row: &Cells| match &row[0] {
        Cell::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    rows.iter().map(id).collect()
}

#[tokio::test]
async fn messages_come_by_their_times_and_the_file_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chat ?#%.db");
    messages(&Connection::open(&path).unwrap());
    let before = std::fs::read(&path).unwrap();
    let rows = read(&path).await;
    assert_eq!(ids(&rows), ["x", "a", "b", "c", "bad"]);
    assert!(matches!(rows[4][3], Cell::Broken(_)), "what is no UTF-8 says so");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing lies beside it");
}

#[tokio::test]
async fn rows_that_are_still_in_the_log_are_read_and_nothing_stays_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (live, path) = (dir.path().join("live.db"), dir.path().join("left.db"));
    let connection = Connection::open(&live).unwrap();
    connection.execute_batch("pragma journal_mode = wal; pragma wal_autocheckpoint = 0").unwrap();
    messages(&connection);
    // As a killed service leaves them.
    std::fs::copy(&live, &path).unwrap();
    std::fs::copy(beside(&live, "-wal"), beside(&path, "-wal")).unwrap();
    let before = (std::fs::read(&path).unwrap(), std::fs::read(beside(&path, "-wal")).unwrap());
    assert_eq!(read(&path).await.len(), 5);
    assert_eq!((std::fs::read(&path).unwrap(), std::fs::read(beside(&path, "-wal")).unwrap()), before);
    assert!(!beside(&path, "-shm").exists());
}

#[test]
fn a_change_that_was_cut_off_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chat.db");
    messages(&Connection::open(&path).unwrap());
    std::fs::write(beside(&path, "-journal"), b"x").unwrap();
    assert!(File::open(&path).err().unwrap().to_string().contains("cut off"));
    assert!(File::open(&dir.path().join("missing.db")).is_err());
}
