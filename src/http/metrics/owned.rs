//! The figures that an owner watches: room, backups, certificate, holds, sign-ins. Read when they are asked for.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::app::{App, STORE_FILE};
use crate::base::durable;
use crate::chat::{audit, facts};
use crate::doctor::checks;
use crate::game::clock;
use crate::http::edge::Served;
use crate::jobs::backup::last_good;
use crate::store::writer::Store;
use crate::upstream::Link;
use crate::upstream::report::ReplicationReport;
use crate::upstream::sender::backlog_bytes;

/// What a sign-in came to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

/// What an audit is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Did {
    action: &'static str,
}

/// How long commits take, as the store counts it.
pub(in crate::http) struct Commits(pub(in crate::http) Store);

impl fmt::Debug for Commits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Commits")
    }
}

impl Collector for Commits {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let taken = self.0.commit_times();
        let bound = |bound: Option<Duration>| bound.map_or(f64::MAX, |bound| bound.as_secs_f64());
        let buckets: Vec<_> = taken.buckets.iter().map(|(end, count)| (bound(*end), *count)).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let (name, help) = ("store_commit_duration", "Time of a commit, to the disk's word that it has it");
        let mut metric = to.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(taken.sum.as_secs_f64(), count, &buckets, None)
    }
}

/// The figures.
#[derive(Debug, Default)]
pub(in crate::http) struct Owned {
    started: Gauge<f64, AtomicU64>,
    memory: Gauge,
    store_size: Gauge,
    disk_free: Gauge,
    matches: Gauge,
    messages: Counter<u64, AtomicU64>,
    holds: Gauge,
    audits: Family<Did, Counter>,
    /// How far the audit trail was counted.
    counted: Mutex<u64>,
    batches: Family<Outcome, Counter>,
    backlog: Gauge,
    logins: Family<Outcome, Counter>,
    backup: Gauge,
    certificate: Gauge,
    skew: Gauge<f64, AtomicU64>,
    oldest_unsent: Gauge<f64, AtomicU64>,
}

impl Owned {
    /// Names them.
    pub(in crate::http) fn register(&self, to: &mut Registry) {
        let seconds = Unit::Seconds;
        to.register_with_unit(
            "start_time",
            "When the box was started, since 1970",
            seconds.clone(),
            self.started.clone(),
        );
        to.register_with_unit("memory_resident", "Memory that is in use", Unit::Bytes, self.memory.clone());
        to.register_with_unit("store_size", "Length of the store's file", Unit::Bytes, self.store_size.clone());
        let help = "What may still be written where the data folder lies";
        to.register_with_unit("disk_free", help, Unit::Bytes, self.disk_free.clone());
        to.register("game_sessions_active", "Matches that are not over", self.matches.clone());
        to.register("chat_messages", "Messages accepted since the start", self.messages.clone());
        to.register("legal_holds_active", "Conversations under legal hold", self.holds.clone());
        to.register("audit_events", "Links of the audit trail, by what was done", self.audits.clone());
        to.register("replication_batches", "Batches sent to central, by what became of them", self.batches.clone());
        let help = "About how much central has not confirmed, as it lies in the store";
        to.register_with_unit("replication_backlog", help, Unit::Bytes, self.backlog.clone());
        to.register("login_attempts", "Attempts to sign in", self.logins.clone());
        let (name, help) = ("backup_last_success_timestamp", "When the last backup was made that passed its drill");
        to.register_with_unit(name, help, seconds.clone(), self.backup.clone());
        let (name, help) = ("certificate_expiry_timestamp", "When the certificate ends; 0 on plain HTTP");
        to.register_with_unit(name, help, seconds.clone(), self.certificate.clone());
        to.register_with_unit("clock_skew", "Central's clock less ours", seconds.clone(), self.skew.clone());
        let (name, help) =
            ("replication_oldest_unsent_timestamp", "Of the oldest change that central has not got; 0 for none");
        to.register_with_unit(name, help, seconds, self.oldest_unsent.clone());
    }

    /// Counts an answered request, if it is one of those that are watched.
    pub(in crate::http) fn served(&self, served: &Served<'_>) {
        if served.route == "/api/v1/auth/login" {
            let result = match served.status {
                200 => "ok",
                401 => "refused",
                429 => "throttled",
                _ => "other",
            };
            self.logins.get_or_create(&Outcome { result }).inc();
        }
    }

    /// Takes the figures that stand somewhere else.
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 and memory fit a float's 53 bits")]
    pub(in crate::http) fn observe(&self, app: &App, link: &Link, report: Option<&ReplicationReport>) {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let (now, run) = (app.clock.now(), app.clock.monotonic());
        let since = run.since(run.minus(std::time::Duration::MAX));
        self.started.set((now.minus(since).millis() / 1000) as f64);
        self.memory.set(signed(checks::resident_bytes().unwrap_or(0)));
        let store = std::fs::metadata(app.config.data_dir.join(STORE_FILE));
        self.store_size.set(signed(store.map_or(0, |meta| meta.len())));
        self.disk_free.set(signed(durable::free_bytes(&app.config.data_dir).unwrap_or(0)));
        let sent = app.chat.sent();
        self.messages.inc_by(sent.saturating_sub(self.messages.get()));
        self.certificate.set(checks::certificate_ends(app).map_or(0, |at| at.seconds()));
        self.backup.set(last_good(app).ok().flatten().map_or(0, |at| at.seconds()));
        if let Some(report) = report {
            self.skew.set(report.clock_skew_seconds.unwrap_or(0.0));
            let waiting = (report.backlog > 0).then(|| now.minus(std::time::Duration::from_secs(report.lag_seconds)));
            self.oldest_unsent.set(waiting.map_or(0.0, |at| at.seconds() as f64));
        }
        let Ok(read) = app.store.read() else { return };
        self.matches.set(clock::all(&read).map_or(0, |all| signed(all.len() as u64)));
        self.holds.set(facts::holds(&read).map_or(0, signed));
        self.backlog.set(backlog_bytes(&read).map_or(0, signed));
        for (result, count) in link.status.batches() {
            let counter = self.batches.get_or_create(&Outcome { result: result.name() });
            counter.inc_by(count.saturating_sub(counter.get()));
        }
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok((actions, last)) = audit::actions_after(&read, *counted) {
            for (action, count) in actions {
                self.audits.get_or_create(&Did { action: action.name() }).inc_by(count);
            }
            *counted = last;
        }
    }
}
