//! The Whot box as a library: `main.rs` and the tests are its two users.
//!
//! The modules stand in the order in which they may use one another, lowest first (docs/ARCHITECTURE.md);
//! the empty lines keep the formatter from sorting them.

/// The C library's allocator keeps what each thread has freed: 367 MiB at the end of an import of a million messages,
/// where this one, with huge pages left out, keeps it under 256 (`benches/moving.rs`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod base;

pub mod whot;

pub mod store;

pub mod identity;

pub mod customer;
pub mod doctor;

pub mod chat;

pub mod game;

pub mod ledger;

pub mod catalog;

pub mod live;
pub mod mdns;
pub mod system;

pub mod config;

pub mod app;
pub mod backup;

pub mod upstream;

pub mod moving;

pub mod jobs;

pub mod http;

pub mod cli;
