//! One commit in the making: the overlays of a batch of commands, and the change log they leave.

use replication::row::Lane;

use crate::base::notice::Notice;
use crate::base::time::Timestamp;
use crate::store::change::{Entry, Op, lane_number, row_digest};
use crate::store::engine::Draft;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta::{Identity, LaneHead, lane_head};
use crate::store::read::{Read, ReadExt, Space, row_key};
use crate::store::record::{Record, encode};
use crate::store::tx::{LaneNumber, Tx, Written};
use crate::store::writer::{Command, MAX_BATCH, Outcome, Settings};

/// What a commit did.
pub(super) struct Committed {
    pub(super) notices: Vec<Notice>,
    pub(super) payload: u64,
}

/// Runs every command over a draft of the next commit and notes there what the accepted ones wrote. What is queued while
/// they run joins the batch: the commands of 64 waiting writers come one after another, and the first must not have a
/// commit to itself.
pub(super) fn run(
    mut draft: Draft,
    settings: &Settings,
    batch: &mut Vec<Box<dyn Command>>,
    queued: &mut dyn Iterator<Item = Box<dyn Command>>,
) -> Result<(Committed, Draft), Fault> {
    let mut notices = Vec::new();
    let mut log = Log::load(&draft.seen)?;
    let mut ran = 0;
    while let Some(command) = batch.get_mut(ran) {
        // Its own time: it may have been queued after the batch began, and must not be older than its caller knows.
        let now = settings.clock.now();
        let mut tx = Tx::new(&draft.seen, &*settings.entropy);
        match command.run(&mut tx, now) {
            Outcome::Keep => {
                let written = tx.into_written();
                log.flush(&mut draft, settings, now, &written)?;
                notices.extend(written.notices);
            }
            Outcome::Drop => {}
            Outcome::Fatal(fault) => return Err(fault),
        }
        ran += 1;
        if ran == batch.len() {
            batch.extend(queued.take(MAX_BATCH.saturating_sub(ran)));
        }
    }
    log.store(&mut draft)?;
    Ok((Committed { notices, payload: draft.payload() }, draft))
}

/// The change log during one commit. The heads stay here until the end, so that a batch writes them once.
struct Log {
    logging: bool,
    /// The heads as stored, and as they are by now.
    stored: [LaneHead; 2],
    heads: [LaneHead; 2],
}

impl Log {
    fn load(read: &impl Read) -> Result<Self, Fault> {
        let heads = [lane_head(read, Lane::Urgent)?, lane_head(read, Lane::Bulk)?];
        Ok(Self { logging: logging(read)?, stored: heads, heads })
    }

    /// Notes a command's overlay and its change-log entries.
    fn flush(
        &mut self,
        draft: &mut Draft,
        settings: &Settings,
        now: Timestamp,
        written: &Written,
    ) -> Result<(), Fault> {
        for space in Space::ALL {
            if written.overlay.is_cleared(space) {
                draft.clear(space);
            }
            for (key, value) in written.overlay.writes(space) {
                draft.write(space, key, value);
            }
        }
        if written.overlay.is_cleared(Space::Changes) {
            self.heads = [LaneHead::empty(Lane::Urgent), LaneHead::empty(Lane::Bulk)];
        }
        if written.overlay.written(Space::Rows, &row_key(Identity::TABLE, &[])).is_some() {
            self.logging = logging(&draft.seen)?;
        }
        if self.logging {
            for ((lane, place), op) in &written.changes {
                let Some((table, key)) = place.split_first_chunk() else { continue };
                let table = u16::from_be_bytes(*table);
                // A row that is only entered into the log again is not among the command's writes.
                let stored = written.overlay.get(&draft.seen, Space::Rows, place)?;
                let digest = row_digest(&settings.digest_key, table, key, stored.as_deref());
                self.append(draft, *lane, (table, key.to_vec()), *op, digest, now)?;
            }
        }
        Ok(())
    }

    fn append(
        &mut self,
        draft: &mut Draft,
        lane: LaneNumber,
        (table, key): (u16, Vec<u8>),
        op: Op,
        digest: [u8; 16],
        at: Timestamp,
    ) -> Result<(), Fault> {
        let [urgent, bulk] = &mut self.heads;
        let head = if lane == lane_number(Lane::Urgent) { urgent } else { bulk };
        let mut entry = Entry { lane, seq: head.seq + 1, table, key, op, digest, at, chain: [0; 32] };
        entry.chain = entry.chained(&head.chain);
        head.seq = entry.seq;
        head.chain = entry.chain;
        draft.write(Space::Changes, entry.key().as_bytes(), Some(&encode(&entry)?));
        Ok(())
    }

    /// Writes back the heads that moved.
    fn store(&self, draft: &mut Draft) -> Result<(), Fault> {
        for (head, stored) in self.heads.iter().zip(&self.stored) {
            if head != stored {
                let key = row_key(LaneHead::TABLE, head.key().as_bytes());
                draft.write(Space::Rows, &key, Some(&encode(head)?));
            }
        }
        Ok(())
    }
}

fn logging(read: &impl Read) -> Result<bool, Fault> {
    Ok(read.get::<Identity>(&Key::new())?.is_some_and(|identity| identity.logging))
}
