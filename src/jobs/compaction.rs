//! Compaction at a quiet hour, where it is worth it: people wait while it runs.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::base::time::Timestamp;
use crate::jobs::{Job, Next};
use crate::store::fault::Fault;
use crate::store::writer::{Compacted, Fill};
use crate::system::AtWork;

/// Hours of the day by UTC in which nobody plays, from and to: in Nigeria it is an hour later.
const QUIET: (i64, i64) = (2, 5);
/// How often it is looked.
const EVERY: Duration = Duration::from_mins(20);
/// One look a night.
const AGAIN: Duration = Duration::from_hours(20);
/// Below this a file is not worth the wait, however empty it is.
const WORTH_BYTES: u64 = 32 << 20;
/// Hundredths of the file that must be free.
const WORTH_PERCENT: u64 = 30;

/// The job.
pub struct Compaction {
    /// The box.
    pub app: Arc<App>,
    /// When it was looked last.
    pub looked: Option<Timestamp>,
}

/// Whether compacting gives the disk enough back.
#[must_use]
pub const fn is_worth_it(fill: Fill) -> bool {
    fill.bytes >= WORTH_BYTES && fill.free_percent() >= WORTH_PERCENT
}

/// Whether a moment lies in the quiet hours.
#[must_use]
pub const fn is_quiet(at: Timestamp) -> bool {
    let hour = at.seconds().rem_euclid(86_400) / 3600;
    hour >= QUIET.0 && hour < QUIET.1
}

/// Compacts now, whoever waits.
///
/// # Errors
/// [`Fault::Busy`] while somebody reads for long or the disk is full; what the disk says.
pub async fn compact(app: &App) -> Result<Compacted, Fault> {
    let at_work = AtWork::begin();
    let done = app.store.compact().await?;
    drop(at_work);
    tracing::info!(before = done.before, after = done.after, "the store was compacted");
    Ok(done)
}

impl Job for Compaction {
    async fn step(&mut self) -> Next {
        let now = self.app.clock.now();
        let due = self.looked.is_none_or(|at| now.since(at) >= AGAIN || now < at);
        if !due || !is_quiet(now) || self.app.hub.sockets() > 0 {
            return Next::After(EVERY);
        }
        self.looked = Some(now);
        let app = Arc::clone(&self.app);
        let fill = tokio::task::spawn_blocking(move || app.store.fill()).await.unwrap_or(Err(Fault::Panicked));
        match fill {
            Ok(fill) if is_worth_it(fill) => {
                if let Err(fault) = compact(&self.app).await {
                    tracing::warn!(%fault, "the store was not compacted; it is tried tomorrow");
                }
            }
            Ok(_) => {}
            Err(fault) => tracing::warn!(%fault, "how full the store is could not be seen"),
        }
        Next::After(EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_at_night_and_for_a_third_of_the_file() {
        let at = |text: &str| text.parse().unwrap();
        for (time, quiet) in [("02:00:00", true), ("04:59:59", true), ("05:00:00", false), ("14:00:00", false)] {
            assert_eq!(is_quiet(at(&format!("2026-11-22T{time}Z"))), quiet, "{time}");
        }
        let fill = |bytes, used| Fill { bytes, used };
        assert!(is_worth_it(fill(100 << 20, 60 << 20)));
        assert!(!is_worth_it(fill(100 << 20, 80 << 20)) && !is_worth_it(fill(20 << 20, 1 << 20)));
    }
}
