//! A store with rows of a test's own, sent to a real central by the box's sender: all of a box that replication needs.

use std::sync::Arc;

use replication::postgres::Postgres;
use replication::row::{Lane, Value};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use whotbox::base::entropy::SeededEntropy;
use whotbox::base::id::RawId;
use whotbox::base::secret::Secret;
use whotbox::base::time::{ManualClock, Timestamp};
use whotbox::store::compared::Verification;
use whotbox::store::dead::DeadLetter;
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
use whotbox::store::medium::FileMedium;
use whotbox::store::meta;
use whotbox::store::record::{Record, TableId, Upstream};
use whotbox::store::table::TableInfo;
use whotbox::store::writer::{Settings, Store};
use whotbox::upstream::pace::Pace;
use whotbox::upstream::sender::{Sender, Step};
use whotbox::upstream::state::Status;
use whotbox::upstream::verify::{Outcome, Verifier};

use super::fixture::{ATTEMPTS, AUDITS, EPOCH, Enrolled};

/// A row of [`ATTEMPTS`].
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) id: RawId,
    pub(crate) outcome: String,
}

impl Record for Attempt {
    const TABLE: TableId = TableId { number: 60_011, name: "test.attempts" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &ATTEMPTS, lane: Lane::Bulk });
    fn key(&self) -> Key {
        Key::of(self.id)
    }
    fn upstream_row(&self) -> Vec<Value> {
        let text = |text: &str| Value::Text(text.to_owned());
        vec![text("ada"), Value::Null, text(&self.outcome), Value::Null, Value::Time(1_700_000_000_123_456)]
    }
}

/// A row of [`AUDITS`], in the urgent lane.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Audit {
    pub(crate) id: RawId,
}

impl Record for Audit {
    const TABLE: TableId = TableId { number: 60_012, name: "test.audits" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &AUDITS, lane: Lane::Urgent });
    fn key(&self) -> Key {
        Key::of(self.id)
    }
    fn upstream_row(&self) -> Vec<Value> {
        super::fixture::audit("", "asked").values
    }
}

/// Row number `n`'s id: a UUID, or for every tenth the text id of an old service.
pub(crate) fn id(n: u64) -> RawId {
    if n.is_multiple_of(10) {
        return format!("{:x}-old-{n}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).parse().unwrap();
    }
    RawId::from_uuid(uuid::Uuid::from_u64_pair(n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n))
}

/// The box.
pub(crate) struct Whole {
    pub(crate) store: Store,
    pub(crate) status: Arc<Status>,
    pub(crate) sender: Sender<Postgres>,
    pub(crate) tables: Vec<TableInfo>,
    _folder: TempDir,
}

impl Whole {
    /// A box with no rows, which `central` knows.
    pub(crate) async fn at(central: &Enrolled, upstream: Postgres) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_795_341_600_000_000)));
        let store = Store::open(Settings {
            medium: Arc::new(FileMedium { path: folder.path().join("store"), reserve: 0 }),
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(1)),
            digest_key: Secret::new([7; 32]),
            checkpoints_beside: false,
            listener: Arc::new(|_| {}),
        })
        .unwrap();
        let box_id = central.box_id;
        let made = store.write_blocking(move |tx, now| {
            meta::create(tx, now, box_id, [0; 32])?;
            meta::start_log(tx, EPOCH)
        });
        made.map_err(|fault: Fault| fault).unwrap();
        let tables = vec![
            TableInfo::of::<Attempt>(),
            TableInfo::of::<Audit>(),
            TableInfo::of::<DeadLetter>(),
            TableInfo::of::<Verification>(),
        ];
        let status = Arc::new(Status::default());
        let sender = Sender::new(store.clone(), clock.clone(), Arc::clone(&status), tables.clone(), upstream);
        let mut whole = Self { store, status, sender, tables, _folder: folder };
        // What was there before is entered into the log once; afterwards each change is one entry.
        whole.send().await;
        whole
    }

    /// The same box, sending at another pace.
    pub(crate) fn paced(self, pace: Pace) -> Self {
        Self { sender: self.sender.at(pace), ..self }
    }

    /// Writes rows `from` up to `to`, a thousand in each commit.
    pub(crate) fn write(&self, from: u64, to: u64, outcome: impl Fn(u64) -> String) {
        let all: Vec<u64> = (from..to).collect();
        for some in all.chunks(1000) {
            let rows: Vec<Attempt> = some.iter().map(|n| Attempt { id: id(*n), outcome: outcome(*n) }).collect();
            let done = self.store.write_blocking(move |tx, _| rows.iter().try_for_each(|row| tx.put(row)));
            done.map_err(|fault: Fault| fault).unwrap();
        }
    }

    pub(crate) fn delete(&self, n: u64) {
        let done = self.store.write_blocking(move |tx, _| tx.delete::<Attempt>(&Key::of(id(n))));
        done.map_err(|fault: Fault| fault).unwrap();
    }

    pub(crate) fn audit(&self, n: u64) {
        let done = self.store.write_blocking(move |tx, _| tx.put(&Audit { id: id(n) }));
        done.map_err(|fault: Fault| fault).unwrap();
    }

    /// Sends until central has everything; how many steps that took.
    pub(crate) async fn send(&mut self) -> usize {
        let mut failures = 0;
        for steps in 1..10_000 {
            match self.sender.step().await {
                Step::Done => return steps,
                Step::Moved => {}
                // A busy machine may take longer for an answer than a test allows.
                Step::Failed if failures < 20 => failures += 1,
                Step::Failed => panic!("{:?}", self.status.known()),
            }
        }
        panic!("there is no end to it");
    }

    /// Compares with central.
    pub(crate) async fn verify(&self, central: &Postgres) -> Outcome {
        Verifier::new(&self.store, &self.tables, central).all().await.unwrap()
    }
}
