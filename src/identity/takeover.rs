//! Users taken over from the old service, as they were: id, role, kind of account and password hash included.
//!
//! The import alone calls this. What the old service let stand and this box would not make, such as a distributor's
//! role on a customer's account, is kept and grants nothing ([`crate::identity::access`]).

use crate::base::id::UserId;
use crate::base::text::{Alias, Username};
use crate::base::time::Timestamp;
use crate::identity::error::Error;
use crate::identity::passwords::PasswordHash;
use crate::identity::phone::SealedPhone;
use crate::identity::records::User;
use crate::identity::users::{self, AccountType, Role, Status};
use crate::store::tx::Tx;

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
    /// The account was suspended.
    pub suspended: bool,
    /// The hash; `None` where this box cannot verify it, so that the password must be reset.
    pub password: Option<PasswordHash>,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// Takes over a user. The same user again changes nothing but what the old service changed.
///
/// # Errors
/// [`Error::UsernameTaken`] where another user of this box has the name.
pub fn take_over(tx: &mut Tx<'_>, now: Timestamp, old: OldUser) -> Result<(), Error> {
    if users::record_by_username(tx, &old.username)?.is_some_and(|user| user.id != old.id) {
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
        status: if old.suspended { Status::Suspended } else { Status::Active },
        must_change_password: false,
        password_hash: old.password.map(PasswordHash::into_string).unwrap_or_default(),
        created_at: old.created_at,
        updated_at: now,
    })?;
    Ok(())
}
