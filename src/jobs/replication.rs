//! Replication as a job: finds the login, keeps a sender, and waits longer after each failure.

use std::sync::Arc;
use std::time::Duration;

use replication::backoff;
use replication::postgres::Postgres;
use replication::settings::Settings;

use crate::app::App;
use crate::catalog;
use crate::jobs::{Job, Next};
use crate::store::meta;
use crate::upstream::Link;
use crate::upstream::enrol;
use crate::upstream::sender::{HEARTBEAT, Sender, Step};

/// How often a box looks whether it was enrolled by a settings file.
const LOOK: Duration = Duration::from_secs(30);

/// The job.
pub struct Replication {
    app: Arc<App>,
    link: Arc<Link>,
    sender: Option<Sender<Postgres>>,
    failures: u32,
}

impl Replication {
    /// A job that has not looked for a login yet.
    #[must_use]
    pub fn new(app: Arc<App>, link: Arc<Link>) -> Self {
        link.run();
        Self { app, link, sender: None, failures: 0 }
    }

    /// The sender, if the box is enrolled and its login can be used.
    fn sender(&mut self) -> Option<&mut Sender<Postgres>> {
        if self.sender.is_none() {
            self.sender = self.open();
        }
        self.sender.as_mut()
    }

    fn open(&self) -> Option<Sender<Postgres>> {
        let enrolled = meta::identity(&self.app.store.read().ok()?).ok()?.logging;
        let login = match enrol::login(&self.app.config) {
            Ok(Some(login)) if enrolled => login,
            Ok(_) => {
                self.link.status.disabled();
                return None;
            }
            Err(error) => {
                self.link.status.stalled(&error.to_string(), "Enrol this box again: whotbox upstream enroll.");
                return None;
            }
        };
        match Settings::parse(login.url.expose(), login.ca.as_deref()) {
            Ok(settings) => Some(Sender::new(
                self.app.store.clone(),
                Arc::clone(&self.app.clock),
                Arc::clone(&self.link.status),
                catalog::tables(),
                Postgres::new(settings),
            )),
            Err(error) => {
                self.link.status.failed(&error);
                None
            }
        }
    }
}

impl Job for Replication {
    async fn step(&mut self) -> Next {
        let Some(sender) = self.sender() else { return Next::Commit(LOOK) };
        match sender.step().await {
            Step::Moved => {
                self.failures = 0;
                Next::Now
            }
            Step::Done => {
                self.failures = 0;
                Next::Commit(HEARTBEAT)
            }
            Step::Failed => {
                // The login may have been renewed meanwhile.
                self.sender = None;
                let random = u64::from_le_bytes(self.app.entropy.bytes());
                let wait = backoff::wait(self.failures, random);
                self.failures = self.failures.saturating_add(1);
                Next::After(wait)
            }
        }
    }

    async fn woken(&self) {
        self.link.wake.notified().await;
    }
}
