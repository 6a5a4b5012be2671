//! A fleet at one PostgreSQL: how many boxes it bears when each connects for a batch and lets go.
//!
//! `cargo bench --bench fleet -- --boxes 1000 --period 60 --rows 50 --connections 80 --seconds 60`
//!
//! ```text
//!   enrol      every box its own role                                  (a pooler gains nothing: it cannot share a login)
//!   flat out   `connections` boxes at a time, the next one at once  ─▶ contacts/s, rows/s: what the server bears
//!   by clock   each box once a period, spread evenly                ─▶ lag behind its time, connections at once
//! ```
//! A contact is what a box does: TLS, login, hello, orders, one batch in each lane, good-bye. Figures are of this machine; the ratio of
//! boxes to contacts/s is what carries over.

// Said for the lints: a bench may unwrap and print as a test may.
#![cfg(test)]

#[path = "../../tests/support/postgres.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod postgres;
mod simulated;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use postgres::{Database, Postgres, Stop};
use replication::admin::Admin;
use replication::settings::Settings;
use simulated::Simulated;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use whotbox::base::time::{Clock as _, Instant, SystemClock};

/// What is simulated.
#[derive(Clone, Copy)]
struct Plan {
    boxes: u64,
    /// Seconds between two contacts of a box.
    period: u64,
    /// Rows of a contact.
    rows: u64,
    /// Boxes at a time.
    connections: usize,
    /// How long each part takes.
    seconds: u64,
}

impl Plan {
    fn read() -> Self {
        let words: Vec<String> = std::env::args().collect();
        let of = |name: &str, usual: u64| {
            let at = words.iter().position(|word| word == name);
            at.and_then(|at| words.get(at + 1)).and_then(|word| word.parse().ok()).unwrap_or(usual)
        };
        Self {
            boxes: of("--boxes", 1000),
            period: of("--period", 60),
            rows: of("--rows", 50),
            connections: of("--connections", 80) as usize,
            seconds: of("--seconds", 60),
        }
    }
}

fn main() {
    let plan = Plan::read();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = Postgres::start();
    let most = plan.connections + 20;
    for setting in ["shared_buffers = '256MB'", "max_wal_size = '4GB'", &format!("max_connections = {most}")] {
        server.database().sql(&format!("alter system set {setting}"));
    }
    server.restart(Stop::Fast);
    runtime.block_on(measure(&server.database(), plan));
}

/// Time from when it was made.
#[derive(Clone)]
struct Stopwatch(Arc<SystemClock>, Instant);

impl Stopwatch {
    fn start() -> Self {
        let clock = Arc::new(SystemClock::new());
        let began = clock.monotonic();
        Self(clock, began)
    }

    fn elapsed(&self) -> Duration {
        self.0.monotonic().since(self.1)
    }
}

async fn measure(database: &Database, plan: Plan) {
    let url = format!("{}?sslmode=verify-full", database.admin_url());
    let admin = Admin::new(Settings::parse(&url, Some(&database.ca_file())).unwrap());
    admin.migrate().await.unwrap();
    let started = Stopwatch::start();
    let fleet = Arc::new(enrol(database, &admin, plan).await);
    println!("{} boxes enrolled in {:.1} s", plan.boxes, started.elapsed().as_secs_f64());

    let (contacts, took) = flat_out(&fleet, plan).await;
    let per_second = contacts as f64 / took.as_secs_f64();
    println!(
        "flat out, {} at a time: {per_second:.0} contacts/s, {:.0} rows/s",
        plan.connections,
        per_second * (plan.rows + 1) as f64
    );
    println!(
        "this server bears about {:.0} boxes that send {} rows every {} s (at half of what it can do)",
        per_second * plan.period as f64 / 2.0,
        plan.rows,
        plan.period
    );

    let seen = by_clock(&fleet, plan).await;
    let at = |share: f64| seen.lags[((seen.lags.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{} boxes, each once in {} s: {} contacts, {:.0} rows/s; lag p50 {:.0} ms, p99 {:.0} ms, worst {:.0} ms; at most {} connections",
        plan.boxes,
        plan.period,
        seen.lags.len(),
        (seen.lags.len() as u64 * (plan.rows + 1)) as f64 / seen.took.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0),
        seen.connections
    );
    let rows = database.sql("select count(*) from identity.user_login_attempts");
    println!("{rows} rows at central, of {} boxes", database.sql("select count(*) from replication.boxes"));
}

async fn enrol(database: &Database, admin: &Admin, plan: Plan) -> Vec<Mutex<Simulated>> {
    let few = Arc::new(Semaphore::new(8));
    let mut tasks = JoinSet::new();
    for number in 0..plan.boxes {
        let (admin, database, few) = (admin.clone(), database.clone(), Arc::clone(&few));
        tasks.spawn(async move {
            let _one = few.acquire_owned().await.unwrap();
            Mutex::new(Simulated::enrol(&database, &admin, number).await)
        });
    }
    tasks.join_all().await
}

/// As many contacts as there is time for, a fixed number of them at once.
async fn flat_out(fleet: &Arc<Vec<Mutex<Simulated>>>, plan: Plan) -> (u64, Duration) {
    let (started, next, done) = (Stopwatch::start(), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..plan.connections {
        let (fleet, next, done) = (Arc::clone(fleet), Arc::clone(&next), Arc::clone(&done));
        let started = started.clone();
        tasks.spawn(async move {
            while started.elapsed() < Duration::from_secs(plan.seconds) {
                let number = (next.fetch_add(1, Ordering::Relaxed) % plan.boxes) as usize;
                fleet[number].lock().await.contact(plan.rows).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tasks.join_all().await;
    (done.load(Ordering::Relaxed), started.elapsed())
}

/// What was seen by the clock.
struct Seen {
    /// How late each contact was done, in order.
    lags: Vec<Duration>,
    /// Sessions of boxes at once, at most.
    connections: u64,
    took: Duration,
}

/// Each box once a period, evenly spread; a box that finds no place waits, and that is its lag.
async fn by_clock(fleet: &Arc<Vec<Mutex<Simulated>>>, plan: Plan) -> Seen {
    let (started, places) = (Stopwatch::start(), Arc::new(Semaphore::new(plan.connections)));
    let between = Duration::from_secs(plan.period) / u32::try_from(plan.boxes).unwrap();
    let mut tasks = JoinSet::new();
    let mut connections = 0;
    let mut number = 0_u32;
    while started.elapsed() < Duration::from_secs(plan.seconds) {
        let due = between * number;
        tokio::time::sleep(due.saturating_sub(started.elapsed())).await;
        let (fleet, which) = (Arc::clone(fleet), u64::from(number) % plan.boxes);
        let since = started.clone();
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        tasks.spawn(async move {
            let _place = place;
            fleet[which as usize].lock().await.contact(plan.rows).await;
            since.elapsed().saturating_sub(due)
        });
        number += 1;
        // A contact holds its place for as long as its connection is open.
        connections = connections.max((plan.connections - places.available_permits()) as u64);
    }
    let mut lags = tasks.join_all().await;
    lags.sort_unstable();
    Seen { lags, connections, took: started.elapsed() }
}
