//! What moves between a client and its session: reader, writer, heartbeat, and the farewell.
//!
//! All of it is one task, so an idle socket costs its buffers and little else. Every part is safe to drop at an
//! await: what it holds is in the queue, in the channel or in the stream.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use crate::http::settings::SocketLimits;
use crate::http::socket::{ClientText, Close, Outbox};

type Stream = WebSocketStream<TokioIo<Upgraded>>;

/// Bytes that are read at once: a move fits, more comes in parts. The buffer is held by every idle socket.
const READ_BUFFER: usize = 1024;
/// Bytes that are gathered before they are written. The buffer grows to what is written, so it is small where little is.
const WRITE_BUFFER: usize = 4 * 1024;
/// Pings without any answer after which the peer is dead.
const UNANSWERED: u32 = 2;
/// Bytes of a client that are thrown away while it takes its close frame.
const LATE: u64 = 1024 * 1024;

/// All that one socket needs to run.
pub(super) struct Pump {
    pub(super) limits: SocketLimits,
    pub(super) expires_in: Duration,
    pub(super) outbox: Outbox,
    pub(super) inbox: mpsc::Sender<ClientText>,
    pub(super) stop: CancellationToken,
}

impl Pump {
    /// Runs the socket to its end. `None`: the client went, or is dead.
    pub(super) async fn run(self, stream: Upgraded, handler: impl Future<Output = ()>) -> Option<Close> {
        let Self { limits, expires_in, outbox, inbox, stop } = self;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(limits.message))
            .max_frame_size(Some(limits.message));
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, Some(config)).await;
        let (mut sink, mut stream) = socket.split();
        let alive = AtomicBool::new(true);
        let mut handler = pin!(AssertUnwindSafe(handler).catch_unwind().fuse());
        let mut handled = false;
        let ended = {
            let mut reader = pin!(read(&mut stream, inbox, &alive));
            tokio::select! {
                biased;
                why = outbox.ending() => Some(why),
                () = stop.cancelled() => Some(Close::Restarting),
                () = tokio::time::sleep(expires_in) => Some(Close::Expired),
                why = &mut reader => why,
                () = write(&mut sink, &outbox) => None,
                () = heartbeat(limits.ping_every, &alive, &outbox) => None,
                done = &mut handler => {
                    handled = true;
                    Some(closing(done.is_ok(), &outbox))
                }
            }
            // The reader is dropped here and the channel with it: the session's `recv` gives `None`.
        };
        outbox.close(ended.unwrap_or(Close::Done));
        let farewell = async {
            if let Some(why) = ended {
                Box::pin(bid_farewell(sink, stream, why, &outbox)).await;
            }
        };
        let rest = async {
            if !handled && handler.await.is_err() {
                tracing::error!("a socket's handler panicked");
            }
        };
        let _ =
            tokio::join!(tokio::time::timeout(limits.farewell, farewell), tokio::time::timeout(limits.farewell, rest));
        ended
    }
}

/// The reason that a handler left behind.
fn closing(done: bool, outbox: &Outbox) -> Close {
    if !done {
        tracing::error!("a socket's handler panicked");
        return Close::Failed;
    }
    outbox.ending().now_or_never().unwrap_or(Close::Done)
}

/// Reads until the socket must end. Reads on only where the handler has room for a message.
async fn read(stream: &mut SplitStream<Stream>, inbox: mpsc::Sender<ClientText>, alive: &AtomicBool) -> Option<Close> {
    loop {
        alive.store(true, Ordering::Relaxed);
        let Ok(place) = inbox.reserve().await else { return std::future::pending().await };
        let message = loop {
            match stream.next().await {
                Some(Ok(Message::Text(text))) => break text,
                Some(Ok(Message::Binary(_))) => return Some(Close::Binary),
                // The answer to a ping or a close is queued below us and leaves with the next read or write.
                Some(Ok(_)) => alive.store(true, Ordering::Relaxed),
                Some(Err(Error::Capacity(_))) => return Some(Close::TooLarge),
                Some(Err(Error::Utf8(_))) => return Some(Close::Malformed),
                Some(Err(Error::Protocol(_))) => return Some(Close::Protocol),
                Some(Err(_)) | None => return None,
            }
        };
        match serde_json::from_str::<Value>(&message) {
            Ok(value) if value.is_object() => place.send(ClientText(Box::new(value))),
            _ => return Some(Close::Malformed),
        }
    }
}

/// Writes what waits, one message at a time, so that no more than one is in the buffer below. Ends when the client
/// is gone.
async fn write(sink: &mut SplitSink<Stream, Message>, outbox: &Outbox) {
    loop {
        let message = outbox.next().await;
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

/// Pings, and ends when a peer has answered nothing for too long.
async fn heartbeat(every: Duration, alive: &AtomicBool, outbox: &Outbox) {
    let mut unanswered = 0;
    while unanswered < UNANSWERED {
        tokio::time::sleep(every).await;
        unanswered = if alive.swap(false, Ordering::Relaxed) { 0 } else { unanswered + 1 };
        outbox.ping();
    }
}

/// Sends what is still worth it and the close frame, then takes in what the client still sends: a stream that is
/// closed with unread bytes is reset, and the client would never see why.
async fn bid_farewell(mut sink: SplitSink<Stream, Message>, stream: SplitStream<Stream>, why: Close, outbox: &Outbox) {
    while let Some(message) = outbox.pop() {
        if why.orderly() && sink.send(message).await.is_err() {
            return;
        }
    }
    let frame = CloseFrame { code: CloseCode::from(why.code()), reason: why.reason().into() };
    if sink.send(Message::Close(Some(frame))).await.is_err() {
        return;
    }
    let Ok(mut socket) = stream.reunite(sink) else { return };
    let raw = socket.get_mut();
    if raw.shutdown().await.is_ok() {
        let _ = tokio::io::copy(&mut raw.take(LATE), &mut tokio::io::sink()).await;
    }
}
