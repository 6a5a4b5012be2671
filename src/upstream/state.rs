//! The state of replication, with a name, a reason and advice for every state that is not `live`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use replication::error::Error;
use replication::fence::Fence;

use crate::base::time::Timestamp;
use crate::upstream::budget::Bulk;

/// The name of the state (contract, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The box was never enrolled.
    Disabled,
    /// Central cannot be reached: a normal state for months.
    Offline,
    /// Central has not got everything yet.
    CatchingUp,
    /// Central has everything.
    Live,
    /// Sending on could destroy what another copy of this box has written.
    Fenced,
    /// Central can be reached and nothing moves: somebody must act.
    Stalled,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Offline => "offline",
            Self::CatchingUp => "catching_up",
            Self::Live => "live",
            Self::Fenced => "fenced",
            Self::Stalled => "stalled",
        }
    }
}

/// What replication knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The state.
    pub state: State,
    /// Why, in one sentence; none while live. A stall's begins with its name.
    pub reason: Option<String>,
    /// The name of what central or the line does wrong, if that is why.
    pub cause: Option<&'static str>,
    /// What to do, in one sentence; none while live.
    pub advice: Option<String>,
    /// When central last confirmed anything.
    pub last_sync_at: Option<Timestamp>,
    /// The last failure, also after it was overcome.
    pub last_error: Option<String>,
    /// Central's clock less ours at the last contact, in microseconds.
    pub clock_skew: Option<i64>,
    /// Central does not let this login in.
    pub locked_out: bool,
}

/// The shared account of [`Known`].
#[derive(Debug)]
pub struct Status(Mutex<Known>, [AtomicU64; BatchResult::ALL.len()]);

/// What became of a batch that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchResult {
    /// Central has it.
    Applied,
    /// Central refused rows of it.
    Refused,
    /// It was not sent whole, or its answer was lost.
    Failed,
}

impl BatchResult {
    /// Each.
    pub const ALL: [Self; 3] = [Self::Applied, Self::Refused, Self::Failed];

    /// Its name in figures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl Default for Status {
    fn default() -> Self {
        let (reason, advice) =
            words("This box is not linked to a central database.", "To link it, run: whotbox upstream enroll.");
        let known = Known {
            state: State::Disabled,
            reason,
            cause: None,
            advice,
            last_sync_at: None,
            last_error: None,
            clock_skew: None,
            locked_out: false,
        };
        Self(Mutex::new(known), Default::default())
    }
}

fn words(reason: &str, advice: &str) -> (Option<String>, Option<String>) {
    (Some(reason.into()), Some(advice.into()))
}

impl Status {
    /// What is known now.
    #[must_use]
    pub fn known(&self) -> Known {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Batches since the start, by what became of them.
    #[must_use]
    pub fn batches(&self) -> [(BatchResult, u64); BatchResult::ALL.len()] {
        BatchResult::ALL.map(|result| (result, self.1.get(result as usize).map_or(0, |n| n.load(Ordering::Relaxed))))
    }

    pub(crate) fn sent(&self, result: BatchResult) {
        if let Some(count) = self.1.get(result as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn set(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.state;
        known.cause = None;
        change(&mut known);
        if known.state != before {
            tracing::info!(
                from = before.name(),
                to = known.state.name(),
                reason = known.reason,
                "replication changed its state"
            );
        }
    }

    pub(crate) fn disabled(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Self::default().known();
    }

    /// The box was enrolled: whatever central had before, everything is still to be sent.
    pub(crate) fn begun(&self) {
        self.set(|known| {
            known.state = State::CatchingUp;
            (known.reason, known.advice) =
                words("Everything is still to be sent.", "Nothing to do: it goes on by itself.");
        });
    }

    pub(crate) fn synced(&self, at: Timestamp, waiting: u64) {
        self.set(|known| {
            known.last_sync_at = Some(at);
            if waiting == 0 {
                known.state = State::Live;
                (known.reason, known.advice) = (None, None);
            } else {
                known.state = State::CatchingUp;
                (known.reason, known.advice) =
                    words(&format!("{waiting} changes are still to be sent."), "Nothing to do: it goes on by itself.");
            }
        });
    }

    /// Central has what is urgent; the rest waits for what the owner allows.
    pub(crate) fn held_back(&self, at: Timestamp, waiting: u64, why: Bulk) {
        if waiting == 0 {
            return self.synced(at, 0);
        }
        let (name, what) = match why {
            Bulk::WaitsForHours(_) => ("waits_for_hours", "the hours that upstream_hours allows"),
            Bulk::WaitsForBudget(_) | Bulk::Goes(_) => ("waits_for_budget", "the bandwidth that upstream_kbit allows"),
        };
        let minutes = why.waits().map_or(0, |wait| wait.as_secs().div_ceil(60));
        self.set(|known| {
            known.last_sync_at = Some(at);
            known.state = State::CatchingUp;
            (known.reason, known.advice) = words(
                &format!("{name}: {waiting} changes wait for {what}, another {minutes} minutes; what is urgent is sent at once."),
                "Nothing to do: it goes on by itself. To send now, change the setting.",
            );
        });
    }

    /// Central was heard, by an acknowledgement that was brought: at the time that central gave it.
    pub(crate) fn brought(&self, at: Timestamp) {
        self.set(|known| known.last_sync_at = known.last_sync_at.max(Some(at)));
    }

    pub(crate) fn greeted(&self, skew: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clock_skew = Some(skew);
    }

    pub(crate) fn fenced(&self, fence: &Fence) {
        self.set(|known| {
            known.state = State::Fenced;
            (known.reason, known.advice) = words(&format!("{}: {fence}.", fence.name()), fence.advice());
        });
    }

    pub(crate) fn stalled(&self, reason: &str, advice: &str) {
        self.set(|known| {
            known.state = State::Stalled;
            known.last_error = Some(reason.into());
            (known.reason, known.advice) = words(reason, advice);
        });
    }

    pub(crate) fn failed(&self, error: &Error) {
        let (state, advice) = judge(error);
        self.set(|known| {
            known.state = state;
            known.locked_out = matches!(error, Error::NotAllowed { .. });
            known.cause = Some(error.name());
            known.last_error = Some(error.to_string());
            (known.reason, known.advice) = words(&format!("{}: {error}", error.name()), advice);
        });
    }
}

/// The state an error means, and what to do.
fn judge(error: &Error) -> (State, &'static str) {
    match error {
        Error::Unreachable { .. } | Error::Unknown { .. } if error.name() == "silent" => (
            State::Offline,
            "Nothing to do here: central is tried again. Its operator should see whether its server hangs; if not, the line drops what it takes.",
        ),
        Error::Unreachable { .. } | Error::Unknown { .. } => {
            (State::Offline, "Nothing to do: play goes on, and sending resumes when central can be reached.")
        }
        Error::Busy { .. } => (
            State::Offline,
            "Nothing to do here: central is asked again. Its operator should look at its disk and connections.",
        ),
        Error::Elsewhere { .. } => (State::CatchingUp, "Nothing to do: the cursor is asked for."),
        Error::Refused(_) => (State::CatchingUp, "The refused rows are listed as dead letters; all others go on."),
        Error::SchemaTooOld { .. } => (State::Stalled, "Have central's operator run: whotbox upstream migrate."),
        Error::SchemaTooNew { .. } => (State::Stalled, "Update whotbox on this box."),
        Error::NotAllowed { .. } => (
            State::Stalled,
            "Enrol this box again: whotbox upstream enroll. If it was revoked, ask central's operator.",
        ),
        Error::Untrusted { .. } => {
            (State::Stalled, "Check central's address and give its CA with --upstream-ca; somebody may be in between.")
        }
        Error::Settings { .. } => (State::Stalled, "Correct the upstream setting, or enrol this box again."),
        Error::TooLarge { .. } | Error::Broken { .. } => {
            (State::Stalled, "This is a mistake in the software: report it with this message.")
        }
    }
}
