//! The store in a real file: its lock, its making, and its opening after a process that was killed.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use whotbox::base::time::ManualClock;
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
use whotbox::store::medium::FileMedium;
use whotbox::store::page::Page;
use whotbox::store::read::ReadExt;
use whotbox::store::writer::Store;

use super::lab::{Note, START, assert_log_is_sound, enrol, note, settings};

fn open(path: &Path) -> Result<Store, Fault> {
    let clock = Arc::new(ManualClock::at(START));
    Store::open(settings(Arc::new(FileMedium { path: path.to_owned(), reserve: 0 }), &clock, |_| {}))
}

fn notes(store: &Store) -> usize {
    store.read().unwrap().list::<Note>(&Key::new(), &Page::first(1000)).unwrap().items.len()
}

#[test]
fn a_store_whose_process_was_killed_opens_without_a_repair() {
    // given: a store at work
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("box.redb")).unwrap();
    store.write_blocking(enrol).unwrap();
    for id in 0..20 {
        store.write_blocking(move |tx, _| tx.put(&note(id, 1))).unwrap();
        // when: what is in its file at this moment is all that is left of it
        let left = folder.path().join(format!("left-{id}.redb"));
        std::fs::copy(folder.path().join("box.redb"), &left).unwrap();
        // then
        let store = open(&left).unwrap();
        assert!(!store.figures().repaired);
        assert_eq!(notes(&store) as u64, id + 1);
        assert_log_is_sound(&store.read().unwrap());
    }
}

#[test]
fn a_file_has_one_opener_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box.redb");
    let first = open(&path).unwrap();
    assert!(matches!(open(&path).err(), Some(Fault::Unavailable(_))));
    first.write_blocking(|tx, _| tx.put(&note(1, 1))).unwrap();
    first.close();
    assert_eq!(notes(&open(&path).unwrap()), 1);
}

#[test]
fn of_openers_that_start_together_one_has_the_store() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("box.redb");
        let opened: Vec<_> = std::thread::scope(|scope| {
            let openers: Vec<_> = (0..4).map(|_| scope.spawn(|| open(&path))).collect();
            openers.into_iter().map(|opener| opener.join().unwrap()).collect()
        });
        let stores: Vec<_> = opened.into_iter().flatten().collect();
        assert_eq!(stores.len(), 1);
        stores[0].write_blocking(|tx, _| tx.put(&note(1, 1))).unwrap();
        drop(stores);
        assert_eq!(notes(&open(&path).unwrap()), 1);
    }
}

#[test]
fn a_file_is_its_owners_and_what_a_power_cut_left_of_its_making_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box.redb");
    std::fs::write(folder.path().join("box.redb.new"), vec![0; 5000]).unwrap();
    let store = open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!folder.path().join("box.redb.new").exists());
    store.write_blocking(|tx, _| tx.put(&note(1, 1))).unwrap();
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box.redb");
    std::fs::write(&path, b"a letter to the bank").unwrap();
    assert!(matches!(open(&path).err(), Some(Fault::Unavailable(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"a letter to the bank");
}
