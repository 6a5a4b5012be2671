//! The box's clock, for admins: whether it is trusted, and a person's word that it is right.
//!
//! Nothing is destroyed while it is not trusted (design, section 7). Must not know what waits for that.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::base::id::AuditId;
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::http::auth;
use crate::http::conversations::problem;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get, post};

/// How the clock stands.
#[derive(Serialize, ToSchema)]
struct ClockState {
    /// What it shows.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// Whether anything may be destroyed by it.
    trusted: bool,
    /// Central's clock contradicts it.
    contradicted: bool,
    /// The last trusted moment that was written down; untrusted time does not go below it.
    #[schema(value_type = Option<String>, format = DateTime)]
    mark: Option<Timestamp>,
    /// When central last answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    central_heard_at: Option<Timestamp>,
    /// The link of the audit trail that notes the confirmation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    audit_id: Option<AuditId>,
}

/// An admin's word.
#[derive(Deserialize, ToSchema)]
struct Confirmation {
    /// What another clock shows: within two minutes of the box's.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// How that is known; at least 10 characters.
    #[schema(value_type = String, min_length = 10, max_length = 500)]
    reason: Reason,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "clock",
        vec![
            get("/api/v1/admin/clock", "Whether the clock is trusted.")
                .reply::<ClockState>(200)
                .refuses(&[Code::Forbidden])
                .to(app, show),
            post(
                "/api/v1/admin/clock/confirm",
                "Confirm that the clock is right; audited, until it leaps or the box stops.",
            )
            .body::<Confirmation>()
            .reply::<ClockState>(200)
            .refuses(&[Code::Forbidden, Code::ClockDiffers])
            .to(app, confirm),
        ],
    )
}

fn state(app: &App, audit_id: Option<AuditId>) -> Result<ClockState, Problem> {
    let standing = app.chat.time(&app.store.read().map_err(auth::fault)?).map_err(auth::fault)?;
    Ok(ClockState {
        now: standing.wall.now,
        trusted: standing.wall.trusted,
        contradicted: standing.contradicted,
        mark: standing.mark,
        central_heard_at: standing.heard,
        audit_id,
    })
}

async fn show(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    auth::settled(&app, &req)?.admin().map_err(auth::denied)?;
    Ok(reply::ok(&state(&app, None)?))
}

async fn confirm(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let admin = auth::caller(&app, &req)?.admin().map_err(auth::denied)?;
    let Confirmation { now, reason } = req.json()?;
    let noted = app.chat.confirm_clock(&app.store, admin.id(), now, reason).await.map_err(problem)?;
    Ok(reply::ok(&state(&app, Some(noted))?))
}
