//! What identity refuses, named by what the caller can do about it.

use std::time::Duration;

use crate::base::text::BadText;
use crate::identity::access::Denied;
use crate::identity::passwords::Busy;
use crate::store::fault::Fault;
use crate::store::once::KeyReused;
use crate::store::writer::AsFault;

/// A refusal of identity's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Fault),
    /// The idempotency key was used for another request.
    #[error(transparent)]
    Reused(#[from] KeyReused),
    /// The caller may not do this.
    #[error(transparent)]
    Denied(Denied),
    /// Too many passwords are being hashed: try again in a moment.
    #[error("too many passwords are being checked")]
    Busy,
    /// Wrong name or wrong password; which of the two is not told.
    #[error("the name or the password is wrong")]
    InvalidCredentials,
    /// Too many attempts: wait.
    #[error("too many attempts; wait {0:?}")]
    TooManyAttempts(Duration),
    /// Accounts are made with an invite here.
    #[error("registration needs an invite")]
    RegistrationClosed,
    /// The name belongs to somebody.
    #[error("the name is taken")]
    UsernameTaken,
    /// A field does not fit; the sentence is for a person.
    #[error("{field}: {why}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        why: BadText,
    },
    /// The refresh token is unknown, or its session has ended.
    #[error("the session is over")]
    InvalidRefresh,
    /// The refresh token had been used: its whole session was ended.
    #[error("the refresh token was used before")]
    RefreshReused,
    /// The one-time code is wrong, used, expired or tried to death.
    #[error("the code is wrong or has expired")]
    InvalidOtp,
    /// There is no such user, or none that the caller may know of.
    #[error("not found")]
    NotFound,
    /// The account's state does not allow it.
    #[error("not possible: {0}")]
    Conflict(&'static str),
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Store(fault) => Self::Store(fault),
            other => Self::Denied(other),
        }
    }
}

impl From<Busy> for Error {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl AsFault for Error {
    fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Store(fault) => Some(fault),
            Self::Denied(denied) => denied.as_fault(),
            Self::Reused(_)
            | Self::Busy
            | Self::InvalidCredentials
            | Self::TooManyAttempts(_)
            | Self::RegistrationClosed
            | Self::UsernameTaken
            | Self::Field { .. }
            | Self::InvalidRefresh
            | Self::RefreshReused
            | Self::InvalidOtp
            | Self::NotFound
            | Self::Conflict(_) => None,
        }
    }
}
