//! In which form central has this box's rows: a central whose schema has grown is sent them again, with what it has room for now.
//!
//! Must not know central.

use serde::{Deserialize, Serialize};

use replication::row::Lane;

use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta::{self, SnapshotProgress};
use crate::store::read::ReadExt as _;
use crate::store::record::{Record, TableId};
use crate::store::table::TableInfo;
use crate::store::tx::Tx;

/// There is one such row in a box that was ever linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// Rows go with their records.
    pub records: bool,
}

impl Record for Form {
    const TABLE: TableId = TableId { number: 73, name: "store.upstream_form" };

    fn key(&self) -> Key {
        Key::new()
    }
}

/// Notes whether central has room for records. Where it has now and had not, all rows are entered into the log again.
///
/// # Errors
/// [`Fault`] where the store cannot be written.
pub fn note(tx: &mut Tx<'_>, tables: &[TableInfo], records: bool) -> Result<(), Fault> {
    let now = Form { records };
    let before = tx.get::<Form>(&Key::new())?;
    if before == Some(now) {
        return Ok(());
    }
    tx.put(&now)?;
    let more = now.records && tables.iter().any(|table| table.upstream.is_some_and(|goes| goes.table.has_records()));
    let mut sent = false;
    for lane in [Lane::Urgent, Lane::Bulk] {
        sent |= meta::lane_ack(tx, lane)?.seq > 0;
    }
    // A box that has sent nothing yet sends everything in the new form anyway.
    if more && sent { tx.put(&SnapshotProgress { after: Vec::new(), complete: false }) } else { Ok(()) }
}

/// That central has the records already: it was what this box was rebuilt from.
///
/// # Errors
/// [`Fault`] where the store cannot be written.
pub fn whole(tx: &mut Tx<'_>) -> Result<(), Fault> {
    tx.put(&Form { records: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::golden;

    #[test]
    fn the_record_is_as_it_was() {
        golden(&[Form { records: false }, Form { records: true }]);
    }
}
