//! Housekeeping: forgets what nobody may ask for any more.

use std::time::Duration;

use replication::row::Lane;

use crate::identity::cleanup;
use crate::jobs::{Job, Next};
use crate::store::fault::Fault;
use crate::store::writer::Store;
use crate::store::{meta, once};

/// Rows of one step, so that no command waits behind it for long.
const AT_ONCE: usize = 500;
/// Between two rounds.
const EVERY: Duration = Duration::from_secs(60);

/// Idempotency records after their day, what identity need not keep, and acknowledged change-log entries after their retention.
pub struct Housekeeping {
    /// The store.
    pub store: Store,
    /// How long acknowledged entries are kept.
    pub log_retention: Duration,
}

impl Job for Housekeeping {
    async fn step(&mut self) -> Next {
        let retention = self.log_retention;
        let done = self.store.reserved().write(move |tx, now| {
            let mut done = once::forget(tx, now, AT_ONCE)?;
            done = done.max(cleanup::step(tx, now, AT_ONCE)?);
            for lane in Lane::ALL {
                done = done.max(meta::trim(tx, lane, now.minus(retention), AT_ONCE)?);
            }
            Ok::<_, Fault>(done)
        });
        match done.await {
            Ok(AT_ONCE) => Next::Now,
            Ok(_) => Next::After(EVERY),
            Err(fault) => {
                tracing::warn!(%fault, "housekeeping could not be done");
                Next::After(EVERY)
            }
        }
    }
}
