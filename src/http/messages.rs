//! Messages: listing, sending, and the recipient's receipts.

use std::sync::Arc;

use hyper::StatusCode;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::base::id::{AuditId, ConversationId, MessageId, UserId};
use crate::base::text::{ClientId, Reason};
use crate::base::time::Timestamp;
use crate::chat::body::Body;
use crate::chat::conversations;
use crate::chat::messages::{Complaint, Receipt, acknowledge, delete_for, report as tell};
use crate::chat::seal::Open;
use crate::chat::service::{MessageInfo, Text};
use crate::http::conversations::problem;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, delete, get, post};
use crate::http::{auth, once};
use crate::identity::access::Caller;
use crate::store::once::{Done, once as do_once};
use crate::store::page::Page;

/// What a client sends as a new message, here and over the socket.
#[derive(Deserialize, ToSchema)]
pub struct NewMessage {
    /// 1–4000 characters.
    #[schema(value_type = String, min_length = 1, max_length = 4000)]
    body: Body,
    /// The client's own id of it: the same one again gives the first answer again.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    client_message_id: Option<ClientId>,
}

impl From<NewMessage> for Open {
    fn from(new: NewMessage) -> Self {
        Self { client_message_id: new.client_message_id, body: new.body }
    }
}

/// Which messages are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct After {
    /// Only those after this message.
    after: Option<String>,
}

/// A text on its way to one who may read it.
#[derive(Debug)]
struct Shown(Body);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// A message. Its text is `null` once it has vanished.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    #[schema(value_type = String)]
    id: MessageId,
    #[schema(value_type = String)]
    conversation_id: ConversationId,
    /// Its number in the conversation, from 1.
    seq: u64,
    #[schema(value_type = String)]
    sender_id: UserId,
    #[schema(value_type = Option<String>)]
    body: Option<Shown>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the archive copy is destroyed, unless a hold keeps it.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    delivered_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    read_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    client_message_id: Option<ClientId>,
    /// For moderators, instead of the text: an age file in base64, which the key of `archive_recipient` opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    /// `integrity`: what is stored was changed, so that it cannot be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

impl From<MessageInfo> for Message {
    fn from(info: MessageInfo) -> Self {
        let (body, sealed, error) = match info.text {
            Text::Readable(body) => (Some(Shown(body)), None, None),
            Text::Away(away) => (None, Some(away.to_text()), None),
            Text::Gone => (None, None, None),
            Text::Damaged => (None, None, Some("integrity")),
        };
        Self {
            id: info.id,
            conversation_id: info.conversation_id,
            seq: info.seq,
            sender_id: info.sender_id,
            body,
            created_at: info.created_at,
            expires_at: info.expires_at,
            delivered_at: info.delivered_at,
            read_at: info.read_at,
            client_message_id: info.client_message_id,
            sealed,
            error,
        }
    }
}

/// What is wrong with a message.
#[derive(Deserialize, ToSchema)]
struct NewReport {
    /// 10–400 characters.
    #[schema(value_type = String, min_length = 10, max_length = 400)]
    reason: Reason,
}

/// A report that moderators find on the audit trail.
#[derive(Serialize, ToSchema)]
struct Report {
    #[schema(value_type = String)]
    id: AuditId,
    #[schema(value_type = String)]
    message_id: MessageId,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "messages",
        vec![
            get("/api/v1/conversations/{id}/messages", "Visible messages, oldest first.")
                .query::<After>()
                .list::<Message>()
                .to(app, list),
            post("/api/v1/conversations/{id}/messages", "Write a message.")
                .body::<NewMessage>()
                .reply::<Message>(201)
                .refuses(&[Code::NotEntitled])
                .to(app, send),
            post("/api/v1/messages/{id}/delivered", "The recipient's device has it.")
                .reply::<Message>(200)
                .refuses(&[Code::OwnMessage])
                .to(app, delivered),
            post("/api/v1/messages/{id}/read", "The recipient has read it; it vanishes for both.")
                .reply::<Message>(200)
                .refuses(&[Code::OwnMessage])
                .to(app, read),
            delete("/api/v1/messages/{id}", "Take it from the own list; the other still sees it.")
                .empty(204)
                .to(app, forget),
            post("/api/v1/messages/{id}/report", "Tell the moderators about it.")
                .body::<NewReport>()
                .reply::<Report>(201)
                .refuses(&[Code::OwnMessage])
                .to(app, report),
        ],
    )
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let id: ConversationId = req.param("id")?;
    let read = app.store.read().map_err(auth::fault)?;
    conversations::of_participant(&read, &caller, id).map_err(problem)?;
    let (page, asked): (_, After) = (req.page()?, req.query()?);
    let after = after(asked.after.as_deref())?;
    let page = Page::first(page.limit).after(page.after);
    let listed = app.chat.steady(|| {
        let read = app.store.read().map_err(auth::fault)?;
        app.chat.list(&read, &caller, id, after, page.clone()).map_err(problem)
    });
    let listed = listed?.map(Message::from);
    Ok(reply::list(&listed.items, listed.next.as_deref()))
}

/// The message that a list goes on after.
///
/// # Errors
/// 422 for a text that is no id.
pub fn after(text: Option<&str>) -> Result<Option<MessageId>, Problem> {
    let id = text.map(str::parse).transpose();
    id.map_err(|_| Problem::field("after", "This is no message's id."))
}

fn shown(app: &App, caller: &Caller, id: MessageId) -> Result<MessageInfo, Problem> {
    app.chat.steady(|| {
        let read = app.store.read().map_err(auth::fault)?;
        app.chat.message(&read, caller, id).map_err(problem)
    })
}

async fn send(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let id: ConversationId = req.param("id")?;
    conversations::of_participant(&app.store.read().map_err(auth::fault)?, &caller, id).map_err(problem)?;
    let new: NewMessage = req.json()?;
    let key = once::key(&app, &req, caller.id())?;
    let open = Open::from(new);
    let done = app.chat.send(&app.store, &caller, id, &open, key).await.map_err(problem)?;
    let mut message = Message::from(shown(&app, &caller, done.reference)?);
    // A vanished message has lost its client's id with its text; the caller has just named it.
    message.client_message_id = message.client_message_id.or(open.client_message_id);
    let answer = reply::created(&format!("/api/v1/messages/{}", message.id), &message);
    Ok(once::answer(done.replayed, answer))
}

async fn delivered(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    receipt(app, req, Receipt::Delivered).await
}

async fn read(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    receipt(app, req, Receipt::Read).await
}

async fn receipt(app: Arc<App>, req: Req, receipt: Receipt) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let id: MessageId = req.param("id")?;
    app.chat.message(&app.store.read().map_err(auth::fault)?, &caller, id).map_err(problem)?;
    let (key, by) = (once::key(&app, &req, caller.id())?, caller.clone());
    let done = app.store.write(move |tx, now| do_once(tx, now, key, |tx| acknowledge(tx, now, &by, id, receipt)));
    let Done { reference, replayed } = done.await.map_err(problem)?;
    let info = shown(&app, &caller, reference)?;
    let answer = reply::ok(&Message::from(info));
    Ok(once::answer(replayed, answer))
}

async fn forget(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let id: MessageId = req.param("id")?;
    app.store.write(move |tx, now| delete_for(tx, now, &caller, id)).await.map_err(problem)?;
    Ok(reply::no_content())
}

async fn report(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let id: MessageId = req.param("id")?;
    app.chat.message(&app.store.read().map_err(auth::fault)?, &caller, id).map_err(problem)?;
    let new: NewReport = req.json()?;
    let complaint = Complaint::new(new.reason).map_err(|bad| Problem::field("reason", bad.0))?;
    let key = once::key(&app, &req, caller.id())?;
    let done = app.store.write(move |tx, now| do_once(tx, now, key, |tx| tell(tx, now, &caller, id, &complaint)));
    let Done { reference, replayed } = done.await.map_err(problem)?;
    let answer = reply::json(StatusCode::CREATED, &Report { id: reference, message_id: id });
    Ok(once::answer(replayed, answer))
}
