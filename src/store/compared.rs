//! Comparisons with central: what each found, on this box and, being a row like any other, at central.
//!
//! Must not know how copies are compared.

use serde::{Deserialize, Serialize};
use serde_json::json;

use replication::row::{Lane, Table, Type, Value};

use crate::base::id::RawId;
use crate::base::time::Timestamp;
use crate::store::columns::{RECORD, column, number, text, time};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::{Read, ReadExt as _};
use crate::store::record::{Record, TableId, Upstream};
use crate::store::tx::Tx;

/// Comparisons that are kept: a month of daily ones.
const KEPT: usize = 30;
/// Differing rows that a kept comparison names; the command names them all.
pub const NAMED: usize = 100;

static VERIFICATIONS: Table = Table {
    schema: "replication",
    name: "verifications",
    append_only: false,
    columns: &[
        column("kind", Type::Text),
        column("started_at", Type::Time),
        column("finished_at", Type::Time),
        column("tables", Type::BigInt),
        column("rows", Type::BigInt),
        column("diverged", Type::BigInt),
        column("unsettled", Type::BigInt),
        column("dead_letters", Type::BigInt),
        column("differences", Type::Json),
        RECORD,
    ],
};

/// Why a comparison was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// To know.
    Verify,
    /// To see that mending mended.
    Repair,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Repair => "repair",
        }
    }
}

/// One comparison with central.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// A UUIDv7, so that they sort by time.
    pub id: RawId,
    /// Why.
    pub kind: Kind,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was done.
    pub finished_at: Timestamp,
    /// Tables compared.
    pub tables: u64,
    /// Rows compared.
    pub rows: u64,
    /// Rows that differed.
    pub diverged: u64,
    /// Rows that could not be told.
    pub unsettled: u64,
    /// Rows that differed because central refuses them.
    pub dead_letters: u64,
    /// The first that differed: table, id, how.
    pub named: Vec<(String, String, String)>,
}

impl Record for Verification {
    const TABLE: TableId = TableId { number: 8, name: "replication.verifications" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &VERIFICATIONS, lane: Lane::Bulk });

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn upstream_row(&self) -> Vec<Value> {
        // A forged id at central may hold anything; NUL it cannot hold, there or here.
        let named = self.named.iter().map(|(table, id, how)| json!({"table": table, "id": id, "how": how}));
        vec![
            text(self.kind.name()),
            time(self.started_at),
            time(self.finished_at),
            number(self.tables),
            number(self.rows),
            number(self.diverged),
            number(self.unsettled),
            number(self.dead_letters),
            Value::Json(named.collect::<Vec<_>>().into_iter().collect::<serde_json::Value>().to_string()),
        ]
    }
}

/// Keeps a comparison, and forgets the oldest.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn keep(tx: &mut Tx<'_>, verification: &Verification) -> Result<(), Fault> {
    tx.put(verification)?;
    let held = tx.list::<Verification>(&Key::new(), &Page::newest(KEPT + 10))?.items;
    held.iter().skip(KEPT).try_for_each(|old| tx.delete::<Verification>(&old.key()))
}

/// The last comparisons, newest first.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn recent(read: &(impl Read + ?Sized), most: usize) -> Result<Vec<Verification>, Fault> {
    Ok(read.list::<Verification>(&Key::new(), &Page::newest(most))?.items)
}

/// The last comparison.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn last(read: &(impl Read + ?Sized)) -> Result<Option<Verification>, Fault> {
    Ok(read.list::<Verification>(&Key::new(), &Page::newest(1))?.items.pop())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::golden;

    #[test]
    fn stored_as_ever() {
        let (id, at) =
            ("018f3a5c-0000-7000-8000-000000000001".parse().unwrap(), Timestamp::from_micros(1_795_341_600_000_000));
        let named = vec![("chat.messages".to_owned(), "17".to_owned(), "missing".to_owned())];
        golden(&[Verification {
            id,
            kind: Kind::Verify,
            started_at: at,
            finished_at: at,
            tables: 16,
            rows: 1000,
            diverged: 1,
            unsettled: 0,
            dead_letters: 2,
            named,
        }]);
    }
}
