//! `whotbox keys` and `whotbox audit`: the chat's keys and the audit trail, from the console of the box.
//!
//! No message is opened here: what a message says leaves the box by an audited review alone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::base::digest::hex;
use crate::base::recovery::RecoveryPublic;
use crate::chat::audit;
use crate::chat::error::Error;
use crate::chat::evidence::link;
use crate::chat::seal::keyring::KeyringStatus;
use crate::chat::trail::MAX_REASON;
use crate::cli::control::Failure;
use crate::store::page::{MAX_PAGE, Page};

/// What can be asked about the chat.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatRequest {
    /// How many keys there are, and under which derived key they lie.
    KeysStatus,
    /// Wrap the keys anew.
    KeysRotate,
    /// Walk the audit trail.
    AuditVerify,
    /// Give out the audit trail.
    AuditExport,
    /// The difference from central is known.
    AuditAcknowledge {
        /// Why they differ.
        reason: String,
    },
    /// How the clock stands.
    ClockStatus,
    /// The clock is right.
    ClockConfirm {
        /// What another clock shows.
        time: String,
        /// How that is known.
        reason: String,
    },
}

/// Does it.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn perform(app: &Arc<App>, request: ChatRequest) -> Result<Value, Failure> {
    match request {
        ChatRequest::KeysStatus => Ok(keys(app, app.chat.keys())),
        ChatRequest::KeysRotate => match app.chat.rotate_keys().await {
            Ok(status) => Ok(keys(app, status)),
            Err(error) => Err(Failure::failed(error, "Look after the data folder's disk, then run it again.")),
        },
        ChatRequest::AuditVerify => verify(app),
        ChatRequest::AuditExport => export(app),
        ChatRequest::AuditAcknowledge { reason } => acknowledge(app, &reason).await,
        ChatRequest::ClockStatus => clock(app),
        ChatRequest::ClockConfirm { time, reason } => confirm(app, &time, &reason).await,
    }
}

fn keys(app: &App, status: KeyringStatus) -> Value {
    json!({
        "wrap_version": status.wrap_version,
        "conversations": status.participants,
        "days_of_expiry": status.days,
        "conversations_held": status.holds,
        "archive_recipient": app.chat.archive_recipient().map(RecoveryPublic::as_str),
    })
}

/// How expiry stands, for `status`.
#[must_use]
pub fn expiry(app: &App) -> Value {
    let status = app.chat.status();
    json!({
        "archive_recipient": app.chat.archive_recipient().map(RecoveryPublic::as_str),
        "waiting": status.waiting,
        "last_run": status.last_run,
        "oldest_due": status.oldest_due,
        "blocked": status.blocked,
        "last_error": status.last_error,
    })
}

/// Who acts from the console of the box, on the audit trail.
const CONSOLE: &str = "console";

fn clock(app: &App) -> Result<Value, Failure> {
    let read = app.store.read().map_err(broken_store)?;
    let standing = app.chat.time(&read).map_err(broken_store)?;
    Ok(json!({
        "now": standing.wall.now,
        "trusted": standing.wall.trusted,
        "contradicted_by_central": standing.contradicted,
        "mark": standing.mark,
        "central_heard_at": standing.heard,
    }))
}

async fn confirm(app: &App, time: &str, reason: &str) -> Result<Value, Failure> {
    let usage =
        |what: &str| Failure::usage(what, "whotbox clock confirm --time 2026-11-22T10:15:00Z --reason 'my watch'");
    let named = time.parse().map_err(|_| usage("That is no time."))?;
    let reason = reason.parse().map_err(|_| usage("A reason has 10 to 500 characters."))?;
    let console = CONSOLE.parse().map_err(|_| usage("The console has no name."))?;
    match app.chat.confirm_clock(&app.store, console, named, reason).await {
        Ok(_) => clock(app),
        Err(Error::ClockDiffers) => Err(Failure::failed(
            format!("The box's clock shows {}.", app.clock.now()),
            "Set the system's clock right, then confirm it.",
        )),
        Err(error) => Err(broken_store(error)),
    }
}

async fn acknowledge(app: &Arc<App>, reason: &str) -> Result<Value, Failure> {
    let usage = |what: &str| Failure::usage(what, "whotbox audit acknowledge --reason 'restored after the disk broke'");
    let few = reason.chars().count() <= MAX_REASON;
    let reason = reason.parse().ok().filter(|_| few).ok_or_else(|| usage("A reason has 10 to 400 characters."))?;
    let console = CONSOLE.parse().map_err(|_| usage("The console has no name."))?;
    match app.chat.acknowledge_trail(&app.store, console, reason).await {
        Ok(id) => Ok(json!({"audit_id": id, "audit": trail(app)})),
        Err(error @ Error::NotDiverged) => Err(Failure::failed(
            error,
            "Only a running box that central answers knows of a difference: whotbox status.",
        )),
        Err(error) => Err(broken_store(error)),
    }
}

/// What comparing the audit trail with central's came to, for `status`.
#[must_use]
pub fn trail(app: &App) -> Value {
    match app.chat.trail() {
        None => json!({"compared_with_central_at": null, "diverged": null}),
        Some(Ok(at)) => json!({"compared_with_central_at": at, "diverged": null}),
        Some(Err(diverged)) => json!({"compared_with_central_at": null, "diverged": diverged.to_string()}),
    }
}

fn broken_store(error: impl ToString) -> Failure {
    Failure::failed(error, "Restart the box; if it stays, its disk may be damaged.")
}

fn verify(app: &App) -> Result<Value, Failure> {
    let read = app.store.read().map_err(broken_store)?;
    match audit::verify(&read).map_err(broken_store)? {
        Ok(head) => match app.chat.trail() {
            Some(Err(diverged)) => Err(Failure::failed(
                format!("The audit trail differs from central's: {diverged}."),
                "If an older copy of this box was restored, say so: whotbox audit acknowledge --reason … Otherwise somebody \
                 changed the store: keep a copy of both.",
            )),
            compared => Ok(json!({
                "links": head.seq,
                "head": hex(&head.hash),
                "compared_with_central_at": compared.and_then(Result::ok),
                "advice": "A cut end or an older trail shows against central's alone, at each contact.",
            })),
        },
        Err(broken) => Err(Failure::failed(
            format!("The audit trail is broken: {broken}."),
            "Somebody changed the store around the box. Keep a copy of the data folder and of central's rows.",
        )),
    }
}

fn export(app: &App) -> Result<Value, Failure> {
    let read = app.store.read().map_err(broken_store)?;
    let (mut links, mut page) = (Vec::new(), Page::first(MAX_PAGE));
    loop {
        let listed = audit::list(&read, None, &page).map_err(broken_store)?;
        links.extend(listed.items.iter().map(link));
        match listed.next {
            Some(next) => page = page.after(Some(next)),
            None => break,
        }
    }
    let head = audit::head(&read).map_err(broken_store)?;
    let head = json!({"links": head.seq, "hash": hex(&head.hash)});
    Ok(json!({"box_id": app.box_id, "head": head, "evidence_key": app.chat.evidence_key(), "links": links}))
}
