//! A store in memory for unit tests, with a clock that the test moves.

use std::io;
use std::sync::Arc;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use uuid::Uuid;

use crate::base::entropy::SeededEntropy;
use crate::base::secret::Secret;
use crate::base::time::{ManualClock, Timestamp};
use crate::store::fault::Fault;
use crate::store::medium::Medium;
use crate::store::meta;
use crate::store::writer::{Settings, Store};

#[derive(Debug)]
struct Memory;

impl Medium for Memory {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(InMemoryBackend::new()))
    }
}

/// An empty store that logs its changes, and its clock, at 2026-11-22T10:00:00Z.
pub fn store() -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_795_341_600_000_000)));
    let store = Store::open(Settings {
        medium: Arc::new(Memory),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(1)),
        digest_key: Secret::new([7; 32]),
        listener: Arc::new(|_| {}),
    })
    .unwrap();
    store
        .write_blocking(|tx, now| {
            meta::create(tx, now, Uuid::from_u128(1), [0; 32])?;
            meta::start_log(tx, Uuid::from_u128(2))
        })
        .map(|()| (store, clock))
        .map_err(|fault: Fault| fault)
        .unwrap()
}
