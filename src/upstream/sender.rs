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

use replication::HAS_RECORDS;
use replication::error::Error;
use replication::fence::{self, Log, Resume};
use replication::row::{Batch, Chain, Cursor, Lane, Refusal};
use replication::upstream::{Report, Upstream};

use crate::base::time::{AGREEMENT, Clock, Instant, Timestamp};
use crate::store::change::{Entry, lane_number};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::read::{Read, Space};
use crate::store::record::decode;
use crate::store::table::TableInfo;
use crate::store::writer::Store;
use crate::store::{dead, form, meta, relog};
use crate::upstream::batch::{self, Place, signed};
use crate::upstream::state::{BatchResult, Status};

/// Batches of a lane in flight together: four keep a line of 200 ms round trip full (deps.md).
const IN_FLIGHT: usize = 4;
/// Waiting rows of a lane whose length is looked at for a figure.
const LOOKED_AT: usize = 1000;
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
    tables: Vec<TableInfo>,
    central: U,
    /// When central last answered, by both clocks.
    contact: Option<(Instant, Timestamp)>,
    urgent: Option<Place>,
    bulk: Option<Place>,
    /// The life of the log that these places are of.
    epoch: Option<Uuid>,
    /// What else central is told at the next hello.
    told: Report,
}

impl<U: Upstream> Sender<U> {
    /// A sender that has asked nothing yet.
    pub fn new(store: Store, clock: Arc<dyn Clock>, status: Arc<Status>, tables: Vec<TableInfo>, central: U) -> Self {
        Self {
            store,
            clock,
            status,
            tables,
            central,
            contact: None,
            urgent: None,
            bulk: None,
            epoch: None,
            told: Report::default(),
        }
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
        let pending = relog::pending(&self.store.read()?)?;
        let more = waiting > 0 || pending;
        if let Some((_, at)) = self.contact {
            self.status.synced(at, waiting.max(u64::from(pending)));
        }
        Ok(moved || more)
    }

    async fn greet(&mut self, box_id: Uuid) -> Result<(), Halt> {
        let before = self.clock.now();
        let snapshot = self.store.read()?;
        let report = Report {
            software: env!("CARGO_PKG_VERSION").into(),
            clock: before.micros(),
            backlog: signed(backlog(&snapshot)?),
            oldest_waiting: oldest_waiting(&snapshot)?.map(Timestamp::micros),
            ..self.told.clone()
        };
        drop(snapshot);
        let greeting = self.central.contact(&report).await?;
        if greeting.box_id != box_id {
            return Err(Halt::OtherBox(greeting.box_id));
        }
        let (records, tables) = (self.central.schema().await? >= HAS_RECORDS, self.tables.clone());
        self.store.write(move |tx, _| form::note(tx, &tables, records)).await?;
        let skew = greeting.clock.saturating_sub(before.micros());
        self.status.greeted(skew);
        self.clock.witness(u128::from(skew.unsigned_abs()) <= AGREEMENT.as_micros());
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
        answers.iter().for_each(|answer| self.status.sent(result_of(answer.as_ref().err())));
        for (batch, answer) in batches.into_iter().zip(answers) {
            match answer {
                Ok(_) => self.confirm(lane, &batch).await?,
                Err(Error::Refused(refused)) => {
                    self.bury(lane, batch, refused).await?;
                    // The batches behind it were refused for its sake; the next step sends them.
                    return Ok(true);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Lists refused rows and sends the rest of their batch, until nothing of it is refused: each search names only so many.
    async fn bury(&mut self, lane: Lane, mut batch: Batch, mut refused: Vec<Refusal>) -> Result<(), Halt> {
        loop {
            let before = batch.len();
            batch = batch.without(&refused);
            self.store.write(move |tx, now| dead::bury(tx, now, lane, &refused)).await?;
            let answer = self.central.apply(&batch).await;
            self.status.sent(result_of(answer.as_ref().err()));
            match answer {
                Ok(_) => return self.confirm(lane, &batch).await,
                Err(Error::Refused(more)) if batch.len() < before => refused = more,
                Err(error) => return Err(error.into()),
            }
        }
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
        self.store.reserved().write(move |tx, _| meta::acknowledge(tx, lane, place.seq, place.chain)).await
    }
}

const fn result_of(error: Option<&Error>) -> BatchResult {
    match error {
        None => BatchResult::Applied,
        Some(Error::Refused(_)) => BatchResult::Refused,
        Some(_) => BatchResult::Failed,
    }
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
mod tests {
    use std::time::Duration;

    use replication::memory::{Central, Fault as Cut, Memory};
    use replication::row::{Column, Table, Type, Value};
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::base::time::ManualClock;
    use crate::store::record::{Record, TableId, Upstream as Goes};
    use crate::store::testing;
    use crate::upstream::state::State;

    const NOTES: Table = Table {
        schema: "test",
        name: "notes",
        append_only: false,
        columns: &[Column { name: "text", ty: Type::Text, nullable: false }],
    };

    #[derive(Serialize, Deserialize)]
    struct Note {
        id: u64,
        text: String,
    }

    impl Record for Note {
        const TABLE: TableId = TableId { number: 900, name: "test.notes" };
        const UPSTREAM: Option<Goes> = Some(Goes { table: &NOTES, lane: Lane::Bulk });
        fn key(&self) -> Key {
            Key::new().number(self.id)
        }
        fn upstream_id(key: &[u8]) -> Option<String> {
            Some(u64::from_be_bytes(key.try_into().ok()?).to_string())
        }
        fn upstream_row(&self) -> Vec<Value> {
            vec![Value::Text(self.text.clone())]
        }
    }

    struct Given {
        store: Store,
        clock: Arc<ManualClock>,
        central: Central,
        status: Arc<Status>,
        sender: Sender<Memory>,
    }

    const BOX: Uuid = Uuid::from_u128(1);

    fn start(epoch: u128) -> [(Lane, Cursor); 2] {
        Lane::ALL.map(|lane| (lane, Cursor { epoch: Uuid::from_u128(epoch), seq: 0, chain: [0; 32] }))
    }

    /// An enrolled box and its central; `faults` meet the first calls.
    fn given(faults: &[Option<Cut>]) -> Given {
        let (store, clock) = testing::store();
        let central = Central::default();
        let memory = central.enroll(BOX, start(2));
        memory.meet(faults.to_vec());
        let status = Arc::new(Status::default());
        let tables = vec![TableInfo::of::<Note>(), TableInfo::of::<dead::DeadLetter>()];
        let sender = Sender::new(store.clone(), clock.clone(), Arc::clone(&status), tables, memory);
        Given { store, clock, central, status, sender }
    }

    impl Given {
        fn note(&self, id: u64, text: &str) {
            let note = Note { id, text: text.into() };
            self.store.write_blocking(move |tx, _| tx.put(&note)).unwrap();
        }

        fn forget(&self, id: u64) {
            self.store.write_blocking(move |tx, _| tx.delete::<Note>(&Key::new().number(id))).unwrap();
        }

        fn at_central(&self) -> Vec<(String, String)> {
            let text = |values: &Vec<Value>| match &values[..] {
                [Value::Text(text)] => text.clone(),
                other => panic!("{other:?}"),
            };
            self.central.rows(BOX, &NOTES).iter().map(|(id, values)| (id.clone(), text(values))).collect()
        }

        async fn run(&mut self) -> Vec<Step> {
            let mut steps = Vec::new();
            while steps.last() != Some(&Step::Done) && steps.len() < 50 {
                steps.push(self.sender.step().await);
            }
            steps
        }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect()
    }

    #[tokio::test]
    async fn what_changed_often_is_sent_as_it_is_and_what_is_gone_is_gone() {
        let mut box_ = given(&[]);
        box_.note(1, "first");
        box_.note(2, "passing");
        box_.run().await;
        box_.note(1, "second");
        box_.note(1, "third");
        box_.forget(2);
        assert_eq!(box_.run().await.last(), Some(&Step::Done));
        assert_eq!(box_.at_central(), pairs(&[("1", "third")]));
        assert_eq!(box_.status.known().state, State::Live);
        assert_eq!(backlog(&box_.store.read().unwrap()).unwrap(), 0);
    }

    #[tokio::test]
    async fn a_lost_answer_is_settled_by_the_cursor_and_nothing_is_doubled() {
        for cut in [Cut::Before, Cut::After] {
            let mut box_ = given(&[Some(cut)]);
            box_.note(1, "once");
            assert_eq!(box_.sender.step().await, Step::Failed);
            assert_eq!(box_.status.known().state, State::Offline);
            assert!(box_.status.known().advice.is_some());
            assert_eq!(box_.run().await.last(), Some(&Step::Done));
            assert_eq!(box_.at_central(), pairs(&[("1", "once")]));
        }
    }

    #[tokio::test]
    async fn what_was_there_before_enrolment_is_sent_too_and_nothing_is_believed_without_contact() {
        let mut box_ = given(&[]);
        for id in 0..5000 {
            box_.note(id, "old");
        }
        box_.store.write_blocking(|tx, _| meta::start_log(tx, Uuid::from_u128(3))).unwrap();
        let memory = box_.central.enroll(BOX, start(3));
        box_.sender.central = memory;
        box_.run().await;
        assert_eq!(box_.at_central().len(), 5000);
        let before = box_.status.known().last_sync_at;
        box_.clock.advance(HEARTBEAT);
        box_.central.revoke(BOX);
        assert_eq!(box_.sender.step().await, Step::Failed);
        assert_eq!(box_.status.known().state, State::Stalled);
        assert_eq!(box_.status.known().last_sync_at, before);
    }

    #[tokio::test]
    async fn another_life_of_the_box_is_fenced() {
        let mut box_ = given(&[]);
        box_.note(1, "mine");
        box_.run().await;
        box_.central.enroll(BOX, start(9)).meet([]);
        box_.note(1, "mine again");
        assert_eq!(box_.sender.step().await, Step::Moved, "the lane stands elsewhere: it is asked for");
        assert_eq!(box_.sender.step().await, Step::Failed);
        let known = box_.status.known();
        assert_eq!(known.state, State::Fenced);
        assert!(known.reason.unwrap().contains("other_epoch") && known.advice.is_some());
    }

    #[tokio::test]
    async fn a_refused_row_is_listed_and_all_others_flow_until_it_is_mended() {
        let mut box_ = given(&[]);
        box_.note(1, "good");
        box_.note(2, "bad \0 text");
        box_.note(3, "good too");
        assert_eq!(box_.run().await.last(), Some(&Step::Done));
        assert_eq!(box_.at_central(), pairs(&[("1", "good"), ("3", "good too")]));
        let listed = dead::list(&box_.store.read().unwrap(), 10).unwrap();
        assert_eq!(listed.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["2"]);
        box_.note(2, "mended");
        box_.run().await;
        assert_eq!(box_.at_central().len(), 3);
        assert!(dead::list(&box_.store.read().unwrap(), 10).unwrap().is_empty());
    }

    #[tokio::test]
    async fn time_alone_is_no_contact() {
        let mut box_ = given(&[]);
        box_.run().await;
        let first = box_.status.known().last_sync_at;
        box_.clock.advance(Duration::from_secs(5));
        box_.run().await;
        assert_eq!(box_.status.known().last_sync_at, first);
    }
}
