//! Commits as their users see them: order, refusals, notices, the queue's bound, closing, and readers beside them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use whotbox::base::digest::sha256;
use whotbox::base::id::GameId;
use whotbox::base::notice::Notice;
use whotbox::base::time::ManualClock;
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
use whotbox::store::once::{KeyReused, OnceKey, once};
use whotbox::store::page::Page;
use whotbox::store::read::ReadExt;
use whotbox::store::tx::Tx;
use whotbox::store::writer::{MAX_QUEUE, Store};

use super::disk::Disk;
use super::lab::{
    Gate, Lab, Local, Note, START, assert_log_is_sound, dump, enrol, note, queue, settings, together, wait,
};

fn local(read: &impl ReadExt, id: u64) -> Option<u64> {
    read.get::<Local>(&Key::new().number(id)).unwrap().map(|row| row.value)
}

/// An error of [`once`] that is the store's.
#[derive(Debug)]
struct Told(Fault);

impl From<Fault> for Told {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl From<KeyReused> for Told {
    fn from(_: KeyReused) -> Self {
        Self(Fault::Busy)
    }
}

fn game(number: u128) -> Notice {
    Notice::Game(GameId::from_uuid(uuid::Uuid::from_u128(number)))
}

#[test]
fn commands_of_one_commit_see_those_before_them_and_not_what_was_refused() {
    let lab = Lab::new();
    let commits = lab.store.figures().commits;
    let add = |refused: bool| {
        move |tx: &mut Tx<'_>, _| {
            let value = local(tx, 0).unwrap_or(0) + 1;
            tx.put(&Local { id: 0, value })?;
            if refused { Err(Fault::Busy) } else { Ok(value) }
        }
    };
    let answers = together(&lab.store, vec![add(false), add(true), add(false), add(true), add(false)]);
    assert_eq!(answers, [Ok(1), Err(Fault::Busy), Ok(2), Err(Fault::Busy), Ok(3)]);
    assert_eq!(local(&lab.store.read().unwrap(), 0), Some(3));
    assert_eq!(lab.store.figures().commits, commits + 1, "all of it was one commit");
}

#[test]
fn a_command_is_never_done_at_a_time_before_it_was_queued() {
    // given: a command that comes while the batch it joins is running already
    let lab = Lab::new();
    let gate = Gate::shut(&lab.store);
    lab.clock.advance(Duration::from_secs(10));
    let answer = queue(&lab.store, |_, now| Ok(now));
    // then
    gate.open().unwrap();
    assert_eq!(wait(answer), Ok(START.plus(Duration::from_secs(10))));
}

#[test]
fn refusals_alone_write_nothing() {
    let lab = Lab::new();
    let (events, commits) = (lab.disk.events(), lab.store.figures().commits);
    let refused: Result<(), Fault> = lab.store.write_blocking(|tx, _| {
        tx.put(&Local { id: 0, value: 1 })?;
        Err(Fault::Busy)
    });
    assert_eq!(refused, Err(Fault::Busy));
    assert_eq!(lab.store.figures().commits, commits);
    assert_eq!(lab.disk.events(), events, "nothing reached the disk");
}

#[test]
fn the_same_row_again_changes_nothing() {
    let lab = Lab::new();
    lab.put(&[note(1, 1)]).unwrap();
    let commits = lab.store.figures().commits;
    lab.put(&[note(1, 1)]).unwrap();
    lab.store.write_blocking(|tx, _| tx.delete::<Note>(&Key::new().number(2))).unwrap();
    assert_eq!(lab.store.figures().commits, commits);
}

#[test]
fn a_panic_in_a_command_is_its_own_and_the_others_go_on() {
    let lab = Lab::new();
    let command = |id: u64| {
        move |tx: &mut Tx<'_>, _| {
            tx.put(&Local { id, value: id })?;
            assert!(id != 2, "a bug");
            Ok(())
        }
    };
    let answers = together(&lab.store, vec![command(1), command(2), command(3)]);
    assert_eq!(answers, [Ok(()), Err(Fault::Panicked), Ok(())]);
    let snapshot = lab.store.read().unwrap();
    assert_eq!([1, 2, 3].map(|id| local(&snapshot, id)), [Some(1), None, Some(3)]);
    lab.put(&[note(1, 1)]).unwrap();
}

#[test]
fn a_listener_that_panics_stops_nothing() {
    let clock = Arc::new(ManualClock::at(START));
    let told = Arc::new(AtomicU64::new(0));
    let count = told.clone();
    let listener = move |_| {
        assert!(count.fetch_add(1, Ordering::SeqCst) != 0, "a bug");
    };
    let store = Store::open(settings(Arc::new(Disk::formatted()), &clock, listener)).unwrap();
    for id in 0..3 {
        let answer = store.write_blocking(move |tx, _| {
            tx.notify(game(1));
            tx.notify(game(2));
            tx.put(&Local { id, value: 1 })
        });
        assert_eq!(answer, Ok(()));
    }
    store.close();
    assert_eq!(told.load(Ordering::SeqCst), 6, "the panic lost one notice and no other");
}

/// A notice, and what the store held when it came.
type Heard = (Notice, Option<u64>);

#[test]
fn notices_come_after_the_commit_in_its_order_and_never_from_a_refusal() {
    // given: a listener that looks into the store when it is told
    let looks: Arc<OnceLock<Store>> = Arc::default();
    let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
    let (look, hear) = (looks.clone(), heard.clone());
    let clock = Arc::new(ManualClock::at(START));
    let listener = move |notice| {
        let seen = local(&look.get().unwrap().read().unwrap(), 0);
        hear.lock().unwrap().push((notice, seen));
    };
    let store = Store::open(settings(Arc::new(Disk::formatted()), &clock, listener)).unwrap();
    looks.set(store.clone()).ok().unwrap();
    // when
    let command = |value: u64| {
        move |tx: &mut Tx<'_>, _| {
            tx.put(&Local { id: 0, value })?;
            tx.notify(game(value.into()));
            tx.notify(game(value.into()));
            if value == 2 { Err(Fault::Busy) } else { Ok(()) }
        }
    };
    together(&store, vec![command(1), command(2), command(3)]);
    together(&store, vec![command(4)]);
    // then: each was told once, when what it tells could be read
    store.close();
    assert_eq!(*heard.lock().unwrap(), [(game(1), Some(3)), (game(3), Some(3)), (game(4), Some(4))]);
}

#[test]
fn a_full_queue_refuses_at_once_and_what_is_in_it_is_done() {
    let lab = Lab::new();
    let gate = Gate::shut(&lab.store);
    let add = |tx: &mut Tx<'_>, _| {
        let value = local(tx, 0).unwrap_or(0) + 1;
        tx.put(&Local { id: 0, value })
    };
    let queued: Vec<_> = (0..MAX_QUEUE).map(|_| queue(&lab.store, add)).collect();
    assert_eq!(lab.store.figures().queued, MAX_QUEUE as u64);
    assert_eq!(wait(queue(&lab.store, add)), Err(Fault::Busy));
    gate.open().unwrap();
    assert!(queued.into_iter().map(wait).all(|answer| answer.is_ok()));
    assert_eq!(local(&lab.store.read().unwrap(), 0), Some(MAX_QUEUE as u64));
    assert_eq!(lab.store.figures().queued, 0);
}

#[test]
fn closing_finishes_what_waits_and_refuses_what_comes_later() {
    let lab = Lab::new();
    let gate = Gate::shut(&lab.store);
    let queued: Vec<_> = (0..10).map(|id| queue(&lab.store, move |tx, _| tx.put(&note(id, 1)))).collect();
    std::thread::scope(|scope| {
        // Two close at once: both return only when all is done.
        let closers: Vec<_> = (0..2).map(|_| scope.spawn(|| lab.store.close())).collect();
        gate.open().unwrap();
        closers.into_iter().for_each(|closer| closer.join().unwrap());
    });
    assert!(queued.into_iter().map(wait).all(|answer| answer.is_ok()));
    assert_eq!(lab.put(&[note(11, 1)]), Err(Fault::Closed));
    assert_eq!(lab.store.read().err(), Some(Fault::Closed));
    let lab = Lab::on(lab.disk);
    assert_eq!(lab.store.read().unwrap().list::<Note>(&Key::new(), &Page::first(100)).unwrap().items.len(), 10);
}

#[test]
fn a_command_may_hold_the_last_handle() {
    let Lab { store, disk, .. } = Lab::new();
    let (gone, is_gone) = std::sync::mpsc::channel();
    let handle = store.clone();
    let answer = queue(&store, move |tx, _| {
        let held = handle;
        is_gone.recv().unwrap();
        drop(held);
        tx.put(&note(1, 1))
    });
    drop(store);
    gone.send(()).unwrap();
    // `answer` has a handle too until it is given; then the last one goes.
    assert_eq!(wait(answer), Ok(()));
    let lab = Lab::on(disk);
    assert!(lab.store.read().unwrap().get::<Note>(&Key::new().number(1)).unwrap().is_some());
}

#[test]
fn readers_beside_writers_and_checkpoints_see_whole_commands_only() {
    let lab = Lab::opened(Disk::formatted(), true);
    lab.store.write_blocking(enrol).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for value in 1..200 {
                let write = lab.store.write_blocking(move |tx, _| {
                    (0..5).try_for_each(|id| tx.put(&Local { id, value }))?;
                    // Now and then more than the journal takes.
                    let body = vec![1; if value % 25 == 0 { 100_000 } else { 40 }];
                    tx.put(&Note { body, ..note(value, 1) })
                });
                write.unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut last = None;
        while !done.load(Ordering::SeqCst) {
            let snapshot = lab.store.read().unwrap();
            let values = [0, 1, 2, 3, 4].map(|id| local(&snapshot, id));
            assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
            assert!(values[0] >= last, "a later snapshot is never older");
            let notes = snapshot.list::<Note>(&Key::new(), &Page::first(1000)).unwrap().items.len();
            assert_eq!(values[0].unwrap_or(0), notes as u64);
            assert_log_is_sound(&snapshot);
            last = values[0];
        }
    });
    assert!(lab.store.figures().checkpoints > 8, "{:?}", lab.store.figures());
}

#[test]
fn a_snapshot_stays_as_it_was_over_later_commits_and_checkpoints() {
    for beside in [false, true] {
        a_snapshot_stays_as_it_was(Lab::opened(Disk::formatted(), beside));
    }
}

fn a_snapshot_stays_as_it_was(lab: Lab) {
    lab.store.write_blocking(enrol).unwrap();
    lab.put(&[note(1, 1), note(2, 1)]).unwrap();
    let old = lab.store.read().unwrap();
    let before = dump(&old);
    // when: rows change and go, in the journal, in a checkpoint, and in a commit that outgrows the journal
    let checkpoints = lab.store.figures().checkpoints;
    for step in 0..60 {
        lab.put(&[Note { body: vec![9; if step == 30 { 100_000 } else { 40 }], ..note(1, 2) }, note(step, 3)]).unwrap();
        lab.store.write_blocking(|tx, _| tx.delete::<Note>(&Key::new().number(2))).unwrap();
        assert_eq!(dump(&old), before, "step {step}");
    }
    // then
    let now = dump(&lab.store.read().unwrap());
    assert_ne!(now, before);
    assert!(lab.store.figures().checkpoints > checkpoints + 2);
    assert_eq!(dump(&lab.reopened().store.read().unwrap()), now);
}

#[test]
fn a_commit_of_64_hands_the_kernel_at_most_12_bytes_for_one_of_payload() {
    // given: a store with some thousand messages, whose keys grow, and a journal as a box has it, but shorter
    let lab = Lab::on(Disk::with_journal(1 << 20));
    lab.store.write_blocking(enrol).unwrap();
    let message = |id: u64| Note { body: vec![1; 660], ..note(id, u8::try_from(id % 200).unwrap()) };
    let post = |id: u64| {
        move |tx: &mut Tx<'_>, now| {
            let key = OnceKey { key: sha256(&[&id.to_be_bytes()]), request: [0; 32] };
            once(tx, now, Some(key), |tx| tx.put(&message(id)).map(|()| id).map_err(Told))
                .map(drop)
                .map_err(|told| told.0)
        }
    };
    (0..4).for_each(|part| drop(together(&lab.store, (part * 1000..part * 1000 + 1000).map(post).collect())));
    // when
    let began = lab.store.figures();
    let before = lab.disk.written();
    (0..40).for_each(|part| drop(together(&lab.store, (4000 + part * 64..4064 + part * 64).map(post).collect())));
    // then: what the journal and its checkpoints wrote
    let figures = lab.store.figures();
    assert_eq!(figures.commits - began.commits, 40);
    assert!(figures.checkpoints - began.checkpoints >= 4, "{figures:?}");
    let payload = began.payload_bytes;
    let ratio = (lab.disk.written() - before) as f64 / (figures.payload_bytes - payload) as f64;
    println!("{ratio:.2} bytes for one of payload");
    assert!(ratio <= 12.0, "{ratio:.2}");
}
