//! Moderation: what staff may see, and that it is noted before it is seen.
//!
//! A review is two steps that nothing can turn round: the audit row is committed, then the archive is opened. It never
//! touches the participants' copies, marks nothing read and can write nothing. Must not know HTTP.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::id::{AuditId, ConversationId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::audit::{self, Action, Code, Deed};
use crate::chat::conversations::ConversationInfo;
use crate::chat::error::Error;
use crate::chat::records::{CONVERSATION_BY_USER, Conversation, MESSAGE_BY_SEQ, Message};
use crate::identity::access::Moderator;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

/// Conversations that a moderator may open within [`WINDOW`] (security.md, T9).
pub const MAX_CONVERSATIONS: usize = 30;
/// The span of that limit.
pub const WINDOW: Duration = Duration::from_secs(3600);

/// Why a conversation is opened.
#[derive(Debug, Clone)]
pub struct Grounds {
    /// In the moderator's words.
    pub reason: Reason,
    /// Which kind.
    pub code: Code,
    /// [`Action::Review`] or [`Action::Export`].
    pub action: Action,
}

/// What became of the wish to open a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admission {
    /// It is noted; the archive may be opened.
    Noted(AuditId),
    /// Too many were opened; that is noted too.
    Refused {
        /// Seconds until the oldest of them no longer counts.
        retry_after: u64,
    },
}

/// Notes that a moderator opens a conversation. Only what this has committed may be opened.
///
/// # Errors
/// [`Error::NotFound`].
pub(in crate::chat) fn admit(
    tx: &mut Tx<'_>,
    now: Timestamp,
    moderator: &Moderator,
    id: ConversationId,
    grounds: &Grounds,
) -> Result<Admission, Error> {
    tx.get::<Conversation>(&Key::of(id))?.ok_or(Error::NotFound)?;
    let recent = audit::recent(tx, moderator.id(), now.minus(WINDOW))?;
    let opened = recent.iter().filter(|entry| matches!(entry.action, Action::Review | Action::Export));
    let others: HashSet<_> = opened.clone().filter_map(|entry| entry.conversation_id).filter(|of| *of != id).collect();
    let again = opened.clone().any(|entry| entry.conversation_id == Some(id));
    let deed = |action| Deed {
        conversation: Some(id),
        moderator: moderator.id(),
        action,
        code: grounds.code,
        reason: grounds.reason.clone(),
    };
    if again || others.len() < MAX_CONVERSATIONS {
        return Ok(Admission::Noted(audit::note(tx, now, deed(grounds.action))?));
    }
    // One refusal an hour is noted: enough for whoever reads the trail, and no way to fill the disk.
    if !recent.iter().any(|entry| entry.action == Action::ReviewRefused) {
        audit::note(tx, now, deed(Action::ReviewRefused))?;
    }
    let oldest = opened.map(|entry| entry.at).min().unwrap_or(now);
    Ok(Admission::Refused { retry_after: oldest.plus(WINDOW).since(now).as_secs().max(1) })
}

/// The archived messages of a conversation, oldest first; not those whose destruction is decided.
pub(in crate::chat) fn archived(
    read: &(impl Read + ?Sized),
    id: ConversationId,
    page: &Page,
) -> Result<Listed<Message>, Fault> {
    let mut rows = read.list_by::<Message>(MESSAGE_BY_SEQ, &Key::of(id), page)?;
    rows.items.retain(|message| message.doomed_at.is_none());
    Ok(rows)
}

/// All conversations, or one participant's: ids, counts and hold state, no content.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn conversations(
    read: &(impl Read + ?Sized),
    _moderator: &Moderator,
    participant: Option<UserId>,
    page: &Page,
) -> Result<Listed<ConversationInfo>, Fault> {
    let rows = match participant {
        Some(user) => read.list_by::<Conversation>(CONVERSATION_BY_USER, &Key::of(user), page)?,
        None => read.list::<Conversation>(&Key::new(), page)?,
    };
    Ok(rows.map(|row| row.shown_to(None)))
}
