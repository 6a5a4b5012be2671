//! The stored shapes of holds beyond a conversation, of asked-for releases, of blocks, and of the time mark.
//!
//! Shapes only: see the rules at the top of [`crate::chat::records`].

use replication::row::{Lane, Table, Type, Value};
use serde::{Deserialize, Serialize};

use crate::base::id::{ConversationId, RawId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::records::Hold;
use crate::chat::scope::Scope;
use crate::store::columns::{RECORD, column, nullable, text, text_or_null, time, time_or_null};
use crate::store::key::Key;
use crate::store::record::{Record, TableId, Upstream};

/// The keys of what is kept about a scope: here, and at central.
macro_rules! by_scope {
    () => {
        fn key(&self) -> Key {
            self.scope.key()
        }

        fn upstream_id(key: &[u8]) -> Option<String> {
            Scope::of_key(key).map(|scope| scope.text())
        }

        fn upstream_key(id: &str) -> Option<Vec<u8>> {
            Scope::of_text(id).map(|scope| scope.key().as_bytes().to_vec())
        }
    };
}

/// The hold on a relationship or a distributor. It stays after its release: its grace is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::chat) struct WideHold {
    pub(in crate::chat) scope: Scope,
    /// `parked` means nothing here: conversations say so themselves.
    pub(in crate::chat) hold: Hold,
}

impl Record for WideHold {
    const TABLE: TableId = TableId { number: 63, name: "chat.holds" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &HOLDS, lane: Lane::Urgent });

    by_scope!();

    fn upstream_row(&self) -> Vec<Value> {
        let (distributor, customer) = match self.scope {
            Scope::Conversation(_) => (None, None),
            Scope::Relationship { distributor, customer } => (Some(distributor), Some(customer)),
            Scope::Distributor(distributor) => (Some(distributor), None),
        };
        vec![
            text(self.scope.kind()),
            text_or_null(distributor),
            text_or_null(customer),
            Value::Bool(self.hold.active),
            text_or_null(self.hold.reason.as_ref()),
            text_or_null(self.hold.placed_by),
            time_or_null(self.hold.placed_at),
            time_or_null(self.hold.grace_until),
        ]
    }
}

static HOLDS: Table = Table {
    schema: "chat",
    name: "holds",
    append_only: false,
    columns: &[
        column("scope", Type::Text),
        nullable("distributor_id", Type::Text),
        nullable("customer_id", Type::Text),
        column("active", Type::Bool),
        nullable("reason", Type::Text),
        nullable("placed_by", Type::Text),
        nullable("placed_at", Type::Time),
        nullable("grace_until", Type::Time),
        RECORD,
    ],
};

/// A release that one moderator has asked for and a second one must grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::chat) struct Release {
    pub(in crate::chat) scope: Scope,
    pub(in crate::chat) requested_by: UserId,
    pub(in crate::chat) requested_at: Timestamp,
    pub(in crate::chat) reason: Reason,
}

impl Record for Release {
    const TABLE: TableId = TableId { number: 64, name: "chat.releases" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &RELEASES, lane: Lane::Urgent });

    by_scope!();

    fn upstream_row(&self) -> Vec<Value> {
        vec![text(self.requested_by), time(self.requested_at), text(&self.reason)]
    }
}

static RELEASES: Table = Table {
    schema: "chat",
    name: "releases",
    append_only: false,
    columns: &[
        column("requested_by", Type::Text),
        column("requested_at", Type::Time),
        column("reason", Type::Text),
        RECORD,
    ],
};

/// One participant wants to hear nothing more from the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::chat) struct Block {
    pub(in crate::chat) conversation_id: ConversationId,
    /// Who blocks.
    pub(in crate::chat) user_id: UserId,
    pub(in crate::chat) blocked_at: Timestamp,
}

impl Block {
    pub(in crate::chat) fn place(conversation: ConversationId, user: UserId) -> Key {
        Key::of(conversation).id(user)
    }
}

impl Record for Block {
    const TABLE: TableId = TableId { number: 65, name: "chat.blocks" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &BLOCKS, lane: Lane::Bulk });

    fn key(&self) -> Key {
        Self::place(self.conversation_id, self.user_id)
    }

    fn upstream_id(key: &[u8]) -> Option<String> {
        let (conversation, rest) = RawId::read_key(key).ok()?;
        match RawId::read_key(rest) {
            Ok((user, [])) => Some(format!("{conversation}:{user}")),
            _ => None,
        }
    }

    fn upstream_row(&self) -> Vec<Value> {
        vec![text(self.conversation_id), text(self.user_id), time(self.blocked_at)]
    }
}

static BLOCKS: Table = Table {
    schema: "chat",
    name: "blocks",
    append_only: false,
    columns: &[
        column("conversation_id", Type::Text),
        column("user_id", Type::Text),
        column("blocked_at", Type::Time),
        RECORD,
    ],
};

/// What the box knows about time and about central across a restart. There is one such row, and it stays on the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(in crate::chat) struct TimeMark {
    /// The last moment that a trusted clock has shown.
    pub(in crate::chat) trusted: Option<Timestamp>,
    /// When central last answered.
    pub(in crate::chat) heard: Option<Timestamp>,
}

impl Record for TimeMark {
    const TABLE: TableId = TableId { number: 66, name: "chat.time_mark" };

    fn key(&self) -> Key {
        Key::new()
    }
}
