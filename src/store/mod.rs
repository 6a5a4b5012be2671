//! The store: typed tables over redb with one write path (design, section 3).
//!
//! ```text
//!   handler ──command──▶ queue ──▶ writer thread ────────────────▶ answers, notices
//!     (async)           (bounded)   │ for each command: a Tx
//!                                   │   reads: own writes, then the shared redb transaction
//!                                   │   Ok → flush rows, indexes, change log · Err → dropped
//!                                   │ until nothing is queued: what came meanwhile joins
//!                                   │ lane heads, once
//!                                   └ one commit: pages ─fsync─▶ root ─fsync─▶
//!   reader ──▶ Snapshot (redb read transaction; never queues)
//! ```
//!
//! - **A commit is for all that had queued.** Nothing waits for company: the batch is what came during the last fsync
//!   and while the batch itself ran. An answer, a refusal too, is given after the commit, because a refusal may rest on
//!   what an earlier command of the batch wrote.
//! - **A row, its index entries, its log entry and the idempotency record move together**, because a command's overlay is
//!   flushed whole or dropped whole, and a commit holds whole overlays.
//! - **Two phases**: the pages and the new root are on the disk before the one byte that makes the root the present one.
//!   With it redb saves which pages are free, so that after a kill the file opens without being walked.
//! - **A failed commit promises nothing, either way.** redb refuses every write after an I/O error, so the file is closed
//!   and opened again before the batch is refused; what the disk took of the commit is there or not, whole. A full
//!   disk can be opened and read, because opening a store that is whole writes no page.
//! - **What can go wrong without the disk** stays small: a command that panics loses its own writes, a listener that
//!   panics loses notices, a full queue refuses at once.
//!
//! Measured (`benches/store/`): 64 writers who wait for their commits are more than ten times as fast together as one
//! alone, and about as fast as redb with the same pairs and nothing over it. Random keys cost most, because each dirties a
//! page of its own: keys that grow are worth having.
//!
//! Only this module names redb, so that the commit protocol can be replaced behind it.
//! Must not know what any table means.

pub mod change;
pub mod columns;
pub mod dead;
mod engine;
pub mod fault;
pub mod index;
mod journal;
pub mod key;
mod layout;
pub mod medium;
mod memory;
mod merge;
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
