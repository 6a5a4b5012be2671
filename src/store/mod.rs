//! The store: typed tables over redb with one write path (design, section 3).
//!
//! ```text
//!   handler ──command──▶ queue ──▶ writer thread ───────────────▶ answers, notices
//!     (async)           (bounded)   │ for each command: a Tx
//!                                   │   reads: own writes, then the shared redb transaction
//!                                   │   Ok → flush rows, indexes, change log · Err → dropped
//!                                   └ one commit (2 phases, fsync) for all that had queued
//!   reader ──▶ Snapshot (redb read transaction; never queues)
//! ```
//!
//! Only this module names redb, so that the commit protocol can be replaced behind it.
//! Must not know what any table means.

pub mod change;
pub mod columns;
pub mod dead;
pub mod fault;
pub mod index;
pub mod key;
pub mod medium;
pub mod meta;
pub mod once;
mod overlay;
pub mod page;
pub mod read;
pub mod record;
pub mod relog;
pub mod snapshot;
pub mod table;
#[cfg(test)]
pub mod testing;
pub mod tx;
pub mod writer;
