//! What may come over plain HTTP on a port where TLS is offered: players, whose phones trust no local name, and nobody
//! else. Whoever rules over others signs in on HTTPS only (security.md, T6).
//!
//! Where no TLS is offered at all, everything is plain, and the doctor says so. A connection from the box itself is never
//! exposed, and neither is one whose believed proxy speaks TLS. Must not know how a caller is found.

use hyper::header::{HOST, HeaderValue, LOCATION};
use hyper::{Method, StatusCode};

use crate::http::connections::Wire;
use crate::http::links::is_host;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::{Intake, Req};
use crate::identity::users::Role;

/// Paths of the surfaces that are not a player's: the apps' pages, and the API of the box and of its staff.
const GUARDED: &[&[&str]] = &[&["box"], &["staff"], &["api", "v1", "admin"], &["api", "v1", "box"]];
/// What systemd, scripts and Prometheus ask, which names nobody; and how a phone comes to trust the certificate.
const OPEN: &[&str] = &["healthz", "readyz", "metrics", "trust"];

impl Intake {
    /// Whether the request passed a network unprotected although it could have come over TLS.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        self.connection.wire() == Wire::Declined && !self.secure && !self.client.is_loopback()
    }
}

/// The refusal of an exposed request for its path, if it is one: a page is sent on to HTTPS, the rest is refused.
#[must_use]
pub fn refusal(intake: &Intake) -> Option<Response> {
    if !intake.is_exposed() {
        return None;
    }
    let path = intake.segments.as_deref().unwrap_or_default();
    let starts = |with: &[&str]| with.len() <= path.len() && with.iter().zip(path).all(|(a, b)| a == b);
    let open = path.first().is_some_and(|first| OPEN.contains(&first.as_str()));
    let guarded = GUARDED.iter().any(|with| starts(with)) || !(intake.settings.plain_http || open);
    if !guarded {
        return None;
    }
    let page = matches!(intake.method, Method::GET | Method::HEAD) && !starts(&["api"]);
    let moved = page.then(|| sent_on(intake)).flatten();
    Some(moved.unwrap_or_else(|| Problem::new(Code::HttpsRequired).into_response()))
}

/// The same address by HTTPS.
fn sent_on(intake: &Intake) -> Option<Response> {
    let host = intake.headers.get(HOST)?.to_str().ok().filter(|host| is_host(host))?;
    let place = HeaderValue::from_str(&format!("https://{host}{}", intake.uri)).ok()?;
    let mut moved = reply::bytes_of(StatusCode::TEMPORARY_REDIRECT, "text/plain; charset=utf-8", "");
    moved.headers_mut().insert(LOCATION, place);
    Some(moved)
}

/// Lets in whom this connection is good enough for.
///
/// # Errors
/// 403 `https_required`.
pub fn good_for(role: Role, req: &Req) -> Result<(), Problem> {
    if role != Role::Customer && req.intake().is_exposed() {
        return Err(Code::HttpsRequired.into());
    }
    Ok(())
}
