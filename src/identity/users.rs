//! Users: who they are, and how to find them. Every other domain knows a user through [`UserInfo`] alone.
//!
//! Must not know passwords, tokens or HTTP.

use serde::{Deserialize, Serialize};

use crate::base::id::UserId;
use crate::base::text::{Alias, Username};
use crate::base::time::Timestamp;
use crate::identity::records::{USER_BY_NAME, USER_BY_ROLE, User};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal;)* }) => {
        $(#[$doc])*
        ///
        /// The order of the variants is part of the file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$each])* $variant,)* }

        impl $name {
            /// Its name in the API and upstream.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value of a name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

named_enum! {
    /// What a user may do.
    Role {
        /// Runs the box: accounts, replication, expiry.
        Admin = "admin";
        /// Invites customers, chats with them, plays.
        Distributor = "distributor";
        /// Plays, and chats with the own distributor.
        Customer = "customer";
        /// Reviews chats, with a reason each time.
        Moderator = "moderator";
    }
}

impl Role {
    /// Its number in index keys, which is part of the file.
    #[must_use]
    pub(in crate::identity) const fn number(self) -> u8 {
        match self {
            Self::Admin => 1,
            Self::Distributor => 2,
            Self::Customer => 3,
            Self::Moderator => 4,
        }
    }
}

named_enum! {
    /// What kind of account it is. A role counts only together with its kind.
    AccountType {
        /// Admins and moderators.
        Staff = "staff";
        /// Distributors.
        Distributor = "distributor";
        /// Customers.
        Customer = "customer";
    }
}

impl AccountType {
    /// The kind of account that belongs to a role.
    #[must_use]
    pub const fn of(role: Role) -> Self {
        match role {
            Role::Admin | Role::Moderator => Self::Staff,
            Role::Distributor => Self::Distributor,
            Role::Customer => Self::Customer,
        }
    }
}

named_enum! {
    /// Whether the account may be used.
    Status {
        /// It may.
        Active = "active";
        /// It was suspended by an admin or by central.
        Suspended = "suspended";
        /// It was erased at its user's wish: only its id stands.
        Erased = "erased";
    }
}

/// A user as other domains see one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInfo {
    /// The id, for ever.
    pub id: UserId,
    /// The name to sign in with.
    pub username: Username,
    /// What the user may do.
    pub role: Role,
    /// What kind of account it is.
    pub account_type: AccountType,
    /// A customer's distributor while the relationship is active.
    pub distributor_id: Option<UserId>,
    /// A distributor's shown name.
    pub alias: Option<Alias>,
    /// The phone number as stored: sealed.
    pub(in crate::identity) phone_sealed: Option<Vec<u8>>,
    /// The phone number was proven to be the user's.
    pub phone_verified: bool,
    /// Carried for other services; restricts nothing here.
    pub vip_enabled: bool,
    /// Whether the account may be used.
    pub status: Status,
    /// The password is temporary: all but `users/me`, password and logout waits for a new one.
    pub must_change_password: bool,
    /// When the account was made.
    pub created_at: Timestamp,
}

impl UserInfo {
    /// Whether the account may be used.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// Whether this is a distributor: the role and the kind of account must both say so.
    #[must_use]
    pub fn is_distributor(&self) -> bool {
        self.role == Role::Distributor && self.account_type == AccountType::Distributor
    }

    /// Whether this is a customer: the role and the kind of account must both say so.
    #[must_use]
    pub fn is_customer(&self) -> bool {
        self.role == Role::Customer && self.account_type == AccountType::Customer
    }

    /// Whether this user may play: customers and distributors.
    #[must_use]
    pub fn is_player(&self) -> bool {
        self.is_customer() || self.is_distributor()
    }
}

impl From<User> for UserInfo {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            username: user.username,
            role: user.role,
            account_type: user.account_type,
            distributor_id: user.distributor_id,
            alias: user.alias,
            phone_sealed: user.phone_sealed,
            phone_verified: user.phone_verified,
            vip_enabled: user.vip_enabled,
            status: user.status,
            must_change_password: user.must_change_password,
            created_at: user.created_at,
        }
    }
}

/// The user of an id.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn by_id(read: &(impl Read + ?Sized), id: UserId) -> Result<Option<UserInfo>, Fault> {
    Ok(read.get::<User>(&Key::of(id))?.map(UserInfo::from))
}

/// The user of a name. Names compare without case, which [`Username`] has seen to.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn by_username(read: &(impl Read + ?Sized), username: &Username) -> Result<Option<UserInfo>, Fault> {
    Ok(record_by_username(read, username)?.map(UserInfo::from))
}

pub(in crate::identity) fn record_by_username(
    read: &(impl Read + ?Sized),
    username: &Username,
) -> Result<Option<User>, Fault> {
    read.find(USER_BY_NAME, &Key::new().text(username.as_str()))
}

/// Users in the order of their ids, which is that of their making; of one role, if one is named.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn list(read: &(impl Read + ?Sized), role: Option<Role>, page: &Page) -> Result<Listed<UserInfo>, Fault> {
    let users = match role {
        Some(role) => read.list_by::<User>(USER_BY_ROLE, &Key::new().byte(role.number()), page)?,
        None => read.list::<User>(&Key::new(), page)?,
    };
    Ok(users.map(UserInfo::from))
}

/// Rows that one search looks at: a box has thousands of users, not millions.
const MAX_SEARCHED: usize = 10_000;

/// Users as [`list`] gives them, of whom a part of the name or of the shown name is `text`.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn search(
    read: &(impl Read + ?Sized),
    role: Option<Role>,
    text: Option<&str>,
    page: &Page,
) -> Result<Listed<UserInfo>, Fault> {
    let Some(text) = text.map(str::to_lowercase).filter(|text| !text.is_empty()) else {
        return list(read, role, page);
    };
    let fits = |user: &UserInfo| {
        let alias = user.alias.as_ref().map(|alias| alias.as_str().to_lowercase());
        user.username.as_str().contains(&text) || alias.is_some_and(|alias| alias.contains(&text))
    };
    let mut found = Listed { items: Vec::new(), next: page.after.clone() };
    let mut searched = 0;
    while found.items.len() < page.limit && searched < MAX_SEARCHED {
        // No more than still fit on the page, so that the place after them is the page's end.
        let part = list(read, role, &Page::first(page.limit - found.items.len()).after(found.next.take()))?;
        searched += part.items.len();
        found.items.extend(part.items.into_iter().filter(fits));
        found.next = part.next;
        if found.next.is_none() {
            break;
        }
    }
    Ok(found)
}
