//! `whotbox sync`: comparing with central, mending what differs, and the rows that central refuses.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::catalog;
use crate::cli::control::Failure;
use crate::store::dead;
use crate::store::fault::Fault;
use crate::store::page::MAX_PAGE;
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
        SyncRequest::DeadLetters => letters(app),
        SyncRequest::Redrive { only } => redrive(app, link, only).await,
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
