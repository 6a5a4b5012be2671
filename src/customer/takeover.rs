//! Invites and relationships taken over from the old service, and given out again.
//!
//! The import and the export alone call this. A token of the old service redeems here as it did there: its digest is
//! kept. Must not know where rows come from.

use crate::base::digest::hex;
use crate::base::id::{InviteId, RelationshipId, UserId};
use crate::base::text::{Alias, Username};
use crate::base::time::Timestamp;
use crate::customer::records::{ACTIVE_OF_CUSTOMER, INVITE_BY_TOKEN, Invite, InviteState, Relationship};
use crate::customer::secrets::token_digest;
use crate::customer::service::Service;
use crate::identity::accounts;
use crate::identity::error::Error as IdentityError;
use crate::identity::takeover::Facts;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

/// An invite that could still be redeemed.
#[derive(Debug, Clone)]
pub struct OldInvite {
    /// The id, in its old form.
    pub id: InviteId,
    /// The digest of its token, as this box keeps one.
    pub token_digest: [u8; 32],
    /// Whose it is.
    pub distributor_id: UserId,
    /// The name that the invited person sees.
    pub distributor_alias: Option<Alias>,
    /// `open`, `redeemed` or `revoked`.
    pub status: &'static str,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Who redeemed it.
    pub redeemed_by_user_id: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A bond between a customer and a distributor.
#[derive(Debug, Clone)]
pub struct OldRelationship {
    /// The id, in its old form; the customer's where there was none.
    pub id: RelationshipId,
    /// The customer.
    pub customer_id: UserId,
    /// The distributor.
    pub distributor_id: UserId,
    /// The customer's name.
    pub customer_username: Username,
    /// The distributor's shown name.
    pub distributor_alias: Option<Alias>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended, if it did.
    pub ended_at: Option<Timestamp>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is news.
    New,
    /// Its id is here: that row stays as it is.
    Known,
    /// The two have an active relationship here, which stands for this one too.
    Same(RelationshipId),
    /// The customer has an active relationship with somebody else.
    Other(UserId),
    /// Another invite has this token.
    TokenTaken,
}

/// What is kept of an old service's token.
#[must_use]
pub fn digest_of(token: &str) -> [u8; 32] {
    token_digest(token)
}

fn shown(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

impl OldInvite {
    /// The row as named texts; of the token its digest.
    #[must_use]
    pub fn facts(&self) -> Facts {
        vec![
            ("id", Some(self.id.to_string())),
            ("token", Some(hex(&self.token_digest))),
            ("distributor_id", Some(self.distributor_id.to_string())),
            ("distributor_alias", shown(self.distributor_alias.as_ref())),
            ("status", Some(self.status.to_owned())),
            ("expires_at", Some(self.expires_at.to_string())),
            ("redeemed_by_user_id", shown(self.redeemed_by_user_id)),
            ("created_at", Some(self.created_at.to_string())),
        ]
    }
}

impl OldRelationship {
    /// The row as named texts.
    #[must_use]
    pub fn facts(&self) -> Facts {
        vec![
            ("id", Some(self.id.to_string())),
            ("customer_id", Some(self.customer_id.to_string())),
            ("distributor_id", Some(self.distributor_id.to_string())),
            ("customer_username", Some(self.customer_username.to_string())),
            ("distributor_alias", shown(self.distributor_alias.as_ref())),
            ("created_at", Some(self.created_at.to_string())),
            ("ended_at", shown(self.ended_at)),
        ]
    }
}

impl From<Invite> for OldInvite {
    fn from(row: Invite) -> Self {
        Self {
            id: row.id,
            token_digest: row.token_digest,
            distributor_id: row.distributor_id,
            distributor_alias: row.distributor_alias,
            status: row.state.name(),
            expires_at: row.expires_at,
            redeemed_by_user_id: row.redeemed_by_user_id,
            created_at: row.created_at,
        }
    }
}

impl From<Relationship> for OldRelationship {
    fn from(row: Relationship) -> Self {
        Self {
            id: row.id,
            customer_id: row.customer_id,
            distributor_id: row.distributor_id,
            customer_username: row.customer_username,
            distributor_alias: row.distributor_alias,
            created_at: row.created_at,
            ended_at: row.ended_at,
        }
    }
}

impl Service {
    /// Takes over an open invite. It gets a typed code of the box's own beside its token.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn take_over_invite(&self, tx: &mut Tx<'_>, old: OldInvite) -> Result<Taken, Fault> {
        if tx.get::<Invite>(&Key::of(old.id))?.is_some() {
            return Ok(Taken::Known);
        }
        if tx.find::<Invite>(INVITE_BY_TOKEN, &Key::new().fixed(&old.token_digest))?.is_some() {
            return Ok(Taken::TokenTaken);
        }
        let (code_round, code_digest) = self.free_code(tx, old.id)?;
        tx.put(&Invite {
            id: old.id,
            token_digest: old.token_digest,
            code_digest,
            code_round,
            distributor_id: old.distributor_id,
            distributor_alias: old.distributor_alias,
            state: InviteState::Open,
            expires_at: old.expires_at,
            redeemed_by_user_id: None,
            redeemed_at: None,
            revoked_at: None,
            created_at: old.created_at,
        })?;
        Ok(Taken::New)
    }
}

/// Takes over a relationship. An active one is noted with its customer too.
///
/// # Errors
/// [`Fault`].
pub fn take_over_relationship(tx: &mut Tx<'_>, now: Timestamp, old: OldRelationship) -> Result<Taken, Fault> {
    if let Some(known) = tx.get::<Relationship>(&Key::of(old.id))? {
        let same = (known.customer_id, known.distributor_id) == (old.customer_id, old.distributor_id);
        return Ok(if same { Taken::Known } else { Taken::Other(known.distributor_id) });
    }
    let active = tx.find::<Relationship>(ACTIVE_OF_CUSTOMER, &Key::of(old.customer_id))?;
    if let Some(active) = active.filter(|_| old.ended_at.is_none()) {
        let same = active.distributor_id == old.distributor_id;
        return Ok(if same { Taken::Same(active.id) } else { Taken::Other(active.distributor_id) });
    }
    let (customer, distributor, active) = (old.customer_id, old.distributor_id, old.ended_at.is_none());
    tx.put(&Relationship {
        id: old.id,
        customer_id: customer,
        distributor_id: distributor,
        customer_username: old.customer_username,
        distributor_alias: old.distributor_alias,
        created_at: old.created_at,
        ended_at: old.ended_at,
    })?;
    if active {
        match accounts::set_distributor(tx, now, customer, Some(distributor)) {
            // An erased customer keeps no distributor.
            Ok(()) | Err(IdentityError::NotFound) => {}
            Err(IdentityError::Store(fault)) => return Err(fault),
            Err(_) => return Err(Fault::Corrupt { table: "identity.users", reason: "its distributor cannot be set" }),
        }
    }
    Ok(Taken::New)
}

/// The invite of an id.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn invite(read: &(impl Read + ?Sized), id: InviteId) -> Result<Option<OldInvite>, Fault> {
    Ok(read.get::<Invite>(&Key::of(id))?.map(OldInvite::from))
}

/// The relationship of an id.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn relationship(read: &(impl Read + ?Sized), id: RelationshipId) -> Result<Option<OldRelationship>, Fault> {
    Ok(read.get::<Relationship>(&Key::of(id))?.map(OldRelationship::from))
}

/// Invites in the order of their ids.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn invites(read: &(impl Read + ?Sized), page: &Page) -> Result<Listed<OldInvite>, Fault> {
    Ok(read.list::<Invite>(&Key::new(), page)?.map(OldInvite::from))
}

/// Relationships in the order of their ids.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn relationships(read: &(impl Read + ?Sized), page: &Page) -> Result<Listed<OldRelationship>, Fault> {
    Ok(read.list::<Relationship>(&Key::new(), page)?.map(OldRelationship::from))
}
