//! The old system's ways as servers: their Python, made once under the build folder, and their processes.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::folk::{Person, Served};
use crate::link::Link;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

/// A Python with the peers' packages; none where it cannot be made.
pub(crate) fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers-venv");
    let python = folder.join("bin/python");
    let done = folder.join("installed");
    let ran = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    if !done.exists() {
        let install = |file: &str| {
            let file = format!("{SOURCES}/{file}");
            ran(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement", &file]))
        };
        if !ran(Command::new("python3").args(["-m", "venv"]).arg(&folder)) || !install("requirements.txt") {
            println!("no Python with the peers' packages: they are not compared");
            return None;
        }
        install("open_spiel.txt");
        std::fs::write(&done, "").unwrap();
    }
    Some(python)
}

/// Serves one of the peers on a free port, with two players for each match.
pub(crate) async fn serve(python: &Path, name: &str, folder: &Path, people: usize) -> (Served, Vec<Person>) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let child = Command::new(python)
        .args(["-m", "uvicorn", &format!("{name}:app"), "--port", &port])
        .args(["--no-access-log", "--log-level", "error", "--loop", "uvloop", "--http", "httptools"])
        .args(["--timeout-keep-alive", "600"])
        .current_dir(SOURCES)
        .env("PEER_DB", folder.join(format!("{name}.db")))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let served = Served::new(child, format!("127.0.0.1:{port}").parse().unwrap());
    while std::net::TcpStream::connect(served.address).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let mut link = Link::open(served.address, "").await;
    let mut made = Vec::new();
    for n in 0..people {
        let username = format!("player{n}");
        let (status, body) = link.ask("GET", &format!("/token/{username}"), "").await;
        assert_eq!(status, 200);
        let body: serde_json::Value = serde_json::from_slice(body).unwrap();
        made.push(Person { username, token: body["access_token"].as_str().unwrap().to_owned() });
    }
    (served, made)
}
