//! Digests of rows and of ranges of rows, the same on both sides: how two copies are compared without sending them.
//!
//! ```text
//!   row    sha256( len(id) id  { name 0 len(value) value }  for each column that has a value, by name )
//!   range  sha256( row row row … )  by id
//! ```
//! Lengths are four bytes, numbers big-endian. A column without a value counts for nothing, so a central that has one column
//! more than a box agrees with it. `schemas/postgres/0006_comparison.sql` writes the same in SQL.

use sha2::{Digest as _, Sha256};

use crate::HAS_RECORDS;
use crate::json;
use crate::row::{RECORD, Row, Table, Value};

/// A digest.
pub type Digest = [u8; 32];

/// Microseconds from 1970 to 2000, where PostgreSQL's times begin.
const TO_2000: i64 = 946_684_800_000_000;

/// Digests the rows of one table.
#[derive(Debug)]
pub struct Digester {
    /// Name and place of each column, by name.
    columns: Vec<(&'static str, usize)>,
}

impl Digester {
    /// For the rows of a table.
    #[must_use]
    pub fn new(table: &Table) -> Self {
        let mut columns: Vec<_> =
            table.columns.iter().enumerate().map(|(place, column)| (column.name, place)).collect();
        columns.sort_unstable();
        Self { columns }
    }

    /// The same, as a central of this schema sees them: one that is older than records has none.
    #[must_use]
    pub fn at(table: &Table, schema: i64) -> Self {
        let mut digester = Self::new(table);
        digester.columns.retain(|(name, _place)| schema >= HAS_RECORDS || *name != RECORD);
        digester
    }

    /// The digest of a row.
    #[must_use]
    pub fn row(&self, row: &Row) -> Digest {
        let mut hash = Sha256::new();
        part(&mut hash, row.id.as_bytes());
        for (name, place) in &self.columns {
            let Some(value) = row.values.get(*place).filter(|value| **value != Value::Null) else { continue };
            hash.update(name.as_bytes());
            hash.update([0]);
            match value {
                Value::Null => {}
                Value::Text(text) => part(&mut hash, text.as_bytes()),
                Value::BigInt(number) => part(&mut hash, &number.to_be_bytes()),
                Value::Bool(yes) => part(&mut hash, &[u8::from(*yes)]),
                Value::Bytes(bytes) => part(&mut hash, bytes),
                Value::Time(micros) => part(&mut hash, &micros.wrapping_sub(TO_2000).to_be_bytes()),
                Value::Json(text) => part(&mut hash, json::canonical(text).as_deref().unwrap_or(text).as_bytes()),
            }
        }
        hash.finalize().into()
    }
}

/// The digest of a range, from those of its rows in the order of their ids.
pub fn range(rows: impl IntoIterator<Item = Digest>) -> Digest {
    let mut hash = Sha256::new();
    rows.into_iter().for_each(|row| hash.update(row));
    hash.finalize().into()
}

fn part(hash: &mut Sha256, bytes: &[u8]) {
    // No value is longer than `MAX_VALUE_BYTES`.
    hash.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    hash.update(bytes);
}
