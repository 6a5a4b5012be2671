//! Stories about accounts: signing in, staying signed in, losing the password, losing the account.

mod accounts;
pub(crate) mod fixture;
mod guessing;
mod sessions;
