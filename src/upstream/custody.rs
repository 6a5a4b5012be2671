//! What central keeps of the chat beside the log: copies of the bucket keys, wrapped by the master key that is never
//! there, and the end of the audit trail to compare with.
//!
//! ```text
//!   key file ──entries, wrapped──▶ replication.bucket_keys      a key destroyed here is deleted there
//!   audit trail ◀──its end as central has it── chat.audits      cut, set back or written anew: seen here
//! ```
//!
//! The keys travel by a step of their own, because what is in the change log can be found in old pages of the store.
//! With them and the owner's master key a lost box can be rebuilt. Must not know what a key opens.

use std::sync::Arc;
use std::time::Duration;

use replication::error::Error as Central;
use replication::row::{Lane, Row, Slice, Table, Type, Value};
use replication::upstream::Upstream;

use crate::base::time::{Clock, Instant};
use crate::chat::audit::{self, Head};
use crate::chat::error::Error as Chat;
use crate::chat::seal::bucket::BucketId;
use crate::chat::seal::file::Wrapped;
use crate::chat::service::Service;
use crate::chat::trail::Witness;
use crate::store::columns::{bytes, column, number, time};
use crate::store::fault::Fault;
use crate::store::read::Read;
use crate::store::writer::Store;
use crate::store::{courier, locked, meta, relog};
use crate::upstream::sender::HEARTBEAT;

/// Where central keeps them. The box describes the table here, since it is filled past the log.
pub static BUCKET_KEYS: Table = Table {
    schema: "replication",
    name: "bucket_keys",
    append_only: false,
    columns: &[
        column("kind", Type::Bytes),
        column("created_at", Type::Time),
        column("wrap_version", Type::BigInt),
        column("wrapped", Type::Bytes),
    ],
};

/// The first digits of bucket ids: the keys go in so many parts, and only those that changed.
const PARTS: &[u8; 16] = b"0123456789abcdef";

/// Why a step came to nothing. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// Central refused or was not reached.
    #[error(transparent)]
    Central(#[from] Central),
    /// The key file cannot be read.
    #[error(transparent)]
    Chat(#[from] Chat),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] Fault),
    /// The master key cannot be sealed.
    #[error("{0}")]
    Sealing(String),
}

/// How often everything is sent again while a bundle is on its way: one that is applied late may bring back a key that was destroyed since.
const AGAIN: Duration = Duration::from_secs(3600);

/// Which keys of a part central has: each under which version of the wrapping key.
type Known = Vec<(BucketId, u32)>;

/// One box's custody at one central.
pub struct Custody<U> {
    store: Store,
    chat: Arc<Service>,
    clock: Arc<dyn Clock>,
    central: U,
    known: [Option<Known>; PARTS.len()],
    revision: Option<u64>,
    compared: Option<Instant>,
    whole: Option<Instant>,
}

impl<U: Upstream> Custody<U> {
    /// A custody that does not know yet what central has.
    pub fn new(store: Store, chat: Arc<Service>, clock: Arc<dyn Clock>, central: U) -> Self {
        Self { store, chat, clock, central, known: Default::default(), revision: None, compared: None, whole: None }
    }

    /// Central, as this custody reaches it.
    pub const fn central(&self) -> &U {
        &self.central
    }

    /// Compares the audit trail if that is due, and brings the copies of the keys up to date if any has changed.
    ///
    /// # Errors
    /// [`Halt`]; what central has is then asked anew.
    pub async fn step(&mut self) -> Result<(), Halt> {
        let now = self.clock.monotonic();
        if self.compared.is_none_or(|at| now.since(at) >= HEARTBEAT) {
            let before = everything_sent(&self.store.read()?)?;
            let central = self.central.audit_head().await?;
            let seq = |n: i64| u64::try_from(n).unwrap_or(0);
            let head = Head { seq: seq(central.seq), hash: central.hash };
            let central = Witness { head, links: seq(central.links) };
            let read = self.store.read()?;
            // A trail that differs is told by the service; sending goes on, or central would learn nothing more.
            let told = self.chat.anchored(&read, central)?;
            if let (Some(here), Ok(()), true) = (before, told, self.chat.unsettled(&read)?) {
                self.chat.settle_trail(&self.store, here, central).await?;
            }
            self.compared = Some(now);
        }
        let couriers = courier::known(&self.store.read()?)?;
        if couriers.exported > couriers.returned && self.whole.is_none_or(|at| now.since(at) >= AGAIN) {
            (self.known, self.revision, self.whole) = (Default::default(), None, Some(now));
        }
        let revision = self.chat.keys_revision();
        if self.revision != Some(revision) {
            self.send().await?;
            self.revision = Some(revision);
        }
        Ok(())
    }

    /// Brings the copies of the keys up to date.
    pub(in crate::upstream) async fn send(&mut self) -> Result<(), Halt> {
        // A shut box without keys: central's are the only ones.
        if locked::wiped(&self.store.read()?)? {
            return Ok(());
        }
        let epoch = meta::identity(&self.store.read()?)?.epoch;
        let entries = self.chat.wrapped_keys().await?;
        for (place, digit) in PARTS.iter().enumerate() {
            let part: Vec<&Wrapped> = entries.iter().filter(|entry| first_digit(entry.id) == place).collect();
            let now: Known = part.iter().map(|entry| (entry.id, entry.wrap_version)).collect();
            let Some(known) = self.known.get_mut(place) else { continue };
            if known.as_ref() == Some(&now) {
                continue;
            }
            // Every id of a part lies behind the digit before it followed by something beyond any digit.
            let edge = |digit: u8| format!("{}g", char::from(digit));
            let after = place.checked_sub(1).and_then(|before| PARTS.get(before)).map(|before| edge(*before));
            let upto = (place + 1 < PARTS.len()).then(|| edge(*digit));
            let rows = part.into_iter().map(row).collect();
            *known = None;
            self.central.replace(&Slice { epoch, table: &BUCKET_KEYS, after, upto, rows }).await?;
            *known = Some(now);
        }
        Ok(())
    }
}

/// The trail's end, if central has confirmed every entry: then it has every link. One that it refused and takes later
/// alarms, and rightly: it is looked at by somebody.
fn everything_sent(read: &impl Read) -> Result<Option<Head>, Fault> {
    let (sent, all) = (meta::lane_ack(read, Lane::Urgent)?.seq, meta::lane_head(read, Lane::Urgent)?.seq);
    if sent < all || relog::pending(read)? { Ok(None) } else { audit::head(read).map(Some) }
}

fn first_digit(id: BucketId) -> usize {
    id.as_bytes().first().map_or(0, |byte| usize::from(byte >> 4))
}

fn row(entry: &Wrapped) -> Row {
    let values: Vec<Value> =
        vec![bytes(&entry.kind), time(entry.created_at), number(entry.wrap_version), bytes(&entry.key)];
    Row { id: entry.id.to_string(), values }
}

#[cfg(test)]
mod tests;
