//! `/api/v1/users/me`: the caller's own account and sessions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::base::id::SessionId;
use crate::base::secret::Secret;
use crate::http::identity::{UserBody, refused};
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, delete, get};
use crate::http::{auth, export};
use crate::identity::login::Credentials;
use crate::identity::sessions::{self, SessionInfo};
use crate::store::page::Page;

/// One of the caller's sessions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnSession)]
struct OwnSessionBody {
    id: String,
    created_at: String,
    last_used_at: String,
    /// When it ends, unless it is used before.
    expires_at: String,
    /// It is the one that asks.
    current: bool,
}

/// The wish to be gone.
#[derive(Deserialize, ToSchema)]
struct Goodbye {
    /// The own password, so that nobody else can wish it.
    #[schema(value_type = String)]
    password: Secret<String>,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "users",
        vec![
            get("/api/v1/users/me", "The caller's account.").reply::<UserBody>(200).to(app, me),
            delete("/api/v1/users/me", "Close the own account for good and have it erased.")
                .body::<Goodbye>()
                .empty(202)
                .refuses(&[Code::InvalidCredentials, Code::TooManyAttempts])
                .refuses(&[Code::Conflict, Code::Busy])
                .to(app, erase),
            export::route(app),
            get("/api/v1/users/me/sessions", "The caller's sessions, newest first.")
                .list::<OwnSessionBody>()
                .to(app, list),
            delete("/api/v1/users/me/sessions/{sid}", "End one of the caller's sessions.")
                .empty(204)
                .refuses(&[Code::NotFound])
                .to(app, end),
        ],
    )
}

async fn me(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &req)?;
    Ok(reply::ok(&UserBody::new(&app.identity, caller.user())))
}

/// The same answer whether it is carried out at once or waits for the end of a hold, which is for staff alone to know.
async fn erase(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let body: Goodbye = req.json()?;
    let username = caller.user().username.to_string();
    let given = Credentials { username, password: body.password, address: req.client() };
    app.identity.request_erasure(&app.store, &*app.clock, &caller, given).await.map_err(refused)?;
    Ok(reply::accepted())
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let asked = req.page()?;
    let page = Page::newest(asked.limit).after(asked.after);
    let snapshot = app.store.read().map_err(auth::fault)?;
    let listed = sessions::list(&snapshot, app.clock.now(), caller.id(), &page).map_err(auth::fault)?;
    let body = |session: SessionInfo| OwnSessionBody {
        id: session.id.to_string(),
        created_at: session.created_at.to_string(),
        last_used_at: session.last_used_at.to_string(),
        expires_at: session.expires_at.to_string(),
        current: session.id == caller.session(),
    };
    let listed = listed.map(body);
    Ok(reply::list(&listed.items, listed.next.as_deref()))
}

async fn end(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let session: SessionId = req.param("sid")?;
    app.store.reserved().write(move |tx, now| sessions::end(tx, now, &caller, session)).await.map_err(refused)?;
    Ok(reply::no_content())
}
