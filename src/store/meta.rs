//! The store's own rows: which box this is, and where each lane of the change log stands.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use replication::row::Lane;

use crate::base::time::Timestamp;
use crate::store::change::{entries_after, lane_number};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::read::{Read, ReadExt};
use crate::store::record::{Record, TableId};
use crate::store::tx::Tx;

/// The layout of the file: its trees and key forms.
pub const LAYOUT: u16 = 1;

/// Who this store is. There is one such row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The box.
    pub box_id: Uuid,
    /// The present epoch: a random id that never comes again.
    pub epoch: Uuid,
    /// The epoch before it, after a restore or adoption.
    pub parent_epoch: Option<Uuid>,
    /// Whether changes are logged: only a box that was enrolled upstream keeps a log.
    pub logging: bool,
    /// A digest that only the right master key gives, so that a wrong one is found before anything is written.
    pub key_check: [u8; 32],
    /// When the store was made.
    pub created_at: Timestamp,
    /// The version of the whole file's layout.
    pub layout: u16,
}

impl Record for Identity {
    const TABLE: TableId = TableId { number: 2, name: "store.identity" };

    fn key(&self) -> Key {
        Key::new()
    }
}

/// The end of a lane. Written by the commit itself, never by a command; a command reads it as the last commit left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneHead {
    /// The lane's number.
    pub lane: u8,
    /// The last entry's sequence number; 0 before the first.
    pub seq: u64,
    /// The chain's hash there; zero before the first.
    pub chain: [u8; 32],
}

impl LaneHead {
    /// The end of a lane that has no entry.
    pub(in crate::store) const fn empty(lane: Lane) -> Self {
        Self { lane: lane_number(lane), seq: 0, chain: [0; 32] }
    }
}

impl Record for LaneHead {
    const TABLE: TableId = TableId { number: 3, name: "store.lanes" };

    fn key(&self) -> Key {
        Key::new().byte(self.lane)
    }
}

/// How far upstream has confirmed a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneAck {
    /// The lane's number.
    pub lane: u8,
    /// Upstream holds the log up to here.
    pub seq: u64,
    /// The chain's hash there.
    pub chain: [u8; 32],
    /// Entries up to here have been removed after their retention.
    pub trimmed_seq: u64,
}

impl LaneAck {
    const fn empty(lane: Lane) -> Self {
        Self { lane: lane_number(lane), seq: 0, chain: [0; 32], trimmed_seq: 0 }
    }
}

impl Record for LaneAck {
    const TABLE: TableId = TableId { number: 6, name: "store.acknowledged" };

    fn key(&self) -> Key {
        Key::new().byte(self.lane)
    }
}

/// How far the snapshot that enrolment sends has come. There is one such row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotProgress {
    /// The last row sent: table and key as stored. Empty before the first.
    pub after: Vec<u8>,
    /// All rows were sent.
    pub complete: bool,
}

impl Record for SnapshotProgress {
    const TABLE: TableId = TableId { number: 4, name: "store.snapshot_progress" };

    fn key(&self) -> Key {
        Key::new()
    }
}

/// The row that says who this store is.
///
/// # Errors
/// [`Fault`] where it cannot be read; [`Fault::Corrupt`] where there is none.
pub fn identity(read: &(impl Read + ?Sized)) -> Result<Identity, Fault> {
    read.get(&Key::new())?.ok_or(Fault::Corrupt { table: Identity::TABLE.name, reason: "the store has no identity" })
}

/// The end of a lane.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn lane_head(read: &(impl Read + ?Sized), lane: Lane) -> Result<LaneHead, Fault> {
    Ok(read.get(&Key::new().byte(lane_number(lane)))?.unwrap_or(LaneHead::empty(lane)))
}

/// How far upstream has confirmed a lane.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn lane_ack(read: &(impl Read + ?Sized), lane: Lane) -> Result<LaneAck, Fault> {
    Ok(read.get(&Key::new().byte(lane_number(lane)))?.unwrap_or(LaneAck::empty(lane)))
}

/// Makes the identity of a new store. It keeps no change log until [`start_log`].
///
/// # Errors
/// [`Fault::Duplicate`] where the store has one.
pub fn create(tx: &mut Tx<'_>, now: Timestamp, box_id: Uuid, key_check: [u8; 32]) -> Result<(), Fault> {
    if tx.get::<Identity>(&Key::new())?.is_some() {
        return Err(Fault::Duplicate { table: Identity::TABLE.name, index: 0 });
    }
    let epoch = tx.entropy().uuid(now);
    tx.put(&Identity { box_id, epoch, parent_epoch: None, logging: false, key_check, created_at: now, layout: LAYOUT })
}

/// Starts the change log under a new epoch: at enrolment, after a restore, after adoption. What is in the store by
/// then goes upstream as a snapshot; the log holds what changes from here on.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn start_log(tx: &mut Tx<'_>, epoch: Uuid) -> Result<(), Fault> {
    let before = identity(tx)?;
    let parent_epoch = Some(before.epoch);
    tx.put(&Identity { epoch, parent_epoch, logging: true, ..before })?;
    // Sequence numbers start anew with the epoch; entries of the old one are gone with it, and the commit resets the heads.
    tx.forget_all_changes();
    for lane in [Lane::Urgent, Lane::Bulk] {
        tx.put(&LaneAck::empty(lane))?;
    }
    tx.put(&SnapshotProgress { after: Vec::new(), complete: false })
}

/// Notes that upstream holds a lane up to an entry. An older confirmation than the last one changes nothing.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn acknowledge(tx: &mut Tx<'_>, lane: Lane, seq: u64, chain: [u8; 32]) -> Result<(), Fault> {
    let ack = lane_ack(tx, lane)?;
    if seq <= ack.seq || seq > lane_head(tx, lane)?.seq {
        return Ok(());
    }
    tx.put(&LaneAck { seq, chain, ..ack })
}

/// Removes at most `limit` entries of a lane that upstream has confirmed and that are older than `before`.
/// Returns how many.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn trim(tx: &mut Tx<'_>, lane: Lane, before: Timestamp, limit: usize) -> Result<usize, Fault> {
    let ack = lane_ack(tx, lane)?;
    let entries = entries_after(tx, lane, ack.trimmed_seq, limit)?;
    let due: Vec<_> = entries.iter().take_while(|entry| entry.seq <= ack.seq && entry.at < before).collect();
    let Some(last) = due.last() else { return Ok(0) };
    for entry in &due {
        tx.forget_change(&entry.key())?;
    }
    tx.put(&LaneAck { trimmed_seq: last.seq, ..ack })?;
    Ok(due.len())
}
