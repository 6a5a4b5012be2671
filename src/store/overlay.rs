//! The writes of one command before they are flushed, and reading through them.
//!
//! Must not know records: keys and values are bytes here.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::store::fault::Fault;
use crate::store::merge::{Over, Written};
use crate::store::read::{Pair, Range, Read, Space};

/// Pending writes of one space; `None` deletes.
type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// One space of the overlay.
#[derive(Debug, Default)]
struct Layer {
    writes: Writes,
    /// Nothing of the base is left: the writes are all there is.
    cleared: bool,
}

/// The pending writes of one command.
#[derive(Debug, Default)]
pub(in crate::store) struct Overlay {
    rows: Layer,
    indexes: Layer,
    changes: Layer,
}

impl Overlay {
    const fn layer(&self, space: Space) -> &Layer {
        match space {
            Space::Rows => &self.rows,
            Space::Indexes => &self.indexes,
            Space::Changes => &self.changes,
        }
    }

    const fn layer_mut(&mut self, space: Space) -> &mut Layer {
        match space {
            Space::Rows => &mut self.rows,
            Space::Indexes => &mut self.indexes,
            Space::Changes => &mut self.changes,
        }
    }

    /// Keys written.
    pub(in crate::store) fn len(&self) -> usize {
        Space::ALL.iter().map(|space| self.layer(*space).writes.len()).sum()
    }

    /// Writes a value, or deletes it.
    pub(in crate::store) fn write(&mut self, space: Space, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.layer_mut(space).writes.insert(key, value);
    }

    /// Deletes everything in a space, however much it is.
    pub(in crate::store) fn clear(&mut self, space: Space) {
        *self.layer_mut(space) = Layer { writes: Writes::new(), cleared: true };
    }

    /// Whether a space is to be emptied before its writes.
    pub(in crate::store) const fn is_cleared(&self, space: Space) -> bool {
        self.layer(space).cleared
    }

    /// What was written at a key: `None` for nothing, `Some(None)` for a deletion.
    pub(in crate::store) fn written(&self, space: Space, key: &[u8]) -> Option<Option<&[u8]>> {
        self.layer(space).writes.get(key).map(Option::as_deref)
    }

    /// The writes of a space in key order.
    pub(in crate::store) fn writes(&self, space: Space) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.layer(space).writes.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// The value at a key, through the overlay.
    pub(in crate::store) fn get(&self, base: &dyn Read, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.written(space, key) {
            Some(written) => Ok(written.map(<[u8]>::to_vec)),
            None if self.layer(space).cleared => Ok(None),
            None => base.raw_get(space, key),
        }
    }

    /// At most `limit` pairs of a range, through the overlay.
    pub(in crate::store) fn scan(
        &self,
        base: &dyn Read,
        space: Space,
        range: &Range,
        limit: usize,
    ) -> Result<Vec<Pair>, Fault> {
        let layer = self.layer(space);
        let own = layer.range(range);
        let below = match (layer.cleared, own.len()) {
            (true, _) => Vec::new(),
            (false, 0) => return base.raw_scan(space, range, limit),
            // Each own write can hide one pair at most, so so many more of the base are enough.
            (false, hidden) => base.raw_scan(space, range, limit.saturating_add(hidden))?,
        };
        Over::new(below.into_iter().map(Ok), own.into_iter(), range.backwards).take(limit).collect()
    }
}

impl Layer {
    /// The writes of a range, in its direction.
    fn range(&self, range: &Range) -> Vec<Written> {
        let start = Bound::Included(range.start.as_slice());
        let end = match &range.end {
            Some(end) if *end <= range.start => return Vec::new(),
            Some(end) => Bound::Excluded(end.as_slice()),
            None => Bound::Unbounded,
        };
        let own = self.writes.range::<[u8], _>((start, end));
        let mut own: Vec<_> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
        if range.backwards {
            own.reverse();
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(keys: &[u8]) -> Vec<Pair> {
        keys.iter().map(|k| (vec![*k], vec![0])).collect()
    }

    /// A base that has one pair.
    struct One;

    impl Read for One {
        fn raw_get(&self, _: Space, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
            Ok((key == [1]).then(|| vec![0]))
        }
        fn raw_scan(&self, _: Space, _: &Range, _: usize) -> Result<Vec<Pair>, Fault> {
            Ok(pairs(&[1]))
        }
    }

    #[test]
    fn of_a_space_that_was_cleared_only_own_writes_are_left() {
        let all = Range { start: vec![], end: None, backwards: false };
        let mut overlay = Overlay::default();
        overlay.write(Space::Changes, vec![3], Some(vec![9]));
        overlay.clear(Space::Changes);
        overlay.write(Space::Changes, vec![2], Some(vec![9]));
        assert_eq!(overlay.get(&One, Space::Changes, &[1]), Ok(None));
        assert_eq!(overlay.scan(&One, Space::Changes, &all, 9), Ok(vec![(vec![2], vec![9])]));
        assert_eq!(overlay.get(&One, Space::Rows, &[1]), Ok(Some(vec![0])), "other spaces are as they were");
    }
}
