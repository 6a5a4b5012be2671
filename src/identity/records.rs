//! The stored shapes of identity: users, sign-ins, the login audit and one-time codes.
//!
//! Shapes only. Field order and the order of enum variants are the format; a change is a new version.

use replication::row::{Lane, Table, Type, Value};
use serde::{Deserialize, Serialize};

use crate::base::id::{AttemptId, OtpId, SessionId, UserId};
use crate::base::text::{Alias, Username};
use crate::base::time::Timestamp;
use crate::identity::otp::OtpPurpose;
use crate::identity::users::{AccountType, Role, Status};
use crate::store::columns::{
    RECORD, bytes, bytes_or_null, column, nullable, number, text, text_or_null, time, time_or_null,
};
use crate::store::index::{Index, Indexes};
use crate::store::key::Key;
use crate::store::record::{Record, TableId, Upstream};

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::identity) struct User {
    pub(in crate::identity) id: UserId,
    pub(in crate::identity) username: Username,
    pub(in crate::identity) role: Role,
    pub(in crate::identity) account_type: AccountType,
    pub(in crate::identity) distributor_id: Option<UserId>,
    pub(in crate::identity) alias: Option<Alias>,
    /// AEAD under the phone key, bound to the user's id.
    pub(in crate::identity) phone_sealed: Option<Vec<u8>>,
    /// Keyed digest, so that a number can be found without being readable.
    pub(in crate::identity) phone_digest: Option<[u8; 32]>,
    pub(in crate::identity) phone_verified: bool,
    pub(in crate::identity) vip_enabled: bool,
    pub(in crate::identity) status: Status,
    pub(in crate::identity) must_change_password: bool,
    /// A PHC string, or empty: no password opens this account.
    pub(in crate::identity) password_hash: String,
    pub(in crate::identity) created_at: Timestamp,
    pub(in crate::identity) updated_at: Timestamp,
}

pub(in crate::identity) const USER_BY_NAME: Index = Index::unique(1);
pub(in crate::identity) const USER_BY_ROLE: Index = Index::ordered(2);

impl Record for User {
    const TABLE: TableId = TableId { number: 20, name: "identity.users" };
    // Urgent, because a suspension must not wait behind a backlog of moves.
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &USERS, lane: Lane::Urgent });

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(USER_BY_NAME, &Key::new().text(self.username.as_str()));
        to.add(USER_BY_ROLE, &Key::new().byte(self.role.number()));
    }

    fn upstream_row(&self) -> Vec<Value> {
        vec![
            text(&self.username),
            text(self.role.name()),
            text(self.account_type.name()),
            text_or_null(self.distributor_id),
            text_or_null(self.alias.as_ref()),
            bytes_or_null(self.phone_sealed.as_ref()),
            bytes_or_null(self.phone_digest),
            Value::Bool(self.phone_verified),
            Value::Bool(self.vip_enabled),
            text(self.status.name()),
            Value::Bool(self.must_change_password),
            text(&self.password_hash),
            time(self.created_at),
            time(self.updated_at),
        ]
    }
}

static USERS: Table = Table {
    schema: "identity",
    name: "users",
    append_only: false,
    columns: &[
        column("username", Type::Text),
        column("role", Type::Text),
        column("account_type", Type::Text),
        nullable("distributor_id", Type::Text),
        nullable("alias", Type::Text),
        nullable("phone_sealed", Type::Bytes),
        nullable("phone_digest", Type::Bytes),
        column("phone_verified", Type::Bool),
        column("vip_enabled", Type::Bool),
        column("status", Type::Text),
        column("must_change_password", Type::Bool),
        column("password_hash", Type::Text),
        column("created_at", Type::Time),
        column("updated_at", Type::Time),
        RECORD,
    ],
};

/// One sign-in: a family of refresh tokens, of which one generation is current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::identity) struct Session {
    pub(in crate::identity) id: SessionId,
    pub(in crate::identity) user_id: UserId,
    pub(in crate::identity) generation: u32,
    pub(in crate::identity) token_digest: [u8; 32],
    pub(in crate::identity) previous_digest: Option<[u8; 32]>,
    pub(in crate::identity) rotated_at: Option<Timestamp>,
    pub(in crate::identity) created_at: Timestamp,
    pub(in crate::identity) last_used_at: Timestamp,
    pub(in crate::identity) expires_at: Timestamp,
    pub(in crate::identity) idle_expires_at: Timestamp,
    pub(in crate::identity) revoked_at: Option<Timestamp>,
    pub(in crate::identity) revoke_reason: Option<RevokeReason>,
}

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RevokeReason {
    /// The user signed out.
    Logout,
    /// The user ended it from the list of own sessions.
    Ended,
    /// A refresh token came back after its successor had been used: it was stolen or copied.
    Reused,
    /// The password changed.
    Password,
    /// The account was suspended.
    Suspended,
    /// The user had more sessions than are kept; this was the oldest.
    Crowded,
    /// The account was erased.
    Erased,
}

impl RevokeReason {
    /// Its name upstream.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Ended => "ended",
            Self::Reused => "reused",
            Self::Password => "password",
            Self::Suspended => "suspended",
            Self::Crowded => "crowded",
            Self::Erased => "erased",
        }
    }
}

/// A user's sessions that were not revoked, oldest first.
pub(in crate::identity) const SESSION_BY_USER: Index = Index::ordered(1);
/// Sessions in the order of their ends.
pub(in crate::identity) const SESSION_BY_END: Index = Index::ordered(2);
/// Sign-ins of the old service whose token has not been used here yet, by its digest.
pub(in crate::identity) const SESSION_BY_OLD_TOKEN: Index = Index::unique(3);

impl Record for Session {
    const TABLE: TableId = TableId { number: 21, name: "identity.refresh_tokens" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &REFRESH_TOKENS, lane: Lane::Bulk });

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        if self.revoked_at.is_none() {
            to.add(SESSION_BY_USER, &Key::of(self.user_id).time(self.created_at));
        }
        to.add(SESSION_BY_END, &Key::new().time(self.revoked_at.unwrap_or(self.expires_at)));
        if self.generation == 0 {
            to.add(SESSION_BY_OLD_TOKEN, &Key::new().fixed(&self.token_digest));
        }
    }

    fn upstream_row(&self) -> Vec<Value> {
        vec![
            text(self.user_id),
            number(self.generation),
            bytes(self.token_digest),
            bytes_or_null(self.previous_digest),
            time_or_null(self.rotated_at),
            time(self.created_at),
            time(self.last_used_at),
            time(self.expires_at),
            time(self.idle_expires_at),
            time_or_null(self.revoked_at),
            text_or_null(self.revoke_reason.map(RevokeReason::name)),
        ]
    }
}

static REFRESH_TOKENS: Table = Table {
    schema: "identity",
    name: "refresh_tokens",
    append_only: false,
    columns: &[
        column("user_id", Type::Text),
        column("generation", Type::BigInt),
        column("token_digest", Type::Bytes),
        nullable("previous_digest", Type::Bytes),
        nullable("rotated_at", Type::Time),
        column("created_at", Type::Time),
        column("last_used_at", Type::Time),
        column("expires_at", Type::Time),
        column("idle_expires_at", Type::Time),
        nullable("revoked_at", Type::Time),
        nullable("revoke_reason", Type::Text),
        RECORD,
    ],
};

/// One entry of the login audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::identity) struct Attempt {
    pub(in crate::identity) id: AttemptId,
    /// The name of an account, or `?` and a keyed digest: what was typed there may have been a password.
    pub(in crate::identity) username: String,
    pub(in crate::identity) user_id: Option<UserId>,
    pub(in crate::identity) outcome: Outcome,
    pub(in crate::identity) address: Option<String>,
    pub(in crate::identity) at: Timestamp,
}

/// How an attempt to sign in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::identity) enum Outcome {
    Success,
    WrongPassword,
    UnknownUser,
    Suspended,
    WrongCode,
}

impl Outcome {
    pub(in crate::identity) const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::WrongPassword => "wrong_password",
            Self::UnknownUser => "unknown_user",
            Self::Suspended => "suspended",
            Self::WrongCode => "wrong_code",
        }
    }
}

/// Attempts in the order in which they are forgotten.
pub(in crate::identity) const ATTEMPT_BY_TIME: Index = Index::ordered(1);
/// A user's attempts, oldest first.
pub(in crate::identity) const ATTEMPT_BY_USER: Index = Index::ordered(2);

impl Record for Attempt {
    const TABLE: TableId = TableId { number: 22, name: "identity.user_login_attempts" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &USER_LOGIN_ATTEMPTS, lane: Lane::Bulk });

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(ATTEMPT_BY_TIME, &Key::new().time(self.at));
        if let Some(user) = self.user_id {
            to.add(ATTEMPT_BY_USER, &Key::of(user).time(self.at));
        }
    }

    fn upstream_row(&self) -> Vec<Value> {
        vec![
            text(&self.username),
            text_or_null(self.user_id),
            text(self.outcome.name()),
            text_or_null(self.address.as_ref()),
            time(self.at),
        ]
    }
}

static USER_LOGIN_ATTEMPTS: Table = Table {
    schema: "identity",
    name: "user_login_attempts",
    append_only: false,
    columns: &[
        column("username", Type::Text),
        nullable("user_id", Type::Text),
        column("outcome", Type::Text),
        nullable("address", Type::Text),
        column("at", Type::Time),
        RECORD,
    ],
};

/// A one-time code. The code itself is never here: only a keyed digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::identity) struct Otp {
    pub(in crate::identity) id: OtpId,
    pub(in crate::identity) user_id: UserId,
    pub(in crate::identity) purpose: OtpPurpose,
    pub(in crate::identity) code_digest: [u8; 32],
    pub(in crate::identity) tries: u32,
    pub(in crate::identity) sender: SenderKind,
    pub(in crate::identity) created_at: Timestamp,
    pub(in crate::identity) expires_at: Timestamp,
    /// When it was used, replaced by a newer one, or tried to death.
    pub(in crate::identity) used_at: Option<Timestamp>,
}

/// By what way a code reaches its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::identity) enum SenderKind {
    Owner,
    Webhook,
}

impl SenderKind {
    pub(in crate::identity) const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Webhook => "webhook",
        }
    }
}

/// A user's codes for one purpose, oldest first.
pub(in crate::identity) const OTP_BY_USER: Index = Index::ordered(1);
/// Codes in the order in which they are forgotten.
pub(in crate::identity) const OTP_BY_TIME: Index = Index::ordered(2);

impl Record for Otp {
    const TABLE: TableId = TableId { number: 23, name: "identity.user_otps" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &USER_OTPS, lane: Lane::Bulk });

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(OTP_BY_USER, &Key::of(self.user_id).byte(self.purpose.number()).time(self.created_at));
        to.add(OTP_BY_TIME, &Key::new().time(self.created_at));
    }

    fn upstream_row(&self) -> Vec<Value> {
        vec![
            text(self.user_id),
            text(self.purpose.name()),
            bytes(self.code_digest),
            number(self.tries),
            text(self.sender.name()),
            time(self.created_at),
            time(self.expires_at),
            time_or_null(self.used_at),
        ]
    }
}

static USER_OTPS: Table = Table {
    schema: "identity",
    name: "user_otps",
    append_only: false,
    columns: &[
        column("user_id", Type::Text),
        column("purpose", Type::Text),
        column("code_digest", Type::Bytes),
        column("tries", Type::BigInt),
        column("sender", Type::Text),
        column("created_at", Type::Time),
        column("expires_at", Type::Time),
        nullable("used_at", Type::Time),
        RECORD,
    ],
};

#[cfg(test)]
mod tests;
