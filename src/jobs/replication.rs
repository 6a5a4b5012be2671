//! Replication as a job: finds the login, keeps a sender, and waits longer after each failure.

use std::sync::Arc;
use std::time::Duration;

use replication::backoff;
use replication::error::Error;
use replication::postgres::Postgres;
use replication::settings::Settings;

use crate::app::App;
use crate::base::time::Instant;
use crate::catalog;
use crate::chat::service::Gate;
use crate::jobs::{Job, Next};
use crate::store::meta;
use crate::upstream::budget::{Allowed, Budget};
use crate::upstream::directives::Halt;
use crate::upstream::pace::Pace;
use crate::upstream::sender::{HEARTBEAT, Sender, Step};
use crate::upstream::state::State;
use crate::upstream::{Link, directives, enrol};

/// How often a box looks whether it was enrolled by a settings file.
const LOOK: Duration = Duration::from_secs(30);

/// Between two questions for orders while much is being sent; an idle box asks at each [`HEARTBEAT`].
const ORDERS: Duration = Duration::from_secs(10);

/// The job.
pub struct Replication {
    app: Arc<App>,
    link: Arc<Link>,
    sender: Option<Sender<Postgres>>,
    /// What the line bore when there was a sender last.
    pace: Pace,
    /// What of the bandwidth was spent.
    budget: Budget,
    failures: u32,
    /// When central was last asked for orders.
    asked: Option<Instant>,
}

impl Replication {
    /// A job that has not looked for a login yet.
    #[must_use]
    pub fn new(app: Arc<App>, link: Arc<Link>) -> Self {
        link.run();
        let allowed = Allowed { hours: app.config.upstream_hours, rate: app.config.upstream_rate };
        Self { app, link, sender: None, pace: Pace::default(), budget: Budget::new(allowed), failures: 0, asked: None }
    }

    /// The sender, if the box is enrolled and its login can be used.
    fn sender(&mut self) -> Option<&mut Sender<Postgres>> {
        if self.sender.is_none() {
            self.sender = self.open();
        }
        self.sender.as_mut()
    }

    /// Asks central for orders. False where the line failed: that is told at once, and not only when the next batch has failed on it too.
    async fn ask_for_orders(&mut self) -> bool {
        let Some(sender) = &self.sender else { return true };
        match directives::poll(&self.app, sender.central()).await {
            Ok(_) => {
                self.asked = Some(self.app.clock.monotonic());
                self.holds_known();
            }
            Err(Halt::Central(error @ (Error::Unreachable { .. } | Error::Unknown { .. }))) => {
                self.link.status.failed(&error);
                return false;
            }
            Err(error) => tracing::warn!(%error, "central's orders could not be asked for; it is tried again"),
        }
        true
    }

    /// Begins anew after a while, longer each time.
    fn failed(&mut self) -> Next {
        // The login may have been renewed meanwhile, or a change of it was cut off.
        if let Some(sender) = self.sender.take() {
            (self.pace, self.budget) = (sender.pace(), sender.budget());
        }
        if self.link.status.known().locked_out
            && let Err(error) = enrol::swap(&self.app.config.data_dir)
        {
            tracing::error!(%error, "the other login cannot be put in place");
        }
        let random = u64::from_le_bytes(self.app.entropy.bytes());
        let wait = backoff::wait(self.failures, random);
        self.failures = self.failures.saturating_add(1);
        Next::After(wait)
    }

    /// After a restore nothing is destroyed before central follows this life of the box and every order that waited there
    /// has been carried out: one of them may be a hold.
    fn holds_known(&self) {
        let following = matches!(self.link.status.known().state, State::Live | State::CatchingUp);
        if following && self.app.chat.gate() == Gate::ClosedUntilHolds {
            self.app.chat.set_gate(Gate::Closed);
        }
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
            Ok(settings) => {
                let (store, clock) = (self.app.store.clone(), Arc::clone(&self.app.clock));
                let status = Arc::clone(&self.link.status);
                let sender = Sender::new(store, clock, status, catalog::tables(), Postgres::new(settings));
                Some(sender.at(self.pace.clone()).within(self.budget))
            }
            Err(error) => {
                self.link.status.failed(&error);
                None
            }
        }
    }
}

impl Job for Replication {
    async fn step(&mut self) -> Next {
        let expiry = self.app.chat.status();
        let Some(sender) = self.sender() else { return Next::Commit(LOOK) };
        sender.tell(expiry.oldest_due, expiry.waiting);
        match sender.step().await {
            Step::Moved => {
                let now = self.app.clock.monotonic();
                if self.asked.is_none_or(|asked| now.since(asked) >= ORDERS) && !self.ask_for_orders().await {
                    return self.failed();
                }
                self.failures = 0;
                Next::Now
            }
            Step::Done => {
                let waits = self.sender.as_ref().and_then(Sender::waits);
                let now = self.app.clock.monotonic();
                // While the bulk lane waits, every commit wakes this job: central is not asked each time.
                let due = waits.is_none() || self.asked.is_none_or(|asked| now.since(asked) >= ORDERS);
                if due && !self.ask_for_orders().await {
                    return self.failed();
                }
                self.failures = 0;
                Next::Commit(waits.map_or(HEARTBEAT, |wait| wait.min(HEARTBEAT)))
            }
            Step::Failed => self.failed(),
        }
    }

    async fn woken(&self) {
        self.link.wake.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::app::Parts;
    use crate::base::entropy::SeededEntropy;
    use crate::base::time::{ManualClock, Timestamp};
    use crate::config::Given;
    use crate::config::secrets::OldVariables;
    use crate::jobs::retention::Retention;

    fn restored(dir: &Path) -> Arc<App> {
        let config = Given { data_dir: Some(dir.join("data")), ..Given::default() }.complete().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_795_341_600_000_000)));
        let entropy = Arc::new(SeededEntropy::new(1));
        let app = App::open(config, Parts { clock, entropy, old: OldVariables::default(), medium: None }).unwrap();
        app.chat.set_gate(Gate::ClosedUntilHolds);
        app
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_contact_alone_lets_nothing_be_destroyed_after_a_restore_and_carried_out_orders_do() {
        let dir = tempfile::tempdir().unwrap();
        let (app, link) = (restored(dir.path()), Arc::new(Link::default()));
        let replication = Replication::new(Arc::clone(&app), Arc::clone(&link));
        let mut retention = Retention { app: Arc::clone(&app), link: Arc::clone(&link) };
        // Orders of a central that does not follow this life are no word on its holds.
        link.status.disabled();
        replication.holds_known();
        assert_eq!(app.chat.gate(), Gate::ClosedUntilHolds);
        // It follows again: expiry still waits until the orders have been asked for.
        link.status.synced(app.clock.now(), 0);
        retention.step().await;
        assert_eq!(app.chat.gate(), Gate::ClosedUntilHolds);
        assert_eq!(app.chat.status().waiting, Some(crate::chat::retention::RESTORED));
        replication.holds_known();
        assert_eq!(app.chat.gate(), Gate::Closed);
    }
}
