//! WebSockets: the base on which game and chat put their messages.
//!
//! A handler authenticates as on any route and ends in [`accept`]; what it passes in runs with a [`Session`] until
//! the socket is over. Reading, writing, pings, bounds and close codes are done here. The upgrade is our own, with
//! small buffers: warp's filter holds 134 KiB per idle socket, ours under 9 (docs/decisions/0028-sockets-and-peers.md).
//! Must not know a message's meaning.
//!
//! ```text
//!   client ──frames──▶ reader ──checked JSON──▶ Session::recv
//!   client ◀──frames── writer ◀──queue of at most 256 KiB── Session::send, Outbox::send
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

use crate::http::body;
use crate::http::problem::{Code, Problem};
use crate::http::reply::Response;
use crate::http::request::Req;

mod handshake;
mod pump;

/// Messages of a client that may wait for the handler; beyond it nothing more is read from that client.
const INBOX: usize = 8;

/// Why a socket ends (contract, section 6; RFC 6455, section 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// Nothing more to say.
    Done,
    /// The client broke the WebSocket protocol.
    Protocol,
    /// A binary message.
    Binary,
    /// Not UTF-8, not JSON, or no message of this socket.
    Malformed,
    /// A message of more than 16 KiB.
    TooLarge,
    /// The handler failed.
    Failed,
    /// The box stops.
    Restarting,
    /// The access token has expired.
    Expired,
    /// The session was revoked or the user suspended.
    Revoked,
    /// More waited for the client than it may leave waiting.
    TooSlow,
    /// A newer socket of the same player asked to be the only one.
    TakenOver,
}

impl Close {
    /// The code of the close frame.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Done => 1000,
            Self::Protocol => 1002,
            Self::Binary => 1003,
            Self::Malformed => 1007,
            Self::TooLarge => 1009,
            Self::Failed => 1011,
            Self::Restarting => 1012,
            Self::Expired => 4401,
            Self::Revoked => 4403,
            Self::TooSlow => 4408,
            Self::TakenOver => 4409,
        }
    }

    /// The reason in the close frame.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Protocol => "protocol error",
            Self::Binary => "text only",
            Self::Malformed => "malformed message",
            Self::TooLarge => "message too large",
            Self::Failed => "internal error",
            Self::Restarting => "restarting",
            Self::Expired => "token expired",
            Self::Revoked => "session revoked",
            Self::TooSlow => "too slow",
            Self::TakenOver => "taken over",
        }
    }

    /// Whether what waits for the client is still worth sending.
    const fn orderly(self) -> bool {
        matches!(self, Self::Done | Self::Restarting | Self::Malformed | Self::Failed | Self::TakenOver)
    }
}

/// Opens the socket that `req` asks for and runs `run` with it in a task of its own.
///
/// The caller has authenticated `user`, whose token is good for another `expires_in`: then the socket closes with
/// 4401. Whatever `run` still does after [`Session::recv`] gave `None` has a few seconds.
///
/// # Errors
/// `foreign_origin` for a page of another origin, `upgrade_required` and `bad_handshake` for what is no WebSocket
/// handshake of version 13, `too_many_connections` past the user's 16.
pub fn accept<F, Fut>(req: &Req, user: &impl fmt::Display, expires_in: Duration, run: F) -> Result<Response, Problem>
where
    F: FnOnce(Session) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let handshake = handshake::check(req)?;
    let intake = req.intake();
    let connection = &intake.connection;
    if !connection.may_stay(&user.to_string()) {
        return Err(Problem::new(Code::TooManyConnections));
    }
    let upgrade = intake.upgrade.lock().unwrap_or_else(PoisonError::into_inner).take();
    let upgrade = upgrade.ok_or_else(|| Problem::new(Code::UpgradeRequired))?;
    let limits = intake.settings.socket;
    let outbox = Outbox(Arc::new(Shared { limit: limits.queue, state: Mutex::default(), wake: Notify::new() }));
    let (inbox, waiting) = mpsc::channel(INBOX);
    let session = Session { inbox: waiting, outbox: outbox.clone() };
    let pump = pump::Pump { limits, expires_in, outbox, inbox, stop: connection.stop().clone() };
    let cut = connection.cut().clone();
    let busy = connection.begin_socket();
    let (request_id, route) = (Arc::clone(&intake.request_id), intake.pattern.get().copied().unwrap_or("-"));
    connection.tasks().spawn(async move {
        let Ok(stream) = upgrade.await else { return };
        let ended = tokio::select! {
            ended = pump.run(stream, Box::pin(run(session))) => ended,
            () = cut.cancelled() => Some(Close::Restarting),
        };
        tracing::info!(%request_id, route, code = ended.map(Close::code), "socket closed");
        drop(busy);
    });
    Ok(switching(&handshake))
}

fn switching(handshake: &handshake::Handshake) -> Response {
    let mut reply = Response::new(String::new().into());
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, handshake.accept.clone());
    if let Some(protocol) = handshake.protocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    reply
}

/// An open socket, as its handler sees it. Dropping it closes the socket with 1000.
#[derive(Debug)]
pub struct Session {
    inbox: mpsc::Receiver<ClientText>,
    outbox: Outbox,
}

impl Session {
    /// The client's next message; `None` once the socket is over. May be used in a `select!`: no message is lost
    /// when it is dropped.
    pub async fn recv(&mut self) -> Option<ClientText> {
        self.inbox.recv().await
    }

    /// Queues a message for the client. Never waits: a client that takes nothing is dropped with 4408.
    pub fn send<T: Serialize + ?Sized>(&self, message: &T) {
        self.outbox.send(message);
    }

    /// Asks for the socket's end; [`Session::recv`] gives `None` soon after.
    pub fn close(&self, why: Close) {
        self.outbox.close(why);
    }

    /// A handle with which others may send and close.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }
}

/// A message of a client: a JSON object. What it says is parsed by whoever knows the messages.
#[derive(Debug, Clone)]
pub struct ClientText(Box<Value>);

impl ClientText {
    /// The message as a type.
    ///
    /// # Errors
    /// 422 that names the field which does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        body::from_value(Value::clone(&self.0))
    }

    /// Its `type`; empty where it has none.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.get("type").and_then(Value::as_str).unwrap_or("")
    }

    /// Its `ref`, which the answer repeats: a text or a number.
    #[must_use]
    pub fn reference(&self) -> Option<&Value> {
        self.0.get("ref").filter(|reference| reference.is_string() || reference.is_number())
    }
}

/// What waits for a client. All copies are of one socket.
#[derive(Debug, Clone)]
pub struct Outbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    state: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Message>,
    bytes: usize,
    ending: Option<Close>,
}

impl Outbox {
    /// Queues a message; as [`Session::send`].
    pub fn send<T: Serialize + ?Sized>(&self, message: &T) {
        match serde_json::to_string(message) {
            Ok(text) => self.send_text(text.into()),
            Err(error) => {
                tracing::error!(%error, "a message could not be written as JSON");
                self.close(Close::Failed);
            }
        }
    }

    /// Queues JSON that is text already, so that one text can go to many sockets.
    pub fn send_text(&self, text: Utf8Bytes) {
        self.push(Message::Text(text));
    }

    /// Asks for the socket's end. The first reason stands.
    pub fn close(&self, why: Close) {
        self.state().ending.get_or_insert(why);
        self.0.wake.notify_waiters();
    }

    /// The socket is over or about to be: nothing more is queued.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state().ending.is_some()
    }

    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, message: Message) {
        let mut state = self.state();
        if state.ending.is_some() {
            return;
        }
        state.bytes = state.bytes.saturating_add(message.len());
        if state.bytes > self.0.limit {
            state.ending = Some(Close::TooSlow);
        } else {
            state.queue.push_back(message);
        }
        drop(state);
        self.0.wake.notify_waiters();
    }

    fn ping(&self) {
        self.push(Message::Ping(Bytes::new()));
    }

    /// The next message if one waits.
    fn pop(&self) -> Option<Message> {
        let mut state = self.state();
        let message = state.queue.pop_front();
        state.bytes = state.bytes.saturating_sub(message.as_ref().map_or(0, Message::len));
        message
    }

    /// The next message, when there is one.
    async fn next(&self) -> Message {
        loop {
            let woken = self.0.wake.notified();
            if let Some(message) = self.pop() {
                return message;
            }
            woken.await;
        }
    }

    /// Why the socket was asked to end, once it was.
    async fn ending(&self) -> Close {
        loop {
            let woken = self.0.wake.notified();
            if let Some(why) = self.state().ending {
                return why;
            }
            woken.await;
        }
    }
}
