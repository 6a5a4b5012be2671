//! What the box knows of its couriers: bundles given out, and what came back. There is one such row.
//!
//! Must not know what a bundle holds.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use replication::row::{Chain, Lane};

use crate::base::time::Timestamp;
use crate::store::change::lane_number;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta;
use crate::store::read::{Read, ReadExt as _};
use crate::store::record::{Record, TableId};
use crate::store::tx::Tx;

/// The box's couriers, within one life of its log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Couriers {
    /// The life.
    pub epoch: Uuid,
    /// The number of the last bundle that was given out.
    pub exported: u64,
    /// When.
    pub exported_at: Option<Timestamp>,
    /// The highest number that came back acknowledged.
    pub returned: u64,
    /// Central's clock in the last acknowledgement; an older one tells nothing new.
    pub heard: Option<Timestamp>,
    /// Lanes in which central stood behind what it had acknowledged: number, last entry and chain there.
    pub behind: Vec<(u8, u64, Chain)>,
}

impl Record for Couriers {
    const TABLE: TableId = TableId { number: 55, name: "store.couriers" };

    fn key(&self) -> Key {
        Key::new()
    }
}

/// What is known in the present life.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn known(read: &(impl Read + ?Sized)) -> Result<Couriers, Fault> {
    let epoch = meta::identity(read)?.epoch;
    let kept = read.get::<Couriers>(&Key::new())?.filter(|kept| kept.epoch == epoch);
    Ok(kept.unwrap_or(Couriers { epoch, ..Couriers::default() }))
}

/// Gives out the next number.
///
/// # Errors
/// [`Fault`] where the store cannot be written.
pub fn number(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Fault> {
    let mut known = known(tx)?;
    known.exported = known.exported.saturating_add(1);
    known.exported_at = Some(now);
    tx.put(&known)?;
    Ok(known.exported)
}

/// Where a lane's next bundle starts: behind what central is known to have.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn start(read: &(impl Read + ?Sized), lane: Lane) -> Result<(u64, Chain), Fault> {
    let ack = meta::lane_ack(read, lane)?;
    let behind = known(read)?.behind.into_iter().find(|(number, ..)| *number == lane_number(lane));
    // What the log no longer holds cannot be sent; central then says what is missing.
    let behind = behind.filter(|(_, seq, _)| *seq < ack.seq && *seq >= ack.trimmed_seq);
    Ok(behind.map_or((ack.seq, ack.chain), |(_, seq, chain)| (seq, chain)))
}

/// Notes where a lane stands at central, as an acknowledgement says.
///
/// # Errors
/// [`Fault`] where the store cannot be written.
pub fn stands(tx: &mut Tx<'_>, known: &mut Couriers, lane: Lane, seq: u64, chain: Chain) -> Result<(), Fault> {
    known.behind.retain(|(number, ..)| *number != lane_number(lane));
    if seq < meta::lane_ack(tx, lane)?.seq {
        known.behind.push((lane_number(lane), seq, chain));
        return Ok(());
    }
    meta::acknowledge(tx, lane, seq, chain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::golden;

    #[test]
    fn stored_as_ever() {
        let at = Some(Timestamp::from_micros(1_795_341_600_000_000));
        let epoch = Uuid::from_u128(7);
        golden(&[Couriers {
            epoch,
            exported: 3,
            exported_at: at,
            returned: 2,
            heard: at,
            behind: vec![(2, 300, [9; 32])],
        }]);
    }
}
