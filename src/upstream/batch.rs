//! Batches: a stretch of a lane's log as rows, read from one snapshot.
//!
//! A batch is coalesced by nature: a row that changed ten times in the stretch is read and sent once, as it is now.

use std::collections::BTreeMap;

use uuid::Uuid;

use replication::row::{Batch, Chain, Lane, Row, TableDeletes, TablePuts};

use crate::store::change::{Entry, entries_after};
use crate::store::fault::Fault;
use crate::store::read::{Read, Space};
use crate::store::table::TableInfo;

/// Entries in one batch: 1,000 to 5,000 rows a statement reach PostgreSQL's full speed (deps.md), and a batch of
/// 2,000 chat rows stays near a megabyte, which a slow line carries within an answer's time.
pub const MAX_ENTRIES: usize = 2000;
/// Bytes of rows in one batch.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Where a lane's next batch starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The last entry upstream has.
    pub seq: u64,
    /// The chain behind it.
    pub chain: Chain,
}

/// The next batch of a lane after a place; `None` where the log has no more.
///
/// # Errors
/// [`Fault`] where the log or a row cannot be read.
pub fn next(
    read: &impl Read,
    tables: &[TableInfo],
    lane: Lane,
    epoch: Uuid,
    place: Place,
) -> Result<Option<Batch>, Fault> {
    let mut entries = entries_after(read, lane, place.seq, MAX_ENTRIES)?;
    if entries.is_empty() {
        return Ok(None);
    }
    let mut gathered = Gathered::default();
    let mut taken = 0;
    for entry in &entries {
        gathered.add(read, tables, entry)?;
        taken += 1;
        if gathered.bytes >= MAX_BYTES {
            break;
        }
    }
    entries.truncate(taken);
    let Some(last) = entries.last() else { return Ok(None) };
    Ok(Some(Batch {
        lane,
        epoch,
        prev_seq: signed(place.seq),
        prev_chain: place.chain,
        seq: signed(last.seq),
        chain: last.chain,
        puts: gathered.puts.into_values().collect(),
        deletes: gathered.deletes.into_values().collect(),
    }))
}

/// A sequence number as PostgreSQL counts. No box writes 2^63 changes.
#[must_use]
pub fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

#[derive(Default)]
struct Gathered {
    seen: std::collections::BTreeSet<(u16, Vec<u8>)>,
    puts: BTreeMap<u16, TablePuts>,
    deletes: BTreeMap<u16, TableDeletes>,
    bytes: usize,
}

impl Gathered {
    fn add(&mut self, read: &impl Read, tables: &[TableInfo], entry: &Entry) -> Result<(), Fault> {
        if !self.seen.insert((entry.table, entry.key.clone())) {
            return Ok(());
        }
        let info = tables.iter().find(|table| table.id.number == entry.table);
        let Some((info, upstream)) = info.and_then(|info| info.upstream.map(|upstream| (info, upstream))) else {
            return Err(Fault::Corrupt {
                table: "store.changes",
                reason: "an entry names a table that is not replicated",
            });
        };
        let place = [&entry.table.to_be_bytes()[..], &entry.key].concat();
        if let Some(stored) = read.raw_get(Space::Rows, &place)? {
            let (id, values) = (info.upstream_row)(&entry.key, &stored)?;
            let row = Row { id, values };
            self.bytes += row.size();
            let puts = self.puts.entry(entry.table);
            puts.or_insert_with(|| TablePuts { table: upstream.table, rows: Vec::new() }).rows.push(row);
        } else if let Some(id) = (info.upstream_id)(&entry.key) {
            self.bytes += id.len();
            let deletes = self.deletes.entry(entry.table);
            deletes.or_insert_with(|| TableDeletes { table: upstream.table, ids: Vec::new() }).ids.push(id);
        }
        Ok(())
    }
}
