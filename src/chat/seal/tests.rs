//! What a sealed copy promises, and its golden bytes, which a second language makes and checks
//! (schemas/chat/golden.py).

use std::path::Path;

use crate::base::entropy::SeededEntropy;
use crate::base::keys::MasterKey;
use crate::chat::seal::bucket::{BucketId, Kind};
use crate::chat::seal::file::{FileKeys, KeyFileError};
use crate::chat::seal::{
    Binding, Body, Bucket, Content, CopyKind, Integrity, KEY_ID, Open, Sealed, Secret, Timestamp, Uuid, WRAPPED, aead,
    rewrap, seal,
};

fn binding() -> Binding {
    Binding {
        box_id: Uuid::from_u128(0x019a_b3c0_0000_7000_8000_0000_0000_0001),
        conversation: "019ab3c0-0000-7000-8000-000000000002".parse().unwrap(),
        message: "019ab3c0-0000-7000-8000-000000000003".parse().unwrap(),
        sender: "old-user-17".parse().unwrap(),
        created_at: Timestamp::from_micros(1_795_341_600_123_456),
    }
}

fn bucket(n: u8, kind: Kind) -> Bucket {
    let created_at = Timestamp::from_micros(1_795_341_600_000_000 + i64::from(n));
    Bucket { id: BucketId::from_bytes([n; 16]), kind, created_at, key: Secret::new([n + 100; 32]) }
}

fn pair(n: u8) -> Bucket {
    bucket(n, Kind::Participants(binding().conversation))
}

fn text(client: Option<&str>, body: &str) -> Open {
    Open { client_message_id: client.map(|id| id.parse().unwrap()), body: Body::parse(body.into()).unwrap() }
}

/// Opens a copy that the box can open.
fn open(kind: CopyKind, bucket: &Bucket, binding: &Binding, sealed: &Sealed) -> Result<Open, Integrity> {
    match super::open(kind, bucket, binding, sealed)? {
        Content::Text(open) => Ok(open),
        Content::Away(_) => panic!("only a key off the box opens it"),
    }
}

#[test]
fn opens_only_with_its_bucket_its_kind_and_every_identifying_field() {
    let (b, ours) = (binding(), pair(1));
    let sealed = seal(CopyKind::Participants, &ours, &b, &text(Some("c-1"), "Wetin dey?"), &SeededEntropy::new(1));
    let opened = open(CopyKind::Participants, &ours, &b, &sealed).unwrap();
    assert_eq!((opened.body.as_str(), opened.client_message_id), ("Wetin dey?", Some("c-1".parse().unwrap())));
    assert!(open(CopyKind::Archive, &ours, &b, &sealed).is_err());
    let mut same_key_other_id = pair(1);
    same_key_other_id.id = BucketId::from_bytes([9; 16]);
    for other in [pair(2), same_key_other_id] {
        assert!(open(CopyKind::Participants, &other, &b, &sealed).is_err());
    }
    for foreign in [
        Binding { box_id: Uuid::nil(), ..b },
        Binding { conversation: "x".parse().unwrap(), ..b },
        Binding { message: "x".parse().unwrap(), ..b },
        Binding { sender: "x".parse().unwrap(), ..b },
        Binding { created_at: Timestamp::from_micros(0), ..b },
    ] {
        assert!(open(CopyKind::Participants, &ours, &foreign, &sealed).is_err());
    }
}

#[test]
fn no_byte_can_be_changed_or_cut_off() {
    let (b, ours) = (binding(), pair(1));
    let sealed = seal(CopyKind::Archive, &ours, &b, &text(None, "hello"), &SeededEntropy::new(1));
    for at in 0..sealed.as_bytes().len() {
        let mut bent = sealed.as_bytes().to_vec();
        bent[at] ^= 0x80;
        assert!(open(CopyKind::Archive, &ours, &b, &Sealed::from_stored(bent)).is_err(), "byte {at}");
        let cut = sealed.as_bytes()[..at].to_vec();
        assert!(open(CopyKind::Archive, &ours, &b, &Sealed::from_stored(cut)).is_err(), "cut at {at}");
    }
}

#[test]
fn lengths_go_in_steps_of_64_bytes() {
    let (b, ours) = (binding(), pair(1));
    let length =
        |body: &str| seal(CopyKind::Archive, &ours, &b, &text(None, body), &SeededEntropy::new(1)).as_bytes().len();
    let fixed = 1 + KEY_ID + WRAPPED + aead::OVERHEAD;
    assert_eq!((length("x"), length(&"x".repeat(61)), length(&"x".repeat(62))), (fixed + 64, fixed + 64, fixed + 128));
    let longest = "𝄞".repeat(4000);
    let sealed = seal(CopyKind::Archive, &ours, &b, &text(Some(&"c".repeat(128)), &longest), &SeededEntropy::new(1));
    assert_eq!(open(CopyKind::Archive, &ours, &b, &sealed).unwrap().body.as_str(), longest);
}

#[test]
fn a_rewrapped_copy_opens_with_its_new_bucket_alone_and_keeps_its_sealed_text() {
    let (b, old, new) = (binding(), pair(1), pair(2));
    let sealed = seal(CopyKind::Participants, &old, &b, &text(None, "stays"), &SeededEntropy::new(1));
    let moved = rewrap(CopyKind::Participants, &old, &new, &b, &sealed, &SeededEntropy::new(2)).unwrap();
    assert_eq!(open(CopyKind::Participants, &new, &b, &moved).unwrap().body.as_str(), "stays");
    assert!(open(CopyKind::Participants, &old, &b, &moved).is_err());
    let text_at = 1 + KEY_ID + WRAPPED;
    assert_eq!(sealed.as_bytes()[text_at..], moved.as_bytes()[text_at..]);
}

fn golden(name: &str, bytes: &[u8]) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/chat").join(name);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, format!("{hex}\n")).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept.trim(), hex, "{name} changed: that is a new version of the format");
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap();
    kept.trim().as_bytes().chunks(2).map(byte).collect()
}

#[test]
fn sealed_bytes_are_the_golden_ones() {
    let (b, day) = (binding(), bucket(3, Kind::Day(20_870)));
    let plain = text(Some("client-1"), "Oya, make we play. \u{1F0CF}");
    let sealed = seal(CopyKind::Archive, &day, &b, &plain, &SeededEntropy::new(42));
    let kept = Sealed::from_stored(golden("sealed.v1.hex", sealed.as_bytes()));
    assert!(open(CopyKind::Archive, &day, &b, &kept).unwrap().body == plain.body);
}

fn file_keys(master: u8) -> FileKeys {
    FileKeys::new(&MasterKey::new([master; 32]), binding().box_id)
}

fn three() -> Vec<Bucket> {
    vec![
        bucket(1, Kind::Participants(binding().conversation)),
        bucket(2, Kind::Day(20_870)),
        bucket(3, Kind::Hold("old-17".parse().unwrap())),
    ]
}

#[test]
fn the_key_file_is_the_golden_one() {
    let bytes = file_keys(1).encode(1, three().iter(), &SeededEntropy::new(43));
    let contents = file_keys(1).decode(&golden("keyfile.v1.hex", &bytes)).unwrap();
    let plain = |b: &Bucket| (b.id, b.kind, b.created_at, *b.key.expose());
    assert_eq!(contents.buckets.iter().map(plain).collect::<Vec<_>>(), three().iter().map(plain).collect::<Vec<_>>());
    assert!(bytes.len() < 100 + 3 * 130, "about 100 bytes a key");
}

#[test]
fn a_wrong_master_another_box_a_newer_format_and_damage_are_told_apart() {
    let bytes = file_keys(1).encode(1, three().iter(), &SeededEntropy::new(43));
    assert!(matches!(file_keys(2).decode(&bytes), Err(KeyFileError::WrongMaster)));
    let other = FileKeys::new(&MasterKey::new([1; 32]), Uuid::nil());
    assert!(matches!(other.decode(&bytes), Err(KeyFileError::OtherBox)));
    let mut newer = bytes.clone();
    newer[6] = 2;
    assert!(matches!(file_keys(1).decode(&newer), Err(KeyFileError::Newer(2))));
    for at in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[at] ^= 1;
        assert!(file_keys(1).decode(&bent).is_err(), "byte {at}");
        assert!(file_keys(1).decode(&bytes[..at]).is_err(), "cut at {at}");
    }
}
