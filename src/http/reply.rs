//! Replies: the few shapes in which a handler answers.
//!
//! Must not know a resource. Bodies are whole in memory, and so bounded by what made them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use serde::Serialize;
use serde_json::json;

use crate::http::problem::Problem;

/// What a handler returns: warp's reply type.
pub type Response = warp::reply::Response;

/// Says that an answer was given before for the same `Idempotency-Key`.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A JSON reply of any status.
#[must_use]
pub fn json<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => bytes_of(status, "application/json", bytes),
        Err(error) => Problem::internal(&error).into_response(),
    }
}

/// 200 with a JSON body.
#[must_use]
pub fn ok<T: Serialize + ?Sized>(body: &T) -> Response {
    json(StatusCode::OK, body)
}

/// 201 with the address of what was made and a JSON body.
#[must_use]
pub fn created<T: Serialize + ?Sized>(location: &str, body: &T) -> Response {
    let mut reply = json(StatusCode::CREATED, body);
    if let Ok(value) = HeaderValue::from_str(location) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

/// 202 with an empty object: the request was taken, and its outcome is not told.
#[must_use]
pub fn accepted() -> Response {
    json(StatusCode::ACCEPTED, &json!({}))
}

/// 204.
#[must_use]
pub fn no_content() -> Response {
    let mut reply = Response::new(String::new().into());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

/// 200 with plain text.
#[must_use]
pub fn text(body: impl Into<String>) -> Response {
    bytes_of(StatusCode::OK, "text/plain; charset=utf-8", body.into().into_bytes())
}

/// A reply of any content type, such as a picture or an archive.
#[must_use]
pub fn bytes_of(status: StatusCode, content_type: &'static str, body: impl Into<bytes::Bytes>) -> Response {
    let mut reply = Response::new(body.into().into());
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// One page of a list: `{"items": [...], "next_cursor": null|string}`. `next` is the position after the last
/// item, in whatever bytes the list understands; `None` on the last page.
#[must_use]
pub fn list<T: Serialize>(items: &[T], next: Option<&[u8]>) -> Response {
    ok(&Page { items, next_cursor: next.map(cursor) })
}

/// A position in a list as the text that a client gives back.
#[must_use]
pub fn cursor(at: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(at)
}

#[derive(Serialize)]
struct Page<'a, T> {
    items: &'a [T],
    next_cursor: Option<String>,
}

/// Marks an answer as the repetition of an earlier one.
#[must_use]
pub fn replayed(mut reply: Response) -> Response {
    reply.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    reply
}
