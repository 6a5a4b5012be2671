//! The name of the box on its network: multicast DNS (RFC 6762) and the services under it (RFC 6763).
//!
//! ```text
//!   socket of each network ──▶ wire: bytes to questions and records ──▶ responder: what to say, and when
//! ```
//!
//! Must not know who chose the name, nor what is served under it.

pub mod net;
pub mod responder;
pub mod wire;

use std::sync::{Mutex, PoisonError};

/// How far the box has come with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// No name is wanted.
    #[default]
    Off,
    /// No network that could be asked.
    NoNetwork,
    /// The system gives no socket.
    Refused,
    /// It asks whether somebody else has it.
    Claiming,
    /// It answers for it.
    Held,
    /// Every name that it tried is somebody else's.
    Taken,
}

/// The ports that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ports {
    /// Of plain HTTP.
    pub http: Option<u16>,
    /// Of HTTPS.
    pub https: Option<u16>,
}

/// What is known of the name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// What was wanted, without `.local`.
    pub wanted: String,
    /// What it is, with a number where another has what was wanted.
    pub label: String,
    /// How far it has come.
    pub state: State,
    /// What is served there.
    pub ports: Ports,
}

impl Known {
    /// The host that clients may ask for; `None` where no name is wanted.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        (self.state != State::Off).then(|| format!("{}.local", self.label))
    }

    /// The address for people, while the box answers for it.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        self.coming_url().filter(|_| self.state == State::Held)
    }

    /// The address for people once the box answers for it. Players need no certificate where plain HTTP is served.
    #[must_use]
    pub fn coming_url(&self) -> Option<String> {
        let plain = self.ports.http.and_then(|port| self.at("http", 80, port));
        plain.or_else(|| self.at("https", 443, self.ports.https?))
    }

    /// The address for who trusts the box's certificate, while the box answers for it.
    #[must_use]
    pub fn https_url(&self) -> Option<String> {
        self.at("https", 443, self.ports.https?).filter(|_| self.state == State::Held)
    }

    fn at(&self, scheme: &str, usual: u16, port: u16) -> Option<String> {
        let host = self.host()?;
        Some(if port == usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") })
    }
}

/// The one place where everybody learns the name.
#[derive(Debug, Default)]
pub struct Status(Mutex<Known>);

impl Status {
    /// Of a name that is wanted, before anybody was asked.
    #[must_use]
    pub fn wanting(label: Option<String>) -> Self {
        let state = if label.is_some() { State::Claiming } else { State::Off };
        let label = label.unwrap_or_default();
        Self(Mutex::new(Known { wanted: label.clone(), label, state, ports: Ports::default() }))
    }

    /// What is known.
    #[must_use]
    pub fn known(&self) -> Known {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes it; whether it is news.
    pub fn note(&self, known: Known) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *held != known;
        *held = known;
        news
    }
}
