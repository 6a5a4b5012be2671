//! A box with chat rows that have queued up, and its sender.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use replication::admin::{Admin, Enrolment};
use replication::postgres::Postgres as Central;
use replication::row::{Column, Lane, Row, Table, Type, Value};
use replication::settings::Settings as Login;
use serde::{Deserialize, Serialize};
use tempfile::{NamedTempFile, TempDir};
use uuid::Uuid;
use whotbox::base::entropy::{Entropy, OsEntropy};
use whotbox::base::id::RawId;
use whotbox::base::secret::Secret;
use whotbox::base::time::{Clock as _, SystemClock};
use whotbox::store::dead::DeadLetter;
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
use whotbox::store::medium::FileMedium;
use whotbox::store::meta;
use whotbox::store::record::{Record, TableId, Upstream};
use whotbox::store::table::TableInfo;
use whotbox::store::writer::{Settings, Store};
use whotbox::upstream::sender::{Sender, Step};
use whotbox::upstream::state::Status;

use crate::postgres::{Database, Postgres};

/// The columns of a chat message, as the box describes them.
pub(crate) static MESSAGES: Table = Table {
    schema: "chat",
    name: "messages",
    append_only: false,
    columns: &[
        required("conversation_id", Type::Text),
        required("seq", Type::BigInt),
        required("sender_id", Type::Text),
        nullable("client_message_digest", Type::Bytes),
        nullable("participant_bucket", Type::Text),
        nullable("participant_sealed", Type::Bytes),
        nullable("archive_bucket", Type::Text),
        nullable("archive_sealed", Type::Bytes),
        required("created_at", Type::Time),
        required("expires_at", Type::Time),
        required("delivered_by", Type::Json),
        required("read_by", Type::Json),
        nullable("delivered_at", Type::Time),
        nullable("read_at", Type::Time),
        required("deleted_for", Type::Json),
        nullable("vanished_at", Type::Time),
    ],
};

const fn required(name: &'static str, ty: Type) -> Column {
    Column { name, ty, nullable: false }
}

const fn nullable(name: &'static str, ty: Type) -> Column {
    Column { name, ty, nullable: true }
}

/// Bytes of a sealed copy of some 80 characters: padded to 128, with its wrapped key, nonces and tags.
const SEALED: usize = 250;
/// How many moves are timed for a p99 when nothing else happens.
const MOVES: usize = 2000;

/// A message with what the box keeps of it; it was delivered and not read.
#[derive(Serialize, Deserialize)]
struct Message {
    id: RawId,
    conversation: RawId,
    sender: RawId,
    seq: u64,
    #[serde(with = "serde_bytes")]
    participants: Vec<u8>,
    #[serde(with = "serde_bytes")]
    archive: Vec<u8>,
    buckets: [Uuid; 2],
    at: i64,
}

impl Record for Message {
    const TABLE: TableId = TableId { number: 60_061, name: "bench.messages" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &MESSAGES, lane: Lane::Bulk });
    fn key(&self) -> Key {
        Key::of(self.id)
    }
    fn upstream_row(&self) -> Vec<Value> {
        let text = |value: &dyn std::fmt::Display| Value::Text(value.to_string());
        let [participants, archive] = &self.buckets;
        vec![
            text(&self.conversation),
            Value::BigInt(self.seq.try_into().unwrap()),
            text(&self.sender),
            Value::Bytes(vec![7; 32]),
            text(&participants.simple()),
            Value::Bytes(self.participants.clone()),
            text(&archive.simple()),
            Value::Bytes(self.archive.clone()),
            Value::Time(self.at),
            Value::Time(self.at + 30 * 86_400_000_000),
            Value::Json(format!("[\"{}\"]", self.conversation)),
            Value::Json("[]".to_owned()),
            Value::Time(self.at + 1_000_000),
            Value::Null,
            Value::Json("[]".to_owned()),
            Value::Null,
        ]
    }
}

/// The row of a match that a move rewrites.
#[derive(Serialize, Deserialize)]
struct Match {
    id: u64,
    #[serde(with = "serde_bytes")]
    state: Vec<u8>,
}

impl Record for Match {
    const TABLE: TableId = TableId { number: 60_051, name: "bench.matches" };
    fn key(&self) -> Key {
        Key::new().number(self.id)
    }
}

/// The box.
pub(crate) struct Home {
    pub(crate) database: Database,
    pub(crate) box_id: Uuid,
    /// Bytes of a row's fields.
    pub(crate) row_bytes: f64,
    store: Store,
    login: Login,
    _folder: TempDir,
}

impl Home {
    /// A box at a central of its own.
    pub(crate) async fn new(server: &Postgres, rows: u64) -> Self {
        Self::with(server, rows, None).await
    }

    /// The same, which reaches central by another port.
    pub(crate) async fn with(server: &Postgres, rows: u64, port: Option<u16>) -> Self {
        let database = server.database();
        let parse = |url: &str| Login::parse(url, Some(&database.ca_file())).unwrap();
        let admin = Admin::new(parse(&format!("{}?sslmode=verify-full", database.admin_url())));
        admin.migrate().await.unwrap();
        let (box_id, epoch, password) = (uuid(), uuid(), "0123456789abcdef0123456789abcdef");
        let starts = Lane::ALL.map(|lane| (lane, 0, [0; 32]));
        let login = admin.enroll(&Enrolment { box_id, name: "bench", epoch, password, starts }).await.unwrap();
        let direct = format!(":{}/", database.port());
        let url = port.map_or(login.url.clone(), |port| login.url.replace(&direct, &format!(":{port}/")));
        let folder = TempDir::new().unwrap();
        let store = Store::open(Settings {
            medium: Arc::new(FileMedium { path: folder.path().join("store"), reserve: 0 }),
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(OsEntropy),
            digest_key: Secret::new([7; 32]),
            checkpoints_beside: true,
            listener: Arc::new(|_| {}),
        })
        .unwrap();
        let made = store.write_blocking(move |tx, now| {
            meta::create(tx, now, box_id, [0; 32])?;
            meta::start_log(tx, epoch)
        });
        made.map_err(|fault: Fault| fault).unwrap();
        let mut home = Self { login: parse(&url), database, box_id, row_bytes: 0.0, store, _folder: folder };
        home.send().await;
        home.queue(rows);
        home
    }

    fn queue(&mut self, rows: u64) {
        let conversations: Vec<RawId> = (0..1000).map(|_| RawId::from_uuid(uuid())).collect();
        let buckets: Vec<Uuid> = (0..64).map(|_| uuid()).collect();
        let mut bytes = 0;
        let all: Vec<u64> = (1..=rows).collect();
        for some in all.chunks(2000) {
            let message = |seq: &u64| Message {
                id: RawId::from_uuid(uuid()),
                conversation: conversations[*seq as usize % conversations.len()],
                sender: conversations[*seq as usize / 2 % conversations.len()],
                seq: *seq,
                participants: sealed(),
                archive: sealed(),
                buckets: [buckets[*seq as usize % 63], buckets[63]],
                at: 1_795_341_600_000_000 + *seq as i64 * 1000,
            };
            let messages: Vec<Message> = some.iter().map(message).collect();
            bytes += messages.iter().map(|one| row(one).size()).sum::<usize>();
            let done = self.store.write_blocking(move |tx, _| messages.iter().try_for_each(|one| tx.put(one)));
            done.map_err(|fault: Fault| fault).unwrap();
        }
        self.row_bytes = bytes as f64 / rows as f64;
    }

    /// The rows in the binary form of COPY.
    pub(crate) fn copy_file(&self) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        let mut out = std::io::BufWriter::with_capacity(1 << 20, file.as_file_mut());
        out.write_all(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0").unwrap();
        let read = self.store.read().unwrap();
        let copied_as = uuid();
        let info = TableInfo::of::<Message>();
        whotbox::store::bulk::walk::<Fault>(&read, whotbox::store::read::Space::Rows, |(key, stored)| {
            if key.starts_with(&Message::TABLE.number.to_be_bytes()) {
                let (id, values) = (info.upstream_row)(&key[2..], stored)?;
                out.write_all(&crate::rival::binary(copied_as, &id, &values)).unwrap();
            }
            Ok(())
        })
        .unwrap();
        out.write_all(&(-1_i16).to_be_bytes()).unwrap();
        out.flush().unwrap();
        drop(out);
        let mut permissions = file.as_file().metadata().unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
        file.as_file().set_permissions(permissions).unwrap();
        file
    }

    async fn send(&self) -> Duration {
        let clock = SystemClock::new();
        let tables = vec![TableInfo::of::<Message>(), TableInfo::of::<DeadLetter>()];
        let status = Arc::new(Status::default());
        let central = Central::new(self.login.clone());
        let timer = Arc::new(SystemClock::new());
        let mut sender = Sender::new(self.store.clone(), timer, Arc::clone(&status), tables, central);
        let before = clock.monotonic();
        loop {
            match sender.step().await {
                Step::Moved => {}
                Step::Done => return clock.monotonic().since(before),
                Step::Failed => panic!("{:?}", status.known()),
            }
        }
    }

    /// Sends everything, and times moves meanwhile if told to.
    pub(crate) async fn drain(&self, moving: bool) -> (Duration, Duration) {
        let over = Arc::new(AtomicBool::new(false));
        let moves = async { if moving { self.moves(Some(Arc::clone(&over))).await } else { Duration::ZERO } };
        let sending = async {
            let took = self.send().await;
            over.store(true, Ordering::Relaxed);
            took
        };
        let (took, p99) = tokio::join!(sending, moves);
        let count = format!("select count(*) from chat.messages where box_id = '{}'", self.box_id);
        println!("central has {} of this box's rows", self.database.sql(&count));
        (took, p99)
    }

    /// The p99 of a move's commit: so many, or until it is over. A move comes every 2 ms.
    pub(crate) async fn moves(&self, over: Option<Arc<AtomicBool>>) -> Duration {
        let store = self.store.clone();
        let timing = tokio::task::spawn_blocking(move || {
            let clock = SystemClock::new();
            let mut took = Vec::new();
            for n in 0_u64.. {
                let enough = match &over {
                    Some(over) => over.load(Ordering::Relaxed),
                    None => took.len() == MOVES,
                };
                if enough {
                    break;
                }
                let before = clock.monotonic();
                let row = Match { id: n % 50, state: n.to_be_bytes().repeat(100) };
                store.write_blocking(move |tx, _| tx.put(&row)).map_err(|fault: Fault| fault).unwrap();
                took.push(clock.monotonic().since(before));
                std::thread::sleep(Duration::from_millis(2));
            }
            took.sort_unstable();
            took.get(took.len() * 99 / 100).copied().unwrap_or_default()
        });
        timing.await.unwrap()
    }
}

fn row(message: &Message) -> Row {
    Row { id: message.id.to_string(), values: message.upstream_row() }
}

/// A sealed copy: as random as any.
fn sealed() -> Vec<u8> {
    let entropy: &dyn Entropy = &OsEntropy;
    entropy.bytes::<SEALED>().to_vec()
}

/// A time-ordered id.
fn uuid() -> Uuid {
    let entropy: &dyn Entropy = &OsEntropy;
    entropy.uuid(SystemClock::new().now())
}
