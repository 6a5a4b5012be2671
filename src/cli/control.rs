//! What the command line can ask of a box, running or stopped, and how the box does it.
//!
//! One list of requests serves both ways: over the admin socket of the running box, or directly on a stopped
//! one. Must not know which.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use replication::admin::Admin;
use replication::error::Error as Central;
use replication::settings::Settings;

use crate::app::App;
use crate::base::certificate::fingerprint;
use crate::base::durable;
use crate::base::secret::Secret;
use crate::chat::service::Gate;
use crate::cli::backup::{self, BackupRequest};
use crate::cli::chat::{self, ChatRequest};
use crate::cli::courier::{self, CourierRequest};
use crate::cli::sync::{self, SyncRequest};
use crate::cli::{moving, support};
use crate::doctor::{Severity, authority, checks, examine};
use crate::jobs::backup::last_good;
use crate::jobs::compaction;
use crate::moving::desk::Step;
use crate::store::fault::Fault;
use crate::store::locked;
use crate::upstream::enrol::{self, EnrolError};
use crate::upstream::{Link, report, revocation};

/// A request of the command line.
#[derive(Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Request {
    /// What state the box is in.
    Status,
    /// What is wrong with it.
    Doctor,
    /// What a support bundle has of it.
    Support,
    /// Compact its store.
    Compact,
    /// The settings that it was started with.
    Settings,
    /// Make this box's login at central.
    Enroll {
        /// Central's operator's login.
        admin_url: String,
        /// PEM file of a private CA.
        ca: Option<PathBuf>,
        /// The box's name for people.
        name: String,
    },
    /// Make a login that was issued elsewhere this box's.
    EnrollByCode {
        /// The code.
        code: String,
    },
    /// Give this box's login another password.
    RotateLogin,
    /// Make an account.
    UserAdd {
        /// Its name.
        username: String,
        /// `admin`, `distributor` or `moderator`.
        role: String,
        /// A distributor's shown name.
        alias: Option<String>,
        /// Its password; made up and shown where there is none.
        password: Option<String>,
    },
    /// List accounts.
    UserList {
        /// Of one role alone.
        role: Option<String>,
    },
    /// Suspend an account, or let it in again.
    UserSuspend {
        /// Whose.
        username: String,
        /// False lets it in again.
        suspended: bool,
    },
    /// Give an account a temporary password.
    UserResetPassword {
        /// Whose.
        username: String,
    },
    /// Something about replication.
    Sync {
        /// What.
        what: SyncRequest,
    },
    /// Something about couriers.
    Courier {
        /// What.
        what: CourierRequest,
    },
    /// Something about backups.
    Backup {
        /// What.
        what: BackupRequest,
    },
    /// Something about the chat's keys or the audit trail.
    Chat {
        /// What.
        what: ChatRequest,
    },
    /// A step of an import.
    Import {
        /// Which.
        step: Step,
    },
    /// Give out the box's data.
    Export {
        /// A new folder.
        folder: PathBuf,
        /// CSV, or else JSON Lines.
        csv: bool,
        /// The owner's Fernet key, in base64.
        key: String,
        /// Why.
        reason: String,
    },
}

/// A failure in a sentence, a hint, and the exit code (contract, section 8).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// 1 failed, 2 wrong usage, 3 could not reach what it needs.
    pub exit: u8,
    /// What went wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Failure {
    /// A failure to do it.
    #[must_use]
    pub fn failed(message: impl ToString, hint: &str) -> Self {
        Self { exit: 1, message: message.to_string(), hint: hint.into() }
    }

    /// A wrong use of the command.
    #[must_use]
    pub fn usage(message: impl ToString, hint: &str) -> Self {
        Self { exit: 2, message: message.to_string(), hint: hint.into() }
    }

    /// A failure to reach what it needs.
    #[must_use]
    pub fn unreachable(message: impl ToString, hint: &str) -> Self {
        Self { exit: 3, message: message.to_string(), hint: hint.into() }
    }

    /// What central's refusal means here.
    #[must_use]
    pub fn central(error: &Central) -> Self {
        match error {
            Central::Unreachable { .. } | Central::Busy { .. } | Central::Unknown { .. } => {
                Self::unreachable(error, "Check the address and the network, then run it again.")
            }
            Central::Untrusted { .. } => {
                Self::unreachable(error, "Give the CA of central's certificate with --upstream-ca FILE.")
            }
            Central::NotAllowed { .. } => {
                Self::failed(error, "Use a login that owns the database and may create roles (CREATEROLE).")
            }
            Central::SchemaTooOld { .. } => Self::failed(error, "Run: whotbox upstream migrate --admin-url …"),
            Central::SchemaTooNew { .. } => Self::failed(error, "Install the newer whotbox."),
            Central::Settings { .. } => {
                Self::usage(error, "An address looks like postgres://user:password@host:5432/database.")
            }
            Central::Elsewhere { .. } | Central::Refused(_) | Central::TooLarge { .. } | Central::Broken { .. } => {
                Self::failed(error, "Report this with the message above.")
            }
        }
    }
}

/// Does a request on an open box.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn perform(app: &Arc<App>, link: &Arc<Link>, request: Request) -> Result<Value, Failure> {
    match request {
        Request::Status => status(app, link),
        Request::Doctor => {
            serde_json::to_value(examine(app, link)).map_err(|error| Failure::failed(error, "Report this."))
        }
        Request::Support => support::perform(app, link),
        Request::Compact => {
            let hint = "Try again when nobody plays. On a full disk make room first.";
            let done = compaction::compact(app).await.map_err(|fault| Failure::failed(format!("{fault}."), hint))?;
            Ok(json!({"bytes_before": done.before, "bytes_after": done.after}))
        }
        Request::Settings => Ok(json!(app.config.shown())),
        Request::EnrollByCode { code } => {
            let enrolled =
                enrol::enrol_by_code(app, link, &Secret::new(code)).await.map_err(|error| not_enrolled(&error))?;
            Ok(json!({"box_id": app.box_id, "role": enrolled.role, "epoch": enrolled.epoch}))
        }
        Request::RotateLogin => {
            let role = enrol::rotate_login(app, link).await.map_err(|error| not_enrolled(&error))?;
            Ok(json!({"role": role, "rotated": true}))
        }
        Request::Enroll { admin_url, ca, name } => enroll(app, link, &admin_url, ca.as_deref(), &name).await,
        Request::UserAdd { .. }
        | Request::UserList { .. }
        | Request::UserSuspend { .. }
        | Request::UserResetPassword { .. } => crate::cli::users::perform(app, request).await,
        Request::Sync { what } => sync::perform(app, link, what).await,
        Request::Courier { what } => courier::perform(app, link, what).await,
        Request::Backup { what } => backup::perform(app, what).await,
        Request::Chat { what } => chat::perform(app, what).await,
        Request::Import { step } => moving::answer(app, step).await,
        Request::Export { folder, csv, key, reason } => moving::give_out(app, folder, csv, key, reason).await,
    }
}

fn status(app: &App, link: &Link) -> Result<Value, Failure> {
    let fail = |fault| Failure::failed(fault, "Restart the box; if it stays, its disk may be damaged.");
    let figures = app.store.figures();
    let report = examine(app, link);
    let worst: Vec<_> = report.findings.iter().filter(|finding| finding.severity != Severity::Note).collect();
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "box_id": app.box_id,
        "store": {"commits": figures.commits, "failures": figures.failures, "queued": figures.queued},
        "clock": {"now": app.clock.now(), "trusted": app.clock.wall().trusted},
        "healthy": report.healthy,
        "findings": worst,
        "certificate": {
            "ends": checks::certificate_ends(app),
            "authority_sha256": authority(&app.config).map(|der| fingerprint(&der)),
        },
        "disk_free_bytes": durable::free_bytes(&app.config.data_dir).ok(),
        "memory_bytes": checks::resident_bytes(),
        "backup": {"last_good": last_good(app).map_err(fail)?, "messages": gate(app.chat.gate())},
        "expiry": chat::expiry(app),
        "audit": chat::trail(app),
        "replication": report::report(app, link).map_err(fail)?,
        "shut": shut(app).map_err(fail)?,
    }))
}

/// Whether central has shut this box, and what keeps its keys.
fn shut(app: &App) -> Result<Value, Fault> {
    let Some(lock) = locked::of(&app.store.read()?)? else { return Ok(Value::Null) };
    let waits = if lock.wiped_at.is_some() { None } else { revocation::waits(app)? };
    Ok(json!({"since": lock.at, "reason": lock.reason, "keys_wiped_at": lock.wiped_at, "keys_wait": waits}))
}

const fn gate(gate: Gate) -> &'static str {
    match gate {
        Gate::Open => "open",
        Gate::Closed => "closed until what was due at the restore is destroyed",
        Gate::ClosedUntilHolds => "closed until central follows the restored box",
    }
}

async fn enroll(app: &App, link: &Link, url: &str, ca: Option<&Path>, name: &str) -> Result<Value, Failure> {
    let settings = Settings::parse(url, ca).map_err(|error| Failure::central(&error))?;
    let enrolled = enrol::enrol(app, link, &settings, ca, name).await.map_err(|error| not_enrolled(&error))?;
    Ok(json!({"box_id": app.box_id, "role": enrolled.role, "epoch": enrolled.epoch}))
}

/// Why a box has not got its login, in words.
pub(in crate::cli) fn not_enrolled(error: &EnrolError) -> Failure {
    match error {
        EnrolError::Central(error) => Failure::central(error),
        EnrolError::Login(_) | EnrolError::Store(_) => {
            Failure::failed(error, "Look after the data folder's disk, then run it again.")
        }
        EnrolError::NoCode => Failure::usage(error, "Give the whole code that upstream enroll --issue printed."),
        EnrolError::NotLinked => Failure::failed(error, "Link it: whotbox upstream enroll."),
    }
}

/// Brings central to this program's schema; needs no box.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn migrate(url: &str, ca: Option<&Path>) -> Result<Value, Failure> {
    let settings = Settings::parse(url, ca).map_err(|error| Failure::central(&error))?;
    let migrated = Admin::new(settings).migrate().await.map_err(|error| Failure::central(&error))?;
    Ok(json!({"from": migrated.from, "to": migrated.to}))
}
