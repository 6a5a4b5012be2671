//! The service: the keys that server seeds are sealed under and reconnect tokens derive from, and the turn clocks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::aead;
use crate::base::digest::{Key, keyed, sha256};
use crate::base::entropy::Entropy;
use crate::base::id::GameId;
use crate::base::keys::{MasterKey, Purpose};
use crate::game::clock::Clocks;
use crate::game::present::Presents;
use crate::game::records::{Round, ServerSeed};
use crate::store::fault::Fault;
use crate::store::record::Record;
use crate::whot::card::{PerSeat, Seat};
use crate::whot::fair::{NO_NONCE, commitment, round_seed};
use crate::whot::shuffle::Seed;

/// The game domain of a box.
pub struct Service {
    round: Key,
    reconnect: Key,
    clocks: Mutex<Clocks>,
    pub(in crate::game) presents: Presents,
}

/// A server seed that was just drawn: what is published of it, and what is kept.
pub(in crate::game) struct Drawn {
    pub(in crate::game) commitment: [u8; 32],
    pub(in crate::game) sealed: Vec<u8>,
}

impl Service {
    /// The service of a box.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self {
            round: master.derive(Purpose::Round),
            reconnect: master.derive(Purpose::Reconnect),
            clocks: Mutex::default(),
            presents: Presents::default(),
        }
    }

    /// The turn clocks of all matches. Hold the guard for a moment only.
    pub fn clocks(&self) -> MutexGuard<'_, Clocks> {
        self.clocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws the server's share in a round (rules 17.1).
    pub(in crate::game) fn draw(&self, entropy: &dyn Entropy, game: GameId, round: u32) -> Drawn {
        let server_seed: [u8; 32] = entropy.bytes();
        let sealed = aead::seal(&self.round, entropy, &binding(game, round), &server_seed);
        Drawn { commitment: commitment(&server_seed), sealed }
    }

    /// The server's share in a round, sealed or revealed. Bytes that cannot be opened are damage.
    pub(in crate::game) fn server_seed(&self, round: &Round) -> Result<[u8; 32], Fault> {
        let sealed = match &round.server_seed {
            ServerSeed::Open(open) => return Ok(*open),
            ServerSeed::Sealed(sealed) => sealed,
        };
        let opened = aead::open(&self.round, &binding(round.game_id, round.round), sealed).ok();
        opened.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| damage("the server seed cannot be opened"))
    }

    /// The seed of a round (rules 17.3). A seat that sent no nonce has the zero one.
    pub(in crate::game) fn seed(&self, round: &Round) -> Result<Seed, Fault> {
        let game = round.game_id.raw().as_uuid().ok_or_else(|| damage("the match's id is no UUID"))?;
        let nonces = PerSeat(round.nonces.map(|nonce| nonce.unwrap_or(NO_NONCE)));
        Ok(round_seed(game.as_bytes(), round.round, &self.server_seed(round)?, &nonces))
    }

    /// A seat's reconnect token of a generation, as the key derives it.
    pub(in crate::game) fn reconnect_token(&self, game: GameId, seat: Seat, generation: u32) -> [u8; 32] {
        keyed(&self.reconnect, &[&game.raw().binding(), &[seat.index()], &generation.to_be_bytes()])
    }
}

/// What is stored of a reconnect token.
pub(in crate::game) fn token_digest(token: &[u8]) -> [u8; 32] {
    sha256(&[b"reconnect", token])
}

fn binding(game: GameId, round: u32) -> Vec<u8> {
    let mut binding = game.raw().binding();
    binding.extend_from_slice(&round.to_be_bytes());
    binding
}

fn damage(reason: &'static str) -> Fault {
    Fault::Corrupt { table: Round::TABLE.name, reason }
}
