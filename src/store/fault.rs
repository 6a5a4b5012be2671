//! What can go wrong in the store, named by what the caller can do.

use std::io::ErrorKind;

/// A failure of the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The queue of commands is full: try again in a moment. Nothing was done.
    #[error("the store is busy")]
    Busy,
    /// The commit failed or the store is being reopened: nothing of this command is promised. Try again later.
    #[error("the store cannot write now: {0}")]
    Unavailable(String),
    /// The disk has no room. Reads go on.
    #[error("the disk is full")]
    Full,
    /// The box is stopping.
    #[error("the store is closed")]
    Closed,
    /// A row cannot be read: damaged, or of another place.
    #[error("table {table}: {reason}")]
    Corrupt {
        /// The table's name.
        table: &'static str,
        /// What is wrong, without content.
        reason: &'static str,
    },
    /// A row was written by a newer binary.
    #[error("table {table} has a record of version {version}: newer than this binary")]
    Newer {
        /// The table's name.
        table: &'static str,
        /// The version found.
        version: u8,
    },
    /// A unique index holds this value already. Domains look before they write; this is the second line.
    #[error("table {table}: index {index} holds this value already")]
    Duplicate {
        /// The table's name.
        table: &'static str,
        /// The index's number within the table.
        index: u8,
    },
    /// A command panicked. Its writes were dropped; the writer goes on.
    #[error("a command panicked")]
    Panicked,
}

impl Fault {
    /// Whether the redb transaction can no longer be trusted, so that the whole batch must be given up.
    #[must_use]
    pub(in crate::store) fn is_fatal(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full | Self::Closed)
    }

    fn from_io(error: &std::io::Error) -> Self {
        if is_full(error.kind()) { Self::Full } else { Self::Unavailable(error.to_string()) }
    }

    pub(in crate::store) fn from_redb(error: &redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => Self::from_io(error),
            // Only who reads that page is refused; the transaction itself is sound.
            redb::Error::Corrupted(_) => Self::Corrupt { table: "store", reason: "a page of the file is damaged" },
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// No room, whoever sets the bound: the disk, a quota or the file system's longest file.
const fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::from_io(&error)
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self { Self::from_redb(&redb::Error::from(error)) }
        }
    )*};
}

from_redb!(
    redb::StorageError,
    redb::TableError,
    redb::CommitError,
    redb::TransactionError,
    redb::DatabaseError,
    redb::SetDurabilityError
);
