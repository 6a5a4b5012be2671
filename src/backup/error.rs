//! Why a backup cannot be made, read or restored, named by what the owner can do.

use std::io;

use crate::base::recovery::RecoveryError;
use crate::chat::seal::file::KeyFileError;
use crate::config::ConfigError;
use crate::store::fault::Fault;
use crate::store::writer::AsFault;

/// A failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The box has no recovery key yet.
    #[error("this box has no recovery key yet")]
    NoRecoveryKey,
    /// It has one already.
    #[error("this box has a recovery key already; a new one does not open the backups that were made before")]
    HasRecoveryKey,
    /// Another backup is being made, or restored, right now.
    #[error("another backup is being made right now")]
    Busy,
    /// There is no backup of this name.
    #[error("there is no such backup")]
    NotFound,
    /// The file is no backup, was changed, or was cut.
    #[error("the backup cannot be trusted: {0}")]
    Broken(String),
    /// A newer program made it.
    #[error("the backup was made by a newer version of whotbox: {0}")]
    Newer(String),
    /// A restore goes into an empty folder alone.
    #[error("{0} is not empty: a restore never overwrites a box")]
    NotEmpty(String),
    /// The master key of this box is given by whoever starts it, so that a backup's cannot take its place.
    #[error("the master key of this box is given from outside")]
    GivenKey,
    /// It is signed by another box than the sheet's.
    #[error("this backup is signed by {0}")]
    OtherSignature(String),
    /// It was made on another machine.
    #[error("this backup was made on another machine")]
    Foreign,
    /// Its seal does not open.
    #[error(transparent)]
    Seal(#[from] RecoveryError),
    /// The chat's key file cannot be read.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// A secret cannot be written.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The disk refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl Error {
    /// What the owner can do, in one sentence.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::NoRecoveryKey => "Make one and print its sheet: whotbox backup sheet.",
            Self::HasRecoveryKey => "Keep the old sheet with the old backups, and say --replace to make a new one.",
            Self::Busy => "Wait until it is done.",
            Self::NotFound => "See the names with: whotbox backup list.",
            Self::Broken(_) => "Take an older backup, and look after the disk that this one lay on.",
            Self::Newer(_) => "Install that version, then restore.",
            Self::NotEmpty(_) => "Name an empty folder with --data-dir, or move this one away first.",
            Self::GivenKey => "Take the credential or variable away, start the box again and restore then.",
            Self::OtherSignature(_) => "It is of another box than the sheet, or forged: do not restore it.",
            Self::Foreign => {
                "If the other box will never run again, add --adopt. Two boxes of one name would be fenced by central."
            }
            Self::Seal(_) => "Use the recovery key of the sheet that was printed before this backup was made.",
            Self::Keys(_) | Self::Config(_) | Self::Io(_) | Self::Store(_) => {
                "Look after the disk and the owner of the folder, then run it again."
            }
        }
    }
}

impl AsFault for Error {
    fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Store(fault) => Some(fault),
            _ => None,
        }
    }
}
