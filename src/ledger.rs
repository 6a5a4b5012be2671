//! The ledger of an import: how far each table has come, and what became of rows that were not simply taken.
//!
//! Both stay on the box. Field order and the order of enum variants are the format; a change is a new version. Must not
//! know how a row is read or taken: that is [`crate::moving`]'s, far above.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::store::key::Key;
use crate::store::record::{Record, TableId};
use crate::store::table::TableInfo;

/// A digest over rows, one after the other.
pub type Chain = [u8; 32];

/// Every table of the ledger, for the catalogue.
#[must_use]
pub fn tables() -> Vec<TableInfo> {
    vec![TableInfo::of::<Progress>(), TableInfo::of::<Note>()]
}

/// How far the import of one table has come. Written in the transaction of each batch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// `service.table`.
    pub table: String,
    /// Rows of the source that were looked at, in its order.
    pub rows: u64,
    /// A digest over all of them.
    pub chain: Chain,
    /// How many the source has; 0 until its end was reached.
    pub total: u64,
    /// Rows written.
    pub written: u64,
    /// Rows that were here already, by their ids.
    pub known: u64,
    /// Rows that became part of another row.
    pub merged: u64,
    /// Rows that are not kept on purpose, by reason: used and expired tokens.
    pub dropped: BTreeMap<String, u64>,
    /// Rows refused.
    pub refused: u64,
    /// Rows of the source that the comparison has passed.
    pub passed: u64,
    /// Rows compared after they were written.
    pub compared: u64,
    /// Of these: rows that differ, or are not there.
    pub differing: u64,
    /// A digest over the compared rows as the source has them.
    pub source_digest: Chain,
    /// The same as the box has them.
    pub box_digest: Chain,
}

impl Progress {
    /// The progress of a table that was not begun.
    #[must_use]
    pub fn new(table: &str) -> Self {
        Self { table: table.to_owned(), ..Self::default() }
    }

    /// The rows that are accounted for.
    #[must_use]
    pub fn accounted(&self) -> u64 {
        let dropped: u64 = self.dropped.values().sum();
        self.written + self.known + self.merged + dropped + self.refused
    }

    /// Whether the source's end was reached and every row of it is accounted for.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.total == self.rows && self.accounted() == self.rows
    }
}

impl Record for Progress {
    const TABLE: TableId = TableId { number: 80, name: "moving.progress" };

    fn key(&self) -> Key {
        Key::new().text(&self.table)
    }
}

/// What became of a row that was not simply taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// It was not taken.
    Refused,
    /// It became part of the row that `detail` names.
    Merged,
    /// A user: taken under the name in `detail`, because its own is somebody else's.
    Renamed,
    /// A user: its password cannot be verified here, so it got a temporary one; `detail` is what that derives from.
    TemporaryPassword,
    /// A message: taken with its bytes as they were, because no key opens them.
    Unopened,
    /// Taken, with something that is worth knowing.
    Remark,
}

impl What {
    /// Its word in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Merged => "merged",
            Self::Renamed => "renamed",
            Self::TemporaryPassword => "temporary_password",
            Self::Unopened => "unopened",
            Self::Remark => "remark",
        }
    }
}

/// A row's fate, for the report and for the rows that refer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// `service.table`.
    pub table: String,
    /// The row's number in the order of the source.
    pub ordinal: u64,
    /// Tells several notes of one row apart.
    pub part: u8,
    /// Its id there.
    pub id: String,
    /// What became of it.
    pub what: What,
    /// Why, or into what.
    pub detail: String,
}

impl Record for Note {
    const TABLE: TableId = TableId { number: 81, name: "moving.notes" };

    fn key(&self) -> Key {
        Key::new().text(&self.table).text(&self.id).number(self.ordinal).byte(self.part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::golden;

    #[test]
    fn progress() {
        let sparse = Progress::new("identity.users");
        let full = Progress {
            rows: 70_000,
            chain: [1; 32],
            total: 70_001,
            written: 300,
            known: 1,
            merged: 2,
            dropped: [("used".to_owned(), 3)].into(),
            refused: 4,
            passed: 7,
            compared: 5,
            differing: 6,
            source_digest: [2; 32],
            box_digest: [3; 32],
            ..sparse.clone()
        };
        golden(&[full, sparse]);
    }

    #[test]
    fn notes() {
        let note = |what, detail: &str| Note {
            table: "chat.messages".to_owned(),
            ordinal: 300,
            part: 1,
            id: "17".to_owned(),
            what,
            detail: detail.to_owned(),
        };
        golden(&[note(What::Refused, "created_at: it is empty"), note(What::Remark, "")]);
    }

    #[test]
    fn a_table_is_whole_only_where_the_sums_say_so() {
        let whole = Progress { rows: 10, total: 10, written: 8, refused: 2, ..Progress::default() };
        assert!(whole.is_whole());
        assert!(!Progress { refused: 1, ..whole.clone() }.is_whole());
        assert!(!Progress { total: 11, ..whole }.is_whole());
    }
}
