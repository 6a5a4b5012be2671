//! What goes past the log, gathered instead of sent: to custody it looks like a central that takes everything.

use std::sync::{Mutex, PoisonError};

use replication::error::Error;
use replication::row::{Batch, Cursor, Lane, Slice, Table};
use replication::upstream::{Among, Applied, AuditHead, Directive, Greeting, Listing, Range, Report, Sums, Upstream};

/// The gathered slices.
#[derive(Default)]
pub(super) struct Pouch(Mutex<Vec<Slice>>);

impl Pouch {
    pub(super) fn take(&self) -> Vec<Slice> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn nobody<T>() -> Result<T, Error> {
    Err(Error::Unreachable { reason: "a courier answers nothing".to_owned() })
}

impl Upstream for Pouch {
    async fn contact(&self, _: &Report) -> Result<Greeting, Error> {
        nobody()
    }

    async fn schema(&self) -> Result<i64, Error> {
        Ok(replication::SCHEMA)
    }

    async fn cursor(&self, _: Lane) -> Result<Cursor, Error> {
        nobody()
    }

    async fn apply(&self, _: &Batch) -> Result<Applied, Error> {
        nobody()
    }

    async fn replace(&self, slice: &Slice) -> Result<(), Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(slice.clone());
        Ok(())
    }

    async fn directives(&self, _: i64, _: u32) -> Result<Vec<Directive>, Error> {
        nobody()
    }

    async fn sums(&self, _: &'static Table, _: &[Range<'_>]) -> Result<Sums, Error> {
        nobody()
    }

    async fn list(&self, _: &'static Table, _: Among<'_>, _: u32) -> Result<Listing, Error> {
        nobody()
    }

    async fn audit_head(&self) -> Result<AuditHead, Error> {
        nobody()
    }
}
