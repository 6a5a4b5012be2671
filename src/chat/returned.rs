//! Keys that came back: a key file is a file, and an older copy of it can be put in its place.
//!
//! The store remembers the id of every bucket before its key is destroyed. What the key file has of these at the start is
//! never taken into memory, and goes from the file with the first step of retention. Must not know messages.

use std::sync::{Arc, PoisonError};

use crate::base::id::UserId;
use crate::base::time::Timestamp;
use crate::chat::audit::{self, Action, Code, Deed};
use crate::chat::error::Error;
use crate::chat::records::destroyed::DestroyedKey;
use crate::chat::seal::bucket::BucketId;
use crate::chat::seal::keyring::Keyring;
use crate::chat::service::{Service, blocking};
use crate::store::fault::Fault;
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// Who stands in the moderator's place: the box itself.
const BOX: &str = "box";

/// Keys that the file had at the start although the store says that they are destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::chat) struct Returned {
    /// Still in the file.
    pub(in crate::chat) pending: Vec<BucketId>,
    /// Those that were gone from the file before; the others are of a destruction that was cut off.
    pub(in crate::chat) put_back: usize,
}

/// Takes destroyed keys out of the memory. Nothing is written.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub(in crate::chat) fn withhold(keyring: &Keyring, read: &impl Read) -> Result<Returned, Fault> {
    let mut found = Returned::default();
    for (id, ..) in keyring.list() {
        if let Some(known) = read.get::<DestroyedKey>(&DestroyedKey::place(id))? {
            found.pending.push(id);
            found.put_back += usize::from(known.gone);
        }
    }
    keyring.withhold(&found.pending);
    Ok(found)
}

/// Remembers that these keys are destroyed. In the transaction that decides it: before the key file is replaced.
pub(in crate::chat) fn remember(tx: &mut Tx<'_>, at: Timestamp, ids: &[BucketId]) -> Result<(), Fault> {
    ids.iter().try_for_each(|id| tx.put(&DestroyedKey { bucket: *id.as_bytes(), at, gone: false }))
}

/// Remembers that the key file was replaced without these keys.
pub(in crate::chat) async fn gone(store: &Store, ids: Vec<BucketId>) -> Result<(), Fault> {
    store.write(move |tx, _| mark_gone(tx, &ids)).await
}

fn mark_gone(tx: &mut Tx<'_>, ids: &[BucketId]) -> Result<(), Fault> {
    for id in ids {
        if let Some(known) = tx.get::<DestroyedKey>(&DestroyedKey::place(*id))? {
            tx.put(&DestroyedKey { gone: true, ..known })?;
        }
    }
    Ok(())
}

fn note(tx: &mut Tx<'_>, now: Timestamp, keys: usize) -> Result<(), Fault> {
    let moderator: UserId = BOX.parse().map_err(|_| Fault::Closed)?;
    let told = format!("an older key file was put back: {keys} destroyed keys in it are destroyed again");
    let reason = told.parse().map_err(|_| Fault::Closed)?;
    let (action, code) = (Action::KeyFileRolledBack, Code::Audit);
    audit::note(tx, now, Deed { conversation: None, subject: None, moderator, action, code, reason }).map(drop)
}

impl Service {
    /// How many destroyed keys the key file had again when this process started. They open nothing.
    #[must_use]
    pub fn put_back(&self) -> usize {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner).put_back
    }

    /// Destroys in the file what came back, after it is in the audit trail.
    pub(in crate::chat) async fn destroy_returned(&self, store: &Store) -> Result<(), Error> {
        let Returned { pending, put_back } = self.returned.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if pending.is_empty() {
            return Ok(());
        }
        if put_back > 0 {
            tracing::error!(keys = put_back, "an older key file was put back; its destroyed keys are destroyed again");
            store.write(move |tx, now| note(tx, now, put_back)).await?;
        }
        let (keyring, ids) = (Arc::clone(&self.keyring), pending.clone());
        blocking(move || keyring.destroy(&ids)).await?;
        gone(store, pending).await?;
        self.returned.lock().unwrap_or_else(PoisonError::into_inner).pending.clear();
        Ok(())
    }
}
