//! Conversations: opening one, finding one's own, and who takes part.
//!
//! Must not know how a message is sealed.

use serde::{Deserialize, Serialize};

use crate::base::id::{ConversationId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::blocks;
use crate::chat::error::Error;
use crate::chat::hold::Asked;
use crate::chat::records::holds::Block;
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
    /// Which holds stand over it now: its own, its relationship's, its distributor's; for staff alone.
    pub held_by: Vec<&'static str>,
    /// The release of its own hold that waits for a second moderator; for staff alone.
    pub release: Option<Asked>,
    /// The asking participant has blocked the other.
    pub blocked: bool,
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

impl From<Hold> for HoldInfo {
    fn from(hold: Hold) -> Self {
        let Hold { active, reason, placed_by, placed_at, grace_until, .. } = hold;
        Self { active, reason, placed_by, placed_at, grace_until }
    }
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

    pub(in crate::chat) fn shown_to(mut self, user: Option<UserId>) -> ConversationInfo {
        let unread = user.filter(|user| self.other(*user).is_some()).map_or(0, |user| *self.unread_by(user));
        ConversationInfo {
            id: self.id,
            distributor_id: self.distributor_id,
            customer_id: self.customer_id,
            hold: self.hold.into(),
            held_by: Vec::new(),
            release: None,
            blocked: false,
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
    Ok(shown(read, joined(read, caller.id(), id)?, caller.id())?)
}

/// The caller's conversations; [`Page::newest`] gives the last active first.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn of_user(read: &(impl Read + ?Sized), caller: &Caller, page: &Page) -> Result<Listed<ConversationInfo>, Fault> {
    let rows = read.list_by::<Conversation>(CONVERSATION_BY_USER, &Key::of(caller.id()), page)?;
    let mut items = Vec::with_capacity(rows.items.len());
    for row in rows.items {
        items.push(shown(read, row, caller.id())?);
    }
    Ok(Listed { items, next: rows.next })
}

fn shown(read: &(impl Read + ?Sized), row: Conversation, user: UserId) -> Result<ConversationInfo, Fault> {
    let blocked = read.get::<Block>(&Block::place(row.id, user))?.is_some();
    Ok(ConversationInfo { blocked, ..row.shown_to(Some(user)) })
}

/// Whether the two of a conversation may write to each other now.
///
/// # Errors
/// [`Error::NotFound`] for one who has no part in it.
pub fn may_write(read: &(impl Read + ?Sized), caller: &Caller, id: ConversationId) -> Result<bool, Error> {
    let row = joined(read, caller.id(), id)?;
    let entitled = relationships::entitled(read, row.distributor_id, row.customer_id)?;
    Ok(entitled && blocks::of(read, &row)?.is_empty())
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
