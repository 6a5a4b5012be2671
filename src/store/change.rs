//! The change log: what changed, in which order, for replication (design, section 5).
//!
//! An entry names a row and holds a keyed digest of it, never the row. Each lane is dense and hash-chained
//! within an epoch: `chain(n) = SHA-256(chain(n-1) ‖ lane ‖ seq ‖ table ‖ key ‖ op ‖ digest ‖ at)`, each part
//! after its length as eight bytes, numbers big-endian; before the first entry the chain is zero.

use serde::{Deserialize, Serialize};

use replication::row::Lane;

use crate::base::digest::{Key as DigestKey, keyed, sha256};
use crate::base::time::Timestamp;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::read::{Read, Space};
use crate::store::record::{Record, TableId, decode};

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// It was written.
    Put,
    /// It was deleted.
    Delete,
}

/// One entry of the change log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The lane's number: see [`lane_number`].
    pub lane: u8,
    /// Dense from 1 within an epoch.
    pub seq: u64,
    /// The table's number.
    pub table: u16,
    /// The row's key within its table.
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
    /// What happened.
    pub op: Op,
    /// The first half of the keyed digest of the stored row; zero for a deletion.
    pub digest: [u8; 16],
    /// When it was committed.
    pub at: Timestamp,
    /// The chain's hash up to and with this entry.
    pub chain: [u8; 32],
}

/// The stored number of a lane.
#[must_use]
pub const fn lane_number(lane: Lane) -> u8 {
    match lane {
        Lane::Urgent => 1,
        Lane::Bulk => 2,
    }
}

impl Record for Entry {
    const TABLE: TableId = TableId { number: 1, name: "store.changes" };

    fn key(&self) -> Key {
        Key::new().byte(self.lane).number(self.seq)
    }
}

impl Entry {
    /// The chain's hash after this entry, from the one before it.
    #[must_use]
    pub fn chained(&self, before: &[u8; 32]) -> [u8; 32] {
        let op = [match self.op {
            Op::Put => 1,
            Op::Delete => 2,
        }];
        sha256(&[
            before,
            &[self.lane],
            &self.seq.to_be_bytes(),
            &self.table.to_be_bytes(),
            &self.key,
            &op,
            &self.digest,
            &self.at.micros().to_be_bytes(),
        ])
    }
}

/// The digest that an entry holds of a stored row.
#[must_use]
pub fn row_digest(key: &DigestKey, table: u16, row_key: &[u8], stored: Option<&[u8]>) -> [u8; 16] {
    let mut out = [0; 16];
    if let Some(stored) = stored {
        let digest = keyed(key, &[&table.to_be_bytes(), row_key, stored]);
        for (to, from) in out.iter_mut().zip(digest) {
            *to = from;
        }
    }
    out
}

/// At most `limit` entries of a lane after `seq`, in order.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn entries_after(read: &(impl Read + ?Sized), lane: Lane, seq: u64, limit: usize) -> Result<Vec<Entry>, Fault> {
    let number = lane_number(lane);
    let start = Key::new().byte(number).number(seq.saturating_add(1)).as_bytes().to_vec();
    let end = Some(Key::new().byte(number + 1).as_bytes().to_vec());
    let range = crate::store::read::Range { start, end, backwards: false };
    let pairs = read.raw_scan(Space::Changes, &range, limit)?;
    pairs.iter().map(|(key, value)| decode(key, value)).collect()
}
