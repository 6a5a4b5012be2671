//! Expiry and scrubbing as a job: what is due is doomed, keys first, rows second, in small batches.

use std::sync::Arc;

use crate::app::App;
use crate::chat::retention::{Conditions, EVERY, step};
use crate::jobs::{Job, Next};
use crate::upstream::Link;

/// The job.
pub struct Retention {
    /// The box.
    pub app: Arc<App>,
    /// Replication: when central was last heard.
    pub link: Arc<Link>,
}

impl Job for Retention {
    async fn step(&mut self) -> Next {
        self.app.chat.heard(self.link.status.known().last_sync_at);
        match step(&self.app.chat, &self.app.store, Conditions::default()).await {
            Ok(report) if report.more => Next::Now,
            Ok(_) => Next::After(EVERY),
            Err(error) => {
                tracing::error!(%error, "what is due could not be destroyed; it is tried again");
                Next::After(EVERY)
            }
        }
    }
}
