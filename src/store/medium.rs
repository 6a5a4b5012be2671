//! Where the store's bytes lie: a file, or what a test puts in its place.

use std::fmt::Debug;
use std::io;
use std::ops::Bound;
use std::path::PathBuf;

use redb::{BackendError, Builder, Database, StorageBackend};

use crate::store::fault::Fault;

/// Bytes of page cache: redb's own default of 1 GiB is more than a box has.
const CACHE: usize = 64 << 20;

/// A place that can be opened again after a failure.
pub trait Medium: Debug + Send + Sync + 'static {
    /// Opens the place; `Err` with `WouldBlock` while another opener has it.
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
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let new = !self.path.exists();
        let file = options.open(&self.path)?;
        if new && let Some(folder) = self.path.parent() {
            // The new name must survive a power cut as well as the bytes under it.
            std::fs::File::open(folder)?.sync_all()?;
        }
        let backend = redb::backends::FileBackend::new(file).map_err(io::Error::other)?;
        Ok(Box::new(backend))
    }
}

/// redb takes a backend by type; this hands a boxed one through.
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
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }
    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
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
    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
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
