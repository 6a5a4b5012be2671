//! Comparing with central as a job: once a day, so that copies that drift are seen before they are needed.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::jobs::{Job, Next};
use crate::store::compared;
use crate::upstream::verify::VerifyError;
use crate::upstream::{Link, compare};

/// Between two looks at whether a comparison is due.
const LOOK: Duration = Duration::from_secs(15 * 60);

/// The job.
pub struct Verify {
    app: Arc<App>,
    link: Arc<Link>,
    begun: bool,
}

impl Verify {
    /// A job that waits a while before its first look: a box that starts has other things to do.
    #[must_use]
    pub fn new(app: Arc<App>, link: Arc<Link>) -> Self {
        Self { app, link, begun: false }
    }

    fn due(&self) -> bool {
        let Some(every) = self.app.config.verify_every else { return false };
        let last = self.app.store.read().and_then(|read| compared::last(&read));
        last.is_ok_and(|last| last.is_none_or(|last| self.app.clock.now().since(last.finished_at) >= every))
    }
}

impl Job for Verify {
    async fn step(&mut self) -> Next {
        if !std::mem::replace(&mut self.begun, true) || !self.due() {
            return Next::After(LOOK);
        }
        match compare::verify(&self.app, &self.link).await {
            Ok((found, _)) if found.diverged > 0 => {
                tracing::error!(
                    diverged = found.diverged,
                    rows = found.rows,
                    "central differs; run: whotbox sync repair"
                );
            }
            Ok((found, _)) => {
                tracing::info!(rows = found.rows, tables = found.tables, "central holds what this box holds")
            }
            Err(VerifyError::NotLinked | VerifyError::Running | VerifyError::Behind(_)) => {}
            Err(error) => tracing::warn!(%error, "central could not be compared; it is tried again"),
        }
        Next::After(LOOK)
    }
}
