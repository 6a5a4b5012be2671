//! What the keyring promises: durable before it is used, gone from the disk before it is forgotten.

use std::path::Path;

use uuid::Uuid;

use crate::base::entropy::SeededEntropy;
use crate::base::keys::MasterKey;
use crate::chat::seal::keyring::*;

const PAIR: Kind = Kind::Day(7);

fn now() -> Timestamp {
    Timestamp::from_micros(1_795_341_600_000_000)
}

fn ring(folder: &Path, seed: u64) -> Keyring {
    let keys = FileKeys::new(&MasterKey::new([1; 32]), Uuid::from_u128(1));
    Keyring::open(folder.join("chat.keys"), keys, Arc::new(SeededEntropy::new(seed))).unwrap()
}

#[test]
fn a_key_is_in_the_file_before_it_is_in_use_and_so_is_the_next_days() {
    let dir = tempfile::tempdir().unwrap();
    let first = ring(dir.path(), 1);
    first.ensure(&[PAIR], now()).unwrap();
    let again = ring(dir.path(), 2);
    for kind in [PAIR, Kind::Day(8)] {
        let (was, is) = (first.current(kind).unwrap(), again.current(kind).unwrap());
        assert_eq!((was.id, was.key.expose()), (is.id, is.key.expose()));
    }
}

#[test]
fn a_destroyed_key_is_in_no_byte_of_the_folder_and_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let ring_now = ring(dir.path(), 1);
    ring_now.ensure(&[PAIR], now()).unwrap();
    let dead = ring_now.current(PAIR).unwrap().id;
    let holds = |id: BucketId| {
        std::fs::read(dir.path().join("chat.keys")).unwrap().windows(16).any(|window| window == id.as_bytes())
    };
    assert!(holds(dead), "the negative control");
    ring_now.destroy(&[dead]).unwrap();
    assert!(!holds(dead) && ring_now.get(dead).is_none() && ring(dir.path(), 2).get(dead).is_none());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_retired_bucket_takes_nothing_more_and_its_successor_does_even_where_the_clock_went_back() {
    let dir = tempfile::tempdir().unwrap();
    let ring_now = ring(dir.path(), 1);
    ring_now.ensure(&[PAIR], now()).unwrap();
    let old = ring_now.current(PAIR).unwrap().id;
    ring_now.retire(&[old]);
    assert!(!ring_now.writable(old) && ring_now.current(PAIR).is_none() && ring_now.get(old).is_some());
    ring_now.ensure(&[PAIR], Timestamp::from_micros(0)).unwrap();
    let new = ring_now.current(PAIR).unwrap().id;
    assert_ne!(new, old);
    let after = ring(dir.path(), 2);
    assert!(after.writable(new) && !after.writable(old), "a restart finds the same one newest");
}

#[test]
fn what_the_disk_refuses_is_not_in_the_ring() {
    let dir = tempfile::tempdir().unwrap();
    let ring_now = ring(dir.path(), 1);
    std::fs::create_dir(dir.path().join("chat.keys.new")).unwrap();
    assert!(matches!(ring_now.ensure(&[PAIR], now()), Err(KeyFileError::Io(_))));
    assert!(ring_now.current(PAIR).is_none());
    std::fs::remove_dir(dir.path().join("chat.keys.new")).unwrap();
    ring_now.ensure(&[PAIR], now()).unwrap();
    assert!(ring_now.current(PAIR).is_some());
}

#[test]
fn many_who_wait_share_file_writes_and_all_get_their_keys() {
    let dir = tempfile::tempdir().unwrap();
    let ring_now = ring(dir.path(), 1);
    std::thread::scope(|scope| {
        for day in 0..32 {
            let ring_now = &ring_now;
            scope.spawn(move || ring_now.ensure(&[Kind::Day(day)], now()).unwrap());
        }
    });
    assert_eq!(ring_now.status().days, 33);
    assert_eq!(ring(dir.path(), 2).status(), ring_now.status());
}

#[test]
fn a_rotation_keeps_every_key_and_a_temporary_file_left_by_a_power_cut_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let ring_now = ring(dir.path(), 1);
    ring_now.ensure(&[PAIR], now()).unwrap();
    let (before, key) =
        (std::fs::read(dir.path().join("chat.keys")).unwrap(), *ring_now.current(PAIR).unwrap().key.expose());
    ring_now.rotate().unwrap();
    let after = ring(dir.path(), 2);
    assert_eq!((after.status().wrap_version, *after.current(PAIR).unwrap().key.expose()), (2, key));
    // The cut came after the new file was written and before it was renamed: the old one stands.
    let new = std::fs::read(dir.path().join("chat.keys")).unwrap();
    std::fs::write(dir.path().join("chat.keys"), before).unwrap();
    std::fs::write(dir.path().join("chat.keys.new"), &new[..new.len() / 2]).unwrap();
    let cut = ring(dir.path(), 3);
    assert_eq!((cut.status().wrap_version, *cut.current(PAIR).unwrap().key.expose()), (1, key));
    cut.rotate().unwrap();
    assert_eq!(ring(dir.path(), 4).status().wrap_version, 2);
}
