//! What the boxes of a test run log, and the secrets that pass through its clients: both are kept in files, and
//! `tests/logs.rs` looks for the ones in the others when all tests are done.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

use serde_json::Value;
use tracing_subscriber::EnvFilter;

/// Fields whose values nobody may find in a log.
const SECRETS: &[&str] = &[
    "password",
    "current_password",
    "new_password",
    "temporary_password",
    "access_token",
    "refresh_token",
    "reconnect_token",
    "invite_token",
    "token",
    "code",
    "phone",
];

static RUN: LazyLock<Run> = LazyLock::new(Run::begin);
static BOXES: AtomicU32 = AtomicU32::new(0);

struct Run {
    folder: PathBuf,
    secrets: Mutex<(File, HashSet<String>)>,
}

impl Run {
    /// Puts the last run's files away, and begins to write down what the boxes of this process log.
    fn begin() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("logs");
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str| OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap();
        let log = Mutex::new(file("process.log"));
        let lines = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("debug")).with_ansi(false);
        lines.with_writer(log).try_init().unwrap();
        Self { secrets: Mutex::new((file("secrets"), HashSet::new())), folder }
    }
}

/// Begins, once.
pub(crate) fn begin() {
    LazyLock::force(&RUN);
}

/// Notes the secrets of a request or an answer.
pub(crate) fn know(body: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        look(&value);
    }
}

fn look(value: &Value) {
    match value {
        Value::Object(fields) => {
            // The code of a refusal is no secret, and neither is that of a reason.
            let refusal = fields.contains_key("status") && fields.contains_key("title");
            let said = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "code" && (refusal || said(text)) => {}
                    Value::String(text) if SECRETS.contains(&name.as_str()) && !refusal => note(text),
                    other => look(other),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(look),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn note(text: &str) {
    // Shorter ones are no secrets of the box's: it makes none, and takes no such password.
    if text.len() < 6 || text.chars().any(char::is_control) {
        return;
    }
    let mut secrets = RUN.secrets.lock().unwrap();
    if secrets.1.insert(text.to_owned()) {
        writeln!(secrets.0, "{text}").unwrap();
    }
}

/// Keeps the log of a box that ran as a program of its own.
pub(crate) fn keep(log: &Path) {
    let number = BOXES.fetch_add(1, Ordering::Relaxed);
    drop(std::fs::copy(log, RUN.folder.join(format!("box-{number}.log"))));
}
