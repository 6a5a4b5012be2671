//! Snapshots: the store as it was at one commit. They never queue and never block a writer.

use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition};

use crate::store::fault::Fault;
use crate::store::read::{Pair, Range, Read, Space};

/// The three trees of the file. Names and types are part of the file.
pub(in crate::store) const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
/// See [`ROWS`].
pub(in crate::store) const INDEXES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("indexes");
/// See [`ROWS`].
pub(in crate::store) const CHANGES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("changes");

type Guards<'a> = (redb::AccessGuard<'a, &'static [u8]>, redb::AccessGuard<'a, &'static [u8]>);
type Tree = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The store at one commit. Keep it for a request, not longer: it keeps old pages from being reused.
pub struct Snapshot {
    rows: Tree,
    indexes: Tree,
    changes: Tree,
}

impl Snapshot {
    pub(in crate::store) fn of(database: &Database) -> Result<Self, Fault> {
        let read = database.begin_read()?;
        Ok(Self {
            rows: read.open_table(ROWS)?,
            indexes: read.open_table(INDEXES)?,
            changes: read.open_table(CHANGES)?,
        })
    }
}

impl Read for Snapshot {
    fn raw_get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        get(self.tree(space), key)
    }

    fn raw_scan(&self, space: Space, range: &Range, limit: usize) -> Result<Vec<Pair>, Fault> {
        scan(self.tree(space), range, limit)
    }
}

impl Snapshot {
    const fn tree(&self, space: Space) -> &Tree {
        match space {
            Space::Rows => &self.rows,
            Space::Indexes => &self.indexes,
            Space::Changes => &self.changes,
        }
    }
}

pub(in crate::store) fn get(
    tree: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<Vec<u8>>, Fault> {
    Ok(tree.get(key)?.map(|value| value.value().to_vec()))
}

pub(in crate::store) fn scan(
    tree: &impl ReadableTable<&'static [u8], &'static [u8]>,
    range: &Range,
    limit: usize,
) -> Result<Vec<Pair>, Fault> {
    let start = range.start.as_slice();
    let found = match range.end.as_deref() {
        Some(end) if end <= start => return Ok(Vec::new()),
        Some(end) => tree.range::<&[u8]>(start..end)?,
        None => tree.range::<&[u8]>(start..)?,
    };
    let pair = |entry: Result<Guards<'_>, redb::StorageError>| {
        entry.map(|(key, value)| (key.value().to_vec(), value.value().to_vec()))
    };
    let pairs: Result<Vec<Pair>, redb::StorageError> = if range.backwards {
        found.rev().take(limit).map(pair).collect()
    } else {
        found.take(limit).map(pair).collect()
    };
    Ok(pairs?)
}
