//! Users taken over from the old service, as they were: id, role, kind of account and password hash included.
//!
//! The import alone calls this. What the old service let stand and this box would not make, such as a distributor's
//! role on a customer's account, is kept and grants nothing ([`crate::identity::access`]).

use crate::base::digest::hex;
use crate::base::id::{AttemptId, SessionId, UserId};
use crate::base::text::{Alias, Username};
use crate::base::time::Timestamp;
use crate::identity::error::Error;
use crate::identity::passwords::PasswordHash;
use crate::identity::phone::SealedPhone;
use crate::identity::records::{Attempt, Outcome, RevokeReason, SESSION_BY_OLD_TOKEN, Session, User};
use crate::identity::users::{self, AccountType, Role, Status};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

/// A row as named texts, for comparing and for giving out.
pub type Facts = Vec<(&'static str, Option<String>)>;

/// A user of the old service.
#[derive(Debug, Clone)]
pub struct OldUser {
    /// The id, in its old form.
    pub id: UserId,
    /// The name.
    pub username: Username,
    /// What the user might do.
    pub role: Role,
    /// What kind of account it was.
    pub account_type: AccountType,
    /// A customer's distributor.
    pub distributor_id: Option<UserId>,
    /// A distributor's shown name.
    pub alias: Option<Alias>,
    /// The number.
    pub phone: Option<SealedPhone>,
    /// The number was proven.
    pub phone_verified: bool,
    /// Carried for other services.
    pub vip_enabled: bool,
    /// Whether the account may be used.
    pub status: Status,
    /// The hash; `None` where this box cannot verify it, so that the password must be reset.
    pub password: Option<PasswordHash>,
    /// The password was made up by the box and must be changed.
    pub temporary: bool,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// A sign-in of the old service that could still be continued.
#[derive(Debug, Clone)]
pub struct OldSession {
    /// The id, in its old form.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// SHA-256 of its token's text.
    pub token_digest: [u8; 32],
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An entry of the old service's login audit.
#[derive(Debug, Clone)]
pub struct OldAttempt {
    /// The id, in its old form.
    pub id: AttemptId,
    /// The name of an account, or its pseudonym where nobody has it: it may have been a password.
    pub username: String,
    /// The account.
    pub user_id: Option<UserId>,
    /// It ended well.
    pub success: bool,
    /// From where.
    pub address: Option<String>,
    /// When.
    pub at: Timestamp,
}

fn shown(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn word(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

impl From<User> for OldUser {
    fn from(row: User) -> Self {
        let phone = row.phone_sealed.zip(row.phone_digest);
        Self {
            id: row.id,
            username: row.username,
            role: row.role,
            account_type: row.account_type,
            distributor_id: row.distributor_id,
            alias: row.alias,
            phone: phone.map(|(sealed, digest)| SealedPhone { sealed, digest }),
            phone_verified: row.phone_verified,
            vip_enabled: row.vip_enabled,
            status: row.status,
            password: Some(row.password_hash).filter(|hash| !hash.is_empty()).map(PasswordHash::stored),
            temporary: row.must_change_password,
            created_at: row.created_at,
        }
    }
}

impl OldUser {
    /// The row as named texts; of the phone number its keyed digest.
    #[must_use]
    pub fn facts(&self) -> Facts {
        vec![
            ("id", word(self.id)),
            ("username", word(&self.username)),
            ("role", word(self.role.name())),
            ("account_type", word(self.account_type.name())),
            ("distributor_id", shown(self.distributor_id)),
            ("alias", shown(self.alias.as_ref())),
            ("phone", self.phone.as_ref().map(|phone| hex(&phone.digest))),
            ("phone_verified", word(self.phone_verified)),
            ("vip_enabled", word(self.vip_enabled)),
            ("status", word(self.status.name())),
            ("password_hash", self.password.clone().map(PasswordHash::into_string)),
            ("created_at", word(self.created_at)),
        ]
    }
}

impl OldSession {
    /// The row as named texts; of the token its digest.
    #[must_use]
    pub fn facts(&self) -> Facts {
        vec![
            ("id", word(self.id)),
            ("user_id", word(self.user_id)),
            ("token", Some(hex(&self.token_digest))),
            ("created_at", word(self.created_at)),
            ("expires_at", word(self.expires_at)),
        ]
    }
}

impl OldAttempt {
    /// The row as named texts.
    #[must_use]
    pub fn facts(&self) -> Facts {
        vec![
            ("id", word(self.id)),
            ("username", word(&self.username)),
            ("user_id", shown(self.user_id)),
            ("success", word(self.success)),
            ("address", self.address.clone()),
            ("created_at", word(self.at)),
        ]
    }
}

impl From<Session> for OldSession {
    fn from(row: Session) -> Self {
        let (id, user_id, token_digest) = (row.id, row.user_id, row.token_digest);
        Self { id, user_id, token_digest, created_at: row.created_at, expires_at: row.expires_at }
    }
}

impl From<Attempt> for OldAttempt {
    fn from(row: Attempt) -> Self {
        let success = row.outcome == Outcome::Success;
        let (id, username, user_id, address, at) = (row.id, row.username, row.user_id, row.address, row.at);
        Self { id, username, user_id, success, address, at }
    }
}

/// Takes over a user, and says whether that was news: one whose id is here stays as it is.
///
/// # Errors
/// [`Error::UsernameTaken`] where another user of this box has the name.
pub fn take_over(tx: &mut Tx<'_>, now: Timestamp, old: OldUser) -> Result<bool, Error> {
    if tx.get::<User>(&Key::of(old.id))?.is_some() {
        return Ok(false);
    }
    if users::record_by_username(tx, &old.username)?.is_some() {
        return Err(Error::UsernameTaken);
    }
    let (phone_sealed, phone_digest) = old.phone.map(|phone| (phone.sealed, phone.digest)).unzip();
    tx.put(&User {
        id: old.id,
        username: old.username,
        role: old.role,
        account_type: old.account_type,
        distributor_id: old.distributor_id,
        alias: old.alias,
        phone_sealed,
        phone_digest,
        phone_verified: old.phone_verified,
        vip_enabled: old.vip_enabled,
        status: old.status,
        must_change_password: old.temporary,
        password_hash: old.password.map(PasswordHash::into_string).unwrap_or_default(),
        created_at: old.created_at,
        updated_at: now,
    })?;
    Ok(true)
}

/// Takes over a sign-in: its refresh token works here once, and is replaced by one of the box's own.
///
/// # Errors
/// [`Fault`]; [`Fault::Duplicate`] where another sign-in has the token.
pub fn take_over_session(tx: &mut Tx<'_>, old: &OldSession) -> Result<bool, Fault> {
    if tx.get::<Session>(&Key::of(old.id))?.is_some() {
        return Ok(false);
    }
    tx.put(&Session {
        id: old.id,
        user_id: old.user_id,
        generation: 0,
        token_digest: old.token_digest,
        previous_digest: None,
        rotated_at: None,
        created_at: old.created_at,
        last_used_at: old.created_at,
        expires_at: old.expires_at,
        idle_expires_at: old.expires_at,
        revoked_at: None,
        revoke_reason: None::<RevokeReason>,
    })?;
    Ok(true)
}

/// The sign-in of an old service's token.
pub(in crate::identity) fn session_of(
    read: &(impl Read + ?Sized),
    token_digest: &[u8; 32],
) -> Result<Option<Session>, Fault> {
    read.find::<Session>(SESSION_BY_OLD_TOKEN, &Key::new().fixed(token_digest))
}

/// Takes over an entry of the login audit.
///
/// # Errors
/// [`Fault`].
pub fn take_over_attempt(tx: &mut Tx<'_>, old: OldAttempt) -> Result<bool, Fault> {
    if tx.get::<Attempt>(&Key::of(old.id))?.is_some() {
        return Ok(false);
    }
    let outcome = match (old.success, old.user_id) {
        (true, _) => Outcome::Success,
        (false, Some(_)) => Outcome::WrongPassword,
        (false, None) => Outcome::UnknownUser,
    };
    let OldAttempt { id, username, user_id, address, at, .. } = old;
    tx.put(&Attempt { id, username, user_id, outcome, address, at })?;
    Ok(true)
}

/// The user of an id, as it is given out again.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn user(read: &(impl Read + ?Sized), id: UserId) -> Result<Option<OldUser>, Fault> {
    Ok(read.get::<User>(&Key::of(id))?.map(OldUser::from))
}

/// The sign-in of an id.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn session(read: &(impl Read + ?Sized), id: SessionId) -> Result<Option<OldSession>, Fault> {
    Ok(read.get::<Session>(&Key::of(id))?.map(OldSession::from))
}

/// The audit entry of an id.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn attempt(read: &(impl Read + ?Sized), id: AttemptId) -> Result<Option<OldAttempt>, Fault> {
    Ok(read.get::<Attempt>(&Key::of(id))?.map(OldAttempt::from))
}

/// Users in the order of their ids.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn users(read: &(impl Read + ?Sized), page: &Page) -> Result<Listed<OldUser>, Fault> {
    Ok(read.list::<User>(&Key::new(), page)?.map(OldUser::from))
}

/// Sign-ins in the order of their ids.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn sessions(read: &(impl Read + ?Sized), page: &Page) -> Result<Listed<OldSession>, Fault> {
    Ok(read.list::<Session>(&Key::new(), page)?.map(OldSession::from))
}

/// The login audit in the order of its ids.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn attempts(read: &(impl Read + ?Sized), page: &Page) -> Result<Listed<OldAttempt>, Fault> {
    Ok(read.list::<Attempt>(&Key::new(), page)?.map(OldAttempt::from))
}
