//! The stored shapes of the customer domain: invites and relationships.
//!
//! Shapes only. Field order and the order of enum variants are the format; a change is a new version.

use replication::row::{Lane, Table, Type, Value};
use serde::{Deserialize, Serialize};

use crate::base::id::{InviteId, RelationshipId, UserId};
use crate::base::text::{Alias, Username};
use crate::base::time::Timestamp;
use crate::store::columns::{RECORD, bytes, column, nullable, text, text_or_null, time, time_or_null};
use crate::store::index::{Index, Indexes};
use crate::store::key::Key;
use crate::store::record::{Record, TableId, Upstream};

/// A distributor's invite. Token and code are derived from the id, so only digests stand here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::customer) struct Invite {
    pub(in crate::customer) id: InviteId,
    pub(in crate::customer) token_digest: [u8; 32],
    pub(in crate::customer) code_digest: [u8; 32],
    /// Which derivation of the code was free when the invite was made.
    pub(in crate::customer) code_round: u32,
    pub(in crate::customer) distributor_id: UserId,
    pub(in crate::customer) distributor_alias: Option<Alias>,
    pub(in crate::customer) state: InviteState,
    pub(in crate::customer) expires_at: Timestamp,
    pub(in crate::customer) redeemed_by_user_id: Option<UserId>,
    pub(in crate::customer) redeemed_at: Option<Timestamp>,
    pub(in crate::customer) revoked_at: Option<Timestamp>,
    pub(in crate::customer) created_at: Timestamp,
}

/// What was done with an invite. That one has expired is a matter of the clock and never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::customer) enum InviteState {
    Open,
    Redeemed,
    Revoked,
}

impl InviteState {
    pub(in crate::customer) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Redeemed => "redeemed",
            Self::Revoked => "revoked",
        }
    }
}

pub(in crate::customer) const INVITE_BY_TOKEN: Index = Index::unique(1);
pub(in crate::customer) const INVITE_BY_CODE: Index = Index::unique(2);
/// A distributor's invites, oldest first.
pub(in crate::customer) const INVITE_BY_DISTRIBUTOR: Index = Index::ordered(3);

impl Record for Invite {
    const TABLE: TableId = TableId { number: 40, name: "customer.invites" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &INVITES, lane: Lane::Bulk });

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(INVITE_BY_TOKEN, &Key::new().fixed(&self.token_digest));
        to.add(INVITE_BY_CODE, &Key::new().fixed(&self.code_digest));
        to.add(INVITE_BY_DISTRIBUTOR, &Key::of(self.distributor_id).time(self.created_at));
    }

    fn upstream_row(&self) -> Vec<Value> {
        vec![
            bytes(self.token_digest),
            bytes(self.code_digest),
            text(self.distributor_id),
            text_or_null(self.distributor_alias.as_ref()),
            text(self.state.name()),
            time(self.expires_at),
            text_or_null(self.redeemed_by_user_id),
            time_or_null(self.redeemed_at),
            time_or_null(self.revoked_at),
            time(self.created_at),
        ]
    }
}

static INVITES: Table = Table {
    schema: "customer",
    name: "invites",
    append_only: false,
    columns: &[
        column("token_digest", Type::Bytes),
        column("code_digest", Type::Bytes),
        column("distributor_id", Type::Text),
        nullable("distributor_alias", Type::Text),
        column("status", Type::Text),
        column("expires_at", Type::Time),
        nullable("redeemed_by_user_id", Type::Text),
        nullable("redeemed_at", Type::Time),
        nullable("revoked_at", Type::Time),
        column("created_at", Type::Time),
        RECORD,
    ],
};

/// The bond between a customer and a distributor. An ended one stays; a new one is a new row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::customer) struct Relationship {
    pub(in crate::customer) id: RelationshipId,
    pub(in crate::customer) customer_id: UserId,
    pub(in crate::customer) distributor_id: UserId,
    pub(in crate::customer) customer_username: Username,
    pub(in crate::customer) distributor_alias: Option<Alias>,
    pub(in crate::customer) created_at: Timestamp,
    pub(in crate::customer) ended_at: Option<Timestamp>,
}

/// A customer's one active relationship.
pub(in crate::customer) const ACTIVE_OF_CUSTOMER: Index = Index::unique(1);
/// A customer's relationships, oldest first.
pub(in crate::customer) const BY_CUSTOMER: Index = Index::ordered(2);
/// A distributor's relationships, oldest first.
pub(in crate::customer) const BY_DISTRIBUTOR: Index = Index::ordered(3);
/// The relationships of one customer with one distributor, oldest first.
pub(in crate::customer) const BY_PAIR: Index = Index::ordered(4);

impl Record for Relationship {
    const TABLE: TableId = TableId { number: 41, name: "customer.relationships" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &RELATIONSHIPS, lane: Lane::Bulk });

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        if self.ended_at.is_none() {
            to.add(ACTIVE_OF_CUSTOMER, &Key::of(self.customer_id));
        }
        to.add(BY_CUSTOMER, &Key::of(self.customer_id).time(self.created_at));
        to.add(BY_DISTRIBUTOR, &Key::of(self.distributor_id).time(self.created_at));
        to.add(BY_PAIR, &Key::of(self.customer_id).id(self.distributor_id).time(self.created_at));
    }

    fn upstream_row(&self) -> Vec<Value> {
        vec![
            text(self.customer_id),
            text(self.distributor_id),
            text(&self.customer_username),
            text_or_null(self.distributor_alias.as_ref()),
            text(if self.ended_at.is_none() { "active" } else { "ended" }),
            time(self.created_at),
            time_or_null(self.ended_at),
        ]
    }
}

static RELATIONSHIPS: Table = Table {
    schema: "customer",
    name: "relationships",
    append_only: false,
    columns: &[
        column("customer_id", Type::Text),
        column("distributor_id", Type::Text),
        column("customer_username", Type::Text),
        nullable("distributor_alias", Type::Text),
        column("status", Type::Text),
        column("created_at", Type::Time),
        nullable("ended_at", Type::Time),
        RECORD,
    ],
};

#[cfg(test)]
mod tests;
