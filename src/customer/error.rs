//! What the customer domain refuses, named by what the caller can do about it.

use std::time::Duration;

use crate::base::text::BadText;
use crate::identity::access::Denied;
use crate::identity::error::Error as IdentityError;
use crate::store::fault::Fault;
use crate::store::once::KeyReused;
use crate::store::writer::AsFault;

/// A refusal of the customer domain's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Fault),
    /// The idempotency key was used for another request.
    #[error(transparent)]
    Reused(#[from] KeyReused),
    /// Identity refused: the name is taken, the password may not be, the caller may not.
    #[error(transparent)]
    Identity(IdentityError),
    /// There is no such invite or relationship, or none that the caller may know of.
    #[error("not found")]
    NotFound,
    /// Somebody redeemed the invite before.
    #[error("the invite was redeemed")]
    Redeemed,
    /// The invite is too old.
    #[error("the invite has expired")]
    Expired,
    /// The distributor took it back.
    #[error("the invite was revoked")]
    Revoked,
    /// The signed-in customer has a distributor.
    #[error("this account has a distributor")]
    AlreadyCustomer,
    /// Too many typed codes that do not exist.
    #[error("too many attempts; wait {0:?}")]
    TooManyAttempts(Duration),
    /// A field does not fit; the sentence is for a person.
    #[error("{field}: {why}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        why: BadText,
    },
}

impl From<IdentityError> for Error {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Store(fault) => Self::Store(fault),
            IdentityError::Reused(reused) => Self::Reused(reused),
            other => Self::Identity(other),
        }
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        IdentityError::from(denied).into()
    }
}

impl AsFault for Error {
    fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Store(fault) => Some(fault),
            Self::Identity(error) => error.as_fault(),
            Self::Reused(_)
            | Self::NotFound
            | Self::Redeemed
            | Self::Expired
            | Self::Revoked
            | Self::AlreadyCustomer
            | Self::TooManyAttempts(_)
            | Self::Field { .. } => None,
        }
    }
}
