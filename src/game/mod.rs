//! Matches: invites, sessions, fair deals, clocks, reconnects and scores around the rules in `crate::whot`.
//!
//! Owns who plays whom and what is stored of it. Knows no HTTP and no socket; what a player may see is decided by the
//! rules' own projections and by nothing here.
//!
//! ```text
//!   invites ──accept──▶ rounds::deal ──▶ Session + Round 1
//!   play(seat) ┐                          │
//!   timeout    ├─▶ play::act ──rules──▶ one Session row; at a round's end the Round row, revealed, and the next one
//!   next_round ┘                          │
//!                                         └─ history: played again from the rows, seen_by(seat) ─▶ frames, proofs
//! ```

pub mod bots;
pub mod clock;
pub mod erasure;
pub mod error;
pub mod export;
pub mod history;
pub mod invites;
pub mod play;
mod present;
mod rebuilt;
pub mod reconnect;
mod records;
pub mod rounds;
pub mod running;
pub mod scores;
pub mod service;
pub mod sessions;
pub mod takeover;
#[cfg(test)]
mod tests;

use crate::store::table::TableInfo;

pub use records::{BotLevel, InviteState};

/// The domain's tables, for the catalogue.
#[must_use]
pub fn tables() -> Vec<TableInfo> {
    vec![
        TableInfo::of::<records::GameInvite>(),
        TableInfo::of::<records::Session>(),
        TableInfo::of::<records::Round>(),
        TableInfo::of::<records::Standing>(),
        TableInfo::of::<records::Pair>(),
    ]
}
