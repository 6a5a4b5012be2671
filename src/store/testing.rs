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
use crate::store::record::{Record, decode, encode};
use crate::store::table::TableInfo;
use crate::store::writer::{Settings, Store};

#[derive(Debug)]
struct Memory;

impl Medium for Memory {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(InMemoryBackend::new()))
    }

    fn journal_bytes(&self) -> u64 {
        64 << 10
    }
}

/// An empty store that logs its changes, and its clock, at 2026-11-22T10:00:00Z.
pub fn store() -> (Store, Arc<ManualClock>) {
    let (store, clock) = store_without_log();
    store.write_blocking(|tx, _| meta::start_log(tx, Uuid::from_u128(2))).unwrap();
    (store, clock)
}

/// The same of a box that was never enrolled.
pub fn store_without_log() -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_795_341_600_000_000)));
    let store = Store::open(Settings {
        medium: Arc::new(Memory),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(1)),
        digest_key: Secret::new([7; 32]),
        checkpoints_beside: false,
        listener: Arc::new(|_| {}),
    })
    .unwrap();
    store
        .write_blocking(|tx, now| meta::create(tx, now, Uuid::from_u128(1), [0; 32]))
        .map(|()| (store, clock))
        .map_err(|fault: Fault| fault)
        .unwrap()
}

/// A lost box is rebuilt from central: what went there must come back as it was. A refused row never was there, and a round that
/// is being played gets its seed from its parts.
#[track_caller]
fn comes_back<R: Record + PartialEq + std::fmt::Debug>(sample: &R, id: &str, values: &[replication::row::Value]) {
    if R::TABLE.name == "store.dead_letters" {
        return;
    }
    let back = R::of_upstream(id, values).unwrap();
    if R::TABLE.name != "game.rounds" {
        assert_eq!(&back, sample);
    }
    let again = (TableInfo::of::<R>().upstream_row)(back.key().as_bytes(), &encode(&back).unwrap()).unwrap();
    assert_eq!((again.0.as_str(), again.1.as_slice()), (id, values));
}

/// Compares a record's samples with the golden bytes of its version in `schemas/store`: what was stored once must be
/// read for ever, byte for byte, and fit its table upstream. `UPDATE_GOLDENS=1` writes them.
#[track_caller]
pub fn golden<R: Record + PartialEq + std::fmt::Debug>(samples: &[R]) {
    let path = format!("{}/schemas/store/{}.v{}.hex", env!("CARGO_MANIFEST_DIR"), R::TABLE.name, R::VERSION);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        let hex = |row: &R| encode(row).unwrap().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        std::fs::write(&path, samples.iter().map(|row| hex(row) + "\n").collect::<String>()).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept.lines().count(), samples.len());
    for (line, sample) in kept.lines().zip(samples) {
        let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = line.as_bytes().chunks(2).map(byte).collect();
        assert_eq!(&decode::<R>(sample.key().as_bytes(), &bytes).unwrap(), sample);
        assert_eq!(encode(sample).unwrap(), bytes);
        if let Some(upstream) = R::UPSTREAM {
            let key = sample.key();
            let (id, values) = (TableInfo::of::<R>().upstream_row)(key.as_bytes(), &bytes).unwrap();
            replication::row::Row { id: id.clone(), values: values.clone() }.check(upstream.table).unwrap();
            comes_back(sample, &id, &values);
        }
    }
}
