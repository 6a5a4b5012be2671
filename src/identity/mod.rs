//! Identity: users, sessions, passwords, tokens and one-time codes.
//!
//! Owns the tables `identity.*`. Knows nothing of invites, matches or chats; those know a user through
//! [`users::UserInfo`] and a permission through the values of [`access`].

pub mod access;
pub mod accounts;
pub mod cleanup;
pub mod codes;
pub mod console;
pub mod erasure;
pub mod error;
pub mod export;
pub mod legacy;
pub mod login;
mod old_passwords;
pub mod otp;
pub mod passwords;
pub mod phone;
pub mod policy;
pub mod records;
pub mod register;
pub mod service;
pub mod sessions;
pub mod takeover;
#[cfg(test)]
pub mod testing;
pub mod throttle;
pub mod tokens;
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
        TableInfo::of::<legacy::Influencer>(),
        TableInfo::of::<legacy::Referral>(),
        TableInfo::of::<legacy::Earning>(),
        TableInfo::of::<legacy::UserInfluencerCode>(),
        TableInfo::of::<throttle::Count>(),
        TableInfo::of::<codes::Pending>(),
        TableInfo::of::<erasure::Erasure>(),
    ]
}
