//! Where the store's bytes lie: a file, or what a test puts in its place.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{BackendError, Builder, Database, StorageBackend};

use crate::store::fault::Fault;

/// Bytes of page cache: redb's own default of 1 GiB is more than a box has.
const CACHE: usize = 64 << 20;

/// A place that can be opened again after a failure.
pub trait Medium: Debug + Send + Sync + 'static {
    /// Opens the place. redb locks it through the backend, so that a second opener is refused.
    ///
    /// # Errors
    /// What the operating system says.
    fn open(&self) -> io::Result<Box<dyn StorageBackend>>;
}

/// A file on a disk.
#[derive(Debug, Clone)]
pub struct FileMedium {
    /// The file; made if missing, readable by its owner alone.
    pub path: PathBuf,
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
}

impl FileMedium {
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
        // What an earlier try left may be readable by others, and nothing in it is needed.
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&unfinished)?;
        let database = Builder::new().create_with_backend(backend(file)?).map_err(io::Error::other)?;
        database.close().map_err(io::Error::other)?;
        std::fs::rename(&unfinished, &self.path)?;
        // The new name must survive a power cut as well as the bytes under it.
        folder.sync_all()
    }
}

fn backend(file: File) -> io::Result<FileBackend> {
    FileBackend::new(file).map_err(io::Error::other)
}

type Locked = Result<bool, BackendError>;

/// redb takes a backend by type; this hands a boxed one through, locks included: a method left to its default
/// would say that there are none, and two processes could write one file.
#[derive(Debug)]
struct Boxed(Box<dyn StorageBackend>);

impl StorageBackend for Boxed {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked {
        self.0.try_lock_range(start, end)
    }
    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked {
        self.0.try_lock_shared_range(start, end)
    }
    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }
    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }
    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked {
        self.0.query_lock_range(start, end)
    }
}

/// Opens the database of a medium. `repaired` is told whether redb had to walk the file to repair it.
pub(in crate::store) fn open(
    medium: &dyn Medium,
    repaired: &std::sync::Arc<std::sync::atomic::AtomicBool>,
) -> Result<Database, Fault> {
    let backend = medium.open().map_err(|error| Fault::Unavailable(error.to_string()))?;
    let mut builder = Builder::new();
    let flag = std::sync::Arc::clone(repaired);
    builder.set_cache_size(CACHE);
    builder.set_repair_callback(move |_| flag.store(true, std::sync::atomic::Ordering::SeqCst));
    Ok(builder.create_with_backend(Boxed(backend))?)
}
