//! A disk that fails: nothing of a failed commit is promised, the store opens again by itself, and reads go on.

use std::io::ErrorKind;
use std::sync::Arc;

use whotbox::base::time::Timestamp;
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
use whotbox::store::page::Page;
use whotbox::store::read::ReadExt;
use whotbox::store::tx::Tx;
use whotbox::store::writer::Store;

use super::disk::{Broken, Disk};
use super::lab::{Lab, Note, assert_log_is_sound, note, settings, together};

fn notes(lab: &Lab) -> Result<usize, Fault> {
    Ok(lab.store.read()?.list::<Note>(&Key::new(), &Page::first(1000))?.items.len())
}

/// Commands that write one note each.
fn writes(ids: std::ops::Range<u64>) -> Vec<impl FnOnce(&mut Tx<'_>, Timestamp) -> Result<(), Fault>> {
    ids.map(|id| move |tx: &mut Tx<'_>, _| tx.put(&note(id, 1))).collect()
}

#[test]
fn all_commands_of_a_failed_commit_are_refused_and_later_ones_are_done() {
    for broken in [Broken::Write, Broken::Sync] {
        // given
        let lab = Lab::new();
        lab.put(&[note(1, 1)]).unwrap();
        // when
        lab.disk.fail(broken, ErrorKind::Other, 0);
        let answers = together(&lab.store, writes(10..14));
        // then
        assert!(answers.iter().all(|answer| matches!(answer, Err(Fault::Unavailable(_)))), "{broken:?} {answers:?}");
        assert_eq!(lab.store.figures().failures, 1);
        // The store was open again before the refusal was given: redb's own handle stays dead after a failure.
        lab.put(&[note(2, 1)]).unwrap();
        let lab = lab.reopened();
        assert!(matches!(notes(&lab).unwrap(), 2 | 6), "none of the batch or all of it");
        assert_log_is_sound(&lab.store.read().unwrap());
    }
}

#[test]
fn every_single_write_and_sync_of_a_commit_can_fail() {
    let healthy = Lab::new();
    let before = healthy.disk.events();
    healthy.put(&[note(1, 1)]).unwrap();
    let events = u32::try_from(healthy.disk.events() - before).unwrap();
    assert!(events > 4, "a commit is some writes and two syncs");
    for nth in 0..events {
        let lab = Lab::new();
        lab.disk.fail(Broken::Either, ErrorKind::Other, nth);
        assert!(matches!(lab.put(&[note(1, 1)]), Err(Fault::Unavailable(_))), "call {nth}");
        lab.put(&[note(2, 1)]).unwrap();
        assert_log_is_sound(&lab.store.read().unwrap());
        assert!(!lab.store.figures().repaired);
    }
}

#[test]
fn a_store_that_cannot_be_reopened_tries_again_until_it_can() {
    // given: a commit fails, and so do the next three openings
    let lab = Lab::new();
    lab.put(&[note(1, 1)]).unwrap();
    lab.disk.fail(Broken::Sync, ErrorKind::Other, 0);
    (0..4).for_each(|_| lab.disk.fail(Broken::Open, ErrorKind::PermissionDenied, 0));
    // then: commands are refused meanwhile, and reads say why
    assert!(matches!(lab.put(&[note(2, 1)]), Err(Fault::Unavailable(_))));
    assert!(matches!(notes(&lab), Err(Fault::Unavailable(_))));
    // Each refusal is a try to open it, and so is each interval without a command.
    let refused = (0..8).take_while(|_| lab.put(&[note(2, 1)]).is_err()).count();
    assert!(refused <= 4, "{refused} refusals");
    lab.put(&[note(3, 1)]).unwrap();
    assert!(notes(&lab).unwrap() >= 2);
}

#[test]
fn on_a_full_disk_reads_go_on_and_writes_do_when_there_is_room() {
    // given: a store that fills its disk
    let lab = Lab::new();
    lab.put(&[note(1, 1)]).unwrap();
    lab.disk.fill();
    let large = |id: u64| Note { body: vec![1; 200_000], ..note(id, 1) };
    // when, then
    for id in 2..5 {
        assert_eq!(lab.put(&[large(id)]), Err(Fault::Full));
        assert_eq!(notes(&lab), Ok(1));
    }
    // and: the box can be restarted on the full disk
    let lab = lab.reopened();
    assert_eq!(notes(&lab), Ok(1));
    assert_eq!(lab.put(&[large(6)]), Err(Fault::Full));
    lab.disk.make_room();
    lab.put(&[large(7)]).unwrap();
    assert_eq!(notes(&lab), Ok(2));
    assert_log_is_sound(&lab.store.read().unwrap());
}

#[test]
fn a_snapshot_from_before_a_failure_does_not_keep_the_store_closed() {
    let lab = Lab::new();
    lab.put(&[note(1, 1)]).unwrap();
    let old = lab.store.read().unwrap();
    lab.disk.fail(Broken::Sync, ErrorKind::Other, 0);
    lab.put(&[note(2, 1)]).unwrap_err();
    // The old snapshot still has its handle; the lock is free all the same.
    lab.put(&[note(3, 1)]).unwrap();
    assert!(notes(&lab).unwrap() >= 2);
    // It answers from what it has loaded, or says that its file is closed; never anything else.
    match old.get::<Note>(&Key::new().number(1)) {
        Ok(found) => assert_eq!(found, Some(note(1, 1))),
        Err(fault) => assert!(matches!(fault, Fault::Unavailable(_))),
    }
}

#[test]
fn a_damaged_file_is_refused_and_not_read_as_something_else() {
    let lab = Lab::new();
    lab.put(&(0..200).map(|id| note(id, 1)).collect::<Vec<_>>()).unwrap();
    lab.store.close();
    let mut bytes = lab.disk.bytes();
    for page in bytes.chunks_mut(4096).skip(1) {
        page.iter_mut().for_each(|byte| *byte ^= 0x5a);
    }
    let opened = Store::open(settings(Arc::new(Disk::holding(bytes)), &lab.clock, |_| {}));
    assert!(matches!(opened.err(), Some(Fault::Unavailable(_) | Fault::Corrupt { .. })));
}
