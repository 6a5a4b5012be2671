//! Comparing and mending as one act of a box: with its login, once at a time, and with the result kept on both sides.

use std::time::Duration;

use tokio::sync::MutexGuard;

use replication::error::Error;
use replication::postgres::Postgres;
use replication::settings::Settings;

use crate::app::App;
use crate::base::id::RawId;
use crate::base::time::Timestamp;
use crate::catalog;
use crate::store::compared::{self, Kind, NAMED, Verification};
use crate::store::fault::Fault;
use crate::store::meta;
use crate::upstream::sender::{Sender, Step, backlog};
use crate::upstream::verify::{Outcome, Verifier, VerifyError, mend};
use crate::upstream::{Link, enrol};

/// How long a repair waits for what it has entered to be at central.
const PATIENCE: Duration = Duration::from_secs(120);

/// The settings of this box's login, if it is linked.
///
/// # Errors
/// [`Error::Settings`] for a login that cannot be used.
pub fn settings(app: &App) -> Result<Option<Settings>, Error> {
    let unusable = |error: crate::config::ConfigError| Error::Settings { reason: error.to_string() };
    match enrol::login(&app.config).map_err(unusable)? {
        Some(login) => Settings::parse(login.url.expose(), login.ca.as_deref()).map(Some),
        None => Ok(None),
    }
}

/// Central by this box's login.
fn central(app: &App) -> Result<Postgres, VerifyError> {
    Ok(Postgres::new(settings(app)?.ok_or(VerifyError::NotLinked)?))
}

fn alone(link: &Link) -> Result<MutexGuard<'_, ()>, VerifyError> {
    link.comparing.try_lock().map_err(|_| VerifyError::Running)
}

/// Compares this box with central, and keeps what was found.
///
/// # Errors
/// [`VerifyError`] where nothing could be compared.
pub async fn verify(app: &App, link: &Link) -> Result<(Verification, Outcome), VerifyError> {
    let _alone = alone(link)?;
    let (central, tables, started) = (central(app)?, catalog::tables(), app.clock.now());
    let found = Verifier::new(&app.store, &tables, &central).all().await?;
    Ok((keep(app, Kind::Verify, started, &found).await?, found))
}

/// What a repair did.
#[derive(Debug)]
pub struct Repaired {
    /// What differed before.
    pub before: Outcome,
    /// Rows entered to be sent again; none in a dry run.
    pub entered: usize,
    /// What still differs, once all was sent; `None` in a dry run, or where central could not be reached in time.
    pub after: Option<Outcome>,
}

/// Compares, mends what differs, and compares that again. A dry run only compares.
///
/// # Errors
/// [`VerifyError`] where nothing could be compared.
pub async fn repair(app: &App, link: &Link, dry_run: bool) -> Result<Repaired, VerifyError> {
    let _alone = alone(link)?;
    let (central, tables, started) = (central(app)?, catalog::tables(), app.clock.now());
    let before = Verifier::new(&app.store, &tables, &central).all().await?;
    if dry_run || before.differences.is_empty() {
        keep(app, Kind::Verify, started, &before).await?;
        return Ok(Repaired { before, entered: 0, after: None });
    }
    let entered = mend(&app.store, &tables, &before.differences).await?;
    if !sent(app, link).await? {
        keep(app, Kind::Verify, started, &before).await?;
        return Ok(Repaired { before, entered, after: None });
    }
    let after = Verifier::new(&app.store, &tables, &central).these(&before.differences).await?;
    // What the first comparison could not name or tell is still open.
    let unnamed = before.diverged - before.differences.len() as u64;
    let told = Outcome {
        tables: before.tables,
        rows: before.rows,
        diverged: after.diverged + unnamed,
        unsettled: after.unsettled + before.unsettled,
        ..after.clone()
    };
    keep(app, Kind::Repair, started, &told).await?;
    Ok(Repaired { before, entered, after: Some(told) })
}

async fn keep(app: &App, kind: Kind, started_at: Timestamp, found: &Outcome) -> Result<Verification, Fault> {
    let finished_at = app.clock.now();
    let named = found.differences.iter().take(NAMED);
    let verification = Verification {
        id: RawId::from_uuid(app.entropy.uuid(finished_at)),
        kind,
        started_at,
        finished_at,
        tables: found.tables,
        rows: found.rows,
        diverged: found.diverged,
        unsettled: found.unsettled,
        dead_letters: found.dead_letters,
        named: named.map(|row| (row.table.clone(), row.id.clone(), row.how.name().to_owned())).collect(),
    };
    let kept = verification.clone();
    app.store.write(move |tx, _| compared::keep(tx, &kept)).await?;
    Ok(verification)
}

/// Waits until central has all that is in the log by now: the job sends it, or, on a box that does not run, we do. False where that
/// took too long.
///
/// # Errors
/// [`VerifyError`] where the store cannot be read.
pub async fn sent(app: &App, link: &Link) -> Result<bool, VerifyError> {
    let mut commits = app.store.watch();
    let goal = heads(app)?;
    link.wake.notify_one();
    if !link.runs() {
        return send_all(app, link).await;
    }
    let arrived = async {
        loop {
            commits.mark_unchanged();
            if reached(app, goal)? {
                return Ok(true);
            }
            // Each acknowledgement is a commit.
            if commits.changed().await.is_err() {
                return Ok(false);
            }
        }
    };
    tokio::time::timeout(PATIENCE, arrived).await.unwrap_or(Ok(false))
}

async fn send_all(app: &App, link: &Link) -> Result<bool, VerifyError> {
    let (store, clock) = (app.store.clone(), std::sync::Arc::clone(&app.clock));
    let status = std::sync::Arc::clone(&link.status);
    let mut sender = Sender::new(store, clock, status, catalog::tables(), central(app)?);
    let mut failures = 0;
    while failures < 3 {
        match sender.step().await {
            Step::Moved => {}
            Step::Done => return Ok(backlog(&app.store.read()?)? == 0),
            Step::Failed => failures += 1,
        }
    }
    Ok(false)
}

fn heads(app: &App) -> Result<[u64; 2], Fault> {
    let read = app.store.read()?;
    let [urgent, bulk] = replication::row::Lane::ALL.map(|lane| meta::lane_head(&read, lane).map(|head| head.seq));
    Ok([urgent?, bulk?])
}

fn reached(app: &App, goal: [u64; 2]) -> Result<bool, Fault> {
    let read = app.store.read()?;
    let [urgent, bulk] = replication::row::Lane::ALL.map(|lane| meta::lane_ack(&read, lane).map(|ack| ack.seq));
    let [to_urgent, to_bulk] = goal;
    Ok(urgent? >= to_urgent && bulk? >= to_bulk)
}
