//! Stories about accounts: signing in, staying signed in, losing the password, losing the account.

mod accounts;
mod erasure;
pub(crate) mod fixture;
mod forged;
mod guessing;
mod matrix;
mod repeated;
mod sessions;
mod webhook;
