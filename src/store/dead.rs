//! Dead letters: rows that central refuses, each with its reason, so that all else flows.
//!
//! A row leaves the list when it is sent again with success: it changed, or was driven again.

use serde::{Deserialize, Serialize};

use replication::row::{Batch, Lane, Refusal, Table, Type, Value};

use crate::base::digest::{hex, sha256};
use crate::base::time::Timestamp;
use crate::store::change::lane_number;
use crate::store::columns::{column, number, text, time};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::record::{Record, TableId, Upstream, decode_body};
use crate::store::relog;
use crate::store::table::TableInfo;
use crate::store::tx::Tx;

/// The list as central sees it.
static DEAD_LETTERS: Table = Table {
    schema: "replication",
    name: "dead_letters",
    append_only: false,
    columns: &[
        column("table_name", Type::Text),
        column("row_id", Type::Text),
        column("reason", Type::Text),
        column("refused_at", Type::Time),
        column("tries", Type::BigInt),
    ],
};

/// Bytes of an id upstream, at most; a longer one is its digest.
const MAX_SAID: usize = 400;

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
    /// How often it was refused.
    pub tries: u32,
}

/// As it was before tries were counted.
#[derive(Deserialize)]
struct V1 {
    lane: u8,
    table: String,
    id: String,
    reason: String,
    at: Timestamp,
}

impl Record for DeadLetter {
    const TABLE: TableId = TableId { number: 7, name: "store.dead_letters" };
    const VERSION: u8 = 2;
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &DEAD_LETTERS, lane: Lane::Urgent });

    fn upgrade(version: u8, body: &[u8]) -> Result<Self, Fault> {
        match version {
            1 => decode_body::<V1>(Self::TABLE, body).map(|old| {
                let V1 { lane, table, id, reason, at } = old;
                Self { lane, table, id, reason, at, tries: 1 }
            }),
            _ => Err(Fault::Newer { table: Self::TABLE.name, version }),
        }
    }

    /// `table/id`, or a digest of it where central could not hold that either.
    fn upstream_id(key: &[u8]) -> Option<String> {
        let said = key.split(|byte| *byte == 0).filter(|part| !part.is_empty());
        let said = said.map(str::from_utf8).collect::<Result<Vec<_>, _>>().ok()?.join("/");
        if said.len() <= MAX_SAID {
            return Some(said);
        }
        Some(hex(&sha256(&[key])))
    }

    fn upstream_key(id: &str) -> Option<Vec<u8>> {
        let (table, id) = id.split_once('/')?;
        Some(Key::new().text(table).text(id).as_bytes().to_vec())
    }

    fn upstream_row(&self) -> Vec<Value> {
        let id: String = self.id.chars().filter(|c| *c != '\0').collect();
        vec![text(&self.table), text(id), text(&self.reason), time(self.at), number(self.tries)]
    }

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
        // A refused entry of this very list stays off it: it would have an entry of its own, and that another.
        if *row.table == DEAD_LETTERS {
            continue;
        }
        let (table, id) = (row.table.full_name(), row.id.clone());
        let before = tx.get::<DeadLetter>(&Key::new().text(&table).text(&id))?;
        let tries = before.map_or(0, |before| before.tries).saturating_add(1);
        tx.put(&DeadLetter { lane: lane_number(lane), table, id, reason: row.reason.clone(), at: now, tries })?;
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

/// Enters listed rows into the log again, so that central is asked once more; all of them, or those that are named.
/// Returns how many.
///
/// # Errors
/// [`Fault`] where the list cannot be read.
pub fn drive_again(tx: &mut Tx<'_>, tables: &[TableInfo], only: Option<(&str, &str)>) -> Result<usize, Fault> {
    let named = |row: &DeadLetter| only.is_none_or(|(table, id)| row.table == table && row.id == id);
    let mut driven = 0;
    for row in list(tx, MAX_PAGE)?.iter().filter(|row| named(row)) {
        let goes = |info: &&TableInfo| info.upstream.is_some_and(|goes| goes.table.full_name() == row.table);
        let Some(info) = tables.iter().find(goes) else { continue };
        if let Some(key) = (info.upstream_key)(&row.id) {
            relog::again(tx, info, &key);
            driven += 1;
        }
    }
    Ok(driven)
}

/// The list, at most `limit` of it.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn list(read: &impl Read, limit: usize) -> Result<Vec<DeadLetter>, Fault> {
    Ok(read.list::<DeadLetter>(&Key::new(), &Page::first(limit.min(MAX_PAGE)))?.items)
}
