//! What can go wrong upstream, named by what the caller can do about it, and how PostgreSQL's errors become that.
//!
//! Must not know what was being sent. No reason ever carries a password, a value of a row or an unbounded text of the server.

use std::error::Error as StdError;
use std::io;

use crate::row::{Cursor, Refusal};

/// The longest text of a server that is passed on, in characters; a hostile one may send megabytes.
const MAX_REASON: usize = 300;

/// What can go wrong upstream.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Central cannot be reached. Nothing was applied; try again after a back-off.
    #[error("central cannot be reached: {reason}")]
    Unreachable {
        /// What failed.
        reason: String,
    },
    /// Central answered but cannot do it now: disk full, too many connections, a lock. Nothing was applied; try again after a back-off.
    #[error("central cannot do it now: {reason}")]
    Busy {
        /// What it said.
        reason: String,
    },
    /// The answer was lost after everything had been sent: it is applied or it is not. Ask the cursor.
    #[error("the answer was lost: {reason}")]
    Unknown {
        /// What failed.
        reason: String,
    },
    /// The lane does not stand where the batch starts. Nothing was applied; [`crate::fence::judge`] says what to do.
    #[error("the lane stands at {cursor:?} upstream")]
    Elsewhere {
        /// Where it stands.
        cursor: Cursor,
    },
    /// Central refuses these rows however often they are sent. Nothing was applied; list them as dead letters, then send
    /// [`crate::row::Batch::without`] them.
    #[error("central refuses {} of the rows", .0.len())]
    Refused(Vec<Refusal>),
    /// Central's schema is older than this program needs: `upstream migrate` must run.
    #[error("central has schema {central}, this program needs {needs}")]
    SchemaTooOld {
        /// The version there; 0 is none.
        central: i64,
        /// The version needed.
        needs: i64,
    },
    /// Central no longer takes, or was migrated past, this program's version: the program must be updated.
    #[error("central is newer: it asks for schema {central}, this program has {ours}")]
    SchemaTooNew {
        /// The version there.
        central: i64,
        /// The version of this program.
        ours: i64,
    },
    /// Wrong password, or the box is not enrolled or was revoked. Nothing helps but central's operator.
    #[error("central does not let us in: {reason}")]
    NotAllowed {
        /// What it said.
        reason: String,
    },
    /// The server could not prove who it is: wrong certificate or name, no TLS, no channel binding. Nothing was sent.
    #[error("central could not prove its identity: {reason}")]
    Untrusted {
        /// What did not fit.
        reason: String,
    },
    /// The settings of the connection cannot be used as they are.
    #[error("the upstream settings cannot be used: {reason}")]
    Settings {
        /// What is wrong with them.
        reason: String,
    },
    /// More than one batch may carry; the caller must split it.
    #[error("the batch has {bytes} bytes, allowed are {allowed}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        allowed: usize,
    },
    /// Central behaved as no central of ours does: a mistake in one of the two programs.
    #[error("central gave an answer that makes no sense: {reason}")]
    Broken {
        /// What it said.
        reason: String,
    },
}

/// How the reason of an error begins where a connection stands and nothing comes back on it.
pub(crate) const SILENT: &str = "no answer within";

impl Error {
    /// The name of what went wrong, the same for good: what a state of replication is called by beside its sentence.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unreachable { reason } | Self::Unknown { reason } if reason.starts_with(SILENT) => "silent",
            Self::Unreachable { .. } => "unreachable",
            Self::Unknown { .. } => "answer_lost",
            Self::Busy { reason } if reason.contains("SQLSTATE 53100") => "disk_full",
            Self::Busy { .. } => "busy",
            Self::Elsewhere { .. } => "elsewhere",
            Self::Refused(_) => "refused",
            Self::SchemaTooOld { .. } => "schema_too_old",
            Self::SchemaTooNew { .. } => "schema_too_new",
            Self::NotAllowed { .. } => "not_allowed",
            Self::Untrusted { .. } => "untrusted",
            Self::Settings { .. } => "settings",
            Self::TooLarge { .. } => "too_large",
            Self::Broken { .. } => "broken",
        }
    }
}

/// When an error came, which decides what a cut connection means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before anything that changes data was sent.
    Before,
    /// After a COMMIT may have been sent.
    Sent,
}

/// Sorts an error of the driver.
pub(crate) fn sort(error: &tokio_postgres::Error, moment: Moment) -> Error {
    let reason = explain(error);
    let lost = |reason| match moment {
        Moment::Before => Error::Unreachable { reason },
        Moment::Sent => Error::Unknown { reason },
    };
    let Some(code) = error.code().map(tokio_postgres::error::SqlState::code) else {
        return match sort_unsaid(error) {
            Unsaid::Untrusted => Error::Untrusted { reason },
            Unsaid::Lost => lost(reason),
        };
    };
    match code {
        "WB001" | "42501" | "3D000" => Error::NotAllowed { reason },
        // The backend was told to go, or the server is coming up or down.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => lost(reason),
        "25006" | "57014" => Error::Busy { reason },
        _ => match code.get(..2).unwrap_or_default() {
            "28" => Error::NotAllowed { reason },
            "08" => lost(reason),
            // Out of disk, memory, connections or locks; deadlocks and serialisation; the server's own I/O.
            "53" | "55" | "40" | "58" => Error::Busy { reason },
            _ => Error::Broken { reason },
        },
    }
}

/// Whether the server says that the data itself cannot be held.
pub(crate) fn refuses_data(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| {
        let code = state.code();
        // Data exceptions, constraint violations, program limits (an index entry too long), our own append-only rule.
        matches!(code.get(..2), Some("22" | "23" | "54")) || code == "WB004"
    })
}

/// Whether the server says that the schema it is asked for is not there.
pub(crate) fn lacks_schema(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| matches!(state.code(), "3F000" | "42883" | "42P01"))
}

/// Whether the lane stood elsewhere when the batch was to be opened.
pub(crate) fn stands_elsewhere(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| state.code() == "WB002")
}

enum Unsaid {
    Untrusted,
    Lost,
}

/// Sorts an error in which the server said nothing: the network's, TLS's, or the end of the handshake on our side.
fn sort_unsaid(error: &tokio_postgres::Error) -> Unsaid {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = next {
        let inner = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if current.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return Unsaid::Untrusted;
        }
        next = current.source();
    }
    let text = explain(error);
    if text.contains("server does not support TLS") || text.starts_with("authentication error") {
        return Unsaid::Untrusted;
    }
    Unsaid::Lost
}

/// The chain of causes as one line. A server's DETAIL is left out because it quotes values.
pub(crate) fn explain(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return clean(&format!("{} (SQLSTATE {})", said.message(), said.code().code()));
    }
    chain(error)
}

/// The chain of causes of any error as one line.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some errors print their cause themselves.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    clean(&text)
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON).collect()
}
