//! A disk in memory that can fail, fill up, and lose power.
//!
//! ```text
//!   write, set_len ──▶ seen at once by every reader, and noted in the history
//!   sync           ──▶ a mark in the history
//!   power cut at k ──▶ what is before the last mark ≤ k is there; of each write after it, any 512-byte sector is
//!                      there or not, in any order; the length is that of the mark or any later one
//! ```

use std::collections::BTreeSet;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{BackendError, StorageBackend};
use whotbox::store::medium::{self, Mark, Medium};

use super::lab::Dice;

/// Bytes of the journal: so few that a short test goes round it and outgrows it.
pub(crate) const JOURNAL: u64 = 16 * PAGE as u64;
/// Pages of the reserve.
const RESERVE: usize = 512;
/// What gets its place on the disk together.
const PAGE: usize = 4096;
/// What a power cut leaves whole or loses whole.
const SECTOR: usize = 512;

/// One thing that was done to the disk.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Write(u64, Vec<u8>),
    Len(u64),
    Sync,
}

/// A kind of call that can fail. Making the file longer is a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    Write,
    Sync,
    Open,
    /// Any write or sync.
    Either,
}

/// A failure to come.
#[derive(Debug)]
struct Failure {
    of: Broken,
    kind: io::ErrorKind,
    /// Calls of this kind that still succeed.
    skip: u32,
}

#[derive(Debug)]
struct State {
    bytes: Vec<u8>,
    /// Which pages were ever written: they have their place on the disk.
    written: BTreeSet<u64>,
    /// Bytes of the journal of a store that is made here.
    journal: u64,
    history: Vec<Event>,
    /// The handle that has the lock.
    locked: Option<u64>,
    failures: Vec<Failure>,
    /// Only what was written before can be written.
    full: bool,
    /// Pages beyond that: the reserve that was given free.
    spare: usize,
}

/// The disk. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Disk(Arc<Mutex<State>>, Arc<Mutex<Option<Mark>>>);

impl Disk {
    /// A disk with an empty database, as a medium makes it before the store sees it.
    pub(crate) fn formatted() -> Self {
        Self::with_journal(JOURNAL)
    }

    /// The same with a journal of so many bytes.
    pub(crate) fn with_journal(journal: u64) -> Self {
        let disk = Self::holding(Vec::new());
        disk.state().journal = journal;
        medium::format(Box::new(disk.handle()), journal).unwrap();
        disk.state().history.clear();
        disk
    }

    /// A disk that holds an image.
    pub(crate) fn holding(bytes: Vec<u8>) -> Self {
        let written = (0..bytes.len().div_ceil(PAGE) as u64).collect();
        let (history, failures) = (Vec::new(), Vec::new());
        let state = State { bytes, written, journal: JOURNAL, history, locked: None, failures, full: false, spare: 0 };
        Self(Arc::new(Mutex::new(state)), Arc::default())
    }

    /// What it holds.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// Takes out what was done to it.
    pub(crate) fn history(&self) -> Vec<Event> {
        self.state().history.clone()
    }

    /// How much was done to it.
    pub(crate) fn events(&self) -> usize {
        self.state().history.len()
    }

    /// Bytes that were handed to it.
    pub(crate) fn written(&self) -> u64 {
        let bytes = |event: &Event| if let Event::Write(_, data) = event { data.len() as u64 } else { 0 };
        self.state().history.iter().map(bytes).sum()
    }

    /// Fails the next call of a kind that has no failure to come yet, after `skip` of them.
    pub(crate) fn fail(&self, of: Broken, kind: io::ErrorKind, skip: u32) {
        self.state().failures.push(Failure { of, kind, skip });
    }

    /// No page that was never written can be written from now on, but for the reserve.
    pub(crate) fn fill(&self) {
        self.state().full = true;
    }

    /// There is room again.
    pub(crate) fn make_room(&self) {
        self.state().full = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn handle(&self) -> Handle {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Handle { disk: self.clone(), id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Medium for Disk {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        self.state().stumble(Broken::Open)?;
        Ok(Box::new(self.handle()))
    }

    fn journal_bytes(&self) -> u64 {
        self.state().journal
    }

    fn mark(&self) -> Option<Mark> {
        *self.1.lock().unwrap()
    }

    fn set_mark(&self, mark: Option<Mark>) -> io::Result<()> {
        *self.1.lock().unwrap() = mark;
        Ok(())
    }

    fn keep_reserve(&self) -> io::Result<()> {
        if self.state().full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn spend_reserve(&self) -> io::Result<()> {
        self.state().spare = RESERVE;
        Ok(())
    }
}

impl State {
    fn stumble(&mut self, what: Broken) -> io::Result<()> {
        let is_meant = |of| of == what || of == Broken::Either && what != Broken::Open;
        match self.failures.iter().position(|failure| is_meant(failure.of)) {
            Some(place) if self.failures[place].skip == 0 => Err(self.failures.remove(place).kind.into()),
            Some(place) => {
                self.failures[place].skip -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn has_room(&mut self, offset: u64, length: usize) -> bool {
        if !self.full {
            return true;
        }
        let new = pages(offset, length).filter(|page| !self.written.contains(page)).count();
        let left = self.spare.checked_sub(new);
        self.spare = left.unwrap_or(self.spare);
        left.is_some()
    }
}

/// The pages that a write touches.
fn pages(offset: u64, length: usize) -> std::ops::Range<u64> {
    offset / PAGE as u64..(offset + length as u64).div_ceil(PAGE as u64)
}

/// One opening of a disk.
#[derive(Debug)]
struct Handle {
    disk: Disk,
    id: u64,
}

impl Handle {
    fn lock(&self) -> bool {
        let mut state = self.disk.state();
        let free = state.locked.is_none_or(|holder| holder == self.id);
        if free {
            state.locked = Some(self.id);
        }
        free
    }
}

fn outside() -> io::Error {
    io::Error::from(io::ErrorKind::UnexpectedEof)
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.disk.state();
        let from = usize::try_from(offset).unwrap();
        out.copy_from_slice(state.bytes.get(from..from + out.len()).ok_or_else(outside)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.stumble(Broken::Write)?;
        state.bytes.resize(usize::try_from(len).unwrap(), 0);
        state.history.push(Event::Len(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.stumble(Broken::Sync)?;
        state.history.push(Event::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.stumble(Broken::Write)?;
        if !state.has_room(offset, data.len()) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        put(&mut state.bytes, offset, data);
        state.written.extend(pages(offset, data.len()));
        state.history.push(Event::Write(offset, data.to_vec()));
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.locked = state.locked.filter(|holder| *holder != self.id);
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(self.lock())
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(self.lock())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(self.disk.state().locked.is_some_and(|holder| holder != self.id))
    }
}

/// Writes into an image; what is beyond its end is cut off.
fn put(image: &mut [u8], offset: u64, data: &[u8]) {
    let from = usize::try_from(offset).unwrap();
    let to = image.len().min(from + data.len());
    if let Some(place) = image.get_mut(from..to) {
        place.copy_from_slice(&data[..place.len()]);
    }
}

/// What a disk holds while a history is played on it.
pub(crate) struct Player {
    /// What is there whatever happens.
    safe: Vec<u8>,
    /// What was done since the last sync.
    pending: Vec<Event>,
    /// A disk that says it has synced and has not: for the negative control.
    pub(crate) lies: bool,
}

impl Player {
    /// Starts with an image.
    pub(crate) fn new(image: Vec<u8>) -> Self {
        Self { safe: image, pending: Vec::new(), lies: false }
    }

    /// Plays one event.
    pub(crate) fn play(&mut self, event: &Event) {
        match event {
            Event::Sync if !self.lies => {
                for event in std::mem::take(&mut self.pending) {
                    apply(&mut self.safe, &event);
                }
            }
            Event::Sync => {}
            other => self.pending.push(other.clone()),
        }
    }

    /// What a power cut leaves now.
    pub(crate) fn cut(&self, dice: &Dice) -> Vec<u8> {
        let mut image = self.safe.clone();
        // A file can end where it ended at the sync, or wherever it was made to end since.
        let lens: Vec<_> = self.pending.iter().filter(|event| matches!(event, Event::Len(_))).collect();
        if let Some(len) = lens.get(usize::try_from(dice.below(lens.len() as u64 + 1)).unwrap()) {
            apply(&mut image, len);
        }
        let mut sectors = self.pending.iter().flat_map(sectors).collect::<Vec<_>>();
        match dice.below(8) {
            0 => {}
            1 => sectors.clear(),
            _ => {
                let lost = 1 + dice.below(15);
                sectors.retain(|_| dice.below(16) >= lost);
            }
        }
        if dice.once_in(2) {
            for from in (1..sectors.len()).rev() {
                sectors.swap(from, usize::try_from(dice.below(from as u64 + 1)).unwrap());
            }
        }
        sectors.into_iter().for_each(|(offset, data)| put(&mut image, offset, data));
        image
    }
}

fn apply(image: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Write(offset, data) => put(image, *offset, data),
        Event::Len(len) => image.resize(usize::try_from(*len).unwrap(), 0),
        Event::Sync => {}
    }
}

/// A write as the sectors it touches.
fn sectors(event: &Event) -> Vec<(u64, &[u8])> {
    let Event::Write(offset, data) = event else { return Vec::new() };
    let mut found = Vec::new();
    let (mut offset, mut rest) = (*offset, data.as_slice());
    while !rest.is_empty() {
        let length = rest.len().min(SECTOR - usize::try_from(offset).unwrap() % SECTOR);
        let (sector, later) = rest.split_at(length);
        found.push((offset, sector));
        (offset, rest) = (offset + length as u64, later);
    }
    found
}
