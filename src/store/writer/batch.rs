//! One commit: the overlays of a batch of commands over one redb transaction, and the change log they leave.

use redb::{Database, Durability, ReadableTable, Table};

use replication::row::Lane;

use crate::base::notice::Notice;
use crate::base::time::Timestamp;
use crate::store::change::{Entry, lane_number, row_digest};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta::{Identity, LaneHead, lane_head};
use crate::store::read::{Pair, Range, Read, ReadExt, Space, row_key};
use crate::store::record::{Record, encode};
use crate::store::snapshot::{CHANGES, INDEXES, ROWS, get, scan};
use crate::store::tx::{LaneNumber, Tx, Written};
use crate::store::writer::{Command, Outcome, Settings};

/// What a commit did.
pub(super) struct Committed {
    pub(super) notices: Vec<Notice>,
    pub(super) payload: u64,
}

/// Runs every command and commits what the accepted ones wrote.
pub(super) fn commit(
    database: &Database,
    settings: &Settings,
    now: Timestamp,
    batch: &mut [Box<dyn Command>],
) -> Result<Committed, Fault> {
    let mut txn = database.begin_write()?;
    txn.set_durability(Durability::Immediate)?;
    txn.set_two_phase_commit(true);
    txn.set_quick_repair(true);
    let mut done = Committed { notices: Vec::new(), payload: 0 };
    {
        let mut trees =
            Trees { rows: txn.open_table(ROWS)?, indexes: txn.open_table(INDEXES)?, changes: txn.open_table(CHANGES)? };
        let mut log = Log::load(&trees)?;
        for command in batch {
            let mut tx = Tx::new(&trees, &*settings.entropy);
            match command.run(&mut tx, now) {
                Outcome::Keep => {
                    let written = tx.into_written();
                    done.payload += log.flush(&mut trees, settings, now, written, &mut done.notices)?;
                }
                Outcome::Drop => {}
                Outcome::Fatal(fault) => return Err(fault),
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
    rows: Table<'txn, &'static [u8], &'static [u8]>,
    indexes: Table<'txn, &'static [u8], &'static [u8]>,
    changes: Table<'txn, &'static [u8], &'static [u8]>,
}

impl<'txn> Trees<'txn> {
    fn tree(&self, space: Space) -> &impl ReadableTable<&'static [u8], &'static [u8]> {
        match space {
            Space::Rows => &self.rows,
            Space::Indexes => &self.indexes,
            Space::Changes => &self.changes,
        }
    }

    fn write(&mut self, space: Space, key: &[u8], value: Option<&[u8]>) -> Result<u64, Fault> {
        let tree: &mut Table<'txn, &'static [u8], &'static [u8]> = match space {
            Space::Rows => &mut self.rows,
            Space::Indexes => &mut self.indexes,
            Space::Changes => &mut self.changes,
        };
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

/// The lanes' heads during one commit.
struct Log {
    logging: bool,
    urgent: LaneHead,
    bulk: LaneHead,
    moved: bool,
}

impl Log {
    fn load(trees: &Trees<'_>) -> Result<Self, Fault> {
        Ok(Self {
            logging: logging(trees)?,
            urgent: lane_head(trees, Lane::Urgent)?,
            bulk: lane_head(trees, Lane::Bulk)?,
            moved: false,
        })
    }

    /// Writes a command's overlay and its change-log entries; returns the bytes written.
    fn flush(
        &mut self,
        trees: &mut Trees<'_>,
        settings: &Settings,
        now: Timestamp,
        written: Written,
        notices: &mut Vec<Notice>,
    ) -> Result<u64, Fault> {
        let mut payload = 0;
        let meta_touched = written.pending.keys().any(|(space, key)| *space == Space::Rows && is_meta(key));
        if meta_touched {
            // The command moves the log itself (enrolment, acknowledgement): the heads go through the tree.
            payload += self.store(trees)?;
        }
        for ((space, key), value) in &written.pending {
            payload += trees.write(*space, key, value.as_deref())?;
        }
        if meta_touched {
            *self = Self::load(trees)?;
        }
        if self.logging {
            for ((lane, table, key), op) in written.changes {
                let place = (Space::Rows, [&table.to_be_bytes()[..], &key].concat());
                let stored = match written.pending.get(&place) {
                    Some(stored) => stored.clone(),
                    None => trees.raw_get(place.0, &place.1)?,
                };
                let digest = row_digest(&settings.digest_key, table, &key, stored.as_deref());
                payload +=
                    self.append(trees, Entry { lane, seq: 0, table, key, op, digest, at: now, chain: [0; 32] })?;
            }
        }
        notices.extend(written.notices);
        Ok(payload)
    }

    fn head(&mut self, lane: LaneNumber) -> &mut LaneHead {
        if lane == lane_number(Lane::Urgent) { &mut self.urgent } else { &mut self.bulk }
    }

    fn append(&mut self, trees: &mut Trees<'_>, mut entry: Entry) -> Result<u64, Fault> {
        self.moved = true;
        let head = self.head(entry.lane);
        entry.seq = head.seq + 1;
        entry.chain = entry.chained(&head.chain);
        head.seq = entry.seq;
        head.chain = entry.chain;
        let (key, value) = entry.stored()?;
        trees.write(Space::Changes, &key, Some(&value))
    }

    /// Writes the heads back, if they moved.
    fn store(&mut self, trees: &mut Trees<'_>) -> Result<u64, Fault> {
        if !std::mem::take(&mut self.moved) {
            return Ok(0);
        }
        let mut payload = 0;
        for head in [&self.urgent, &self.bulk] {
            let key = row_key(LaneHead::TABLE, head.key().as_bytes());
            payload += trees.write(Space::Rows, &key, Some(&encode(head)?))?;
        }
        Ok(payload)
    }
}

fn logging(trees: &Trees<'_>) -> Result<bool, Fault> {
    Ok(trees.get::<Identity>(&Key::new())?.is_some_and(|identity| identity.logging))
}

fn is_meta(key: &[u8]) -> bool {
    [Identity::TABLE, LaneHead::TABLE].iter().any(|table| key.starts_with(&table.number.to_be_bytes()))
}
