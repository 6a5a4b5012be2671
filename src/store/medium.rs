//! Where the store's bytes lie: a file, or what a test puts in its place.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{Builder, StorageBackend};

use crate::base::durable;
use crate::store::layout::Layout;

/// Bytes of a new file's journal. A checkpoint comes when half of it is full: seldom enough that a page is written once
/// for many commits, often enough that what is kept in memory stays small and is read back in milliseconds.
const JOURNAL: u64 = 8 << 20;

/// Bytes that a box keeps for a full disk: a few checkpoints of sign-outs, holds and audits, and the chat's key file anew.
pub const RESERVE: u64 = 16 << 20;

/// What redb's panics have told about the tables of a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// redb panicked over them: every page is checked before they are used again.
    Suspect,
    /// The check found damage, or redb panicked once more.
    Damaged,
}

/// A place that can be opened again after a failure.
pub trait Medium: Debug + Send + Sync + 'static {
    /// Opens the place. redb locks it through the backend, so that a second opener is refused.
    ///
    /// # Errors
    /// What the operating system says.
    fn open(&self) -> io::Result<Box<dyn StorageBackend>>;

    /// How long the journal of a store that is made here becomes, in bytes.
    fn journal_bytes(&self) -> u64 {
        JOURNAL
    }

    /// The mark that the tables have.
    fn mark(&self) -> Option<Mark> {
        None
    }

    /// Marks the tables, or takes the mark away. It has to outlive the process, and no power cut.
    ///
    /// # Errors
    /// What the operating system says.
    fn set_mark(&self, mark: Option<Mark>) -> io::Result<()> {
        let _ = mark;
        Ok(())
    }

    /// Keeps room beside the store, for what must be written when there is no other room.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] where there is not enough.
    fn keep_reserve(&self) -> io::Result<()> {
        Ok(())
    }

    /// Gives that room free, to be written to.
    ///
    /// # Errors
    /// What the operating system says.
    fn spend_reserve(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes an empty store, whole and closed again.
///
/// # Errors
/// What the operating system says.
pub fn format(file: Box<dyn StorageBackend>, journal_bytes: u64) -> io::Result<()> {
    let (file, layout) = (Arc::from(file), Layout::with_journal(journal_bytes));
    layout.make(&*file)?;
    let database = Builder::new().create_with_backend(layout.tables_of(file)).map_err(io::Error::other)?;
    database.close().map_err(io::Error::other)
}

/// A file on a disk.
#[derive(Debug, Clone)]
pub struct FileMedium {
    /// The file; made if missing, readable by its owner alone.
    pub path: PathBuf,
    /// Bytes that are kept free for a full disk, in a file beside it; 0 keeps none.
    pub reserve: u64,
}

impl Medium for FileMedium {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        if !self.path.exists() {
            self.make()?;
        }
        let file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        // After a failed fsync Linux calls the pages clean although the disk never took them. A commit built on
        // such pages could be acknowledged and lost, so what is read from here on comes from the disk.
        // Where a file system has no such advice, the promise rests on the next start of the machine.
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap_or_default();
        Ok(Box::new(backend(file)?))
    }

    fn mark(&self) -> Option<Mark> {
        let text = std::fs::read_to_string(self.mark_path()).ok()?;
        // Of a file that was put in this one's place since, nothing is known yet.
        let is_damaged = self.written_at().is_some_and(|at| text == damaged_text(at));
        Some(if is_damaged { Mark::Damaged } else { Mark::Suspect })
    }

    fn set_mark(&self, mark: Option<Mark>) -> io::Result<()> {
        let text = match mark {
            None => return durable::remove_file(&self.mark_path()),
            Some(Mark::Suspect) => "suspect\n".to_owned(),
            Some(Mark::Damaged) => damaged_text(self.written_at().unwrap_or_default()),
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.mark_path())?.write_all(text.as_bytes())
    }

    fn keep_reserve(&self) -> io::Result<()> {
        if self.reserve == 0 {
            return Ok(());
        }
        let path = self.reserve_path();
        if std::fs::metadata(&path).is_ok_and(|meta| meta.blocks() * 512 >= self.reserve) {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        // As much again has to be free, or the next write would need it at once.
        let free = rustix::fs::fstatvfs(&file)?;
        if free.f_bavail.saturating_mul(free.f_frsize) < 2 * self.reserve {
            return Err(io::ErrorKind::StorageFull.into());
        }
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, self.reserve)?;
        Ok(())
    }

    fn spend_reserve(&self) -> io::Result<()> {
        match OpenOptions::new().write(true).open(self.reserve_path()) {
            Ok(file) => file.set_len(0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl FileMedium {
    fn reserve_path(&self) -> PathBuf {
        self.path.with_extension("reserve")
    }

    fn mark_path(&self) -> PathBuf {
        self.path.with_extension("mark")
    }

    /// When the file was last written, by its file system's clock.
    fn written_at(&self) -> Option<(i64, i64)> {
        let meta = std::fs::metadata(&self.path).ok()?;
        Some((meta.mtime(), meta.mtime_nsec()))
    }

    /// Makes an empty database. It gets its name only when it is whole, because redb refuses a file that a power
    /// cut left between its first write and its last. The folder is locked meanwhile: of two processes that start
    /// together, one makes the file and the other finds it.
    fn make(&self) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new(".")))?;
        folder.lock()?;
        if self.path.exists() {
            return Ok(());
        }
        let mut unfinished = self.path.clone().into_os_string();
        unfinished.push(".new");
        let unfinished = PathBuf::from(unfinished);
        // What an earlier try left may be readable by others, and nothing in it is needed.
        durable::remove_file(&unfinished)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&unfinished)?;
        format(Box::new(backend(file)?), self.journal_bytes())?;
        std::fs::rename(&unfinished, &self.path)?;
        // The new name must survive a power cut as well as the bytes under it.
        folder.sync_all()
    }
}

/// What a mark of damage says: of the file as it was written last.
fn damaged_text((seconds, nanoseconds): (i64, i64)) -> String {
    format!("damaged {seconds}.{nanoseconds:09}\n")
}

fn backend(file: File) -> io::Result<FileBackend> {
    FileBackend::new(file).map_err(io::Error::other)
}
