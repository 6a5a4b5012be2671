//! Accounts: made, changed, suspended, given a new password.
//!
//! Passwords come hashed and phone numbers sealed; nothing here computes either. Must not know HTTP.

use crate::base::id::{SessionId, UserId};
use crate::base::notice::Notice;
use crate::base::text::{Alias, Username};
use crate::base::time::Timestamp;
use crate::identity::access::{Admin, Caller};
use crate::identity::error::Error;
use crate::identity::passwords::PasswordHash;
use crate::identity::phone::SealedPhone;
use crate::identity::records::{RevokeReason, User};
use crate::identity::sessions;
use crate::identity::users::{self, AccountType, Role, Status, UserInfo};
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Its id, which phone number and temporary password are bound to.
    pub id: UserId,
    /// Its name.
    pub username: Username,
    /// What it may do; the account type follows.
    pub role: Role,
    /// A distributor's shown name.
    pub alias: Option<Alias>,
    /// Its phone number.
    pub phone: Option<SealedPhone>,
    /// Its password.
    pub password: PasswordHash,
    /// The password was made up by the box and must be changed.
    pub temporary: bool,
}

/// Makes an account.
///
/// # Errors
/// [`Error::UsernameTaken`].
pub fn create(tx: &mut Tx<'_>, now: Timestamp, new: NewUser) -> Result<UserId, Error> {
    if users::record_by_username(tx, &new.username)?.is_some() {
        return Err(Error::UsernameTaken);
    }
    let (phone_sealed, phone_digest) = new.phone.map(|phone| (phone.sealed, phone.digest)).unzip();
    tx.put(&User {
        id: new.id,
        username: new.username,
        role: new.role,
        account_type: AccountType::of(new.role),
        distributor_id: None,
        alias: new.alias,
        phone_sealed,
        phone_digest,
        phone_verified: false,
        vip_enabled: false,
        status: Status::Active,
        must_change_password: new.temporary,
        password_hash: new.password.into_string(),
        created_at: now,
        updated_at: now,
    })?;
    Ok(new.id)
}

/// Makes the first admin, with a temporary password, unless there is an admin. Returns whether it did.
///
/// # Errors
/// [`Error::UsernameTaken`] where somebody who is no admin has the name.
pub fn bootstrap(tx: &mut Tx<'_>, now: Timestamp, username: Username, password: PasswordHash) -> Result<bool, Error> {
    if !users::list(tx, Some(Role::Admin), &Page::first(1))?.items.is_empty() {
        return Ok(false);
    }
    let id = tx.entropy().id(now);
    create(tx, now, NewUser { id, username, role: Role::Admin, alias: None, phone: None, password, temporary: true })?;
    Ok(true)
}

/// What an admin may change of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    /// Carried for other services.
    pub vip_enabled: Option<bool>,
    /// Suspended accounts lose their sessions at once.
    pub suspended: Option<bool>,
}

/// Changes an account.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] where an admin would suspend the own account.
pub fn change(tx: &mut Tx<'_>, now: Timestamp, admin: &Admin, user: UserId, change: Change) -> Result<(), Error> {
    if change.suspended == Some(true) && user == admin.id() {
        return Err(Error::Conflict("An admin does not suspend the own account."));
    }
    apply(tx, now, user, change)
}

/// The same for the box's own console and for central's directives, which no admin's account stands behind.
///
/// # Errors
/// [`Error::NotFound`].
pub fn apply(tx: &mut Tx<'_>, now: Timestamp, user: UserId, change: Change) -> Result<(), Error> {
    let row = living(tx, user)?;
    let status = match change.suspended {
        Some(true) => Status::Suspended,
        Some(false) => Status::Active,
        None => row.status,
    };
    let vip_enabled = change.vip_enabled.unwrap_or(row.vip_enabled);
    if (status, vip_enabled) == (row.status, row.vip_enabled) {
        return Ok(());
    }
    if status == Status::Suspended && row.status != Status::Suspended {
        sessions::revoke_all(tx, now, user, None, RevokeReason::Suspended)?;
    }
    tx.put(&User { status, vip_enabled, updated_at: now, ..row })?;
    tx.notify(Notice::UserChanged(user));
    Ok(())
}

/// Who sets somebody's password to a temporary one.
#[derive(Debug, Clone, Copy)]
pub enum Resetter<'a> {
    /// An admin, for anyone; a distributor, for an own customer.
    Caller(&'a Caller),
    /// The box's own console.
    Console,
}

/// Whether this caller may reset this user's password; the same question is asked again in the command.
///
/// # Errors
/// [`Error::NotFound`] for a user that the caller has no part in; [`Error::Denied`] for a caller of another role.
pub fn may_reset(read: &(impl Read + ?Sized), by: Resetter<'_>, user: UserId) -> Result<UserInfo, Error> {
    let own_customers_of = match by {
        Resetter::Console => None,
        Resetter::Caller(caller) => match caller.admin() {
            Ok(_) => None,
            Err(_) => Some(caller.distributor()?.id()),
        },
    };
    let found = users::by_id(read, user)?.filter(|user| user.status != Status::Erased).ok_or(Error::NotFound)?;
    match own_customers_of {
        Some(distributor) if found.distributor_id != Some(distributor) || !found.is_customer() => Err(Error::NotFound),
        _ => Ok(found),
    }
}

/// Sets a temporary password and ends the user's sessions.
///
/// # Errors
/// As [`may_reset`].
pub fn reset_password(
    tx: &mut Tx<'_>,
    now: Timestamp,
    by: Resetter<'_>,
    user: UserId,
    password: PasswordHash,
) -> Result<(), Error> {
    may_reset(tx, by, user)?;
    set_password(tx, now, user, password, true, None)
}

/// Sets a password; all sessions but `keep` end.
pub(in crate::identity) fn set_password(
    tx: &mut Tx<'_>,
    now: Timestamp,
    user: UserId,
    password: PasswordHash,
    temporary: bool,
    keep: Option<SessionId>,
) -> Result<(), Error> {
    let row = living(tx, user)?;
    let password_hash = password.into_string();
    tx.put(&User { password_hash, must_change_password: temporary, updated_at: now, ..row })?;
    sessions::revoke_all(tx, now, user, keep, RevokeReason::Password)?;
    Ok(())
}

/// Keeps the user's row in step with the customer's relationship, which is the customer domain's to judge.
///
/// # Errors
/// [`Error::NotFound`].
pub fn set_distributor(
    tx: &mut Tx<'_>,
    now: Timestamp,
    customer: UserId,
    distributor: Option<UserId>,
) -> Result<(), Error> {
    let row = living(tx, customer)?;
    tx.put(&User { distributor_id: distributor, updated_at: now, ..row })?;
    tx.notify(Notice::UserChanged(customer));
    Ok(())
}

/// The row of a user that was not erased.
pub(in crate::identity) fn living(read: &(impl Read + ?Sized), user: UserId) -> Result<User, Error> {
    read.get::<User>(&Key::of(user))?.filter(|row| row.status != Status::Erased).ok_or(Error::NotFound)
}
