//! The audit trail beside central's: what the last comparison came to, and a person's word that a difference is known.
//!
//! Must not know how the two are compared.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::base::id::{AuditId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::trail::MAX_REASON;
use crate::http::auth;
use crate::http::conversations::problem;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get, post};

/// How the trail stands beside central's.
#[derive(Serialize, ToSchema)]
struct TrailState {
    /// When both were last found to agree; null before the first comparison, and while they differ.
    #[schema(value_type = Option<String>, format = DateTime)]
    agreed_at: Option<Timestamp>,
    /// How they differ: `cut`, `rewritten` or `forked`; null while they do not.
    diverged: Option<&'static str>,
    /// The same in a sentence.
    detail: Option<String>,
    /// The link that notes the acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    audit_id: Option<AuditId>,
}

/// That a difference is known.
#[derive(Deserialize, ToSchema)]
struct Known {
    /// Why the two differ; 10–400 characters.
    #[schema(value_type = String, min_length = 10, max_length = 400)]
    reason: Reason,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "audit trail",
        vec![
            get("/api/v1/admin/moderation/trail", "Whether the audit trail is what central has of it.")
                .reply::<TrailState>(200)
                .refuses(&[Code::Forbidden])
                .to(app, show),
            post(
                "/api/v1/admin/moderation/trail/acknowledge",
                "Say that a difference from central is known, as after a restore; a link of the trail.",
            )
            .body::<Known>()
            .reply::<TrailState>(200)
            .refuses(&[Code::Forbidden, Code::Conflict])
            .to(app, acknowledge),
        ],
    )
}

/// A moderator or an admin.
fn staff(app: &App, req: &Req) -> Result<UserId, Problem> {
    let caller = auth::settled(app, req)?;
    caller.moderator().map(drop).or_else(|_| caller.admin().map(drop)).map_err(auth::denied)?;
    Ok(caller.id())
}

fn state(app: &App, audit_id: Option<AuditId>) -> TrailState {
    let trail = app.chat.trail();
    let diverged = trail.and_then(Result::err);
    TrailState {
        agreed_at: trail.and_then(Result::ok),
        diverged: diverged.map(|diverged| diverged.name()),
        detail: diverged.map(|diverged| diverged.to_string()),
        audit_id,
    }
}

async fn show(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    staff(&app, &req)?;
    Ok(reply::ok(&state(&app, None)))
}

/// Twice is a 409: what was acknowledged differs no more.
async fn acknowledge(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let by = staff(&app, &req)?;
    let Known { reason } = req.json()?;
    if reason.as_str().chars().count() > MAX_REASON {
        return Err(Problem::field("reason", "A reason has 10 to 400 characters here."));
    }
    let id = app.chat.acknowledge_trail(&app.store, by, reason).await.map_err(problem)?;
    Ok(reply::ok(&state(&app, Some(id))))
}
