//! The store: typed tables over redb with one write path (design, section 3).
//!
//! ```text
//!   handler ──command──▶ queue ──▶ writer thread ──────────────────────────────▶ answers, notices
//!     (async)           (bounded)   │ for each command: a Tx
//!                                   │   reads: own writes, then the commit in the making, then the snapshot below
//!                                   │   Ok → rows, indexes, change log into the commit · Err → dropped
//!                                   │ until nothing is queued: what came meanwhile joins
//!                                   └ one commit: a record of the journal ─write, fsync─▶ seen by readers
//!                                                    │ half of the journal is full
//!                                                    ▼
//!                                      checkpoint: newest of each key ─▶ redb's tables, in two phases
//!   reader ──▶ Snapshot: tables, and over them what was committed since (never queues)
//! ```
//!
//! - **A commit is for all that had queued.** Nothing waits for company: the batch is what came during the last fsync
//!   and while the batch itself ran. An answer, a refusal too, is given after the commit, because a refusal may rest on
//!   what an earlier command of the batch wrote.
//! - **A row, its index entries, its log entry and the idempotency record move together**, because a command's overlay is
//!   taken whole or dropped whole, a commit holds whole overlays, and a record of the journal holds a whole commit.
//! - **The journal makes a commit durable** ([`journal`]): one write and one fsync. What is in it is in memory too
//!   ([`memory`]), so that it can be read, until a checkpoint puts it into the tables, a page once for many commits. What
//!   the journal cannot take (an import's batch, a log that is emptied) is its own checkpoint.
//! - **A checkpoint is two-phased**: the pages and the new root are on the disk before the one byte that makes the root
//!   the present one. With it redb saves which pages are free, so that after a kill the file opens without being walked;
//!   the journal is read back over it in milliseconds.
//! - **A failed commit promises nothing, either way.** After an I/O error the file is closed and opened again before the
//!   batch is refused; what the disk took of the commit is there or not, whole. A full disk can be opened and read, and
//!   the journal, whose blocks have their place already, takes what it can before commits are refused.
//! - **What can go wrong without the disk** stays small: a command that panics loses its own writes, a listener that
//!   panics loses notices, a full queue refuses at once.
//!
//! Measured (`benches/store/`, decision 0008): 64 writers who wait for their commits are more than eight times as fast
//! together as one alone, and twice as fast as a local PostgreSQL.
//!
//! Only this module names redb, so that the commit protocol can be replaced behind it.
//! Must not know what any table means.

pub mod answers;
pub mod backups;
pub mod bulk;
pub mod change;
pub mod chosen;
pub mod columns;
pub mod compared;
pub mod courier;
pub mod dead;
mod engine;
pub mod fault;
pub mod form;
pub mod index;
mod journal;
pub mod key;
mod layout;
pub mod locked;
pub mod medium;
mod memory;
mod merge;
pub mod meta;
pub mod once;
mod overlay;
pub mod page;
mod panics;
pub mod read;
pub mod rebuild;
pub mod record;
pub mod relog;
pub mod snapshot;
pub mod table;
#[cfg(test)]
pub mod testing;
pub mod tx;
pub mod upgrade;
pub mod values;
pub mod writer;
