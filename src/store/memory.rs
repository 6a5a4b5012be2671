//! What was committed since the last checkpoint: it is in the journal, and not yet in the tables.
//!
//! ```text
//!   reader at commit 7 ──▶ newest version ≤ 7 of a key here, else the tables below
//!   writer             ──▶ adds versions of commit 8, which nobody sees before 8 is on the disk
//! ```
//!
//! Every version of a key is kept until the checkpoint, so that a snapshot stays what it was. One thread writes; readers
//! never wait for it. Must not know what is in a row.

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::atomic::{self, AtomicU64};

use crossbeam_skiplist::SkipMap;
use crossbeam_skiplist::map::Entry;

use crate::store::merge::Written;
use crate::store::read::{Range, Space};

/// The number of a commit: 1 for the first of a store, and each time one more.
pub(in crate::store) type Seq = u64;

/// The commits since a checkpoint.
#[derive(Debug)]
pub(in crate::store) struct Memory {
    layers: [Layer; Space::ALL.len()],
    committed: AtomicU64,
}

/// One space.
#[derive(Debug)]
struct Layer {
    versions: SkipMap<Version, Option<Vec<u8>>>,
    /// The commit that emptied the space: nothing from before it is seen from then on.
    cleared: AtomicU64,
}

/// A key as of a commit. Of one key the newest comes first.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    key: Vec<u8>,
    seq: Seq,
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key).then(other.seq.cmp(&self.seq))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// No commit has emptied the space.
const NEVER: Seq = Seq::MAX;

impl Layer {
    fn new() -> Self {
        Self { versions: SkipMap::new(), cleared: AtomicU64::new(NEVER) }
    }

    fn cleared(&self) -> Seq {
        self.cleared.load(atomic::Ordering::Acquire)
    }
}

impl Memory {
    /// Nothing, over tables that hold everything up to a commit.
    pub(in crate::store) fn over(committed: Seq) -> Self {
        Self { layers: std::array::from_fn(|_| Layer::new()), committed: AtomicU64::new(committed) }
    }

    const fn layer(&self, space: Space) -> &Layer {
        let [rows, indexes, changes] = &self.layers;
        match space {
            Space::Rows => rows,
            Space::Indexes => indexes,
            Space::Changes => changes,
        }
    }

    /// The last commit that is on the disk.
    pub(in crate::store) fn committed(&self) -> Seq {
        self.committed.load(atomic::Ordering::Acquire)
    }

    /// Shows a commit to readers: it is on the disk.
    pub(in crate::store) fn publish(&self, seq: Seq) {
        self.committed.store(seq, atomic::Ordering::Release);
    }

    /// Whether nothing was written since the checkpoint.
    pub(in crate::store) fn is_empty(&self) -> bool {
        Space::ALL.iter().all(|space| self.layer(*space).versions.is_empty() && !self.is_cleared(*space, NEVER - 1))
    }

    /// Writes a value as of a commit, or deletes it.
    pub(in crate::store) fn write(&self, seq: Seq, space: Space, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.layer(space).versions.insert(Version { key, seq }, value);
    }

    /// Empties a space as of a commit, however much is below. A checkpoint has to follow before the next one.
    pub(in crate::store) fn clear(&self, seq: Seq, space: Space) {
        let layer = self.layer(space);
        for entry in layer.versions.iter().filter(|entry| entry.key().seq == seq) {
            entry.remove();
        }
        layer.cleared.store(seq, atomic::Ordering::Release);
    }

    /// Whether the tables' part of a space is gone, as of a commit.
    pub(in crate::store) fn is_cleared(&self, space: Space, at: Seq) -> bool {
        self.layer(space).cleared() <= at
    }

    /// What was written at a key, as of a commit: `None` for nothing, `Some(None)` for a deletion.
    pub(in crate::store) fn get(&self, at: Seq, space: Space, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let layer = self.layer(space);
        if layer.versions.is_empty() {
            return None;
        }
        let newest = Version { key: key.to_vec(), seq: at };
        let found = layer.versions.lower_bound(Bound::Included(&newest))?;
        (found.key().key == key && is_seen(layer.cleared(), at, found.key().seq)).then(|| found.value().clone())
    }

    /// What was written in a range, as of a commit, in the range's direction.
    pub(in crate::store) fn scan(
        &self,
        at: Seq,
        space: Space,
        range: &Range,
    ) -> Box<dyn Iterator<Item = Written> + '_> {
        let layer = self.layer(space);
        let first_of = |key: &Vec<u8>| Version { key: key.clone(), seq: Seq::MAX };
        let end = match &range.end {
            Some(end) if *end <= range.start => return Box::new(std::iter::empty()),
            Some(end) => Bound::Excluded(first_of(end)),
            None => Bound::Unbounded,
        };
        let found = layer.versions.range((Bound::Included(first_of(&range.start)), end));
        let cleared = layer.cleared();
        let seen = move |entry: &Entry<'_, Version, Option<Vec<u8>>>| is_seen(cleared, at, entry.key().seq);
        if range.backwards {
            Box::new(LastOfEach { versions: found.rev().filter(seen).peekable() })
        } else {
            Box::new(FirstOfEach { versions: found.filter(seen), last: None })
        }
    }

    /// The newest of everything in a space, in key order.
    pub(in crate::store) fn newest(&self, space: Space) -> Box<dyn Iterator<Item = Written> + '_> {
        self.scan(NEVER - 1, space, &Range { start: Vec::new(), end: None, backwards: false })
    }
}

/// Whether a version is seen as of a commit, in a space that another may have emptied.
const fn is_seen(cleared: Seq, at: Seq, seq: Seq) -> bool {
    seq <= at && (cleared > at || seq >= cleared)
}

type Held<'a> = Entry<'a, Version, Option<Vec<u8>>>;

fn pair(entry: &Held<'_>) -> Written {
    (entry.key().key.clone(), entry.value().clone())
}

/// Newest first within each key: the first version of each is the one that counts.
struct FirstOfEach<'a, I: Iterator<Item = Held<'a>>> {
    versions: I,
    last: Option<Held<'a>>,
}

impl<'a, I: Iterator<Item = Held<'a>>> Iterator for FirstOfEach<'a, I> {
    type Item = Written;

    fn next(&mut self) -> Option<Written> {
        let last = self.last.take();
        let found = self.versions.find(|entry| last.as_ref().is_none_or(|last| last.key().key != entry.key().key))?;
        let pair = pair(&found);
        self.last = Some(found);
        Some(pair)
    }
}

/// Oldest first within each key: the last version of each is the one that counts.
struct LastOfEach<'a, I: Iterator<Item = Held<'a>>> {
    versions: std::iter::Peekable<I>,
}

impl<'a, I: Iterator<Item = Held<'a>>> Iterator for LastOfEach<'a, I> {
    type Item = Written;

    fn next(&mut self) -> Option<Written> {
        let mut found = self.versions.next()?;
        while let Some(newer) = self.versions.next_if(|entry| entry.key().key == found.key().key) {
            found = newer;
        }
        Some(pair(&found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Range = Range { start: Vec::new(), end: None, backwards: false };
    const BACK: Range = Range { start: Vec::new(), end: None, backwards: true };

    fn keys(memory: &Memory, at: Seq, range: &Range) -> Vec<(u8, Option<u8>)> {
        let first = |(key, value): Written| (key[0], value.map(|value| value[0]));
        memory.scan(at, Space::Rows, range).map(first).collect()
    }

    fn put(memory: &Memory, seq: Seq, key: u8, value: Option<u8>) {
        memory.write(seq, Space::Rows, vec![key], value.map(|value| vec![value]));
    }

    #[test]
    fn a_snapshot_sees_each_key_as_of_its_commit_in_both_directions() {
        let memory = Memory::over(4);
        put(&memory, 5, 1, Some(15));
        put(&memory, 5, 2, Some(25));
        put(&memory, 6, 1, None);
        put(&memory, 7, 1, Some(17));
        put(&memory, 7, 3, Some(37));
        for (at, expected) in [
            (4, vec![]),
            (5, vec![(1, Some(15)), (2, Some(25))]),
            (6, vec![(1, None), (2, Some(25))]),
            (7, vec![(1, Some(17)), (2, Some(25)), (3, Some(37))]),
        ] {
            assert_eq!(keys(&memory, at, &ALL), expected, "at {at}");
            let back: Vec<_> = expected.iter().rev().copied().collect();
            assert_eq!(keys(&memory, at, &BACK), back, "at {at}, backwards");
            for key in 1..=3 {
                let listed = expected.iter().find(|(found, _)| *found == key).map(|(_, value)| value.map(|v| vec![v]));
                assert_eq!(memory.get(at, Space::Rows, &[key]), listed, "at {at}");
            }
        }
        let some = Range { start: vec![2], end: Some(vec![3]), backwards: false };
        assert_eq!(keys(&memory, 7, &some), [(2, Some(25))]);
        assert!(keys(&memory, 7, &Range { start: vec![3], end: Some(vec![2]), backwards: false }).is_empty());
    }

    #[test]
    fn of_a_space_that_was_emptied_only_what_was_written_since_is_seen() {
        let memory = Memory::over(1);
        put(&memory, 2, 1, Some(12));
        put(&memory, 3, 2, Some(23));
        memory.clear(3, Space::Rows);
        put(&memory, 3, 3, Some(33));
        assert_eq!(keys(&memory, 3, &ALL), [(3, Some(33))]);
        assert_eq!(memory.get(3, Space::Rows, &[1]), None);
        assert!(memory.is_cleared(Space::Rows, 3) && !memory.is_cleared(Space::Rows, 2));
        assert!(!memory.is_cleared(Space::Indexes, 3), "other spaces are as they were");
        assert_eq!(keys(&memory, 2, &ALL), [(1, Some(12))], "who looked before sees what was there");
    }
}
