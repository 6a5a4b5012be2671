//! Legal holds: on a conversation, a relationship or a distributor; placing, releasing, and what a release would cost.
//!
//! Moderators alone come in here. Must not know how a hold is looked at when something is destroyed.

use std::sync::Arc;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::base::id::{ConversationId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::hold::preview::{self, Expiring};
use crate::chat::hold::{self, HoldChange, Placer, ScopeInfo};
use crate::chat::scope::Scope;
use crate::http::conversations::{Asked, Conversation, problem};
use crate::http::moderation::{moderator, reason_of};
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, delete, get, post};
use crate::http::{auth, once};
use crate::store::once::{Done, once as do_once};
use crate::store::page::Page;

/// Where the hold of each scope lives.
const CONVERSATION: &str = "/api/v1/admin/moderation/conversations/{id}/legal-hold";
/// See [`CONVERSATION`].
const RELATIONSHIP: &str = "/api/v1/admin/moderation/relationships/{distributor_id}/{customer_id}/legal-hold";
/// See [`CONVERSATION`].
const DISTRIBUTOR: &str = "/api/v1/admin/moderation/distributors/{distributor_id}/legal-hold";
/// The holds beyond single conversations.
const LIST: &str = "/api/v1/admin/moderation/holds";

/// Why a hold is placed or released.
#[derive(Default, Deserialize, ToSchema)]
struct HoldReason {
    /// At least 10 characters.
    #[schema(value_type = String, min_length = 10, max_length = 500)]
    reason: Option<Reason>,
}

/// The same for clients that send no body with DELETE.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Why {
    /// At least 10 characters.
    reason: Option<String>,
}

/// The hold of any scope.
#[derive(Serialize, ToSchema)]
struct Hold {
    /// `conversation`, `relationship` or `distributor`.
    scope: &'static str,
    #[schema(value_type = Option<String>)]
    conversation_id: Option<ConversationId>,
    #[schema(value_type = Option<String>)]
    distributor_id: Option<UserId>,
    #[schema(value_type = Option<String>)]
    customer_id: Option<UserId>,
    active: bool,
    reason: Option<String>,
    #[schema(value_type = Option<String>)]
    placed_by: Option<UserId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    placed_at: Option<Timestamp>,
    /// After a release: nothing expires before this moment, and placing the hold again takes the release back.
    #[schema(value_type = Option<String>, format = DateTime)]
    grace_until: Option<Timestamp>,
    /// A release that waits for a second moderator.
    release_requested: Option<Asked>,
    /// Messages whose destruction had been decided before the hold was placed, so that it does not save them.
    #[serde(skip_serializing_if = "Option::is_none")]
    excluded_messages: Option<u64>,
    /// Messages that expire when the grace ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiring_messages: Option<u64>,
    /// What a release would let expire, or has released.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_release: Option<OnRelease>,
}

/// What a release lets expire.
#[derive(Serialize, ToSchema)]
struct OnRelease {
    /// When the grace ends, if the release were now.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Messages that are past their time by then and kept by nothing else.
    messages: u64,
    /// Conversations that they are from.
    conversations: u64,
    /// When the oldest of them was written.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest_message_at: Option<Timestamp>,
    /// There are more than were counted.
    more: bool,
}

impl OnRelease {
    const fn of(found: Expiring, expires_at: Timestamp) -> Self {
        let Expiring { messages, conversations, oldest, more } = found;
        Self { expires_at, messages, conversations, oldest_message_at: oldest, more }
    }
}

impl From<ScopeInfo> for Hold {
    fn from(info: ScopeInfo) -> Self {
        let (conversation_id, distributor_id, customer_id) = match info.scope {
            Scope::Conversation(id) => (Some(id), None, None),
            Scope::Relationship { distributor, customer } => (None, Some(distributor), Some(customer)),
            Scope::Distributor(id) => (None, Some(id), None),
        };
        Self {
            scope: info.scope.kind(),
            conversation_id,
            distributor_id,
            customer_id,
            active: info.hold.active,
            reason: info.hold.reason.map(String::from),
            placed_by: info.hold.placed_by,
            placed_at: info.hold.placed_at,
            grace_until: info.hold.grace_until,
            release_requested: info.asked.map(Asked::from),
            excluded_messages: None,
            expiring_messages: None,
            on_release: None,
        }
    }
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    let mut routes = vec![
        get(LIST, "Holds on relationships and distributors, those that are over among them.")
            .list::<Hold>()
            .refuses(&[Code::Forbidden])
            .to(app, list),
        post(CONVERSATION, "Place a legal hold, or take its release back.")
            .body::<HoldReason>()
            .reply::<Conversation>(200)
            .refuses(&[Code::Forbidden, Code::AlreadyHeld])
            .to(app, place),
        delete(CONVERSATION, "Release a legal hold; nothing expires before the grace is over.")
            .optional_body::<HoldReason>()
            .query::<Why>()
            .reply::<Conversation>(200)
            .reply::<Conversation>(202)
            .refuses(&[Code::Forbidden, Code::NotHeld, Code::SecondModerator])
            .to(app, release),
        get(CONVERSATION, "A conversation's hold, and what its release would let expire.")
            .reply::<Hold>(200)
            .refuses(&[Code::Forbidden])
            .to(app, show),
    ];
    for pattern in [RELATIONSHIP, DISTRIBUTOR] {
        routes.push(
            post(pattern, "Hold everything written there, now and later, or take a release back.")
                .body::<HoldReason>()
                .reply::<Hold>(200)
                .refuses(&[Code::Forbidden, Code::AlreadyHeld])
                .to(app, place),
        );
        routes.push(
            delete(pattern, "Release that hold; nothing expires before the grace is over.")
                .optional_body::<HoldReason>()
                .query::<Why>()
                .reply::<Hold>(200)
                .reply::<Hold>(202)
                .refuses(&[Code::Forbidden, Code::NotHeld, Code::SecondModerator])
                .to(app, release),
        );
        routes.push(
            get(pattern, "That hold, and what its release would let expire.")
                .reply::<Hold>(200)
                .refuses(&[Code::Forbidden])
                .to(app, show),
        );
    }
    Resource::new("holds", routes)
}

/// The scope that the path names. Parts that are not in the path are empty, and nothing has an empty id.
fn scope_of(req: &Req) -> Result<Scope, Problem> {
    let named = |name| !req.text_param(name).is_empty();
    if named("id") {
        return Ok(Scope::Conversation(req.param("id")?));
    }
    let distributor = req.param("distributor_id")?;
    if named("customer_id") {
        return Ok(Scope::Relationship { distributor, customer: req.param("customer_id")? });
    }
    Ok(Scope::Distributor(distributor))
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let moderator = moderator(&app, &req)?;
    let page = req.page()?;
    let read = app.store.read().map_err(auth::fault)?;
    let listed = hold::wide(&read, &moderator, &Page::first(page.limit).after(page.after)).map_err(auth::fault)?;
    let listed = listed.map(Hold::from);
    Ok(reply::list(&listed.items, listed.next.as_deref()))
}

async fn show(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    moderator(&app, &req)?;
    let scope = scope_of(&req)?;
    let read = app.store.read().map_err(auth::fault)?;
    let shown = Hold::from(hold::about(&read, scope).map_err(problem)?);
    let until = shown.grace_until.unwrap_or_else(|| app.clock.now().plus(app.chat.settings().release.grace));
    let found = preview::of(&read, scope, until).map_err(problem)?;
    Ok(reply::ok(&Hold { on_release: Some(OnRelease::of(found, until)), ..shown }))
}

async fn place(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let moderator = moderator(&app, &req)?;
    let (scope, reason) = asked(&app, &req)?;
    let key = once::key(&app, &req, moderator.id())?;
    let done = app.store.reserved().write(move |tx, now| {
        do_once(tx, now, key, |tx| hold::place(tx, now, Placer::Moderator(&moderator), scope, reason))
    });
    let done = done.await.map_err(problem)?;
    let count = Some(done.reference.count);
    answer(&app, &done, |it| it.excluding(done.reference.count), |it| Hold { excluded_messages: count, ..it })
}

async fn release(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let moderator = moderator(&app, &req)?;
    let (scope, reason) = asked(&app, &req)?;
    let key = once::key(&app, &req, moderator.id())?;
    let terms = app.chat.settings().release;
    let done = app.store.reserved().write(move |tx, now| {
        do_once(tx, now, key, |tx| hold::release(tx, now, Placer::Moderator(&moderator), scope, reason, terms))
    });
    let done = done.await.map_err(problem)?;
    let count = Some(done.reference.count);
    answer(&app, &done, |it| it.expiring(done.reference.count), |it| Hold { expiring_messages: count, ..it })
}

/// Which hold is meant, and why: in the body, or in the query where a client sends no body.
fn asked(app: &App, req: &Req) -> Result<(Scope, Reason), Problem> {
    let scope = scope_of(req)?;
    hold::about(&app.store.read().map_err(auth::fault)?, scope).map_err(problem)?;
    let given: HoldReason = req.json_or_default()?;
    let reason = match given.reason {
        Some(reason) => reason,
        None => reason_of(req.query::<Why>()?.reason.as_deref())?,
    };
    Ok((scope, reason))
}

/// The conversation, or the hold of a wider scope, as it is after the change.
fn answer(
    app: &App,
    done: &Done<HoldChange>,
    conversation: impl FnOnce(Conversation) -> Conversation,
    wide: impl FnOnce(Hold) -> Hold,
) -> Result<Response, Problem> {
    let HoldChange { scope, asked, .. } = done.reference;
    let read = app.store.read().map_err(auth::fault)?;
    let status = if asked { StatusCode::ACCEPTED } else { StatusCode::OK };
    let shown = match scope {
        Scope::Conversation(id) => {
            let info = hold::shown(&read, id).map_err(problem)?;
            reply::json(status, &conversation(Conversation::for_staff(info)))
        }
        Scope::Relationship { .. } | Scope::Distributor(_) => {
            let info = hold::about(&read, scope).map_err(problem)?;
            reply::json(status, &wide(Hold::from(info)))
        }
    };
    Ok(once::answer(done.replayed, shown))
}
