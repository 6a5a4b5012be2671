//! Chat: conversations, messages, moderation, retention and legal hold.
//!
//! ```text
//!   send ──seal (two copies, two keys)──▶ one transaction ──▶ participants' copy · archive copy
//!   read ──▶ vanishes from both lists at once ──▶ participants' copy destroyed within the shred window
//!   review ──audit row on disk──▶ archive copy opened
//!   expiry ──doomed (hold looked at) ──▶ bucket keys destroyed ──▶ rows deleted
//! ```
//!
//! Owns the tables `chat.*` and the key file. Plain text exists in memory only: [`body::Body`] and [`seal::Open`] are
//! wiped when dropped, and nothing but [`seal::Sealed`] can be stored. Knows no HTTP and no matches.

pub mod audit;
#[cfg(test)]
#[cfg(feature = "age")]
mod away_tests;
pub mod blocks;
pub mod body;
pub mod conversations;
pub mod destroy;
pub mod erasure;
pub mod error;
pub mod evidence;
pub mod facts;
pub mod hold;
pub mod messages;
pub mod owned;
mod records;
pub mod retention;
mod returned;
pub mod review;
pub mod scope;
pub mod seal;
pub mod service;
pub mod takeover;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod timing;
pub mod trail;

use crate::store::table::TableInfo;

/// Every table of chat, for the catalogue.
#[must_use]
pub fn tables() -> Vec<TableInfo> {
    vec![
        TableInfo::of::<records::Conversation>(),
        TableInfo::of::<records::Message>(),
        TableInfo::of::<records::Audit>(),
        TableInfo::of::<records::holds::WideHold>(),
        TableInfo::of::<records::holds::Release>(),
        TableInfo::of::<records::holds::Block>(),
        TableInfo::of::<records::holds::TimeMark>(),
        TableInfo::of::<records::destroyed::DestroyedKey>(),
        TableInfo::of::<trail::Acknowledged>(),
        TableInfo::of::<takeover::Opening>(),
    ]
}
