//! A file that counts the bytes handed to the kernel.

use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{BackendError, StorageBackend};
use whotbox::store::medium::{FileMedium, Medium};

/// The medium and its count.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) file: FileMedium,
    pub(crate) written: Arc<AtomicU64>,
}

impl Medium for Counted {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(Counting { file: self.file.open()?, written: self.written.clone() }))
    }
}

#[derive(Debug)]
struct Counting {
    file: Box<dyn StorageBackend>,
    written: Arc<AtomicU64>,
}

impl StorageBackend for Counting {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.written.fetch_add(data.len() as u64, Ordering::Relaxed);
        self.file.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}
