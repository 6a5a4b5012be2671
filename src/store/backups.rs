//! What the store remembers of backups: which were made and how their check went, and that it was restored from one.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::time::Timestamp;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta::{self, Identity, LaneAck, SnapshotProgress};
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::record::{Record, TableId};
use crate::store::tx::Tx;

/// Runs that are remembered.
const KEPT: usize = 100;

/// How far a restored store has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Rows are being laid down; it is not whole.
    Loading,
    /// It is whole. Messages stay closed until what was due is destroyed.
    Closed,
    /// All is as usual.
    Open,
}

/// That this store was filled from a backup. There is at most one such row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// When.
    pub at: Timestamp,
    /// The backup.
    pub backup: Uuid,
    /// When that was made.
    pub backup_at: Timestamp,
    /// The life that the backup is of.
    pub from_epoch: Uuid,
    /// The life that began with the restore.
    pub epoch: Uuid,
    /// How far it has come.
    pub phase: Phase,
}

impl Record for Restored {
    const TABLE: TableId = TableId { number: 70, name: "store.restored" };

    fn key(&self) -> Key {
        Key::new()
    }
}

/// A backup that was made here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRun {
    /// The backup.
    pub id: Uuid,
    /// Its file's name.
    pub file: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Its length.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
    /// When it was last filled into a scratch store and checked.
    pub checked_at: Option<Timestamp>,
    /// What was wrong with it then.
    pub fault: Option<String>,
}

impl Record for BackupRun {
    const TABLE: TableId = TableId { number: 71, name: "store.backup_runs" };

    fn key(&self) -> Key {
        run_key(self.made_at, self.id)
    }
}

fn run_key(made_at: Timestamp, id: Uuid) -> Key {
    Key::new().time(made_at).fixed(id.as_bytes())
}

/// Whether this store was restored, and how far that has come.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn restored(read: &(impl Read + ?Sized)) -> Result<Option<Restored>, Fault> {
    read.get(&Key::new())
}

/// The backups made here, newest first.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn runs(read: &(impl Read + ?Sized)) -> Result<Vec<BackupRun>, Fault> {
    Ok(read.list::<BackupRun>(&Key::new(), &Page::newest(KEPT))?.items)
}

/// Notes a backup or the result of its check, and forgets the oldest ones.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn note(tx: &mut Tx<'_>, run: &BackupRun) -> Result<(), Fault> {
    tx.put(run)?;
    let all = tx.list::<BackupRun>(&Key::new(), &Page::newest(MAX_PAGE))?.items;
    for old in all.iter().skip(KEPT) {
        tx.delete::<BackupRun>(&old.key())?;
    }
    Ok(())
}

/// The first write of a store that is being restored: a new life whose parent is the backup's.
///
/// # Errors
/// [`Fault::Duplicate`] for a store that has an identity.
pub fn begin(tx: &mut Tx<'_>, restored: &Restored, was: &Identity) -> Result<(), Fault> {
    if tx.get::<Identity>(&Key::new())?.is_some() {
        return Err(Fault::Duplicate { table: Identity::TABLE.name, index: 0 });
    }
    tx.put(&Identity { epoch: restored.epoch, parent_epoch: Some(was.epoch), ..was.clone() })?;
    tx.put(restored)
}

/// The last write of a restore. A store that logs is sent upstream whole, once central follows its new life.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn end(tx: &mut Tx<'_>) -> Result<(), Fault> {
    let Some(restored) = restored(tx)? else {
        return Err(Fault::Corrupt { table: Restored::TABLE.name, reason: "nothing is being restored" });
    };
    if meta::identity(tx)?.logging {
        for lane in [replication::row::Lane::Urgent, replication::row::Lane::Bulk] {
            tx.put(&LaneAck { lane: crate::store::change::lane_number(lane), seq: 0, chain: [0; 32], trimmed_seq: 0 })?;
        }
        tx.put(&SnapshotProgress { after: Vec::new(), complete: false })?;
    }
    tx.put(&Restored { phase: Phase::Closed, ..restored })
}

/// What was due is destroyed: messages may be shown again.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn reopen(tx: &mut Tx<'_>) -> Result<(), Fault> {
    match restored(tx)? {
        Some(restored) if restored.phase == Phase::Closed => tx.put(&Restored { phase: Phase::Open, ..restored }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bulk;
    use crate::store::read::Space;
    use crate::store::testing::{golden, store};

    const AT: Timestamp = Timestamp::from_micros(1_795_341_600_000_000);

    fn sample() -> Restored {
        let id = Uuid::from_u128;
        Restored { at: AT, backup: id(1), backup_at: AT, from_epoch: id(2), epoch: id(3), phase: Phase::Closed }
    }

    #[test]
    fn the_records_are_as_they_were() {
        golden(&[sample()]);
        let run = BackupRun {
            id: Uuid::from_u128(7),
            file: "whotbox-1.age".into(),
            made_at: AT,
            bytes: 70_000,
            rows: 300,
            checked_at: Some(AT),
            fault: Some("rows differ".into()),
        };
        golden(&[BackupRun { checked_at: None, fault: None, ..run.clone() }, run]);
    }

    #[test]
    fn a_store_in_use_is_never_filled() {
        let (store, _) = store();
        let pairs = vec![(Space::Rows, (vec![0, 9, 1], vec![1]))];
        let laid = store.write_blocking(move |tx, _| bulk::lay(tx, pairs));
        assert!(matches!(laid, Err(Fault::Corrupt { .. })));
        let was = meta::identity(&store.read().unwrap()).unwrap();
        assert!(matches!(store.write_blocking(move |tx, _| begin(tx, &sample(), &was)), Err(Fault::Duplicate { .. })));
    }
}
