//! The whole store as stored pairs: how a backup reads it, and how a restore fills an empty one.
//!
//! The one exception to writing by `put`: what is laid down was written by `put` once, indexes and all, and only a
//! store that says that it is being restored takes it. Must not know a table.

use crate::store::backups::{Phase, Restored};
use crate::store::change::Entry;
use crate::store::dead::DeadLetter;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta::{Identity, LaneAck, LaneHead, SnapshotProgress};
use crate::store::read::{Pair, Range, Read, ReadExt, Space};
use crate::store::record::Record;
use crate::store::tx::Tx;

/// Pairs read at once: with the longest record that is a quarter of the page cache.
const AT_ONCE: usize = 64;

/// Tables that belong to a life of the store and not to its content: a restored one begins its own.
const OF_A_LIFE: [u16; 6] = [
    Entry::TABLE.number,
    Identity::TABLE.number,
    LaneHead::TABLE.number,
    LaneAck::TABLE.number,
    SnapshotProgress::TABLE.number,
    DeadLetter::TABLE.number,
];

/// Shows every pair of a space, in key order.
///
/// # Errors
/// [`Fault`] where it cannot be read, or what `each` says.
pub fn walk<E: From<Fault>>(
    read: &impl Read,
    space: Space,
    mut each: impl FnMut(&Pair) -> Result<(), E>,
) -> Result<(), E> {
    let mut start = Vec::new();
    loop {
        let pairs = read.raw_scan(space, &Range { start, end: None, backwards: false }, AT_ONCE)?;
        pairs.iter().try_for_each(&mut each)?;
        match pairs.into_iter().next_back() {
            // The next key after this one.
            Some((mut last, _)) => {
                last.push(0);
                start = last;
            }
            None => return Ok(()),
        }
    }
}

/// Lays down pairs of a backup, whatever their table. The change log and what belongs to the old life stay out.
///
/// # Errors
/// [`Fault::Corrupt`] for a store that is not being restored.
pub fn lay(tx: &mut Tx<'_>, pairs: Vec<(Space, Pair)>) -> Result<(), Fault> {
    let restoring = tx.get::<Restored>(&Key::new())?.is_some_and(|restored| restored.phase == Phase::Loading);
    if !restoring {
        return Err(Fault::Corrupt {
            table: Restored::TABLE.name,
            reason: "only a store that is being restored is filled",
        });
    }
    for (space, (key, value)) in pairs {
        let table = key.first_chunk::<2>().map(|number| u16::from_be_bytes(*number));
        let own = table.is_some_and(|table| OF_A_LIFE.contains(&table) || table == Restored::TABLE.number);
        if space != Space::Changes && !own {
            tx.lay(space, key, value);
        }
    }
    Ok(())
}

/// Whether an index entry names a row that is there.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn has_row(read: &impl Read, entry: &Pair) -> Result<bool, Fault> {
    let Some(table) = entry.0.first_chunk::<2>() else { return Ok(false) };
    Ok(read.raw_get(Space::Rows, &[table, entry.1.as_slice()].concat())?.is_some())
}
