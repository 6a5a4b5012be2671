//! One commit: the overlays of a batch of commands over one redb transaction, and the change log they leave.

use redb::{Database, Durability, Table};

use replication::row::Lane;

use crate::base::notice::Notice;
use crate::base::time::Timestamp;
use crate::store::change::{Entry, Op, lane_number, row_digest};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta::{Identity, LaneHead, lane_head};
use crate::store::read::{Pair, Range, Read, ReadExt, Space, row_key};
use crate::store::record::{Record, encode};
use crate::store::snapshot::{CHANGES, INDEXES, ROWS, get, scan};
use crate::store::tx::{LaneNumber, Tx, Written};
use crate::store::writer::{Command, MAX_BATCH, Outcome, Settings};

/// What a commit did.
#[derive(Default)]
pub(super) struct Committed {
    pub(super) notices: Vec<Notice>,
    pub(super) payload: u64,
}

/// Runs every command and commits what the accepted ones wrote. What is queued while they run joins the batch: the
/// commands of 64 waiting writers come one after another, and the first must not have a commit to itself.
pub(super) fn commit(
    database: &Database,
    settings: &Settings,
    batch: &mut Vec<Box<dyn Command>>,
    queued: &mut dyn Iterator<Item = Box<dyn Command>>,
) -> Result<Committed, Fault> {
    let mut txn = database.begin_write()?;
    txn.set_durability(Durability::Immediate)?;
    txn.set_two_phase_commit(true);
    txn.set_quick_repair(true);
    let mut done = Committed::default();
    {
        let mut trees =
            Trees { rows: txn.open_table(ROWS)?, indexes: txn.open_table(INDEXES)?, changes: txn.open_table(CHANGES)? };
        let mut log = Log::load(&trees)?;
        let mut ran = 0;
        while let Some(command) = batch.get_mut(ran) {
            // Its own time: it may have been queued after the batch began, and must not be older than its caller knows.
            let now = settings.clock.now();
            let mut tx = Tx::new(&trees, &*settings.entropy);
            match command.run(&mut tx, now) {
                Outcome::Keep => {
                    let written = tx.into_written();
                    done.payload += log.flush(&mut trees, settings, now, &written)?;
                    done.notices.extend(written.notices);
                }
                Outcome::Drop => {}
                Outcome::Fatal(fault) => return Err(fault),
            }
            ran += 1;
            if ran == batch.len() {
                batch.extend(queued.take(MAX_BATCH.saturating_sub(ran)));
            }
        }
        done.payload += log.store(&mut trees)?;
    }
    if done.payload == 0 {
        // Nothing but refusals and repeats: what they answered from is on the disk already.
        txn.abort()?;
    } else {
        txn.commit()?;
    }
    Ok(done)
}

/// The open trees of the write transaction.
struct Trees<'txn> {
    rows: Tree<'txn>,
    indexes: Tree<'txn>,
    changes: Tree<'txn>,
}

type Tree<'txn> = Table<'txn, &'static [u8], &'static [u8]>;

impl<'txn> Trees<'txn> {
    const fn tree(&self, space: Space) -> &Tree<'txn> {
        match space {
            Space::Rows => &self.rows,
            Space::Indexes => &self.indexes,
            Space::Changes => &self.changes,
        }
    }

    const fn tree_mut(&mut self, space: Space) -> &mut Tree<'txn> {
        match space {
            Space::Rows => &mut self.rows,
            Space::Indexes => &mut self.indexes,
            Space::Changes => &mut self.changes,
        }
    }

    /// Writes or deletes a value; returns the bytes handed over.
    fn write(&mut self, space: Space, key: &[u8], value: Option<&[u8]>) -> Result<u64, Fault> {
        let tree = self.tree_mut(space);
        match value {
            Some(value) => drop(tree.insert(key, value)?),
            None => drop(tree.remove(key)?),
        }
        Ok((key.len() + value.map_or(0, <[u8]>::len)) as u64)
    }
}

impl Read for Trees<'_> {
    fn raw_get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        get(self.tree(space), key)
    }

    fn raw_scan(&self, space: Space, range: &Range, limit: usize) -> Result<Vec<Pair>, Fault> {
        scan(self.tree(space), range, limit)
    }
}

/// The change log during one commit. The heads stay here until the end, so that a batch writes them once.
struct Log {
    logging: bool,
    /// The heads as stored, and as they are by now.
    stored: [LaneHead; 2],
    heads: [LaneHead; 2],
}

impl Log {
    fn load(trees: &Trees<'_>) -> Result<Self, Fault> {
        let heads = [lane_head(trees, Lane::Urgent)?, lane_head(trees, Lane::Bulk)?];
        Ok(Self { logging: logging(trees)?, stored: heads, heads })
    }

    /// Writes a command's overlay and its change-log entries; returns the bytes written.
    fn flush(
        &mut self,
        trees: &mut Trees<'_>,
        settings: &Settings,
        now: Timestamp,
        written: &Written,
    ) -> Result<u64, Fault> {
        let mut payload = 0;
        for space in Space::ALL {
            if written.overlay.is_cleared(space) {
                trees.tree_mut(space).retain(|_, _| false)?;
            }
            for (key, value) in written.overlay.writes(space) {
                payload += trees.write(space, key, value)?;
            }
        }
        if written.overlay.is_cleared(Space::Changes) {
            self.heads = [LaneHead::empty(Lane::Urgent), LaneHead::empty(Lane::Bulk)];
        }
        if written.overlay.written(Space::Rows, &row_key(Identity::TABLE, &[])).is_some() {
            self.logging = logging(trees)?;
        }
        if self.logging {
            for ((lane, place), op) in &written.changes {
                let Some((table, key)) = place.split_first_chunk() else { continue };
                let table = u16::from_be_bytes(*table);
                // A row that is only entered into the log again is not among the command's writes.
                let stored = written.overlay.get(trees, Space::Rows, place)?;
                let digest = row_digest(&settings.digest_key, table, key, stored.as_deref());
                payload += self.append(trees, *lane, (table, key.to_vec()), *op, digest, now)?;
            }
        }
        Ok(payload)
    }

    fn append(
        &mut self,
        trees: &mut Trees<'_>,
        lane: LaneNumber,
        (table, key): (u16, Vec<u8>),
        op: Op,
        digest: [u8; 16],
        at: Timestamp,
    ) -> Result<u64, Fault> {
        let [urgent, bulk] = &mut self.heads;
        let head = if lane == lane_number(Lane::Urgent) { urgent } else { bulk };
        let mut entry = Entry { lane, seq: head.seq + 1, table, key, op, digest, at, chain: [0; 32] };
        entry.chain = entry.chained(&head.chain);
        head.seq = entry.seq;
        head.chain = entry.chain;
        trees.write(Space::Changes, entry.key().as_bytes(), Some(&encode(&entry)?))
    }

    /// Writes back the heads that moved.
    fn store(&self, trees: &mut Trees<'_>) -> Result<u64, Fault> {
        let mut payload = 0;
        for (head, stored) in self.heads.iter().zip(&self.stored) {
            if head != stored {
                let key = row_key(LaneHead::TABLE, head.key().as_bytes());
                payload += trees.write(Space::Rows, &key, Some(&encode(head)?))?;
            }
        }
        Ok(payload)
    }
}

fn logging(trees: &Trees<'_>) -> Result<bool, Fault> {
    Ok(trees.get::<Identity>(&Key::new())?.is_some_and(|identity| identity.logging))
}
