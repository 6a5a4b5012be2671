//! How long a box with a store of a gigabyte takes from a killed process to `/readyz` 200. Goal: 2 s.
//!
//! The store is filled by a child of this program that ends without closing it; then the real program starts.

// Said for the lints: a bench may unwrap and print as a test may.
#![cfg(test)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use whotbox::app::{App, Parts, STORE_FILE};
use whotbox::base::entropy::{Entropy, OsEntropy};
use whotbox::base::time::{Clock as _, SystemClock};
use whotbox::config::Given;
use whotbox::config::secrets::OldVariables;
use whotbox::store::fault::Fault;
use whotbox::store::once::{KeyReused, OnceKey, once};
use whotbox::store::writer::AsFault;

/// Bytes of one filling row.
const ROW: usize = 4000;
/// Rows of one command.
const AT_ONCE: usize = 2000;
/// Starts that are measured.
const STARTS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--fill") {
        fill(Path::new(&arguments[at + 1]), arguments[at + 2].parse().unwrap());
        // Not a clean end: nothing is closed, as when the power goes.
        std::process::abort();
    }
    let megabytes: u64 = std::env::var("WHOTBOX_BENCH_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(1024);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let filled = Command::new(std::env::current_exe().unwrap())
        .args(["--fill", data.to_str().unwrap(), &megabytes.to_string()])
        .status()
        .unwrap();
    assert!(!filled.success(), "the child ends by abort");
    let size = std::fs::metadata(data.join(STORE_FILE)).unwrap().len() >> 20;
    println!("store: {size} MiB, left open by a process that was aborted");
    let clock = SystemClock::new();
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let before = clock.monotonic();
        let mut child = start(folder.path());
        while !ready(address(&mut child)) {}
        took.push(clock.monotonic().since(before));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    took.sort();
    let (median, most) = (took[STARTS / 2], took[STARTS - 1]);
    let verdict = if most <= Duration::from_secs(2) { "holds" } else { "MISSED" };
    println!("kill to /readyz 200: median {median:?}, slowest {most:?} of {STARTS}; goal 2 s: {verdict}");
}

enum Stop {
    Store(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Store(fault)
    }
}

impl From<KeyReused> for Stop {
    fn from(_: KeyReused) -> Self {
        Self::Store(Fault::Panicked)
    }
}

impl AsFault for Stop {
    fn as_fault(&self) -> Option<&Fault> {
        let Self::Store(fault) = self;
        Some(fault)
    }
}

fn fill(data: &Path, megabytes: u64) {
    let config = Given { data_dir: Some(data.into()), ..Given::default() }.complete().unwrap();
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let parts = Parts {
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::clone(&entropy),
        old: OldVariables::default(),
        medium: None,
    };
    let app = App::open(config, parts).unwrap();
    for _ in 0..(megabytes << 20) / (ROW * AT_ONCE) as u64 {
        let keys: Vec<[u8; 32]> = (0..AT_ONCE).map(|_| entropy.bytes()).collect();
        let written = app.store.write_blocking(move |tx, now| {
            for key in keys {
                let once_key = OnceKey { key, request: [0; 32] };
                once::<Vec<u8>, Stop>(tx, now, Some(once_key), |_| Ok(vec![key[0]; ROW]))?;
            }
            Ok::<_, Stop>(())
        });
        assert!(written.is_ok(), "the store takes it");
    }
}

fn start(folder: &Path) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_whotbox"));
    program.args(["--listen", "127.0.0.1:0", "--log-level", "error"]).current_dir(folder);
    program.stdout(Stdio::piped()).spawn().unwrap()
}

/// The address that the box says it listens on; it says so once it can serve.
fn address(child: &mut Child) -> SocketAddr {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut lines = lines;
    let line = lines.find(|line| line.starts_with("Listening on")).expect("the box starts");
    line.split_whitespace().last().unwrap().parse().unwrap()
}

fn ready(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    true
}
