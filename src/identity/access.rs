//! Permissions as values: who holds a `&Distributor` has been checked, for only the checks here can make one.
//!
//! Everything is read from the store: the user's row, the session's row and their states. A token only names
//! the two. Must not know what the permissions are used for.

use std::fmt;
use std::sync::Arc;

use crate::base::id::{SessionId, UserId};
use crate::base::text::Username;
use crate::base::time::Timestamp;
use crate::identity::records::{Session, User};
use crate::identity::users::{AccountType, Role, Status, UserInfo};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::read::{Read, ReadExt};
use crate::store::record::decode;

/// Why a caller was turned away, in the order in which it is checked (contract, section 1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No token, a bad or an expired one, or its session has ended.
    #[error("not signed in")]
    Unauthenticated,
    /// The account is suspended.
    #[error("the account is suspended")]
    Suspended,
    /// The password is temporary and must be changed first.
    #[error("the password must be changed first")]
    PasswordChangeRequired,
    /// The account may not do this.
    #[error("not allowed")]
    Forbidden,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl crate::store::writer::AsFault for Denied {
    fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Store(fault) => Some(fault),
            Self::Unauthenticated | Self::Suspended | Self::PasswordChangeRequired | Self::Forbidden => None,
        }
    }
}

/// What a verified token names: nothing in it is believed beyond this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// The `sub` claim.
    pub user: UserId,
    /// The `sid` claim.
    pub session: SessionId,
    /// The `exp` claim: sockets close then.
    pub expires_at: Timestamp,
}

/// A signed-in user whose account and session are in order.
#[derive(Debug, Clone)]
pub struct Caller {
    user: UserInfo,
    session: SessionId,
    expires_at: Timestamp,
    seen: Option<Arc<Seen>>,
}

/// The two rows that a caller was checked by, and until when they are good: the same bytes say the same again.
struct Seen {
    user: Vec<u8>,
    session: Vec<u8>,
    until: Timestamp,
}

// The user's row has the digest of a password.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Caller {
    /// Checks, in the store, whom a token names.
    ///
    /// # Errors
    /// [`Denied::Unauthenticated`] where user or session are unknown, ended or not each other's;
    /// [`Denied::Suspended`] for a suspended account.
    pub fn check(read: &(impl Read + ?Sized), now: Timestamp, named: Named) -> Result<Self, Denied> {
        let (user_key, session_key) = (Key::of(named.user), Key::of(named.session));
        let rows = read.stored::<User>(&user_key)?.zip(read.stored::<Session>(&session_key)?);
        let (user_row, session_row) = rows.ok_or(Denied::Unauthenticated)?;
        let user: User = decode(user_key.as_bytes(), &user_row)?;
        let session: Session = decode(session_key.as_bytes(), &session_row)?;
        if session.user_id != user.id || named.expires_at <= now {
            return Err(Denied::Unauthenticated);
        }
        // A suspension revokes every session too, so it is looked at first: its bearer shall learn why.
        match user.status {
            Status::Suspended => return Err(Denied::Suspended),
            Status::Erased => return Err(Denied::Unauthenticated),
            Status::Active => {}
        }
        if session.revoked_at.is_some() || session.expires_at <= now {
            return Err(Denied::Unauthenticated);
        }
        let until = named.expires_at.min(session.expires_at);
        let seen = Some(Arc::new(Seen { user: user_row, session: session_row, until }));
        Ok(Self { user: user.into(), session: session.id, expires_at: named.expires_at, seen })
    }

    /// The same check again, for a command that runs after the first one: what was true then may not be now.
    ///
    /// # Errors
    /// As [`Caller::check`].
    pub fn still(&self, read: &(impl Read + ?Sized), now: Timestamp) -> Result<(), Denied> {
        if let Some(seen) = self.seen.as_deref().filter(|seen| now < seen.until) {
            let same = |row: Option<Vec<u8>>, known: &Vec<u8>| row.as_ref() == Some(known);
            if same(read.stored::<User>(&Key::of(self.user.id))?, &seen.user)
                && same(read.stored::<Session>(&Key::of(self.session))?, &seen.session)
            {
                return Ok(());
            }
        }
        let named = Named { user: self.user.id, session: self.session, expires_at: self.expires_at };
        Self::check(read, now, named).map(drop)
    }

    /// The user.
    #[must_use]
    pub const fn user(&self) -> &UserInfo {
        &self.user
    }

    /// The user's id.
    #[must_use]
    pub const fn id(&self) -> UserId {
        self.user.id
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// When the token ends: a socket opened with it closes then.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Refuses a caller whose password is temporary: for all but `users/me`, password and logout.
    ///
    /// # Errors
    /// [`Denied::PasswordChangeRequired`].
    pub fn settled(&self) -> Result<&Self, Denied> {
        if self.user.must_change_password { Err(Denied::PasswordChangeRequired) } else { Ok(self) }
    }

    /// The caller as an admin.
    ///
    /// # Errors
    /// [`Denied::PasswordChangeRequired`], [`Denied::Forbidden`].
    pub fn admin(&self) -> Result<Admin, Denied> {
        let staff = self.user.account_type == AccountType::Staff;
        self.allowed(staff && self.user.role == Role::Admin).map(|()| Admin(self.user.clone()))
    }

    /// The caller as a moderator.
    ///
    /// # Errors
    /// [`Denied::PasswordChangeRequired`], [`Denied::Forbidden`].
    pub fn moderator(&self) -> Result<Moderator, Denied> {
        let staff = self.user.account_type == AccountType::Staff;
        self.allowed(staff && self.user.role == Role::Moderator).map(|()| Moderator(self.user.clone()))
    }

    /// The caller as a distributor: role and kind of account must both say so.
    ///
    /// # Errors
    /// [`Denied::PasswordChangeRequired`], [`Denied::Forbidden`].
    pub fn distributor(&self) -> Result<Distributor, Denied> {
        self.allowed(self.user.is_distributor()).map(|()| Distributor(self.user.clone()))
    }

    /// The caller as a customer.
    ///
    /// # Errors
    /// [`Denied::PasswordChangeRequired`], [`Denied::Forbidden`].
    pub fn customer(&self) -> Result<Customer, Denied> {
        self.allowed(self.user.is_customer()).map(|()| Customer(self.user.clone()))
    }

    /// The caller as a player: a customer or a distributor.
    ///
    /// # Errors
    /// [`Denied::PasswordChangeRequired`], [`Denied::Forbidden`].
    pub fn player(&self) -> Result<Player, Denied> {
        self.allowed(self.user.is_player()).map(|()| Player(self.user.clone()))
    }

    fn allowed(&self, allowed: bool) -> Result<(), Denied> {
        self.settled()?;
        if allowed { Ok(()) } else { Err(Denied::Forbidden) }
    }
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(UserInfo);

        impl $name {
            /// The user.
            #[must_use]
            pub const fn user(&self) -> &UserInfo { &self.0 }
            /// The user's id.
            #[must_use]
            pub const fn id(&self) -> UserId { self.0.id }
            /// The user's name.
            #[must_use]
            pub const fn username(&self) -> &Username { &self.0.username }
        }
    )*};
}

permissions! {
    /// May run the box.
    Admin;
    /// May review chats.
    Moderator;
    /// May invite customers and see their relationships.
    Distributor;
    /// May be a distributor's customer.
    Customer;
    /// May play.
    Player;
}

/// Another service of the owner's, known by its shared secret.
#[derive(Debug)]
pub struct Service(());

impl Service {
    /// Checks the `X-S2S-Token` header against the configured secret, in constant time. A box without a secret knows none.
    #[must_use]
    pub fn check(secret: Option<&str>, given: &[u8]) -> Option<Self> {
        let secret = secret.filter(|secret| !secret.is_empty())?;
        crate::base::digest::same(secret.as_bytes(), given).then_some(Self(()))
    }
}

#[cfg(test)]
impl Caller {
    /// A caller for other domains' unit tests, unchecked.
    pub fn for_test(user: UserInfo, session: SessionId, expires_at: Timestamp) -> Self {
        Self { user, session, expires_at, seen: None }
    }
}
