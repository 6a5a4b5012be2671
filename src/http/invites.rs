//! `/api/v1/invites`: a distributor's invites, and what a person with a token or a typed code does with one.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::AUTHORIZATION;
use qrcode::QrCode;
use qrcode::render::svg;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::base::id::InviteId;
use crate::base::secret::Secret;
use crate::base::text::{Alias, Phone, Username};
use crate::customer::invites::{self, InviteInfo, InviteSecrets, NewInvite};
use crate::customer::redeem::{Joiner, Redeemed};
use crate::customer::relationships;
use crate::http::customer::{RelationshipBody, refused};
use crate::http::identity::SessionBody;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, delete, get, post};
use crate::http::{auth, identity, links, once};
use crate::identity::register::Applicant;
use crate::store::once::Done;
use crate::store::page::Page;

/// Side of a QR code in its own units; it scales without loss.
const QR_SIDE: u32 = 240;

/// A new invite.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = NewInvite)]
struct NewInviteBody {
    /// The name that the invited person sees; the distributor's own where it is absent.
    #[schema(value_type = Option<String>)]
    distributor_alias: Option<Alias>,
    /// Seconds until it expires: 7 days where it is absent, 90 at most.
    expires_in: Option<u64>,
}

/// An invite. Token, code and link are shown once, in the answer to its making.
#[derive(Serialize, ToSchema)]
#[schema(as = Invite)]
pub struct InviteBody {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// The typed form of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The join link.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    distributor_id: String,
    distributor_alias: Option<String>,
    /// `open`, `redeemed`, `expired` or `revoked`.
    status: &'static str,
    expires_at: String,
    redeemed_by_user_id: Option<String>,
    created_at: String,
}

impl InviteBody {
    /// The body of an invite, without its secrets.
    #[must_use]
    pub fn new(invite: &InviteInfo) -> Self {
        Self {
            id: invite.id.to_string(),
            token: None,
            code: None,
            url: None,
            distributor_id: invite.distributor_id.to_string(),
            distributor_alias: invite.distributor_alias.as_ref().map(Alias::to_string),
            status: invite.status.name(),
            expires_at: invite.expires_at.to_string(),
            redeemed_by_user_id: invite.redeemed_by_user_id.map(|id| id.to_string()),
            created_at: invite.created_at.to_string(),
        }
    }

    fn with(self, secrets: InviteSecrets, base: Option<&str>) -> Self {
        let url = base.map(|base| links::join(base, &secrets.token));
        Self { token: Some(secrets.token), code: Some(secrets.code), url, ..self }
    }
}

/// What anyone with a token may know of its invite.
#[derive(Serialize, ToSchema)]
#[schema(as = InviteGlance)]
struct GlanceBody {
    distributor_alias: Option<String>,
    expires_at: String,
    /// `open`, `redeemed`, `expired` or `revoked`.
    status: &'static str,
}

/// Who joins. A signed-in customer sends no body.
#[derive(Deserialize, ToSchema)]
struct Join {
    #[schema(value_type = String)]
    username: Username,
    #[schema(value_type = String)]
    password: Secret<String>,
    #[schema(value_type = Option<String>)]
    phone: Option<Phone>,
}

/// The token of the invite to redeem.
#[derive(Deserialize)]
struct WithToken {
    token: String,
}

/// Who joins, and with which token. A signed-in customer sends the token alone.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the document's form; the handler reads it in two steps")]
struct JoinWithToken {
    /// The token or typed code.
    token: String,
    username: Option<String>,
    password: Option<String>,
    phone: Option<String>,
}

/// A session, and the relationship it began with.
#[derive(Serialize, ToSchema)]
#[schema(as = JoinedSession)]
pub struct JoinedBody {
    #[serde(flatten)]
    session: SessionBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    relationship: Option<RelationshipBody>,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    use Code::{
        AlreadyCustomer, Busy, Forbidden, InviteExpired, InviteRedeemed, InviteRevoked, NotFound, TooManyAttempts,
        UsernameTaken,
    };
    let redeeming =
        [NotFound, InviteRedeemed, InviteExpired, InviteRevoked, AlreadyCustomer, UsernameTaken, TooManyAttempts, Busy];
    Resource::new(
        "invites",
        vec![
            post("/api/v1/invites", "Invite a customer.")
                .optional_body::<NewInviteBody>()
                .reply::<InviteBody>(201)
                .to(app, make),
            get("/api/v1/invites", "The distributor's invites, newest first.").list::<InviteBody>().to(app, list),
            delete("/api/v1/invites/{token}", "Take an invite back, by its id.")
                .empty(204)
                .refuses(&[NotFound, InviteRedeemed])
                .to(app, revoke),
            get("/api/v1/invites/{token}", "What an invite is, by its token or typed code.")
                .public()
                .reply::<GlanceBody>(200)
                .refuses(&[NotFound, TooManyAttempts])
                .to(app, glance),
            get("/api/v1/invites/{token}/qr.svg", "The join link as a QR code.")
                .public()
                .gives("image/svg+xml")
                .refuses(&[NotFound, TooManyAttempts])
                .to(app, qr),
            post("/api/v1/invites/redeem", "Redeem an invite, its token kept out of the address.")
                .public()
                .body::<JoinWithToken>()
                .reply::<JoinedBody>(201)
                .refuses(&redeeming)
                .refuses(&[Forbidden])
                .to(app, redeem_by_body),
            post("/api/v1/invites/{token}/redeem", "Redeem an invite.")
                .public()
                .optional_body::<Join>()
                .reply::<JoinedBody>(201)
                .refuses(&redeeming)
                .refuses(&[Forbidden])
                .to(app, redeem),
        ],
    )
}

async fn make(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    caller.distributor().map_err(auth::denied)?;
    let body: NewInviteBody = req.json_or_default()?;
    let key = once::key(&app, &req, caller.id())?;
    let new = NewInvite { alias: body.distributor_alias, expires_in: body.expires_in };
    let made = app.customer.invite(&app.store, &caller, new, key).await.map_err(refused)?;
    let snapshot = app.store.read().map_err(auth::fault)?;
    let (invite, secrets) = app.customer.shown_once(&snapshot, app.clock.now(), made.reference).map_err(refused)?;
    let body = InviteBody::new(&invite).with(secrets, links::base(&app, &req).as_deref());
    Ok(once::answer(made.replayed, reply::created(&format!("/api/v1/invites/{}", invite.id), &body)))
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let owner = auth::settled(&app, &req)?.distributor().map_err(auth::denied)?;
    let asked = req.page()?;
    let page = Page::newest(asked.limit).after(asked.after);
    let snapshot = app.store.read().map_err(auth::fault)?;
    let listed = invites::list(&snapshot, app.clock.now(), &owner, &page).map_err(auth::fault)?;
    let listed = listed.map(|invite| InviteBody::new(&invite));
    Ok(reply::list(&listed.items, listed.next.as_deref()))
}

async fn revoke(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let owner = caller.distributor().map_err(auth::denied)?;
    let id: InviteId = req.param("token")?;
    let revoked = app.store.write(move |tx, now| {
        caller.still(tx, now)?;
        invites::revoke(tx, now, &owner, id)
    });
    revoked.await.map_err(refused)?;
    Ok(reply::no_content())
}

async fn look_up(app: &App, req: &Req, token: &str) -> Result<InviteInfo, Problem> {
    app.customer.look_up(&app.store, &*app.clock, token, req.client()).await.map_err(refused)
}

async fn glance(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let invite = look_up(&app, &req, req.text_param("token")).await?;
    Ok(reply::ok(&GlanceBody {
        distributor_alias: invite.distributor_alias.as_ref().map(Alias::to_string),
        expires_at: invite.expires_at.to_string(),
        status: invite.status.name(),
    }))
}

async fn qr(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let token = req.text_param("token");
    look_up(&app, &req, token).await?;
    let base = links::base(&app, &req).ok_or(Code::NotFound)?;
    let code = QrCode::new(links::join(&base, token)).map_err(|error| Problem::internal(&error))?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(QR_SIDE, QR_SIDE).build();
    Ok(reply::bytes_of(StatusCode::OK, "image/svg+xml", picture))
}

async fn redeem(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let token = req.text_param("token").to_owned();
    redeem_with(&app, &req, &token).await
}

async fn redeem_by_body(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    if req.intake().headers.contains_key(AUTHORIZATION) {
        auth::settled(&app, &req)?.customer().map_err(auth::denied)?;
    }
    let WithToken { token } = req.json()?;
    redeem_with(&app, &req, &token).await
}

/// Signed in: the customer joins. Else the body says who is to be made. The invite is looked up before the body.
async fn redeem_with(app: &App, req: &Req, token: &str) -> Result<Response, Problem> {
    if !req.intake().headers.contains_key(AUTHORIZATION) {
        look_up(app, req, token).await?;
        let Join { username, password, phone } = req.json()?;
        return redeem_as_new(app, req, token, Applicant { username, password, phone }).await;
    }
    let caller = auth::settled(app, req)?;
    caller.customer().map_err(auth::denied)?;
    let key = once::key(app, req, caller.id())?;
    let joiner = Joiner::SignedIn(Box::new(caller));
    let done = app.customer.redeem(&app.store, &*app.clock, token, joiner, req.client(), key).await;
    joined(app, done.map_err(refused)?)
}

/// Redeems for somebody without an account; registration with an invite is the same act.
///
/// # Errors
/// The refusals of a redemption.
pub async fn redeem_as_new(app: &App, req: &Req, token: &str, who: Applicant) -> Result<Response, Problem> {
    let key = once::key_of_anyone(app, req)?;
    let done = app.customer.redeem(&app.store, &*app.clock, token, Joiner::New(who), req.client(), key).await;
    joined(app, done.map_err(refused)?)
}

fn joined(app: &App, done: Done<Redeemed>) -> Result<Response, Problem> {
    let snapshot = app.store.read().map_err(auth::fault)?;
    let Redeemed { customer, session } = done.reference;
    let grant = app.identity.grant(&snapshot, app.clock.now(), session).map_err(identity::refused)?;
    let bond = relationships::of_customer(&snapshot, customer).map_err(auth::fault)?;
    let body = JoinedBody { session: grant.into(), relationship: bond.map(RelationshipBody::from) };
    Ok(once::answer(done.replayed, reply::json(StatusCode::CREATED, &body)))
}
