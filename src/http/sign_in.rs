//! `/api/v1/auth`: registering, signing in and out, rotating tokens, passwords and one-time codes.

use std::sync::Arc;

use hyper::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::base::secret::Secret;
use crate::base::text::{Phone, Username};
use crate::http::identity::{SessionBody, refused};
use crate::http::invites::{self, JoinedBody};
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, post};
use crate::http::{auth, https, once};
use crate::identity::access::Caller;
use crate::identity::login::Credentials;
use crate::identity::otp::{OtpPurpose, Typed};
use crate::identity::register::Applicant;
use crate::identity::sessions::{self, SessionRef};
use crate::store::once::once as do_once;

/// A new account.
#[derive(Deserialize, ToSchema)]
struct Register {
    #[schema(value_type = String)]
    username: Username,
    #[schema(value_type = String)]
    password: Secret<String>,
    #[schema(value_type = Option<String>)]
    phone: Option<Phone>,
    /// An invite's token or typed code.
    invite_token: Option<String>,
}

/// A name and a password.
#[derive(Deserialize, ToSchema)]
struct Login {
    username: String,
    #[schema(value_type = String)]
    password: Secret<String>,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
struct Refresh {
    #[schema(value_type = String)]
    refresh_token: Secret<String>,
}

/// A change of the own password.
#[derive(Deserialize, ToSchema)]
struct ChangePassword {
    #[schema(value_type = String)]
    current_password: Secret<String>,
    #[schema(value_type = String)]
    new_password: Secret<String>,
}

/// What a code is for.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Purpose {
    PasswordReset,
    VerifyPhone,
}

impl From<Purpose> for OtpPurpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::PasswordReset => Self::PasswordReset,
            Purpose::VerifyPhone => Self::VerifyPhone,
        }
    }
}

/// A wish for a code.
#[derive(Deserialize, ToSchema)]
struct RequestCode {
    username: String,
    purpose: Purpose,
}

/// A code.
#[derive(Deserialize, ToSchema)]
struct VerifyCode {
    username: String,
    purpose: Purpose,
    #[schema(value_type = String)]
    code: Secret<String>,
    /// For `password_reset`.
    #[schema(value_type = Option<String>)]
    new_password: Option<Secret<String>>,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    use Code::{
        Busy, InvalidCredentials, InvalidOtp, InvalidRefresh, InviteExpired, InviteRedeemed, InviteRevoked, NotFound,
        RefreshReused, RegistrationClosed, TooManyAttempts, UsernameTaken,
    };
    Resource::new(
        "auth",
        vec![
            post("/api/v1/auth/register", "Make an account, with an invite unless the box is open.")
                .public()
                .body::<Register>()
                .reply::<JoinedBody>(201)
                .refuses(&[RegistrationClosed, UsernameTaken, NotFound, InviteRedeemed, InviteExpired, InviteRevoked])
                .refuses(&[TooManyAttempts, Busy])
                .to(app, register),
            post("/api/v1/auth/login", "Sign in.")
                .public()
                .body::<Login>()
                .reply::<SessionBody>(200)
                .refuses(&[InvalidCredentials, TooManyAttempts, Code::AccountSuspended, Busy])
                .to(app, login),
            post("/api/v1/auth/refresh", "Rotate a refresh token.")
                .public()
                .body::<Refresh>()
                .reply::<SessionBody>(200)
                .refuses(&[InvalidRefresh, RefreshReused, Code::AccountSuspended])
                .to(app, refresh),
            post("/api/v1/auth/logout", "End this session.").empty(204).to(app, logout),
            post("/api/v1/auth/password", "Change the own password; all other sessions end.")
                .body::<ChangePassword>()
                .empty(204)
                .refuses(&[InvalidCredentials, TooManyAttempts, Busy])
                .to(app, change_password),
            post("/api/v1/auth/otp/request", "Ask for a one-time code.")
                .public()
                .body::<RequestCode>()
                .empty(202)
                .to(app, request_code),
            post("/api/v1/auth/otp/verify", "Use a one-time code.")
                .public()
                .body::<VerifyCode>()
                .empty(204)
                .refuses(&[InvalidOtp, TooManyAttempts, Busy])
                .to(app, verify_code),
        ],
    )
}

async fn register(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let body: Register = req.json()?;
    let applicant = Applicant { username: body.username, password: body.password, phone: body.phone };
    if let Some(token) = body.invite_token {
        return invites::redeem_as_new(&app, &req, &token, applicant).await;
    }
    let key = once::key_of_anyone(&app, &req)?;
    let done = app.identity.register(&app.store, app.clock.now(), applicant, key).await.map_err(refused)?;
    session(&app, &req, StatusCode::CREATED, done.reference, done.replayed)
}

async fn login(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let body: Login = req.json()?;
    let key = once::key_of_anyone(&app, &req)?;
    let given = Credentials { username: body.username, password: body.password, address: req.client() };
    let done = app.identity.login(&app.store, &*app.clock, given, key).await.map_err(refused)?;
    session(&app, &req, StatusCode::OK, done.reference, done.replayed)
}

async fn refresh(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let body: Refresh = req.json()?;
    let key = once::key_of_anyone(&app, &req)?;
    let done = app.identity.rotate(&app.store, body.refresh_token.expose(), key).await.map_err(refused)?;
    session(&app, &req, StatusCode::OK, done.reference, done.replayed)
}

/// The answer to every sign-in, first given or given again.
fn session(app: &App, req: &Req, status: StatusCode, of: SessionRef, replayed: bool) -> Result<Response, Problem> {
    let snapshot = app.store.read().map_err(auth::fault)?;
    let grant = app.identity.grant(&snapshot, app.clock.now(), of).map_err(refused)?;
    // Its tokens have not left the box, so nobody can use what was begun.
    https::good_for(grant.user.role, req)?;
    Ok(once::answer(replayed, reply::json(status, &SessionBody::from(grant))))
}

async fn logout(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    // Who asks again has signed out by the first time, so the session is looked at within.
    let (named, key) = auth::named(&app, &req)?;
    let key = once::key(&app, &req, key)?;
    let done = app
        .store
        .reserved()
        .write(move |tx, now| do_once(tx, now, key, |tx| sessions::logout(tx, now, &Caller::check(tx, now, named)?)));
    let done = done.await.map_err(refused)?;
    Ok(once::answer(done.replayed, reply::no_content()))
}

async fn change_password(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &req)?;
    let body: ChangePassword = req.json()?;
    let key = once::key(&app, &req, caller.id())?;
    let username = caller.user().username.to_string();
    let current = Credentials { username, password: body.current_password, address: req.client() };
    let changed = app.identity.change_password(&app.store, &*app.clock, &caller, current, body.new_password, key);
    let done = changed.await.map_err(refused)?;
    Ok(once::answer(done.replayed, reply::no_content()))
}

async fn request_code(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let body: RequestCode = req.json()?;
    let key = once::key_of_anyone(&app, &req)?;
    let asked = app.identity.request_code(&app.store, &*app.clock, &body.username, body.purpose.into(), key);
    let done = asked.await.map_err(refused)?;
    Ok(once::answer(done.replayed, reply::accepted()))
}

async fn verify_code(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let body: VerifyCode = req.json()?;
    let VerifyCode { username, purpose, code, new_password } = body;
    let typed = Typed { username, purpose: purpose.into(), code, new_password, address: req.client() };
    let key = once::key_of_anyone(&app, &req)?;
    let done = app.identity.verify_code(&app.store, &*app.clock, typed, key).await.map_err(refused)?;
    Ok(once::answer(done.replayed, reply::no_content()))
}
