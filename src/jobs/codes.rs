//! One-time codes on their way to the SMS gateway: posted, tried again with longer and longer waits, given up.
//!
//! A request only writes its code; nobody waits here for a gateway. What is due stands in the store, so that a restart
//! forgets none. Logs name a code by its id alone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::app::App;
use crate::config::secrets;
use crate::config::{CodeSender, ConfigError};
use crate::identity::codes::{self, Fate, Post};
use crate::jobs::gateway::{Answer, Gateway};
use crate::jobs::{Job, Next};
use crate::store::fault::Fault;

/// Posts at once: one slow gateway must not open a hundred connections.
const AT_ONCE: usize = 4;
/// Looked at at least so often.
const EVERY: Duration = Duration::from_secs(30);
/// Where codes do not go to a gateway there is nothing to look at.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// The job.
pub struct Codes {
    app: Arc<App>,
    gateway: Option<Gateway>,
}

impl Codes {
    /// The job of a box; it does nothing where codes go another way.
    ///
    /// # Errors
    /// [`ConfigError`] for a key or a CA file that cannot be used.
    pub fn new(app: Arc<App>) -> Result<Self, ConfigError> {
        let config = &app.config;
        let gateway = match (config.code_sender, &config.code_webhook) {
            (CodeSender::Webhook, Some(address)) => {
                let key = secrets::webhook(&config.data_dir, config.production, &*app.entropy)?;
                Some(Gateway::new(address.clone(), config.code_webhook_ca.as_deref(), key, app.box_id)?)
            }
            _ => None,
        };
        Ok(Self { app, gateway })
    }

    async fn work(&self, gateway: &Gateway) -> Result<Next, Fault> {
        let now = self.app.clock.now();
        let due = self.app.identity.due_posts(&self.app.store.read()?, now, AT_ONCE)?;
        if due.is_empty() {
            let next = codes::next_post(&self.app.store.read()?)?;
            return Ok(Next::Commit(next.map_or(EVERY, |at| at.since(now).min(EVERY))));
        }
        join_all(due.into_iter().map(|post| self.deliver(gateway, post)))
            .await
            .into_iter()
            .collect::<Result<(), _>>()?;
        Ok(Next::Now)
    }

    async fn deliver(&self, gateway: &Gateway, due: codes::Due) -> Result<(), Fault> {
        let (id, fate) = match due {
            codes::Due::Post(post) => (post.id, self.post(gateway, &post).await),
            // The number is gone, or the code cannot be opened: nobody can be told.
            codes::Due::Lost(id) => (id, Fate::Done),
        };
        self.app.store.write(move |tx, now| codes::posted(tx, now, id, fate)).await
    }

    async fn post(&self, gateway: &Gateway, post: &Post) -> Fate {
        let code = post.id;
        match gateway.post(post, self.app.clock.now()).await {
            Answer::Taken => {
                tracing::info!(%code, "the gateway took a one-time code");
                Fate::Done
            }
            Answer::Refused(status) => {
                tracing::warn!(%code, status, "the gateway refused a one-time code; it is given up");
                Fate::Done
            }
            Answer::Busy(status) => {
                tracing::warn!(%code, status, "the gateway did not take a one-time code now");
                Fate::Later
            }
            Answer::Unreachable => {
                tracing::warn!(%code, "the gateway cannot be reached");
                Fate::Later
            }
        }
    }
}

impl Job for Codes {
    async fn step(&mut self) -> Next {
        let Some(gateway) = &self.gateway else { return Next::After(NEVER) };
        match self.work(gateway).await {
            Ok(next) => next,
            Err(fault) => {
                tracing::warn!(%fault, "one-time codes could not be posted");
                Next::After(EVERY)
            }
        }
    }
}
