//! Blocks: a participant who wants to hear nothing more from the other.
//!
//! While one stands neither writes; what was written stays, and so do moderation and holds. The one who was blocked
//! is not told. Must not know why.

use crate::base::id::{ConversationId, UserId};
use crate::base::notice::Notice;
use crate::base::time::Timestamp;
use crate::chat::conversations::joined;
use crate::chat::error::Error;
use crate::chat::records::Conversation;
use crate::chat::records::holds::Block;
use crate::identity::access::Caller;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

/// Blocks the other of a conversation, or lets them write again. Twice is the same as once.
///
/// # Errors
/// [`Error::NotFound`] for one who has no part in it.
pub fn set(
    tx: &mut Tx<'_>,
    now: Timestamp,
    caller: &Caller,
    conversation: ConversationId,
    blocked: bool,
) -> Result<(), Error> {
    joined(tx, caller.id(), conversation)?;
    let place = Block::place(conversation, caller.id());
    match (blocked, tx.get::<Block>(&place)?.is_some()) {
        (true, false) => tx.put(&Block { conversation_id: conversation, user_id: caller.id(), blocked_at: now })?,
        (false, true) => tx.delete::<Block>(&place)?,
        (true, true) | (false, false) => return Ok(()),
    }
    tx.notify(Notice::Entitlement(conversation));
    Ok(())
}

/// Who of a conversation blocks the other.
pub(in crate::chat) fn of(read: &(impl Read + ?Sized), row: &Conversation) -> Result<Vec<UserId>, Fault> {
    let rows = read.list::<Block>(&Key::of(row.id), &Page::first(2))?;
    Ok(rows.items.into_iter().map(|block| block.user_id).collect())
}
