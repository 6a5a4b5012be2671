//! Every byte that a player receives: recorded below HTTP and WebSocket, and taken apart again without their help.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection whose incoming bytes are kept.
pub(crate) struct Tap {
    stream: TcpStream,
    got: Recording,
}

/// The bytes that came in over one connection.
#[derive(Clone, Default)]
pub(crate) struct Recording(Arc<Mutex<Vec<u8>>>);

impl Tap {
    pub(crate) fn new(stream: TcpStream) -> (Self, Recording) {
        let got = Recording::default();
        (Self { stream, got: got.clone() }, got)
    }
}

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = to.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, to);
        self.got.0.lock().unwrap().extend_from_slice(&to.filled()[before..]);
        done
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What an exchange was about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// A frame of the match's socket.
    Frame,
    /// The opening of that socket.
    Open,
    /// A GET of this part of the match; empty is the match itself.
    Get(&'static str),
    /// The own live matches.
    List,
    /// An action.
    Play(Value),
    /// Readiness.
    Ready,
}

/// One thing that a player received.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) asked: Asked,
    /// Where the match was when it was asked for.
    pub(crate) seq: u64,
    /// Of a reply; none of a frame.
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

/// A connection's bytes, and what was asked over it.
pub(crate) struct Taken {
    pub(crate) asked: Asked,
    pub(crate) seq: u64,
    pub(crate) bytes: Recording,
}

impl Taken {
    /// Everything in it. No byte is left over.
    pub(crate) fn documents(&self) -> Vec<Document> {
        let bytes = self.bytes.0.lock().unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head") + 4;
        let (head, mut rest) = (std::str::from_utf8(&bytes[..end - 4]).unwrap(), &bytes[end..]);
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").expect("a header")).map(|(n, v)| (n.into(), v.into()));
        let mut first = Document {
            asked: self.asked.clone(),
            seq: self.seq,
            status,
            headers: headers.collect(),
            text: String::new(),
        };
        if status != 101 {
            first.text = String::from_utf8(rest.to_vec()).unwrap();
            return vec![first];
        }
        let mut all = vec![first];
        while !rest.is_empty() {
            let (opcode, payload, after) = frame(rest);
            match opcode {
                1 => all.push(Document {
                    asked: Asked::Frame,
                    seq: self.seq,
                    status: 0,
                    headers: vec![],
                    text: String::from_utf8(payload.to_vec()).unwrap(),
                }),
                // A ping, a pong or a goodbye carries nothing, or a code and its fixed reason.
                9 | 10 => assert!(payload.is_empty()),
                8 => assert!(payload.len() <= 2 + 16, "{payload:?}"),
                other => panic!("a frame of kind {other}"),
            }
            rest = after;
        }
        all
    }
}

/// The first frame: its kind, what it carries, and the bytes behind it (RFC 6455, section 5.2).
fn frame(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
    assert_eq!((bytes[0] & 0xf0, bytes[1] & 0x80), (0x80, 0), "a whole frame, not masked");
    let (start, length) = match bytes[1] {
        126 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes[2..10].try_into().unwrap())).unwrap()),
        short => (2, usize::from(short)),
    };
    (bytes[0] & 0x0f, &bytes[start..start + length], &bytes[start + length..])
}
