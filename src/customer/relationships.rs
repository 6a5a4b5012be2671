//! Relationships, and the entitlement to chat that follows from them.
//!
//! An entitlement is never stored: it is an active relationship between two active users, read when asked for.

use crate::base::id::UserId;
use crate::base::notice::Notice;
use crate::base::text::{Alias, Username};
use crate::base::time::Timestamp;
use crate::customer::error::Error;
use crate::customer::records::{ACTIVE_OF_CUSTOMER, BY_CUSTOMER, BY_DISTRIBUTOR, BY_PAIR, Relationship};
use crate::identity::access::{Caller, Denied, Distributor, Service};
use crate::identity::accounts;
use crate::identity::error::Error as IdentityError;
use crate::identity::users;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

/// A relationship as other domains and the API see one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bond {
    /// The customer.
    pub customer_id: UserId,
    /// The distributor.
    pub distributor_id: UserId,
    /// The customer's name.
    pub customer_username: Username,
    /// The distributor's shown name, as the invite had it.
    pub distributor_alias: Option<Alias>,
    /// Whether it stands.
    pub active: bool,
    /// When it began.
    pub created_at: Timestamp,
}

impl From<Relationship> for Bond {
    fn from(row: Relationship) -> Self {
        Self {
            customer_id: row.customer_id,
            distributor_id: row.distributor_id,
            customer_username: row.customer_username,
            distributor_alias: row.distributor_alias,
            active: row.ended_at.is_none(),
            created_at: row.created_at,
        }
    }
}

/// Whether two users may chat, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entitlement {
    /// They stand in an active relationship and both accounts are active.
    Entitled,
    /// They never were distributor and customer of each other, or one of them is unknown.
    NoRelationship,
    /// Their relationship has ended.
    Ended,
    /// One of the two accounts is not active.
    Inactive,
}

impl Entitlement {
    /// Its name in the API.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Entitled => "active_relationship",
            Self::NoRelationship => "no_relationship",
            Self::Ended => "relationship_ended",
            Self::Inactive => "user_inactive",
        }
    }
}

/// Whether two users may chat; their order does not matter.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn entitlement(read: &(impl Read + ?Sized), a: UserId, b: UserId) -> Result<Entitlement, Fault> {
    let Some(bond) = between(read, a, b)? else { return Ok(Entitlement::NoRelationship) };
    if !bond.active {
        return Ok(Entitlement::Ended);
    }
    let (Some(customer), Some(distributor)) =
        (users::by_id(read, bond.customer_id)?, users::by_id(read, bond.distributor_id)?)
    else {
        return Ok(Entitlement::NoRelationship);
    };
    // The accounts must still be what they were when the bond was made.
    let fit = customer.is_active() && customer.is_customer() && distributor.is_active() && distributor.is_distributor();
    Ok(if fit { Entitlement::Entitled } else { Entitlement::Inactive })
}

/// Whether two users may chat; their order does not matter.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn entitled(read: &(impl Read + ?Sized), a: UserId, b: UserId) -> Result<bool, Fault> {
    Ok(entitlement(read, a, b)? == Entitlement::Entitled)
}

/// The active relationship between two users, in either order, or else their latest.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn between(read: &(impl Read + ?Sized), a: UserId, b: UserId) -> Result<Option<Bond>, Fault> {
    match of_pair(read, a, b)? {
        Some(bond) => Ok(Some(bond)),
        None => of_pair(read, b, a),
    }
}

/// The active relationship of a customer with a distributor, or else their latest.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn of_pair(read: &(impl Read + ?Sized), customer: UserId, distributor: UserId) -> Result<Option<Bond>, Fault> {
    if let Some(active) = read.find::<Relationship>(ACTIVE_OF_CUSTOMER, &Key::of(customer))?
        && active.distributor_id == distributor
    {
        return Ok(Some(active.into()));
    }
    let front = Key::of(customer).id(distributor);
    let rows = read.list_by::<Relationship>(BY_PAIR, &front, &Page::newest(1))?;
    Ok(rows.items.into_iter().next().map(Bond::from))
}

/// A customer's active relationship, or else the latest.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn of_customer(read: &(impl Read + ?Sized), customer: UserId) -> Result<Option<Bond>, Fault> {
    if let Some(active) = read.find::<Relationship>(ACTIVE_OF_CUSTOMER, &Key::of(customer))? {
        return Ok(Some(active.into()));
    }
    let rows = read.list_by::<Relationship>(BY_CUSTOMER, &Key::of(customer), &Page::newest(1))?;
    Ok(rows.items.into_iter().next().map(Bond::from))
}

/// The caller's relationships as a customer, ended ones included.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn as_customer(read: &(impl Read + ?Sized), caller: &Caller, page: &Page) -> Result<Listed<Bond>, Fault> {
    Ok(read.list_by::<Relationship>(BY_CUSTOMER, &Key::of(caller.id()), page)?.map(Bond::from))
}

/// A distributor's relationships, newest first.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn of_distributor(read: &(impl Read + ?Sized), distributor: UserId, page: &Page) -> Result<Listed<Bond>, Fault> {
    Ok(read.list_by::<Relationship>(BY_DISTRIBUTOR, &Key::of(distributor), page)?.map(Bond::from))
}

/// Who looks at a relationship.
#[derive(Debug)]
pub enum Viewer {
    /// Another service of the owner's.
    Service(Service),
    /// A signed-in user of any role.
    Caller(Box<Caller>),
}

/// A customer's relationship as this viewer may see it: the customer, the distributor of it, staff and services. To a
/// distributor it is the one with that distributor, whoever came later.
///
/// # Errors
/// [`Error::NotFound`] for everybody else, and where there is none.
pub fn seen_by(read: &(impl Read + ?Sized), viewer: &Viewer, customer: UserId) -> Result<Bond, Error> {
    let bond = match viewer {
        Viewer::Service(_) => of_customer(read, customer)?,
        Viewer::Caller(caller) if caller.admin().is_ok() || caller.moderator().is_ok() => of_customer(read, customer)?,
        Viewer::Caller(caller) if caller.customer().is_ok() && caller.id() == customer => of_customer(read, customer)?,
        Viewer::Caller(caller) => match caller.distributor() {
            Ok(owner) => of_pair(read, customer, owner.id())?,
            Err(_) => None,
        },
    };
    bond.ok_or(Error::NotFound)
}

/// The caller as who may end a customer's relationship.
///
/// # Errors
/// [`Denied::Forbidden`] for the customer, who has a part in it and may not; [`Error::NotFound`] for who has none.
pub fn ender(read: &(impl Read + ?Sized), caller: &Caller, customer: UserId) -> Result<Distributor, Error> {
    if let Ok(owner) = caller.distributor() {
        return of_pair(read, customer, owner.id())?.map(|_| owner).ok_or(Error::NotFound);
    }
    let own = caller.customer().is_ok() && caller.id() == customer && of_customer(read, customer)?.is_some();
    Err(if own { Denied::Forbidden.into() } else { Error::NotFound })
}

/// Ends a distributor's relationship with a customer: they may chat no more from this commit on. What was archived
/// stays. One that has ended stays ended.
///
/// # Errors
/// [`Error::NotFound`] where the two never had one.
pub fn end(tx: &mut Tx<'_>, now: Timestamp, owner: &Distributor, customer: UserId) -> Result<(), Error> {
    let active = tx.find::<Relationship>(ACTIVE_OF_CUSTOMER, &Key::of(customer))?;
    let Some(row) = active.filter(|row| row.distributor_id == owner.id()) else {
        return of_pair(tx, customer, owner.id())?.map(drop).ok_or(Error::NotFound);
    };
    tx.put(&Relationship { ended_at: Some(now), ..row })?;
    tx.notify(Notice::UserChanged(owner.id()));
    match accounts::set_distributor(tx, now, customer, None) {
        // An erased account has nothing left to change.
        Ok(()) | Err(IdentityError::NotFound) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customer::testing::{part, relate};
    use crate::identity::testing::{set_status, user};
    use crate::identity::users::{Role, Status};
    use crate::store::testing::store;

    #[test]
    fn an_active_relationship_of_two_active_users_entitles_in_either_order() {
        let (store, _) = store();
        let (ada, bola) = (user(&store, "ada", Role::Distributor), user(&store, "bola", Role::Customer));
        let eze = user(&store, "eze", Role::Customer);
        relate(&store, &bola, &ada);

        let read = store.read().unwrap();
        assert!(entitled(&read, ada.id, bola.id).unwrap() && entitled(&read, bola.id, ada.id).unwrap());
        for (a, b) in [(ada.id, eze.id), (bola.id, eze.id), (ada.id, ada.id)] {
            assert_eq!(entitlement(&read, a, b).unwrap(), Entitlement::NoRelationship);
        }
    }

    #[test]
    fn a_suspension_on_either_side_or_an_end_takes_it_away() {
        let (store, _) = store();
        let (ada, bola) = (user(&store, "ada", Role::Distributor), user(&store, "bola", Role::Customer));
        relate(&store, &bola, &ada);
        let now = || entitlement(&store.read().unwrap(), bola.id, ada.id).unwrap();

        for either in [ada.id, bola.id] {
            set_status(&store, either, Status::Suspended);
            assert_eq!(now(), Entitlement::Inactive);
            set_status(&store, either, Status::Active);
            assert_eq!(now(), Entitlement::Entitled);
        }
        part(&store, bola.id);
        assert_eq!(now(), Entitlement::Ended);
        relate(&store, &bola, &ada);
        assert_eq!(now(), Entitlement::Entitled);
    }
}
