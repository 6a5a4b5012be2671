//! Identity: users, sessions, passwords, tokens and one-time codes.
//!
//! Owns the tables `identity.*`. Knows nothing of invites, matches or chats; those know a user through
//! [`users::UserInfo`] and a permission through the values of [`access`].

pub mod access;
pub mod records;
#[cfg(test)]
pub mod testing;
pub mod users;

use crate::store::table::TableInfo;

/// Every table of identity, for the catalogue.
#[must_use]
pub fn tables() -> Vec<TableInfo> {
    vec![
        TableInfo::of::<records::User>(),
        TableInfo::of::<records::Session>(),
        TableInfo::of::<records::Attempt>(),
        TableInfo::of::<records::Otp>(),
    ]
}
