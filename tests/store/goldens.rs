//! The bytes of the store's own records, as every box has them: `schemas/store/`.
//!
//! `UPDATE_GOLDENS=1` writes files that are missing or differ. A file of a shipped version never changes: a changed
//! record is a new version with a file of its own.

use std::fmt::Debug;
use std::path::Path;

use replication::row::Lane;
use uuid::Uuid;
use whotbox::base::time::Timestamp;
use whotbox::store::change::{Entry, Op, entries_after};
use whotbox::store::dead::DeadLetter;
use whotbox::store::fault::Fault;
use whotbox::store::meta::{Identity, LAYOUT, LaneAck, LaneHead, SnapshotProgress};
use whotbox::store::once::{self, Done, KeyReused, OnceKey};
use whotbox::store::record::{Record, decode, encode};
use whotbox::store::tx::Tx;
use whotbox::store::writer::AsFault;

use super::lab::{Lab, START, note, pairs_of};

/// Compares bytes with their golden file, `<table>.v<version>.hex`.
#[track_caller]
fn golden(name: &str, version: u8, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/store/{name}.v{version}.hex"));
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines: String = hex.as_bytes().chunks(64).map(|line| format!("{}\n", str::from_utf8(line).unwrap())).collect();
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &lines).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(lines, kept, "{name}: a changed form is a new version with new golden bytes");
}

/// The bytes of a golden file.
fn kept(name: &str, version: u8) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/store/{name}.v{version}.hex"));
    let hex: String = std::fs::read_to_string(path).unwrap().split_whitespace().collect();
    let byte = |two: &[u8]| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap();
    hex.as_bytes().chunks(2).map(byte).collect()
}

/// A record is stored as its golden bytes, and they are read as the record.
#[track_caller]
fn is_golden<R: Record + Debug + PartialEq>(record: &R) {
    let stored = encode(record).unwrap();
    golden(R::TABLE.name, R::VERSION, &stored);
    assert_eq!(&decode::<R>(record.key().as_bytes(), &stored).unwrap(), record);
}

#[test]
fn the_stores_own_records_are_as_they_were() {
    let (id, epoch) = (Uuid::from_u128(0x1234), Uuid::from_u128(0x5678));
    is_golden(&Identity {
        box_id: id,
        epoch,
        parent_epoch: Some(id),
        logging: true,
        key_check: [7; 32],
        created_at: START,
        layout: LAYOUT,
    });
    is_golden(&LaneHead { lane: 2, seq: 300, chain: [1; 32] });
    is_golden(&LaneAck { lane: 1, seq: 200, chain: [2; 32], trimmed_seq: 100 });
    is_golden(&SnapshotProgress { after: vec![0, 9, 1], complete: false });
    let letter = DeadLetter {
        lane: 2,
        table: "chat.messages".into(),
        id: "17".into(),
        reason: "a value is out of range".into(),
        at: START,
        tries: 3,
    };
    is_golden(&letter);
    // The first version did not count tries.
    let old = kept(DeadLetter::TABLE.name, 1);
    let read = decode::<DeadLetter>(letter.key().as_bytes(), &old).unwrap();
    assert_eq!(read, DeadLetter { tries: 1, ..letter });
    is_golden(&Entry {
        lane: 2,
        seq: 70_000,
        table: 300,
        key: vec![1, 2, 3],
        op: Op::Put,
        digest: [5; 16],
        at: START,
        chain: [6; 32],
    });
}

#[test]
fn an_entry_that_a_commit_wrote_is_as_it_was() {
    // Its digest and its chain are part of the form: another box must come to the same.
    let lab = Lab::new();
    lab.put(&[note(1, 1)]).unwrap();
    let entry = entries_after(&lab.store.read().unwrap(), Lane::Bulk, 0, 1).unwrap().remove(0);
    golden("store.changes.written", Entry::VERSION, &encode(&entry).unwrap());
}

#[derive(Debug)]
struct Refused(Fault);

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl From<KeyReused> for Refused {
    fn from(_: KeyReused) -> Self {
        Self(Fault::Busy)
    }
}

impl AsFault for Refused {
    fn as_fault(&self) -> Option<&Fault> {
        Some(&self.0)
    }
}

#[test]
fn a_remembered_answer_is_as_it_was() {
    let lab = Lab::new();
    let key = OnceKey { key: [1; 32], request: [2; 32] };
    let command = move |tx: &mut Tx<'_>, now: Timestamp| once::once(tx, now, Some(key), |_| Ok::<_, Refused>(77_u64));
    let done: Done<u64> = lab.store.write_blocking(command).unwrap();
    assert_eq!(done.reference, 77);
    let rows = pairs_of(&lab.store.read().unwrap(), once::TABLE.id);
    let [(key, stored)] = rows.as_slice() else { panic!("there is one remembered answer") };
    golden(once::TABLE.id.name, once::TABLE.version, stored);
    (once::TABLE.check)(&key[2..], stored).unwrap();
}
