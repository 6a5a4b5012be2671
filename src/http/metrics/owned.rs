//! The figures that an owner watches: room, backups, certificate, holds, sign-ins. Read when they are asked for.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::app::{App, STORE_FILE};
use crate::chat::{audit, facts};
use crate::doctor::checks;
use crate::game::clock;
use crate::http::edge::Served;
use crate::jobs::backup::last_good;
use crate::upstream::report::ReplicationReport;

/// What a sign-in came to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
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
    audits: Counter<u64, AtomicU64>,
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
        to.register("audit_events", "Links of the audit trail", self.audits.clone());
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
    pub(in crate::http) fn observe(&self, app: &App, report: Option<&ReplicationReport>) {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let (now, run) = (app.clock.now(), app.clock.monotonic());
        let since = run.since(run.minus(std::time::Duration::MAX));
        self.started.set((now.minus(since).millis() / 1000) as f64);
        self.memory.set(signed(checks::resident_bytes().unwrap_or(0)));
        let store = std::fs::metadata(app.config.data_dir.join(STORE_FILE));
        self.store_size.set(signed(store.map_or(0, |meta| meta.len())));
        self.disk_free.set(signed(checks::free_bytes(&app.config.data_dir).unwrap_or(0)));
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
        if let Ok(head) = audit::head(&read) {
            self.audits.inc_by(head.seq.saturating_sub(self.audits.get()));
        }
    }
}
