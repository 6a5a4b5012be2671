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
use crate::chat::hold;
use crate::chat::records::{Audit, CONVERSATION_BY_USER, Conversation, MESSAGE_BY_SEQ, Message};
use crate::identity::access::Moderator;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

/// Conversations that a moderator may open within [`WINDOW`] (security.md, T9).
pub const MAX_CONVERSATIONS: usize = 30;
/// The span of that limit.
pub const WINDOW: Duration = Duration::from_secs(3600);

/// How long a moderator may read on under one audit row (issue 5).
pub const ACCESS: Duration = Duration::from_secs(30 * 60);
/// Conversations that one search looks at; it goes on from its cursor.
const MAX_SEARCHED: usize = 5 * MAX_PAGE;

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
        subject: None,
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

/// Until when a moderator may read a conversation under an audit row.
///
/// # Errors
/// [`Error::Lapsed`] where it is no review of this conversation by this moderator, or older than [`ACCESS`].
pub(in crate::chat) fn access(
    read: &(impl Read + ?Sized),
    now: Timestamp,
    moderator: &Moderator,
    id: ConversationId,
    audit: AuditId,
) -> Result<Timestamp, Error> {
    let row = read.get::<Audit>(&Key::of(audit))?.ok_or(Error::Lapsed)?;
    let own = row.moderator_id == moderator.id() && row.conversation_id == Some(id) && row.action == Action::Review;
    let until = row.at.plus(ACCESS);
    // A clock that was set back must not open again what has lapsed.
    if own && row.at <= now && now < until { Ok(until) } else { Err(Error::Lapsed) }
}

/// What a moderator looks for. What a message says is never looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Search {
    /// Of one participant.
    pub participant: Option<UserId>,
    /// Something may have been written at this moment or later.
    pub from: Option<Timestamp>,
    /// Something may have been written before this moment.
    pub to: Option<Timestamp>,
}

impl Search {
    /// A conversation is looked for if the time between its opening and its last message touches the span.
    fn finds(&self, row: &Conversation) -> bool {
        let last = row.last_message_at.unwrap_or(row.created_at);
        self.from.is_none_or(|from| last >= from) && self.to.is_none_or(|to| row.created_at < to)
    }
}

/// Conversations by participant and time: ids, counts and hold state, no content. A page may hold fewer than asked for
/// and still have a next one.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn conversations(
    read: &(impl Read + ?Sized),
    _moderator: &Moderator,
    search: &Search,
    page: &Page,
) -> Result<Listed<ConversationInfo>, Fault> {
    let (mut items, mut looked, mut at) = (Vec::new(), 0, page.clone());
    loop {
        at.limit = page.limit - items.len();
        let rows = match search.participant {
            Some(user) => read.list_by::<Conversation>(CONVERSATION_BY_USER, &Key::of(user), &at)?,
            None => read.list::<Conversation>(&Key::new(), &at)?,
        };
        looked += rows.items.len().max(1);
        for row in rows.items.into_iter().filter(|row| search.finds(row)) {
            items.push(hold::for_staff(read, row)?);
        }
        if rows.next.is_none() || items.len() >= page.limit || looked >= MAX_SEARCHED {
            return Ok(Listed { items, next: rows.next });
        }
        at.after = rows.next;
    }
}
