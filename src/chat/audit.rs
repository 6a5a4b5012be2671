//! The audit trail: what moderators did, as a chain that shows every deletion, edit, insertion and reordering.
//!
//! `hash(n) = SHA-256(hash(n-1) ‖ fields of n)`, numbers dense from 1. The chain's head travels upstream, so that a
//! cut end or an older chain is seen at the next contact. Must not know what was read.

use serde::{Deserialize, Serialize};

use crate::base::digest::sha256;
use crate::base::id::{AuditId, ConversationId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::records::{AUDIT_BY_CONVERSATION, AUDIT_BY_MODERATOR, AUDIT_BY_SEQ, Audit};
use crate::chat::scope::Scope;
use crate::identity::access::Caller;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

/// What was done. The order of the variants is part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Messages of a conversation were opened.
    Review,
    /// A legal hold was placed.
    HoldPlaced,
    /// A legal hold was released.
    HoldReleased,
    /// An evidence archive was made.
    Export,
    /// A review was refused, because the moderator had opened too many conversations.
    ReviewRefused,
    /// A participant reported a message; here the participant stands in the moderator's place.
    Reported,
    /// A moderator asked for the release of a hold; a second one must grant it.
    ReleaseRequested,
    /// An asked-for release was taken back.
    ReleaseWithdrawn,
    /// An admin confirmed that the clock is right; here the admin stands in the moderator's place.
    ClockConfirmed,
    /// An admin restarted the box; here the admin stands in the moderator's place.
    BoxRestarted,
    /// An admin shut the box down; here the admin stands in the moderator's place.
    BoxShutDown,
    /// An admin changed a setting; here the admin stands in the moderator's place.
    SettingChanged,
    /// Somebody knows why the trail differs from central's, as after a restore.
    DivergenceAcknowledged,
    /// An older key file was put back, and its destroyed keys were destroyed again; here the box stands in the moderator's place.
    KeyFileRolledBack,
}

impl Action {
    /// Its name in the API and upstream.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::HoldPlaced => "hold_placed",
            Self::HoldReleased => "hold_released",
            Self::Export => "export",
            Self::ReviewRefused => "review_refused",
            Self::Reported => "reported",
            Self::ReleaseRequested => "release_requested",
            Self::ReleaseWithdrawn => "release_withdrawn",
            Self::ClockConfirmed => "clock_confirmed",
            Self::BoxRestarted => "box_restarted",
            Self::BoxShutDown => "box_shut_down",
            Self::SettingChanged => "setting_changed",
            Self::DivergenceAcknowledged => "divergence_acknowledged",
            Self::KeyFileRolledBack => "key_file_rolled_back",
        }
    }

    /// The action of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Review,
            Self::HoldPlaced,
            Self::HoldReleased,
            Self::Export,
            Self::ReviewRefused,
            Self::Reported,
            Self::ReleaseRequested,
            Self::ReleaseWithdrawn,
            Self::ClockConfirmed,
        ];
        all.into_iter().find(|action| action.name() == name)
    }
}

/// What kind of reason there was. The order of the variants is part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Code {
    /// Somebody reported something.
    Report,
    /// A court or a law asks.
    Legal,
    /// Somebody may be in danger.
    Safety,
    /// A participant asked for help.
    Support,
    /// A check of how things are.
    #[default]
    Audit,
}

impl Code {
    /// Its name in the API and upstream.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Legal => "legal",
            Self::Safety => "safety",
            Self::Support => "support",
            Self::Audit => "audit",
        }
    }

    /// The code of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Report, Self::Legal, Self::Safety, Self::Support, Self::Audit];
        all.into_iter().find(|code| code.name() == name)
    }
}

/// Something to be noted.
#[derive(Debug, Clone)]
pub(in crate::chat) struct Deed {
    pub(in crate::chat) conversation: Option<ConversationId>,
    pub(in crate::chat) subject: Option<Scope>,
    pub(in crate::chat) moderator: UserId,
    pub(in crate::chat) action: Action,
    pub(in crate::chat) code: Code,
    pub(in crate::chat) reason: Reason,
}

/// A link of the chain, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: AuditId,
    /// Its number, dense from 1.
    pub seq: u64,
    /// The conversation.
    pub conversation_id: Option<ConversationId>,
    /// What it is about beyond one conversation.
    pub subject: Option<Scope>,
    /// Who did it.
    pub moderator_id: UserId,
    /// What.
    pub action: Action,
    /// Which kind of reason.
    pub code: Code,
    /// The reason in the moderator's words.
    pub reason: Reason,
    /// When.
    pub at: Timestamp,
    /// The hash of the link before.
    pub prev_hash: [u8; 32],
    /// Its own hash.
    pub hash: [u8; 32],
}

impl From<Audit> for Entry {
    fn from(row: Audit) -> Self {
        Self {
            id: row.id,
            seq: row.seq,
            conversation_id: row.conversation_id,
            subject: row.subject,
            moderator_id: row.moderator_id,
            action: row.action,
            code: row.code,
            reason: row.reason,
            at: row.at,
            prev_hash: row.prev_hash,
            hash: row.hash,
        }
    }
}

/// The end of the chain: what is anchored upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The number of the last link; 0 for an empty chain.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// Where the chain is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A link is missing, or stands twice.
    #[error("after link {after} comes link {found}")]
    Gap {
        /// The last sound link.
        after: u64,
        /// The number that follows.
        found: u64,
    },
    /// A link was changed, or does not hang on the one before it.
    #[error("link {0} does not fit the one before it")]
    Changed(u64),
    /// There are rows that are no links of the chain.
    #[error("{rows} rows for {links} links")]
    Stray {
        /// Rows in the table.
        rows: u64,
        /// Links in the chain.
        links: u64,
    },
}

/// How this box's trail differs from what central has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Diverged {
    /// The trail here ends before central's: it was cut, or the box was set back.
    #[error("central has {central} links of the audit trail and this box {here}: it was cut or set back")]
    Cut {
        /// Central's last link.
        central: u64,
        /// The last link here.
        here: u64,
    },
    /// Central's last link is another one here.
    #[error("link {0} of the audit trail is another one at central: it was written anew here")]
    Rewritten(u64),
    /// Central has more links than its last one's number says: the trail was set back and went on another way.
    #[error("central has {links} links of the audit trail up to number {last}: it went on in two ways")]
    Forked {
        /// Central's last link.
        last: u64,
        /// How many it has.
        links: u64,
    },
}

impl Diverged {
    /// Its name on the trail and in the API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Cut { .. } => "cut",
            Self::Rewritten(_) => "rewritten",
            Self::Forked { .. } => "forked",
        }
    }
}

/// Whether a link of central's is one here, unchanged. An empty trail is in every one.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn has(read: &(impl Read + ?Sized), link: Head) -> Result<bool, Fault> {
    let row = read.find::<Audit>(AUDIT_BY_SEQ, &Key::new().number(link.seq))?;
    Ok(link.seq == 0 || row.is_some_and(|row| row.hash == link.hash && hash(&row) == row.hash))
}

/// Adds a link. It is on the disk when the command is.
pub(in crate::chat) fn note(tx: &mut Tx<'_>, now: Timestamp, deed: Deed) -> Result<AuditId, Fault> {
    let id = tx.entropy().id(now);
    note_as(tx, id, now, deed)
}

/// The same under an id and with a time that are given: of the old service's trail.
pub(in crate::chat) fn note_as(tx: &mut Tx<'_>, id: AuditId, now: Timestamp, deed: Deed) -> Result<AuditId, Fault> {
    let before = head(tx)?;
    let mut row = Audit {
        id,
        seq: before.seq.saturating_add(1),
        conversation_id: deed.conversation,
        subject: deed.subject,
        moderator_id: deed.moderator,
        action: deed.action,
        code: deed.code,
        reason: deed.reason,
        at: now,
        prev_hash: before.hash,
        hash: [0; 32],
    };
    row.hash = hash(&row);
    tx.put(&row)?;
    Ok(row.id)
}

fn hash(row: &Audit) -> [u8; 32] {
    let conversation = row.conversation_id.map(|id| id.raw().binding()).unwrap_or_default();
    let subject = row.subject.map(|subject| subject.text());
    let seq = row.seq.to_be_bytes();
    let (id, moderator, at) = (row.id.raw().binding(), row.moderator_id.raw().binding(), row.at.micros().to_be_bytes());
    let mut parts: Vec<&[u8]> = vec![
        &row.prev_hash,
        &id,
        &seq,
        &conversation,
        &moderator,
        row.action.name().as_bytes(),
        row.code.name().as_bytes(),
        row.reason.as_str().as_bytes(),
        &at,
    ];
    // Links of the time before there were subjects keep their hashes.
    parts.extend(subject.as_deref().map(str::as_bytes));
    sha256(&parts)
}

/// The end of the chain.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn head(read: &(impl Read + ?Sized)) -> Result<Head, Fault> {
    let last = read.list_by::<Audit>(AUDIT_BY_SEQ, &Key::new(), &Page::newest(1))?.items.pop();
    Ok(last.map_or_else(Head::default, |row| Head { seq: row.seq, hash: row.hash }))
}

/// What the links after a place did: how many of each, and where the chain ends.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn actions_after(read: &(impl Read + ?Sized), seq: u64) -> Result<(Vec<(Action, u64)>, u64), Fault> {
    let (mut counts, mut last) = (Vec::<(Action, u64)>::new(), seq);
    // Newest first, so that a look after a few new ones reads only those.
    let mut page = Page::newest(MAX_PAGE);
    loop {
        let listed = read.list_by::<Audit>(AUDIT_BY_SEQ, &Key::new(), &page)?;
        for row in listed.items.iter().filter(|row| row.seq > seq) {
            last = last.max(row.seq);
            match counts.iter_mut().find(|(action, _)| *action == row.action) {
                Some((_, count)) => *count += 1,
                None => counts.push((row.action, 1)),
            }
        }
        let older = listed.items.iter().any(|row| row.seq <= seq);
        match listed.next.filter(|_| !older) {
            Some(next) => page = page.after(Some(next)),
            None => return Ok((counts, last)),
        }
    }
}

/// Walks the whole chain. What it cannot see is a cut end or an older chain: for that, compare the head with central's.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn verify(read: &(impl Read + ?Sized)) -> Result<Result<Head, Broken>, Fault> {
    let mut head = Head::default();
    let mut page = Page::first(MAX_PAGE);
    loop {
        let listed = read.list_by::<Audit>(AUDIT_BY_SEQ, &Key::new(), &page)?;
        for row in &listed.items {
            if row.seq != head.seq.saturating_add(1) {
                return Ok(Err(Broken::Gap { after: head.seq, found: row.seq }));
            }
            if row.prev_hash != head.hash || row.hash != hash(row) {
                return Ok(Err(Broken::Changed(row.seq)));
            }
            head = Head { seq: row.seq, hash: row.hash };
        }
        match listed.next {
            Some(next) => page = page.after(Some(next)),
            None => break,
        }
    }
    let rows = rows(read)?;
    Ok(if rows == head.seq { Ok(head) } else { Err(Broken::Stray { rows, links: head.seq }) })
}

fn rows(read: &(impl Read + ?Sized)) -> Result<u64, Fault> {
    let (mut rows, mut page) = (0, Page::first(MAX_PAGE));
    loop {
        let listed = read.list::<Audit>(&Key::new(), &page)?;
        rows += listed.items.len() as u64;
        match listed.next {
            Some(next) => page = page.after(Some(next)),
            None => return Ok(rows),
        }
    }
}

/// The trail of one conversation or of all.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn list(
    read: &(impl Read + ?Sized),
    conversation: Option<ConversationId>,
    page: &Page,
) -> Result<Listed<Entry>, Fault> {
    let rows = match conversation {
        Some(conversation) => read.list_by::<Audit>(AUDIT_BY_CONVERSATION, &Key::of(conversation), page)?,
        None => read.list_by::<Audit>(AUDIT_BY_SEQ, &Key::new(), page)?,
    };
    Ok(rows.map(Entry::from))
}

/// The caller's own links, oldest first: a participant's reports, a moderator's acts.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn own(read: &(impl Read + ?Sized), caller: &Caller, page: &Page) -> Result<Listed<Entry>, Fault> {
    Ok(read.list_by::<Audit>(AUDIT_BY_MODERATOR, &Key::of(caller.id()), page)?.map(Entry::from))
}

/// A moderator's last links since a moment, newest first.
pub(in crate::chat) fn recent(
    read: &(impl Read + ?Sized),
    moderator: UserId,
    since: Timestamp,
) -> Result<Vec<Entry>, Fault> {
    let rows = read.list_by::<Audit>(AUDIT_BY_MODERATOR, &Key::of(moderator), &Page::newest(MAX_PAGE))?;
    Ok(rows.items.into_iter().take_while(|row| row.at > since).map(Entry::from).collect())
}

#[cfg(test)]
mod tests;
