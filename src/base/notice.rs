//! What changed: small notices that the store hands on after a commit, in commit order.
//!
//! A notice holds ids, never content. Whoever is woken by one reads what it may see from the store.

use crate::base::id::{ConversationId, GameId, GameInviteId, MessageId, SessionId, UserId};

/// Something that a commit made true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A match moved on: an action, a readiness or a new round.
    Game(GameId),
    /// An invite to a match was made or answered; both players are told.
    GameInvite(GameInviteId, UserId, UserId),
    /// A message was committed.
    Message(ConversationId, MessageId),
    /// A message was delivered or read.
    Receipt(ConversationId, MessageId),
    /// A message left both participants' lists.
    Vanished(ConversationId, MessageId),
    /// Who may write in a conversation may have changed.
    Entitlement(ConversationId),
    /// A session was revoked: its sockets close.
    SessionRevoked(SessionId),
    /// A user was suspended or all of a user's sessions were revoked: the sockets close.
    UserRevoked(UserId),
    /// A user's rights changed without a revocation: a relationship began or ended, or VIP was set. Sockets stay
    /// open, check again what they may do, and tell their client.
    UserChanged(UserId),
}
