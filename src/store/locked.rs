//! Whether central has shut this box: then nobody plays or writes on it, and once central has everything its keys go.
//!
//! Must not know who enforces it.

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::read::{Read, ReadExt as _};
use crate::store::record::{Record, TableId};

/// A shut box has one such row; any other none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// The number of the order.
    pub seq: u64,
    /// Why, as central says.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
    /// When the chat's keys were wiped, if they were. Written before they are, so that it is done again after a power cut.
    pub wiped_at: Option<Timestamp>,
}

impl Record for Locked {
    const TABLE: TableId = TableId { number: 56, name: "store.locked" };

    fn key(&self) -> Key {
        Key::new()
    }
}

/// The lock, if there is one.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn of(read: &(impl Read + ?Sized)) -> Result<Option<Locked>, Fault> {
    read.get(&Key::new())
}

/// Whether the keys are wiped: from then on what this box has of them says nothing about what central must have.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn wiped(read: &(impl Read + ?Sized)) -> Result<bool, Fault> {
    Ok(of(read)?.is_some_and(|lock| lock.wiped_at.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::golden;

    #[test]
    fn stored_as_ever() {
        let at = Timestamp::from_micros(1_795_341_600_000_000);
        let locked = |wiped_at| Locked { seq: 7, reason: "stolen at the market".into(), at, wiped_at };
        golden(&[locked(None), locked(Some(at))]);
    }
}
