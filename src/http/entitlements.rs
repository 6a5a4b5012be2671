//! `/api/v1/entitlements`: whether two users may chat.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::base::id::UserId;
use crate::customer::relationships::{self, Entitlement};
use crate::http::auth;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get};

/// Whether two users may chat, and why.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Entitlement)]
struct EntitlementBody {
    entitled: bool,
    /// `active_relationship`, `no_relationship`, `relationship_ended` or `user_inactive`.
    reason: &'static str,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "entitlements",
        vec![
            get("/api/v1/entitlements/chat/{first_user_id}/{second_user_id}", "Whether two users may chat.")
                .or_service()
                .reply::<EntitlementBody>(200)
                .refuses(&[Code::NotFound])
                .to(app, chat),
        ],
    )
}

async fn chat(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = if auth::service(&app, &req).is_some() { None } else { Some(auth::settled(&app, &req)?) };
    // A text that is no id is nobody's, so that whoever may not ask learns nothing from it.
    let ids = (req.param::<UserId>("first_user_id"), req.param::<UserId>("second_user_id"));
    if let Some(caller) = &caller {
        let party = [&ids.0, &ids.1].into_iter().any(|id| id.as_ref().is_ok_and(|id| *id == caller.id()));
        let staff = caller.admin().is_ok() || caller.moderator().is_ok();
        if !party && !staff {
            return Err(Code::Forbidden.into());
        }
    }
    let snapshot = app.store.read().map_err(auth::fault)?;
    let found = relationships::entitlement(&snapshot, ids.0?, ids.1?).map_err(auth::fault)?;
    Ok(reply::ok(&EntitlementBody { entitled: found == Entitlement::Entitled, reason: found.reason() }))
}
