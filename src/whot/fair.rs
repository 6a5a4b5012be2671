//! Commit and reveal (section 17 of the rules): what the server promises before a deal and how a round's seed follows.
//!
//! Pure arithmetic on bytes given by the caller. Draws no randomness and knows nothing of sessions or players:
//!
//! ```text
//! server_seed ──SHA-256──▶ commitment          published before any nonce is taken
//! session, round, server_seed, nonce0, nonce1 ──SHA-256──▶ seed ──▶ deck (crate::whot::shuffle)
//! ```

use sha2::{Digest, Sha256};

use crate::whot::card::PerSeat;
use crate::whot::shuffle::Seed;

/// Opens every commitment (rules 17.1).
const COMMIT_LABEL: &[u8] = b"whotbox/commit/v1\0";
/// Opens every seed derivation (rules 17.3).
const SEED_LABEL: &[u8] = b"whotbox/seed/v1\0";

/// The nonce of a seat that sent none before the deal (rules 17.2).
pub const NO_NONCE: [u8; 32] = [0; 32];

/// What is published before any nonce is taken (rules 17.1). Shows nothing of the server seed.
pub fn commitment(server_seed: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(COMMIT_LABEL).chain_update(server_seed).finalize().into()
}

/// The seed of a round (rules 17.3). `session_id` is the 16 bytes of the session's UUID in text order.
pub fn round_seed(session_id: &[u8; 16], round: u32, server_seed: &[u8; 32], nonces: &PerSeat<[u8; 32]>) -> Seed {
    let [nonce0, nonce1] = &nonces.0;
    let hash = Sha256::new()
        .chain_update(SEED_LABEL)
        .chain_update(session_id)
        .chain_update(round.to_le_bytes())
        .chain_update(server_seed)
        .chain_update(nonce0)
        .chain_update(nonce1)
        .finalize();
    Seed(hash.into())
}
