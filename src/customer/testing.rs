//! Relationships for the unit tests of this and other domains, written straight into the store.

use crate::base::id::{RelationshipId, UserId};
use crate::customer::records::{ACTIVE_OF_CUSTOMER, Relationship};
use crate::identity::users::UserInfo;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::read::ReadExt;
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// Makes an active relationship.
#[track_caller]
pub fn relate(store: &Store, customer: &UserInfo, distributor: &UserInfo) {
    let (customer, distributor) = (customer.clone(), distributor.clone());
    let done = store.write_blocking(move |tx: &mut Tx<'_>, now| {
        let id: RelationshipId = tx.entropy().id(now);
        tx.put(&Relationship {
            id,
            customer_id: customer.id,
            distributor_id: distributor.id,
            customer_username: customer.username,
            distributor_alias: distributor.alias,
            created_at: now,
            ended_at: None,
        })
    });
    done.unwrap();
}

/// Ends a customer's active relationship.
#[track_caller]
pub fn part(store: &Store, customer: UserId) {
    let done = store.write_blocking(move |tx: &mut Tx<'_>, now| {
        let row = tx.find::<Relationship>(ACTIVE_OF_CUSTOMER, &Key::of(customer))?.unwrap();
        tx.put(&Relationship { ended_at: Some(now), ..row })?;
        Ok::<_, Fault>(())
    });
    done.unwrap();
}
