//! What chat refuses, named by what the caller can do.

use std::time::Duration;

use crate::base::aead::Integrity;
use crate::base::recovery::RecoveryError;
use crate::chat::seal::file::KeyFileError;
use crate::store::fault::Fault;
use crate::store::once::KeyReused;
use crate::store::writer::AsFault;

/// A refusal of the chat domain. None of them holds a text of a message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or the caller has no part in it: the two cannot be told apart.
    #[error("not found")]
    NotFound,
    /// No active relationship between the two.
    #[error("the two may not chat")]
    NotEntitled,
    /// A sender does not acknowledge an own message.
    #[error("an own message")]
    OwnMessage,
    /// The conversation is under hold already.
    #[error("already held")]
    AlreadyHeld,
    /// Whoever asked for a release cannot grant it: a second moderator must.
    #[error("a second moderator must grant it")]
    SecondModerator,
    /// The caller has blocked the other, and so may not write either.
    #[error("the caller has blocked the other")]
    Blocked,
    /// A moderator's access to a conversation has lapsed, or never was.
    #[error("the access has lapsed")]
    Lapsed,
    /// The time that an admin names is not what the clock shows, or central's clock contradicts it.
    #[error("the clock shows another time")]
    ClockDiffers,
    /// The audit trail does not differ from central's, or was not compared yet: there is nothing to acknowledge.
    #[error("the audit trail does not differ from central's")]
    NotDiverged,
    /// The conversation is under no hold.
    #[error("not held")]
    NotHeld,
    /// A moderator has opened more conversations within an hour than one may. An alarm was raised.
    #[error("too many reviews; again in {0:?}")]
    TooManyReviews(Duration),
    /// More messages than one evidence archive holds.
    #[error("too many messages for one archive")]
    TooLarge,
    /// What is stored was changed, or its key is not there. Others can still be read.
    #[error("integrity")]
    Integrity,
    /// The box was restored, and what was due by then is not destroyed yet: nothing is shown before.
    #[error("messages are closed after a restore")]
    Closed,
    /// A bucket was replaced while the copy was being sealed: seal again. Never leaves the domain.
    #[error("the bucket was replaced")]
    Stale,
    /// The key file cannot be written now, so nothing can be sealed under a new key. Try again later.
    #[error("the key file cannot be written: {0}")]
    Keys(String),
    /// A text cannot be sealed to the key off the box.
    #[error("archive_recipient: {0}")]
    Recipient(String),
    /// The idempotency key came with another request.
    #[error(transparent)]
    Reused(#[from] KeyReused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl From<Integrity> for Error {
    fn from(_: Integrity) -> Self {
        Self::Integrity
    }
}

impl From<KeyFileError> for Error {
    fn from(error: KeyFileError) -> Self {
        match error {
            KeyFileError::Io(error) => match Fault::from(error) {
                Fault::Full => Self::Store(Fault::Full),
                other => Self::Keys(other.to_string()),
            },
            other => Self::Keys(other.to_string()),
        }
    }
}

impl From<RecoveryError> for Error {
    fn from(error: RecoveryError) -> Self {
        Self::Recipient(error.to_string())
    }
}

impl AsFault for Error {
    fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Store(fault) => Some(fault),
            Self::NotFound
            | Self::NotEntitled
            | Self::OwnMessage
            | Self::AlreadyHeld
            | Self::NotHeld
            | Self::NotDiverged
            | Self::SecondModerator
            | Self::Blocked
            | Self::Lapsed
            | Self::ClockDiffers
            | Self::TooManyReviews(_)
            | Self::TooLarge
            | Self::Integrity
            | Self::Recipient(_)
            | Self::Closed
            | Self::Stale
            | Self::Keys(_)
            | Self::Reused(_) => None,
        }
    }
}
