//! What the console of the box may do with accounts: it is the owner's own hand, so no caller is asked for.
//!
//! The same acts as over HTTP, through the same functions and the same write path. Must not know the command line.

use crate::base::secret::Secret;
use crate::base::text::{Alias, Username};
use crate::base::time::Timestamp;
use crate::identity::accounts::{self, Change, NewUser, Resetter};
use crate::identity::error::Error;
use crate::identity::service::Service;
use crate::identity::users::{self, Role, UserInfo};
use crate::store::page::Page;
use crate::store::writer::Store;

impl Service {
    /// Makes the first admin of a box that has none; `None` where it has one. The password is the given one, or a
    /// temporary one that is returned.
    ///
    /// # Errors
    /// [`Error::UsernameTaken`], [`Error::Field`].
    pub async fn first_admin(
        &self,
        store: &Store,
        now: Timestamp,
        username: Username,
        password: Option<Secret<String>>,
    ) -> Result<Option<Option<Secret<String>>>, Error> {
        if !users::list(&store.read()?, Some(Role::Admin), &Page::first(1))?.items.is_empty() {
            return Ok(None);
        }
        let (_, shown) = self.console_add(store, now, Role::Admin, username, password, None).await?;
        Ok(Some(shown))
    }

    /// Makes an account; the second part is its temporary password, where none was given.
    ///
    /// # Errors
    /// [`Error::UsernameTaken`], [`Error::Field`].
    pub async fn console_add(
        &self,
        store: &Store,
        now: Timestamp,
        role: Role,
        username: Username,
        password: Option<Secret<String>>,
        alias: Option<Alias>,
    ) -> Result<(UserInfo, Option<Secret<String>>), Error> {
        let id = self.new_user_id(now);
        let (shown, hash) = match &password {
            Some(password) => (None, self.hash_chosen(&username, password, "password").await?),
            None => {
                let (nonce, hash) = self.make_temporary(id).await?;
                (Some(self.temporary_password(id, nonce)), hash)
            }
        };
        let temporary = shown.is_some();
        let new = NewUser { id, username, role, alias, phone: None, password: hash, temporary };
        store.write(move |tx, now| accounts::create(tx, now, new)).await?;
        let made = users::by_id(&store.read()?, id)?.ok_or(Error::NotFound)?;
        Ok((made, shown))
    }

    /// Suspends an account, or lets it in again.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn console_suspend(
        &self,
        store: &Store,
        username: &Username,
        suspended: bool,
    ) -> Result<UserInfo, Error> {
        let user = users::by_username(&store.read()?, username)?.ok_or(Error::NotFound)?.id;
        let change = Change { suspended: Some(suspended), ..Change::default() };
        store.reserved().write(move |tx, now| accounts::apply(tx, now, user, change)).await?;
        users::by_id(&store.read()?, user)?.ok_or(Error::NotFound)
    }

    /// Gives an account a temporary password, which is returned.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn console_reset(&self, store: &Store, username: &Username) -> Result<Secret<String>, Error> {
        let user = users::by_username(&store.read()?, username)?.ok_or(Error::NotFound)?.id;
        let (nonce, hash) = self.make_temporary(user).await?;
        store.reserved().write(move |tx, now| accounts::reset_password(tx, now, Resetter::Console, user, hash)).await?;
        Ok(self.temporary_password(user, nonce))
    }
}
