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

/// Entries in one batch: 1,000 to 5,000 rows a statement reach PostgreSQL's full speed (deps.md).
pub const MAX_ENTRIES: usize = 4000;
/// Bytes of rows in one batch of a file; on a line the pace says how many.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Entries that are read from the log at a time: how many rows a batch has room for shows only when they are read.
const AT_ONCE: usize = 250;
/// After so many rows, a fraction of a millisecond, whoever else waits for the processor goes first: a player's move. A kernel that
/// preempts lazily does not interrupt a thread that only computes before its next tick, up to 4 ms.
const YIELD: usize = 32;

/// Where a lane's next batch starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The last entry upstream has.
    pub seq: u64,
    /// The chain behind it.
    pub chain: Chain,
}

/// The next batch of a lane after a place, and how many bytes its rows have: about `most`, or one row. `None` where the log has no more.
///
/// # Errors
/// [`Fault`] where the log or a row cannot be read.
pub fn next(
    read: &impl Read,
    tables: &[TableInfo],
    lane: Lane,
    epoch: Uuid,
    place: Place,
    most: usize,
) -> Result<Option<(Batch, usize)>, Fault> {
    let mut gathered = Gathered::default();
    let (mut end, mut taken) = (place, 0);
    'gathering: while taken < MAX_ENTRIES {
        let entries = entries_after(read, lane, end.seq, AT_ONCE)?;
        let over = entries.len() < AT_ONCE;
        for entry in &entries {
            if gathered.bytes >= most && taken > 0 {
                break 'gathering;
            }
            gathered.add(read, tables, entry)?;
            end = Place { seq: entry.seq, chain: entry.chain };
            taken += 1;
            if taken % YIELD == 0 {
                std::thread::yield_now();
            }
        }
        if over {
            break;
        }
    }
    if taken == 0 {
        return Ok(None);
    }
    let batch = Batch {
        lane,
        epoch,
        prev_seq: signed(place.seq),
        prev_chain: place.chain,
        seq: signed(end.seq),
        chain: end.chain,
        puts: gathered.puts.into_values().collect(),
        deletes: gathered.deletes.into_values().collect(),
    };
    Ok(Some((batch, gathered.bytes)))
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
