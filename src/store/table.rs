//! Tables without their types: what the catalogue, replication and the tools need of each.

use replication::row::Value;

use crate::store::fault::Fault;
use crate::store::record::{Record, TableId, Upstream, decode};
use crate::store::tx::Tx;

/// A row as it goes upstream: its id and its values.
pub type UpstreamRow = (String, Vec<Value>);

/// Writes a row from its id and values upstream.
pub type Rebuild = fn(&mut Tx<'_>, &str, &[Value]) -> Result<(), Fault>;

/// Writes a row from its key and its stored bytes.
pub type Renew = fn(&mut Tx<'_>, &[u8], &[u8]) -> Result<(), Fault>;

/// What can be done with a table's rows without knowing them.
#[derive(Debug, Clone, Copy)]
pub struct TableInfo {
    /// Number and name.
    pub id: TableId,
    /// The present version of its records.
    pub version: u8,
    /// Where it goes upstream.
    pub upstream: Option<Upstream>,
    /// The upstream id of a key.
    pub upstream_id: fn(&[u8]) -> Option<String>,
    /// The key of an upstream id; `None` for one that no row of the box could have.
    pub upstream_key: fn(&str) -> Option<Vec<u8>>,
    /// The upstream form of a stored row.
    pub upstream_row: fn(&[u8], &[u8]) -> Result<UpstreamRow, Fault>,
    /// Writes the row of an upstream form: how a box is rebuilt.
    pub rebuild: Rebuild,
    /// Writes a stored row again, in its present form.
    pub renew: Renew,
    /// Whether a stored row can be read.
    pub check: fn(&[u8], &[u8]) -> Result<(), Fault>,
}

impl TableInfo {
    /// The info of a record's table.
    #[must_use]
    pub const fn of<R: Record>() -> Self {
        Self {
            id: R::TABLE,
            version: R::VERSION,
            upstream: R::UPSTREAM,
            upstream_id: R::upstream_id,
            upstream_key: R::upstream_key,
            upstream_row: upstream_row::<R>,
            rebuild: |tx, id, values| tx.put(&R::of_upstream(id, values)?),
            renew: |tx, key, stored| tx.put(&decode::<R>(key, stored)?),
            check: |key, stored| decode::<R>(key, stored).map(drop),
        }
    }
}

fn upstream_row<R: Record>(key: &[u8], stored: &[u8]) -> Result<UpstreamRow, Fault> {
    let id = R::upstream_id(key).ok_or(Fault::Corrupt { table: R::TABLE.name, reason: "the key is no id" })?;
    let record = decode::<R>(key, stored)?;
    let mut values = record.upstream_row();
    if R::UPSTREAM.is_some_and(|upstream| upstream.table.has_records()) {
        values.push(record.upstream_record(stored)?);
    }
    Ok((id, values))
}
