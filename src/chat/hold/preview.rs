//! What a release would let expire, for whoever decides about it.
//!
//! It only counts. Must not change anything.

use crate::base::time::Timestamp;
use crate::chat::error::Error;
use crate::chat::hold::{hold_of, protects_without};
use crate::chat::records::{CONVERSATION_BY_PAIR, CONVERSATION_BY_USER, Conversation, MESSAGE_BY_SEQ, Message};
use crate::chat::scope::Scope;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};

/// Messages that are counted for people at most; more is as many.
pub const MAX_SHOWN: u64 = 10_000;

/// What goes once nothing of a scope is held any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expiring {
    /// Messages that are past their time by then.
    pub messages: u64,
    /// Conversations that they are from.
    pub conversations: u64,
    /// When the oldest of them was written.
    pub oldest: Option<Timestamp>,
    /// There are more.
    pub more: bool,
}

/// What would expire by `until`, if the scope's own hold were gone; what another hold keeps is not counted.
///
/// # Errors
/// [`Error::NotFound`] where there is nothing that it could cover.
pub fn of(read: &(impl Read + ?Sized), scope: Scope, until: Timestamp) -> Result<Expiring, Error> {
    hold_of(read, scope)?;
    Ok(counted(read, scope, until, MAX_SHOWN)?)
}

pub(in crate::chat) fn counted(
    read: &(impl Read + ?Sized),
    scope: Scope,
    until: Timestamp,
    limit: u64,
) -> Result<Expiring, Fault> {
    let mut found = Expiring::default();
    let mut page = Page::first(MAX_PAGE);
    loop {
        let (rows, next) = match scope {
            Scope::Conversation(id) => (read.get::<Conversation>(&Key::of(id))?.into_iter().collect(), None),
            Scope::Relationship { distributor, customer } => {
                let pair = Key::of(distributor).id(customer);
                (read.find::<Conversation>(CONVERSATION_BY_PAIR, &pair)?.into_iter().collect(), None)
            }
            Scope::Distributor(id) => {
                let listed = read.list_by::<Conversation>(CONVERSATION_BY_USER, &Key::of(id), &page)?;
                (listed.items, listed.next)
            }
        };
        let rows: Vec<Conversation> = rows;
        for row in rows.iter().filter(|row| scope.covers(row)) {
            if !protects_without(read, row, until, Some(scope))? {
                within(read, row, until, limit, &mut found)?;
            }
            if found.more {
                return Ok(found);
            }
        }
        match next {
            Some(next) => page = page.after(Some(next)),
            None => return Ok(found),
        }
    }
}

fn within(
    read: &(impl Read + ?Sized),
    row: &Conversation,
    until: Timestamp,
    limit: u64,
    found: &mut Expiring,
) -> Result<(), Fault> {
    let before = found.messages;
    let mut page = Page::first(MAX_PAGE);
    'pages: loop {
        let listed = read.list_by::<Message>(MESSAGE_BY_SEQ, &Key::of(row.id), &page)?;
        for message in listed.items.iter().filter(|message| message.doomed_at.is_none()) {
            // What was written later expires later, so the first that stays ends the walk.
            if !message.parked && message.dated && message.expires_at > until {
                break 'pages;
            }
            if found.messages == limit {
                found.more = true;
                break 'pages;
            }
            if message.parked || message.dated {
                found.messages += 1;
                found.oldest = Some(found.oldest.map_or(message.created_at, |at| at.min(message.created_at)));
            }
        }
        match listed.next {
            Some(next) => page = page.after(Some(next)),
            None => break,
        }
    }
    found.conversations += u64::from(found.messages > before);
    Ok(())
}
