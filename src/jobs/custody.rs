//! Custody as a job: while central answers, it has the chat's keys as they are and the master key sealed to the owner's sheet, and the
//! audit trail is compared.

use std::sync::Arc;
use std::time::Duration;

use replication::postgres::Postgres;
use replication::settings::Settings;

use crate::app::App;
use crate::jobs::{Job, Next};
use crate::upstream::custody::Custody;
use crate::upstream::escrow::Escrow;
use crate::upstream::sender::HEARTBEAT;
use crate::upstream::state::State;
use crate::upstream::{Link, enrol, revocation};

/// Between two looks whether central answers, and after a failure.
const LOOK: Duration = Duration::from_secs(5);

/// The job.
pub struct Custodian {
    app: Arc<App>,
    link: Arc<Link>,
    custody: Option<Custody<Postgres>>,
    escrow: Escrow,
}

impl Custodian {
    /// A job that has not looked for a login yet.
    #[must_use]
    pub fn new(app: Arc<App>, link: Arc<Link>) -> Self {
        Self { app, link, custody: None, escrow: Escrow::default() }
    }

    fn open(&self) -> Option<Custody<Postgres>> {
        let login = enrol::login(&self.app.config).ok()??;
        let settings = Settings::parse(login.url.expose(), login.ca.as_deref()).ok()?;
        let (store, chat, clock) = (self.app.store.clone(), Arc::clone(&self.app.chat), Arc::clone(&self.app.clock));
        Some(Custody::new(store, chat, clock, Postgres::new(settings)))
    }
}

impl Job for Custodian {
    async fn step(&mut self) -> Next {
        // Whether central can be reached, and whether this is the box it knows, is the sender's to find out.
        if !matches!(self.link.status.known().state, State::Live | State::CatchingUp) {
            self.custody = None;
            return Next::After(LOOK);
        }
        if self.custody.is_none() {
            self.custody = self.open();
        }
        let Some(custody) = &mut self.custody else { return Next::After(LOOK) };
        let stepped = match custody.step().await {
            Ok(()) => match self.escrow.step(&self.app, custody.central()).await {
                Ok(()) => revocation::step(&self.app, &self.link).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        match stepped {
            Ok(()) => Next::Commit(HEARTBEAT),
            Err(error) => {
                tracing::warn!(%error, "central does not have the chat's keys as they are; it is tried again");
                self.custody = None;
                Next::After(LOOK)
            }
        }
    }
}
