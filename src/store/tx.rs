//! The transaction of one command: an overlay that is dropped whole when the command is refused.
//!
//! `put` and `delete` are the one write path: row, index entries and change-log entry move together.
//! Must not know why a row is written.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::base::entropy::Entropy;
use crate::base::notice::Notice;
use crate::store::change::Op;
use crate::store::fault::Fault;
use crate::store::index::Indexes;
use crate::store::key::Key;
use crate::store::read::{Pair, Range, Read, ReadExt, Space, row_key};
use crate::store::record::{Record, encode};

/// A command may write at most so many keys: a batch of an import, with room.
pub const MAX_WRITES: usize = 100_000;

/// One command's view of the store and its pending writes.
pub struct Tx<'a> {
    base: &'a dyn Read,
    entropy: &'a dyn Entropy,
    pending: BTreeMap<(Space, Vec<u8>), Option<Vec<u8>>>,
    changes: BTreeMap<(LaneNumber, u16, Vec<u8>), Op>,
    notices: Vec<Notice>,
}

/// A lane's stored number; orders the changes of one command by lane.
pub(in crate::store) type LaneNumber = u8;

/// What a command leaves to be flushed.
pub(in crate::store) struct Written {
    pub(in crate::store) pending: BTreeMap<(Space, Vec<u8>), Option<Vec<u8>>>,
    pub(in crate::store) changes: BTreeMap<(LaneNumber, u16, Vec<u8>), Op>,
    pub(in crate::store) notices: Vec<Notice>,
}

impl<'a> Tx<'a> {
    pub(in crate::store) fn new(base: &'a dyn Read, entropy: &'a dyn Entropy) -> Self {
        Self { base, entropy, pending: BTreeMap::new(), changes: BTreeMap::new(), notices: Vec::new() }
    }

    pub(in crate::store) fn into_written(self) -> Written {
        Written { pending: self.pending, changes: self.changes, notices: self.notices }
    }

    /// The randomness of this command: ids and nonces.
    #[must_use]
    pub fn entropy(&self) -> &'a dyn Entropy {
        self.entropy
    }

    /// Writes a row, its index entries and its change-log entry. The same row again changes nothing.
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
        let old = if before.is_some() { self.get::<R>(&key)? } else { None };
        let old_entries = old.as_ref().map(|old| entries_of(old, &key)).unwrap_or_default();
        let new_entries = entries_of(record, &key);
        for (index, entry) in &new_entries {
            if index.unique
                && let Some(holder) = self.raw_get(Space::Indexes, entry)?
                && holder != key.as_bytes()
            {
                return Err(Fault::Duplicate { table: R::TABLE.name, index: index.number });
            }
        }
        for entry in old_entries.iter().filter(|entry| !new_entries.contains(entry)) {
            self.write(Space::Indexes, entry.1.clone(), None)?;
        }
        for entry in new_entries.into_iter().filter(|entry| !old_entries.contains(entry)) {
            self.write(Space::Indexes, entry.1, Some(key.as_bytes().to_vec()))?;
        }
        self.write(Space::Rows, place, Some(stored))?;
        self.note::<R>(&key, Op::Put);
        Ok(())
    }

    /// Deletes the row at a key, its index entries, and logs it. Nothing there: nothing happens.
    ///
    /// # Errors
    /// [`Fault`] where the row cannot be read.
    pub fn delete<R: Record>(&mut self, key: &Key) -> Result<(), Fault> {
        let Some(old) = self.get::<R>(key)? else { return Ok(()) };
        for (_, entry) in entries_of(&old, key) {
            self.write(Space::Indexes, entry, None)?;
        }
        self.write(Space::Rows, row_key(R::TABLE, key.as_bytes()), None)?;
        self.note::<R>(key, Op::Delete);
        Ok(())
    }

    /// Tells what this command made true. Handed on after the commit, in commit order; dropped with a refused command.
    pub fn notify(&mut self, notice: Notice) {
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// Enters an unchanged row into the change log, so that it is sent again.
    pub(in crate::store) fn relog(&mut self, lane: LaneNumber, table: u16, key: Vec<u8>) {
        self.changes.entry((lane, table, key)).or_insert(Op::Put);
    }

    /// Removes an entry of the change log.
    pub(in crate::store) fn forget_change(&mut self, key: &Key) -> Result<(), Fault> {
        self.write(Space::Changes, key.as_bytes().to_vec(), None)
    }

    fn note<R: Record>(&mut self, key: &Key, op: Op) {
        if let Some(upstream) = R::UPSTREAM {
            let lane = crate::store::change::lane_number(upstream.lane);
            self.changes.insert((lane, R::TABLE.number, key.as_bytes().to_vec()), op);
        }
    }

    fn write(&mut self, space: Space, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), Fault> {
        if self.pending.len() >= MAX_WRITES {
            return Err(Fault::Corrupt { table: "store", reason: "one command writes more than a command may" });
        }
        self.pending.insert((space, key), value);
        Ok(())
    }
}

fn entries_of<R: Record>(record: &R, key: &Key) -> Vec<(crate::store::index::Index, Vec<u8>)> {
    let mut indexes = Indexes::new(R::TABLE, key.as_bytes());
    record.indexes(&mut indexes);
    indexes.into_entries()
}

impl Read for Tx<'_> {
    fn raw_get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.pending.get(&(space, key.to_vec())) {
            Some(written) => Ok(written.clone()),
            None => self.base.raw_get(space, key),
        }
    }

    fn raw_scan(&self, space: Space, range: &Range, limit: usize) -> Result<Vec<Pair>, Fault> {
        let own = self.own(space, range);
        if own.is_empty() {
            return self.base.raw_scan(space, range, limit);
        }
        // Each own write can hide or add one pair at most, so so many more of the base are enough.
        let base = self.base.raw_scan(space, range, limit.saturating_add(own.len()))?;
        Ok(merge(base, own, range.backwards, limit))
    }
}

impl Tx<'_> {
    /// The pending writes of a range, in its direction.
    fn own(&self, space: Space, range: &Range) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let start = Bound::Included((space, range.start.clone()));
        let end = match &range.end {
            Some(end) if *end <= range.start => return Vec::new(),
            Some(end) => Bound::Excluded((space, end.clone())),
            None => Bound::Unbounded,
        };
        let own = self.pending.range((start, end)).take_while(|((s, _), _)| *s == space);
        let mut own: Vec<_> = own.map(|((_, key), value)| (key.clone(), value.clone())).collect();
        if range.backwards {
            own.reverse();
        }
        own
    }
}

/// The base's pairs with the own writes over them. Both are in the same direction; own writes win.
fn merge(base: Vec<Pair>, own: Vec<(Vec<u8>, Option<Vec<u8>>)>, backwards: bool, limit: usize) -> Vec<Pair> {
    let mut out = Vec::with_capacity(limit.min(base.len() + own.len()));
    let (mut base, mut own) = (base.into_iter().peekable(), own.into_iter().peekable());
    while out.len() < limit {
        let order = match (base.peek(), own.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((b, _)), Some((o, _))) if backwards => o.cmp(b),
            (Some((b, _)), Some((o, _))) => b.cmp(o),
        };
        if order.is_lt() {
            out.extend(base.next());
        } else {
            if order.is_eq() {
                base.next();
            }
            if let Some((key, Some(value))) = own.next() {
                out.push((key, value));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(keys: &[u8]) -> Vec<Pair> {
        keys.iter().map(|k| (vec![*k], vec![0])).collect()
    }

    #[test]
    fn own_writes_hide_add_and_replace_in_both_directions() {
        let own = vec![(vec![1], Some(vec![9])), (vec![2], None), (vec![5], Some(vec![9]))];
        let merged = merge(pairs(&[2, 3, 5]), own.clone(), false, 10);
        assert_eq!(merged, vec![(vec![1], vec![9]), (vec![3], vec![0]), (vec![5], vec![9])]);
        let back = merge(pairs(&[5, 3, 2]), own.into_iter().rev().collect(), true, 2);
        assert_eq!(back, vec![(vec![5], vec![9]), (vec![3], vec![0])]);
    }
}
