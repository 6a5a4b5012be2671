//! How long a million messages take to move in, against bare redb that writes the same records in the same batches.
//!
//! Goals: at most twice the time, less than 256 MiB, progress shown. `cargo bench --bench moving`; `WHOTBOX_BENCH_MESSAGES` is
//! another number. The import runs in a child of this program, so that its memory is its own. Bare redb writes each
//! message's row and index entries and each conversation that a batch touched, by the keys that the store gives them.

// Said for the lints: a bench may unwrap and print as a test may.
#![cfg(test)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use redb::{Database, TableDefinition};
use whotbox::app::{App, Parts};
use whotbox::base::entropy::OsEntropy;
use whotbox::base::fernet;
use whotbox::base::id::RawId;
use whotbox::base::secret::Secret;
use whotbox::base::time::{Clock as _, Instant, SystemClock, Timestamp};
use whotbox::config::Given;
use whotbox::config::secrets::OldVariables;
use whotbox::moving::desk::{Answer, BATCH, Step, perform};
use whotbox::moving::map::Map;
use whotbox::moving::run::{Desk, Order, Watch};
use whotbox::moving::source::Location;
use whotbox::moving::tables::Service;
use whotbox::store::key::Key;
use whotbox::store::read::{Read as _, Space};

/// Conversations; each is of one customer with one of the distributors.
const CONVERSATIONS: u64 = 1000;
const DISTRIBUTORS: u64 = 50;
/// The first message's time, and the time between two.
const START: i64 = 1_780_000_000;
const EVERY: i64 = 10;
/// When the archive lets go of a message, in days after it.
const KEPT: i64 = 3650;
const KEY: [u8; 32] = [9; 32];
/// The tables of conversations and messages.
const TABLES: [u16; 2] = [60, 61];

const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("rows");
const INDEXES: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("indexes");

fn main() {
    let count = std::env::var("WHOTBOX_BENCH_MESSAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--import") {
        return import(Path::new(&arguments[at + 1]));
    }
    let disk = std::env::var_os("BENCH_FOLDER").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    let folder = tempfile::tempdir_in(disk).unwrap();
    make(folder.path(), count);
    println!("{count} messages in {CONVERSATIONS} conversations, batches of {BATCH}");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.arg("--import").arg(folder.path()).stdout(Stdio::piped());
    let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
    print!("{said}");
    let figure = |name: &str| -> f64 {
        let line = said.lines().find_map(|line| line.strip_prefix(name)).expect("the child says it");
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let ours = figure("import:");
    let bare = bare(folder.path(), count).as_secs_f64();
    println!("bare redb: {bare:.1} s");
    let verdict = |holds: bool| if holds { "holds" } else { "MISSED" };
    println!("import / bare redb: {:.2}; goal at most 2: {}", ours / bare, verdict(ours <= 2.0 * bare));
    let memory = figure("memory at most:");
    println!("memory: {memory:.0} MiB; goal less than 256: {}", verdict(memory < 256.0));
}

fn conversation(number: u64) -> u64 {
    number % CONVERSATIONS + 1
}

/// The sender and the other, as users are numbered.
fn participants(number: u64) -> (u64, u64) {
    let (distributor, customer) = (conversation(number) % DISTRIBUTORS + 1, 1000 + conversation(number));
    if number.is_multiple_of(2) { (distributor, customer) } else { (customer, distributor) }
}

/// Every fourth was read by both.
const fn is_read(number: u64) -> bool {
    number.is_multiple_of(4)
}

fn at(number: u64) -> i64 {
    START + i64::try_from(number).unwrap() * EVERY
}

/// Old stores with integer ids and Fernet tokens.
fn make(folder: &Path, count: u64) {
    let hash = "pbkdf2_sha256$1000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let mut users = rusqlite::Connection::open(folder.join("identity.db")).unwrap();
    users
        .execute_batch("create table users (id integer primary key, username text, password_hash text, role text)")
        .unwrap();
    let txn = users.transaction().unwrap();
    for (id, role) in
        (1..=DISTRIBUTORS).map(|id| (id, "distributor")).chain((1001..=1000 + CONVERSATIONS).map(|id| (id, "customer")))
    {
        let name = format!("{role}{id}");
        txn.execute("insert into users values (?1, ?2, ?3, ?4)", rusqlite::params![id as i64, name, hash, role])
            .unwrap();
    }
    txn.commit().unwrap();
    let mut chat = rusqlite::Connection::open(folder.join("chat.db")).unwrap();
    let schema = "create table conversations (id integer primary key, distributor_id integer, customer_id integer, created_at integer);
        create table messages (id integer primary key, conversation_id integer, sender_id integer, ciphertext text, created_at integer,
            expires_at integer, read_by text)";
    chat.execute_batch(schema).unwrap();
    let (entropy, key) = (OsEntropy, Secret::new(KEY));
    let txn = chat.transaction().unwrap();
    for number in 0..CONVERSATIONS {
        let id = conversation(number) as i64;
        let pair = (id % DISTRIBUTORS as i64 + 1, 1000 + id);
        txn.execute("insert into conversations values (?1, ?2, ?3, ?4)", rusqlite::params![id, pair.0, pair.1, START])
            .unwrap();
    }
    {
        let mut insert = txn.prepare("insert into messages values (?1, ?2, ?3, ?4, ?5, ?6, ?7)").unwrap();
        for number in 1..=count {
            let text =
                format!("Message {number}: the bus comes at four, keep my place at the table and the cards dry.");
            let now = Timestamp::from_micros(at(number) * 1_000_000);
            let token = fernet::seal(&key, &entropy, now, text.as_bytes());
            let (sender, other) = participants(number);
            let read = if is_read(number) { format!("[{other}]") } else { "[]".to_owned() };
            let ends = at(number) + KEPT * 86_400;
            let row = rusqlite::params![
                number as i64,
                conversation(number) as i64,
                sender as i64,
                token,
                at(number),
                ends,
                read
            ];
            insert.execute(row).unwrap();
        }
    }
    txn.commit().unwrap();
}

fn open(folder: &Path) -> Arc<App> {
    let config = Given { data_dir: Some(folder.join("data")), ..Given::default() }.complete().unwrap();
    let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(OsEntropy));
    App::open(config, Parts { clock, entropy, old: OldVariables::default(), medium: None }).unwrap()
}

struct Here(Arc<App>);

impl Desk for Here {
    async fn step(&mut self, step: Step) -> Result<Answer, String> {
        perform(&self.0, step).await.map_err(|error| error.to_string())
    }
}

/// Notes when the messages began and ended, and how often progress was shown.
struct Timed {
    clock: SystemClock,
    before: Instant,
    import: Duration,
    compare: Duration,
    shown: u64,
}

impl Watch for Timed {
    fn at(&mut self, table: &str, _done: u64, _total: u64, comparing: bool) {
        let now = self.clock.monotonic();
        let took = now.since(self.before);
        self.before = now;
        self.shown += 1;
        match (table, comparing) {
            ("chat.messages", false) => self.import += took,
            ("chat.messages", true) => self.compare += took,
            _ => {}
        }
    }
}

/// The child: imports all, and says how long the messages took and what memory it had at most.
fn import(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let app = open(folder);
    let file = |name: &str| Location::File(folder.join(name));
    let sources: BTreeMap<_, _> = [(Service::Identity, file("identity.db")), (Service::Chat, file("chat.db"))].into();
    let (map, key) = (Map::default(), URL_SAFE.encode(KEY));
    let order = Order { sources: &sources, map: &map, key: &key, ca: None, compare: true };
    let clock = SystemClock::new();
    let before = clock.monotonic();
    let mut timed = Timed { clock, before, import: Duration::ZERO, compare: Duration::ZERO, shown: 0 };
    let mut desk = Here(Arc::clone(&app));
    let account = runtime.block_on(order.run(&mut desk, &mut timed)).unwrap();
    assert!(account.is_whole() && account.is_same(), "{}", account.text(50));
    app.store.close();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let most: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    println!("import: {:.1} s", timed.import.as_secs_f64());
    println!("comparing every message afterwards: {:.1} s", timed.compare.as_secs_f64());
    println!("memory at most: {:.1} MiB", most / 1024.0);
    println!("progress was shown {} times", timed.shown);
}

/// An index's key: table, number, parts, and the row's own key where values repeat.
fn entry(table: u16, index: u8, parts: Key, row: Option<&[u8]>) -> Vec<u8> {
    [&table.to_be_bytes()[..], &[index], parts.as_bytes(), row.unwrap_or_default()].concat()
}

fn id(number: u64) -> RawId {
    number.to_string().parse().unwrap()
}

fn row_key(table: u16, number: u64) -> Vec<u8> {
    [&table.to_be_bytes()[..], Key::of(id(number)).as_bytes()].concat()
}

fn micros(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// The pairs of a message, its number in the conversation among them.
fn message(number: u64, seq: u64) -> Vec<Vec<u8>> {
    let own = Key::of(id(number));
    let row = Some(own.as_bytes());
    let place = || Key::of(id(conversation(number))).number(seq);
    let ends = at(number) + KEPT * 86_400;
    let bucket = |kind: u8, of: u64| {
        let mut name = [kind; 16];
        name[..8].copy_from_slice(&of.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        Key::new().fixed(&name)
    };
    let table = TABLES[1];
    let mut entries = vec![
        entry(table, 1, place(), None),
        entry(table, 4, Key::new().time(micros(ends)), row),
        entry(table, 7, bucket(1, (ends / 86_400) as u64), row),
    ];
    if !is_read(number) {
        entries.push(entry(table, 2, place(), row));
        entries.push(entry(table, 7, bucket(2, conversation(number)), row));
    }
    entries
}

/// A conversation's places in its participants' lists, by its last activity.
fn listed(of: u64, last: i64) -> [Vec<u8>; 2] {
    let own = Key::of(id(of));
    [of % DISTRIBUTORS + 1, 1000 + of]
        .map(|user| entry(TABLES[0], 2, Key::of(id(user)).time(micros(last)), Some(own.as_bytes())))
}

/// Bare redb: the rows as the box has them now, in the import's order and batches.
fn bare(folder: &Path, count: u64) -> Duration {
    let app = open(folder);
    let snapshot = app.store.read().unwrap();
    let database = Database::builder().set_cache_size(64 << 20).create(folder.join("bare.redb")).unwrap();
    let clock = SystemClock::new();
    let mut spent = Duration::ZERO;
    let (mut seqs, mut last) = (vec![0_u64; CONVERSATIONS as usize + 1], vec![START; CONVERSATIONS as usize + 1]);
    let numbers: Vec<u64> = (1..=count).collect();
    for batch in numbers.chunks(BATCH) {
        // What is to be written is made outside the time.
        let mut pairs: Vec<(bool, Vec<u8>, Option<Vec<u8>>)> = Vec::new();
        let mut touched = BTreeMap::new();
        for number in batch {
            let of = conversation(*number) as usize;
            seqs[of] += 1;
            touched.insert(of, at(*number));
            let key = row_key(TABLES[1], *number);
            let row = snapshot.raw_get(Space::Rows, &key).unwrap().expect("the message is there");
            let own = Key::of(id(*number)).as_bytes().to_vec();
            pairs.push((true, key, Some(row)));
            pairs.extend(message(*number, seqs[of]).into_iter().map(|key| (false, key, Some(own.clone()))));
        }
        for (of, now) in touched {
            let key = row_key(TABLES[0], of as u64);
            let row = snapshot.raw_get(Space::Rows, &key).unwrap().expect("the conversation is there");
            pairs.push((true, key, Some(row)));
            let own = Key::of(id(of as u64)).as_bytes().to_vec();
            pairs.extend(listed(of as u64, last[of]).map(|key| (false, key, None)));
            pairs.extend(listed(of as u64, now).map(|key| (false, key, Some(own.clone()))));
            last[of] = now;
        }
        let before = clock.monotonic();
        let mut txn = database.begin_write().unwrap();
        txn.set_two_phase_commit(true);
        txn.set_quick_repair(true);
        {
            let (mut rows, mut indexes) = (txn.open_table(ROWS).unwrap(), txn.open_table(INDEXES).unwrap());
            for (is_row, key, value) in &pairs {
                let tree = if *is_row { &mut rows } else { &mut indexes };
                match value {
                    Some(value) => drop(tree.insert(key.as_slice(), value.as_slice()).unwrap()),
                    None => drop(tree.remove(key.as_slice()).unwrap()),
                }
            }
        }
        txn.commit().unwrap();
        spent += clock.monotonic().since(before);
    }
    drop(snapshot);
    app.store.close();
    spent
}
