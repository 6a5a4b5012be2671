//! A table's rows in the order of their ids upstream, a stretch at a time, while the box goes on.
//!
//! Keys begin with an id's form. UUIDs sort as keys as they do as text, so their rows are read in stretches, and only rows of
//! one UUID (the rounds of a match) are put in order. Other keys, of ids taken over from old services, are few: they are
//! sorted as a whole. Must not know central.

use std::collections::VecDeque;

use crate::store::fault::Fault;
use crate::store::read::{Range, Read, Space};
use crate::store::table::TableInfo;

/// First byte of the key form of a UUID (`base/id.rs`).
const UUID_TAG: u8 = 1;
/// Bytes of that form.
const UUID_KEY: usize = 17;

/// A row: its id upstream, its key, and its stored bytes.
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) key: Vec<u8>,
    pub(crate) stored: Vec<u8>,
}

/// A place of a walk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mark(Option<Vec<u8>>);

/// Where a walk stands.
pub(crate) struct Walk {
    info: TableInfo,
    /// The last UUID key read; `None` before the first.
    after: Option<Vec<u8>>,
    /// The same, before what is ahead was read.
    before: Option<Vec<u8>>,
    read_all: bool,
    ahead: VecDeque<Found>,
    others: VecDeque<(String, Vec<u8>)>,
}

impl Walk {
    /// A walk that goes on from a mark; it may give some rows of before again.
    pub(crate) fn from(read: &impl Read, info: &TableInfo, mark: Mark) -> Result<Self, Fault> {
        Ok(Self { after: mark.0, ..Self::new(read, info)? })
    }

    /// Where to begin to see again every row that has not been given yet.
    pub(crate) fn mark(&self) -> Mark {
        Mark(if self.ahead.is_empty() { &self.after } else { &self.before }.clone())
    }

    /// A walk from the first row.
    pub(crate) fn new(read: &impl Read, info: &TableInfo) -> Result<Self, Fault> {
        let mut others = Vec::new();
        let prefix = info.id.number.to_be_bytes();
        let beyond = Range::prefix([&prefix[..], &[UUID_TAG]].concat(), false).end.unwrap_or_default();
        for (start, end) in [(prefix.to_vec(), Some([&prefix[..], &[UUID_TAG]].concat())), (beyond, next_table(info))] {
            let mut range = Range { start, end, backwards: false };
            loop {
                let rows = read.raw_scan(Space::Rows, &range, STRETCH)?;
                let more = rows.len() == STRETCH;
                if let Some((last, _)) = rows.last() {
                    range.start = [&last[..], &[0]].concat();
                }
                for (key, _) in rows {
                    let key = key.get(2..).unwrap_or_default().to_vec();
                    others.extend((info.upstream_id)(&key).map(|id| (id, key)));
                }
                if !more {
                    break;
                }
            }
        }
        others.sort_unstable();
        Ok(Self {
            info: *info,
            after: None,
            before: None,
            read_all: false,
            ahead: VecDeque::new(),
            others: others.into(),
        })
    }

    /// The next rows, at most `most`; fewer only at the end.
    pub(crate) fn next(&mut self, read: &impl Read, most: usize) -> Result<Vec<Found>, Fault> {
        let mut rows = Vec::new();
        while rows.len() < most {
            if self.ahead.is_empty() && !self.read_all {
                self.read_on(read)?;
            }
            let first = match (self.ahead.front(), self.others.front()) {
                (None, None) => break,
                (Some(ahead), Some((other, _))) => ahead.id <= *other,
                (ahead, _) => ahead.is_some(),
            };
            if first {
                rows.extend(self.ahead.pop_front());
            } else if let Some((id, key)) = self.others.pop_front()
                && let Some(stored) = stored(read, &self.info, &key)?
            {
                rows.push(Found { id, key, stored });
            }
        }
        Ok(rows)
    }

    fn read_on(&mut self, read: &impl Read) -> Result<(), Fault> {
        let prefix = [&self.info.id.number.to_be_bytes()[..], &[UUID_TAG]].concat();
        let mut most = STRETCH;
        loop {
            let mut range = Range::prefix(prefix.clone(), false);
            if let Some(after) = &self.after {
                range.start = [&self.info.id.number.to_be_bytes()[..], after, &[0]].concat();
            }
            let mut rows = read.raw_scan(Space::Rows, &range, most)?;
            self.read_all = rows.len() < most;
            if !self.read_all {
                // Rows of the last UUID may go on behind the stretch: they come with the next one.
                let group = |key: &[u8]| key.get(2..2 + UUID_KEY).map(<[u8]>::to_vec);
                let last = rows.last().and_then(|(key, _)| group(key));
                let whole = rows.iter().rposition(|(key, _)| group(key) != last).map_or(0, |at| at + 1);
                rows.truncate(whole);
                if rows.is_empty() {
                    most *= 2;
                    continue;
                }
            }
            self.before.clone_from(&self.after);
            if let Some((key, _)) = rows.last() {
                self.after = key.get(2..).map(<[u8]>::to_vec);
            }
            let mut found: Vec<Found> = rows
                .into_iter()
                .filter_map(|(key, stored)| {
                    let key = key.get(2..).unwrap_or_default().to_vec();
                    (self.info.upstream_id)(&key).map(|id| Found { id, key, stored })
                })
                .collect();
            found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            self.ahead.extend(found);
            return Ok(());
        }
    }
}

/// Rows read at once.
const STRETCH: usize = 2000;

/// The first key beyond a table.
fn next_table(info: &TableInfo) -> Option<Vec<u8>> {
    Range::prefix(info.id.number.to_be_bytes().to_vec(), false).end
}

/// A row's stored bytes.
pub(crate) fn stored(read: &impl Read, info: &TableInfo, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    read.raw_get(Space::Rows, &[&info.id.number.to_be_bytes()[..], key].concat())
}
