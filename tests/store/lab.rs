//! What the store's tests share: three records, a store on a simulated disk, dice, and the laws that always hold.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::task::Poll;

use replication::row::{Column, Lane, Table, Type, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use whotbox::base::entropy::{Entropy, SeededEntropy};
use whotbox::base::notice::Notice;
use whotbox::base::secret::Secret;
use whotbox::base::time::{ManualClock, Timestamp};
use whotbox::store::change::{Entry, entries_after, lane_number};
use whotbox::store::fault::Fault;
use whotbox::store::index::{Index, Indexes};
use whotbox::store::key::Key;
use whotbox::store::medium::Medium;
use whotbox::store::meta;
use whotbox::store::read::{Pair, Range, Read, Space};
use whotbox::store::record::{Record, TableId, Upstream};
use whotbox::store::tx::Tx;
use whotbox::store::writer::{Settings, Store};

use super::disk::Disk;

/// The clock's first moment: 2026-11-22T10:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_795_341_600_000_000);
/// The key of the change log's digests.
pub(crate) const DIGEST_KEY: [u8; 32] = [7; 32];

/// A row with both kinds of index; it travels in the bulk lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: u64,
    pub(crate) group: u8,
    pub(crate) name: String,
    pub(crate) body: Vec<u8>,
}

/// Notes of a group.
pub(crate) const BY_GROUP: Index = Index::ordered(1);
/// Notes by name, which is unique.
pub(crate) const BY_NAME: Index = Index::unique(2);

const COLUMNS: &[Column] = &[Column { name: "name", ty: Type::Text, nullable: false }];
static NOTES: Table = Table { schema: "test", name: "notes", append_only: false, columns: COLUMNS };
static ALARMS: Table = Table { schema: "test", name: "alarms", append_only: false, columns: COLUMNS };

impl Record for Note {
    const TABLE: TableId = TableId { number: 60_001, name: "test.notes" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &NOTES, lane: Lane::Bulk });
    fn key(&self) -> Key {
        Key::new().number(self.id)
    }
    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(BY_GROUP, &Key::new().byte(self.group));
        to.add(BY_NAME, &Key::new().text(&self.name));
    }
    fn upstream_row(&self) -> Vec<Value> {
        vec![Value::Text(self.name.clone())]
    }
}

/// A row of the urgent lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alarm {
    pub(crate) id: u64,
}

impl Record for Alarm {
    const TABLE: TableId = TableId { number: 60_002, name: "test.alarms" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &ALARMS, lane: Lane::Urgent });
    fn key(&self) -> Key {
        Key::new().number(self.id)
    }
}

/// A row that stays on the box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Local {
    pub(crate) id: u64,
    pub(crate) value: u64,
}

impl Record for Local {
    const TABLE: TableId = TableId { number: 60_003, name: "test.local" };
    fn key(&self) -> Key {
        Key::new().number(self.id)
    }
}

/// A note of a group, with a name of its own.
pub(crate) fn note(id: u64, group: u8) -> Note {
    Note { id, group, name: format!("note {id}"), body: vec![group; 40] }
}

/// Numbers that come again from their seed.
pub(crate) struct Dice(SeededEntropy);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    /// A number below `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    }

    /// True once in `times`.
    pub(crate) fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// The seed of a random test: `WHOTBOX_SEED`, or one that is printed. The same in CI, so that CI never flickers.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("WHOTBOX_SEED").ok().map(|seed| seed.parse().expect("WHOTBOX_SEED is a number"));
    let fresh = || u64::from_le_bytes((&whotbox::base::entropy::OsEntropy as &dyn Entropy).bytes());
    let seed = given.unwrap_or_else(|| if full() { fresh() } else { 20_261_122 });
    println!("replay with WHOTBOX_SEED={seed}");
    seed
}

/// Whether the long samples are wanted.
pub(crate) fn full() -> bool {
    std::env::var_os("WHOTBOX_FULL").is_some()
}

/// A store on a simulated disk.
pub(crate) struct Lab {
    pub(crate) disk: Disk,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
    /// Whether checkpoints run beside the commits: then what happens does not all follow from a seed.
    beside: bool,
}

impl Lab {
    /// A new store that logs its changes.
    pub(crate) fn new() -> Self {
        let lab = Self::on(Disk::formatted());
        lab.store.write_blocking(enrol).unwrap();
        lab
    }

    /// The store of a disk.
    pub(crate) fn on(disk: Disk) -> Self {
        Self::opened(disk, false)
    }

    /// The store of a disk, whose checkpoints run beside the commits or between them.
    pub(crate) fn opened(disk: Disk, beside: bool) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let settings = settings(Arc::new(disk.clone()), &clock, |_| {});
        let store = Store::open(Settings { checkpoints_beside: beside, ..settings }).unwrap();
        Self { disk, clock, store, beside }
    }

    /// Closes the store and opens it again from its disk.
    pub(crate) fn reopened(self) -> Self {
        self.store.close();
        Self { clock: self.clock, ..Self::opened(self.disk, self.beside) }
    }

    /// Writes notes in one command.
    pub(crate) fn put(&self, notes: &[Note]) -> Result<(), Fault> {
        let notes = notes.to_vec();
        self.store.write_blocking(move |tx, _| notes.iter().try_for_each(|note| tx.put(note)))
    }
}

/// The settings of a store in a test.
pub(crate) fn settings(
    medium: Arc<dyn Medium>,
    clock: &Arc<ManualClock>,
    listener: impl Fn(Notice) + Send + Sync + 'static,
) -> Settings {
    Settings {
        medium,
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(1)),
        digest_key: Secret::new(DIGEST_KEY),
        checkpoints_beside: false,
        listener: Arc::new(listener),
    }
}

/// Gives the store an identity and starts its log.
pub(crate) fn enrol(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Fault> {
    meta::create(tx, now, Uuid::from_u128(1), [0; 32])?;
    meta::start_log(tx, Uuid::from_u128(2))
}

/// Runs commands in one commit: the first holds the writer until all are queued.
pub(crate) fn together<T: Send + 'static>(
    store: &Store,
    commands: Vec<impl FnOnce(&mut Tx<'_>, Timestamp) -> Result<T, Fault> + Send + 'static>,
) -> Vec<Result<T, Fault>> {
    let gate = Gate::shut(store);
    let answers = commands.into_iter().map(|command| queue(store, command)).collect::<Vec<_>>();
    gate.open().unwrap_or_default();
    answers.into_iter().map(wait).collect()
}

/// Holds the writer in a command until it is opened.
pub(crate) struct Gate {
    open: Sender<()>,
    passed: Answer<()>,
}

type Answer<T> = std::pin::Pin<Box<dyn Future<Output = Result<T, Fault>> + Send>>;

impl Gate {
    /// Returns once the writer stands at the gate.
    pub(crate) fn shut(store: &Store) -> Self {
        let (open, opened) = channel::<()>();
        let (arrive, arrived) = channel();
        let passed = queue(store, move |_, _| {
            arrive.send(()).unwrap();
            opened.recv().map_err(|_| Fault::Closed)
        });
        arrived.recv().unwrap();
        Self { open, passed }
    }

    /// Lets the writer go on; returns what became of the gate's own command.
    pub(crate) fn open(self) -> Result<(), Fault> {
        self.open.send(()).unwrap();
        wait(self.passed)
    }
}

/// Queues a command now; its answer can be waited for later.
pub(crate) fn queue<T: Send + 'static>(
    store: &Store,
    command: impl FnOnce(&mut Tx<'_>, Timestamp) -> Result<T, Fault> + Send + 'static,
) -> Answer<T> {
    let store = store.clone();
    let mut answer: Answer<T> = Box::pin(async move { store.write(command).await });
    // The first poll queues it.
    match answer.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(done) => Box::pin(std::future::ready(done)),
        Poll::Pending => answer,
    }
}

/// Waits for an answer.
pub(crate) fn wait<T>(answer: Answer<T>) -> Result<T, Fault> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer)
}

/// Everything in a store.
pub(crate) type Dump = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

/// Everything in a store, byte for byte.
pub(crate) fn dump(read: &impl Read) -> Dump {
    let all = Range { start: Vec::new(), end: None, backwards: false };
    let pairs = |space| read.raw_scan(space, &all, usize::MAX).unwrap().into_iter().map(move |(k, v)| ((space, k), v));
    Space::ALL.into_iter().flat_map(pairs).collect()
}

/// The entries of a lane.
pub(crate) fn entries(read: &impl Read, lane: Lane) -> Vec<Entry> {
    entries_after(read, lane, 0, usize::MAX).unwrap()
}

/// The laws of the change log: each lane is dense, its hashes are a chain, and its head is its end.
#[track_caller]
pub(crate) fn assert_log_is_sound(read: &impl Read) {
    for lane in Lane::ALL {
        let ack = meta::lane_ack(read, lane).unwrap();
        let (mut seq, mut chain) = (ack.trimmed_seq, [0; 32]);
        for entry in entries(read, lane) {
            assert_eq!((entry.lane, entry.seq), (lane_number(lane), seq + 1), "the lane is dense");
            if seq > 0 || ack.trimmed_seq == 0 {
                assert!(seq == ack.trimmed_seq && seq > 0 || entry.chain == entry.chained(&chain), "seq {}", entry.seq);
            }
            (seq, chain) = (entry.seq, entry.chain);
        }
        let head = meta::lane_head(read, lane).unwrap();
        assert_eq!(head.seq, seq, "the head is the end of the lane");
        assert!(head.chain == chain || seq == ack.trimmed_seq, "the head has the chain's end");
    }
}

/// The pairs of one table.
pub(crate) fn pairs_of(read: &impl Read, table: TableId) -> Vec<Pair> {
    read.raw_scan(Space::Rows, &Range::prefix(table.number.to_be_bytes().to_vec(), false), usize::MAX).unwrap()
}
