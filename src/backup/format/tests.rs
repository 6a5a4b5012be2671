//! The stream against its golden bytes, and against whatever a disk or a forger makes of it.

use super::*;
use crate::base::secret::Secret;

const AT: Timestamp = Timestamp::from_micros(1_795_341_600_000_000);

fn signer() -> Signer {
    Signer::new(&Secret::new([7; 32]))
}

fn head() -> Head {
    Head {
        id: Uuid::from_u128(1),
        version: "0.1.0".into(),
        made_at: AT,
        box_id: Uuid::from_u128(2),
        epoch: Uuid::from_u128(3),
        logging: true,
        key_check: "00".repeat(32),
        created_at: AT.micros(),
        layout: 1,
        machine: None,
        signer: STANDARD.encode(signer().public()),
        facts: Facts {
            live_matches: 2,
            holds: 1,
            next_expiry: Some(AT.micros()),
            audits: 3,
            audit_head: "ab".repeat(32),
        },
    }
}

fn pairs() -> Vec<(Space, Pair)> {
    let row = |n: u8| (Space::Rows, (vec![0, 9, n], vec![n; 40]));
    vec![row(1), row(2), (Space::Rows, (vec![0, 10], vec![])), (Space::Indexes, (vec![0, 9, 1, 1], vec![1]))]
}

fn stream() -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), &head(), b"sealed keys").unwrap();
    pairs().iter().for_each(|(space, pair)| writer.pair(*space, pair).unwrap());
    let (end, bytes) = writer.end(&signer()).unwrap();
    assert_eq!((end.total(), end.indexes), (3, 1));
    bytes
}

fn read(bytes: &[u8]) -> Result<Vec<(Space, Pair)>, Error> {
    let mut reader = Reader::begin(bytes)?;
    let mut all = Vec::new();
    while let Some(found) = reader.pairs()? {
        all.extend(found);
    }
    assert_eq!((reader.head, reader.sealed.as_slice()), (head(), &b"sealed keys"[..]));
    Ok(all)
}

#[test]
fn the_stream_is_as_it_was() {
    let path = format!("{}/schemas/backup/stream.v1.hex", env!("CARGO_MANIFEST_DIR"));
    let lines: String = hex(&stream()).as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n").collect();
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &lines).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), lines);
    assert_eq!(read(&stream()).unwrap(), pairs());
}

#[test]
fn every_bent_byte_and_every_cut_is_named() {
    let whole = stream();
    for at in 0..whole.len() {
        assert!(read(&whole[..at]).is_err(), "cut at {at}");
        let mut bent = whole.clone();
        bent[at] ^= 4;
        assert!(read(&bent).is_err(), "byte {at}");
    }
    assert!(matches!(read(&[whole, vec![0]].concat()), Err(Error::Broken(_))));
}

#[test]
fn another_signature_is_not_taken() {
    let writer = Writer::begin(Vec::new(), &head(), b"sealed keys").unwrap();
    let (_, forged) = writer.end(&Signer::new(&Secret::new([8; 32]))).unwrap();
    assert!(matches!(read(&forged), Err(Error::Broken(why)) if why.contains("signature")));
}
