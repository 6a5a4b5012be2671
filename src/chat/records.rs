//! The stored shapes of chat: conversations, messages and the audit trail.
//!
//! Shapes only. Field order and the order of enum variants are the format; a change is a new version. A message's
//! text is here as [`Sealed`] bytes alone.

use replication::row::{Lane, Table, Type, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::id::{AuditId, ConversationId, MessageId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::audit::{Action, Code};
use crate::chat::scope::Scope;
use crate::chat::seal::bucket::BucketId;
use crate::chat::seal::{CopyKind, Sealed};
use crate::store::columns::{
    RECORD, bytes, bytes_or_null, column, nullable, number, text, text_or_null, time, time_or_null,
};
use crate::store::fault::Fault;
use crate::store::index::{Index, Indexes};
use crate::store::key::Key;
use crate::store::record::{Record, TableId, Upstream, bytes_of, decode_body};
use crate::store::values::Values;

pub(in crate::chat) mod destroyed;
pub(in crate::chat) mod holds;

/// A conversation between a distributor and a customer. There is one for each pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::chat) struct Conversation {
    pub(in crate::chat) id: ConversationId,
    pub(in crate::chat) distributor_id: UserId,
    pub(in crate::chat) customer_id: UserId,
    pub(in crate::chat) hold: Hold,
    /// The number of its last message; 0 before the first.
    pub(in crate::chat) last_seq: u64,
    pub(in crate::chat) last_message_at: Option<Timestamp>,
    /// Messages that the archive still has.
    pub(in crate::chat) archived: u64,
    /// Visible messages that each side has not read. A visible message is one that its recipient has not read.
    pub(in crate::chat) unread_by_distributor: u64,
    pub(in crate::chat) unread_by_customer: u64,
    pub(in crate::chat) created_at: Timestamp,
}

/// The legal hold of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(in crate::chat) struct Hold {
    pub(in crate::chat) active: bool,
    pub(in crate::chat) reason: Option<Reason>,
    pub(in crate::chat) placed_by: Option<UserId>,
    pub(in crate::chat) placed_at: Option<Timestamp>,
    /// After a release nothing expires before this moment.
    pub(in crate::chat) grace_until: Option<Timestamp>,
    /// Some of its messages are past their time and kept because of a hold.
    pub(in crate::chat) parked: bool,
}

impl Hold {
    /// Whether nothing under it may be destroyed now: it stands, or its grace is not over.
    pub(in crate::chat) fn protects(&self, now: Timestamp) -> bool {
        self.active || self.grace_until.is_some_and(|until| now < until)
    }
}

/// The pair; there is one conversation for each.
pub(in crate::chat) const CONVERSATION_BY_PAIR: Index = Index::unique(1);
/// Each participant, by the last activity.
pub(in crate::chat) const CONVERSATION_BY_USER: Index = Index::ordered(2);
/// Conversations that are no longer held and have messages parked, by the end of their grace.
pub(in crate::chat) const CONVERSATION_RELEASED: Index = Index::ordered(3);

impl Record for Conversation {
    const TABLE: TableId = TableId { number: 60, name: "chat.conversations" };
    // Urgent, because a hold must not wait behind a backlog of moves.
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &CONVERSATIONS, lane: Lane::Urgent });

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(CONVERSATION_BY_PAIR, &Key::of(self.distributor_id).id(self.customer_id));
        let active_at = self.last_message_at.unwrap_or(self.created_at);
        for user in [self.distributor_id, self.customer_id] {
            to.add(CONVERSATION_BY_USER, &Key::of(user).time(active_at));
        }
        if self.hold.parked && !self.hold.active {
            to.add(CONVERSATION_RELEASED, &Key::new().time(self.hold.grace_until.unwrap_or(self.created_at)));
        }
    }

    fn upstream_row(&self) -> Vec<Value> {
        vec![
            text(self.distributor_id),
            text(self.customer_id),
            Value::Bool(self.hold.active),
            text_or_null(self.hold.reason.as_ref()),
            text_or_null(self.hold.placed_by),
            time_or_null(self.hold.placed_at),
            number(self.last_seq),
            time_or_null(self.last_message_at),
            time(self.created_at),
        ]
    }
}

static CONVERSATIONS: Table = Table {
    schema: "chat",
    name: "conversations",
    append_only: false,
    columns: &[
        column("distributor_id", Type::Text),
        column("customer_id", Type::Text),
        column("hold_active", Type::Bool),
        nullable("hold_reason", Type::Text),
        nullable("hold_placed_by", Type::Text),
        nullable("hold_placed_at", Type::Time),
        column("last_seq", Type::BigInt),
        nullable("last_message_at", Type::Time),
        column("created_at", Type::Time),
        RECORD,
    ],
};

/// One of a message's two sealed copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::chat) struct StoredCopy {
    bucket: [u8; 16],
    #[serde(with = "serde_bytes")]
    sealed: Vec<u8>,
}

impl StoredCopy {
    pub(in crate::chat) fn new(bucket: BucketId, sealed: &Sealed) -> Self {
        Self { bucket: *bucket.as_bytes(), sealed: sealed.as_bytes().to_vec() }
    }

    pub(in crate::chat) const fn bucket(&self) -> BucketId {
        BucketId::from_bytes(self.bucket)
    }

    pub(in crate::chat) fn sealed(&self) -> Sealed {
        Sealed::from_stored(self.sealed.clone())
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::chat) struct Message {
    pub(in crate::chat) id: MessageId,
    pub(in crate::chat) conversation_id: ConversationId,
    /// Dense from 1 within the conversation.
    pub(in crate::chat) seq: u64,
    pub(in crate::chat) sender_id: UserId,
    /// Keyed digest of the client's own id of it.
    pub(in crate::chat) client_digest: Option<[u8; 32]>,
    pub(in crate::chat) participants: Option<StoredCopy>,
    pub(in crate::chat) archive: Option<StoredCopy>,
    pub(in crate::chat) created_at: Timestamp,
    /// False: the clock could not be trusted then, so `expires_at` is counted anew once it can.
    pub(in crate::chat) dated: bool,
    pub(in crate::chat) expires_at: Timestamp,
    pub(in crate::chat) delivered_by: Vec<UserId>,
    pub(in crate::chat) read_by: Vec<UserId>,
    pub(in crate::chat) delivered_at: Option<Timestamp>,
    pub(in crate::chat) read_at: Option<Timestamp>,
    pub(in crate::chat) deleted_for: Vec<UserId>,
    /// When it left both participants' lists.
    pub(in crate::chat) vanished_at: Option<Timestamp>,
    /// When it was decided, with the hold looked at, that it is to be destroyed whole.
    pub(in crate::chat) doomed_at: Option<Timestamp>,
    /// It is past its time and kept because of a hold.
    pub(in crate::chat) parked: bool,
}

impl Message {
    /// Whether participants may see it.
    pub(in crate::chat) const fn visible(&self) -> bool {
        self.vanished_at.is_none() && self.doomed_at.is_none()
    }

    pub(in crate::chat) const fn copy(&self, kind: CopyKind) -> Option<&StoredCopy> {
        match kind {
            CopyKind::Participants => self.participants.as_ref(),
            CopyKind::Archive => self.archive.as_ref(),
        }
    }

    pub(in crate::chat) const fn copy_mut(&mut self, kind: CopyKind) -> &mut Option<StoredCopy> {
        match kind {
            CopyKind::Participants => &mut self.participants,
            CopyKind::Archive => &mut self.archive,
        }
    }

    /// Since when a copy that is still there is to be destroyed.
    pub(in crate::chat) fn dead_since(&self, kind: CopyKind) -> Option<Timestamp> {
        self.copy(kind)?;
        match kind {
            CopyKind::Participants => self.doomed_at.or(self.vanished_at),
            CopyKind::Archive => self.doomed_at,
        }
    }
}

/// Each conversation's messages in order.
pub(in crate::chat) const MESSAGE_BY_SEQ: Index = Index::unique(1);
/// The same, for those that participants may see.
pub(in crate::chat) const MESSAGE_VISIBLE: Index = Index::ordered(2);
/// The client's own id, for each conversation and sender.
pub(in crate::chat) const MESSAGE_BY_CLIENT: Index = Index::unique(3);
/// Messages by the time when they expire; not those that a hold keeps past it.
pub(in crate::chat) const MESSAGE_BY_EXPIRY: Index = Index::ordered(4);
/// Messages that a hold keeps past their time, by conversation.
pub(in crate::chat) const MESSAGE_PARKED: Index = Index::ordered(5);
/// Copies to be destroyed, by kind and since when.
pub(in crate::chat) const MESSAGE_DEAD: Index = Index::ordered(6);
/// Copies by their bucket.
pub(in crate::chat) const MESSAGE_BY_BUCKET: Index = Index::ordered(7);
/// Messages from a time when the clock could not be trusted.
pub(in crate::chat) const MESSAGE_UNDATED: Index = Index::ordered(8);

impl Record for Message {
    const TABLE: TableId = TableId { number: 61, name: "chat.messages" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &MESSAGES, lane: Lane::Bulk });

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        let place = Key::of(self.conversation_id).number(self.seq);
        if self.visible() {
            to.add(MESSAGE_VISIBLE, &place);
        }
        to.add(MESSAGE_BY_SEQ, &place);
        if let Some(digest) = &self.client_digest {
            to.add(MESSAGE_BY_CLIENT, &Key::of(self.conversation_id).id(self.sender_id).fixed(digest));
        }
        if self.doomed_at.is_none() && self.parked {
            to.add(MESSAGE_PARKED, &Key::of(self.conversation_id));
        } else if self.doomed_at.is_none() && self.dated {
            to.add(MESSAGE_BY_EXPIRY, &Key::new().time(self.expires_at));
        } else if self.doomed_at.is_none() {
            to.add(MESSAGE_UNDATED, &Key::new());
        }
        for kind in [CopyKind::Participants, CopyKind::Archive] {
            if let Some(copy) = self.copy(kind) {
                to.add(MESSAGE_BY_BUCKET, &Key::new().fixed(&copy.bucket));
            }
            if let Some(since) = self.dead_since(kind) {
                to.add(MESSAGE_DEAD, &Key::new().byte(kind.number()).time(since));
            }
        }
    }

    fn upstream_row(&self) -> Vec<Value> {
        // No character of an id needs escaping in JSON.
        let list = |users: &[UserId]| {
            let quoted: Vec<String> = users.iter().map(|user| format!("\"{user}\"")).collect();
            Value::Json(format!("[{}]", quoted.join(", ")))
        };
        let bucket = |copy: &Option<StoredCopy>| text_or_null(copy.as_ref().map(StoredCopy::bucket));
        let sealed = |copy: &Option<StoredCopy>| bytes_or_null(copy.as_ref().map(|copy| &copy.sealed));
        vec![
            text(self.conversation_id),
            number(self.seq),
            text(self.sender_id),
            bytes_or_null(self.client_digest),
            bucket(&self.participants),
            sealed(&self.participants),
            bucket(&self.archive),
            sealed(&self.archive),
            time(self.created_at),
            time(self.expires_at),
            list(&self.delivered_by),
            list(&self.read_by),
            time_or_null(self.delivered_at),
            time_or_null(self.read_at),
            list(&self.deleted_for),
            time_or_null(self.vanished_at),
        ]
    }

    /// Only what no column says, and that is nothing for nearly every message: its two copies would travel twice.
    fn upstream_record(&self, _stored: &[u8]) -> Result<Value, Fault> {
        let rest = (self.dated, self.doomed_at, self.parked);
        if rest == (true, None, false) { Ok(Value::Null) } else { Ok(Value::Bytes(bytes_of(Self::TABLE, &rest)?)) }
    }

    fn of_upstream(id: &str, values: &[Value]) -> Result<Self, Fault> {
        let mut of = Values::of(Self::TABLE, values);
        let id = id.parse().map_err(|_| of.wrong())?;
        let (conversation_id, seq, sender_id) = (of.text()?, of.number()?, of.text()?);
        let client_digest = of.fixed_or_null()?;
        let mut copy = || match (of.text_or_null::<Uuid>()?, of.bytes_or_null()?) {
            (Some(bucket), Some(sealed)) => {
                Ok(Some(StoredCopy { bucket: bucket.into_bytes(), sealed: sealed.to_vec() }))
            }
            (None, None) => Ok(None),
            _ => Err(of.wrong()),
        };
        let (participants, archive) = (copy()?, copy()?);
        let (created_at, expires_at) = (of.time()?, of.time()?);
        let (delivered_by, read_by) = (of.list()?, of.list()?);
        let (delivered_at, read_at) = (of.time_or_null()?, of.time_or_null()?);
        let (deleted_for, vanished_at) = (of.list()?, of.time_or_null()?);
        let (dated, doomed_at, parked) = match of.bytes_or_null()? {
            Some(rest) => decode_body(Self::TABLE, rest)?,
            None => (true, None, false),
        };
        Ok(Self {
            id,
            conversation_id,
            seq,
            sender_id,
            client_digest,
            participants,
            archive,
            created_at,
            dated,
            expires_at,
            delivered_by,
            read_by,
            delivered_at,
            read_at,
            deleted_for,
            vanished_at,
            doomed_at,
            parked,
        })
    }
}

static MESSAGES: Table = Table {
    schema: "chat",
    name: "messages",
    append_only: false,
    columns: &[
        column("conversation_id", Type::Text),
        column("seq", Type::BigInt),
        column("sender_id", Type::Text),
        nullable("client_message_digest", Type::Bytes),
        nullable("participant_bucket", Type::Text),
        nullable("participant_sealed", Type::Bytes),
        nullable("archive_bucket", Type::Text),
        nullable("archive_sealed", Type::Bytes),
        column("created_at", Type::Time),
        column("expires_at", Type::Time),
        column("delivered_by", Type::Json),
        column("read_by", Type::Json),
        nullable("delivered_at", Type::Time),
        nullable("read_at", Type::Time),
        column("deleted_for", Type::Json),
        nullable("vanished_at", Type::Time),
        RECORD,
    ],
};

/// One link of the audit trail. Written once, never changed, never deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::chat) struct Audit {
    pub(in crate::chat) id: AuditId,
    /// Dense from 1.
    pub(in crate::chat) seq: u64,
    pub(in crate::chat) conversation_id: Option<ConversationId>,
    /// What it is about beyond one conversation.
    pub(in crate::chat) subject: Option<Scope>,
    pub(in crate::chat) moderator_id: UserId,
    pub(in crate::chat) action: Action,
    pub(in crate::chat) code: Code,
    pub(in crate::chat) reason: Reason,
    pub(in crate::chat) at: Timestamp,
    /// The link before; zero before the first.
    pub(in crate::chat) prev_hash: [u8; 32],
    pub(in crate::chat) hash: [u8; 32],
}

/// A link as version 1 stored it: holds were on conversations alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::chat) struct AuditV1 {
    pub(in crate::chat) id: AuditId,
    pub(in crate::chat) seq: u64,
    pub(in crate::chat) conversation_id: Option<ConversationId>,
    pub(in crate::chat) moderator_id: UserId,
    pub(in crate::chat) action: Action,
    pub(in crate::chat) code: Code,
    pub(in crate::chat) reason: Reason,
    pub(in crate::chat) at: Timestamp,
    pub(in crate::chat) prev_hash: [u8; 32],
    pub(in crate::chat) hash: [u8; 32],
}

impl From<AuditV1> for Audit {
    fn from(row: AuditV1) -> Self {
        Self {
            id: row.id,
            seq: row.seq,
            conversation_id: row.conversation_id,
            subject: None,
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

/// The chain's order.
pub(in crate::chat) const AUDIT_BY_SEQ: Index = Index::unique(1);
/// Each conversation's links, in order.
pub(in crate::chat) const AUDIT_BY_CONVERSATION: Index = Index::ordered(2);
/// Each moderator's links, by time.
pub(in crate::chat) const AUDIT_BY_MODERATOR: Index = Index::ordered(3);

impl Record for Audit {
    const TABLE: TableId = TableId { number: 62, name: "chat.audits" };
    const VERSION: u8 = 2;
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &AUDITS, lane: Lane::Urgent });

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(AUDIT_BY_SEQ, &Key::new().number(self.seq));
        if let Some(conversation) = self.conversation_id {
            to.add(AUDIT_BY_CONVERSATION, &Key::of(conversation).number(self.seq));
        }
        to.add(AUDIT_BY_MODERATOR, &Key::of(self.moderator_id).time(self.at));
    }

    fn upgrade(version: u8, body: &[u8]) -> Result<Self, Fault> {
        match version {
            1 => decode_body::<AuditV1>(Self::TABLE, body).map(Self::from),
            _ => Err(Fault::Newer { table: Self::TABLE.name, version }),
        }
    }

    fn upstream_row(&self) -> Vec<Value> {
        vec![
            number(self.seq),
            text_or_null(self.conversation_id),
            text(self.moderator_id),
            text(self.action.name()),
            text(self.code.name()),
            text(&self.reason),
            time(self.at),
            bytes(self.prev_hash),
            bytes(self.hash),
            text_or_null(self.subject.map(|subject| subject.text())),
        ]
    }

    /// From its columns: what is only ever added to is not given another one.
    fn of_upstream(id: &str, values: &[Value]) -> Result<Self, Fault> {
        let mut of = Values::of(Self::TABLE, values);
        let id = id.parse().map_err(|_| of.wrong())?;
        let (seq, conversation_id, moderator_id) = (of.number()?, of.text_or_null()?, of.text()?);
        let action = Action::named(&of.text::<String>()?).ok_or_else(|| of.wrong())?;
        let code = Code::named(&of.text::<String>()?).ok_or_else(|| of.wrong())?;
        let (reason, at, prev_hash, hash) = (of.text()?, of.time()?, of.fixed()?, of.fixed()?);
        let subject = of.text_or_null::<String>()?;
        let subject = subject.map(|text| Scope::of_text(&text).ok_or_else(|| of.wrong())).transpose()?;
        Ok(Self { id, seq, conversation_id, subject, moderator_id, action, code, reason, at, prev_hash, hash })
    }
}

static AUDITS: Table = Table {
    schema: "chat",
    name: "audits",
    append_only: true,
    columns: &[
        column("seq", Type::BigInt),
        nullable("conversation_id", Type::Text),
        column("moderator_id", Type::Text),
        column("action", Type::Text),
        column("code", Type::Text),
        column("reason", Type::Text),
        column("at", Type::Time),
        column("prev_hash", Type::Bytes),
        column("hash", Type::Bytes),
        nullable("subject", Type::Text),
    ],
};

#[cfg(test)]
mod tests;
