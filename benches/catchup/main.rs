//! How fast a box catches up: chat rows that have queued up go to a local PostgreSQL over TLS with all guards on, beside plain `COPY`
//! of the same rows into the same keyed tables and beside row-by-row autocommit, in one run.
//!
//! `cargo bench --bench catchup`; `-- 100000` is another number of rows. The line of 200 ms carries as many as went directly, with nothing beside
//! them, for the ratio. Row by row is sampled, and is given an easier life: no TLS, no guard, a statement that is prepared.
//!
//! Central is set up as one that has run for a while on a machine of its own: its write-ahead log goes to files that are there already, and it
//! keeps to one processor, the box and the clients to the others. They still share one disk.

// Said for the lints: a bench may unwrap and print as a test may.
#![cfg(test)]

mod home;
mod line;
#[path = "../../tests/support/postgres.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod postgres;
mod rival;

use std::time::Duration;

use home::Home;
use line::Line;
use postgres::{Database, Postgres, Stop};

/// Rows that are sent one by one.
const SAMPLED: u64 = 4000;

/// Bytes of central's log that a row comes to, in the four ways in which it is sent here.
const WRITTEN: u64 = 5000;

/// The round trip of the slow line.
const ROUND_TRIP: Duration = Duration::from_millis(200);

fn main() {
    let rows = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1_000_000_u64);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = Postgres::start();
    // As a server of its own would be set up; the tests' one is small.
    let any = server.database();
    for setting in
        ["shared_buffers = '512MB'", "min_wal_size = '8GB'", "max_wal_size = '8GB'", "checkpoint_timeout = '30min'"]
    {
        any.sql(&format!("alter system set {setting}"));
    }
    server.restart(Stop::Fast);
    fill_log(&any, rows);
    apart(&server);
    runtime.block_on(measure(&server, rows));
}

/// Has central write as much of its log as all that follows will, and keep the files. A new file of 16 MB is first filled with zeros, which takes the
/// disk for 10 ms; one that is used again is not.
fn fill_log(database: &Database, rows: u64) {
    let megabytes = rows * WRITTEN / 1_000_000;
    database.sql(&format!(
        "select count(pg_logical_emit_message(false, 'bench', repeat('x', 1000000))) from generate_series(1, {megabytes})"
    ));
    database.sql("checkpoint");
}

/// Gives central the last processor, and this process the others.
fn apart(server: &Postgres) {
    let processors = std::thread::available_parallelism().unwrap().get();
    if processors == 1 {
        return;
    }
    for pid in server.processes() {
        keep_to(&(processors - 1).to_string(), &pid);
    }
    keep_to(&format!("0-{}", processors - 2), &std::process::id().to_string());
}

/// Keeps a process, and what it starts from now on, to these processors.
fn keep_to(processors: &str, pid: &str) {
    let taskset = std::process::Command::new("taskset").args(["-a", "-p", "-c", processors, pid]).output().unwrap();
    assert!(taskset.status.success(), "{}", String::from_utf8_lossy(&taskset.stderr));
}

async fn measure(server: &Postgres, rows: u64) {
    let home = Home::new(server, rows).await;
    println!("{rows} chat rows of {:.0} bytes of fields", home.row_bytes);
    let per_second = |rows: u64, took: Duration| rows as f64 / took.as_secs_f64();
    let file = home.copy_file();
    let copied = rival::copy(&home.database, file.path());
    println!("COPY over TLS: {:.1} s, {:.0} rows/s", copied.as_secs_f64(), per_second(rows, copied));
    let single = rival::one_by_one(&home, SAMPLED.min(rows)).await;
    let single = per_second(SAMPLED.min(rows), single);
    println!("row by row, each committed: {single:.0} rows/s (of {} rows)", SAMPLED.min(rows));

    let idle = home.moves(None).await;
    let (drained, busy) = home.drain(true).await;
    let ours = per_second(rows, drained);
    println!("catching up over TLS: {:.1} s, {ours:.0} rows/s, while moves go on", drained.as_secs_f64());
    let near = Home::with(server, rows, None).await;
    let (near, _) = near.drain(false).await;
    let line = Line::to(home.database.port(), ROUND_TRIP).await;
    let far = Home::with(server, rows, Some(line.port)).await;
    let fields = far.row_bytes * rows as f64;
    let (far, _) = far.drain(false).await;
    let wire = line.sent();

    println!(
        "with nothing beside: {:.2} s directly, {:.2} s with 200 ms round trip",
        near.as_secs_f64(),
        far.as_secs_f64()
    );
    let verdict = |name: &str, value: f64, goal: &str, holds: bool| {
        println!("{name}: {value:.2}; goal {goal}: {}", if holds { "holds" } else { "MISSED" });
    };
    let to_copy = copied.as_secs_f64() / drained.as_secs_f64();
    verdict("catching up / COPY", to_copy, "at least 0.5", to_copy >= 0.5);
    verdict("catching up / row by row", ours / single, "at least 25", ours / single >= 25.0);
    let slower = far.as_secs_f64() / near.as_secs_f64();
    verdict("200 ms line / directly", slower, "at most 2", slower <= 2.0);
    let bytes = wire as f64 / fields;
    verdict("bytes on the wire / bytes of fields", bytes, "at most 1.5", bytes <= 1.5);
    let worse = busy.as_secs_f64() / idle.as_secs_f64();
    println!(
        "a move's commit, p99: {:.2} ms idle, {:.2} ms meanwhile",
        idle.as_secs_f64() * 1e3,
        busy.as_secs_f64() * 1e3
    );
    verdict("p99 of moves while it drains / idle", worse, "at most 2", worse <= 2.0);
}
