//! A command that bears a key is done once.

use std::time::Duration;

use whotbox::base::time::Timestamp;
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
use whotbox::store::once::{Done, KeyReused, OnceKey, REMEMBERED, forget, once};
use whotbox::store::read::ReadExt;
use whotbox::store::tx::Tx;
use whotbox::store::writer::AsFault;

use super::lab::{Lab, Local, assert_log_is_sound, together};

#[derive(Debug, PartialEq, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Reused(#[from] KeyReused),
    #[error("no")]
    No,
}

impl AsFault for Refused {
    fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }
}

const KEY: OnceKey = OnceKey { key: [1; 32], request: [2; 32] };

/// Adds one to a counter and answers with what it was; refuses where told.
fn add(
    key: OnceKey,
    refuse: bool,
) -> impl FnOnce(&mut Tx<'_>, Timestamp) -> Result<Done<u64>, Refused> + Send + 'static {
    move |tx, now| {
        once(tx, now, Some(key), |tx| {
            let value = tx.get::<Local>(&Key::new().number(0))?.map_or(0, |row| row.value);
            tx.put(&Local { id: 0, value: value + 1 })?;
            if refuse { Err(Refused::No) } else { Ok(value) }
        })
    }
}

fn ask(lab: &Lab, key: OnceKey) -> Result<Done<u64>, Refused> {
    lab.store.write_blocking(add(key, false))
}

const fn first(reference: u64) -> Done<u64> {
    Done { reference, replayed: false }
}

const fn again(reference: u64) -> Done<u64> {
    Done { reference, replayed: true }
}

#[test]
fn the_same_key_is_done_once_and_answered_alike() {
    let lab = Lab::new();
    assert_eq!(ask(&lab, KEY), Ok(first(0)));
    assert_eq!(ask(&lab, KEY), Ok(again(0)));
    let lab = lab.reopened();
    assert_eq!(ask(&lab, KEY), Ok(again(0)));
    assert_eq!(ask(&lab, OnceKey { key: [3; 32], ..KEY }), Ok(first(1)), "another key is another command");
}

#[test]
fn the_same_key_twice_in_one_commit_is_done_once() {
    let lab = Lab::new();
    let fault = |refused| if let Refused::Fault(fault) = refused { fault } else { Fault::Busy };
    let command = || move |tx: &mut Tx<'_>, now| add(KEY, false)(tx, now).map_err(fault);
    assert_eq!(together(&lab.store, vec![command(), command()]), [Ok(first(0)), Ok(again(0))]);
}

#[test]
fn the_same_key_for_another_request_is_refused() {
    let lab = Lab::new();
    ask(&lab, KEY).unwrap();
    assert_eq!(ask(&lab, OnceKey { request: [9; 32], ..KEY }), Err(Refused::Reused(KeyReused)));
    assert_eq!(ask(&lab, KEY), Ok(again(0)));
}

#[test]
fn a_refusal_is_not_remembered() {
    let lab = Lab::new();
    assert_eq!(lab.store.write_blocking(add(KEY, true)), Err(Refused::No));
    assert_eq!(ask(&lab, KEY), Ok(first(0)));
}

#[test]
fn a_key_is_free_again_after_its_time_and_is_forgotten() {
    let lab = Lab::new();
    ask(&lab, KEY).unwrap();
    lab.clock.advance(REMEMBERED - Duration::from_secs(1));
    ask(&lab, OnceKey { key: [3; 32], ..KEY }).unwrap();
    assert_eq!(ask(&lab, KEY), Ok(again(0)), "a second before");
    lab.clock.advance(Duration::from_secs(1));
    // Only the first is due; and whether it was forgotten or not, its key is free.
    let forgotten = |lab: &Lab| lab.store.write_blocking(|tx, now| forget(tx, now, 10)).unwrap();
    assert_eq!([forgotten(&lab), forgotten(&lab)], [1, 0]);
    assert_eq!(ask(&lab, KEY), Ok(first(2)));
    lab.clock.advance(REMEMBERED);
    assert_eq!(ask(&lab, OnceKey { request: [9; 32], ..KEY }), Ok(first(3)), "not even its request binds it");
    assert_eq!(forgotten(&lab), 1);
    assert_log_is_sound(&lab.store.read().unwrap());
}

#[test]
fn a_clock_that_is_set_back_does_not_do_a_command_again() {
    let lab = Lab::new();
    ask(&lab, KEY).unwrap();
    lab.clock.set(super::lab::START.minus(Duration::from_secs(3600)), false);
    assert_eq!(ask(&lab, KEY), Ok(again(0)));
}
