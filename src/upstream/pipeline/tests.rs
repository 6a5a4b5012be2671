//! A box that sends many batches at once over a line that is cut anywhere, from a seed: nothing is missing, doubled or out of order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use replication::error::Error;
use replication::row::{Batch, Column, Cursor, Lane, Refusal, Slice, Table, Type, Value};
use replication::upstream::{Among, Applied, AuditHead, Directive, Greeting, Listing, Range, Report, Sums, Upstream};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::entropy::{Entropy, SeededEntropy};
use crate::store::dead::{self, DeadLetter};
use crate::store::key::Key;
use crate::store::read::ReadExt as _;
use crate::store::record::{Record, TableId, Upstream as Goes};
use crate::store::table::TableInfo;
use crate::store::testing;
use crate::store::writer::Store;
use crate::upstream::pace::Pace;
use crate::upstream::sender::{Sender, Step};
use crate::upstream::state::Status;

const TEXT: &[Column] = &[Column { name: "text", ty: Type::Text, nullable: false }];
static NOTES: Table = Table { schema: "test", name: "notes", append_only: false, columns: TEXT };
static ALARMS: Table = Table { schema: "test", name: "alarms", append_only: false, columns: TEXT };

/// A row in the bulk lane.
#[derive(Serialize, Deserialize)]
struct Note {
    id: u64,
    text: String,
}

/// A row in the urgent lane.
#[derive(Serialize, Deserialize)]
struct Alarm {
    id: u64,
    text: String,
}

macro_rules! record {
    ($name:ident, $number:literal, $table:ident, $lane:ident) => {
        impl Record for $name {
            const TABLE: TableId = TableId { number: $number, name: stringify!($name) };
            const UPSTREAM: Option<Goes> = Some(Goes { table: &$table, lane: Lane::$lane });
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
    };
}
record!(Note, 901, NOTES, Bulk);
record!(Alarm, 902, ALARMS, Urgent);

/// What a row's text says that this central will not hold.
const POISON: &str = "poison";

/// What is on the line and in central.
struct World {
    entropy: Box<dyn Entropy>,
    /// Calls on their way, in the order they were sent, each of a connection's life.
    line: VecDeque<(u64, u32)>,
    calls: u64,
    /// Connections of an earlier life are cut.
    life: u32,
    /// One call in so many meets a cut.
    cut_every: u8,
    cuts: u32,
    most_flying: usize,
    cursors: BTreeMap<Lane, Cursor>,
    rows: BTreeMap<(String, String), Vec<Value>>,
    /// Steps of the cursors as central made them.
    steps: Vec<(Lane, i64, i64)>,
    /// A central that does not look where a batch starts: what the test must catch.
    careless: bool,
}

/// A central at the end of a line on which calls take their time, one behind the other.
#[derive(Clone)]
struct Line(Arc<Mutex<World>>);

fn line(seed: u64, cut_every: u8, careless: bool) -> Line {
    let start = |lane| (lane, Cursor { epoch: Uuid::from_u128(2), seq: 0, chain: [0; 32] });
    Line(Arc::new(Mutex::new(World {
        entropy: Box::new(SeededEntropy::new(seed)),
        line: VecDeque::new(),
        calls: 0,
        life: 0,
        cut_every,
        cuts: 0,
        most_flying: 0,
        cursors: Lane::ALL.map(start).into(),
        rows: BTreeMap::new(),
        steps: Vec::new(),
        careless,
    })))
}

impl World {
    fn chance(&mut self, one_in: u8) -> bool {
        one_in > 0 && self.entropy.bytes::<1>()[0].is_multiple_of(one_in)
    }

    fn cut(&mut self) {
        (self.life, self.cuts) = (self.life + 1, self.cuts + 1);
        self.line.clear();
    }

    fn apply(&mut self, batch: &Batch) -> Result<Applied, Error> {
        let cursor = self.cursors[&batch.lane];
        if cursor == batch.end() {
            return Ok(Applied::Before);
        }
        let start = Cursor { epoch: batch.epoch, seq: batch.prev_seq, chain: batch.prev_chain };
        if cursor != start && !self.careless {
            return Err(Error::Elsewhere { cursor });
        }
        let refused = batch.puts.iter().flat_map(|puts| puts.rows.iter().map(|row| (puts.table, row)));
        let refused = refused.filter(|(_, row)| matches!(&row.values[0], Value::Text(text) if text.contains(POISON)));
        let refused: Vec<Refusal> =
            refused.map(|(table, row)| Refusal { table, id: row.id.clone(), reason: POISON.into() }).collect();
        if !refused.is_empty() {
            return Err(Error::Refused(refused));
        }
        for deletes in &batch.deletes {
            deletes.ids.iter().for_each(|id| drop(self.rows.remove(&(deletes.table.full_name(), id.clone()))));
        }
        for puts in &batch.puts {
            let name = puts.table.full_name();
            self.rows.extend(puts.rows.iter().map(|row| ((name.clone(), row.id.clone()), row.values.clone())));
        }
        self.steps.push((batch.lane, batch.prev_seq, batch.seq));
        self.cursors.insert(batch.lane, batch.end());
        Ok(Applied::Now)
    }
}

impl Line {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Puts a call on the line.
    fn send(&self) -> (u64, u32) {
        let mut world = self.world();
        world.calls += 1;
        let ticket = (world.calls, world.life);
        world.line.push_back(ticket);
        world.most_flying = world.most_flying.max(world.line.len());
        ticket
    }

    /// Waits until the call is the first on the line and time has passed; false if it was cut.
    async fn arrive(&self, ticket: (u64, u32)) -> bool {
        loop {
            tokio::task::yield_now().await;
            let mut world = self.world();
            if world.life != ticket.1 {
                return false;
            }
            if world.line.front() == Some(&ticket) && world.chance(3) {
                world.line.pop_front();
                return true;
            }
        }
    }
}

fn lost() -> Error {
    Error::Unknown { reason: "cut".into() }
}

fn not_asked<T>() -> Result<T, Error> {
    Err(Error::Broken { reason: "nobody asks this here".into() })
}

impl Upstream for Line {
    async fn contact(&self, _report: &Report) -> Result<Greeting, Error> {
        Ok(Greeting { box_id: Uuid::from_u128(1), epoch: Uuid::from_u128(2), clock: 0 })
    }
    async fn schema(&self) -> Result<i64, Error> {
        Ok(replication::SCHEMA)
    }
    async fn cursor(&self, lane: Lane) -> Result<Cursor, Error> {
        Ok(self.world().cursors[&lane])
    }
    async fn apply(&self, batch: &Batch) -> Result<Applied, Error> {
        let ticket = self.send();
        if !self.arrive(ticket).await {
            return Err(lost());
        }
        let mut world = self.world();
        let (before, after) = (world.cut_every, world.cut_every);
        if world.chance(before) {
            world.cut();
            return Err(lost());
        }
        let answer = world.apply(batch);
        if world.chance(after) {
            world.cut();
            return Err(lost());
        }
        answer
    }
    async fn replace(&self, _slice: &Slice) -> Result<(), Error> {
        not_asked()
    }
    async fn directives(&self, _after: i64, _most: u32) -> Result<Vec<Directive>, Error> {
        not_asked()
    }
    async fn sums(&self, _table: &'static Table, _ranges: &[Range<'_>]) -> Result<Sums, Error> {
        not_asked()
    }
    async fn list(&self, _table: &'static Table, _among: Among<'_>, _most: u32) -> Result<Listing, Error> {
        not_asked()
    }
    async fn audit_head(&self) -> Result<AuditHead, Error> {
        not_asked()
    }
}

/// What a box came through.
struct Story {
    store: Store,
    line: Line,
    sender: Sender<Line>,
}

const ROWS: u64 = 60;

/// Rounds of changes, each sent as far as the line lets it; then the line is good.
async fn story(line: Line) -> Story {
    let (store, clock) = testing::store();
    let tables = vec![TableInfo::of::<Note>(), TableInfo::of::<Alarm>(), TableInfo::of::<DeadLetter>()];
    let mut slow = Pace::default();
    (0..20).for_each(|_| slow.failed());
    let sender = Sender::new(store.clone(), clock, Arc::new(Status::default()), tables, line.clone()).at(slow.clone());
    let mut story = Story { store, line, sender };
    for round in 0..6 {
        story.change(round);
        story.sender.step().await;
        story.sender.step().await;
    }
    story.line.world().cut_every = 0;
    story.finish().await;
    // What was refused is mended and goes through.
    let mended = |id| Note { id, text: "mended".into() };
    story.store.write_blocking(move |tx, _| (0..ROWS).step_by(17).try_for_each(|id| tx.put(&mended(id)))).unwrap();
    story.finish().await;
    story
}

impl Story {
    fn change(&self, round: u64) {
        let world = self.line.world();
        let picks: Vec<[u8; 2]> = (0..80).map(|_| world.entropy.bytes()).collect();
        drop(world);
        for [which, what] in picks {
            let id = u64::from(which) % ROWS;
            let poison = if id.is_multiple_of(17) && what % 4 == 0 { POISON } else { "" };
            let text = format!("{round} {what} {poison} {}", "x".repeat(900));
            let done = match what % 8 {
                0 => self.store.write_blocking(move |tx, _| tx.delete::<Note>(&Key::new().number(id))),
                1 => self.store.write_blocking(move |tx, _| tx.put(&Alarm { id, text: text.replace(POISON, "") })),
                _ => self.store.write_blocking(move |tx, _| tx.put(&Note { id, text })),
            };
            done.unwrap();
        }
    }

    async fn finish(&mut self) {
        for _ in 0..500 {
            if self.sender.step().await == Step::Done {
                return;
            }
        }
        panic!("there is no end to it");
    }

    /// What is not as it should be.
    fn problems(&self) -> Vec<String> {
        let (read, world) = (self.store.read().unwrap(), self.line.world());
        let mut found = Vec::new();
        let mut held = world.rows.clone();
        for id in 0..ROWS {
            let key = Key::new().number(id);
            let note = read.get::<Note>(&key).unwrap().map(|row| row.upstream_row());
            let alarm = read.get::<Alarm>(&key).unwrap().map(|row| row.upstream_row());
            for (table, ours) in [(&NOTES, note), (&ALARMS, alarm)] {
                if held.remove(&(table.full_name(), id.to_string())) != ours {
                    found.push(format!("{} {id} differs", table.full_name()));
                }
            }
        }
        held.retain(|(table, _), _| !table.ends_with("dead_letters"));
        found.extend(held.keys().map(|key| format!("{key:?} should not be there")));
        for lane in Lane::ALL {
            let steps = world.steps.iter().filter(|(of, ..)| *of == lane);
            let mut at = 0;
            for (_, from, to) in steps {
                if *from != at || to <= from {
                    found.push(format!("{lane:?} went from {from} to {to} when it stood at {at}"));
                }
                at = *to;
            }
        }
        if !dead::list(&read, 10).unwrap().is_empty() {
            found.push("some rows are still listed as refused".into());
        }
        found
    }
}

#[tokio::test]
async fn whatever_is_cut_nothing_is_missing_doubled_or_out_of_order() {
    let seeds = if std::env::var_os("WHOTBOX_FULL").is_some() { 2000 } else { 12 };
    let (mut cuts, mut most_flying) = (0, 0);
    for seed in 0..seeds {
        let story = story(line(seed, 9, false)).await;
        assert_eq!(story.problems(), Vec::<String>::new(), "seed {seed}");
        let world = story.line.world();
        (cuts, most_flying) = (cuts + world.cuts, most_flying.max(world.most_flying));
    }
    assert!(u64::from(cuts) > seeds, "the line was cut {cuts} times");
    // How many more than one is the machine's to say; what the pace allows is tested in `pace`.
    assert!(most_flying >= 2, "at most {most_flying} batch was on its way at a time");
}

#[tokio::test]
async fn a_central_that_does_not_look_where_a_batch_starts_is_caught() {
    // Which batches meet which cut is the machine's to say as well as the seed's: some seed does it.
    for seed in 0..100 {
        if !story(line(seed, 9, true)).await.problems().is_empty() {
            return;
        }
    }
    panic!("nothing was missing, doubled or out of order in a hundred stories");
}
