//! `/api/v1/admin`: accounts of others, and the codes that the owner passes on.

use std::sync::Arc;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::base::id::UserId;
use crate::base::secret::Secret;
use crate::base::text::{Alias, Phone, Username};
use crate::http::identity::{UserBody, refused};
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get, patch, post};
use crate::http::{auth, once};
use crate::identity::accounts::{self, Change, Resetter};
use crate::identity::codes::ShownCode;
use crate::identity::error::Error;
use crate::identity::register::{Provision, Provisioned, Provisioner};
use crate::identity::users::{self, Role};
use crate::store::once::Done;
use crate::store::page::Page;

/// A new distributor.
#[derive(Deserialize, ToSchema)]
struct NewDistributor {
    #[schema(value_type = String)]
    username: Username,
    /// Without it the reply holds a temporary one.
    #[schema(value_type = Option<String>)]
    password: Option<Secret<String>>,
    /// The name that customers see.
    #[schema(value_type = String)]
    alias: Alias,
    #[schema(value_type = Option<String>)]
    phone: Option<Phone>,
}

/// A new moderator.
#[derive(Deserialize, ToSchema)]
struct NewModerator {
    #[schema(value_type = String)]
    username: Username,
    /// Without it the reply holds a temporary one.
    #[schema(value_type = Option<String>)]
    password: Option<Secret<String>>,
}

/// A made account.
#[derive(Serialize, ToSchema)]
#[schema(as = ProvisionedUser)]
struct ProvisionedBody {
    user: UserBody,
    /// Shown once; must be changed at the first sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    temporary_password: Option<String>,
}

/// A reset password.
#[derive(Serialize, ToSchema)]
#[schema(as = TemporaryPassword)]
struct ResetBody {
    /// Shown once; must be changed at the next sign-in.
    temporary_password: String,
}

/// Which users to list.
#[derive(Deserialize, IntoParams)]
struct Sought {
    /// `admin`, `distributor`, `customer` or `moderator`.
    role: Option<String>,
    /// Part of a name.
    q: Option<String>,
}

/// What to change.
#[derive(Deserialize, ToSchema)]
#[schema(as = UserChange)]
struct ChangeBody {
    vip_enabled: Option<bool>,
    status: Option<WishedStatus>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WishedStatus {
    Active,
    Suspended,
}

/// A one-time code to pass on.
#[derive(Serialize, ToSchema)]
#[schema(as = PendingCode)]
struct CodeBody {
    user_id: String,
    username: String,
    purpose: &'static str,
    code: String,
    created_at: String,
    expires_at: String,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "admin users",
        vec![
            post("/api/v1/admin/distributors", "Make a distributor.")
                .body::<NewDistributor>()
                .reply::<ProvisionedBody>(201)
                .refuses(&[Code::UsernameTaken, Code::Busy])
                .to(app, make_distributor),
            post("/api/v1/admin/moderators", "Make a moderator.")
                .body::<NewModerator>()
                .reply::<ProvisionedBody>(201)
                .refuses(&[Code::UsernameTaken, Code::Busy])
                .to(app, make_moderator),
            get("/api/v1/admin/users", "Users, in the order of their making.")
                .query::<Sought>()
                .list::<UserBody>()
                .to(app, list),
            patch("/api/v1/admin/users/{id}", "Suspend a user, let one in again, or set VIP.")
                .body::<ChangeBody>()
                .reply::<UserBody>(200)
                .refuses(&[Code::NotFound, Code::Conflict])
                .to(app, change),
            post("/api/v1/admin/users/{id}/password-reset", "Give a user a temporary password.")
                .reply::<ResetBody>(200)
                .refuses(&[Code::NotFound, Code::Busy])
                .to(app, reset),
            get("/api/v1/admin/codes", "One-time codes to pass on: an admin's all, a distributor's customers'.")
                .list::<CodeBody>()
                .to(app, codes),
        ],
    )
}

async fn make_distributor(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    caller.admin().map_err(auth::denied)?;
    let NewDistributor { username, password, alias, phone } = req.json()?;
    let key = once::key(&app, &req, caller.id())?;
    let given = Provision { role: Role::Distributor, username, password, alias: Some(alias), phone };
    let by = Provisioner::Caller(Box::new(caller));
    let made = app.identity.provision(&app.store, app.clock.now(), by, given, key).await.map_err(refused)?;
    provisioned(&app, made)
}

async fn make_moderator(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    caller.admin().map_err(auth::denied)?;
    let NewModerator { username, password } = req.json()?;
    let key = once::key(&app, &req, caller.id())?;
    let given = Provision { role: Role::Moderator, username, password, alias: None, phone: None };
    let by = Provisioner::Caller(Box::new(caller));
    let made = app.identity.provision(&app.store, app.clock.now(), by, given, key).await.map_err(refused)?;
    provisioned(&app, made)
}

fn provisioned(app: &App, made: Done<Provisioned>) -> Result<Response, Problem> {
    let Provisioned { user, temporary } = made.reference;
    let snapshot = app.store.read().map_err(auth::fault)?;
    let found = users::by_id(&snapshot, user).map_err(auth::fault)?.ok_or(Code::NotFound)?;
    let body = ProvisionedBody {
        user: UserBody::new(&app.identity, &found),
        temporary_password: temporary.map(|nonce| app.identity.temporary_password(user, nonce).expose().clone()),
    };
    Ok(once::answer(made.replayed, reply::json(StatusCode::CREATED, &body)))
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    auth::settled(&app, &req)?.admin().map_err(auth::denied)?;
    let sought: Sought = req.query()?;
    let unknown = || Problem::field("role", "A role is admin, distributor, customer or moderator.");
    let role = sought.role.map(|name| Role::named(&name).ok_or_else(unknown)).transpose()?;
    let asked = req.page()?;
    let page = Page::first(asked.limit).after(asked.after);
    let snapshot = app.store.read().map_err(auth::fault)?;
    let found = users::search(&snapshot, role, sought.q.as_deref(), &page).map_err(auth::fault)?;
    let found = found.map(|user| UserBody::new(&app.identity, &user));
    Ok(reply::list(&found.items, found.next.as_deref()))
}

async fn change(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let admin = caller.admin().map_err(auth::denied)?;
    let id: UserId = req.param("id")?;
    user(&app, id)?;
    let body: ChangeBody = req.json()?;
    let wished = Change {
        vip_enabled: body.vip_enabled,
        suspended: body.status.map(|status| status == WishedStatus::Suspended),
    };
    let changed = app.store.reserved().write(move |tx, now| {
        caller.still(tx, now)?;
        accounts::change(tx, now, &admin, id, wished)
    });
    changed.await.map_err(refused)?;
    Ok(reply::ok(&user(&app, id)?))
}

fn user(app: &App, id: UserId) -> Result<UserBody, Problem> {
    let snapshot = app.store.read().map_err(auth::fault)?;
    let found = users::by_id(&snapshot, id).map_err(auth::fault)?.ok_or(Code::NotFound)?;
    Ok(UserBody::new(&app.identity, &found))
}

async fn reset(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let id: UserId = match (req.param("id"), caller.admin().is_ok() || caller.distributor().is_ok()) {
        (_, false) => return Err(Code::Forbidden.into()),
        (id, true) => id?,
    };
    let snapshot = app.store.read().map_err(auth::fault)?;
    accounts::may_reset(&snapshot, Resetter::Caller(&caller), id).map_err(refused)?;
    let key = once::key(&app, &req, caller.id())?;
    let by = Provisioner::Caller(Box::new(caller));
    let done = app.identity.reset(&app.store, by, id, key).await.map_err(refused)?;
    let nonce = done.reference.temporary.ok_or_else(|| refused(Error::NotFound))?;
    let temporary_password = app.identity.temporary_password(id, nonce).expose().clone();
    Ok(once::answer(done.replayed, reply::ok(&ResetBody { temporary_password })))
}

async fn codes(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    if caller.admin().is_err() {
        caller.distributor().map_err(auth::denied)?;
    }
    let asked = req.page()?;
    let page = Page::first(asked.limit).after(asked.after);
    let snapshot = app.store.read().map_err(auth::fault)?;
    let shown = app.identity.shown_codes(&snapshot, app.clock.now(), &caller, &page).map_err(refused)?;
    let shown = shown.map(|code: ShownCode| CodeBody {
        user_id: code.user_id.to_string(),
        username: code.username.to_string(),
        purpose: code.purpose.name(),
        code: code.code,
        created_at: code.created_at.to_string(),
        expires_at: code.expires_at.to_string(),
    });
    Ok(reply::list(&shown.items, shown.next.as_deref()))
}
