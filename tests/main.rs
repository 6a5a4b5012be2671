//! The tests of the box.

// Said again for the lints: their exceptions for tests reach every module below.
#![cfg(test)]

mod bots;
mod chat;
mod contract;
mod customer;
mod formats;
mod game;
mod http;
mod identity;
mod moving;
mod owner;
mod power;
mod readme;
mod replication;
mod store;
mod story;
mod support;
mod tidy;
mod whot;
