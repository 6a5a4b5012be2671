//! The box's figures in the form of OpenMetrics: names with units, and no label that a person could choose.

mod owned;

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::app::App;
use crate::doctor::support::Section;
use crate::http::edge::Served;
use crate::http::metrics::owned::Owned;
use crate::upstream::Link;
use crate::upstream::report::report;
use crate::upstream::state::State;

/// Labels of a request: the route's pattern, never its path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: &'static str,
    status: u16,
}

/// The figures of one box.
pub struct Metrics {
    /// All of them.
    pub registry: Registry,
    requests: Family<RequestLabels, Counter>,
    duration: Histogram,
    sockets: Gauge,
    commits: Counter<u64, AtomicU64>,
    commit_failures: Counter<u64, AtomicU64>,
    queued: Gauge,
    backlog: Gauge,
    dead_letters: Gauge,
    connected: Gauge,
    last_success: Gauge,
    clock_trusted: Gauge,
    alarms: Counter<u64, AtomicU64>,
    expiry_waiting: Gauge,
    expiry_lag: Gauge,
    expiry_blocked: Gauge,
    audit_diverged: Gauge,
    owned: Owned,
}

impl Metrics {
    /// Figures that start at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("whotbox");
        registry.register("build", "The program's version", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        let metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            // From half a millisecond to eight seconds.
            duration: Histogram::new(exponential_buckets(0.0005, 2.0, 15)),
            sockets: Gauge::default(),
            commits: Counter::default(),
            commit_failures: Counter::default(),
            queued: Gauge::default(),
            backlog: Gauge::default(),
            dead_letters: Gauge::default(),
            connected: Gauge::default(),
            last_success: Gauge::default(),
            clock_trusted: Gauge::default(),
            alarms: Counter::default(),
            expiry_waiting: Gauge::default(),
            expiry_lag: Gauge::default(),
            expiry_blocked: Gauge::default(),
            audit_diverged: Gauge::default(),
            owned: Owned::default(),
        };
        registry.register("http_requests", "Requests answered", metrics.requests.clone());
        let (name, help) = ("http_request_duration", "Time to an answer");
        registry.register_with_unit(name, help, Unit::Seconds, metrics.duration.clone());
        registry.register("websocket_connections", "Sockets that listen", metrics.sockets.clone());
        registry.register("store_commits", "Commits on the disk", metrics.commits.clone());
        registry.register("store_commit_failures", "Commits that failed", metrics.commit_failures.clone());
        registry.register("store_queue_commands", "Commands that wait", metrics.queued.clone());
        registry.register("replication_backlog_records", "Changes not confirmed by central", metrics.backlog.clone());
        registry.register("replication_rejected_records", "Rows that central refuses", metrics.dead_letters.clone());
        registry.register("replication_connected", "1 while central answers", metrics.connected.clone());
        let (name, help) = ("replication_last_success_timestamp", "When central last confirmed anything");
        registry.register_with_unit(name, help, Unit::Seconds, metrics.last_success.clone());
        registry.register("clock_trusted", "1 while the wall clock is trusted", metrics.clock_trusted.clone());
        registry.register("moderation_alarms", "Reviews refused, too many by one moderator", metrics.alarms.clone());
        let (name, help) = ("expiry_waiting", "1 while nothing is destroyed, because clock or holds are not known");
        registry.register(name, help, metrics.expiry_waiting.clone());
        let (name, help) = ("expiry_lag", "Age of the oldest message that is due and neither destroyed nor held");
        registry.register_with_unit(name, help, Unit::Seconds, metrics.expiry_lag.clone());
        let (name, help) = ("expiry_blocked_buckets", "Keys that cannot be destroyed for a damaged held copy");
        registry.register(name, help, metrics.expiry_blocked.clone());
        let (name, help) = ("audit_diverged", "1 while the audit trail is not what central has of it");
        registry.register(name, help, metrics.audit_diverged.clone());
        metrics.owned.register(&mut registry);
        Self { registry, ..metrics }
    }

    /// Takes the times of a store's commits with each look.
    #[must_use]
    pub fn of(app: &App) -> Self {
        let mut metrics = Self::new();
        metrics.registry.register_collector(Box::new(owned::Commits(app.store.clone())));
        metrics
    }

    /// Counts an answered request.
    pub fn served(&self, served: &Served<'_>) {
        let labels = RequestLabels { method: served.method.to_string(), route: served.route, status: served.status };
        self.requests.get_or_create(&labels).inc();
        self.owned.served(served);
        self.duration.observe(served.took.as_secs_f64());
    }

    /// The figures as a part of the support bundle: they name nobody.
    ///
    /// # Errors
    /// What the encoder says.
    pub fn section(&self, about: &'static str) -> Result<Section, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        Ok(Section { name: "metrics", about, content: lines.into() })
    }

    /// Takes the figures that stand somewhere else.
    pub fn observe(&self, app: &App, link: &Link) {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let figures = app.store.figures();
        let raise = |counter: &Counter<u64, AtomicU64>, to: u64| {
            counter.inc_by(to.saturating_sub(counter.get()));
        };
        raise(&self.commits, figures.commits);
        raise(&self.commit_failures, figures.failures);
        self.queued.set(signed(figures.queued));
        self.sockets.set(signed(app.hub.sockets()));
        self.clock_trusted.set(app.clock.wall().trusted.into());
        raise(&self.alarms, app.chat.alarms());
        let expiry = app.chat.status();
        self.expiry_waiting.set(expiry.waiting.is_some().into());
        self.expiry_lag.set(expiry.oldest_due.map_or(0, |at| signed(app.clock.now().since(at).as_secs())));
        self.expiry_blocked.set(signed(expiry.blocked));
        self.audit_diverged.set(matches!(app.chat.trail(), Some(Err(_))).into());
        let known = link.status.known();
        self.connected.set(matches!(known.state, State::Live | State::CatchingUp).into());
        self.last_success.set(known.last_sync_at.map_or(0, |at| at.seconds()));
        let report = report(app, link).ok();
        self.owned.observe(app, link, report.as_ref());
        if let Some(report) = report {
            self.backlog.set(signed(report.backlog));
            self.dead_letters.set(i64::try_from(report.dead_letters).unwrap_or(i64::MAX));
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
