//! The `Idempotency-Key` of a request, as the store wants it: digests of who asks where, and for what.
//!
//! Must not know what a request does.

use crate::app::App;
use crate::base::digest::keyed;
use crate::base::id::UserId;
use crate::http::problem::Problem;
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::store::once::OnceKey;

/// The key of a signed-in caller's request, if it bears one.
///
/// # Errors
/// 422 for a key that is none, 413 for a body that is too large.
pub fn key(app: &App, req: &Req, caller: UserId) -> Result<Option<OnceKey>, Problem> {
    make(app, req, &caller.raw().binding())
}

/// The same for a request of anyone: who asks is known by the address alone.
///
/// # Errors
/// As [`key`].
pub fn key_of_anyone(app: &App, req: &Req) -> Result<Option<OnceKey>, Problem> {
    make(app, req, req.client().to_string().as_bytes())
}

fn make(app: &App, req: &Req, caller: &[u8]) -> Result<Option<OnceKey>, Problem> {
    let Some(given) = req.idempotency_key()? else { return Ok(None) };
    let place = [b"key".as_slice(), caller, req.method().as_str().as_bytes(), req.path().as_bytes(), given.as_bytes()];
    let request = keyed(&app.idempotency, &[b"request", req.body()?]);
    Ok(Some(OnceKey { key: keyed(&app.idempotency, &place), request }))
}

/// Marks the answer if it is a repetition.
#[must_use]
pub fn answer(replayed: bool, response: Response) -> Response {
    if replayed { reply::replayed(response) } else { response }
}
