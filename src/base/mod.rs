//! The ground floor: ids, time, randomness, bounded text, secrets, digests, what stands in a certificate, the AEAD,
//! and files that outlast a power cut.
//!
//! Depends on nothing of ours. Nothing here knows a user, a card or a table.

pub mod aead;
pub mod certificate;
pub mod digest;
pub mod durable;
pub mod entropy;
pub mod fernet;
pub mod id;
pub mod keys;
pub mod notice;
pub mod recovery;
pub mod secret;
pub mod sign;
pub mod text;
pub mod time;
