//! A request as a handler sees it.
//!
//! The edge has read and counted the body before, but it is parsed when the handler asks, so that the order of
//! refusals is the contract's: authenticate, look up the object, then read the body. Must not know a resource.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, SEC_WEBSOCKET_PROTOCOL};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Uri};
use serde::de::DeserializeOwned;

use crate::http::body;
use crate::http::connections::Connection;
use crate::http::problem::{Code, Problem};
use crate::http::settings::Settings;

/// The header of a repeatable POST.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What precedes the token among a socket's subprotocols (contract, section 6).
const BEARER_PROTOCOL: &str = "bearer.";
/// Items of a page where the caller names no number, and the most of one page.
const PAGE: (usize, usize) = (50, 200);
/// Longest cursor, in characters; ours are far shorter.
const MAX_CURSOR: usize = 512;

/// The body did not fit into the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// What the edge took in: the whole request, shared between the edge, the routes and the handler.
pub struct Intake {
    /// The method.
    pub method: Method,
    /// Path and query, the old gateway's prefix taken off.
    pub uri: Uri,
    /// The decoded segments of the path; `None` where one is not UTF-8 or holds a NUL, which no route matches.
    pub segments: Option<Vec<String>>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, unless it was too large.
    pub body: Result<Bytes, TooLarge>,
    /// This request's id.
    pub request_id: Arc<str>,
    /// The client's address: the peer's, or the one a believed proxy names.
    pub client: IpAddr,
    /// The client speaks TLS, with us or with a believed proxy.
    pub secure: bool,
    /// The connection it came over.
    pub connection: Arc<Connection>,
    /// The bounds of the box.
    pub settings: Arc<Settings>,
    /// What the connection becomes if the request upgrades it; taken once.
    pub upgrade: Mutex<Option<OnUpgrade>>,
    /// The pattern of the matched route, for logs and metrics.
    pub pattern: OnceLock<&'static str>,
}

impl fmt::Debug for Intake {
    // Neither path, query, headers nor body: they may hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.method, self.pattern.get().unwrap_or(&"-"), self.request_id)
    }
}

impl Intake {
    /// Splits a path into its decoded segments.
    #[must_use]
    pub fn split(path: &str) -> Option<Vec<String>> {
        let path = path.strip_prefix('/').unwrap_or(path);
        if path.is_empty() {
            return Some(Vec::new());
        }
        let decode = |raw| {
            let text = percent_encoding::percent_decode_str(raw).decode_utf8().ok()?;
            (!text.contains('\0')).then(|| text.into_owned())
        };
        path.split('/').map(decode).collect()
    }
}

/// A request to one route.
#[derive(Debug, Clone)]
pub struct Req {
    intake: Arc<Intake>,
    params: Vec<(&'static str, String)>,
}

impl Req {
    /// A request whose path gave `params`.
    #[must_use]
    pub const fn new(intake: Arc<Intake>, params: Vec<(&'static str, String)>) -> Self {
        Self { intake, params }
    }

    /// Everything else about the request.
    #[must_use]
    pub fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.intake.method
    }

    /// This request's id, as in its `X-Request-Id` and log line.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.intake.request_id
    }

    /// The client's address.
    #[must_use]
    pub fn client(&self) -> IpAddr {
        self.intake.client
    }

    /// Whether the client speaks TLS.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.intake.secure
    }

    /// The path with its query left off, without the old gateway's prefix: what an idempotency record names.
    #[must_use]
    pub fn path(&self) -> &str {
        self.intake.uri.path()
    }

    /// Counts the connection for this user from now on (16 of them), instead of for its address. The
    /// authentication calls it for every request that it lets in.
    pub fn authenticated(&self, user: &impl fmt::Display) {
        self.intake.connection.authenticated(&user.to_string());
    }

    /// A part of the path by its name in the pattern, as text; empty if the pattern has no such name.
    #[must_use]
    pub fn text_param(&self, name: &str) -> &str {
        self.params.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value)
    }

    /// A part of the path by its name in the pattern.
    ///
    /// # Errors
    /// `not_found` where the text is none of that type: nothing can have such an id.
    pub fn param<T: FromStr>(&self, name: &str) -> Result<T, Problem> {
        self.text_param(name).parse().map_err(|_| Problem::new(Code::NotFound))
    }

    /// A header as text; `None` where it is absent, repeated or not ASCII.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.intake.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    /// The access token: of the `Authorization` header, or of a socket's `bearer.` subprotocol.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        if self.intake.headers.contains_key(AUTHORIZATION) {
            let (scheme, token) = self.header(&AUTHORIZATION)?.split_once(' ')?;
            return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim());
        }
        self.subprotocols().find_map(|protocol| protocol.strip_prefix(BEARER_PROTOCOL))
    }

    /// The subprotocols that a socket's client offers.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        let lines = self.intake.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim)
    }

    /// The body as JSON of a type. Fields that the type does not name are ignored.
    ///
    /// # Errors
    /// In this order: `payload_too_large`, `unsupported_media_type`, `malformed_json`, and 422 that names the field
    /// which is missing, has the wrong type or holds a NUL.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let bytes = self.body()?;
        if !bytes.is_empty() || self.intake.headers.contains_key(CONTENT_TYPE) {
            body::require_json(self.header(&CONTENT_TYPE))?;
        }
        body::parse(bytes)
    }

    /// The same, but an absent body is the type's default.
    ///
    /// # Errors
    /// As [`Req::json`].
    pub fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body()?.is_empty() { Ok(T::default()) } else { self.json() }
    }

    /// The body's bytes.
    ///
    /// # Errors
    /// `payload_too_large`.
    pub fn body(&self) -> Result<&Bytes, Problem> {
        self.intake.body.as_ref().map_err(|TooLarge| Problem::new(Code::PayloadTooLarge))
    }

    /// The query as a type. Parameters that the type does not name are ignored.
    ///
    /// # Errors
    /// 422 that names the parameter.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        body::parse_query(self.intake.uri.query().unwrap_or(""))
    }

    /// The `Idempotency-Key`, if the client sent one.
    ///
    /// # Errors
    /// 422 where it is not 1–128 printable ASCII characters.
    pub fn idempotency_key(&self) -> Result<Option<&str>, Problem> {
        if !self.intake.headers.contains_key(IDEMPOTENCY_KEY) {
            return Ok(None);
        }
        self.header(&IDEMPOTENCY_KEY)
            .filter(|key| (1..=128).contains(&key.len()) && key.bytes().all(|b| (0x20..0x7f).contains(&b)))
            .map(Some)
            .ok_or_else(|| Problem::field("Idempotency-Key", "A key has 1 to 128 printable ASCII characters."))
    }

    /// Which page of a list is asked for (`?limit=`, `?cursor=`).
    ///
    /// # Errors
    /// `bad_cursor` (400) for a cursor that is no base64url, 422 for a limit that is no number of at least 1. A
    /// limit above 200 is 200.
    pub fn page(&self) -> Result<Page, Problem> {
        #[derive(serde::Deserialize)]
        struct Asked {
            limit: Option<String>,
            cursor: Option<String>,
        }
        let asked: Asked = self.query()?;
        let limit = match asked.limit.as_deref() {
            None => PAGE.0,
            Some(text) => text.parse().ok().filter(|limit| *limit >= 1).map_or_else(
                || Err(Problem::field("limit", "A limit is a number from 1 to 200.")),
                |limit: u64| Ok(usize::try_from(limit).unwrap_or(PAGE.1).min(PAGE.1)),
            )?,
        };
        let after = match asked.cursor {
            None => None,
            Some(text) if text.len() > MAX_CURSOR => return Err(bad_cursor()),
            Some(text) => Some(URL_SAFE_NO_PAD.decode(text).map_err(|_| bad_cursor())?),
        };
        Ok(Page { limit, after })
    }
}

/// The refusal of a cursor that this list did not give.
#[must_use]
pub fn bad_cursor() -> Problem {
    Problem::new(Code::BadCursor)
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// How many items at most: 1–200.
    pub limit: usize,
    /// The position after which it starts: the bytes that an earlier [`crate::http::reply::list`] was given. They
    /// come from the client; the list checks them, and refuses with [`bad_cursor`].
    pub after: Option<Vec<u8>>,
}

impl Page {
    /// The position as an id or another type with a text form, for lists whose cursor is that text.
    ///
    /// # Errors
    /// [`bad_cursor`].
    pub fn after<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        let Some(bytes) = &self.after else { return Ok(None) };
        let text = std::str::from_utf8(bytes).map_err(|_| bad_cursor())?;
        text.parse().map(Some).map_err(|_| bad_cursor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_before_it_is_decoded() {
        assert_eq!(Intake::split("/a/b%2Fc/"), Some(vec!["a".to_owned(), "b/c".to_owned(), String::new()]));
        assert_eq!(Intake::split("/"), Some(vec![]));
        assert_eq!(Intake::split("/a%00"), None);
        assert_eq!(Intake::split("/%ff"), None);
    }
}
