//! What chat does for an erased user: says whether a legal hold covers the user, and takes the messages from the
//! participants' lists. The sealed archive stays for its time, as for everybody (decision 0010).

use crate::base::id::UserId;
use crate::base::time::Timestamp;
use crate::chat::error::Error;
use crate::chat::hold;
use crate::chat::messages::{unlist, visible};
use crate::chat::records::{CONVERSATION_BY_USER, Conversation};
use crate::chat::service::Service;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

impl Service {
    /// Whether nothing of a user's may be erased now: a legal hold covers the user, the grace after one lasts, or a hold
    /// may be pending at central that this box cannot know of.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read; then nothing may be erased.
    pub fn holds(&self, read: &impl Read, user: UserId) -> Result<bool, Fault> {
        let wall = self.clock.wall();
        Ok(hold::over_user(read, wall, user)? || self.holds_unknown(read, wall.now)?.is_some())
    }
}

/// Takes the messages of a user's conversations from both participants' lists, at most `page.limit` of them; where the
/// next call goes on.
///
/// # Errors
/// The store's.
pub fn erase(tx: &mut Tx<'_>, now: Timestamp, user: UserId, page: &Page) -> Result<Option<Vec<u8>>, Error> {
    // One conversation at a time, and the same one again for as long as it has messages.
    let one = Page { limit: 1, ..page.clone() };
    let listed = tx.list_by::<Conversation>(CONVERSATION_BY_USER, &Key::of(user), &one)?;
    for conversation in listed.items {
        let seen = visible(tx, conversation.id, &Page::first(page.limit))?;
        for mut message in seen.items {
            unlist(tx, &message)?;
            message.vanished_at = Some(now);
            tx.put(&message)?;
        }
        if seen.next.is_some() {
            return Ok(Some(page.after.clone().unwrap_or_default()));
        }
    }
    Ok(listed.next)
}
