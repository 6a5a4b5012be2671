//! Dead letters: rows that central refuses, each with its reason, so that all else flows.
//!
//! A row leaves the list when it is sent again with success: it changed, or was driven again.

use serde::{Deserialize, Serialize};

use replication::row::{Batch, Lane, Refusal};

use crate::base::time::Timestamp;
use crate::store::change::lane_number;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::record::{Record, TableId};
use crate::store::tx::Tx;

/// A refused row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The lane it travels in.
    pub lane: u8,
    /// `schema.table` upstream.
    pub table: String,
    /// The row's id there.
    pub id: String,
    /// What central said, without the value.
    pub reason: String,
    /// When it was refused last.
    pub at: Timestamp,
}

impl Record for DeadLetter {
    const TABLE: TableId = TableId { number: 7, name: "store.dead_letters" };

    fn key(&self) -> Key {
        Key::new().text(&self.table).text(&self.id)
    }
}

/// Lists refused rows.
///
/// # Errors
/// [`Fault`] where the list cannot be read.
pub fn bury(tx: &mut Tx<'_>, now: Timestamp, lane: Lane, refused: &[Refusal]) -> Result<(), Fault> {
    for row in refused {
        let (table, id) = (row.table.full_name(), row.id.clone());
        tx.put(&DeadLetter { lane: lane_number(lane), table, id, reason: row.reason.clone(), at: now })?;
    }
    Ok(())
}

/// Takes rows off the list that have arrived after all.
///
/// # Errors
/// [`Fault`] where the list cannot be read.
pub fn revive(tx: &mut Tx<'_>, arrived: &[(String, String)]) -> Result<(), Fault> {
    arrived.iter().try_for_each(|(table, id)| tx.delete::<DeadLetter>(&Key::new().text(table).text(id)))
}

/// Those rows of a batch that are on the list now.
///
/// # Errors
/// [`Fault`] where the list cannot be read.
pub fn listed(read: &impl Read, batch: &Batch) -> Result<Vec<(String, String)>, Fault> {
    if list(read, 1)?.is_empty() {
        return Ok(Vec::new());
    }
    let puts = batch.puts.iter().flat_map(|puts| puts.rows.iter().map(|row| (puts.table.full_name(), row.id.clone())));
    let deletes = batch.deletes.iter().flat_map(|gone| gone.ids.iter().map(|id| (gone.table.full_name(), id.clone())));
    let mut found = Vec::new();
    for (table, id) in puts.chain(deletes) {
        if read.get::<DeadLetter>(&Key::new().text(&table).text(&id))?.is_some() {
            found.push((table, id));
        }
    }
    Ok(found)
}

/// The list, at most `limit` of it.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn list(read: &impl Read, limit: usize) -> Result<Vec<DeadLetter>, Fault> {
    Ok(read.list::<DeadLetter>(&Key::new(), &Page::first(limit.min(MAX_PAGE)))?.items)
}
