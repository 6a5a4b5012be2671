//! The support bundle: what somebody who helps from afar needs to know of a box, and nothing about its people.
//!
//! It is put together from what is known to be harmless, never by taking the rest out of everything: numbers, switches, times
//! and words from fixed lists pass; a name, an address, a path, a text from elsewhere does not. Must not know where it goes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::app::App;
use crate::base::durable;
use crate::base::time::Timestamp;
use crate::catalog;
use crate::config::keys::{self, Form};
use crate::doctor::examine;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::read::ReadExt as _;
use crate::store::upgrade::Program;
use crate::upstream::Link;
use crate::upstream::report::report;

/// Settings whose text is a word from a list.
const WORDS: &[&str] = &["tls", "code_sender", "log_format"];
/// Files of a data folder by their names, which say nothing of anybody.
const FILES: &[&str] = &[
    "box.redb",
    "box.reserve",
    "box.mark",
    "box.redb.newer",
    "master.key",
    "s2s.key",
    "webhook.key",
    "chat.keys",
    "upstream.toml",
    "recovery.pub",
    "backup.key",
    "cert.pem",
    "key.pem",
    "ca.pem",
    "ca-key.pem",
    "admin.sock",
];

/// A part of the bundle.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = SupportSection)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What is in it, for the owner, who decides whether to give it away.
    pub about: &'static str,
    /// It.
    pub content: Value,
}

/// Puts the bundle together.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn sections(app: &App, link: &Link) -> Result<Vec<Section>, Fault> {
    let section = |name, about, content| Section { name, about, content };
    Ok(vec![
        section("versions", "the program, the forms of its tables, the system's kernel", versions(app)?),
        section("state", "how long the box runs, its clock, its store's figures, disk and memory", state(app)?),
        section("findings", "what the doctor finds, by name, without its sentences", findings(app, link)),
        section(
            "settings",
            "every setting's name and who said it; values of numbers and switches alone",
            settings(app),
        ),
        section("replication", "how far central has this box's rows", replication(app, link)?),
        section("files", "lengths and modes of the data folder's files", files(app)),
    ])
}

fn versions(app: &App) -> Result<Value, Fault> {
    let marked: Option<Program> = app.store.read()?.get(&Key::new())?;
    let tables: BTreeMap<_, _> = catalog::tables().iter().map(|table| (table.id.name, table.version)).collect();
    // The service does not see it.
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    Ok(json!({
        "whotbox": env!("CARGO_PKG_VERSION"),
        "store_last_opened_by": marked.map(|program| program.version),
        "tables": tables,
        "kernel": kernel.as_deref().map(str::trim),
        "machine": std::env::consts::ARCH,
    }))
}

fn state(app: &App) -> Result<Value, Fault> {
    let (figures, wall) = (app.store.figures(), app.clock.wall());
    let times = app.store.commit_times();
    let expiry = app.chat.status();
    Ok(json!({
        "now": wall.now,
        "clock_trusted": wall.trusted,
        "started_at": app.started_at,
        "store": {
            "commands": figures.commands, "commits": figures.commits, "failures": figures.failures,
            "checkpoints": figures.checkpoints, "payload_bytes": figures.payload_bytes, "queued": figures.queued,
            "repaired": figures.repaired, "full": figures.full,
        },
        "commits_took_ms": millis(times.sum),
        "websockets": app.hub.sockets(),
        "expiry": {
            "last_run": expiry.last_run, "blocked": expiry.blocked, "waits": expiry.waiting.is_some(),
            "failed": expiry.last_error.is_some(),
        },
        "last_good_backup": crate::jobs::backup::last_good(app)?,
        "disk_free_bytes": durable::free_bytes(&app.config.data_dir).ok(),
        "memory_bytes": crate::doctor::checks::resident_bytes(),
    }))
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn findings(app: &App, link: &Link) -> Value {
    let report = examine(app, link);
    let found: Vec<_> = report.findings.iter().map(|one| json!({"id": one.id, "severity": one.severity})).collect();
    json!({"healthy": report.healthy, "checked": report.checked, "findings": found})
}

fn settings(app: &App) -> Value {
    let each = app.config.shown().into_iter().map(|shown| {
        let form = keys::find(shown.name).map(|key| key.form);
        let value = match form {
            Some(Form::Number | Form::Switch) => shown.value,
            Some(Form::Text) if WORDS.contains(&shown.name) => shown.value,
            _ if shown.value.is_null() => Value::Null,
            _ => json!("(set)"),
        };
        json!({"name": shown.name, "value": value, "source": shown.source})
    });
    each.collect()
}

fn replication(app: &App, link: &Link) -> Result<Value, Fault> {
    let report = report(app, link)?;
    Ok(json!({
        "state": report.state, "head_seq": report.head_seq, "acked_seq": report.acked_seq, "backlog": report.backlog,
        "lag_seconds": report.lag_seconds, "last_sync_at": report.last_sync_at, "failing": report.last_error.is_some(),
        "dead_letters": report.dead_letters, "last_verified_at": report.last_verified_at,
        "diverged_rows": report.diverged_rows, "clock_skew_seconds": report.clock_skew_seconds,
    }))
}

fn files(app: &App) -> Value {
    let (mut known, mut others, mut other_bytes) = (BTreeMap::new(), 0_u64, 0_u64);
    for entry in fs::read_dir(&app.config.data_dir).into_iter().flatten().flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        match FILES.iter().find(|name| entry.file_name() == **name) {
            Some(name) => {
                let mode = format!("{:o}", meta.permissions().mode() & 0o777);
                known.insert(*name, json!({"bytes": meta.len(), "mode": mode}));
            }
            None => (others, other_bytes) = (others + 1, other_bytes + meta.len()),
        }
    }
    json!({"known": known, "others": others, "others_bytes": other_bytes})
}

/// A line of the log as far as it says nothing of anybody: its time, its level, where it comes from, the words of the log's own
/// sentences, and figures. Everything else is blacked out.
#[must_use]
pub fn blacked_out(line: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    for (at, word) in line.split_whitespace().enumerate() {
        let kept = passes(at, word).unwrap_or_else(|| "…".to_owned());
        if kept != "…" || out.last().is_none_or(|last| last != "…") {
            out.push(kept);
        }
    }
    out.join(" ")
}

/// What passes of a word at a place of a line.
fn passes(at: usize, word: &str) -> Option<String> {
    let whole = || Some(word.to_owned());
    if at == 0 && word.parse::<Timestamp>().is_ok() || ["ERROR", "WARN", "INFO", "DEBUG"].contains(&word) {
        return whole();
    }
    let module = |c: char| c.is_ascii_lowercase() || matches!(c, ':' | '_');
    if word.starts_with("whotbox::")
        && word.ends_with(':')
        && word.chars().all(module)
        && MODULES.iter().any(|top| word.get(9..).is_some_and(|rest| rest.starts_with(top)))
    {
        return whole();
    }
    if let Some((name, value)) = word.split_once('=').filter(|(name, _)| FIGURES.contains(name)) {
        let figure = value.len() <= 12 && value.bytes().all(|b| b.is_ascii_digit());
        return Some(if figure { word.to_owned() } else { format!("{name}=…") });
    }
    let bare = word.trim_end_matches([',', ';', '.', ':']);
    SENTENCES.split(' ').any(|known| known == bare).then(|| word.to_owned())
}

/// Words of the log's own sentences. A name that is one of them tells nobody anything.
const SENTENCES: &str = "a accepted acknowledgement after again all an and another answered are as asked at audit backup be box brought \
    bundle can cannot central certificate changed chat check checkpoint clock clocks closed code codes commit \
    compacted connection could daily damaged destroyed did disk does done due else end erased erasure everything \
    failed fails fed file for free from full gateway give given gone had handler has have here hold holds \
    housekeeping how in into is it its journal kept key keys knocked legal listener log looked made match matches \
    may message messages more nearly no not now number of old older on one only open opened or other out panicked \
    password place point posted reached read recovery refused reopened repair replication request restored room rows \
    run seen shown sign socket started state stays stopped stops store tables take taken than that the there they \
    this time to tokens tomorrow took trail tried up use used version waits was what when why will write written";

/// Modules that log.
const MODULES: &[&str] = &[
    "app", "backup", "chat", "cli", "customer", "doctor", "game", "http", "identity", "jobs", "live", "moving",
    "store", "upstream",
];
/// Fields of log lines whose values are numbers of no person.
const FIGURES: &[&str] =
    &["status", "ms", "commands", "rows", "bytes", "removed", "brought", "damaged", "before", "after"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_sense_and_loses_what_names_anybody() {
        let line = "2026-11-22T10:00:00.123456Z  INFO request{request_id=01a2}: whotbox::http::edge: request method=GET \
                    route=/api/v1/users/{id} status=200 ms=3 request_id=01a2";
        assert_eq!(
            blacked_out(line),
            "2026-11-22T10:00:00.123456Z INFO … whotbox::http::edge: request … status=200 ms=3 …"
        );
        let line = "2026-11-22T10:00:00.1Z  WARN whotbox::upstream: central cannot be reached error=no route to db.shop.example:5432";
        let out = blacked_out(line);
        assert!(out.contains("WARN whotbox::upstream: central cannot be reached") && !out.contains("shop"), "{out}");
        for secret in [
            "+2348031234567",
            "Amaka",
            "10.0.0.7",
            "fd00::7",
            "amaka@shop.example",
            "\"my",
            "wb_S3cr3tTok3n",
            "Hunter2",
        ] {
            assert!(!blacked_out(&format!("said {secret} again")).contains(secret), "{secret}");
        }
    }
}
