//! The change log's own life: started, started anew, acknowledged and trimmed.

use std::time::Duration;

use replication::row::Lane;
use uuid::Uuid;
use whotbox::base::time::Timestamp;
use whotbox::store::change::entries_after;
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
use whotbox::store::meta;
use whotbox::store::read::ReadExt;
use whotbox::store::relog;
use whotbox::store::table::TableInfo;
use whotbox::store::tx::Tx;

use super::disk::Disk;
use super::lab::{Alarm, Lab, Local, Note, START, assert_log_is_sound, enrol, entries, note, together};

type Command = Box<dyn FnOnce(&mut Tx<'_>, Timestamp) -> Result<(), Fault> + Send>;

#[test]
fn a_box_that_was_never_enrolled_keeps_no_log() {
    let lab = Lab::on(Disk::formatted());
    lab.store.write_blocking(|tx, now| meta::create(tx, now, Uuid::from_u128(1), [0; 32])).unwrap();
    lab.put(&[note(1, 1)]).unwrap();
    let snapshot = lab.store.read().unwrap();
    assert!(Lane::ALL.iter().all(|lane| entries(&snapshot, *lane).is_empty()));
    assert!(snapshot.get::<Note>(&Key::new().number(1)).unwrap().is_some());
}

#[test]
fn each_lane_counts_for_itself_and_local_rows_are_in_neither() {
    let lab = Lab::new();
    lab.store
        .write_blocking(|tx, _| {
            tx.put(&note(2, 1))?;
            tx.put(&note(1, 1))?;
            tx.put(&Alarm { id: 7 })?;
            tx.put(&Local { id: 1, value: 1 })
        })
        .unwrap();
    let snapshot = lab.store.read().unwrap();
    let seqs = |lane| entries(&snapshot, lane).iter().map(|entry| (entry.seq, entry.table)).collect::<Vec<_>>();
    assert_eq!(seqs(Lane::Bulk), [(1, 60_001), (2, 60_001)]);
    assert_eq!(seqs(Lane::Urgent), [(1, 60_002)]);
    assert_log_is_sound(&snapshot);
}

#[test]
fn a_log_started_anew_begins_at_one_with_nothing_of_the_old_epoch() {
    // given: a log, and in one commit more of it, a new start, and the first change after
    let lab = Lab::new();
    lab.put(&(0..300).map(|id| note(id, 1)).collect::<Vec<_>>()).unwrap();
    let row = |id: u64| move |tx: &mut Tx<'_>, _| tx.put(&note(id, 2));
    let start = |tx: &mut Tx<'_>, _| meta::start_log(tx, Uuid::from_u128(9));
    let commands: Vec<Command> = vec![Box::new(row(1)), Box::new(start), Box::new(row(2)), Box::new(row(3))];
    // when
    assert!(together(&lab.store, commands).iter().all(Result::is_ok));
    // then
    let snapshot = lab.store.read().unwrap();
    let identity = meta::identity(&snapshot).unwrap();
    assert_eq!((identity.epoch, identity.parent_epoch), (Uuid::from_u128(9), Some(Uuid::from_u128(2))));
    assert_eq!(entries(&snapshot, Lane::Bulk).iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2]);
    assert_log_is_sound(&snapshot);
}

#[test]
fn the_log_goes_on_after_a_reopening() {
    let lab = Lab::new();
    lab.put(&[note(1, 1)]).unwrap();
    let lab = lab.reopened();
    lab.put(&[note(2, 1)]).unwrap();
    let snapshot = lab.store.read().unwrap();
    assert_eq!(entries(&snapshot, Lane::Bulk).len(), 2);
    assert_log_is_sound(&snapshot);
}

#[test]
fn only_what_is_confirmed_and_old_is_trimmed() {
    // given: five entries, of which three are old, and upstream has confirmed four
    let lab = Lab::new();
    lab.put(&[note(1, 1), note(2, 1), note(3, 1)]).unwrap();
    lab.clock.advance(Duration::from_secs(100));
    lab.put(&[note(4, 1), note(5, 1)]).unwrap();
    let chain = entries(&lab.store.read().unwrap(), Lane::Bulk)[3].chain;
    lab.store.write_blocking(move |tx, _| meta::acknowledge(tx, Lane::Bulk, 4, chain)).unwrap();
    let trim = |before: u64| {
        let before = START.plus(Duration::from_secs(before));
        lab.store.write_blocking(move |tx, _| meta::trim(tx, Lane::Bulk, before, 2)).unwrap()
    };
    // then: at most two at a time, the old ones first, the confirmed one when it is old, the last one never
    assert_eq!([trim(50), trim(50), trim(50)], [2, 1, 0]);
    assert_eq!([trim(500), trim(500)], [1, 0]);
    let snapshot = lab.store.read().unwrap();
    assert_eq!(entries(&snapshot, Lane::Bulk).iter().map(|entry| entry.seq).collect::<Vec<_>>(), [5]);
    assert_log_is_sound(&snapshot);
}

#[test]
fn a_confirmation_that_is_older_or_of_what_never_was_changes_nothing() {
    let lab = Lab::new();
    lab.put(&[note(1, 1), note(2, 1)]).unwrap();
    for seq in [2, 1, 3] {
        lab.store.write_blocking(move |tx, _| meta::acknowledge(tx, Lane::Bulk, seq, [9; 32])).unwrap();
        assert_eq!(meta::lane_ack(&lab.store.read().unwrap(), Lane::Bulk).unwrap().seq, 2);
    }
}

#[test]
fn entries_come_in_bounded_steps_and_never_from_the_other_lane() {
    let lab = Lab::new();
    lab.put(&(0..10).map(|id| note(id, 1)).collect::<Vec<_>>()).unwrap();
    lab.store.write_blocking(|tx, _| tx.put(&Alarm { id: 1 })).unwrap();
    let snapshot = lab.store.read().unwrap();
    let after = |lane, seq| entries_after(&snapshot, lane, seq, 4).unwrap().iter().map(|e| e.seq).collect::<Vec<_>>();
    assert_eq!(after(Lane::Bulk, 0), [1, 2, 3, 4]);
    assert_eq!(after(Lane::Bulk, 8), [9, 10]);
    assert_eq!(after(Lane::Urgent, 0), [1]);
    assert!(after(Lane::Urgent, u64::MAX).is_empty());
}

#[test]
fn a_store_has_one_identity() {
    let lab = Lab::new();
    lab.store.write_blocking(enrol).unwrap_err();
}

#[test]
fn what_was_there_before_the_log_enters_it_once_in_steps_that_survive_a_restart() {
    // given: rows from before the enrolment, one of a table that stays on the box
    let lab = Lab::on(Disk::formatted());
    lab.put(&(1..6).map(|id| note(id, 1)).collect::<Vec<_>>()).unwrap();
    lab.store.write_blocking(|tx, _| tx.put(&Local { id: 1, value: 1 })).unwrap();
    lab.store.write_blocking(enrol).unwrap();
    let step = |lab: &Lab| {
        lab.store
            .write_blocking(|tx, _| relog::step(tx, &[TableInfo::of::<Note>(), TableInfo::of::<Local>()], 3))
            .unwrap()
    };
    // when: it is stopped between, and a row that has entered changes while others wait
    assert!(!step(&lab));
    let lab = lab.reopened();
    lab.put(&[note(1, 2)]).unwrap();
    while !step(&lab) {}
    // then: each is in the log, the changed one with what it is now
    let snapshot = lab.store.read().unwrap();
    assert!(!relog::pending(&snapshot).unwrap());
    let mut keys: Vec<_> = entries(&snapshot, Lane::Bulk).into_iter().map(|entry| entry.key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys, (1..6).map(|id| Key::new().number(id).as_bytes().to_vec()).collect::<Vec<_>>());
    assert!(entries(&snapshot, Lane::Bulk).iter().all(|entry| entry.digest != [0; 16]));
    assert_log_is_sound(&snapshot);
}
