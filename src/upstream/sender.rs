//! One step of sending: where each lane stands upstream, the next batches, and what became of them.
//!
//! ```text
//!   not known ──cursor, judged──▶ at a place ──batches──▶ applied: acknowledged, at the next place
//!       ▲                             │
//!       └──── answer lost, elsewhere ─┘        judged a fence: stops, says why, the box goes on
//! ```

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use replication::HAS_RECORDS;
use replication::error::Error;
use replication::fence::{self, Log, Resume};
use replication::row::{Batch, Chain, Cursor, Lane, Refusal};
use replication::upstream::{Greeting, Report, Upstream};

use crate::base::time::{AGREEMENT, Clock, Instant, Timestamp};
use crate::store::change::{Entry, lane_number};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta::Identity;
use crate::store::read::{Read, Space};
use crate::store::record::decode;
use crate::store::table::TableInfo;
use crate::store::writer::Store;
use crate::store::{dead, form, meta, relog};
use crate::upstream::batch::{Place, signed};
use crate::upstream::budget::{Budget, Bulk};
use crate::upstream::pace::Pace;
use crate::upstream::pipeline::{self, End, Outcome, Pipeline, result_of};
use crate::upstream::state::Status;

/// Waiting rows of a lane whose length is looked at for a figure.
const LOOKED_AT: usize = 1000;
/// How often a box that is up to date shows central that it is there.
pub const HEARTBEAT: Duration = Duration::from_secs(60);

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
    #[error("this box was enrolled anew")]
    Renewed,
    #[error("central knows this login as box {0}")]
    OtherBox(Uuid),
}

/// Sends one box's log to one central.
pub struct Sender<U> {
    store: Store,
    clock: Arc<dyn Clock>,
    status: Arc<Status>,
    tables: Arc<[TableInfo]>,
    central: U,
    /// When central last answered, by both clocks.
    contact: Option<(Instant, Timestamp)>,
    urgent: Option<Place>,
    bulk: Option<Place>,
    /// The life of the log that these places are of.
    epoch: Option<Uuid>,
    /// What else central is told at the next hello.
    told: Report,
    pace: Pace,
    budget: Budget,
}

impl<U: Upstream> Sender<U> {
    /// A sender that has asked nothing yet.
    pub fn new(store: Store, clock: Arc<dyn Clock>, status: Arc<Status>, tables: Vec<TableInfo>, central: U) -> Self {
        Self {
            store,
            clock,
            status,
            tables: tables.into(),
            central,
            contact: None,
            urgent: None,
            bulk: None,
            epoch: None,
            told: Report::default(),
            pace: Pace::default(),
            budget: Budget::default(),
        }
    }

    /// Goes on at the pace of a sender before, which knew the line.
    #[must_use]
    pub fn at(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Sends within what the owner allows, of which so much is spent.
    #[must_use]
    pub fn within(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// What is allowed, and spent.
    pub const fn budget(&self) -> Budget {
        self.budget
    }

    /// How long the bulk lane waits for its hours or its budget, if it does.
    pub fn waits(&self) -> Option<Duration> {
        self.bulk().waits()
    }

    fn bulk(&self) -> Bulk {
        self.budget.bulk(self.clock.monotonic(), self.clock.now())
    }

    /// The pace that this line has shown to bear.
    pub fn pace(&self) -> Pace {
        self.pace.clone()
    }

    /// What central is told of expiry at the next hello.
    pub fn tell(&mut self, oldest_due: Option<Timestamp>, expiry_waits: Option<&str>) {
        self.told.oldest_due = oldest_due.map(Timestamp::micros);
        self.told.expiry_waits = expiry_waits.map(str::to_owned);
    }

    /// Central, as this sender reaches it.
    pub const fn central(&self) -> &U {
        &self.central
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
                    Halt::Renewed => self.status.begun(),
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
        if self.epoch.replace(identity.epoch).is_some_and(|before| before != identity.epoch) {
            self.epoch = None;
            return Err(Halt::Renewed);
        }
        let places = self.places(&identity).await?;
        let moved = self.send(places, identity.epoch).await?;
        let waiting = backlog(&self.store.read()?)?;
        let pending = relog::pending(&self.store.read()?)?;
        let more = waiting > 0 || pending;
        let bulk = self.bulk();
        if let Some((_, at)) = self.contact {
            match bulk {
                Bulk::Goes(_) => self.status.synced(at, waiting.max(u64::from(pending))),
                held_back => self.status.held_back(at, waiting.max(u64::from(pending)), held_back),
            }
        }
        Ok(moved || more && bulk.waits().is_none())
    }

    /// Where both lanes go on. What is not known is asked, and hello is said when it is due, all in one round trip.
    async fn places(&mut self, identity: &Identity) -> Result<[Place; 2], Halt> {
        let now = self.clock.monotonic();
        let report = match self.contact {
            Some((at, _)) if now.since(at) < HEARTBEAT => None,
            _ => Some(self.report()?),
        };
        let hello = async {
            let Some(report) = &report else { return Ok(None) };
            let greeting = self.central.contact(report).await?;
            Ok(Some((greeting, self.central.schema().await?)))
        };
        let ask = async |known: Option<Place>, lane| match known {
            Some(_) => Ok(None),
            None => self.central.cursor(lane).await.map(Some),
        };
        let (greeted, urgent, bulk) =
            tokio::try_join!(hello, ask(self.urgent, Lane::Urgent), ask(self.bulk, Lane::Bulk))
                .map_err(Halt::Central)?;
        if let (Some((greeting, schema)), Some(report)) = (greeted, report) {
            self.greeted(identity.box_id, greeting, schema, report.clock).await?;
        }
        let urgent = self.place(Lane::Urgent, urgent, identity.epoch).await?;
        Ok([urgent, self.place(Lane::Bulk, bulk, identity.epoch).await?])
    }

    fn report(&self) -> Result<Report, Fault> {
        let snapshot = self.store.read()?;
        Ok(Report {
            software: env!("CARGO_PKG_VERSION").into(),
            clock: self.clock.now().micros(),
            backlog: signed(backlog(&snapshot)?),
            oldest_waiting: oldest_waiting(&snapshot)?.map(Timestamp::micros),
            ..self.told.clone()
        })
    }

    async fn greeted(&mut self, box_id: Uuid, greeting: Greeting, schema: i64, asked_at: i64) -> Result<(), Halt> {
        if greeting.box_id != box_id {
            return Err(Halt::OtherBox(greeting.box_id));
        }
        let (records, tables) = (schema >= HAS_RECORDS, Arc::clone(&self.tables));
        self.store.write(move |tx, _| form::note(tx, &tables, records)).await?;
        let skew = greeting.clock.saturating_sub(asked_at);
        self.status.greeted(skew);
        self.clock.witness(u128::from(skew.unsigned_abs()) <= AGREEMENT.as_micros());
        self.contact = Some((self.clock.monotonic(), self.clock.now()));
        Ok(())
    }

    /// Where a lane goes on: where it is known to stand, or where central says, if this box may go on from there.
    async fn place(&mut self, lane: Lane, asked: Option<Cursor>, epoch: Uuid) -> Result<Place, Halt> {
        let known = match lane {
            Lane::Urgent => self.urgent,
            Lane::Bulk => self.bulk,
        };
        let cursor = match (known, asked) {
            (Some(place), None) => return Ok(place),
            (_, Some(cursor)) => cursor,
            (None, None) => self.central.cursor(lane).await?,
        };
        let resume = self.judge(lane, epoch, &cursor)?;
        if resume.rewound {
            tracing::warn!(
                lane = lane.name(),
                from = resume.after,
                "central was restored to an older point; it is fed again"
            );
        }
        pipeline::note(&self.store, only(lane, cursor)).await?;
        self.confirmed(only(lane, Cursor { seq: resume.after, ..cursor }));
        Ok(Place { seq: unsigned(resume.after), chain: cursor.chain })
    }

    /// What central has been heard to have.
    fn confirmed(&mut self, [urgent, bulk]: [Option<Cursor>; 2]) {
        let place = |cursor: Cursor| Place { seq: unsigned(cursor.seq), chain: cursor.chain };
        if urgent.or(bulk).is_some() {
            self.contact = Some((self.clock.monotonic(), self.clock.now()));
        }
        self.urgent = urgent.map(place).or(self.urgent);
        self.bulk = bulk.map(place).or(self.bulk);
    }

    /// Sends the lanes' next batches for a turn; true if a cursor moved.
    async fn send(&mut self, places: [Place; 2], epoch: Uuid) -> Result<bool, Halt> {
        let mut pipeline = Pipeline {
            store: &self.store,
            clock: &*self.clock,
            status: &self.status,
            tables: Arc::clone(&self.tables),
            central: &self.central,
            pace: &mut self.pace,
            epoch,
            bulk: self.budget.bulk(self.clock.monotonic(), self.clock.now()).bytes(),
        };
        let Outcome { confirmed, bytes, end } = pipeline.run(places).await?;
        self.budget.spent(self.clock.monotonic(), bytes);
        self.confirmed(confirmed);
        match end {
            End::Over => Ok(confirmed != [None; 2]),
            // What is behind was refused for its sake; the next turn sends it.
            End::Refused(batch, rows) => self.bury(batch, rows).await.map(|()| true),
            End::Failed(error) => Err(error.into()),
        }
    }

    /// Lists refused rows and sends the rest of their batch, until nothing of it is refused: each search names only so many.
    async fn bury(&mut self, mut batch: Batch, mut refused: Vec<Refusal>) -> Result<(), Halt> {
        let lane = batch.lane;
        loop {
            let before = batch.len();
            batch = batch.without(&refused);
            self.store.write(move |tx, now| dead::bury(tx, now, lane, &refused)).await?;
            let answer = self.central.apply(&batch).await;
            self.status.sent(result_of(answer.as_ref().err()));
            match answer {
                Ok(_) => {
                    pipeline::revive(&self.store, &batch).await?;
                    pipeline::note(&self.store, only(lane, batch.end())).await?;
                    self.confirmed(only(lane, batch.end()));
                    return Ok(());
                }
                Err(Error::Refused(more)) if batch.len() < before => refused = more,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn judge(&self, lane: Lane, epoch: Uuid, cursor: &Cursor) -> Result<Resume, Halt> {
        let snapshot = self.store.read()?;
        let (head, ack) = (meta::lane_head(&snapshot, lane)?, meta::lane_ack(&snapshot, lane)?);
        let log = Log { epoch, head: signed(head.seq), acked: signed(ack.seq) };
        let chain = chain_at(&snapshot, lane, &ack, cursor.seq)?;
        Ok(fence::judge(cursor, &log, |_| chain)?)
    }
}

/// One lane's cursor among those of [`Lane::ALL`].
fn only(lane: Lane, cursor: Cursor) -> [Option<Cursor>; 2] {
    Lane::ALL.map(|one| (one == lane).then_some(cursor))
}

/// The chain behind an entry of the log, `None` where it is no longer kept.
pub(in crate::upstream) fn chain_at(
    read: &impl Read,
    lane: Lane,
    ack: &meta::LaneAck,
    seq: i64,
) -> Result<Option<Chain>, Fault> {
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

/// Bytes of the rows that central has not confirmed, as they lie in the store: the first thousand of each lane are looked at,
/// and the rest is taken for as long.
///
/// # Errors
/// [`Fault`] where the log or a row cannot be read.
pub fn backlog_bytes(read: &impl Read) -> Result<u64, Fault> {
    let mut bytes = 0;
    for lane in Lane::ALL {
        let after = meta::lane_ack(read, lane)?.seq;
        let waiting = meta::lane_head(read, lane)?.seq.saturating_sub(after);
        let (mut looked_at, mut found) = (0_u64, 0_u64);
        for entry in crate::store::change::entries_after(read, lane, after, LOOKED_AT)? {
            let place = [&entry.table.to_be_bytes()[..], &entry.key].concat();
            looked_at += 1;
            found += read.raw_get(Space::Rows, &place)?.map_or(0, |row| row.len()) as u64;
        }
        bytes += found.saturating_mul(waiting).checked_div(looked_at).unwrap_or(0);
    }
    Ok(bytes)
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

#[cfg(test)]
mod tests;
