//! redb with nothing over it: the same pairs in the same three trees, committed as the store commits.

use std::path::Path;

use redb::{Database, TableDefinition};
use whotbox::store::read::Space;

use crate::load::{Placed, groups};

type Tree = TableDefinition<'static, &'static [u8], &'static [u8]>;
const ROWS: Tree = TableDefinition::new("rows");
const INDEXES: Tree = TableDefinition::new("indexes");
const CHANGES: Tree = TableDefinition::new("changes");

/// A bare database, and what it will write.
pub(crate) struct Bare {
    database: Database,
    next: Vec<Vec<Placed>>,
}

impl Bare {
    pub(crate) fn new(path: &Path) -> Self {
        let database = Database::builder().set_cache_size(64 << 20).create(path).unwrap();
        Self { database, next: Vec::new() }
    }

    /// Makes the pairs of the next run, outside its time.
    pub(crate) fn prepare(&mut self, commands: usize) {
        self.next = groups(commands);
    }

    pub(crate) fn run(&mut self) {
        for group in std::mem::take(&mut self.next) {
            let mut txn = self.database.begin_write().unwrap();
            txn.set_two_phase_commit(true);
            txn.set_quick_repair(true);
            {
                let mut rows = txn.open_table(ROWS).unwrap();
                let mut indexes = txn.open_table(INDEXES).unwrap();
                let mut changes = txn.open_table(CHANGES).unwrap();
                for (space, key, value) in &group {
                    let tree = match space {
                        Space::Rows => &mut rows,
                        Space::Indexes => &mut indexes,
                        Space::Changes => &mut changes,
                    };
                    tree.insert(key.as_slice(), value.as_slice()).unwrap();
                }
            }
            txn.commit().unwrap();
        }
    }
}
