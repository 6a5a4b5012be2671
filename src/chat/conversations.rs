//! Conversations: opening one, finding one's own, and who takes part.
//!
//! Must not know how a message is sealed.

use serde::{Deserialize, Serialize};

use crate::base::id::{ConversationId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::error::Error;
use crate::chat::records::{CONVERSATION_BY_PAIR, CONVERSATION_BY_USER, Conversation, Hold};
use crate::customer::relationships;
use crate::identity::access::{Caller, Player};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

/// A conversation as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationInfo {
    /// Its id.
    pub id: ConversationId,
    /// The distributor of the pair.
    pub distributor_id: UserId,
    /// The customer of the pair.
    pub customer_id: UserId,
    /// The legal hold; for staff alone.
    pub hold: HoldInfo,
    /// The number of its last message; 0 before the first.
    pub last_seq: u64,
    /// When the last message was written.
    pub last_message_at: Option<Timestamp>,
    /// Messages that the archive has; for staff alone.
    pub archived: u64,
    /// Visible messages that the asking participant has not read; 0 for anyone else.
    pub unread: u64,
    /// When it was opened.
    pub created_at: Timestamp,
}

/// The state of a legal hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HoldInfo {
    /// Whether nothing of the conversation may be destroyed.
    pub active: bool,
    /// Why.
    pub reason: Option<Reason>,
    /// By whom.
    pub placed_by: Option<UserId>,
    /// Since when.
    pub placed_at: Option<Timestamp>,
    /// After a release: nothing expires before this moment.
    pub grace_until: Option<Timestamp>,
}

impl Conversation {
    /// The other participant; nothing for one who has no part in it.
    pub(in crate::chat) fn other(&self, user: UserId) -> Option<UserId> {
        match user {
            user if user == self.distributor_id => Some(self.customer_id),
            user if user == self.customer_id => Some(self.distributor_id),
            _ => None,
        }
    }

    /// The count of messages that a participant has not read.
    pub(in crate::chat) fn unread_by(&mut self, user: UserId) -> &mut u64 {
        if user == self.distributor_id { &mut self.unread_by_distributor } else { &mut self.unread_by_customer }
    }

    /// Whether nothing of it may be destroyed now: under hold, or within the grace after one.
    pub(in crate::chat) fn protected(&self, now: Timestamp) -> bool {
        self.hold.active || self.hold.grace_until.is_some_and(|until| now < until)
    }

    pub(in crate::chat) fn shown_to(mut self, user: Option<UserId>) -> ConversationInfo {
        let unread = user.filter(|user| self.other(*user).is_some()).map_or(0, |user| *self.unread_by(user));
        let Hold { active, reason, placed_by, placed_at, grace_until, .. } = self.hold;
        ConversationInfo {
            id: self.id,
            distributor_id: self.distributor_id,
            customer_id: self.customer_id,
            hold: HoldInfo { active, reason, placed_by, placed_at, grace_until },
            last_seq: self.last_seq,
            last_message_at: self.last_message_at,
            archived: self.archived,
            unread,
            created_at: self.created_at,
        }
    }
}

/// What opening a conversation gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The conversation of the pair.
    pub id: ConversationId,
    /// It was made by this call.
    pub created: bool,
}

/// Opens the conversation of the caller and `participant`, or finds the one they have.
///
/// # Errors
/// [`Error::NotEntitled`] where the two may not chat, or the other is unknown.
pub fn open(tx: &mut Tx<'_>, now: Timestamp, caller: &Player, participant: UserId) -> Result<Opened, Error> {
    if !relationships::entitled(tx, caller.id(), participant)? {
        return Err(Error::NotEntitled);
    }
    let bond = relationships::between(tx, caller.id(), participant)?.ok_or(Error::NotEntitled)?;
    let pair = Key::of(bond.distributor_id).id(bond.customer_id);
    if let Some(found) = tx.find::<Conversation>(CONVERSATION_BY_PAIR, &pair)? {
        return Ok(Opened { id: found.id, created: false });
    }
    let id = tx.entropy().id(now);
    tx.put(&Conversation {
        id,
        distributor_id: bond.distributor_id,
        customer_id: bond.customer_id,
        hold: Hold::default(),
        last_seq: 0,
        last_message_at: None,
        archived: 0,
        unread_by_distributor: 0,
        unread_by_customer: 0,
        created_at: now,
    })?;
    Ok(Opened { id, created: true })
}

/// The conversation, for one who takes part in it.
///
/// # Errors
/// [`Error::NotFound`] for everybody else.
pub fn of_participant(
    read: &(impl Read + ?Sized),
    caller: &Caller,
    id: ConversationId,
) -> Result<ConversationInfo, Error> {
    Ok(joined(read, caller.id(), id)?.shown_to(Some(caller.id())))
}

/// The caller's conversations; [`Page::newest`] gives the last active first.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn of_user(read: &(impl Read + ?Sized), caller: &Caller, page: &Page) -> Result<Listed<ConversationInfo>, Fault> {
    let rows = read.list_by::<Conversation>(CONVERSATION_BY_USER, &Key::of(caller.id()), page)?;
    Ok(rows.map(|row| row.shown_to(Some(caller.id()))))
}

/// Whether the two of a conversation may write to each other now.
///
/// # Errors
/// [`Error::NotFound`] for one who has no part in it.
pub fn may_write(read: &(impl Read + ?Sized), caller: &Caller, id: ConversationId) -> Result<bool, Error> {
    let row = joined(read, caller.id(), id)?;
    Ok(relationships::entitled(read, row.distributor_id, row.customer_id)?)
}

/// The row, for one who takes part.
pub(in crate::chat) fn joined(
    read: &(impl Read + ?Sized),
    user: UserId,
    id: ConversationId,
) -> Result<Conversation, Error> {
    let row = read.get::<Conversation>(&Key::of(id))?.ok_or(Error::NotFound)?;
    if row.other(user).is_some() { Ok(row) } else { Err(Error::NotFound) }
}
