//! Legal holds: while one stands, nothing that it covers is destroyed, whoever asks.
//!
//! ```text
//!   place ──▶ held ──release──▶ grace (72 h unless set) ──over──▶ what is past its time expires
//!               ▲  ──asked for, where a second moderator must grant it──▶ granted by another
//!               └────────────── placing again takes either back ───────────────┘
//! ```
//!
//! A hold on a relationship or a distributor is one row that every decision to destroy looks at, so that it covers the
//! conversations that are opened later as well. Placing, releasing and deciding are transactions of one writer, so
//! each sees the others whole. Must not know how destroying is done.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::id::{ConversationId, UserId};
use crate::base::text::Reason;
use crate::base::time::{Timestamp, WallTime};
use crate::chat::audit::{self, Action, Code, Deed};
use crate::chat::conversations::{ConversationInfo, HoldInfo};
use crate::chat::error::Error;
use crate::chat::records::holds::{Release, WideHold};
use crate::chat::records::{CONVERSATION_BY_USER, Conversation, Hold, MESSAGE_DEAD, Message};
use crate::chat::scope::Scope;
use crate::chat::seal::CopyKind;
use crate::customer::relationships;
use crate::identity::access::Moderator;
use crate::identity::users;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

pub mod preview;
#[cfg(test)]
mod tests;

/// How long after a release nothing expires, so that it can be taken back (issue 5: default 72 h).
pub const DEFAULT_GRACE: Duration = Duration::from_secs(72 * 3600);
/// Messages that a change of a hold counts at most, within its transaction.
const MAX_COUNTED: u64 = MAX_PAGE as u64;

/// What a change of a hold was, to be told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldChange {
    /// What it covers.
    pub scope: Scope,
    /// Placing: messages whose destruction had been decided before, so that the hold does not save them.
    /// Releasing: messages that expire when the grace ends. At most 1,000 are counted.
    pub count: u64,
    /// The release was asked for and a second moderator must grant it.
    pub asked: bool,
}

/// Who places or releases a hold.
#[derive(Debug, Clone, Copy)]
pub enum Placer<'a> {
    /// A moderator of this box.
    Moderator(&'a Moderator),
    /// Central, by a directive; the id is what its records call the person. It needs no second moderator.
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

/// How holds are released on this box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long after the release nothing expires.
    pub grace: Duration,
    /// Whether a second moderator must grant it.
    pub second_moderator: bool,
}

/// A release that waits for a second moderator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Who asked for it.
    pub requested_by: UserId,
    /// When.
    pub requested_at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// The hold of any scope, as staff see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeInfo {
    /// What it covers.
    pub scope: Scope,
    /// Whether it stands, and since when and why.
    pub hold: HoldInfo,
    /// The release that waits for a second moderator.
    pub asked: Option<Asked>,
}

/// Places a hold; or takes a release back that is asked for or in its grace.
///
/// # Errors
/// [`Error::NotFound`], [`Error::AlreadyHeld`].
pub fn place(
    tx: &mut Tx<'_>,
    now: Timestamp,
    placer: Placer<'_>,
    scope: Scope,
    reason: Reason,
) -> Result<HoldChange, Error> {
    let before = hold_of(tx, scope)?;
    let asked = tx.get::<Release>(&scope.key())?.is_some();
    let counted = |count| HoldChange { scope, count, asked: false };
    if before.active {
        if !asked {
            return Err(Error::AlreadyHeld);
        }
        tx.delete::<Release>(&scope.key())?;
        note(tx, now, placer.id(), scope, Action::ReleaseWithdrawn, reason)?;
        return Ok(counted(0));
    }
    let hold = Hold {
        active: true,
        reason: Some(reason.clone()),
        placed_by: Some(placer.id()),
        placed_at: Some(now),
        grace_until: None,
        parked: before.parked,
    };
    keep(tx, scope, hold)?;
    note(tx, now, placer.id(), scope, Action::HoldPlaced, reason)?;
    Ok(counted(doomed(tx, scope)?))
}

/// Releases a hold, or asks for its release where the terms want a second moderator. Nothing expires before the grace
/// is over, and placing it again takes the release back.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotHeld`], [`Error::SecondModerator`] where whoever asked for it would grant it.
pub fn release(
    tx: &mut Tx<'_>,
    now: Timestamp,
    placer: Placer<'_>,
    scope: Scope,
    reason: Reason,
    terms: Terms,
) -> Result<HoldChange, Error> {
    let before = hold_of(tx, scope)?;
    if !before.active {
        return Err(Error::NotHeld);
    }
    let asked = tx.get::<Release>(&scope.key())?;
    let count = preview::counted(tx, scope, now.plus(terms.grace), MAX_COUNTED)?.messages;
    if terms.second_moderator && matches!(placer, Placer::Moderator(_)) {
        match &asked {
            None => {
                let requested_by = placer.id();
                tx.put(&Release { scope, requested_by, requested_at: now, reason: reason.clone() })?;
                note(tx, now, placer.id(), scope, Action::ReleaseRequested, reason)?;
                return Ok(HoldChange { scope, count, asked: true });
            }
            Some(asked) if asked.requested_by == placer.id() => return Err(Error::SecondModerator),
            Some(_) => {}
        }
    }
    tx.delete::<Release>(&scope.key())?;
    keep(tx, scope, Hold { grace_until: Some(now.plus(terms.grace)), parked: before.parked, ..Hold::default() })?;
    note(tx, now, placer.id(), scope, Action::HoldReleased, reason)?;
    Ok(HoldChange { scope, count, asked: false })
}

/// A conversation with its holds, for staff.
///
/// # Errors
/// [`Error::NotFound`].
pub fn shown(read: &(impl Read + ?Sized), id: ConversationId) -> Result<ConversationInfo, Error> {
    let row = read.get::<Conversation>(&Key::of(id))?.ok_or(Error::NotFound)?;
    Ok(for_staff(read, row)?)
}

/// The hold of any scope, for staff.
///
/// # Errors
/// [`Error::NotFound`] where there is nothing that it could cover.
pub fn about(read: &(impl Read + ?Sized), scope: Scope) -> Result<ScopeInfo, Error> {
    Ok(ScopeInfo { scope, hold: hold_of(read, scope)?.into(), asked: asked(read, scope)? })
}

/// The holds on relationships and distributors, those in their grace and those that are over among them.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn wide(read: &(impl Read + ?Sized), _moderator: &Moderator, page: &Page) -> Result<Listed<ScopeInfo>, Fault> {
    let rows = read.list::<WideHold>(&Key::new(), page)?;
    let mut items = Vec::with_capacity(rows.items.len());
    for row in rows.items {
        items.push(ScopeInfo { scope: row.scope, hold: row.hold.into(), asked: asked(read, row.scope)? });
    }
    Ok(Listed { items, next: rows.next })
}

/// Whether a hold covers a user: one over any of the user's conversations or over the user as a distributor, or the
/// grace after one, which only a trusted clock can say to be over.
///
/// # Errors
/// [`Fault`] where it cannot be read; then nothing of the user's may be destroyed.
pub fn over_user(read: &(impl Read + ?Sized), wall: WallTime, user: UserId) -> Result<bool, Fault> {
    // While the clock is not trusted every grace lasts.
    let now = if wall.trusted { wall.now } else { Timestamp::from_micros(i64::MIN) };
    let mut page = Page::first(MAX_PAGE);
    loop {
        let rows = read.list_by::<Conversation>(CONVERSATION_BY_USER, &Key::of(user), &page)?;
        for row in &rows.items {
            if protects(read, row, now)? {
                return Ok(true);
            }
        }
        match rows.next {
            Some(next) => page = page.after(Some(next)),
            None => break,
        }
    }
    // A distributor's own hold stands before the first conversation too.
    let own = read.get::<WideHold>(&Scope::Distributor(user).key())?;
    Ok(own.is_some_and(|row| row.hold.protects(now)))
}

/// Whether any hold, or the grace after one, forbids to destroy what is in a conversation.
pub(in crate::chat) fn protects(
    read: &(impl Read + ?Sized),
    row: &Conversation,
    now: Timestamp,
) -> Result<bool, Fault> {
    protects_without(read, row, now, None)
}

/// The same as if one scope had no hold.
fn protects_without(
    read: &(impl Read + ?Sized),
    row: &Conversation,
    now: Timestamp,
    without: Option<Scope>,
) -> Result<bool, Fault> {
    if without != Some(Scope::Conversation(row.id)) && row.hold.protects(now) {
        return Ok(true);
    }
    for scope in Scope::wider(row) {
        let wide = if without == Some(scope) { None } else { read.get::<WideHold>(&scope.key())? };
        if wide.is_some_and(|wide| wide.hold.protects(now)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A row as staff see it: which holds stand over it, and whether a release is asked for.
pub(in crate::chat) fn for_staff(read: &(impl Read + ?Sized), row: Conversation) -> Result<ConversationInfo, Fault> {
    let mut held_by = Vec::new();
    if row.hold.active {
        held_by.push(Scope::Conversation(row.id).kind());
    }
    for scope in Scope::wider(&row) {
        if read.get::<WideHold>(&scope.key())?.is_some_and(|wide| wide.hold.active) {
            held_by.push(scope.kind());
        }
    }
    let release = asked(read, Scope::Conversation(row.id))?;
    Ok(ConversationInfo { held_by, release, ..row.shown_to(None) })
}

fn asked(read: &(impl Read + ?Sized), scope: Scope) -> Result<Option<Asked>, Fault> {
    let row = read.get::<Release>(&scope.key())?;
    Ok(row.map(|row| Asked { requested_by: row.requested_by, requested_at: row.requested_at, reason: row.reason }))
}

fn hold_of(read: &(impl Read + ?Sized), scope: Scope) -> Result<Hold, Error> {
    let known = match scope {
        Scope::Conversation(id) => {
            return Ok(read.get::<Conversation>(&Key::of(id))?.ok_or(Error::NotFound)?.hold);
        }
        Scope::Relationship { distributor, customer } => relationships::of_pair(read, customer, distributor)?.is_some(),
        Scope::Distributor(id) => users::by_id(read, id)?.is_some_and(|user| user.is_distributor()),
    };
    match read.get::<WideHold>(&scope.key())? {
        // Whoever was held stays so when the account is gone.
        Some(row) => Ok(row.hold),
        None if known => Ok(Hold::default()),
        None => Err(Error::NotFound),
    }
}

fn keep(tx: &mut Tx<'_>, scope: Scope, hold: Hold) -> Result<(), Error> {
    match scope {
        Scope::Conversation(id) => {
            let row = tx.get::<Conversation>(&Key::of(id))?.ok_or(Error::NotFound)?;
            tx.put(&Conversation { hold, ..row })?;
        }
        Scope::Relationship { .. } | Scope::Distributor(_) => {
            tx.put(&WideHold { scope, hold: Hold { parked: false, ..hold } })?;
        }
    }
    Ok(())
}

/// Messages of a scope that are doomed and whose keys may be gone already.
fn doomed(read: &(impl Read + ?Sized), scope: Scope) -> Result<u64, Fault> {
    let archives = Key::new().byte(CopyKind::Archive.number());
    let rows = read.list_by::<Message>(MESSAGE_DEAD, &archives, &Page::first(MAX_PAGE))?;
    let mut count = 0;
    for row in rows.items {
        let conversation = read.get::<Conversation>(&Key::of(row.conversation_id))?;
        count += u64::from(conversation.is_some_and(|conversation| scope.covers(&conversation)));
    }
    Ok(count)
}

fn note(
    tx: &mut Tx<'_>,
    now: Timestamp,
    moderator: UserId,
    scope: Scope,
    action: Action,
    reason: Reason,
) -> Result<(), Fault> {
    let (conversation, subject) = match scope {
        Scope::Conversation(id) => (Some(id), None),
        Scope::Relationship { .. } | Scope::Distributor(_) => (None, Some(scope)),
    };
    audit::note(tx, now, Deed { conversation, subject, moderator, action, code: Code::Legal, reason }).map(drop)
}
