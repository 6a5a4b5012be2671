//! What is written: a message, as chat stores it, with its index entry, its change-log entry and its idempotency record.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use replication::row::{Column, Lane, Table, Type};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use whotbox::base::entropy::{Entropy, SeededEntropy};
use whotbox::base::secret::Secret;
use whotbox::base::time::{SystemClock, Timestamp};
use whotbox::store::change::{Entry, Op};
use whotbox::store::fault::Fault;
use whotbox::store::index::{Index, Indexes};
use whotbox::store::key::Key;
use whotbox::store::medium::Medium;
use whotbox::store::meta;
use whotbox::store::once::{KeyReused, OnceKey, once};
use whotbox::store::read::Space;
use whotbox::store::record::{Record, TableId, Upstream, encode};
use whotbox::store::tx::Tx;
use whotbox::store::writer::{AsFault, Settings, Store};

/// Bytes of a sealed message: 256 of padded text, nonce, tag and header, in two copies.
const SEALED: usize = 2 * 330;
/// Conversations that are written in.
const CONVERSATIONS: u64 = 500;
/// Bytes of an idempotency record with a UUID for its reference; its form is the store's own.
const REMEMBERED_BYTES: usize = 1 + 32 + 32 + 18 + 9 + 4;

static MESSAGES: Table = Table {
    schema: "bench",
    name: "messages",
    append_only: false,
    columns: &[Column { name: "sealed", ty: Type::Bytes, nullable: false }],
};
const BY_CONVERSATION: Index = Index::ordered(1);

/// A message.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: Uuid,
    pub(crate) conversation: Uuid,
    sender: Uuid,
    at: Timestamp,
    #[serde(with = "serde_bytes")]
    pub(crate) sealed: Vec<u8>,
}

impl Record for Message {
    const TABLE: TableId = TableId { number: 60_100, name: "bench.messages" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &MESSAGES, lane: Lane::Bulk });
    fn key(&self) -> Key {
        Key::new().fixed(self.id.as_bytes())
    }
    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(BY_CONVERSATION, &Key::new().fixed(self.conversation.as_bytes()));
    }
}

impl Message {
    /// A new message, whose key is above almost all before it.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let random = SeededEntropy::new(number);
        let mut sealed = vec![0; SEALED];
        random.fill(&mut sealed);
        let millis = 1_795_341_600_000 + number / 8;
        let entropy: &dyn Entropy = &random;
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &entropy.bytes()).into_uuid();
        let conversation = Uuid::from_u128(u128::from(number % CONVERSATIONS) << 64);
        let at = Timestamp::from_micros(i64::try_from(millis).unwrap() * 1000);
        Self { id, conversation, sender: conversation, at, sealed }
    }

    /// The command that stores it.
    pub(crate) fn post(self) -> impl FnOnce(&mut Tx<'_>, Timestamp) -> Result<(), Refused> + Send + 'static {
        let mut key = OnceKey { key: [0; 32], request: [7; 32] };
        SeededEntropy::new(self.id.as_u64_pair().1).fill(&mut key.key);
        move |tx, now| once(tx, now, Some(key), |tx| tx.put(&self).map(|()| self.id).map_err(Refused::Fault)).map(drop)
    }
}

/// Why a message was not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Reused(#[from] KeyReused),
}

impl AsFault for Refused {
    fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Reused(_) => None,
        }
    }
}

/// Opens a store that logs its changes.
pub(crate) fn open(medium: Arc<dyn Medium>) -> Store {
    let clock = Arc::new(SystemClock::new());
    let entropy = Arc::new(SeededEntropy::new(1));
    let digest_key = Secret::new([7; 32]);
    let listener = Arc::new(|_| {});
    let store =
        Store::open(Settings { medium, clock, entropy, digest_key, checkpoints_beside: true, listener }).unwrap();
    if meta::identity(&store.read().unwrap()).is_err() {
        let enrol = |tx: &mut Tx<'_>, now| {
            meta::create(tx, now, Uuid::from_u128(1), [0; 32])?;
            meta::start_log(tx, Uuid::from_u128(2))
        };
        store.write_blocking(enrol).unwrap();
    }
    store
}

/// A pair of one of the store's three trees.
pub(crate) type Placed = (Space, Vec<u8>, Vec<u8>);

/// The pairs that the store writes for a message, so that the other contenders write the same. `number` is the
/// message's in the log.
fn pairs(message: &Message, number: u64) -> Vec<Placed> {
    let table = Message::TABLE.number.to_be_bytes();
    let key = message.key();
    let entry = Entry {
        lane: 2,
        seq: number,
        table: Message::TABLE.number,
        key: key.as_bytes().to_vec(),
        op: Op::Put,
        digest: [1; 16],
        at: message.at,
        chain: [2; 32],
    };
    let mut random = [0; 32 + REMEMBERED_BYTES];
    SeededEntropy::new(number).fill(&mut random);
    let (once, remembered) = random.split_at(32);
    let by_time = [&[0, 5, 1], &message.at.micros().to_be_bytes()[..], once].concat();
    let index = [&table[..], &[1], message.conversation.as_bytes(), key.as_bytes()].concat();
    vec![
        (Space::Rows, [&table[..], key.as_bytes()].concat(), encode(message).unwrap()),
        (Space::Rows, [&[0, 5], once].concat(), remembered.to_vec()),
        (Space::Indexes, index, key.as_bytes().to_vec()),
        (Space::Indexes, by_time, once.to_vec()),
        (Space::Changes, entry.key().as_bytes().to_vec(), encode(&entry).unwrap()),
    ]
}

/// Bytes of keys and values.
pub(crate) fn bytes(pairs: &[Placed]) -> usize {
    pairs.iter().map(|(_, key, value)| key.len() + value.len()).sum()
}

/// Groups of new pairs, each of as many commands as a commit has.
pub(crate) fn groups(commands: usize) -> Vec<Vec<Placed>> {
    static SEQ: AtomicU64 = AtomicU64::new(1);
    let command = |_| pairs(&Message::new(), SEQ.fetch_add(1, Ordering::Relaxed));
    (0..commands / crate::WRITERS).map(|_| (0..crate::WRITERS).flat_map(command).collect()).collect()
}
