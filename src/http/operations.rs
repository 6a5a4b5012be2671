//! What keeps a box in sight: liveness, readiness, metrics, and the account of replication.
//!
//! Must not hold a secret or a person's name; `/metrics` asks for the service token or an admin all the same.

use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::config::shown::Shown;
use crate::doctor::support::{Section, sections};
use crate::doctor::{Report, examine};
use crate::http::identity::refused;
use crate::http::metrics::Metrics;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get, post};
use crate::http::{auth, once};
use crate::identity;
use crate::store::once::once as do_once;
use crate::upstream::Link;
use crate::upstream::report::{ReplicationReport, report};

/// The text format of metrics.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the handlers need.
#[derive(Clone)]
pub struct Operations {
    /// The box.
    pub app: Arc<App>,
    /// Replication.
    pub link: Arc<Link>,
    /// The figures.
    pub metrics: Arc<Metrics>,
}

/// `GET /readyz`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// `ready`: the store decides.
    status: &'static str,
    /// `open`.
    store: &'static str,
    /// The state of replication; none of them makes a box unready.
    replication: &'static str,
    /// `ok`, or why expiry waits.
    expiry: &'static str,
    /// Sockets that listen.
    websockets: u64,
}

/// `GET /api/v1/admin/settings`.
#[derive(Debug, Serialize, ToSchema)]
pub struct SettingsReply {
    /// Every setting, without passwords.
    settings: Vec<Shown>,
}

/// `GET /api/v1/admin/support`.
#[derive(Debug, Serialize, ToSchema)]
pub struct SupportReply {
    /// Its parts, each with a word on what is in it.
    sections: Vec<Section>,
}

/// The table.
#[must_use]
pub fn resource(operations: &Operations) -> Resource {
    Resource::new(
        "operations",
        vec![
            get("/healthz", "The process can serve.").public().gives("text/plain").to(operations, healthz),
            get("/readyz", "The store is open.").public().reply::<Ready>(200).to(operations, readyz),
            get("/metrics", "Figures for Prometheus.").or_service().gives(OPENMETRICS).to(operations, metrics),
            get("/api/v1/admin/replication", "How replication stands.")
                .reply::<ReplicationReport>(200)
                .to(operations, replication),
            get("/api/v1/admin/doctor", "What is wrong with the box, and what to do about it.")
                .reply::<Report>(200)
                .to(operations, doctor),
            get(
                "/api/v1/admin/support",
                "What somebody who helps needs to know of the box, without anything about people.",
            )
            .reply::<SupportReply>(200)
            .to(operations, support),
            get("/api/v1/admin/settings", "The settings that the box was started with, and where each was said.")
                .reply::<SettingsReply>(200)
                .to(operations, settings),
            post("/api/v1/admin/replication/sync", "Go on sending now.").empty(202).to(operations, sync_now),
        ],
    )
}

async fn healthz(_: Operations, _: Req) -> Result<Response, Problem> {
    Ok(reply::text("ok\n"))
}

async fn readyz(operations: Operations, _: Req) -> Result<Response, Problem> {
    if operations.app.store.read().is_err() {
        return Err(Problem::new(Code::Unavailable).detail("The store is not open."));
    }
    Ok(reply::ok(&Ready {
        status: "ready",
        store: "open",
        replication: operations.link.status.known().state.name(),
        expiry: operations.app.chat.status().waiting.unwrap_or("ok"),
        websockets: operations.app.hub.sockets(),
    }))
}

async fn metrics(operations: Operations, req: Req) -> Result<Response, Problem> {
    auth::service_or_admin(&operations.app, &req)?;
    operations.metrics.observe(&operations.app, &operations.link);
    let mut text = String::new();
    encode(&mut text, &operations.metrics.registry).map_err(|error| Problem::internal(&error))?;
    Ok(reply::bytes_of(hyper::StatusCode::OK, OPENMETRICS, text))
}

async fn replication(operations: Operations, req: Req) -> Result<Response, Problem> {
    auth::settled(&operations.app, &req)?.admin().map_err(auth::denied)?;
    let report = report(&operations.app, &operations.link).map_err(auth::fault)?;
    Ok(reply::ok(&report))
}

async fn doctor(operations: Operations, req: Req) -> Result<Response, Problem> {
    auth::settled(&operations.app, &req)?.admin().map_err(auth::denied)?;
    let (app, link) = (Arc::clone(&operations.app), Arc::clone(&operations.link));
    // It reads the whole audit trail, and the disk.
    let report = tokio::task::spawn_blocking(move || examine(&app, &link)).await;
    Ok(reply::ok(&report.map_err(|error| Problem::internal(&error))?))
}

async fn support(operations: Operations, req: Req) -> Result<Response, Problem> {
    auth::settled(&operations.app, &req)?.admin().map_err(auth::denied)?;
    let (app, link) = (Arc::clone(&operations.app), Arc::clone(&operations.link));
    let found = tokio::task::spawn_blocking(move || sections(&app, &link)).await;
    let mut sections = found.map_err(|error| Problem::internal(&error))?.map_err(auth::fault)?;
    operations.metrics.observe(&operations.app, &operations.link);
    let figures = operations.metrics.section("the figures that Prometheus is given");
    sections.push(figures.map_err(|error| Problem::internal(&error))?);
    Ok(reply::ok(&SupportReply { sections }))
}

async fn settings(operations: Operations, req: Req) -> Result<Response, Problem> {
    auth::settled(&operations.app, &req)?.admin().map_err(auth::denied)?;
    Ok(reply::ok(&SettingsReply { settings: operations.app.config.shown() }))
}

async fn sync_now(operations: Operations, req: Req) -> Result<Response, Problem> {
    let admin = auth::settled(&operations.app, &req)?.admin().map_err(auth::denied)?;
    let key = once::key(&operations.app, &req, admin.id())?;
    let mut replayed = false;
    if key.is_some() {
        let done =
            operations.app.store.write(move |tx, now| do_once(tx, now, key, |_| Ok::<_, identity::error::Error>(())));
        replayed = done.await.map_err(refused)?.replayed;
    }
    operations.link.wake.notify_one();
    Ok(once::answer(replayed, reply::accepted()))
}
