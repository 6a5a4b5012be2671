//! How far the rebuilding of a lost box has come: noted with each stretch of rows, so that it goes on where it was cut off.
//!
//! Must not know central.

use serde::{Deserialize, Serialize};

use replication::row::Lane;

use crate::store::backups::{self, Phase, Restored};
use crate::store::change::lane_number;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta::{self, Identity, LaneAck, SnapshotProgress};
use crate::store::read::{Read, ReadExt as _};
use crate::store::record::{Record, TableId};
use crate::store::tx::Tx;

/// There is one such row while a box is rebuilt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilding {
    /// The number of the table that is being read.
    pub table: u16,
    /// The id upstream of its last row that is here.
    pub after: Option<String>,
    /// Rows that are here.
    pub rows: u64,
    /// Rows that others left no room for: `schema.table` and id.
    pub aside: Vec<(String, String)>,
}

impl Record for Rebuilding {
    const TABLE: TableId = TableId { number: 72, name: "store.rebuilding" };

    fn key(&self) -> Key {
        Key::new()
    }
}

/// The first write of a box that is being rebuilt. Nothing is logged until [`end`].
///
/// # Errors
/// [`Fault::Duplicate`] for a store that has an identity.
pub fn begin(tx: &mut Tx<'_>, restored: &Restored, was: &Identity) -> Result<(), Fault> {
    backups::begin(tx, restored, was)?;
    tx.put(&Rebuilding::default())
}

/// How far it has come; nothing where none is under way.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn progress(read: &(impl Read + ?Sized)) -> Result<Option<Rebuilding>, Fault> {
    read.get(&Key::new())
}

/// Notes how far it has come.
///
/// # Errors
/// [`Fault`] where the store cannot be written.
pub fn note(tx: &mut Tx<'_>, progress: &Rebuilding) -> Result<(), Fault> {
    tx.put(progress)
}

/// The last write: the box is whole, and logs from here on. Central has all that is in it, so nothing of it is sent.
///
/// # Errors
/// [`Fault`] where nothing is being rebuilt.
pub fn end(tx: &mut Tx<'_>) -> Result<(), Fault> {
    let Some(restored) = backups::restored(tx)? else {
        return Err(Fault::Corrupt { table: Restored::TABLE.name, reason: "nothing is being rebuilt" });
    };
    for lane in [Lane::Urgent, Lane::Bulk] {
        tx.put(&LaneAck { lane: lane_number(lane), seq: 0, chain: [0; 32], trimmed_seq: 0 })?;
    }
    tx.put(&SnapshotProgress { after: Vec::new(), complete: true })?;
    tx.delete::<Rebuilding>(&Key::new())?;
    let identity = meta::identity(tx)?;
    tx.put(&Identity { logging: true, ..identity })?;
    tx.put(&Restored { phase: Phase::Closed, ..restored })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::golden;

    #[test]
    fn the_record_is_as_it_was() {
        let aside = vec![("identity.users".to_owned(), "7".to_owned())];
        golden(&[Rebuilding::default(), Rebuilding { table: 61, after: Some("a".into()), rows: 300, aside }]);
    }
}
