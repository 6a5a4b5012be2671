//! Conversations: opening one and the list of one's own.
//!
//! Also what chat's refusals are to a client, and how a conversation is shown. Moderation is elsewhere.

use std::sync::Arc;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::base::id::{ConversationId, UserId};
use crate::base::time::Timestamp;
use crate::chat::conversations::{self, ConversationInfo};
use crate::chat::error::Error;
use crate::chat::{blocks, hold};
use crate::http::conversations_socket;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, delete, get, post, socket};
use crate::http::{auth, once};
use crate::store::once::once as do_once;
use crate::store::page::Page;

/// `POST /api/v1/conversations`.
#[derive(Deserialize, ToSchema)]
struct NewConversation {
    /// The other of the pair.
    #[schema(value_type = String)]
    participant_id: UserId,
}

/// A conversation between a distributor and a customer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversation {
    #[schema(value_type = String)]
    id: ConversationId,
    #[schema(value_type = String)]
    distributor_id: UserId,
    #[schema(value_type = String)]
    customer_id: UserId,
    /// For staff; `null` for participants.
    legal_hold: Option<LegalHold>,
    /// When the last message was written.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_message_at: Option<Timestamp>,
    /// Visible messages that the caller has not read; for participants.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_count: Option<u64>,
    /// The caller has blocked the other; for participants.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<bool>,
    /// Which holds stand over it: `conversation`, `relationship`, `distributor`; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_by: Option<Vec<&'static str>>,
    /// A release that waits for a second moderator; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    release_requested: Option<Asked>,
    /// Messages that the archive has; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_count: Option<u64>,
    /// After a hold was placed: messages whose destruction had been decided before, so that it does not save them.
    #[serde(skip_serializing_if = "Option::is_none")]
    excluded_messages: Option<u64>,
    /// After a hold was released: messages that expire when the grace ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiring_messages: Option<u64>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// The state of a legal hold.
#[derive(Debug, Serialize, ToSchema)]
struct LegalHold {
    active: bool,
    reason: Option<String>,
    #[schema(value_type = Option<String>)]
    placed_by: Option<UserId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    placed_at: Option<Timestamp>,
    /// After a release: nothing expires before this moment, and placing a hold again takes the release back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    grace_until: Option<Timestamp>,
}

/// A release that waits for a second moderator.
#[derive(Debug, Serialize, ToSchema)]
pub struct Asked {
    #[schema(value_type = String)]
    requested_by: UserId,
    #[schema(value_type = String, format = DateTime)]
    requested_at: Timestamp,
    reason: String,
}

impl From<hold::Asked> for Asked {
    fn from(asked: hold::Asked) -> Self {
        let hold::Asked { requested_by, requested_at, reason } = asked;
        Self { requested_by, requested_at, reason: reason.into() }
    }
}

impl Conversation {
    /// As its participants see it.
    #[must_use]
    pub fn of(info: ConversationInfo) -> Self {
        Self {
            id: info.id,
            distributor_id: info.distributor_id,
            customer_id: info.customer_id,
            legal_hold: None,
            last_message_at: info.last_message_at,
            unread_count: Some(info.unread),
            blocked: Some(info.blocked),
            held_by: None,
            release_requested: None,
            message_count: None,
            excluded_messages: None,
            expiring_messages: None,
            created_at: info.created_at,
        }
    }

    /// As staff see it.
    #[must_use]
    pub fn for_staff(info: ConversationInfo) -> Self {
        let hold = info.hold.clone();
        let legal_hold = LegalHold {
            active: hold.active,
            reason: hold.reason.map(String::from),
            placed_by: hold.placed_by,
            placed_at: hold.placed_at,
            grace_until: hold.grace_until,
        };
        let (held_by, release_requested) = (Some(info.held_by.clone()), info.release.clone().map(Asked::from));
        let message_count = Some(info.archived);
        let legal_hold = Some(legal_hold);
        let none = Self { unread_count: None, blocked: None, ..Self::of(info) };
        Self { legal_hold, message_count, held_by, release_requested, ..none }
    }

    /// With what placing a hold did not save.
    #[must_use]
    pub fn excluding(self, count: u64) -> Self {
        Self { excluded_messages: Some(count), ..self }
    }

    /// With what goes after a release.
    #[must_use]
    pub fn expiring(self, count: u64) -> Self {
        Self { expiring_messages: Some(count), ..self }
    }
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "conversations",
        vec![
            post("/api/v1/conversations", "Open the conversation with a distributor or customer.")
                .body::<NewConversation>()
                .reply::<Conversation>(201)
                .reply::<Conversation>(200)
                .refuses(&[Code::Forbidden, Code::NotEntitled])
                .to(app, open),
            get("/api/v1/conversations", "The own conversations, the last active first.")
                .list::<Conversation>()
                .to(app, list),
            get("/api/v1/conversations/{id}", "One of the own conversations.").reply::<Conversation>(200).to(app, one),
            post("/api/v1/conversations/{id}/block", "Block the other: neither writes while the block stands.")
                .reply::<Conversation>(200)
                .to(app, block),
            delete("/api/v1/conversations/{id}/block", "Lift the own block.")
                .reply::<Conversation>(200)
                .to(app, unblock),
            socket("/api/v1/conversations/{id}/ws", "Messages, receipts and typing as they come.")
                .query::<conversations_socket::Resume>()
                .to(app, conversations_socket::open),
        ],
    )
}

async fn open(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &req)?;
    let player = caller.player().map_err(auth::denied)?;
    let new: NewConversation = req.json()?;
    let key = once::key(&app, &req, caller.id())?;
    let other = new.participant_id;
    let done = app.store.write(move |tx, now| do_once(tx, now, key, |tx| conversations::open(tx, now, &player, other)));
    let done = done.await.map_err(problem)?;
    let info = conversations::of_participant(&app.store.read().map_err(auth::fault)?, &caller, done.reference.id);
    let shown = Conversation::of(info.map_err(problem)?);
    let answer = if done.reference.created {
        reply::created(&format!("/api/v1/conversations/{}", shown.id), &shown)
    } else {
        reply::json(StatusCode::OK, &shown)
    };
    Ok(once::answer(done.replayed, answer))
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let page = req.page()?;
    let read = app.store.read().map_err(auth::fault)?;
    let listed = conversations::of_user(&read, &caller, &Page::newest(page.limit).after(page.after));
    let listed = listed.map_err(auth::fault)?.map(Conversation::of);
    Ok(reply::list(&listed.items, listed.next.as_deref()))
}

async fn one(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let read = app.store.read().map_err(auth::fault)?;
    let info = conversations::of_participant(&read, &caller, req.param("id")?).map_err(problem)?;
    Ok(reply::ok(&Conversation::of(info)))
}

async fn block(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    set_block(app, req, true).await
}

async fn unblock(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    set_block(app, req, false).await
}

/// Setting it twice is the same as once, so a repetition needs no record.
async fn set_block(app: Arc<App>, req: Req, blocked: bool) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let id: ConversationId = req.param("id")?;
    let by = caller.clone();
    app.store.write(move |tx, now| blocks::set(tx, now, &by, id, blocked)).await.map_err(problem)?;
    let read = app.store.read().map_err(auth::fault)?;
    Ok(reply::ok(&Conversation::of(conversations::of_participant(&read, &caller, id).map_err(problem)?)))
}

/// What a refusal of chat's is to a client.
#[must_use]
pub fn problem(error: Error) -> Problem {
    match error {
        Error::NotFound => Code::NotFound.into(),
        Error::NotEntitled => Code::NotEntitled.into(),
        Error::OwnMessage => Code::OwnMessage.into(),
        Error::AlreadyHeld => Code::AlreadyHeld.into(),
        Error::NotHeld => Code::NotHeld.into(),
        Error::SecondModerator => Code::SecondModerator.into(),
        Error::Blocked => Code::Blocked.into(),
        Error::Lapsed => Code::AccessLapsed.into(),
        Error::NotDiverged => Problem::new(Code::Conflict).detail(
            "The audit trail did not differ from central's at the last contact: there is nothing to acknowledge.",
        ),
        Error::ClockDiffers => Code::ClockDiffers.into(),
        Error::TooManyReviews(wait) => Problem::new(Code::TooManyRequests).retry_after(wait),
        Error::TooLarge => {
            Problem::new(Code::Conflict).detail("This conversation has more messages than one archive holds.")
        }
        Error::Integrity => Problem::internal(&error),
        Error::Closed => Problem::new(Code::Unavailable)
            .detail("The box was restored. Messages open again once everything that was due is destroyed."),
        Error::Recipient(_) => Problem::internal(&error),
        Error::Stale => Code::Busy.into(),
        Error::Keys(_) => {
            tracing::error!(%error, "chat cannot write its key file");
            Code::Unavailable.into()
        }
        Error::Reused(_) => Code::IdempotencyKeyReused.into(),
        Error::Store(fault) => auth::fault(fault),
    }
}
