//! The edge: everything that is true of every request, around warp's routes.
//!
//! Takes the body in and counts it, gives the request its id and its deadline, contains panics, turns every
//! refusal into a problem document, sets the headers of every reply and writes its one log line. Must not know a
//! resource.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Body;
use hyper::header::{CONNECTION, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName, HeaderValue};
use hyper::service::Service as _;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, StatusCode};
use hyper_util::service::TowerToHyperService;
use tracing::Instrument as _;

use crate::base::entropy::Entropy;
use crate::base::time::Clock;
use crate::http::connections::Connection;
use crate::http::forwarded;
use crate::http::problem::{Code, PROBLEM_JSON, Problem};
use crate::http::reply::Response;
use crate::http::request::{Intake, TooLarge};
use crate::http::route::{self, Resource};
use crate::http::settings::Settings;
use crate::http::{https, meta, prefix};

/// The header of a request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of a body past the limit that are read and thrown away, so that the refusal reaches a client which sends
/// all before it reads; beyond it the connection is cut.
const DISCARD: usize = 16 * 1024 * 1024;

/// What everybody hears on a box that central has shut.
const SHUT: &str = "This box was shut by those who run it. Ask its owner.";

/// Headers of every reply that does not set its own (ux: CSP without inline code, no foreign frames or referrers).
const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// What an answered request was, for metrics: nothing that names a person or a thing.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// The method.
    pub method: &'a Method,
    /// The pattern of the route, or `-` where none took it.
    pub route: &'static str,
    /// The status of the reply.
    pub status: u16,
    /// From its head to its answer.
    pub took: Duration,
}

type Replied = Pin<Box<dyn Future<Output = Response> + Send>>;
type Routes = Box<dyn Fn(Request<Empty<Bytes>>) -> Replied + Send + Sync>;
type Observer = Box<dyn Fn(&Served<'_>) + Send + Sync>;

/// The box's HTTP side without its listeners.
pub struct Edge {
    routes: Routes,
    /// The bounds.
    pub settings: Arc<Settings>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    observer: Observer,
}

/// Why a body did not arrive.
enum Broken {
    Deadline,
    Cut,
}

/// An answer, and whether the connection ends with it.
struct Answer {
    reply: Response,
    route: &'static str,
    last: bool,
}

impl Edge {
    /// The edge around these resources.
    pub fn new(
        resources: Vec<Resource>,
        settings: Settings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        observer: impl Fn(&Served<'_>) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let service = TowerToHyperService::new(warp::service(route::all(meta::with_meta(resources))));
        let routes: Routes = Box::new(move |request| {
            let reply = service.call(request);
            Box::pin(async move { reply.await.unwrap_or_else(|never| match never {}) })
        });
        Arc::new(Self { routes, settings: Arc::new(settings), clock, entropy, observer: Box::new(observer) })
    }

    /// Answers one request.
    pub async fn serve<B>(self: Arc<Self>, connection: Arc<Connection>, request: Request<B>) -> Response
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Send,
    {
        let started = self.clock.monotonic();
        let busy = connection.begin();
        let request_id = self.request_id(request.headers());
        let method = request.method().clone();
        let span = tracing::info_span!("request", %request_id);
        let Answer { mut reply, route, last } =
            self.answer(&connection, request, Arc::clone(&request_id)).instrument(span).await;
        finish(&mut reply, &request_id);
        if reply.status() != StatusCode::SWITCHING_PROTOCOLS && (last || connection.crowded()) {
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let took = self.clock.monotonic().since(started);
        let status = reply.status().as_u16();
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(%method, route, status, ms, %request_id, "request");
        (self.observer)(&Served { method: &method, route, status, took });
        drop(busy);
        reply
    }

    /// The caller's id if it is sane, else a new one.
    fn request_id(&self, headers: &HeaderMap) -> Arc<str> {
        let sane = |id: &&str| {
            (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        match headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok()).filter(sane) {
            Some(id) => id.into(),
            None => self.entropy.uuid(self.clock.now()).to_string().into(),
        }
    }

    async fn answer<B>(&self, connection: &Arc<Connection>, request: Request<B>, request_id: Arc<str>) -> Answer
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Send,
    {
        let refuse = |code: Code, last| Answer { reply: Problem::new(code).into_response(), route: "-", last };
        let mut deadline = pin!(tokio::time::sleep(self.settings.request_deadline));
        let (mut parts, body) = request.into_parts();
        let expects = parts.headers.contains_key(EXPECT);
        let taken = tokio::select! {
            taken = take_in(body, self.settings.body_limit, expects) => taken,
            () = &mut deadline => Err(Broken::Deadline),
        };
        let (body, whole) = match taken {
            Ok(taken) => taken,
            Err(Broken::Deadline) => return refuse(Code::RequestTimeout, true),
            Err(Broken::Cut) => return refuse(Code::BadRequest, true),
        };
        let Some(uri) = prefix::strip(&parts.uri) else { return refuse(Code::NotFound, !whole) };
        let (client, secure) = forwarded::client(connection, &parts.headers);
        let intake = Arc::new(Intake {
            method: parts.method.clone(),
            segments: Intake::split(uri.path()),
            uri: uri.clone(),
            headers: parts.headers.clone(),
            body,
            request_id,
            client,
            secure,
            connection: Arc::clone(connection),
            settings: Arc::clone(&self.settings),
            upgrade: Mutex::new(parts.extensions.remove::<OnUpgrade>()),
            pattern: OnceLock::new(),
        });
        if let Some(reply) = https::refusal(&intake) {
            return Answer { reply, route: "-", last: !whole };
        }
        if self.settings.locked.load(Ordering::Relaxed) && !is_state(&intake) {
            let problem = Problem::new(Code::Unavailable).detail(SHUT);
            return Answer { reply: problem.into_response(), route: "-", last: !whole };
        }
        parts.uri = uri;
        parts.extensions.insert(Arc::clone(&intake));
        let request = Request::from_parts(parts, Empty::new());
        let reply = tokio::select! {
            reply = AssertUnwindSafe(async { (self.routes)(request).await }).catch_unwind() => reply.unwrap_or_else(|_| {
                // What it panicked with may hold content, so it goes nowhere.
                tracing::error!(route = intake.pattern.get(), "a handler panicked");
                Problem::new(Code::Internal).into_response()
            }),
            () = &mut deadline => Problem::new(Code::Busy).into_response(),
        };
        Answer { reply, route: intake.pattern.get().copied().unwrap_or("-"), last: !whole }
    }
}

/// Whether a request asks for the state of the box, which a shut one tells too.
fn is_state(intake: &Intake) -> bool {
    let path = intake.segments.as_deref().unwrap_or_default();
    matches!(path, [one] if ["healthz", "readyz", "metrics"].contains(&one.as_str()))
}

/// Reads a body and counts it, whatever its header says of its length. The flag: it was read to its end.
async fn take_in<B>(body: B, limit: usize, expects: bool) -> Result<(Result<Bytes, TooLarge>, bool), Broken>
where
    B: Body<Data = Bytes> + Send,
{
    let too_long = body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX);
    if too_long && expects {
        // The client waits for leave to send it, and is not given it.
        return Ok((Err(TooLarge), false));
    }
    let mut body = pin!(body);
    let mut bytes = BytesMut::new();
    let mut total = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Broken::Cut)?.into_data() else { continue };
        total = total.saturating_add(data.len());
        if total <= limit {
            bytes.extend_from_slice(&data);
        } else if total - limit > DISCARD {
            return Ok((Err(TooLarge), false));
        }
    }
    Ok((if total <= limit { Ok(bytes.freeze()) } else { Err(TooLarge) }, true))
}

/// Renders a refusal and sets the headers of every reply.
fn finish(reply: &mut Response, request_id: &str) {
    let refusal = Problem::take_from(reply).or_else(|| foreign_refusal(reply));
    if let Some(problem) = refusal {
        *reply = problem.render(request_id);
    }
    let headers = reply.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in HEADERS {
        headers.entry(*name).or_insert(HeaderValue::from_static(value));
    }
}

/// The problem for a refusal that is none of ours: warp's own are plain text.
fn foreign_refusal(reply: &Response) -> Option<Problem> {
    let status = reply.status();
    let kind = reply.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let ours = kind == PROBLEM_JSON.as_bytes() || kind.starts_with(b"application/json");
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    Some(Problem::new(match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        status if status.is_client_error() => Code::BadRequest,
        _ => Code::Internal,
    }))
}
