//! `/api/v1/box/power`: an admin lets the box start again, or shuts it down. Both are noted in the trail first.
//!
//! Must not know how the box ends: it leaves the wish (`live::power`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::base::text::{BadText, Reason};
use crate::base::time::Timestamp;
use crate::chat::audit::Action;
use crate::http::auth;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get, post};
use crate::live::power::Ending;
use crate::system;

const ROOT: &str = "/api/v1/box/power";

/// How the box runs.
#[derive(Serialize, ToSchema)]
struct PowerState {
    /// When it was started.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// Sockets that listen: phones that are at a table or in a chat.
    websockets: u64,
    /// Shutting down turns the machine off as well; otherwise somebody pulls the plug.
    machine: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PowerAction {
    /// Come back by itself.
    Restart,
    /// Stay down.
    ShutDown,
}

/// A wish.
#[derive(Deserialize, ToSchema)]
struct PowerWish {
    /// What.
    action: PowerAction,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "power",
        vec![
            get(ROOT, "Since when the box runs, and what shutting it down does.")
                .reply::<PowerState>(200)
                .refuses(&[Code::Forbidden])
                .to(app, show),
            post(ROOT, "Restart the box or shut it down; audited.")
                .body::<PowerWish>()
                .reply::<PowerState>(202)
                .refuses(&[Code::Forbidden, Code::Conflict])
                .to(app, act),
        ],
    )
}

async fn state(app: &App) -> PowerState {
    let machine = system::can_power_off().await;
    PowerState { started_at: app.started_at, websockets: app.hub.sockets(), machine }
}

async fn show(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    auth::settled(&app, &req)?.admin().map_err(auth::denied)?;
    Ok(reply::ok(&state(&app).await))
}

async fn act(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let admin = auth::settled(&app, &req)?.admin().map_err(auth::denied)?;
    let PowerWish { action } = req.json()?;
    let (ending, action, reason) = match action {
        PowerAction::Restart => (Ending::Restart, Action::BoxRestarted, "Restarted from the owner's screen."),
        PowerAction::ShutDown => (Ending::ShutDown, Action::BoxShutDown, "Shut down from the owner's screen."),
    };
    let reason: Reason = reason.parse().map_err(|error: BadText| Problem::internal(&error))?;
    let state = state(&app).await;
    // Of two at once the second waits for the first: the trail says only what was done.
    let ends = || Problem::new(Code::Conflict).detail("The box ends already.");
    let turn = app.power.turn().await.ok_or_else(ends)?;
    app.chat.note_owned(&app.store, admin.id(), action, reason).await.map_err(auth::fault)?;
    if !turn.ask(ending) {
        return Err(ends());
    }
    Ok(reply::json(hyper::StatusCode::ACCEPTED, &state))
}
