//! `whotbox sync`: comparing with central, mending what differs, and the rows that central refuses.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use replication::settings::Settings;

use crate::app::App;
use crate::catalog;
use crate::cli::control::{Failure, not_enrolled};
use crate::store::dead;
use crate::store::fault::Fault;
use crate::store::page::MAX_PAGE;
use crate::upstream::reconcile::{self, Count, ReconcileError};
use crate::upstream::verify::{Difference, Outcome, VerifyError};
use crate::upstream::{Link, compare};

/// What can be asked of replication.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncRequest {
    /// Compare with central.
    Verify,
    /// Mend what differs.
    Repair {
        /// Only say what would be mended.
        dry_run: bool,
    },
    /// Say how this box and central stand.
    Examine,
    /// Have central follow this box from here on.
    KeepBox {
        /// Central's operator's login.
        admin_url: String,
        /// PEM file of a private CA.
        ca: Option<PathBuf>,
        /// No other copy runs.
        alone: bool,
    },
    /// List refused rows.
    DeadLetters,
    /// Send refused rows again: all, or one.
    Redrive {
        /// `schema.table` and id.
        only: Option<(String, String)>,
    },
}

/// Does it.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn perform(app: &App, link: &Link, request: SyncRequest) -> Result<Value, Failure> {
    match request {
        SyncRequest::Verify => {
            let (kept, found) = compare::verify(app, link).await.map_err(|error| fail(&error))?;
            let mut shown = outcome(&found);
            add(&mut shown, "verified_at", json!(kept.finished_at));
            Ok(shown)
        }
        SyncRequest::Repair { dry_run } => repair(app, link, dry_run).await,
        SyncRequest::Examine => examine(app).await,
        SyncRequest::KeepBox { admin_url, ca, alone } => keep_box(app, link, &admin_url, ca.as_deref(), alone).await,
        SyncRequest::DeadLetters => letters(app),
        SyncRequest::Redrive { only } => redrive(app, link, only).await,
    }
}

async fn examine(app: &App) -> Result<Value, Failure> {
    let found = reconcile::examine(app).await.map_err(|error| parted(&error))?;
    let shown = |count: &Count| {
        json!({
            "table": count.table,
            "here": count.here,
            "central": count.central,
            "only_here": count.only_here,
            "only_central": count.only_central,
            "different": count.different,
        })
    };
    let sum = |of: fn(&Count) -> u64| found.tables.iter().map(of).sum::<u64>();
    Ok(json!({
        "state": found.state.name(),
        "reason": found.state.reason(),
        "fence": found.fence.map(|fence| fence.to_string()),
        "advice": found.state.advice(),
        "backlog": found.backlog,
        "keep_box": {"sent_again": "every row", "lost_at_central": sum(|count| count.only_central), "overwritten_at_central": sum(|count| count.different)},
        "keep_central": {"lost_here": sum(|count| count.only_here), "overwritten_here": sum(|count| count.different)},
        "parted": found.state.parted(),
        "tables": found.tables.iter().map(shown).collect::<Vec<_>>(),
    }))
}

async fn keep_box(app: &App, link: &Link, url: &str, ca: Option<&Path>, alone: bool) -> Result<Value, Failure> {
    let operator = Settings::parse(url, ca).map_err(|error| Failure::central(&error))?;
    let kept = reconcile::keep_box(app, link, &operator, ca, alone).await.map_err(|error| parted(&error))?;
    let mut shown = json!({"before": kept.before.name(), "kept": "box"});
    match kept.repaired {
        Some(repaired) => {
            let last = repaired.after.as_ref().unwrap_or(&repaired.before);
            add(&mut shown, "rows", json!(last.rows));
            add(&mut shown, "taken_away_or_mended", json!(repaired.before.diverged));
            add(&mut shown, "still_different", json!(last.diverged));
        }
        None => {
            add(&mut shown, "advice", json!("Everything is being sent. When it is live, run: whotbox sync repair."))
        }
    }
    Ok(shown)
}

fn parted(error: &ReconcileError) -> Failure {
    match error {
        ReconcileError::Nothing => Failure::failed(error, "See: whotbox sync reconcile --dry-run."),
        ReconcileError::StillRuns(_) => {
            Failure::failed(error, "Stop it for good. If that was this one, or it is stopped, say so with --alone.")
        }
        ReconcileError::Central(central) => Failure::central(central),
        ReconcileError::Verify(error) => fail(error),
        ReconcileError::Enrol(error) => not_enrolled(error),
        ReconcileError::Store(fault) => broken(fault),
    }
}

async fn repair(app: &App, link: &Link, dry_run: bool) -> Result<Value, Failure> {
    let done = compare::repair(app, link, dry_run).await.map_err(|error| fail(&error))?;
    let mut shown = outcome(&done.before);
    add(&mut shown, "dry_run", json!(dry_run));
    add(&mut shown, "sent_again", json!(done.entered));
    if let Some(after) = &done.after {
        add(&mut shown, "still_different", json!(after.diverged));
        add(&mut shown, "mended", json!(done.before.diverged.saturating_sub(after.diverged)));
    } else if done.entered > 0 {
        add(
            &mut shown,
            "advice",
            json!("Central could not be reached in time; the rows are sent when it can. Verify then."),
        );
    }
    Ok(shown)
}

fn letters(app: &App) -> Result<Value, Failure> {
    let listed = app.store.read().and_then(|read| dead::list(&read, MAX_PAGE)).map_err(|fault| broken(&fault))?;
    let shown = listed.iter().map(
        |row| json!({"table": row.table, "id": row.id, "reason": row.reason, "refused_at": row.at, "tries": row.tries}),
    );
    Ok(shown.collect::<Vec<_>>().into())
}

async fn redrive(app: &App, link: &Link, only: Option<(String, String)>) -> Result<Value, Failure> {
    let tables = catalog::tables();
    let driven = app.store.write(move |tx, _| {
        let only = only.as_ref().map(|(table, id)| (table.as_str(), id.as_str()));
        dead::drive_again(tx, &tables, only)
    });
    let driven = driven.await.map_err(|fault: Fault| broken(&fault))?;
    let sent = driven == 0 || compare::sent(app, link).await.map_err(|error| fail(&error))?;
    let left = app.store.read().and_then(|read| dead::list(&read, MAX_PAGE)).map_err(|fault| broken(&fault))?;
    Ok(json!({"sent_again": driven, "answered": sent, "still_refused": left.len()}))
}

/// Whether an answer says that something is wrong, so that the command ends with 1.
#[must_use]
pub fn wrong(answer: &Value) -> bool {
    let field = |name: &str| answer.get(name).and_then(Value::as_u64);
    let open = field("still_different").or_else(|| field("diverged")).unwrap_or(0);
    open > 0 || field("unsettled").unwrap_or(0) > 0
}

fn outcome(found: &Outcome) -> Value {
    let shown =
        |row: &Difference| json!({"table": row.table, "id": row.id, "how": row.how.name(), "mendable": row.mendable});
    json!({
        "tables": found.tables,
        "rows": found.rows,
        "diverged": found.diverged,
        "unsettled": found.unsettled,
        "dead_letters": found.dead_letters,
        "differences": found.differences.iter().map(shown).collect::<Vec<_>>(),
    })
}

fn add(shown: &mut Value, name: &str, value: Value) {
    if let Some(fields) = shown.as_object_mut() {
        fields.insert(name.into(), value);
    }
}

fn broken(fault: &Fault) -> Failure {
    Failure::failed(fault, "Restart the box; if it stays, its disk may be damaged.")
}

fn fail(error: &VerifyError) -> Failure {
    match error {
        VerifyError::NotLinked => {
            Failure::failed("This box is not linked to a central database.", "Link it: whotbox upstream enroll.")
        }
        VerifyError::Running => Failure::failed("A comparison is under way.", "Run it again when that is done."),
        VerifyError::Behind(_) => Failure::failed(error, "Wait until they are: whotbox upstream status."),
        VerifyError::OtherEpoch => Failure::failed(error, "See: whotbox upstream status."),
        VerifyError::Central(error) => Failure::central(error),
        VerifyError::Store(fault) => broken(fault),
    }
}
