//! One step of sending: where each lane stands upstream, the next batches, and what became of them.
//!
//! ```text
//!   not known ──cursor, judged──▶ at a place ──batches──▶ applied: acknowledged, at the next place
//!       ▲                             │
//!       └──── answer lost, elsewhere ─┘        judged a fence: stops, says why, the box goes on
//! ```

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use uuid::Uuid;

use replication::error::Error;
use replication::fence::{self, Log, Resume};
use replication::row::{Batch, Chain, Cursor, Lane};
use replication::upstream::{Report, Upstream};

use crate::base::time::{Clock, Instant, Timestamp};
use crate::store::change::{Entry, lane_number};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::read::{Read, Space};
use crate::store::record::decode;
use crate::store::table::TableInfo;
use crate::store::writer::Store;
use crate::store::{dead, meta, relog};
use crate::upstream::batch::{self, Place, signed};
use crate::upstream::state::Status;

/// Batches of a lane in flight together: four keep a line of 200 ms round trip full (deps.md).
const IN_FLIGHT: usize = 4;
/// How often a box that is up to date shows central that it is there.
pub const HEARTBEAT: Duration = Duration::from_secs(60);
/// Rows that one step enters into the log when everything is to be sent anew.
const RELOG: usize = 2000;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something moved: go on at once.
    Moved,
    /// Central has everything.
    Done,
    /// Nothing moved and nothing will for a while: wait, longer each time.
    Failed,
}

/// What keeps a step from its end.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error(transparent)]
    Central(#[from] Error),
    #[error(transparent)]
    Store(#[from] Fault),
    #[error(transparent)]
    Fence(#[from] fence::Fence),
    #[error("central knows this login as box {0}")]
    OtherBox(Uuid),
}

/// Sends one box's log to one central.
pub struct Sender<U> {
    store: Store,
    clock: Arc<dyn Clock>,
    status: Arc<Status>,
    tables: Vec<TableInfo>,
    central: U,
    /// When central last answered, by both clocks.
    contact: Option<(Instant, Timestamp)>,
    urgent: Option<Place>,
    bulk: Option<Place>,
}

impl<U: Upstream> Sender<U> {
    /// A sender that has asked nothing yet.
    pub fn new(store: Store, clock: Arc<dyn Clock>, status: Arc<Status>, tables: Vec<TableInfo>, central: U) -> Self {
        Self { store, clock, status, tables, central, contact: None, urgent: None, bulk: None }
    }

    /// Sends what is due, as far as a few batches reach, and accounts for it in the status.
    pub async fn step(&mut self) -> Step {
        match self.advance().await {
            Ok(true) => Step::Moved,
            Ok(false) => Step::Done,
            Err(halt) => {
                // Whatever was believed about central may be wrong now: the next step asks.
                (self.contact, self.urgent, self.bulk) = (None, None, None);
                match &halt {
                    Halt::Central(error) => self.status.failed(error),
                    Halt::Fence(fence) => self.status.fenced(fence),
                    Halt::Store(fault) => self.status.stalled(&fault.to_string(), "Run: whotbox doctor."),
                    Halt::OtherBox(_) => {
                        self.status.stalled(&halt.to_string(), "Enrol this box again: whotbox upstream enroll.")
                    }
                }
                match halt {
                    Halt::Central(Error::Elsewhere { .. }) => Step::Moved,
                    _ => Step::Failed,
                }
            }
        }
    }

    async fn advance(&mut self) -> Result<bool, Halt> {
        let identity = meta::identity(&self.store.read()?)?;
        if relog::pending(&self.store.read()?)? {
            let tables = self.tables.clone();
            self.store.write(move |tx, _| relog::step(tx, &tables, RELOG)).await?;
        }
        let now = self.clock.monotonic();
        if self.contact.is_none_or(|(at, _)| now.since(at) >= HEARTBEAT) {
            self.greet(identity.box_id).await?;
        }
        let mut moved = false;
        for lane in Lane::ALL {
            moved |= self.send(lane, identity.epoch).await?;
        }
        let waiting = backlog(&self.store.read()?)?;
        let more = waiting > 0 || relog::pending(&self.store.read()?)?;
        if let Some((_, at)) = self.contact {
            self.status.synced(at, waiting);
        }
        Ok(moved || more)
    }

    async fn greet(&mut self, box_id: Uuid) -> Result<(), Halt> {
        let before = self.clock.now();
        let report = Report { software: env!("CARGO_PKG_VERSION").into(), clock: before.micros() };
        let greeting = self.central.contact(&report).await?;
        if greeting.box_id != box_id {
            return Err(Halt::OtherBox(greeting.box_id));
        }
        self.status.greeted(greeting.clock.saturating_sub(before.micros()));
        self.contact = Some((self.clock.monotonic(), self.clock.now()));
        Ok(())
    }

    fn place(&mut self, lane: Lane) -> &mut Option<Place> {
        match lane {
            Lane::Urgent => &mut self.urgent,
            Lane::Bulk => &mut self.bulk,
        }
    }

    /// Sends a lane's next batches; true if the cursor moved.
    async fn send(&mut self, lane: Lane, epoch: Uuid) -> Result<bool, Halt> {
        let place = match *self.place(lane) {
            Some(place) => place,
            None => self.locate(lane, epoch).await?,
        };
        let batches = self.prepare(lane, epoch, place)?;
        if batches.is_empty() {
            return Ok(false);
        }
        let answers = join_all(batches.iter().map(|batch| self.central.apply(batch))).await;
        for (batch, answer) in batches.into_iter().zip(answers) {
            match answer {
                Ok(_) => self.confirm(lane, &batch).await?,
                Err(Error::Refused(refused)) => {
                    self.store.write(move |tx, now| dead::bury(tx, now, lane, &refused)).await?;
                    let buried = dead::listed(&self.store.read()?, &batch)?;
                    let rest = without(batch, &buried);
                    self.central.apply(&rest).await?;
                    self.acknowledge(lane, rest.end()).await?;
                    // The batches behind it were refused for its sake; the next step sends them.
                    return Ok(true);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Up to [`IN_FLIGHT`] batches, one behind the other, from one snapshot.
    fn prepare(&self, lane: Lane, epoch: Uuid, mut place: Place) -> Result<Vec<Batch>, Fault> {
        let snapshot = self.store.read()?;
        let mut batches = Vec::new();
        while batches.len() < IN_FLIGHT {
            let Some(batch) = batch::next(&snapshot, &self.tables, lane, epoch, place)? else { break };
            place = Place { seq: unsigned(batch.seq), chain: batch.chain };
            batches.push(batch);
        }
        Ok(batches)
    }

    /// Asks where a lane stands and judges whether this box may go on from there.
    async fn locate(&mut self, lane: Lane, epoch: Uuid) -> Result<Place, Halt> {
        let cursor = self.central.cursor(lane).await?;
        let resume = self.judge(lane, epoch, &cursor)?;
        if resume.rewound {
            tracing::warn!(
                lane = lane.name(),
                from = resume.after,
                "central was restored to an older point; it is fed again"
            );
        }
        let place = Place { seq: unsigned(resume.after), chain: cursor.chain };
        *self.place(lane) = Some(place);
        self.acknowledge(lane, cursor).await?;
        Ok(place)
    }

    fn judge(&self, lane: Lane, epoch: Uuid, cursor: &Cursor) -> Result<Resume, Halt> {
        let snapshot = self.store.read()?;
        let (head, ack) = (meta::lane_head(&snapshot, lane)?, meta::lane_ack(&snapshot, lane)?);
        let log = Log { epoch, head: signed(head.seq), acked: signed(ack.seq) };
        let chain = chain_at(&snapshot, lane, &ack, cursor.seq)?;
        Ok(fence::judge(cursor, &log, |_| chain)?)
    }

    async fn confirm(&mut self, lane: Lane, batch: &Batch) -> Result<(), Halt> {
        let revived = dead::listed(&self.store.read()?, batch)?;
        if !revived.is_empty() {
            self.store.write(move |tx, _| dead::revive(tx, &revived)).await?;
        }
        Ok(self.acknowledge(lane, batch.end()).await?)
    }

    async fn acknowledge(&mut self, lane: Lane, cursor: Cursor) -> Result<(), Fault> {
        let place = Place { seq: unsigned(cursor.seq), chain: cursor.chain };
        *self.place(lane) = Some(place);
        self.contact = Some((self.clock.monotonic(), self.clock.now()));
        self.store.write(move |tx, _| meta::acknowledge(tx, lane, place.seq, place.chain)).await
    }
}

/// The chain behind an entry of the log, `None` where it is no longer kept.
fn chain_at(read: &impl Read, lane: Lane, ack: &meta::LaneAck, seq: i64) -> Result<Option<Chain>, Fault> {
    let seq = unsigned(seq);
    if seq == 0 {
        return Ok((ack.trimmed_seq == 0).then_some([0; 32]));
    }
    if seq == ack.seq {
        return Ok(Some(ack.chain));
    }
    let key = Key::new().byte(lane_number(lane)).number(seq);
    let stored = read.raw_get(Space::Changes, key.as_bytes())?;
    stored.map(|stored| decode::<Entry>(key.as_bytes(), &stored).map(|entry| entry.chain)).transpose()
}

fn unsigned(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}

/// A batch without the rows on the list of dead letters.
fn without(mut batch: Batch, buried: &[(String, String)]) -> Batch {
    for puts in &mut batch.puts {
        let table = puts.table.full_name();
        puts.rows.retain(|row| !buried.contains(&(table.clone(), row.id.clone())));
    }
    for gone in &mut batch.deletes {
        let table = gone.table.full_name();
        gone.ids.retain(|id| !buried.contains(&(table.clone(), id.clone())));
    }
    batch
}

/// Entries that central has not confirmed.
///
/// # Errors
/// [`Fault`] where the heads cannot be read.
pub fn backlog(read: &impl Read) -> Result<u64, Fault> {
    let mut waiting = 0;
    for lane in Lane::ALL {
        waiting += meta::lane_head(read, lane)?.seq.saturating_sub(meta::lane_ack(read, lane)?.seq);
    }
    Ok(waiting)
}

/// The time of the oldest entry that central has not confirmed.
///
/// # Errors
/// [`Fault`] where the log cannot be read.
pub fn oldest_waiting(read: &impl Read) -> Result<Option<Timestamp>, Fault> {
    let mut oldest = None;
    for lane in Lane::ALL {
        let after = meta::lane_ack(read, lane)?.seq;
        for entry in crate::store::change::entries_after(read, lane, after, 1)? {
            oldest = Some(oldest.map_or(entry.at, |at: Timestamp| at.min(entry.at)));
        }
    }
    Ok(oldest)
}
