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

/// Commits until there was a checkpoint; returns the notes that were acknowledged.
fn until_a_checkpoint(lab: &Lab) -> Vec<u64> {
    let began = lab.store.figures().checkpoints;
    let put = |id: &u64| {
        let done = lab.put(&[note(*id, 1)]).is_ok();
        // A checkpoint begins after the answers, and ends after those of the next commit; what is asked then waits for it.
        (0..2).for_each(|_| lab.store.write_blocking(|_, _| Ok::<_, Fault>(())).unwrap());
        done
    };
    let acknowledged = (1..40).take_while(|_| lab.store.figures().checkpoints == began).filter(put).collect();
    assert!(lab.store.figures().checkpoints > began);
    acknowledged
}

#[test]
fn every_single_write_and_sync_of_commits_and_of_a_checkpoint_can_fail() {
    let healthy = Lab::new();
    let before = healthy.disk.events();
    let commits = until_a_checkpoint(&healthy).len();
    let events = u32::try_from(healthy.disk.events() - before).unwrap();
    assert!(
        events as usize > 2 * commits + 4,
        "a commit is a write and a sync, a checkpoint some writes and two syncs"
    );
    for nth in 0..events {
        // given: one call fails
        let lab = Lab::new();
        lab.disk.fail(Broken::Either, ErrorKind::Other, nth);
        let acknowledged = until_a_checkpoint(&lab);
        // then: one commit was refused at most, and what was acknowledged is there, now and later
        assert!(acknowledged.len() + 1 >= commits, "call {nth}");
        assert_eq!(lab.store.figures().failures, 1, "call {nth}");
        let lab = lab.reopened();
        let snapshot = lab.store.read().unwrap();
        for id in acknowledged {
            assert!(snapshot.get::<Note>(&Key::new().number(id)).unwrap().is_some(), "call {nth}, note {id}");
        }
        assert_log_is_sound(&snapshot);
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
fn on_a_full_disk_the_journal_takes_what_it_can_reads_go_on_and_writes_do_when_there_is_room() {
    // given: a store whose disk is full
    let lab = Lab::new();
    lab.put(&[note(1, 1)]).unwrap();
    lab.disk.fill();
    // when: it is written to until it refuses
    let taken = (2..100).take_while(|id| lab.put(&[Note { body: vec![1; 3000], ..note(*id, 1) }]).is_ok()).count();
    // then: what it took is there, the box can be restarted, and says why it takes no more
    assert!((4..40).contains(&taken), "{taken}");
    let lab = lab.reopened();
    assert_eq!(notes(&lab), Ok(1 + taken));
    assert_eq!(lab.put(&[Note { body: vec![1; 200_000], ..note(200, 1) }]), Err(Fault::Full));
    assert_eq!(notes(&lab), Ok(1 + taken));
    // and: with room it goes on by itself
    lab.disk.make_room();
    lab.put(&[Note { body: vec![1; 200_000], ..note(201, 1) }]).unwrap();
    assert_eq!(notes(&lab), Ok(2 + taken));
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

/// Where a journal's first record lies, and the next one after a short one.
const RECORDS: [usize; 2] = [4096, 8192];

/// What a disk holds after short commits, each in the journal alone.
fn journaled(commits: u64) -> Vec<u8> {
    let lab = Lab::new();
    lab.store.close();
    let lab = Lab::on(lab.disk);
    (0..commits).for_each(|id| lab.put(&[note(id, 1)]).unwrap());
    assert_eq!(lab.store.figures().checkpoints, 0);
    lab.disk.bytes()
}

fn reopen(bytes: Vec<u8>) -> Result<Store, Fault> {
    let clock = Arc::new(whotbox::base::time::ManualClock::at(super::lab::START));
    Store::open(settings(Arc::new(Disk::holding(bytes)), &clock, |_| {}))
}

#[test]
fn a_damaged_commit_of_the_journal_is_named_and_not_left_out() {
    let bytes = journaled(2);
    assert!(reopen(bytes.clone()).is_ok(), "the control: whole, it opens");
    for (offset, bit) in [(0, 1), (5, 4), (9, 128), (17, 1), (60, 2), (200, 64)] {
        let mut damaged = bytes.clone();
        damaged[RECORDS[0] + offset] ^= bit;
        let opened = reopen(damaged).err();
        assert!(matches!(opened, Some(Fault::Corrupt { table: "journal", .. })), "byte {offset}: {opened:?}");
    }
}

#[test]
fn a_record_that_was_never_whole_is_the_journals_end() {
    // given: the last record is torn, as a power cut leaves one that was not acknowledged
    let mut bytes = journaled(2);
    bytes[RECORDS[1] + 100] ^= 1;
    // then: the store holds what came before it
    let store = reopen(bytes).unwrap();
    let found = store.read().unwrap().list::<Note>(&Key::new(), &Page::first(10)).unwrap();
    assert_eq!(found.items, [note(0, 1)]);
}

#[test]
fn what_an_earlier_round_left_in_the_journal_is_not_done_again() {
    // given: a journal that was gone round, with a deletion in the tables whose row still stands in an old record
    let lab = Lab::new();
    lab.put(&[note(1, 1)]).unwrap();
    let rounds = lab.store.figures().checkpoints;
    (2..60).for_each(|id| lab.put(&[note(id, 1)]).unwrap());
    assert!(lab.store.figures().checkpoints > rounds + 1);
    (1..60).for_each(|id| lab.store.write_blocking(move |tx, _| tx.delete::<Note>(&Key::new().number(id))).unwrap());
    // then
    for lab in [Lab::on(Disk::holding(lab.disk.bytes())), lab.reopened()] {
        assert_eq!(notes(&lab), Ok(0));
        assert_log_is_sound(&lab.store.read().unwrap());
    }
}

#[test]
fn a_damaged_first_block_is_named() {
    let damaged = |offset: usize, bit: u8| {
        let mut bytes = journaled(1);
        bytes[offset] ^= bit;
        reopen(bytes).err()
    };
    for (offset, bit) in [(0, 1), (7, 2)] {
        assert!(matches!(damaged(offset, bit), Some(Fault::Unavailable(why)) if why.contains("not a store")));
    }
    for (offset, bit) in [(8, 1), (17, 1)] {
        assert!(matches!(damaged(offset, bit), Some(Fault::Corrupt { reason, .. }) if reason.contains("first block")));
    }
    assert!(reopen(journaled(1)[..10].to_vec()).is_err());
}
