//! Who is connected, and who must be told what: bounded queues between commits and sockets.
//!
//! ```text
//!   commit ──Notice──▶ Hub ──Signal──▶ Subscription (bounded, duplicates folded) ──▶ socket task
//!                                                         reads a snapshot from its own cursor on
//! ```
//!
//! A signal says that something changed, never what it is, so a slow socket loses nothing by folding, and is
//! dropped, never waited for. Must not know rules, messages or HTTP.

pub mod company;
pub mod hub;
pub mod power;
pub mod presence;
