//! Messages: sending, listing and receipts, within one transaction each.
//!
//! What is sent comes sealed; nothing here opens it. A message is visible until its recipient has read it, so the
//! number of visible messages is the number of unread ones. Must not know keys beyond whether a bucket is writable.

use crate::base::id::{AuditId, ConversationId, MessageId, UserId};
use crate::base::notice::Notice;
use crate::base::text::{BadText, Reason};
use crate::base::time::Timestamp;
use crate::chat::audit::{self, Action, Code, Deed, Entry};
use crate::chat::blocks;
use crate::chat::conversations::joined;
use crate::chat::error::Error;
use crate::chat::records::{Conversation, MESSAGE_BY_CLIENT, MESSAGE_VISIBLE, Message, StoredCopy};
use crate::chat::seal::keyring::Keyring;
use crate::customer::relationships;
use crate::identity::access::Caller;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

/// A message that was sealed and dated before its command was queued.
pub(in crate::chat) struct Draft {
    pub(in crate::chat) id: MessageId,
    pub(in crate::chat) conversation: ConversationId,
    pub(in crate::chat) client_digest: Option<[u8; 32]>,
    pub(in crate::chat) participants: StoredCopy,
    pub(in crate::chat) archive: StoredCopy,
    pub(in crate::chat) created_at: Timestamp,
    pub(in crate::chat) dated: bool,
    pub(in crate::chat) expires_at: Timestamp,
}

/// What a recipient acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It reached the device.
    Delivered,
    /// It was read, and so it was delivered. It vanishes for both.
    Read,
}

/// Whether a user may write in a conversation now.
pub(in crate::chat) fn may_send(
    read: &(impl Read + ?Sized),
    user: UserId,
    conversation: ConversationId,
) -> Result<Conversation, Error> {
    let row = joined(read, user, conversation)?;
    let entitled = relationships::entitled(read, row.distributor_id, row.customer_id)?;
    if !entitled {
        return Err(Error::NotEntitled);
    }
    let blocked_by = blocks::of(read, &row)?;
    match blocked_by.contains(&user) {
        true => Err(Error::Blocked),
        false if blocked_by.is_empty() => Ok(row),
        // Whoever was blocked is not told so.
        false => Err(Error::NotEntitled),
    }
}

/// The message that a sender sent under a client's own id before.
pub(in crate::chat) fn sent_before(
    read: &(impl Read + ?Sized),
    sender: UserId,
    conversation: ConversationId,
    digest: Option<[u8; 32]>,
) -> Result<Option<MessageId>, Fault> {
    let Some(digest) = digest else { return Ok(None) };
    let place = Key::of(conversation).id(sender).fixed(&digest);
    Ok(read.find::<Message>(MESSAGE_BY_CLIENT, &place)?.map(|row| row.id))
}

/// Commits a draft, or finds the message that its client id stands for already.
pub(in crate::chat) fn send(
    tx: &mut Tx<'_>,
    caller: &Caller,
    draft: &Draft,
    keyring: &Keyring,
) -> Result<MessageId, Error> {
    joined(tx, caller.id(), draft.conversation)?;
    if let Some(first) = sent_before(tx, caller.id(), draft.conversation, draft.client_digest)? {
        return Ok(first);
    }
    let mut conversation = may_send(tx, caller.id(), draft.conversation)?;
    // The survivors of a bucket are counted before its key is destroyed; none may enter afterwards.
    if ![&draft.participants, &draft.archive].iter().all(|copy| keyring.writable(copy.bucket())) {
        return Err(Error::Stale);
    }
    conversation.last_seq = conversation.last_seq.saturating_add(1);
    conversation.last_message_at = Some(draft.created_at);
    conversation.archived = conversation.archived.saturating_add(1);
    if let Some(recipient) = conversation.other(caller.id()) {
        let unread = conversation.unread_by(recipient);
        *unread = unread.saturating_add(1);
    }
    tx.put(&Message {
        id: draft.id,
        conversation_id: conversation.id,
        seq: conversation.last_seq,
        sender_id: caller.id(),
        client_digest: draft.client_digest,
        participants: Some(draft.participants.clone()),
        archive: Some(draft.archive.clone()),
        created_at: draft.created_at,
        dated: draft.dated,
        expires_at: draft.expires_at,
        delivered_by: Vec::new(),
        read_by: vec![caller.id()],
        delivered_at: None,
        read_at: None,
        deleted_for: Vec::new(),
        vanished_at: None,
        doomed_at: None,
        parked: false,
    })?;
    tx.put(&conversation)?;
    tx.notify(Notice::Message(conversation.id, draft.id));
    Ok(draft.id)
}

/// Notes that the recipient has a message, or has read it. Twice is the same as once.
///
/// # Errors
/// [`Error::NotFound`] for a message that is not the caller's or has expired, [`Error::OwnMessage`] for its sender.
pub fn acknowledge(
    tx: &mut Tx<'_>,
    now: Timestamp,
    caller: &Caller,
    id: MessageId,
    receipt: Receipt,
) -> Result<MessageId, Error> {
    let mut message = of_participant(tx, caller, id)?;
    if message.sender_id == caller.id() {
        return Err(Error::OwnMessage);
    }
    let new = match receipt {
        Receipt::Delivered => message.delivered_at.is_none(),
        Receipt::Read => message.read_at.is_none(),
    };
    if !new {
        return Ok(id);
    }
    if message.delivered_at.is_none() {
        message.delivered_at = Some(now);
        message.delivered_by.push(caller.id());
    }
    tx.notify(Notice::Receipt(message.conversation_id, id));
    if receipt == Receipt::Read {
        message.read_at = Some(now);
        message.read_by.push(caller.id());
        if message.visible() {
            // Sender and recipient have both read it now: it leaves both lists in this commit.
            unlist(tx, &message)?;
            message.vanished_at = Some(now);
        }
    }
    tx.put(&message)?;
    Ok(id)
}

/// Takes a message from the caller's own list. The other still sees it; once both have done so it vanishes. It is no
/// receipt: nobody is told.
///
/// # Errors
/// [`Error::NotFound`].
pub fn delete_for(tx: &mut Tx<'_>, now: Timestamp, caller: &Caller, id: MessageId) -> Result<(), Error> {
    let mut message = of_participant(tx, caller, id)?;
    if message.deleted_for.contains(&caller.id()) {
        return Ok(());
    }
    let mut conversation = joined(tx, caller.id(), message.conversation_id)?;
    let (other, visible) = (conversation.other(caller.id()), message.visible());
    if visible && message.sender_id != caller.id() {
        let unread = conversation.unread_by(caller.id());
        *unread = unread.saturating_sub(1);
        tx.put(&conversation)?;
    }
    message.deleted_for.push(caller.id());
    if visible && other.is_some_and(|other| message.deleted_for.contains(&other)) {
        unlist(tx, &message)?;
        message.vanished_at = Some(now);
    }
    tx.put(&message)?;
    Ok(())
}

/// Puts a recipient's complaint about a message on the audit trail, for moderators to find. The same one's complaint
/// about the same message is noted once.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::OwnMessage`] for its sender.
pub fn report(
    tx: &mut Tx<'_>,
    now: Timestamp,
    caller: &Caller,
    id: MessageId,
    complaint: &Complaint,
) -> Result<AuditId, Error> {
    let message = of_participant(tx, caller, id)?;
    if message.sender_id == caller.id() {
        return Err(Error::OwnMessage);
    }
    let about = format!("(message {id})");
    let before = audit::list(tx, Some(message.conversation_id), &Page::newest(MAX_PAGE))?.items;
    let same = |entry: &&Entry| entry.moderator_id == caller.id() && entry.reason.as_str().ends_with(&about);
    if let Some(entry) = before.iter().filter(|entry| entry.action == Action::Reported).find(same) {
        return Ok(entry.id);
    }
    let deed = Deed {
        conversation: Some(message.conversation_id),
        subject: None,
        moderator: caller.id(),
        action: Action::Reported,
        code: Code::Report,
        reason: complaint.about(&about)?,
    };
    Ok(audit::note(tx, now, deed)?)
}

/// Why a participant reports a message: 10–400 characters, so that the message's id still fits beside it.
#[derive(Debug, Clone)]
pub struct Complaint(Reason);

impl Complaint {
    /// Takes a reason.
    ///
    /// # Errors
    /// [`BadText`] for one that is too long.
    pub fn new(reason: Reason) -> Result<Self, BadText> {
        let fits = reason.as_str().chars().count() <= 400;
        if fits { Ok(Self(reason)) } else { Err(BadText("A complaint has 10 to 400 characters.")) }
    }

    fn about(&self, message: &str) -> Result<Reason, Error> {
        // An id has at most 64 characters, so this is within a reason's 500.
        format!("{} {message}", self.0).parse().map_err(|_| Error::TooLarge)
    }
}

/// Counts a visible message off and tells the participants that it is gone.
pub(in crate::chat) fn unlist(tx: &mut Tx<'_>, message: &Message) -> Result<(), Error> {
    let mut conversation = tx.get::<Conversation>(&Key::of(message.conversation_id))?.ok_or(Error::NotFound)?;
    // Whoever has deleted it for themselves has it counted off already.
    if let Some(recipient) = conversation.other(message.sender_id).filter(|user| !message.deleted_for.contains(user)) {
        let unread = conversation.unread_by(recipient);
        *unread = unread.saturating_sub(1);
    }
    tx.put(&conversation)?;
    tx.notify(Notice::Vanished(conversation.id, message.id));
    Ok(())
}

/// A message, for one who takes part in its conversation. One that has expired is gone.
pub(in crate::chat) fn of_participant(
    read: &(impl Read + ?Sized),
    caller: &Caller,
    id: MessageId,
) -> Result<Message, Error> {
    let message = read.get::<Message>(&Key::of(id))?.filter(|message| message.doomed_at.is_none());
    let message = message.ok_or(Error::NotFound)?;
    joined(read, caller.id(), message.conversation_id)?;
    Ok(message)
}

/// The visible messages of a conversation after a place, oldest first.
pub(in crate::chat) fn visible(
    read: &(impl Read + ?Sized),
    conversation: ConversationId,
    page: &Page,
) -> Result<Listed<Message>, Fault> {
    read.list_by::<Message>(MESSAGE_VISIBLE, &Key::of(conversation), page)
}

/// The place in the list of visible messages that lies right after a number.
#[must_use]
pub fn place_after(seq: u64) -> Vec<u8> {
    // What follows a number in the index is a key, whose first byte is far below 255.
    [&seq.to_be_bytes()[..], &[0xff]].concat()
}
