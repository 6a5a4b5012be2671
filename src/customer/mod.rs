//! Customers: invites, their redemption, relationships, and the entitlement to chat.
//!
//! Owns the tables `customer.*`. Uses identity's functions for users; knows nothing of matches or messages.

pub mod erasure;
pub mod error;
pub mod invites;
pub mod records;
pub mod redeem;
pub mod relationships;
mod secrets;
pub mod service;
pub mod takeover;
#[cfg(test)]
pub mod testing;

use crate::store::table::TableInfo;

/// Every table of the customer domain, for the catalogue.
#[must_use]
pub fn tables() -> Vec<TableInfo> {
    vec![TableInfo::of::<records::Invite>(), TableInfo::of::<records::Relationship>()]
}
