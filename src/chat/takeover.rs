//! Conversations, messages and audits taken over from the old service, and given out again.
//!
//! A message comes opened, in memory, and is sealed before its command is queued, as any other. One that could not be
//! opened keeps the old service's bytes as its archive copy, under the bucket [`BucketId::OLD`], which has no key:
//! moderators see that it is there and cannot be read. While an import is open nothing expires ([`is_open`]).
//! The import and the export alone call this.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::digest::{hex, plain_sha256};
use crate::base::id::{AuditId, ConversationId, MessageId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::audit::{self, Action, Code, Deed};
use crate::chat::body::Body;
use crate::chat::destroy::home;
use crate::chat::error::Error;
use crate::chat::hold;
use crate::chat::records::{Audit, CONVERSATION_BY_PAIR, Conversation, Hold, Message, StoredCopy};
use crate::chat::seal::away::Away;
use crate::chat::seal::bucket::{BucketId, Kind};
use crate::chat::seal::keyring::Keyring;
use crate::chat::seal::{self, CopyKind, Open, Sealed};
use crate::chat::service::{Service, Text};
use crate::identity::takeover::Facts;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::record::{Record, TableId};
use crate::store::tx::Tx;

/// A conversation.
#[derive(Debug, Clone)]
pub struct OldConversation {
    /// The id, in its old form.
    pub id: ConversationId,
    /// The distributor.
    pub distributor_id: UserId,
    /// The customer.
    pub customer_id: UserId,
    /// Its legal hold, if it stands under one.
    pub hold: Option<OldHold>,
    /// When it was opened.
    pub created_at: Timestamp,
}

/// A legal hold that stands.
#[derive(Debug, Clone)]
pub struct OldHold {
    /// Why.
    pub reason: Reason,
    /// By whom.
    pub placed_by: Option<UserId>,
    /// Since when.
    pub placed_at: Option<Timestamp>,
}

/// What a message says, as far as it could be opened.
pub enum OldText {
    /// Opened. In memory only.
    Open(Body),
    /// The old service's bytes, which no key opened.
    Unopened(Vec<u8>),
    /// Sealed to a key off the box.
    Away(Away),
    /// There is nothing left of it.
    Gone,
}

/// A message.
pub struct OldMessage {
    /// The id, in its old form.
    pub id: MessageId,
    /// Its conversation here.
    pub conversation_id: ConversationId,
    /// Who wrote it.
    pub sender_id: UserId,
    /// What it says.
    pub text: OldText,
    /// When it was written.
    pub created_at: Timestamp,
    /// When the archive copy goes; the box's own span where the old service had none.
    pub expires_at: Option<Timestamp>,
    /// Who had it.
    pub delivered_by: Vec<UserId>,
    /// Who had read it.
    pub read_by: Vec<UserId>,
    /// When the recipient's device had it.
    pub delivered_at: Option<Timestamp>,
    /// When the recipient had read it.
    pub read_at: Option<Timestamp>,
    /// Who had deleted it for themselves.
    pub deleted_for: Vec<UserId>,
    /// When it left both lists.
    pub vanished_at: Option<Timestamp>,
}

/// An entry of the old service's moderation trail.
#[derive(Debug, Clone)]
pub struct OldAudit {
    /// The id, in its old form.
    pub id: AuditId,
    /// The conversation.
    pub conversation_id: Option<ConversationId>,
    /// Who did it.
    pub moderator_id: UserId,
    /// What.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: Timestamp,
}

/// A message whose copies are sealed, on its way into a transaction.
pub struct SealedOld(Message);

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is news.
    New,
    /// Its id is here: that row stays as it is.
    Known,
    /// The two have a conversation here, which stands for this one too.
    Same(ConversationId),
    /// There is no such conversation.
    NoConversation,
    /// The sender takes no part in the conversation.
    Stranger,
}

/// That an import is open: nothing expires until it is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::chat) struct Opening {
    pub(in crate::chat) since: Timestamp,
}

impl Record for Opening {
    const TABLE: TableId = TableId { number: 82, name: "chat.import_open" };

    fn key(&self) -> Key {
        Key::new()
    }
}

/// Opens an import: from this commit on nothing expires.
///
/// # Errors
/// [`Fault`].
pub fn open(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Fault> {
    if !is_open(tx)? {
        tx.put(&Opening { since: now })?;
    }
    Ok(())
}

/// Closes the import.
///
/// # Errors
/// [`Fault`].
pub fn close(tx: &mut Tx<'_>) -> Result<(), Fault> {
    tx.delete::<Opening>(&Key::new())
}

/// Whether an import is open.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn is_open(read: &(impl Read + ?Sized)) -> Result<bool, Fault> {
    Ok(read.get::<Opening>(&Key::new())?.is_some())
}

fn list(users: &[UserId]) -> Option<String> {
    let mut users: Vec<String> = users.iter().map(ToString::to_string).collect();
    users.sort_unstable();
    (!users.is_empty()).then(|| users.join(" "))
}

fn shown(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

impl OldConversation {
    /// The row as named texts.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let hold = self.hold.as_ref();
        vec![
            ("id", Some(self.id.to_string())),
            ("distributor_id", Some(self.distributor_id.to_string())),
            ("customer_id", Some(self.customer_id.to_string())),
            ("hold", Some(hold.is_some().to_string())),
            ("hold_reason", hold.map(|hold| hold.reason.to_string())),
            ("hold_by", shown(hold.and_then(|hold| hold.placed_by))),
            ("hold_at", shown(hold.and_then(|hold| hold.placed_at))),
            ("created_at", Some(self.created_at.to_string())),
        ]
    }
}

impl OldMessage {
    /// The row as named texts; of the text its digest, which is for comparing in memory alone.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let text = match &self.text {
            OldText::Open(body) => Some(hex(&plain_sha256(body.as_str().as_bytes()))),
            OldText::Unopened(bytes) => Some(hex(&plain_sha256(bytes))),
            OldText::Away(away) => Some(hex(&plain_sha256(away.to_text().as_bytes()))),
            OldText::Gone => None,
        };
        vec![
            ("id", Some(self.id.to_string())),
            ("conversation_id", Some(self.conversation_id.to_string())),
            ("sender_id", Some(self.sender_id.to_string())),
            ("ciphertext", text),
            ("created_at", Some(self.created_at.to_string())),
            ("expires_at", shown(self.expires_at)),
            ("delivered_to", list(&self.delivered_by)),
            ("read_by", list(&self.read_by)),
            ("delivered_at", shown(self.delivered_at)),
            ("read_at", shown(self.read_at)),
            ("deleted_for", list(&self.deleted_for)),
            ("vanished_at", shown(self.vanished_at)),
        ]
    }
}

impl OldMessage {
    /// The row as named texts, to be compared with the one it was taken over from. A text that was sealed to a key off the
    /// box since cannot be compared: there the source's is taken for it.
    #[must_use]
    pub fn facts_beside(&self, source: &Self) -> Facts {
        let mut facts = self.facts();
        if matches!((&self.text, &source.text), (OldText::Away(_), OldText::Open(_))) {
            let theirs = source.facts().into_iter().find(|(name, _)| *name == "ciphertext");
            facts
                .iter_mut()
                .filter(|(name, _)| *name == "ciphertext")
                .zip(theirs)
                .for_each(|(ours, theirs)| *ours = theirs);
        }
        facts
    }
}

impl OldAudit {
    /// The row as named texts.
    #[must_use]
    pub fn facts(&self) -> Facts {
        vec![
            ("id", Some(self.id.to_string())),
            ("conversation_id", shown(self.conversation_id)),
            ("moderator_id", Some(self.moderator_id.to_string())),
            ("action", Some(self.action.name().to_owned())),
            ("reason", Some(self.reason.to_string())),
            ("created_at", Some(self.at.to_string())),
        ]
    }
}

impl From<Conversation> for OldConversation {
    fn from(row: Conversation) -> Self {
        let Hold { active, reason, placed_by, placed_at, .. } = row.hold;
        let hold = reason.filter(|_| active).map(|reason| OldHold { reason, placed_by, placed_at });
        let (id, distributor_id, customer_id) = (row.id, row.distributor_id, row.customer_id);
        Self { id, distributor_id, customer_id, hold, created_at: row.created_at }
    }
}

impl From<Audit> for OldAudit {
    fn from(row: Audit) -> Self {
        let (id, conversation_id, moderator_id) = (row.id, row.conversation_id, row.moderator_id);
        Self { id, conversation_id, moderator_id, action: row.action, reason: row.reason, at: row.at }
    }
}

/// Takes over a conversation. There is one for each pair: the second is the first, and its hold stands over it too.
///
/// # Errors
/// [`Fault`].
pub fn take_over_conversation(tx: &mut Tx<'_>, old: OldConversation) -> Result<Taken, Fault> {
    if tx.get::<Conversation>(&Key::of(old.id))?.is_some() {
        return Ok(Taken::Known);
    }
    let hold = old.hold.map_or_else(Hold::default, |hold| Hold {
        active: true,
        reason: Some(hold.reason),
        placed_by: hold.placed_by,
        placed_at: hold.placed_at,
        ..Hold::default()
    });
    let pair = Key::of(old.distributor_id).id(old.customer_id);
    if let Some(mut first) = tx.find::<Conversation>(CONVERSATION_BY_PAIR, &pair)? {
        if hold.active && !first.hold.active {
            let parked = first.hold.parked;
            first.hold = Hold { parked, ..hold };
            tx.put(&first)?;
        }
        return Ok(Taken::Same(first.id));
    }
    tx.put(&Conversation {
        id: old.id,
        distributor_id: old.distributor_id,
        customer_id: old.customer_id,
        hold,
        last_seq: 0,
        last_message_at: None,
        archived: 0,
        unread_by_distributor: 0,
        unread_by_customer: 0,
        created_at: old.created_at,
    })?;
    Ok(Taken::New)
}

/// Takes over an entry of the moderation trail, as a link of the box's chain.
///
/// # Errors
/// [`Fault`].
pub fn take_over_audit(tx: &mut Tx<'_>, old: OldAudit) -> Result<Taken, Fault> {
    if tx.get::<Audit>(&Key::of(old.id))?.is_some() {
        return Ok(Taken::Known);
    }
    let OldAudit { id, conversation_id, moderator_id, action, reason, at } = old;
    let deed = Deed {
        conversation: conversation_id,
        moderator: moderator_id,
        action,
        code: Code::Audit,
        reason,
        subject: None,
    };
    audit::note_as(tx, id, at, deed)?;
    Ok(Taken::New)
}

/// Notes on the audit trail that the console gave out everything.
///
/// # Errors
/// [`Fault`].
pub fn note_export(tx: &mut Tx<'_>, now: Timestamp, console: UserId, reason: Reason) -> Result<(), Fault> {
    let deed = Deed {
        conversation: None,
        moderator: console,
        action: Action::Export,
        code: Code::Audit,
        reason,
        subject: None,
    };
    audit::note(tx, now, deed).map(|_| ())
}

/// Commits a sealed message.
///
/// # Errors
/// [`Error::Stale`] where its bucket was replaced meanwhile: seal it again.
pub fn take_over_message(tx: &mut Tx<'_>, keyring: &Keyring, sealed: &SealedOld) -> Result<Taken, Error> {
    let mut message = sealed.0.clone();
    if tx.get::<Message>(&Key::of(message.id))?.is_some() {
        return Ok(Taken::Known);
    }
    let Some(mut conversation) = tx.get::<Conversation>(&Key::of(message.conversation_id))? else {
        return Ok(Taken::NoConversation);
    };
    let Some(recipient) = conversation.other(message.sender_id) else { return Ok(Taken::Stranger) };
    let copies = [&message.participants, &message.archive].into_iter().flatten();
    if !copies.map(StoredCopy::bucket).all(|bucket| bucket == BucketId::OLD || keyring.writable(bucket)) {
        return Err(Error::Stale);
    }
    conversation.last_seq = conversation.last_seq.saturating_add(1);
    conversation.last_message_at = conversation.last_message_at.max(Some(message.created_at));
    conversation.archived = conversation.archived.saturating_add(1);
    conversation.hold.parked |= message.parked;
    message.seq = conversation.last_seq;
    if message.visible() && !message.deleted_for.contains(&recipient) {
        let unread = conversation.unread_by(recipient);
        *unread = unread.saturating_add(1);
    }
    tx.put(&message)?;
    tx.put(&conversation)?;
    Ok(Taken::New)
}

impl Service {
    /// The keys, for [`take_over_message`].
    #[must_use]
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// Makes sure, durably, that every bucket is there that these messages go to.
    ///
    /// # Errors
    /// [`Error::Keys`].
    pub async fn ready_for(&self, read: &(impl Read + ?Sized), olds: &[OldMessage]) -> Result<Vec<bool>, Error> {
        let now = self.clock.now();
        let (mut kinds, mut parked) = (Vec::new(), Vec::with_capacity(olds.len()));
        for old in olds {
            let conversation = read.get::<Conversation>(&Key::of(old.conversation_id))?;
            let held = conversation.map(|row| hold::protects(read, &row, now)).transpose()?.unwrap_or(false);
            let kept = held && self.expiry(old) <= now;
            let shape = self.shape(old, kept);
            kinds.push(home(&shape, CopyKind::Archive));
            if shape.visible() {
                kinds.push(Kind::Participants(old.conversation_id));
            }
            parked.push(kept);
        }
        kinds.sort_unstable();
        kinds.dedup();
        self.ensure(&kinds).await?;
        Ok(parked)
    }

    fn expiry(&self, old: &OldMessage) -> Timestamp {
        old.expires_at.unwrap_or_else(|| old.created_at.plus(self.settings.archive))
    }

    /// The row but for its copies.
    fn shape(&self, old: &OldMessage, parked: bool) -> Message {
        let mut read_by = old.read_by.clone();
        if !read_by.contains(&old.sender_id) {
            read_by.insert(0, old.sender_id);
        }
        let unreadable = matches!(old.text, OldText::Unopened(_) | OldText::Away(_));
        Message {
            id: old.id,
            conversation_id: old.conversation_id,
            seq: 0,
            sender_id: old.sender_id,
            client_digest: None,
            participants: None,
            archive: None,
            created_at: old.created_at,
            dated: true,
            expires_at: self.expiry(old),
            delivered_by: old.delivered_by.clone(),
            read_by,
            delivered_at: old.delivered_at,
            read_at: old.read_at,
            deleted_for: old.deleted_for.clone(),
            // What nobody can open is in nobody's list.
            vanished_at: old.vanished_at.or_else(|| unreadable.then_some(old.created_at)),
            doomed_at: None,
            parked,
        }
    }

    /// Seals a message. `parked` is what [`Service::ready_for`] said of it; nothing where its bucket is being replaced.
    #[must_use]
    pub fn seal_old(&self, old: OldMessage, parked: bool) -> Option<SealedOld> {
        let mut row = self.shape(&old, parked);
        let open = match old.text {
            OldText::Gone => return Some(SealedOld(row)),
            OldText::Away(away) => {
                let bucket = self.keyring.current(home(&row, CopyKind::Archive))?;
                let (binding, entropy) = (self.binding(&row), self.keyring.entropy());
                let sealed = seal::seal_away(CopyKind::Archive, &bucket, &binding, &away, entropy);
                row.archive = Some(StoredCopy::new(bucket.id, &sealed));
                return Some(SealedOld(row));
            }
            OldText::Unopened(bytes) => {
                row.archive = Some(StoredCopy::new(BucketId::OLD, &Sealed::from_stored(bytes)));
                return Some(SealedOld(row));
            }
            OldText::Open(body) => Open { client_message_id: None, body },
        };
        let binding = self.binding(&row);
        let copy = |kind| {
            let bucket = self.keyring.current(home(&row, kind))?;
            // It fails where age is not built in, and then no recipient is accepted at the start.
            self.sealed(kind, &bucket, &binding, &open).ok()
        };
        let archive = Some(copy(CopyKind::Archive)?);
        let participants = if row.visible() { Some(copy(CopyKind::Participants)?) } else { None };
        Some(SealedOld(Message { participants, archive, ..row }))
    }

    fn old(&self, row: &Message) -> OldMessage {
        let text = match &row.archive {
            Some(copy) if copy.bucket() == BucketId::OLD => OldText::Unopened(copy.sealed().as_bytes().to_vec()),
            Some(_) => match self.show(row, CopyKind::Archive).text {
                Text::Readable(body) => OldText::Open(body),
                Text::Away(away) => match self.show(row, CopyKind::Participants).text {
                    Text::Readable(body) => OldText::Open(body),
                    Text::Away(_) | Text::Gone | Text::Damaged => OldText::Away(away),
                },
                Text::Gone | Text::Damaged => OldText::Gone,
            },
            None => OldText::Gone,
        };
        OldMessage {
            id: row.id,
            conversation_id: row.conversation_id,
            sender_id: row.sender_id,
            text,
            created_at: row.created_at,
            expires_at: Some(row.expires_at),
            delivered_by: row.delivered_by.clone(),
            read_by: row.read_by.clone(),
            delivered_at: row.delivered_at,
            read_at: row.read_at,
            deleted_for: row.deleted_for.clone(),
            vanished_at: row.vanished_at,
        }
    }

    /// The message of an id, opened in memory. For the import's comparison and the export alone: both are the owner's
    /// own hand, and the export is on the audit trail.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    pub fn old_message(&self, read: &(impl Read + ?Sized), id: MessageId) -> Result<Option<OldMessage>, Fault> {
        Ok(read.get::<Message>(&Key::of(id))?.map(|row| self.old(&row)))
    }

    /// Messages in the order of their ids, as [`Service::old_message`].
    ///
    /// # Errors
    /// [`Fault`] where they cannot be read.
    pub fn old_messages(&self, read: &(impl Read + ?Sized), page: &Page) -> Result<Listed<OldMessage>, Fault> {
        Ok(read.list::<Message>(&Key::new(), page)?.map(|row| self.old(&row)))
    }

    /// A message as it will be once it is taken over, for comparing.
    #[must_use]
    pub fn as_taken(&self, old: OldMessage) -> OldMessage {
        let shape = self.shape(&old, false);
        OldMessage { expires_at: Some(shape.expires_at), read_by: shape.read_by, vanished_at: shape.vanished_at, ..old }
    }
}

/// The conversation of an id.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn conversation(read: &(impl Read + ?Sized), id: ConversationId) -> Result<Option<OldConversation>, Fault> {
    Ok(read.get::<Conversation>(&Key::of(id))?.map(OldConversation::from))
}

/// The audit entry of an id.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn audit_entry(read: &(impl Read + ?Sized), id: AuditId) -> Result<Option<OldAudit>, Fault> {
    Ok(read.get::<Audit>(&Key::of(id))?.map(OldAudit::from))
}

/// Conversations in the order of their ids.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn conversations(read: &(impl Read + ?Sized), page: &Page) -> Result<Listed<OldConversation>, Fault> {
    Ok(read.list::<Conversation>(&Key::new(), page)?.map(OldConversation::from))
}

/// The audit trail in the order of its ids.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn audits(read: &(impl Read + ?Sized), page: &Page) -> Result<Listed<OldAudit>, Fault> {
    Ok(read.list::<Audit>(&Key::new(), page)?.map(OldAudit::from))
}
