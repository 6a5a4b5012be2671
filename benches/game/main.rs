//! What a move costs: the rules alone, through HTTP and sockets with durable commits, and in the old system's way; and what
//! an idle socket of a match costs in memory.
//!
//! Everything runs in one go on one machine, load generator included, so that a busy machine hurts all alike. What counts
//! are the ratios. Run it with `cargo bench --bench game`; `-- engine`, `-- moves` and `-- idle` run one part only.
//! `BENCH_FOLDER` is a folder on the disk to be measured, otherwise it is the build's; `BENCH_SECONDS` is how
//! long one measurement takes. The peers under `benches/peers` need Python and a package index the first time.

// Said for the lints: a bench may unwrap and print as a test may.
#![cfg(test)]

mod engine;
mod folk;
mod idle;
mod link;
#[path = "../store/machine.rs"]
mod machine;
mod moves;
mod peers;
mod table;

use std::path::PathBuf;

fn main() {
    let parts = ["engine", "moves", "idle"];
    let named: Vec<String> = std::env::args().filter(|word| parts.contains(&word.as_str())).collect();
    let runs = |part: &str| named.is_empty() || named.iter().any(|word| word == part);
    let python = if runs("engine") || runs("moves") { peers::python() } else { None };
    if runs("engine") {
        engine::run(python.as_deref());
    }
    let disk =
        std::env::var_os("BENCH_FOLDER").map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let folder = tempfile::tempdir_in(disk).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if runs("moves") {
        runtime.block_on(moves::run(&folder.path().join("moves"), python.as_deref()));
    }
    if runs("idle") {
        runtime.block_on(idle::run(&folder.path().join("idle")));
    }
}

/// A goal, and whether it is reached.
pub(crate) fn goal(name: &str, value: f64, least: f64) {
    let verdict = if value >= least { "met" } else { "MISSED" };
    println!("{name:<58} {value:>8.2}  at least {least}  {verdict}");
}
