//! What the game domain refuses, named by what the caller can do.

use crate::identity::access::Denied;
use crate::store::fault::Fault;
use crate::store::once::KeyReused;
use crate::store::writer::AsFault;
use crate::whot::refusal::Refusal;

/// A refusal of the game domain. None of them holds a card.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or the caller has no part in it: the two cannot be told apart.
    #[error("not found")]
    NotFound,
    /// Nobody of this name plays on this box.
    #[error("no such player")]
    UnknownPlayer,
    /// One does not invite oneself.
    #[error("an invite to oneself")]
    SelfInvite,
    /// Too many of the caller's invites wait for an answer: cancel one or wait.
    #[error("too many open invites")]
    TooManyInvites,
    /// One of the two has too many unfinished matches: finish one.
    #[error("too many unfinished matches")]
    TooManyMatches,
    /// The other player can no longer play.
    #[error("the other player cannot play")]
    OpponentGone,
    /// The invite has its answer.
    #[error("the invite was answered")]
    InviteAnswered,
    /// Nobody answered the invite in time.
    #[error("the invite has expired")]
    InviteExpired,
    /// The rules refuse the action.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The match is not where the caller takes it to be: look again.
    #[error("the match is at {seq}")]
    Stale {
        /// Where it is.
        seq: u64,
    },
    /// The match is not over: no rematch yet.
    #[error("the match is not over")]
    NotOver,
    /// The cards have not been dealt: say ready first.
    #[error("not dealt yet")]
    NotDealt,
    /// The reconnect token is unknown, used or too old.
    #[error("no such reconnect token")]
    BadToken,
    /// The caller may no longer act.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The idempotency key came with another request.
    #[error(transparent)]
    Reused(#[from] KeyReused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl AsFault for Error {
    fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Store(fault) => Some(fault),
            Self::Denied(denied) => denied.as_fault(),
            Self::NotFound
            | Self::UnknownPlayer
            | Self::SelfInvite
            | Self::TooManyInvites
            | Self::TooManyMatches
            | Self::OpponentGone
            | Self::InviteAnswered
            | Self::InviteExpired
            | Self::Refused(_)
            | Self::Stale { .. }
            | Self::NotOver
            | Self::NotDealt
            | Self::BadToken
            | Self::Reused(_) => None,
        }
    }
}
