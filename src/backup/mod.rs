//! Backups: the whole store and its keys in one sealed file, proved by filling a scratch store from it.
//!
//! ```text
//!   snapshot ─┐
//!   key file ─┴▶ stream of (space, key, value), digests, signature ─age▶ .name.part ─fsync▶ drill ─rename▶ name.age
//!                └ keys and login: sealed once more, to the recovery key alone
//!   name.age + recovery key ─▶ empty folder: keys, new epoch, rows ─▶ chat closed until what was due is destroyed
//! ```
//!
//! The outer seal opens with the recovery key and with a key of this box, so that the box can prove its own backups; the
//! keys within open with the recovery key alone, so that a backup that lies on the box brings nothing back that was
//! destroyed on it. Knows the store as spaces and pairs; what a domain's rows must agree in, the domain says.

pub mod check;
pub mod create;
pub mod error;
pub mod folder;
pub mod format;
pub mod incoming;
pub mod keys;
pub mod restore;
pub mod sheet;
pub mod undo;
