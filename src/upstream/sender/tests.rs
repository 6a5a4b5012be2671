//! Stories of a sender at a central in memory.

use std::time::Duration;

use replication::memory::{Central, Fault as Cut, Memory};
use replication::row::{Column, Table, Type, Value};
use serde::{Deserialize, Serialize};

use super::*;
use crate::base::time::ManualClock;
use crate::store::record::{Record, TableId, Upstream as Goes};
use crate::store::testing;
use crate::upstream::budget::Allowed;
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

/// A row in the urgent lane.
fn alarm(box_: &Given, id: &str) {
    let refused = vec![Refusal { table: &NOTES, id: id.into(), reason: "for the test".into() }];
    box_.store.write_blocking(move |tx, now| dead::bury(tx, now, Lane::Bulk, &refused)).unwrap();
}

fn urgent_at_central(box_: &Given) -> usize {
    let table = TableInfo::of::<dead::DeadLetter>().upstream.unwrap().table;
    box_.central.rows(BOX, table).len()
}

#[tokio::test]
async fn outside_its_hours_the_bulk_lane_waits_by_name_and_the_urgent_one_does_not() {
    // Given a box at ten o'clock that may send from eleven to noon.
    let mut box_ = given(&[]);
    let allowed = Allowed { hours: Some("11:00-12:00".parse().unwrap()), rate: None };
    box_.sender = box_.sender.within(Budget::new(allowed));
    box_.note(1, "can wait");
    alarm(&box_, "x");

    // Then what is urgent is sent at once, and the status says what the rest waits for.
    assert_eq!(box_.run().await.last(), Some(&Step::Done));
    assert_eq!((box_.at_central(), urgent_at_central(&box_)), (Vec::new(), 1));
    let known = box_.status.known();
    assert_eq!(known.state, State::CatchingUp);
    let reason = known.reason.unwrap();
    assert!(reason.starts_with("waits_for_hours: ") && reason.contains("60 minutes"), "{reason}");
    assert_eq!(box_.sender.waits(), Some(Duration::from_secs(3600)));

    // And at eleven it goes.
    box_.clock.advance(Duration::from_secs(3600));
    box_.run().await;
    assert_eq!((box_.at_central(), box_.status.known().state), (pairs(&[("1", "can wait")]), State::Live));
}

#[tokio::test]
async fn a_budget_spreads_the_bulk_lane_over_time_and_holds_nothing_urgent_back() {
    // Given a box that may send 10 kB of rows a second, and 400 kB of them.
    let mut box_ = given(&[]);
    box_.sender = box_.sender.within(Budget::new(Allowed { hours: None, rate: Some(10_000) }));
    for id in 0..400 {
        box_.note(id, &"x".repeat(1000));
    }
    let began = box_.clock.monotonic();
    let mut alarms = 0;
    while box_.at_central().len() < 400 {
        while box_.sender.step().await == Step::Moved {}
        assert_eq!(urgent_at_central(&box_), alarms, "what is urgent never waits");
        let Some(wait) = box_.sender.waits() else { continue };
        assert!(box_.at_central().len() == 400 || box_.status.known().reason.unwrap().starts_with("waits_for_budget"));
        box_.clock.advance(wait);
        alarm(&box_, &format!("x{alarms}"));
        alarms += 1;
        while box_.sender.step().await == Step::Moved {}
    }
    // A turn's worth may be ahead of its time; the alarms were paid for too.
    let took = box_.clock.monotonic().since(began).as_secs_f64();
    assert!((36.0..60.0).contains(&took), "{took} s for 400 kB at 10 kB/s");
}
