//! SQLite with a write-ahead log that is synced at every commit: the same pairs in three tables.

use std::path::Path;

use rusqlite::Connection;
use whotbox::store::read::Space;

use crate::load::{Placed, groups};

/// An SQLite database, and what it will write.
pub(crate) struct Sqlite {
    connection: Connection,
    next: Vec<Vec<Placed>>,
}

impl Sqlite {
    pub(crate) fn new(path: &Path) -> Self {
        let connection = Connection::open(path).unwrap();
        let tables = ["rows", "indexes", "changes"]
            .map(|name| format!("CREATE TABLE {name} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"));
        let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;";
        connection.execute_batch(&format!("{pragmas}{}", tables.concat())).unwrap();
        Self { connection, next: Vec::new() }
    }

    /// Makes the pairs of the next run, outside its time.
    pub(crate) fn prepare(&mut self, commands: usize) {
        self.next = groups(commands);
    }

    pub(crate) fn run(&mut self) {
        for group in std::mem::take(&mut self.next) {
            let txn = self.connection.transaction().unwrap();
            for (space, key, value) in &group {
                let insert = match space {
                    Space::Rows => "INSERT INTO rows VALUES (?1, ?2)",
                    Space::Indexes => "INSERT INTO indexes VALUES (?1, ?2)",
                    Space::Changes => "INSERT INTO changes VALUES (?1, ?2)",
                };
                txn.prepare_cached(insert).unwrap().execute((key, value)).unwrap();
            }
            txn.commit().unwrap();
        }
    }
}
