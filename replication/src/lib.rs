//! Change batches of one box to a central PostgreSQL, with the effect of each exactly once.
//!
//! A leaf: it knows tables as data ([`row`]), and nothing of users, cards or chat, of the box's store, of files it keeps or of
//! what time it is. Random numbers and clocks come in as arguments.
//!
//! # The protocol
//! Central keeps one cursor for each box and lane: `(epoch, seq, chain)`, how far the box's change log has come. A batch says where the
//! lane must stand and where it will stand. Rows and cursor move in ONE transaction, whose statements are all sent before the first is
//! answered, so a batch costs one round trip:
//!
//! ```text
//!   box                                              central
//!    │  begin                                           │
//!    │  begin_batch(lane, epoch, prev_seq, prev_chain) ─┼─▶ locks the lane's cursor row; stands elsewhere? error WB002
//!    │  chat.drop_messages(ids)                         │   ╮
//!    │  chat.put_messages(ids, column, column, …)       │   │ each refuses unless THIS transaction holds the lane;
//!    │  game.put_sessions(ids, column, …)               │   ╯ an error anywhere voids all that follows
//!    │  finish_batch(lane, seq, chain) ─────────────────┼─▶ moves the cursor
//!    │  commit                                          │
//!    │ ◀─────────────────────────── all answers ────────┤
//! ```
//!
//! Why the effect is exactly once:
//! - A batch sent twice finds the cursor moved; [`upstream::Applied::Before`] says so if it stands exactly at the batch's end.
//! - A lost answer is [`error::Error::Unknown`]. The box asks for the cursor, which waits for the row lock and so for whatever an older connection
//!   still has in flight; what it then says is final.
//! - A batch that does not start where the lane stands is [`error::Error::Elsewhere`]; [`fence::judge`] compares the cursor with the box's
//!   log and says where to resume, or why the box is fenced: a clone, an older copy, or a central restored beyond the log.
//! - A row that central will not hold is [`error::Error::Refused`], found by halving inside savepoints. Nothing of the batch was applied; the box
//!   lists the row as a dead letter, in its own store first, and sends the same stretch without it.
//! - Several batches may be in flight on one connection; if one fails, those behind it find the lane elsewhere and fail too.
//!
//! A [`row::Slice`] fills or mends a range of a table without moving a cursor.
//!
//! The box of a call is the box of `session_user`, in SQL and nowhere else. `schemas/postgres/README.md` has central's side.

pub mod admin;
pub mod backoff;
pub mod carried;
pub mod catalogue;
pub mod courier;
mod culprit;
pub mod digest;
mod encode;
pub mod error;
pub mod fence;
pub mod foreign;
mod json;
pub mod memory;
pub mod postgres;
pub mod reader;
pub mod row;
mod session;
pub mod settings;
pub mod upstream;
mod work;

/// The schema version of this program: the number of its last migration.
pub const SCHEMA: i64 = 16;

/// From this schema on central keeps whole records, and compares them.
pub const HAS_RECORDS: i64 = 10;

/// From this schema on central takes JSON as text.
pub const HAS_TEXTS: i64 = 16;
