//! Redemption: an invite becomes an account, a relationship and a session, together or not at all.
//!
//! Those who race for one token wait in line for it before they hash, so that the losers cost no hash and none of
//! them is told that the box is busy. The command alone decides who wins.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex as Line, OwnedMutexGuard};

use crate::base::id::{InviteId, RelationshipId, UserId};
use crate::base::notice::Notice;
use crate::base::time::{Clock, Timestamp};
use crate::customer::error::Error;
use crate::customer::records::{ACTIVE_OF_CUSTOMER, Invite, InviteState, Relationship};
use crate::customer::service::Service;
use crate::identity::access::Caller;
use crate::identity::accounts::{self, NewUser};
use crate::identity::register::Applicant;
use crate::identity::sessions::SessionRef;
use crate::identity::users;
use crate::store::key::Key;
use crate::store::once::{Done, OnceKey, once};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// Who redeems.
#[derive(Debug)]
pub enum Joiner {
    /// Somebody without an account.
    New(Applicant),
    /// A signed-in customer without a distributor.
    SignedIn(Box<Caller>),
}

/// What a redemption made: ids for its answer and for an idempotency record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeemed {
    /// The customer.
    pub customer: UserId,
    /// The customer's new session.
    pub session: SessionRef,
}

/// A joiner, ready for the command.
enum Ready {
    New(Box<NewUser>),
    SignedIn(Box<Caller>),
}

impl Service {
    /// Redeems an invite by its token or typed code.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Redeemed`], [`Error::Expired`], [`Error::Revoked`],
    /// [`Error::AlreadyCustomer`], [`Error::TooManyAttempts`], and identity's about name and password.
    pub async fn redeem(
        self: &Arc<Self>,
        store: &Store,
        clock: &dyn Clock,
        text: &str,
        joiner: Joiner,
        address: IpAddr,
        key: Option<OnceKey>,
    ) -> Result<Done<Redeemed>, Error> {
        let invite = self.look_up(store, clock, text, address).await?.id;
        if let Joiner::New(applicant) = &joiner {
            applicant.check()?;
        }
        let _turn = self.turns.wait(invite).await;
        if key.is_none() {
            // With a key the answer may be a repetition, which the command alone can know.
            check(&store.read()?, clock.now(), invite)?;
        }
        let ready = match joiner {
            Joiner::New(applicant) => Ready::New(Box::new(self.identity.prepare(clock.now(), applicant).await?)),
            Joiner::SignedIn(caller) => Ready::SignedIn(caller),
        };
        let service = Arc::clone(self);
        store.write(move |tx, now| once(tx, now, key, |tx| service.settle(tx, now, invite, ready))).await
    }

    /// The command.
    fn settle(&self, tx: &mut Tx<'_>, now: Timestamp, id: InviteId, joiner: Ready) -> Result<Redeemed, Error> {
        let invite = check(tx, now, id)?;
        let customer = match joiner {
            Ready::New(new) => accounts::create(tx, now, *new)?,
            Ready::SignedIn(caller) => {
                caller.still(tx, now)?;
                caller.customer()?.id()
            }
        };
        if tx.find::<Relationship>(ACTIVE_OF_CUSTOMER, &Key::of(customer))?.is_some() {
            return Err(Error::AlreadyCustomer);
        }
        let relationship: RelationshipId = tx.entropy().id(now);
        tx.put(&Relationship {
            id: relationship,
            customer_id: customer,
            distributor_id: invite.distributor_id,
            customer_username: users::by_id(tx, customer)?.ok_or(Error::NotFound)?.username,
            distributor_alias: invite.distributor_alias.clone(),
            created_at: now,
            ended_at: None,
        })?;
        accounts::set_distributor(tx, now, customer, Some(invite.distributor_id))?;
        tx.notify(Notice::UserChanged(invite.distributor_id));
        tx.put(&Invite {
            state: InviteState::Redeemed,
            redeemed_by_user_id: Some(customer),
            redeemed_at: Some(now),
            ..invite
        })?;
        Ok(Redeemed { customer, session: self.identity.start_session(tx, now, customer)? })
    }
}

/// The invite, if it can be redeemed.
fn check(read: &(impl Read + ?Sized), now: Timestamp, id: InviteId) -> Result<Invite, Error> {
    let invite = read.get::<Invite>(&Key::of(id))?.ok_or(Error::NotFound)?;
    invite.status(read, now)?.open()?;
    Ok(invite)
}

type Lines = Arc<Mutex<HashMap<InviteId, Arc<Line<()>>>>>;

/// One redemption at a time for each invite. There are never more lines than requests in flight.
#[derive(Default)]
pub(in crate::customer) struct Turns(Lines);

/// A turn; the next in line has it when this is dropped.
pub(in crate::customer) struct Turn {
    lines: Lines,
    invite: InviteId,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    async fn wait(&self, invite: InviteId) -> Turn {
        let line = {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lines.entry(invite).or_default())
        };
        // Made before the wait, so that a caller who hangs up while waiting leaves no line behind.
        let mut turn = Turn { lines: Arc::clone(&self.0), invite, held: None };
        turn.held = Some(line.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held = None;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // Who waits, or is about to, holds a copy besides the map's.
        if lines.get(&self.invite).is_some_and(|line| Arc::strong_count(line) == 1) {
            lines.remove(&self.invite);
        }
    }
}
