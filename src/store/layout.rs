//! Where the parts of the store's file lie, and the tables' part as redb sees it.
//!
//! ```text
//!   0          one block: what this file is, how long its journal is
//!   4096       the journal, written over and over
//!   then on    redb's tables
//! ```
//!
//! One file, so that one lock, one copy and one sync are about all of it.

use std::io;
use std::ops::Bound;
use std::sync::Arc;

use redb::{BackendError, StorageBackend};

use crate::store::fault::Fault;

/// What is written at once, and never shared by two writes that are synced apart: a sector of today's disks and a page
/// of the kernel, so that no torn write can touch what was acknowledged before.
pub(in crate::store) const BLOCK: usize = 4096;

/// The first bytes of a store's file; the last of them is the version of this layout.
const MAGIC: [u8; 8] = *b"whotbox\x01";

/// The store's file, shared by its parts.
pub(in crate::store) type SharedFile = Arc<dyn StorageBackend>;

/// How long the parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Layout {
    journal: u64,
}

impl Layout {
    /// A layout whose journal has at least so many bytes.
    pub(in crate::store) const fn with_journal(bytes: u64) -> Self {
        Self { journal: bytes.next_multiple_of(2 * BLOCK as u64) }
    }

    /// Bytes of each of the journal's two halves, which are whole blocks.
    pub(in crate::store) const fn half_bytes(self) -> u64 {
        self.journal / 2 / BLOCK as u64 * BLOCK as u64
    }

    /// Where the journal starts.
    pub(in crate::store) const fn journal_start(self) -> u64 {
        BLOCK as u64
    }

    /// Bytes of the journal.
    pub(in crate::store) const fn journal_bytes(self) -> u64 {
        self.journal
    }

    const fn tables(self) -> u64 {
        self.journal_start() + self.journal
    }

    /// Whether a file is empty, so that its layout has to be made.
    pub(in crate::store) fn is_needed(file: &dyn StorageBackend) -> io::Result<bool> {
        Ok(file.len()? == 0)
    }

    /// Writes an empty file's first parts. The journal's blocks are written and not only reserved, so that a full disk
    /// does not stop it.
    pub(in crate::store) fn make(self, file: &dyn StorageBackend) -> io::Result<()> {
        file.set_len(self.tables())?;
        let mut header = [&MAGIC[..], &self.journal.to_le_bytes()].concat();
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        header.resize(BLOCK, 0);
        file.write(0, &header)?;
        let zeros = vec![0; BLOCK * 64];
        let mut at = self.journal_start();
        while at < self.tables() {
            let part = usize::try_from(self.tables() - at).unwrap_or(usize::MAX).min(zeros.len());
            file.write(at, zeros.get(..part).unwrap_or_default())?;
            at += part as u64;
        }
        file.sync_data()
    }

    /// Reads a file's layout.
    pub(in crate::store) fn read(file: &dyn StorageBackend) -> Result<Self, Fault> {
        let unfit = |reason: &str| Fault::Unavailable(format!("this file is not a store of this version: {reason}"));
        let mut header = [0; MAGIC.len() + 12];
        if file.len()? < header.len() as u64 {
            return Err(unfit("it is too short"));
        }
        file.read(0, &mut header)?;
        let (front, crc) = header.split_at(MAGIC.len() + 8);
        let (magic, journal) = front.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(unfit("it begins with something else"));
        }
        if crc != crc32fast::hash(front).to_le_bytes() {
            return Err(Fault::Corrupt { table: "store", reason: "the first block of its file is damaged" });
        }
        let layout = Self { journal: journal.try_into().map_or(0, u64::from_le_bytes) };
        // Tables of no length are made anew, which only a store that was never at work may be.
        let left = file.len()?.checked_sub(layout.tables());
        if left.is_none() || (left == Some(0) && layout.was_at_work(file)?) {
            return Err(Fault::Corrupt { table: "store", reason: "its file was cut off" });
        }
        Ok(layout)
    }

    /// Whether the journal was ever written.
    fn was_at_work(self, file: &dyn StorageBackend) -> io::Result<bool> {
        let mut first = [0; BLOCK];
        file.read(self.journal_start(), &mut first)?;
        Ok(first.iter().any(|byte| *byte != 0))
    }

    /// The part of a file that redb has.
    pub(in crate::store) fn tables_of(self, file: SharedFile) -> Tables {
        Tables { file, start: self.tables() }
    }
}

type Locked = Result<bool, BackendError>;

/// The tables' part of the file. Locks go through as they are: every opener asks for the same ones, and a method left
/// to its default would say that there are none, so that two processes could write one file.
#[derive(Debug)]
pub(in crate::store) struct Tables {
    file: SharedFile,
    start: u64,
}

impl StorageBackend for Tables {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.len()?.saturating_sub(self.start))
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(self.start + offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(self.start + len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(self.start + offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked {
        self.file.try_lock_range(start, end)
    }
    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked {
        self.file.try_lock_shared_range(start, end)
    }
    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }
    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked {
        self.file.query_lock_range(start, end)
    }
}
