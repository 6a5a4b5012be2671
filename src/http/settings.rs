//! The bounds of the HTTP side, in one place, so that tests can shorten them.
//!
//! Every default is the contract's or the design's. Must not know where settings come from.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::http::connections::Caps;

/// How the box serves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many connections there may be.
    pub caps: Caps,
    /// Largest body, in bytes (contract, section 1).
    pub body_limit: usize,
    /// Time for the head of a request, for a TLS handshake, and for an idle connection until the next request.
    pub header_timeout: Duration,
    /// Time for a request from its head to its answer; with the body limit it is the floor of the body's rate.
    pub request_deadline: Duration,
    /// How long a client may take nothing of what is written to it, sockets included.
    pub write_stall: Duration,
    /// Time for requests in flight and sockets to end when the box stops.
    pub drain_deadline: Duration,
    /// Reverse proxies whose forwarded headers count. Only loopback addresses are believed (security.md, rule 22).
    pub proxies: Vec<IpAddr>,
    /// Origins beside the box's own whose pages may open sockets, as in `https://owner.example`.
    pub origins: Vec<String>,
    /// Players may use plain HTTP on a port with TLS.
    pub plain_http: bool,
    /// Central has shut the box: nothing is served but its state.
    pub locked: Arc<AtomicBool>,
    /// The bounds of sockets.
    pub socket: SocketLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            caps: Caps::of_this_process(),
            body_limit: 64 * 1024,
            header_timeout: Duration::from_secs(10),
            request_deadline: Duration::from_secs(30),
            write_stall: Duration::from_secs(30),
            drain_deadline: Duration::from_secs(9),
            proxies: Vec::new(),
            origins: Vec::new(),
            plain_http: true,
            locked: Arc::default(),
            socket: SocketLimits::default(),
        }
    }
}

impl Settings {
    /// Whether a peer's forwarded headers count.
    #[must_use]
    pub fn believes(&self, peer: IpAddr) -> bool {
        peer.is_loopback() && self.proxies.contains(&peer)
    }
}

/// The bounds of one socket (contract, section 6).
#[derive(Debug, Clone, Copy)]
pub struct SocketLimits {
    /// Largest message, in bytes.
    pub message: usize,
    /// Most bytes that may wait for a client.
    pub queue: usize,
    /// Time between pings. A peer that answers nothing for two of them is dropped at the third, so that a dead
    /// one is gone within 60 s.
    pub ping_every: Duration,
    /// Time for a client to answer a close, and for a handler to end after its socket did.
    pub farewell: Duration,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            message: 16 * 1024,
            queue: 256 * 1024,
            ping_every: Duration::from_secs(18),
            farewell: Duration::from_secs(3),
        }
    }
}
