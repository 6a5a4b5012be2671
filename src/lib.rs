//! The Whot box as a library: `main.rs` and the tests are its two users.
//!
//! The modules stand in the order in which they may use one another, lowest first (docs/ARCHITECTURE.md).

pub mod base;
pub mod live;
pub mod store;
pub mod whot;
