//! Snapshots: the store as it was at one commit. They never queue and never block a writer.

use std::sync::Arc;

use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition};

use crate::store::fault::Fault;
use crate::store::memory::{Memory, Seq};
use crate::store::merge::merge;
use crate::store::read::{Pair, Range, Read, Space};

type Guards<'a> = (redb::AccessGuard<'a, &'static [u8]>, redb::AccessGuard<'a, &'static [u8]>);
type Tree = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The tree of a space. Names and types are part of the file.
pub(in crate::store) const fn definition(space: Space) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(match space {
        Space::Rows => "rows",
        Space::Indexes => "indexes",
        Space::Changes => "changes",
    })
}

/// The store at one commit. Keep it for a request, not longer: it keeps old pages from being reused.
pub struct Snapshot {
    rows: Tree,
    indexes: Tree,
    changes: Tree,
    /// What was committed over the trees.
    memory: Arc<Memory>,
    at: Seq,
}

impl Snapshot {
    pub(in crate::store) fn of(database: &Database, memory: &Arc<Memory>, at: Seq) -> Result<Self, Fault> {
        let read = database.begin_read()?;
        Ok(Self {
            rows: read.open_table(definition(Space::Rows))?,
            indexes: read.open_table(definition(Space::Indexes))?,
            changes: read.open_table(definition(Space::Changes))?,
            memory: Arc::clone(memory),
            at,
        })
    }

    const fn tree(&self, space: Space) -> &Tree {
        match space {
            Space::Rows => &self.rows,
            Space::Indexes => &self.indexes,
            Space::Changes => &self.changes,
        }
    }
}

impl Read for Snapshot {
    fn raw_get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        if let Some(written) = self.memory.get(self.at, space, key) {
            return Ok(written);
        }
        if self.memory.is_cleared(space, self.at) {
            return Ok(None);
        }
        Ok(self.tree(space).get(key)?.map(|value| value.value().to_vec()))
    }

    fn raw_scan(&self, space: Space, range: &Range, limit: usize) -> Result<Vec<Pair>, Fault> {
        let written = self.memory.scan(self.at, space, range);
        let start = range.start.as_slice();
        let tree = self.tree(space);
        let below = match range.end.as_deref() {
            _ if self.memory.is_cleared(space, self.at) => {
                return merge(std::iter::empty(), written, range.backwards, limit);
            }
            Some(end) if end <= start => return Ok(Vec::new()),
            Some(end) => tree.range::<&[u8]>(start..end)?,
            None => tree.range::<&[u8]>(start..)?,
        };
        let pair = |entry: Result<Guards<'_>, redb::StorageError>| {
            let (key, value) = entry?;
            Ok((key.value().to_vec(), value.value().to_vec()))
        };
        if range.backwards {
            merge(below.rev().map(pair), written, true, limit)
        } else {
            merge(below.map(pair), written, false, limit)
        }
    }
}
