//! Indexes: ordered or unique ways to find a table's rows, kept by the write path.
//!
//! An entry's key is `table ‖ index ‖ indexed parts ‖ primary key` (without the primary key in a unique index);
//! its value is the primary key.

use crate::store::key::Key;
use crate::store::record::TableId;

/// An index of a table. The number is part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Unique within the table.
    pub number: u8,
    /// Whether one value may stand once only.
    pub unique: bool,
}

impl Index {
    /// An index in which values may repeat.
    #[must_use]
    pub const fn ordered(number: u8) -> Self {
        Self { number, unique: false }
    }

    /// An index in which a value stands once at most.
    #[must_use]
    pub const fn unique(number: u8) -> Self {
        Self { number, unique: true }
    }

    /// The stored front of this index's entries that start with `front`.
    #[must_use]
    pub(in crate::store) fn prefix(self, table: TableId, front: &[u8]) -> Vec<u8> {
        let mut key = Vec::with_capacity(3 + front.len());
        key.extend_from_slice(&table.number.to_be_bytes());
        key.push(self.number);
        key.extend_from_slice(front);
        key
    }
}

/// Collects the index entries of one row.
#[derive(Debug)]
pub struct Indexes<'a> {
    table: TableId,
    primary: &'a [u8],
    entries: Vec<(Index, Vec<u8>)>,
}

impl<'a> Indexes<'a> {
    pub(in crate::store) fn new(table: TableId, primary: &'a [u8]) -> Self {
        Self { table, primary, entries: Vec::new() }
    }

    /// The row is found in `index` under `parts`.
    pub fn add(&mut self, index: Index, parts: &Key) {
        let mut key = index.prefix(self.table, parts.as_bytes());
        if !index.unique {
            key.extend_from_slice(self.primary);
        }
        self.entries.push((index, key));
    }

    pub(in crate::store) fn into_entries(self) -> Vec<(Index, Vec<u8>)> {
        self.entries
    }
}
