//! Reading: the same functions for a snapshot and for a transaction in progress.

use crate::store::fault::Fault;
use crate::store::index::Index;
use crate::store::key::Key;
use crate::store::page::{Listed, MAX_PAGE, Page};
use crate::store::record::{Record, TableId, decode};

/// The three trees of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// `table ‖ key` → stored record.
    Rows,
    /// See [`crate::store::index`].
    Indexes,
    /// `lane ‖ seq` → change-log entry.
    Changes,
}

impl Space {
    /// Every space.
    pub const ALL: [Self; 3] = [Self::Rows, Self::Indexes, Self::Changes];
}

/// Keys from `start` on, before `end`.
#[derive(Debug, Clone)]
pub struct Range {
    /// First key.
    pub start: Vec<u8>,
    /// First key beyond; `None` is the end of the space.
    pub end: Option<Vec<u8>>,
    /// Last key first.
    pub backwards: bool,
}

impl Range {
    /// All keys that start with `prefix`.
    #[must_use]
    pub fn prefix(prefix: Vec<u8>, backwards: bool) -> Self {
        let mut end = prefix.clone();
        while end.last() == Some(&0xff) {
            end.pop();
        }
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        Self { start: prefix, end: (!end.is_empty()).then_some(end), backwards }
    }

    /// Whether these pairs lie in the range and follow each other: those of a damaged file may lead back, and whoever goes on behind the
    /// last of them would never end.
    pub(in crate::store) fn is_followed_by(&self, pairs: &[Pair]) -> bool {
        let inside = |(key, _): &Pair| *key >= self.start && self.end.as_ref().is_none_or(|end| key < end);
        let in_order = pairs.is_sorted_by(|(one, _), (next, _)| if self.backwards { one > next } else { one < next });
        pairs.iter().all(inside) && in_order
    }

    fn resume(mut self, place: Option<Vec<u8>>) -> Self {
        match place {
            Some(place) if self.backwards => self.end = Some(place),
            Some(mut place) => {
                place.push(0);
                self.start = place;
            }
            None => {}
        }
        self
    }
}

/// A key and a value, as stored.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Where rows can be read.
pub trait Read {
    /// The value at a key.
    ///
    /// # Errors
    /// [`Fault`] where the disk cannot be read.
    fn raw_get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// At most `limit` pairs of a range.
    ///
    /// # Errors
    /// [`Fault`] where the disk cannot be read.
    fn raw_scan(&self, space: Space, range: &Range, limit: usize) -> Result<Vec<Pair>, Fault>;
}

/// Where a table's row lies among all rows: `table ‖ key`.
#[must_use]
pub(in crate::store) fn row_key(table: TableId, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + key.len());
    out.extend_from_slice(&table.number.to_be_bytes());
    out.extend_from_slice(key);
    out
}

/// Typed reading, for everything that can read.
pub trait ReadExt: Read {
    /// The row at a key.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    fn get<R: Record>(&self, key: &Key) -> Result<Option<R>, Fault> {
        self.stored::<R>(key)?.map(|bytes| decode(key.as_bytes(), &bytes)).transpose()
    }

    /// The bytes of the row at a key, for one who knows them and asks whether they are still the same.
    ///
    /// # Errors
    /// [`Fault`] where they cannot be read.
    fn stored<R: Record>(&self, key: &Key) -> Result<Option<Vec<u8>>, Fault> {
        self.raw_get(Space::Rows, &row_key(R::TABLE, key.as_bytes()))
    }

    /// The row that a unique index has under `parts`.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    fn find<R: Record>(&self, index: Index, parts: &Key) -> Result<Option<R>, Fault> {
        match self.raw_get(Space::Indexes, &index.prefix(R::TABLE, parts.as_bytes()))? {
            Some(primary) => self.indexed(primary).map(Some),
            None => Ok(None),
        }
    }

    /// The rows whose keys start with `front`, in key order.
    ///
    /// # Errors
    /// [`Fault`] where they cannot be read.
    fn list<R: Record>(&self, front: &Key, page: &Page) -> Result<Listed<R>, Fault> {
        let prefix = row_key(R::TABLE, front.as_bytes());
        let (pairs, next) = self.paged(Space::Rows, prefix, page)?;
        let items = pairs.iter().map(|(key, value)| decode(key.get(2..).unwrap_or_default(), value));
        Ok(Listed { items: items.collect::<Result<_, _>>()?, next })
    }

    /// The rows that `index` has under `front`, in index order.
    ///
    /// # Errors
    /// [`Fault`] where they cannot be read.
    fn list_by<R: Record>(&self, index: Index, front: &Key, page: &Page) -> Result<Listed<R>, Fault> {
        let prefix = index.prefix(R::TABLE, front.as_bytes());
        let (pairs, next) = self.paged(Space::Indexes, prefix, page)?;
        let items = pairs.into_iter().map(|(_, primary)| self.indexed(primary));
        Ok(Listed { items: items.collect::<Result<_, _>>()?, next })
    }

    /// The row that an index entry names. An entry without a row is damage.
    #[doc(hidden)]
    fn indexed<R: Record>(&self, primary: Vec<u8>) -> Result<R, Fault> {
        let row = self.get(&Key::from(primary))?;
        row.ok_or(Fault::Corrupt { table: R::TABLE.name, reason: "an index entry has no row" })
    }

    #[doc(hidden)]
    fn paged(&self, space: Space, prefix: Vec<u8>, page: &Page) -> Result<(Vec<Pair>, Option<Vec<u8>>), Fault> {
        let limit = page.limit.min(MAX_PAGE);
        let place = page.after.as_ref().map(|after| [&prefix[..], after].concat());
        let front = prefix.len();
        let range = Range::prefix(prefix, page.newest_first).resume(place);
        let mut pairs = self.raw_scan(space, &range, limit + 1)?;
        let more = pairs.len() > limit;
        pairs.truncate(limit);
        let last = pairs.last().filter(|_| more);
        let next = last.map(|(key, _)| key.get(front..).unwrap_or_default().to_vec());
        Ok((pairs, next))
    }
}

impl<T: Read + ?Sized> ReadExt for T {}
