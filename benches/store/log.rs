//! The physical limit: the same bytes appended to a file, with one sync for each group.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::load::{bytes, groups};

/// A file that is only ever appended to.
pub(crate) struct Log {
    file: File,
    next: Vec<Vec<u8>>,
}

impl Log {
    pub(crate) fn new(path: &Path) -> Self {
        Self { file: File::create(path).unwrap(), next: Vec::new() }
    }

    /// Makes the bytes of the next run, outside its time.
    pub(crate) fn prepare(&mut self, commands: usize) {
        self.next = groups(commands).iter().map(|group| vec![1; bytes(group)]).collect();
    }

    pub(crate) fn run(&mut self) {
        for group in std::mem::take(&mut self.next) {
            self.file.write_all(&group).unwrap();
            self.file.sync_data().unwrap();
        }
    }
}
