//! The catalogue: every table of the box in one list, and the check that a store fits this binary.

use crate::chat;
use crate::customer;
use crate::game;
use crate::identity;
use crate::ledger;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta::LAYOUT;
use crate::store::read::{Range, Read, ReadExt, Space};
use crate::store::table::TableInfo;
use crate::store::{
    answers, backups, change, chosen, compared, courier, dead, form, locked, meta, once, rebuild, upgrade,
};

/// Every table, in the order of their numbers.
#[must_use]
pub fn tables() -> Vec<TableInfo> {
    let mut all = vec![
        TableInfo::of::<change::Entry>(),
        TableInfo::of::<meta::Identity>(),
        TableInfo::of::<meta::LaneHead>(),
        TableInfo::of::<meta::SnapshotProgress>(),
        once::TABLE,
        TableInfo::of::<meta::LaneAck>(),
        TableInfo::of::<dead::DeadLetter>(),
        TableInfo::of::<compared::Verification>(),
        TableInfo::of::<backups::Restored>(),
        TableInfo::of::<backups::BackupRun>(),
        TableInfo::of::<rebuild::Rebuilding>(),
        TableInfo::of::<form::Form>(),
        TableInfo::of::<answers::Answer>(),
        TableInfo::of::<answers::Longer>(),
        TableInfo::of::<chosen::Chosen>(),
        TableInfo::of::<upgrade::Program>(),
        TableInfo::of::<courier::Couriers>(),
        TableInfo::of::<locked::Locked>(),
    ];
    all.extend(identity::tables());
    all.extend(customer::tables());
    all.extend(chat::tables());
    all.extend(game::tables());
    all.extend(ledger::tables());
    all.sort_by_key(|table| table.id.number);
    all
}

/// Why a store does not fit this binary.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// A newer binary has written it.
    #[error("this store is newer than this binary: {0}; install the newer version again")]
    Newer(String),
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] Fault),
}

/// Checks, before anything is written, that no table and no layout in a store is newer than this binary.
///
/// # Errors
/// [`Unfit::Newer`] naming what is.
pub fn check(read: &impl Read) -> Result<(), Unfit> {
    let known = tables();
    // The mark speaks for every row; a store of a program that left none is looked at.
    if let Some(newer) = read.get::<upgrade::Program>(&Key::new())?.and_then(|program| program.beyond(&known)) {
        return Err(Unfit::Newer(newer));
    }
    let mut place = Vec::new();
    loop {
        // One key of each table is enough: tables are walked by their prefixes.
        let range = Range { start: place.clone(), end: None, backwards: false };
        let Some((key, stored)) = read.raw_scan(Space::Rows, &range, 1)?.pop() else { break };
        let (number, rest) =
            key.split_first_chunk::<2>().map_or((0, &[][..]), |(n, rest)| (u16::from_be_bytes(*n), rest));
        match known.iter().find(|table| table.id.number == number) {
            None => return Err(Unfit::Newer(format!("it has a table of number {number}"))),
            Some(table) => match (table.check)(rest, &stored) {
                Err(Fault::Newer { table, version }) => {
                    return Err(Unfit::Newer(format!("table {table} has records of version {version}")));
                }
                other => other?,
            },
        }
        let Some(next) = number.checked_add(1) else { break };
        place = next.to_be_bytes().to_vec();
    }
    match meta::identity(read) {
        Ok(identity) if identity.layout > LAYOUT => Err(Unfit::Newer(format!("its layout is {}", identity.layout))),
        Ok(_) | Err(Fault::Corrupt { .. }) => Ok(()),
        Err(fault) => Err(fault.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_and_no_name_stands_twice() {
        let all = tables();
        let numbers: std::collections::BTreeSet<_> = all.iter().map(|table| table.id.number).collect();
        let names: std::collections::BTreeSet<_> = all.iter().map(|table| table.id.name).collect();
        assert_eq!((numbers.len(), names.len()), (all.len(), all.len()));
    }
}
