//! Who calls: the bearer's token or a service's, checked against the store, as the first act of every handler.
//!
//! What a caller may do is identity's to say, by values that only its checks can build.

use hyper::header::HeaderName;

use crate::app::App;
use crate::base::id::UserId;
use crate::base::time::Timestamp;
use crate::http::https;
use crate::http::identity::AccountNews;
use crate::http::problem::{Code, Problem};
use crate::http::request::Req;
use crate::http::socket::{Close, Session};
use crate::identity::access::{Caller, Denied, Named, Service};
use crate::identity::users;
use crate::store::fault::Fault;
use crate::store::locked;
use crate::store::read::Read;
use crate::store::snapshot::Snapshot;

/// The header that another service of the owner's proves itself with.
const S2S: HeaderName = HeaderName::from_static("x-s2s-token");

/// The caller, signed in and not suspended. Whoever must change the password may do little else: see [`settled`].
///
/// # Errors
/// 401 `unauthenticated`, 403 `account_suspended` and `https_required`.
pub fn caller(app: &App, req: &Req) -> Result<Caller, Problem> {
    caller_in(app, req, &app.store.read().map_err(fault)?)
}

fn caller_in(app: &App, req: &Req, snapshot: &Snapshot) -> Result<Caller, Problem> {
    let caller = app.identity.caller(snapshot, app.clock.now(), req.bearer()).map_err(denied)?;
    https::good_for(caller.user().role, req)?;
    req.authenticated(&caller.id());
    Ok(caller)
}

/// Whom the request's token names, for the one act that must be repeatable after the session has ended; and whose it is.
///
/// # Errors
/// 401 `unauthenticated`.
pub fn named(app: &App, req: &Req) -> Result<(Named, UserId), Problem> {
    let named = app.identity.named(app.clock.now(), req.bearer()).map_err(denied)?;
    Ok((named, named.user))
}

/// [`caller`], whose password is an own one.
///
/// # Errors
/// As [`caller`], and 403 `password_change_required`.
pub fn settled(app: &App, req: &Req) -> Result<Caller, Problem> {
    settled_in(app, req, &app.store.read().map_err(fault)?)
}

/// [`settled`] in a snapshot that the request reads more from.
///
/// # Errors
/// As [`settled`].
pub fn settled_in(app: &App, req: &Req, snapshot: &Snapshot) -> Result<Caller, Problem> {
    let caller = caller_in(app, req, snapshot)?;
    caller.settled().map_err(denied)?;
    Ok(caller)
}

/// The service that calls, if it shows its token.
#[must_use]
pub fn service(app: &App, req: &Req) -> Option<Service> {
    app.identity.s2s(req.header(&S2S)?.as_bytes())
}

/// Lets a service or an admin in.
///
/// # Errors
/// As [`settled`], and 403 `forbidden`.
pub fn service_or_admin(app: &App, req: &Req) -> Result<(), Problem> {
    if service(app, req).is_some() {
        return Ok(());
    }
    settled(app, req)?.admin().map(drop).map_err(denied)
}

/// Whether a socket's caller may stay.
///
/// # Errors
/// [`Close::Revoked`]; [`Close::Failed`] where the store cannot be read.
pub fn still(caller: &Caller, read: &impl Read, now: Timestamp) -> Result<(), Close> {
    // Central has shut the box: nobody stays.
    if locked::of(read).map_err(|_| Close::Failed)?.is_some() {
        return Err(Close::Revoked);
    }
    match caller.still(read, now) {
        Ok(()) => Ok(()),
        Err(Denied::Store(_)) => Err(Close::Failed),
        Err(_) => Err(Close::Revoked),
    }
}

/// Tells a socket's client that its rights have changed, if it may stay.
///
/// # Errors
/// As [`still`].
pub fn news(app: &App, caller: &Caller, session: &Session) -> Result<(), Close> {
    let read = app.store.read().map_err(|_| Close::Failed)?;
    still(caller, &read, app.clock.now())?;
    let user = users::by_id(&read, caller.id()).map_err(|_| Close::Failed)?.ok_or(Close::Revoked)?;
    session.send(&AccountNews::of(&user));
    Ok(())
}

/// What a refusal of identity's is to a client.
#[must_use]
pub fn denied(denied: Denied) -> Problem {
    match denied {
        Denied::Unauthenticated => Code::Unauthenticated.into(),
        Denied::Suspended => Code::AccountSuspended.into(),
        Denied::Forbidden => Code::Forbidden.into(),
        Denied::PasswordChangeRequired => Code::PasswordChangeRequired.into(),
        Denied::Store(error) => fault(error),
    }
}

/// What a failure of the store is to a client. Its words go to the log.
#[must_use]
pub fn fault(fault: Fault) -> Problem {
    match fault {
        Fault::Busy => Code::Busy.into(),
        Fault::Unavailable(_) | Fault::Closed => {
            tracing::error!(%fault, "the store refused a request");
            Code::Unavailable.into()
        }
        Fault::Full => Code::StorageFull.into(),
        Fault::Corrupt { .. } | Fault::Newer { .. } | Fault::Duplicate { .. } | Fault::Panicked => {
            Problem::internal(&fault)
        }
    }
}
