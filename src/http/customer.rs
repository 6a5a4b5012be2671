//! What the customer domain looks like on the wire: the relationship, and its refusals.
//!
//! Must not decide anything.

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::text::Alias;
use crate::customer::error::Error;
use crate::customer::relationships::Bond;
use crate::http::auth::fault;
use crate::http::identity;
use crate::http::problem::{Code, Problem};

/// The bond between a customer and a distributor.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Relationship)]
pub struct RelationshipBody {
    customer_id: String,
    distributor_id: String,
    customer_username: String,
    distributor_alias: Option<String>,
    /// `active` or `ended`.
    status: &'static str,
    created_at: String,
}

impl From<Bond> for RelationshipBody {
    fn from(bond: Bond) -> Self {
        Self {
            customer_id: bond.customer_id.to_string(),
            distributor_id: bond.distributor_id.to_string(),
            customer_username: bond.customer_username.to_string(),
            distributor_alias: bond.distributor_alias.as_ref().map(Alias::to_string),
            status: if bond.active { "active" } else { "ended" },
            created_at: bond.created_at.to_string(),
        }
    }
}

/// What a refusal of the customer domain's is to a client.
#[must_use]
pub fn refused(error: Error) -> Problem {
    match error {
        Error::Store(error) => fault(error),
        Error::Reused(_) => Code::IdempotencyKeyReused.into(),
        Error::Identity(error) => identity::refused(error),
        Error::NotFound => Code::NotFound.into(),
        Error::Redeemed => Code::InviteRedeemed.into(),
        Error::Expired => Code::InviteExpired.into(),
        Error::Revoked => Code::InviteRevoked.into(),
        Error::AlreadyCustomer => Code::AlreadyCustomer.into(),
        Error::TooManyAttempts(wait) => Problem::new(Code::TooManyAttempts).retry_after(wait),
        Error::Field { field, why } => Problem::field(field, why.0),
    }
}
