//! A storm of logins while games and chats go on: the power is back, and every phone in the hall signs in at once.
//!
//! The real program is driven over real connections of loopback, 500 logins offered in each second whatever it answers.
//! Goals: games and chats keep a p99 below 100 ms, and memory grows by less than 128 MiB.

// Said for the lints: a bench may unwrap and print as a test may.
#![cfg(test)]

mod hall;
mod http;

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::hall::{Hall, PASSWORD, Taken};
use crate::http::Line;

/// Logins offered in a second.
const RATE: u64 = 500;
/// Addresses of loopback that they come from: one for each phone, so that the cap of an address is not what is measured.
const PHONES: u64 = 200;

fn main() {
    let seconds = std::env::var("WHOTBOX_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_whotbox"))
        .args(["--listen", "127.0.0.1:0", "--log-level", "error"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (address, password) = said(&mut child);
    let players = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let hall = players.block_on(Hall::gather(address, &password));
    let span = Duration::from_secs(seconds);

    let quiet = players.block_on(hall.evening(span));
    let before = memory(&child);
    let (over, most) = (Arc::new(AtomicBool::new(false)), AtomicU32::new(before));
    let (stormy, answers) = std::thread::scope(|scope| {
        let storm = scope.spawn(|| storm(address, span));
        let watch = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(memory(&child), Ordering::Relaxed);
                std::thread::park_timeout(Duration::from_millis(50));
            }
        });
        let stormy = players.block_on(hall.evening(span));
        let answers = storm.join().unwrap();
        over.store(true, Ordering::Relaxed);
        watch.join().unwrap();
        (stormy, answers)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    report(&quiet, &stormy, &answers, seconds, most.into_inner().saturating_sub(before));
}

/// The address that the box listens on and the first admin's password, as it says them.
fn said(child: &mut Child) -> (SocketAddr, String) {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let said: Vec<String> = lines.take_while(|line| line != "Ready.").collect();
    let value = |name: &str| {
        let line = said.iter().find(|line| line.starts_with(name)).expect("the box starts");
        line.split_whitespace().last().unwrap().to_owned()
    };
    (value("Listening on").parse().unwrap(), value("Password"))
}

/// Resident memory, in KiB.
fn memory(child: &Child) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// How many answers had which status; 0 is none.
type Answers = std::collections::BTreeMap<u16, u32>;

/// Offers logins at the rate, each over a connection of its own: half right, a quarter wrong, a quarter of nobody.
fn storm(address: SocketAddr, span: Duration) -> Answers {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        let mut all = tokio::task::JoinSet::new();
        for n in 0..RATE * span.as_secs() {
            tick.tick().await;
            all.spawn(login(address, n));
        }
        let mut answers = Answers::new();
        for status in all.join_all().await {
            *answers.entry(status).or_default() += 1;
        }
        answers
    })
}

async fn login(address: SocketAddr, n: u64) -> u16 {
    let phone = u8::try_from(n % PHONES).unwrap();
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 1, phone + 1));
    let body = match n % 4 {
        0 | 1 => json!({"username": format!("guest{}", n % hall::GUESTS), "password": PASSWORD}),
        2 => json!({"username": format!("guest{}", n % hall::GUESTS), "password": "not the password"}),
        _ => json!({"username": format!("nobody{n}"), "password": PASSWORD}),
    };
    let Ok(mut line) = Line::from(from, address).await else { return 0 };
    line.call("POST", "/api/v1/auth/login", None, Some(&body)).await.map_or(0, |(status, _)| status)
}

fn report(quiet: &Taken, stormy: &Taken, answers: &Answers, seconds: u64, grown: u32) {
    let mut holds = true;
    for (name, calm, storm) in [("moves", &quiet.moves, &stormy.moves), ("messages", &quiet.messages, &stormy.messages)]
    {
        let (calm, storm) = (calm.summary(), storm.summary());
        println!("{name}: idle {calm}; under the storm {storm}");
        holds &= storm.p99 < Duration::from_millis(100);
    }
    let offered: u32 = answers.values().sum();
    println!("logins: {offered} offered in {seconds} s; answers by status (0: none): {answers:?}");
    println!("memory: grew by {:.1} MiB", f64::from(grown) / 1024.0);
    holds &= grown < 128 * 1024;
    println!("goal p99 < 100 ms, < 128 MiB: {}", if holds { "holds" } else { "MISSED" });
}
