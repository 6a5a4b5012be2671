//! Entering what is in the store already into the change log: at enrolment, and to feed a central database anew.
//!
//! A snapshot that is sent is the same act as a change that is sent (docs/decisions/0006-snapshot-through-the-log.md):
//! every row gets an entry in its turn, in bounded steps that survive a restart, while new changes go on.

use crate::store::change::lane_number;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta::SnapshotProgress;
use crate::store::read::{Range, Read, ReadExt, Space, row_key};
use crate::store::table::TableInfo;
use crate::store::tx::Tx;

/// Enters the next rows, at most `limit`; true once all are in.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn step(tx: &mut Tx<'_>, tables: &[TableInfo], limit: usize) -> Result<bool, Fault> {
    let Some(progress) = tx.get::<SnapshotProgress>(&Key::new())?.filter(|progress| !progress.complete) else {
        return Ok(true);
    };
    let mut start = progress.after.clone();
    if !start.is_empty() {
        start.push(0);
    }
    let rows = tx.raw_scan(Space::Rows, &Range { start, end: None, backwards: false }, limit)?;
    let complete = rows.len() < limit;
    let mut after = progress.after;
    for (key, _) in rows {
        let table = tables.iter().find(|table| key.starts_with(&table.id.number.to_be_bytes()));
        if let Some(upstream) = table.and_then(|table| table.upstream) {
            tx.relog(lane_number(upstream.lane), key.clone());
        }
        after = key;
    }
    tx.put(&SnapshotProgress { after, complete })?;
    Ok(complete)
}

/// Enters one row by its key, whether it is there or not: what is there is sent again, and what is not is deleted upstream.
pub fn again(tx: &mut Tx<'_>, table: &TableInfo, key: &[u8]) {
    if let Some(upstream) = table.upstream {
        tx.relog(lane_number(upstream.lane), row_key(table.id, key));
    }
}

/// Whether rows still wait to be entered.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn pending(read: &(impl Read + ?Sized)) -> Result<bool, Fault> {
    Ok(read.get::<SnapshotProgress>(&Key::new())?.is_some_and(|progress| !progress.complete))
}
