//! Idempotency: a command that bears a key is done once, and its answer can be given again.
//!
//! The record holds a reference (ids) to the answer and a keyed digest of the request, never a secret or content.
//! It is written in the command's own transaction, so that "done" and "remembered" are one thing.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::store::fault::Fault;
use crate::store::index::{Index, Indexes};
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::{Read, ReadExt};
use crate::store::record::{Record, TableId, decode_body, pack};
use crate::store::tx::Tx;

/// How long an answer can be asked for again (contract, section 1).
pub const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// A request that bears an `Idempotency-Key`.
#[derive(Debug, Clone, Copy)]
pub struct OnceKey {
    /// Keyed digest of caller, path and key.
    pub key: [u8; 32],
    /// Keyed digest of the body.
    pub request: [u8; 32],
}

/// The same key came with another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the idempotency key was used for another request")]
pub struct KeyReused;

/// What a command gave, and whether it had been done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done<R> {
    /// The reference to the answer.
    pub reference: R,
    /// It was done by an earlier request with the same key.
    pub replayed: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Remembered {
    key: [u8; 32],
    request: [u8; 32],
    #[serde(with = "serde_bytes")]
    reference: Vec<u8>,
    at: Timestamp,
}

const BY_TIME: Index = Index::ordered(1);

impl Record for Remembered {
    const TABLE: TableId = TableId { number: 5, name: "store.idempotency" };

    fn key(&self) -> Key {
        Key::new().fixed(&self.key)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(BY_TIME, &Key::new().time(self.at));
    }
}

/// The table of remembered answers, for the catalogue.
pub const TABLE: crate::store::table::TableInfo = crate::store::table::TableInfo::of::<Remembered>();

/// Does `command` unless its key was seen within [`REMEMBERED`]; then the first reference comes again.
///
/// # Errors
/// [`KeyReused`] for the same key with another request; otherwise the command's own error, which is not remembered.
pub fn once<R, E>(
    tx: &mut Tx<'_>,
    now: Timestamp,
    key: Option<OnceKey>,
    command: impl FnOnce(&mut Tx<'_>) -> Result<R, E>,
) -> Result<Done<R>, E>
where
    R: Serialize + DeserializeOwned,
    E: From<Fault> + From<KeyReused>,
{
    if let Some(reference) = seen::<R, E>(tx, now, key.as_ref())? {
        return Ok(Done { reference, replayed: true });
    }
    let reference = command(tx)?;
    let Some(key) = key else { return Ok(Done { reference, replayed: false }) };
    let packed = pack(Remembered::TABLE, &reference)?;
    tx.put(&Remembered { key: key.key, request: key.request, reference: packed, at: now })?;
    Ok(Done { reference, replayed: false })
}

/// The reference of a request that was done within [`REMEMBERED`]; nothing where it was not, or bears no key. For commands
/// that must not even be prepared twice, such as those that count a try.
///
/// # Errors
/// [`KeyReused`] for the same key with another request.
pub fn seen<R, E>(read: &(impl Read + ?Sized), now: Timestamp, key: Option<&OnceKey>) -> Result<Option<R>, E>
where
    R: DeserializeOwned,
    E: From<Fault> + From<KeyReused>,
{
    let Some(key) = key else { return Ok(None) };
    let known = read.get::<Remembered>(&Key::new().fixed(&key.key))?;
    match known.filter(|known| now.since(known.at) < REMEMBERED) {
        None => Ok(None),
        Some(known) if known.request != key.request => Err(KeyReused.into()),
        Some(known) => Ok(Some(decode_body(Remembered::TABLE, &known.reference)?)),
    }
}

/// Forgets at most `limit` answers that nobody may ask for any more; returns how many.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn forget(tx: &mut Tx<'_>, now: Timestamp, limit: usize) -> Result<usize, Fault> {
    let oldest = tx.list_by::<Remembered>(BY_TIME, &Key::new(), &Page::first(limit))?.items;
    let due: Vec<_> = oldest.into_iter().filter(|seen| now.since(seen.at) >= REMEMBERED).collect();
    for seen in &due {
        tx.delete::<Remembered>(&seen.key())?;
    }
    Ok(due.len())
}
