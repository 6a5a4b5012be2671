//! In which forms a store's rows are, and bringing them to those of a newer program.
//!
//! A row of an earlier form can always be read; the mark says that newer ones may be among them, so that an earlier program
//! refuses the store as a whole instead of stumbling over a row. Must not know what a row means.

use serde::{Deserialize, Serialize};

use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta::LAYOUT;
use crate::store::read::{Range, Read, ReadExt, Space};
use crate::store::record::{Record, TableId};
use crate::store::table::TableInfo;
use crate::store::tx::Tx;

/// Rows that are looked at in one command.
const AT_ONCE: usize = 256;

/// The program that a store was last opened by, and the forms that it writes. There is one such row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its version.
    pub version: String,
    /// The layout that it makes.
    pub layout: u16,
    /// Number and version of each of its tables.
    pub tables: Vec<(u16, u8)>,
    /// Rows may still be in the forms of an earlier program.
    pub under_way: bool,
}

impl Record for Program {
    const TABLE: TableId = TableId { number: 68, name: "store.program" };

    fn key(&self) -> Key {
        Key::new()
    }
}

/// How a store stands to this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It was last opened by this program.
    Present,
    /// By another one, whose version is known if that left a mark.
    Earlier(Option<String>),
    /// Bringing it up was begun and cut off.
    UnderWay,
}

impl Program {
    /// This program.
    #[must_use]
    pub fn this(tables: &[TableInfo]) -> Self {
        let tables = tables.iter().map(|table| (table.id.number, table.version)).collect();
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), layout: LAYOUT, tables, under_way: false }
    }

    /// What of its forms a program of `tables` does not know, in words.
    #[must_use]
    pub fn beyond(&self, tables: &[TableInfo]) -> Option<String> {
        let known = |number| tables.iter().find(|table| table.id.number == number);
        let newer = self.tables.iter().find_map(|(number, version)| match known(*number) {
            None => Some(format!("it has a table of number {number}")),
            Some(table) if table.version < *version => {
                Some(format!("table {} has records of version {version}", table.id.name))
            }
            Some(_) => None,
        });
        newer.map(|what| format!("whotbox {} has written it, and {what}", self.version))
    }
}

/// How a store stands to a program of these tables.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn standing(read: &impl Read, tables: &[TableInfo]) -> Result<Standing, Fault> {
    let this = Program::this(tables);
    Ok(match read.get::<Program>(&Key::new())? {
        None => Standing::Earlier(None),
        Some(program) if program == this => Standing::Present,
        Some(program) if program == (Program { under_way: true, ..this }) => Standing::UnderWay,
        Some(program) => Standing::Earlier(Some(program.version)),
    })
}

/// Marks the store as this program's: from here on an earlier one refuses it.
///
/// # Errors
/// [`Fault`] where it cannot be written.
pub fn mark(tx: &mut Tx<'_>, tables: &[TableInfo], under_way: bool) -> Result<(), Fault> {
    tx.put(&Program { under_way, ..Program::this(tables) })
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// Where the next one begins; `None` when all rows were looked at.
    pub next: Option<Vec<u8>>,
    /// Rows that were brought into their present form.
    pub brought: usize,
    /// Rows that cannot be read, and stay as they are.
    pub damaged: usize,
}

/// Brings rows from a place on into their present forms, by the usual write of a row: indexes, change log and all.
///
/// # Errors
/// [`Fault`] where the store cannot be read or written.
pub fn step(tx: &mut Tx<'_>, tables: &[TableInfo], from: Vec<u8>) -> Result<Step, Fault> {
    let rows = tx.raw_scan(Space::Rows, &Range { start: from, end: None, backwards: false }, AT_ONCE)?;
    let mut step = Step::default();
    for (place, stored) in &rows {
        let Some((number, key)) = place.split_first_chunk::<2>() else { continue };
        let Some(table) = tables.iter().find(|table| table.id.number == u16::from_be_bytes(*number)) else { continue };
        if stored.first().is_none_or(|version| *version >= table.version) {
            continue;
        }
        match (table.renew)(tx, key, stored) {
            Ok(()) => step.brought += 1,
            // The doctor names it; the others must not wait for it.
            Err(Fault::Corrupt { .. }) => step.damaged += 1,
            Err(fault) => return Err(fault),
        }
    }
    step.next = rows.into_iter().next_back().map(|(mut last, _)| {
        // The next key after this one.
        last.push(0);
        last
    });
    Ok(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::dead::DeadLetter;
    use crate::store::testing::{golden, store};

    #[test]
    fn the_record_is_as_it_was() {
        let program = Program { version: "0.1.0".into(), layout: 1, tables: vec![(1, 1), (7, 2)], under_way: false };
        golden(&[Program { under_way: true, ..program.clone() }, program]);
    }

    #[test]
    fn a_store_stands_to_its_program_and_to_others() {
        let (store, _) = store();
        let tables = vec![TableInfo::of::<Program>(), TableInfo::of::<DeadLetter>()];
        let stands = |tables: &[TableInfo]| standing(&store.read().unwrap(), tables).unwrap();
        assert_eq!(stands(&tables), Standing::Earlier(None));
        for (under_way, standing) in [(true, Standing::UnderWay), (false, Standing::Present)] {
            let tables = tables.clone();
            store
                .write_blocking({
                    let tables = tables.clone();
                    move |tx, _| mark(tx, &tables, under_way)
                })
                .unwrap();
            assert_eq!(stands(&tables), standing);
        }
        let fewer = tables.get(..1).unwrap().to_vec();
        assert_eq!(stands(&fewer), Standing::Earlier(Some(env!("CARGO_PKG_VERSION").into())));
        // An earlier program, which has not that table or not that version of it, is told what it lacks.
        let program = Program::this(&tables);
        assert!(program.beyond(&fewer).unwrap().contains("a table of number 7"));
        let mut older = tables.clone();
        older[1].version = 1;
        assert!(program.beyond(&older).unwrap().contains("store.dead_letters has records of version 2"));
        assert_eq!(program.beyond(&tables), None);
    }
}
