//! From the change log to central: which rows are due, what state that is in, and one step of sending.
//!
//! ```text
//!   change log ─entries after the cursor─▶ batch (rows read from one snapshot) ─▶ replication::Upstream
//!        ▲                                                                             │
//!        └──────────── acknowledged up to … ◀──────────── cursor moved with the rows ──┘
//! ```
//!
//! The cursor upstream is the truth; what the box remembers of it only tells what may be trimmed. No redb
//! transaction is held while the network is waited for. Must not know what a row means.

pub mod batch;
pub mod budget;
pub mod compare;
pub mod courier;
pub mod custody;
pub mod directives;
pub mod enrol;
pub mod escrow;
pub mod pace;
mod pipeline;
pub mod rebuild;
pub mod reconcile;
pub mod report;
pub mod revocation;
pub mod sender;
pub mod state;
pub mod verify;
mod walk;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, Notify};

/// What the rest of the box sees of replication.
#[derive(Debug, Default)]
pub struct Link {
    /// The account of its state.
    pub status: Arc<state::Status>,
    /// Makes the job go on at once: "sync now".
    pub wake: Notify,
    /// Held by the one comparison that is under way.
    pub(crate) comparing: Mutex<()>,
    /// The job sends: the box runs.
    running: AtomicBool,
}

impl Link {
    /// Whether the job sends by itself.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    /// From here on the job sends.
    pub fn run(&self) {
        self.running.store(true, Ordering::Relaxed);
    }
}
