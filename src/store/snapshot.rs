//! Snapshots: the store as it was at one commit. They never queue and never block a writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
};

use crate::store::fault::Fault;
use crate::store::memory::{Memory, Seq};
use crate::store::merge::Over;
use crate::store::read::{Pair, Range, Read, Space};

type Guards<'a> = (redb::AccessGuard<'a, &'static [u8]>, redb::AccessGuard<'a, &'static [u8]>);
type Tree = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The tree of a space. Names and types are part of the file.
pub(in crate::store) const fn definition(space: Space) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(match space {
        Space::Rows => "rows",
        Space::Indexes => "indexes",
        Space::Changes => "changes",
    })
}

/// The store at one commit. Keep it for a request, not longer: it keeps old pages from being reused.
pub struct Snapshot {
    read: ReadTransaction,
    /// Rows, indexes, changes: each is opened when it is first needed, which most reads of what is in memory never do.
    trees: [OnceLock<Tree>; 3],
    memories: Memories,
    at: Seq,
}

/// What was committed over the trees.
#[derive(Debug, Clone)]
pub(in crate::store) struct Memories {
    /// Where commits go.
    pub(in crate::store) active: Arc<Memory>,
    /// What a checkpoint is writing into the trees.
    pub(in crate::store) frozen: Option<Arc<Memory>>,
}

impl Snapshot {
    pub(in crate::store) fn of(database: &Database, memories: &Memories, at: Seq) -> Result<Self, Fault> {
        guarded(|| {
            let read = database.begin_read()?;
            Ok(Self { read, trees: Default::default(), memories: memories.clone(), at })
        })
    }

    /// Walks all pages and looks whether every row is where it belongs and is found by its key: a page that changed places is
    /// whole, and the rows under it would be missed without a word.
    ///
    /// # Errors
    /// [`Fault::Corrupt`].
    pub fn walk_pages(&self) -> Result<(), Fault> {
        Space::ALL.into_iter().try_for_each(|space| guarded(|| in_order(self.tree(space)?)))
    }

    /// Whether there is nothing in the store, as before its first start.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    pub fn has_no_rows(&self) -> Result<bool, Fault> {
        Ok(self.raw_scan(Space::Rows, &Range::prefix(Vec::new(), false), 1)?.is_empty())
    }

    fn tree(&self, space: Space) -> Result<&Tree, Fault> {
        let [rows, indexes, changes] = &self.trees;
        let cell = match space {
            Space::Rows => rows,
            Space::Indexes => indexes,
            Space::Changes => changes,
        };
        if let Some(tree) = cell.get() {
            return Ok(tree);
        }
        let opened = self.read.open_table(definition(space))?;
        Ok(cell.get_or_init(|| opened))
    }
}

impl Read for Snapshot {
    fn raw_get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let Memories { active, frozen } = &self.memories;
        if let Some(written) = active.get(self.at, space, key) {
            return Ok(written);
        }
        if active.is_cleared(space, self.at) {
            return Ok(None);
        }
        if let Some(written) = frozen.as_ref().and_then(|frozen| frozen.get(self.at, space, key)) {
            return Ok(written);
        }
        guarded(|| Ok(self.tree(space)?.get(key)?.map(|value| value.value().to_vec())))
    }

    fn raw_scan(&self, space: Space, range: &Range, limit: usize) -> Result<Vec<Pair>, Fault> {
        guarded(|| self.scan(space, range, limit))
    }
}

/// A page that changed places, or an inner one that leads elsewhere.
const MISPLACED: Fault = Fault::Corrupt { table: "store", reason: "rows are missing or out of order" };

fn in_order(tree: &Tree) -> Result<(), Fault> {
    let (mut count, mut last) = (0, None::<Vec<u8>>);
    for entry in tree.iter()? {
        let (key, _) = entry?;
        if last.as_deref().is_some_and(|last| last >= key.value()) {
            return Err(MISPLACED);
        }
        // A key of an inner page that has become another leads past rows that are all there.
        if tree.get(key.value())?.is_none() {
            return Err(MISPLACED);
        }
        last = Some(key.value().to_vec());
        count += 1;
    }
    if count == tree.len()? { Ok(()) } else { Err(MISPLACED) }
}

/// redb reads most damaged pages as errors, and panics over some.
fn guarded<T>(read: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let damaged = Fault::Corrupt { table: "store", reason: "a page of the file is damaged" };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(damaged))
}

impl Snapshot {
    fn scan(&self, space: Space, range: &Range, limit: usize) -> Result<Vec<Pair>, Fault> {
        let Memories { active, frozen } = &self.memories;
        let start = range.start.as_slice();
        let below = match range.end.as_deref() {
            Some(end) if end <= start => return Ok(Vec::new()),
            // What is below is gone.
            _ if active.is_cleared(space, self.at) => self.tree(space)?.range::<&[u8]>(start..start)?,
            Some(end) => self.tree(space)?.range::<&[u8]>(start..end)?,
            None => self.tree(space)?.range::<&[u8]>(start..)?,
        };
        let pair = |entry: Result<Guards<'_>, redb::StorageError>| {
            let (key, value) = entry?;
            Ok((key.value().to_vec(), value.value().to_vec()))
        };
        let backwards = range.backwards;
        let below: Box<dyn Iterator<Item = Result<Pair, Fault>>> =
            if backwards { Box::new(below.rev().map(pair)) } else { Box::new(below.map(pair)) };
        let frozen = frozen.iter().filter(|_| !active.is_cleared(space, self.at));
        let frozen = frozen.flat_map(|frozen| frozen.scan(self.at, space, range));
        let written = active.scan(self.at, space, range);
        let found = Over::new(Over::new(below, frozen, backwards), written, backwards).take(limit);
        let pairs: Vec<Pair> = found.collect::<Result<_, _>>()?;
        if range.is_followed_by(&pairs) { Ok(pairs) } else { Err(MISPLACED) }
    }
}
