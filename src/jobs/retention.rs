//! Expiry and scrubbing as a job: what is due is doomed, keys first, rows second, in small batches. After a restore
//! it is this job that opens the messages again.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::chat::retention::{Conditions, EVERY, Report, step};
use crate::chat::service::Gate;
use crate::jobs::{Job, Next};
use crate::store::backups;
use crate::store::fault::Fault;
use crate::upstream::Link;

/// Between two looks while messages are closed.
const SOON: Duration = Duration::from_secs(1);

/// The job.
pub struct Retention {
    /// The box.
    pub app: Arc<App>,
    /// Replication, by which central's holds come.
    pub link: Arc<Link>,
}

impl Retention {
    /// Opens the messages once a whole round found nothing that is due.
    async fn reopen(&self, report: &Report) -> Result<(), Fault> {
        let settled = report.waiting.is_none() && !report.more && self.app.chat.status().oldest_due.is_none();
        if self.app.chat.gate() == Gate::Closed && settled {
            self.app.store.reserved().write(|tx, _| backups::reopen(tx)).await?;
            self.app.chat.set_gate(Gate::Open);
            tracing::info!("what was due when the box was restored is destroyed; messages are open again");
        }
        Ok(())
    }
}

impl Job for Retention {
    async fn step(&mut self) -> Next {
        self.app.chat.heard(self.link.status.known().last_sync_at);
        let report = match step(&self.app.chat, &self.app.store.reserved(), Conditions::default()).await {
            Ok(report) => report,
            Err(error) => {
                tracing::error!(%error, "what is due could not be destroyed; it is tried again");
                return Next::After(EVERY);
            }
        };
        if let Err(fault) = self.reopen(&report).await {
            tracing::error!(%fault, "messages could not be opened again; it is tried again");
        }
        if report.more {
            return Next::Now;
        }
        // Whoever waits for the messages is not kept longer than what is due takes.
        Next::After(if self.app.chat.gate() == Gate::Open { EVERY } else { SOON })
    }
}
