//! What the customer domain forgets of an erased user: names; and what ends with one: relationships and invites.

use crate::base::id::UserId;
use crate::base::notice::Notice;
use crate::base::text::Username;
use crate::base::time::Timestamp;
use crate::customer::error::Error;
use crate::customer::records::{BY_CUSTOMER, BY_DISTRIBUTOR, INVITE_BY_DISTRIBUTOR, Invite, InviteState, Relationship};
use crate::identity::accounts;
use crate::identity::error::Error as IdentityError;
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::ReadExt as _;
use crate::store::tx::Tx;

/// Where the customer domain keeps what names a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// Relationships in which the user is the customer.
    AsCustomer,
    /// Relationships in which the user is the distributor.
    AsDistributor,
    /// Invites that the user made.
    Invites,
}

/// Takes a user's name from a page of rows and ends what still stands; where the next page starts.
///
/// # Errors
/// The store's.
pub fn erase(
    tx: &mut Tx<'_>,
    now: Timestamp,
    user: UserId,
    name: &Username,
    trace: Trace,
    page: &Page,
) -> Result<Option<Vec<u8>>, Error> {
    match trace {
        Trace::AsCustomer => {
            let rows = tx.list_by::<Relationship>(BY_CUSTOMER, &Key::of(user), page)?;
            for row in rows.items {
                end(tx, now, Relationship { customer_username: name.clone(), ..row })?;
            }
            Ok(rows.next)
        }
        Trace::AsDistributor => {
            let rows = tx.list_by::<Relationship>(BY_DISTRIBUTOR, &Key::of(user), page)?;
            for row in rows.items {
                end(tx, now, Relationship { distributor_alias: None, ..row })?;
            }
            Ok(rows.next)
        }
        Trace::Invites => {
            let rows = tx.list_by::<Invite>(INVITE_BY_DISTRIBUTOR, &Key::of(user), page)?;
            for row in rows.items {
                let open = row.state == InviteState::Open;
                let state = if open { InviteState::Revoked } else { row.state };
                let revoked_at = if open { Some(now) } else { row.revoked_at };
                tx.put(&Invite { distributor_alias: None, state, revoked_at, ..row })?;
            }
            Ok(rows.next)
        }
    }
}

/// Writes a relationship; one that still stands ends with it.
fn end(tx: &mut Tx<'_>, now: Timestamp, row: Relationship) -> Result<(), Error> {
    if row.ended_at.is_some() {
        return Ok(tx.put(&row)?);
    }
    let customer = row.customer_id;
    tx.notify(Notice::UserChanged(row.distributor_id));
    tx.put(&Relationship { ended_at: Some(now), ..row })?;
    match accounts::set_distributor(tx, now, customer, None) {
        // The erased customer's own row has forgotten the distributor by itself.
        Ok(()) | Err(IdentityError::NotFound) => Ok(()),
        Err(other) => Err(other.into()),
    }
}
