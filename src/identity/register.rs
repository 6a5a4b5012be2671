//! Making accounts from outside: open registration, and the accounts that an admin provisions.
//!
//! Redemption of an invite is the customer domain's; it calls [`crate::identity::accounts::create`] in its own
//! transaction.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::id::UserId;
use crate::base::secret::Secret;
use crate::base::text::{Alias, Phone, Username};
use crate::base::time::Timestamp;
use crate::identity::access::Caller;
use crate::identity::accounts::{self, NewUser, Resetter};
use crate::identity::error::Error;
use crate::identity::policy;
use crate::identity::service::Service;
use crate::identity::sessions::{self, SessionRef};
use crate::identity::users::Role;
use crate::store::once::{Done, OnceKey, once};
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// What a person who makes an account gives.
#[derive(Debug)]
pub struct Applicant {
    /// The wished name.
    pub username: Username,
    /// The chosen password.
    pub password: Secret<String>,
    /// The phone number.
    pub phone: Option<Phone>,
}

impl Applicant {
    /// Checks the password without hashing it.
    ///
    /// # Errors
    /// [`Error::Field`].
    pub fn check(&self) -> Result<(), Error> {
        policy::check(&self.username, self.password.expose()).map_err(|why| Error::Field { field: "password", why })
    }
}

/// What an admin gives for an account of somebody else's.
#[derive(Debug)]
pub struct Provision {
    /// What the account may do.
    pub role: Role,
    /// The name.
    pub username: Username,
    /// A password that both have agreed on; without it the box makes a temporary one.
    pub password: Option<Secret<String>>,
    /// A distributor's shown name.
    pub alias: Option<Alias>,
    /// The phone number.
    pub phone: Option<Phone>,
}

/// An account with a temporary password, if it has one: what an idempotency record keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisioned {
    /// The account.
    pub user: UserId,
    /// What its temporary password is derived from.
    pub temporary: Option<Uuid>,
}

/// Who provisions an account or resets a password.
#[derive(Debug, Clone)]
pub enum Provisioner {
    /// A signed-in caller, whose right is checked in the command.
    Caller(Box<Caller>),
    /// The box's own console.
    Console,
}

impl Provisioner {
    fn still(&self, tx: &Tx<'_>, now: Timestamp) -> Result<(), Error> {
        match self {
            Self::Caller(caller) => Ok(caller.still(tx, now)?),
            Self::Console => Ok(()),
        }
    }

    fn resetter(&self) -> Resetter<'_> {
        match self {
            Self::Caller(caller) => Resetter::Caller(caller),
            Self::Console => Resetter::Console,
        }
    }
}

impl Service {
    /// Checks, hashes and seals what a new customer gave; the result is for [`accounts::create`].
    ///
    /// # Errors
    /// [`Error::Field`], [`Error::Busy`].
    pub async fn prepare(&self, now: Timestamp, applicant: Applicant) -> Result<NewUser, Error> {
        let Applicant { username, password, phone } = applicant;
        let id = self.new_user_id(now);
        let password = self.hash_chosen(&username, &password, "password").await?;
        let phone = phone.map(|phone| self.seal_phone(id, &phone));
        Ok(NewUser { id, username, role: Role::Customer, alias: None, phone, password, temporary: false })
    }

    /// Starts a session in the transaction that made or changed its user.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn start_session(&self, tx: &mut Tx<'_>, now: Timestamp, user: UserId) -> Result<SessionRef, Error> {
        Ok(sessions::start(tx, now, &self.refresh, user)?)
    }

    /// Registers without an invite, where the box is open.
    ///
    /// # Errors
    /// [`Error::RegistrationClosed`], [`Error::UsernameTaken`], [`Error::Field`].
    pub async fn register(
        self: &Arc<Self>,
        store: &Store,
        now: Timestamp,
        applicant: Applicant,
        key: Option<OnceKey>,
    ) -> Result<Done<SessionRef>, Error> {
        if !self.open_registration {
            return Err(Error::RegistrationClosed);
        }
        let new = self.prepare(now, applicant).await?;
        let service = Arc::clone(self);
        let registered = store.write(move |tx, now| {
            once(tx, now, key, |tx| {
                let user = accounts::create(tx, now, new)?;
                service.start_session(tx, now, user)
            })
        });
        registered.await
    }

    /// Makes a distributor, a moderator or another account that is not a person's own doing.
    ///
    /// # Errors
    /// [`Error::UsernameTaken`], [`Error::Field`]; [`Error::Denied`] for a caller who is no admin.
    pub async fn provision(
        &self,
        store: &Store,
        now: Timestamp,
        by: Provisioner,
        given: Provision,
        key: Option<OnceKey>,
    ) -> Result<Done<Provisioned>, Error> {
        if let Provisioner::Caller(caller) = &by {
            caller.admin()?;
        }
        let id = self.new_user_id(now);
        let (temporary, password) = match &given.password {
            Some(password) => (None, self.hash_chosen(&given.username, password, "password").await?),
            None => self.make_temporary(id).await.map(|(nonce, hash)| (Some(nonce), hash))?,
        };
        let phone = given.phone.as_ref().map(|phone| self.seal_phone(id, phone));
        let Provision { role, username, alias, .. } = given;
        let new = NewUser { id, username, role, alias, phone, password, temporary: temporary.is_some() };
        let made = store.write(move |tx, now| {
            by.still(tx, now)?;
            once(tx, now, key, |tx| {
                let user = accounts::create(tx, now, new)?;
                Ok::<_, Error>(Provisioned { user, temporary })
            })
        });
        made.await
    }

    /// Gives a user a temporary password, to be shown to who asked for it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a user that the caller has no part in.
    pub async fn reset(
        &self,
        store: &Store,
        by: Provisioner,
        user: UserId,
        key: Option<OnceKey>,
    ) -> Result<Done<Provisioned>, Error> {
        accounts::may_reset(&store.read()?, by.resetter(), user)?;
        let (nonce, password) = self.make_temporary(user).await?;
        let reset = store.write(move |tx, now| {
            by.still(tx, now)?;
            once(tx, now, key, |tx| {
                accounts::reset_password(tx, now, by.resetter(), user, password)?;
                Ok::<_, Error>(Provisioned { user, temporary: Some(nonce) })
            })
        });
        reset.await
    }
}
