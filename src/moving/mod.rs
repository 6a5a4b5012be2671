//! Moving in and out: the data of the four old services into a box, and a box's data out again.
//!
//! ```text
//!   source (SQLite, PostgreSQL; read only)
//!     │ catalogue ──▶ map: which column is which, or exactly what is missing
//!     │ rows, in an order that is the same each time
//!     ▼
//!   run ── a batch of cells ──▶ desk: translate ─▶ seal, hash ─▶ ONE transaction: rows, notes, progress
//!     │                              │                            (the domains' own functions, the one write path)
//!     │                              └ a row is taken, known, merged, dropped or refused: never lost
//!     ├── the same rows again ──▶ desk: compared with what the box has now
//!     ▼
//!   report: per table the sums, every refusal by id, digests of both sides
//! ```
//! The desk is the box's side: it may be this process (a stopped box) or another one, behind the admin socket. Progress is
//! in the store and moves with the rows, so an import that was cut off goes on, and one that is done changes nothing.
//! Only this module names rusqlite. Must not know HTTP.

pub mod cell;
pub mod cipher;
pub mod desk;
pub mod export;
pub mod map;
pub mod report;
pub mod run;
pub mod source;
pub mod tables;
pub mod translate;
