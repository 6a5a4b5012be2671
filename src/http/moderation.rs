//! Moderation: reviews, search, the audit trail, and expiry by hand. Legal holds are elsewhere.
//!
//! Staff alone come in here, and participants' routes never do: these are other functions over other copies. Whoever
//! reviews can write nothing and marks nothing read.

use std::sync::Arc;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::base::digest::hex;
use crate::base::id::{AuditId, ConversationId, RawId, UserId};
use crate::base::text::{Reason, Username};
use crate::base::time::Timestamp;
use crate::chat::audit::{self, Action, Code as ReasonCode, Entry};
use crate::chat::error::Error;
use crate::chat::hold;
use crate::chat::retention::{self, Conditions, Tally};
use crate::chat::review::{self, Grounds, Search};
use crate::http::conversations::{Conversation, problem};
use crate::http::messages::Message;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get, post};
use crate::http::{auth, once};
use crate::identity::access::Moderator;
use crate::identity::users;
use crate::store::once::{Done, OnceKey, once as do_once};
use crate::store::page::{MAX_PAGE, Page};

/// Where all of this lives.
const LIST: &str = "/api/v1/admin/moderation/conversations";
const ONE: &str = "/api/v1/admin/moderation/conversations/{id}";
const EXPORT: &str = "/api/v1/admin/moderation/conversations/{id}/export";
const AUDITS: &str = "/api/v1/admin/moderation/audits";
const EXPIRY: &str = "/api/v1/admin/archive-expiry/run";

/// Why a conversation is opened.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Why {
    /// At least 10 characters.
    reason: Option<String>,
    /// `report`, `legal`, `safety`, `support` or `audit`.
    code: Option<String>,
    /// Instead of a reason: go on under this audit row of an own review, within 30 minutes of it.
    audit_id: Option<String>,
    /// At most so many messages; 1000 if absent. `cursor` goes on from an earlier answer's `next_cursor`.
    limit: Option<String>,
}

/// Whose conversations are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// One participant's.
    participant_id: Option<String>,
    /// One participant's, by name.
    username: Option<String>,
    /// Something may have been written at this moment or later.
    from: Option<String>,
    /// Something may have been written before this moment.
    to: Option<String>,
}

/// Which part of the trail is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// One conversation's.
    conversation_id: Option<String>,
}

/// What a review shows.
#[derive(Serialize, ToSchema)]
struct Review {
    conversation: Conversation,
    /// Oldest first, the archive's copies.
    messages: Vec<Message>,
    /// The audit row that was on the disk before anything was opened.
    #[schema(value_type = String)]
    audit_id: AuditId,
    /// Until when more can be asked for with `audit_id` instead of a reason.
    #[schema(value_type = String, format = DateTime)]
    access_until: Timestamp,
    /// There are more: ask with this and with `audit_id`, or with a reason for another audited review.
    next_cursor: Option<String>,
}

/// A link of the audit trail: `hash` = SHA-256 of `prev_hash` and the fields.
#[derive(Serialize, ToSchema)]
struct Audit {
    #[schema(value_type = String)]
    id: AuditId,
    seq: u64,
    #[schema(value_type = Option<String>)]
    conversation_id: Option<ConversationId>,
    /// What it is about beyond one conversation: `distributor:ID` or `relationship:ID:ID`.
    subject: Option<String>,
    #[schema(value_type = String)]
    moderator_id: UserId,
    action: &'static str,
    code: &'static str,
    reason: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    prev_hash: String,
    hash: String,
}

impl From<Entry> for Audit {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            seq: entry.seq,
            conversation_id: entry.conversation_id,
            subject: entry.subject.map(|subject| subject.text()),
            moderator_id: entry.moderator_id,
            action: entry.action.name(),
            code: entry.code.name(),
            reason: entry.reason.into(),
            at: entry.at,
            prev_hash: hex(&entry.prev_hash),
            hash: hex(&entry.hash),
        }
    }
}

/// Whether expiry only says what it would do.
#[derive(Default, Deserialize, ToSchema)]
struct RunExpiry {
    #[serde(default)]
    dry_run: bool,
}

/// What expiry did, or would do.
#[derive(Serialize, ToSchema)]
struct Ran {
    /// Messages past their time.
    examined: u64,
    /// Of these: destroyed.
    expired: u64,
    /// Of these: kept by a legal hold.
    held: u64,
    #[schema(value_type = String)]
    run_id: RawId,
    /// Why nothing is destroyed now, if so.
    waiting: Option<&'static str>,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "moderation",
        vec![
            get(LIST, "Conversations by ids, counts and hold state; no content.")
                .query::<Whose>()
                .list::<Conversation>()
                .refuses(&[Code::Forbidden])
                .to(app, list),
            get(ONE, "Open a conversation's archive; audited before anything is opened.")
                .query::<Why>()
                .reply::<Review>(200)
                .refuses(&[Code::Forbidden, Code::AccessLapsed, Code::Invalid, Code::BadCursor, Code::TooManyRequests])
                .to(app, open),
            get(EXPORT, "Make one signed evidence archive, a tar file; audited as a review is.")
                .query::<Why>()
                .gives("application/x-tar")
                .refuses(&[Code::Forbidden, Code::Invalid, Code::TooManyRequests, Code::Conflict])
                .to(app, export),
            get(AUDITS, "The audit trail, hash-chained, oldest first.")
                .query::<Which>()
                .list::<Audit>()
                .refuses(&[Code::Forbidden])
                .to(app, audits),
            post(EXPIRY, "Destroy what is past its time now.")
                .or_service()
                .optional_body::<RunExpiry>()
                .reply::<Ran>(200)
                .refuses(&[Code::Forbidden])
                .to(app, expire),
        ],
    )
}

/// The caller, as who may moderate.
///
/// # Errors
/// 401 and 403.
pub fn moderator(app: &App, req: &Req) -> Result<Moderator, Problem> {
    auth::caller(app, req)?.moderator().map_err(auth::denied)
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let moderator = moderator(&app, &req)?;
    let (page, whose): (_, Whose) = (req.page()?, req.query()?);
    let read = app.store.read().map_err(auth::fault)?;
    let mut participant = id_of("participant_id", whose.participant_id.as_deref())?;
    if let Some(name) = &whose.username {
        let known = name.parse::<Username>().ok().map(|name| users::by_username(&read, &name)).transpose();
        let known = known.map_err(auth::fault)?.flatten();
        let Some(user) = known.filter(|user| participant.is_none_or(|id| id == user.id)) else {
            return Ok(reply::list::<Conversation>(&[], None));
        };
        participant = Some(user.id);
    }
    let (from, to) = (moment("from", whose.from.as_deref())?, moment("to", whose.to.as_deref())?);
    let search = Search { participant, from, to };
    let page = Page::newest(page.limit).after(page.after);
    let listed = review::conversations(&read, &moderator, &search, &page).map_err(auth::fault)?;
    let listed = listed.map(Conversation::for_staff);
    Ok(reply::list(&listed.items, listed.next.as_deref()))
}

async fn open(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let moderator = moderator(&app, &req)?;
    let id: ConversationId = req.param("id")?;
    hold::shown(&app.store.read().map_err(auth::fault)?, id).map_err(problem)?;
    let why: Why = req.query()?;
    let asked = req.page()?;
    let page = Page::first(why.limit.as_ref().map_or(MAX_PAGE, |_| asked.limit)).after(asked.after);
    let opened = if let (None, Some(audit)) = (&why.reason, id_of("audit_id", why.audit_id.as_deref())?) {
        app.chat.read_on(&app.store, &moderator, id, audit, &page)
    } else {
        let (reason, code) = (reason_of(why.reason.as_deref())?, code_of(why.code.as_deref())?);
        let grounds = Grounds { reason, code, action: Action::Review };
        app.chat.review(&app.store, &moderator, id, grounds, &page).await
    };
    let opened = opened.map_err(problem)?;
    Ok(reply::ok(&Review {
        conversation: Conversation::for_staff(opened.conversation),
        messages: opened.messages.items.into_iter().map(Message::from).collect(),
        audit_id: opened.audit_id,
        access_until: opened.access_until,
        next_cursor: opened.messages.next.as_deref().map(reply::cursor),
    }))
}

async fn export(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let moderator = moderator(&app, &req)?;
    let id: ConversationId = req.param("id")?;
    hold::shown(&app.store.read().map_err(auth::fault)?, id).map_err(problem)?;
    let why: Why = req.query()?;
    let (reason, code) = (reason_of(why.reason.as_deref())?, code_of(why.code.as_deref())?);
    let archive = app.chat.export(&app.store, &moderator, id, reason, code).await.map_err(problem)?;
    Ok(reply::bytes_of(StatusCode::OK, "application/x-tar", archive))
}

async fn audits(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    caller.moderator().map(drop).or_else(|_| caller.admin().map(drop)).map_err(auth::denied)?;
    let (page, which): (_, Which) = (req.page()?, req.query()?);
    let conversation = id_of("conversation_id", which.conversation_id.as_deref())?;
    let read = app.store.read().map_err(auth::fault)?;
    let page = Page::first(page.limit).after(page.after);
    let listed = audit::list(&read, conversation, &page).map_err(auth::fault)?.map(Audit::from);
    Ok(reply::list(&listed.items, listed.next.as_deref()))
}

async fn expire(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    auth::service_or_admin(&app, &req)?;
    let RunExpiry { dry_run } = req.json_or_default()?;
    let run_id = *app.entropy.id::<AuditId>(app.clock.now()).raw();
    if dry_run {
        let read = app.store.read().map_err(auth::fault)?;
        let tally = retention::dry_run(&app.chat, &read).map_err(auth::fault)?;
        return Ok(reply::ok(&ran(tally, run_id, app.chat.status().waiting)));
    }
    let key = once::key_of_anyone(&app, &req)?;
    if let Some(done) = ran_before(&app, key).await? {
        return Ok(reply::replayed(reply::ok(&ran_again(done.reference))));
    }
    let report = retention::run(&app.chat, &app.store.reserved(), Conditions::default()).await.map_err(problem)?;
    let reference = (report.tally.examined, report.tally.expired, report.tally.held, run_id);
    let done = app.store.reserved().write(move |tx, now| do_once(tx, now, key, |_| Ok::<_, Error>(reference)));
    done.await.map_err(problem)?;
    Ok(reply::ok(&ran(report.tally, run_id, report.waiting)))
}

/// The run that this key stands for, if there was one.
async fn ran_before(app: &App, key: Option<OnceKey>) -> Result<Option<Done<RunReference>>, Problem> {
    // A command that refuses is not remembered, so this only looks.
    let look =
        app.store.reserved().write(move |tx, now| do_once::<RunReference, _>(tx, now, key, |_| Err(Error::NotFound)));
    match look.await {
        Ok(done) => Ok(Some(done)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(problem(error)),
    }
}

/// Examined, expired, held, and the run's id.
type RunReference = (u64, u64, u64, RawId);

fn ran_again((examined, expired, held, run_id): RunReference) -> Ran {
    ran(Tally { examined, expired, held }, run_id, None)
}

const fn ran(tally: Tally, run_id: RawId, waiting: Option<&'static str>) -> Ran {
    Ran { examined: tally.examined, expired: tally.expired, held: tally.held, run_id, waiting }
}

/// A reason from a query.
///
/// # Errors
/// 422 that names it.
pub fn reason_of(text: Option<&str>) -> Result<Reason, Problem> {
    text.unwrap_or("").parse().map_err(|bad: crate::base::text::BadText| Problem::field("reason", bad.0))
}

fn code_of(text: Option<&str>) -> Result<ReasonCode, Problem> {
    let Some(text) = text else { return Ok(ReasonCode::default()) };
    ReasonCode::named(text)
        .ok_or_else(|| Problem::field("code", "A code is one of report, legal, safety, support and audit."))
}

fn id_of<T: std::str::FromStr>(field: &str, text: Option<&str>) -> Result<Option<T>, Problem> {
    text.map(str::parse).transpose().map_err(|_| Problem::field(field, "This is no id."))
}

fn moment(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    text.map(str::parse).transpose().map_err(|_| Problem::field(field, "A time looks like 2026-11-22T10:15:30Z."))
}
