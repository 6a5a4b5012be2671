//! Legal holds: while one stands, nothing of its conversation is destroyed, whoever asks.
//!
//! Placing, releasing and the decision to destroy are transactions of one writer, so each sees the other whole.
//! Must not know how destroying is done.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::id::{ConversationId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::audit::{self, Action, Code, Deed};
use crate::chat::conversations::ConversationInfo;
use crate::chat::error::Error;
use crate::chat::records::{Conversation, Hold, MESSAGE_BY_SEQ, MESSAGE_PARKED, Message};
use crate::identity::access::Moderator;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

/// How long after a release nothing expires, so that it can be taken back (issue 5: default 72 h).
pub const DEFAULT_GRACE: Duration = Duration::from_secs(72 * 3600);

/// What a change of a hold was, to be told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldChange {
    /// The conversation.
    pub conversation: ConversationId,
    /// Placing: messages whose destruction had been decided before, so that the hold does not save them.
    /// Releasing: messages that are past their time and expire when the grace ends. At most 1,000 are counted.
    pub count: u64,
}

/// Who places a hold.
#[derive(Debug, Clone, Copy)]
pub enum Placer<'a> {
    /// A moderator of this box.
    Moderator(&'a Moderator),
    /// Central, by a directive; the id is what its records call the person.
    Central(UserId),
}

impl Placer<'_> {
    const fn id(&self) -> UserId {
        match self {
            Self::Moderator(moderator) => moderator.id(),
            Self::Central(id) => *id,
        }
    }
}

/// Places a hold.
///
/// # Errors
/// [`Error::NotFound`], [`Error::AlreadyHeld`].
pub fn place(
    tx: &mut Tx<'_>,
    now: Timestamp,
    placer: Placer<'_>,
    id: ConversationId,
    reason: Reason,
) -> Result<HoldChange, Error> {
    let mut conversation = tx.get::<Conversation>(&Key::of(id))?.ok_or(Error::NotFound)?;
    if conversation.hold.active {
        return Err(Error::AlreadyHeld);
    }
    conversation.hold = Hold {
        active: true,
        reason: Some(reason.clone()),
        placed_by: Some(placer.id()),
        placed_at: Some(now),
        grace_until: None,
        parked: conversation.hold.parked,
    };
    tx.put(&conversation)?;
    note(tx, now, placer.id(), id, Action::HoldPlaced, reason)?;
    // Doomed ones are the oldest, so they are found at the front.
    let oldest = tx.list_by::<Message>(MESSAGE_BY_SEQ, &Key::of(id), &Page::first(MAX_PAGE))?;
    let count = oldest.items.iter().filter(|message| message.doomed_at.is_some()).count() as u64;
    Ok(HoldChange { conversation: id, count })
}

/// Releases a hold. Nothing expires before `grace` is over, and placing it again takes the release back.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotHeld`].
pub fn release(
    tx: &mut Tx<'_>,
    now: Timestamp,
    placer: Placer<'_>,
    id: ConversationId,
    reason: Reason,
    grace: Duration,
) -> Result<HoldChange, Error> {
    let mut conversation = tx.get::<Conversation>(&Key::of(id))?.ok_or(Error::NotFound)?;
    if !conversation.hold.active {
        return Err(Error::NotHeld);
    }
    let parked = conversation.hold.parked;
    conversation.hold = Hold { grace_until: Some(now.plus(grace)), parked, ..Hold::default() };
    tx.put(&conversation)?;
    note(tx, now, placer.id(), id, Action::HoldReleased, reason)?;
    let kept = tx.list_by::<Message>(MESSAGE_PARKED, &Key::of(id), &Page::first(MAX_PAGE))?;
    Ok(HoldChange { conversation: id, count: kept.items.len() as u64 })
}

/// A conversation with its hold, for staff.
///
/// # Errors
/// [`Error::NotFound`].
pub fn shown(read: &(impl Read + ?Sized), id: ConversationId) -> Result<ConversationInfo, Error> {
    Ok(read.get::<Conversation>(&Key::of(id))?.ok_or(Error::NotFound)?.shown_to(None))
}

fn note(
    tx: &mut Tx<'_>,
    now: Timestamp,
    moderator: UserId,
    conversation: ConversationId,
    action: Action,
    reason: Reason,
) -> Result<(), Fault> {
    let deed = Deed { conversation: Some(conversation), moderator, action, code: Code::Legal, reason };
    audit::note(tx, now, deed).map(drop)
}
