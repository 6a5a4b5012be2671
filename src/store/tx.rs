//! The transaction of one command: an overlay that is dropped whole when the command is refused.
//!
//! `put` and `delete` are the one write path: row, index entries and change-log entry move together.
//! Must not know why a row is written.

use std::collections::BTreeMap;

use crate::base::entropy::Entropy;
use crate::base::notice::Notice;
use crate::store::change::{Op, lane_number};
use crate::store::fault::Fault;
use crate::store::index::{Index, Indexes};
use crate::store::key::Key;
use crate::store::overlay::Overlay;
use crate::store::read::{Pair, Range, Read, ReadExt, Space, row_key};
use crate::store::record::{Record, decode, encode};

/// A command may write at most so many keys: a batch of an import, with room.
pub const MAX_WRITES: usize = 100_000;

/// One command's view of the store and its pending writes.
pub struct Tx<'a> {
    base: &'a dyn Read,
    entropy: &'a dyn Entropy,
    written: Written,
}

/// A lane's stored number; orders the changes of one command by lane.
pub(in crate::store) type LaneNumber = u8;

/// What a command leaves to be flushed.
#[derive(Debug, Default)]
pub(in crate::store) struct Written {
    pub(in crate::store) overlay: Overlay,
    /// The last thing that happened to each row, by lane and `table ‖ key`.
    pub(in crate::store) changes: BTreeMap<(LaneNumber, Vec<u8>), Op>,
    pub(in crate::store) notices: Vec<Notice>,
}

impl<'a> Tx<'a> {
    pub(in crate::store) fn new(base: &'a dyn Read, entropy: &'a dyn Entropy) -> Self {
        Self { base, entropy, written: Written::default() }
    }

    pub(in crate::store) fn into_written(self) -> Written {
        self.written
    }

    /// The randomness of this command: ids and nonces.
    #[must_use]
    pub fn entropy(&self) -> &'a dyn Entropy {
        self.entropy
    }

    /// Writes a row, its index entries and its change-log entry, all or none. The same row again changes nothing.
    ///
    /// # Errors
    /// [`Fault::Duplicate`] where a unique index has the value for another row; [`Fault`] where the old row cannot be read.
    pub fn put<R: Record>(&mut self, record: &R) -> Result<(), Fault> {
        let key = record.key();
        let stored = encode(record)?;
        let place = row_key(R::TABLE, key.as_bytes());
        let before = self.raw_get(Space::Rows, &place)?;
        if before.as_deref() == Some(&stored) {
            return Ok(());
        }
        let old_entries = match before {
            Some(before) => entries_of(&decode::<R>(key.as_bytes(), &before)?, &key),
            None => Vec::new(),
        };
        let new_entries = entries_of(record, &key);
        for (index, entry) in &new_entries {
            if index.unique
                && let Some(holder) = self.raw_get(Space::Indexes, entry)?
                && holder != key.as_bytes()
            {
                return Err(Fault::Duplicate { table: R::TABLE.name, index: index.number });
            }
        }
        self.room(1 + old_entries.len() + new_entries.len())?;
        for entry in old_entries.iter().filter(|entry| !new_entries.contains(entry)) {
            self.write(Space::Indexes, entry.1.clone(), None);
        }
        for entry in new_entries.into_iter().filter(|entry| !old_entries.contains(entry)) {
            self.write(Space::Indexes, entry.1, Some(key.as_bytes().to_vec()));
        }
        self.note::<R>(&place, Op::Put);
        self.write(Space::Rows, place, Some(stored));
        Ok(())
    }

    /// Deletes the row at a key, its index entries, and logs it. Nothing there: nothing happens.
    ///
    /// # Errors
    /// [`Fault`] where the row cannot be read.
    pub fn delete<R: Record>(&mut self, key: &Key) -> Result<(), Fault> {
        let Some(old) = self.get::<R>(key)? else { return Ok(()) };
        let entries = entries_of(&old, key);
        self.room(1 + entries.len())?;
        for (_, entry) in entries {
            self.write(Space::Indexes, entry, None);
        }
        let place = row_key(R::TABLE, key.as_bytes());
        self.note::<R>(&place, Op::Delete);
        self.write(Space::Rows, place, None);
        Ok(())
    }

    /// Tells what this command made true. Handed on after the commit, in commit order; dropped with a refused command.
    pub fn notify(&mut self, notice: Notice) {
        if !self.written.notices.contains(&notice) {
            self.written.notices.push(notice);
        }
    }

    /// Enters an unchanged row into the change log, so that it is sent again.
    pub(in crate::store) fn relog(&mut self, lane: LaneNumber, place: Vec<u8>) {
        self.written.changes.entry((lane, place)).or_insert(Op::Put);
    }

    /// Lays down a stored pair as it is, for [`crate::store::bulk`] alone.
    pub(in crate::store) fn lay(&mut self, space: Space, key: Vec<u8>, value: Vec<u8>) {
        self.write(space, key, Some(value));
    }

    /// Removes an entry of the change log.
    pub(in crate::store) fn forget_change(&mut self, key: &Key) -> Result<(), Fault> {
        self.room(1)?;
        self.write(Space::Changes, key.as_bytes().to_vec(), None);
        Ok(())
    }

    /// Empties the change log, however long it is.
    pub(in crate::store) fn forget_all_changes(&mut self) {
        self.written.overlay.clear(Space::Changes);
    }

    fn note<R: Record>(&mut self, place: &[u8], op: Op) {
        if let Some(upstream) = R::UPSTREAM {
            self.written.changes.insert((lane_number(upstream.lane), place.to_vec()), op);
        }
    }

    /// Looked at before the first write of a row, so that no row is left half written.
    fn room(&self, writes: usize) -> Result<(), Fault> {
        if self.written.overlay.len() + writes > MAX_WRITES {
            return Err(Fault::Corrupt { table: "store", reason: "one command writes more than a command may" });
        }
        Ok(())
    }

    fn write(&mut self, space: Space, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.written.overlay.write(space, key, value);
    }
}

fn entries_of<R: Record>(record: &R, key: &Key) -> Vec<(Index, Vec<u8>)> {
    let mut indexes = Indexes::new(R::TABLE, key.as_bytes());
    record.indexes(&mut indexes);
    indexes.into_entries()
}

impl Read for Tx<'_> {
    fn raw_get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.written.overlay.get(self.base, space, key)
    }

    fn raw_scan(&self, space: Space, range: &Range, limit: usize) -> Result<Vec<Pair>, Fault> {
        self.written.overlay.scan(self.base, space, range, limit)
    }
}
