//! What a durable write costs: the store against its goals, in one run of interleaved rounds.
//!
//! Every contender writes the same records in every round, so that a busy machine hurts all alike; what counts are
//! the medians of the rounds' ratios. Run it with `cargo bench --bench store`; `-- writes` and `-- cold` run
//! one half only. `BENCH_FOLDER` is a folder on the disk to be measured, otherwise it is the build's.

// Said for the lints: a bench may unwrap and print as a test may.
#![cfg(test)]

mod bare;
mod cold;
mod counted;
mod load;
mod log;
mod machine;
mod ours;
mod postgres;
mod sqlite;
mod table;

use machine::Machine;
use postgres::Postgres;
use table::{Goal, Table};

/// Rounds: odd, so that a median is a round.
const ROUNDS: usize = 7;
/// Writers that wait for one another's commits, and commands that the others group into one.
pub(crate) const WRITERS: usize = 64;
/// Commands of a grouped contender in a round.
const GROUPED: usize = WRITERS * 100;
/// Commands of an ungrouped one.
const SINGLE: usize = 300;

fn main() {
    let only = |what: &str| std::env::args().any(|word| word == what);
    let disk = std::env::var_os("BENCH_FOLDER").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    let folder = tempfile::tempdir_in(disk).unwrap();
    let mut table = Table::default();
    if !only("cold") {
        writes(folder.path(), &mut table);
    }
    if !only("writes") {
        cold::run(folder.path(), &mut table);
    }
    table.print();
}

/// The rounds of writes.
fn writes(folder: &std::path::Path, table: &mut Table) {
    let machine = Machine::new();
    let mut ours = ours::Ours::new(&folder.join("ours.redb"));
    let mut single = ours::Ours::new(&folder.join("single.redb"));
    let mut bare = bare::Bare::new(&folder.join("bare.redb"));
    let mut sqlite = sqlite::Sqlite::new(&folder.join("sqlite.db"));
    let mut log = log::Log::new(&folder.join("log"));
    let postgres = Postgres::new(folder);
    for round in 0..=ROUNDS {
        let mut measure = |name: &'static str, commands: usize, run: &mut dyn FnMut()| {
            let took = machine.time(run, || postgres.as_ref().map_or(0.0, Postgres::used));
            // The first round fills caches and is not counted.
            if round > 0 {
                table.add(name, commands, &took);
            }
        };
        measure("store, 64 writers", GROUPED, &mut || ours.concurrent(GROUPED));
        measure("store, 1 writer", SINGLE, &mut || single.one_by_one(SINGLE));
        bare.prepare(GROUPED);
        measure("bare redb, groups of 64", GROUPED, &mut || bare.run());
        sqlite.prepare(GROUPED);
        measure("SQLite WAL FULL, groups of 64", GROUPED, &mut || sqlite.run());
        log.prepare(GROUPED);
        measure("append + fdatasync, groups of 64", GROUPED, &mut || log.run());
        if let Some(postgres) = &postgres {
            measure("PostgreSQL, 64 connections", GROUPED / 4, &mut || postgres.run(GROUPED / 4, true));
            measure("PostgreSQL, the message alone", GROUPED / 4, &mut || postgres.run(GROUPED / 4, false));
        }
    }
    table.ratio("64 writers / 1 writer", "store, 64 writers", "store, 1 writer", Goal::AtLeast(8.0));
    table.ratio("store / bare redb", "store, 64 writers", "bare redb, groups of 64", Goal::AtLeast(0.8));
    table.ratio("store / SQLite", "store, 64 writers", "SQLite WAL FULL, groups of 64", Goal::AtLeast(0.7));
    table.ratio("store / PostgreSQL", "store, 64 writers", "PostgreSQL, 64 connections", Goal::AtLeast(2.0));
    table.ratio(
        "store / PostgreSQL, the message alone",
        "store, 64 writers",
        "PostgreSQL, the message alone",
        Goal::None,
    );
    table.ratio("store / bare log", "store, 64 writers", "append + fdatasync, groups of 64", Goal::None);
    table.value("commands in a commit", ours.per_commit(), Goal::None);
    table.value("bytes to the kernel per byte of payload", ours.amplification(), Goal::AtMost(12.0));
    table.value("bytes of payload per command", ours.payload_per_command(), Goal::None);
}
