//! The daily backup as a job, so that a box without systemd has one too. The timer and this job do not double each
//! other: each looks how old the last one is.

use std::sync::Arc;
use std::time::Duration;

use crate::app::{App, upgrade};
use crate::backup::create::create;
use crate::backup::{folder, keys};
use crate::base::time::Timestamp;
use crate::jobs::{Job, Next};
use crate::store::backups;
use crate::store::fault::Fault;

/// A backup is due once the last one is so old.
pub const DUE: Duration = Duration::from_secs(24 * 3600);
/// How often it is looked; also the pause before the first look, so that a box that starts is not slowed.
const EVERY: Duration = Duration::from_secs(15 * 60);

/// The job.
pub struct Backup {
    /// The box.
    pub app: Arc<App>,
    /// It has looked before.
    pub started: bool,
}

/// When the last good backup was made.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn last_good(app: &App) -> Result<Option<Timestamp>, Fault> {
    let runs = backups::runs(&app.store.read()?)?;
    Ok(runs.iter().find(|run| run.fault.is_none()).map(|run| run.made_at))
}

/// Whether one is due: there is a recovery key, and the last one is old, lies ahead of the clock, or is gone.
fn is_due(app: &App) -> bool {
    if !matches!(keys::recovery(&app.config.data_dir), Ok(Some(_))) {
        return false;
    }
    let now = app.clock.now();
    let there = folder::names(&folder::path(app)).is_ok_and(|names| !names.is_empty());
    let last = last_good(app).ok().flatten().filter(|at| there && *at <= now);
    last.is_none_or(|at| now.since(at) >= DUE)
}

impl Job for Backup {
    async fn step(&mut self) -> Next {
        if std::mem::replace(&mut self.started, true)
            && is_due(&self.app)
            && let Err(error) = create(&self.app).await
        {
            tracing::error!(%error, advice = error.advice(), "the daily backup could not be made");
        }
        match upgrade::forget(&self.app.config.data_dir, self.app.clock.wall()) {
            Ok(true) => tracing::info!("the copy of before the upgrade has served its time"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the copy of before the upgrade cannot be removed"),
        }
        Next::After(EVERY)
    }
}
