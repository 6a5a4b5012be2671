//! What a copy of the store must agree with the original in, as far as chat knows: for the drill of a backup.

use crate::base::time::Timestamp;
use crate::chat::records::{Conversation, MESSAGE_BY_EXPIRY, Message};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};

/// Conversations under an active hold.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn holds(read: &(impl Read + ?Sized)) -> Result<u64, Fault> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = read.list::<Conversation>(&Key::new(), &Page::first(MAX_PAGE).after(after))?;
        count += page.items.iter().filter(|row| row.hold.active).count() as u64;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(count),
        }
    }
}

/// When the next message expires.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn next_expiry(read: &(impl Read + ?Sized)) -> Result<Option<Timestamp>, Fault> {
    let rows = read.list_by::<Message>(MESSAGE_BY_EXPIRY, &Key::new(), &Page::first(1))?;
    Ok(rows.items.first().map(|row| row.expires_at))
}
