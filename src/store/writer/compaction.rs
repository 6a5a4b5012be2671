//! Compaction: the disk gets back what deleted rows have left.
//!
//! The writer does it between two commits, with the store to itself: whoever reads or writes waits. redb moves pages by
//! ordinary commits, so that a cut anywhere leaves a sound store. Must not know when it is worth it.

use std::sync::PoisonError;

use tokio::sync::oneshot;

use crate::store::fault::Fault;
use crate::store::writer::{Shared, Store, guarded};

/// Whoever waits for a compaction.
pub(super) type Asked = oneshot::Sender<Result<Compacted, Fault>>;

/// What a compaction came to: the lengths of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Before.
    pub before: u64,
    /// After.
    pub after: u64,
}

/// How much of the file is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of pages that hold something, and of the journal.
    pub used: u64,
}

impl Fill {
    /// Hundredths of the file that hold nothing.
    #[must_use]
    pub const fn free_percent(self) -> u64 {
        let free = self.bytes.saturating_sub(self.used);
        match free.saturating_mul(100).checked_div(self.bytes) {
            Some(percent) => percent,
            None => 0,
        }
    }
}

impl Store {
    /// Compacts the store. Reading and writing wait until it is done.
    ///
    /// # Errors
    /// [`Fault::Busy`] while a snapshot is kept and on a full disk; what the disk says.
    pub async fn compact(&self) -> Result<Compacted, Fault> {
        let (asked, answer) = oneshot::channel();
        self.shared.compactions.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        // It wakes the writer.
        self.reserved().write(|_, _| Ok::<_, Fault>(())).await?;
        answer.await.unwrap_or(Err(Fault::Closed))
    }

    /// How much of the file is in use. It walks the tables: not for every minute.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    pub fn fill(&self) -> Result<Fill, Fault> {
        guarded(|| self.shared.file().engine()?.fill())
    }
}

impl Shared {
    /// Compacts where somebody waits for it.
    pub(super) fn compact(&self) {
        let asked = std::mem::take(&mut *self.compactions.lock().unwrap_or_else(PoisonError::into_inner));
        if asked.is_empty() {
            return;
        }
        let done = self.compacted();
        if let Err(fault) = &done
            && *fault != Fault::Busy
        {
            tracing::error!(%fault, "the store could not be compacted; it is reopened");
            self.failed(fault);
        }
        for one in asked {
            // Who no longer waits for it need not know.
            drop(one.send(done.clone()));
        }
    }

    fn compacted(&self) -> Result<Compacted, Fault> {
        if self.room.is_short() {
            // Pages are moved by being written anew, which takes room first.
            return Err(Fault::Busy);
        }
        self.finish_checkpoint()?;
        guarded(|| {
            let mut file = self.file_mut();
            let engine = file.engine_mut()?;
            if !engine.is_settled() {
                engine.settle(None)?;
            }
            let before = engine.bytes()?;
            engine.compact()?;
            Ok(Compacted { before, after: engine.bytes()? })
        })
    }
}
