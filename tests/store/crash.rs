//! Power cuts at every point of a run: no acknowledged command is lost, and none is half there.
//!
//! A script runs once on a disk that notes what is done to it. Then the history is played again and cut at every sync
//! and between, each time with other sectors lost, torn and reordered. A store opened on what is left must hold,
//! byte for byte, what it held after its last acknowledged commit, or after the one that was being made.

use std::time::Duration;

use replication::row::Lane;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use whotbox::base::time::Timestamp;
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
use whotbox::store::meta;
use whotbox::store::once::{KeyReused, OnceKey, once};
use whotbox::store::read::ReadExt;
use whotbox::store::tx::Tx;
use whotbox::store::writer::AsFault;

use super::disk::{Disk, Event, Player};
use super::lab::{Alarm, Dice, Dump, Lab, Local, Note, assert_log_is_sound, dump, enrol, full, note, seed, together};

/// What a run of a script left behind.
struct Run {
    /// The disk before it.
    image: Vec<u8>,
    history: Vec<Event>,
    /// How long the history was when a commit was acknowledged, and what the store held then.
    acknowledged: Vec<(usize, Dump)>,
    /// Checkpoints that the store made by itself.
    checkpoints: u64,
}

impl Run {
    /// Runs `steps` commits of random commands on a disk, with checkpoints beside them or between.
    fn of(disk: Disk, before: Dump, dice: &Dice, steps: usize, beside: bool) -> Self {
        let image = disk.bytes();
        let mut lab = Lab::opened(disk.clone(), beside);
        let mut acknowledged = vec![(0, before)];
        let mut checkpoints = 0;
        for step in 0..steps {
            if dice.once_in(8) {
                checkpoints += lab.store.figures().checkpoints;
                lab = lab.reopened();
            }
            let commands = (0..1 + dice.below(12)).map(|_| command(dice.below(1 << 48)));
            let answers = together(&lab.store, commands.collect());
            assert!(answers.iter().any(Result::is_ok) || answers.iter().all(Result::is_err));
            lab.clock.advance(Duration::from_secs(60 * step as u64));
            acknowledged.push((disk.events(), dump(&lab.store.read().unwrap())));
        }
        checkpoints += lab.store.figures().checkpoints;
        lab.store.close();
        Self { image, history: disk.history(), acknowledged, checkpoints }
    }

    /// A run of a new store.
    fn new(dice: &Dice, steps: usize, beside: bool) -> Self {
        let disk = Disk::formatted();
        let mut run = Self::of(disk, Dump::new(), dice, steps, beside);
        run.acknowledged.insert(0, (0, Dump::new()));
        run
    }

    /// What a store may hold after a cut at a point of the history.
    fn allowed(&self, point: usize) -> &[(usize, Dump)] {
        let acknowledged = self.acknowledged.iter().filter(|(events, _)| *events <= point).count();
        &self.acknowledged[acknowledged - 1..self.acknowledged.len().min(acknowledged + 1)]
    }

    /// Cuts the power at points of the history, `cuts` times at each, and says what is wrong with what is left.
    fn sweep(&self, lies: bool, dice: &Dice, one_in: u64, cuts: usize) -> Result<usize, String> {
        let mut player = Player::new(self.image.clone());
        player.lies = lies;
        let mut done = 0;
        for (point, event) in self.history.iter().enumerate() {
            if matches!(event, Event::Sync) || dice.once_in(one_in) {
                for _ in 0..cuts {
                    let image = player.cut(dice);
                    self.survives(point, image, dice).map_err(|wrong| format!("cut at {point}: {wrong}"))?;
                    done += 1;
                }
            }
            player.play(event);
        }
        Ok(done)
    }

    /// Whether a store opens on what a cut left, and holds what it must.
    fn survives(&self, point: usize, image: Vec<u8>, dice: &Dice) -> Result<(), String> {
        let opened = std::panic::catch_unwind(|| Lab::on(Disk::holding(image.clone())));
        let lab = opened.map_err(|_| "the store does not open")?;
        if lab.store.figures().repaired {
            return Err("the store had to be repaired".into());
        }
        let found = dump(&lab.store.read().map_err(|fault| fault.to_string())?);
        if !self.allowed(point).iter().any(|(_, allowed)| *allowed == found) {
            return Err(format!("{} keys are not what was acknowledged", found.len()));
        }
        if dice.once_in(4) {
            lab.store.write_blocking(command(dice.below(1 << 48))).ok();
            let snapshot = lab.store.read().map_err(|fault| fault.to_string())?;
            assert_log_is_sound(&snapshot);
        }
        Ok(())
    }
}

/// An idempotent command's error, which is the store's or its own.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Reused(#[from] KeyReused),
}

impl AsFault for Refused {
    fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Reused(_) => None,
        }
    }
}

/// A reference to an answer.
#[derive(Serialize, Deserialize)]
struct Answer(u64);

/// A random command: what it does follows from its number.
fn command(number: u64) -> impl FnOnce(&mut Tx<'_>, Timestamp) -> Result<(), Fault> + Send + 'static {
    move |tx, now| {
        let dice = Dice::new(number);
        let id = dice.below(60);
        match dice.below(10) {
            0 => tx.delete::<Note>(&Key::new().number(id)),
            1 => tx.put(&Alarm { id }),
            2 => add_one(tx),
            3 => {
                tx.put(&note(id, 9))?;
                Err(Fault::Busy)
            }
            4 => large(tx, &dice),
            5 => match meta::identity(tx) {
                Ok(_) if dice.once_in(3) => meta::start_log(tx, Uuid::from_u128(number.into())),
                Ok(_) => meta::acknowledge(tx, Lane::Bulk, dice.below(9), [0; 32]),
                Err(_) => enrol(tx, now),
            },
            _ => {
                let key = OnceKey { key: [u8::try_from(dice.below(40)).unwrap(); 32], request: [id as u8; 32] };
                let group = u8::try_from(dice.below(4)).unwrap();
                let done = once(tx, now, Some(key), |tx| {
                    tx.put(&note(id, group))?;
                    add_one(tx)?;
                    Ok::<_, Refused>(Answer(id))
                });
                done.map(drop).map_err(|refused| refused.as_fault().cloned().unwrap_or(Fault::Busy))
            }
        }
    }
}

fn add_one(tx: &mut Tx<'_>) -> Result<(), Fault> {
    let value = tx.get::<Local>(&Key::new().number(0))?.map_or(0, |counter| counter.value);
    tx.put(&Local { id: 0, value: value + 1 })
}

/// A row of several pages, so that the file grows and large pages are torn too.
fn large(tx: &mut Tx<'_>, dice: &Dice) -> Result<(), Fault> {
    let id = 100 + dice.below(6);
    let body = vec![u8::try_from(id).unwrap(); usize::try_from(dice.below(100_000)).unwrap()];
    tx.put(&Note { body, ..note(id, 5) })
}

#[track_caller]
fn assert_cuts_are_survived(beside: bool) {
    let dice = Dice::new(seed());
    let (steps, one_in, cuts, runs) = if full() { (120, 3, 4, 8) } else { (20, 12, 2, 1) };
    for _ in 0..runs {
        let run = Run::new(&dice, steps, beside);
        assert!(run.checkpoints > 0, "a cut in a checkpoint is a cut too");
        let cuts = run.sweep(false, &dice, one_in, cuts).unwrap();
        let (events, commits) = (run.history.len(), run.acknowledged.len());
        println!("{cuts} cuts in {events} events, {commits} commits, {} checkpoints", run.checkpoints);
    }
}

#[test]
fn a_power_cut_at_any_point_loses_nothing_acknowledged_and_leaves_nothing_half_done() {
    assert_cuts_are_survived(false);
}

#[test]
fn a_power_cut_while_a_checkpoint_runs_beside_the_commits_is_survived_too() {
    assert_cuts_are_survived(true);
}

#[test]
fn a_second_power_cut_soon_after_the_first_is_survived_too() {
    let dice = Dice::new(seed());
    for _ in 0..if full() { 40 } else { 4 } {
        let first = Run::new(&dice, 5, false);
        let point = usize::try_from(dice.below(first.history.len() as u64)).unwrap();
        let mut player = Player::new(first.image.clone());
        first.history[..point].iter().for_each(|event| player.play(event));
        let disk = Disk::holding(player.cut(&dice));
        let held = dump(&Lab::on(Disk::holding(disk.bytes())).store.read().unwrap());
        let second = Run::of(disk, held, &dice, 2, false);
        second.sweep(false, &dice, 6, 2).unwrap();
    }
}

#[test]
fn a_disk_that_lies_about_its_syncs_is_found_out() {
    // given: the same runs, on a disk that has not synced when it says so
    let dice = Dice::new(seed());
    let run = Run::new(&dice, 14, false);
    // then: the same test fails
    let wrong = run.sweep(true, &dice, 12, 2).unwrap_err();
    println!("found out: {wrong}");
}

#[test]
fn a_whole_commit_that_is_lost_is_found_out() {
    // given: a run whose last acknowledged commits never reached a disk that is sound otherwise
    let dice = Dice::new(seed());
    let run = Run::new(&dice, 14, false);
    let mut player = Player::new(run.image.clone());
    run.history[..run.acknowledged[8].0].iter().for_each(|event| player.play(event));
    let image = player.cut(&dice);
    // then: it passes for the moment of that cut, and for no later one
    run.survives(run.acknowledged[8].0, image.clone(), &dice).unwrap();
    run.survives(run.history.len(), image, &dice).unwrap_err();
}
