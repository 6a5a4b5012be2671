//! Stories of a central that keeps what the box must not lose and notices what the box must not change.

use std::sync::Arc;

use replication::memory::{Central, Memory};
use replication::row::{Cursor, Lane, Type, Value};
use uuid::Uuid;

use super::*;
use crate::base::entropy::SeededEntropy;
use crate::base::keys::MasterKey;
use crate::base::time::Timestamp;
use crate::catalog;
use crate::chat::audit::Diverged;
use crate::chat::seal::file::FileKeys;
use crate::chat::seal::keyring::Keyring;
use crate::chat::testing::{DAY, World, world};
use crate::upstream::sender::{Sender, Step};
use crate::upstream::state::Status;

const BOX: Uuid = Uuid::from_u128(1);

fn enrolled(central: &Central) -> Memory {
    central.enroll(BOX, Lane::ALL.map(|lane| (lane, Cursor { epoch: Uuid::from_u128(2), seq: 0, chain: [0; 32] })))
}

fn custody(w: &World, central: &Central) -> Custody<Memory> {
    // A world owns its service; a second one over the same key file stands for it, since the file is the truth.
    let chat = Arc::new(crate::chat::testing::service(&w.dir, &w.store, &w.clock, 1).unwrap());
    Custody::new(w.store.clone(), chat, w.clock.clone(), enrolled(central))
}

async fn sent(w: &World, central: &Central) {
    let status = Arc::new(Status::default());
    let mut sender = Sender::new(w.store.clone(), w.clock.clone(), status, catalog::tables(), enrolled(central));
    while sender.step().await == Step::Moved {}
}

fn copies(central: &Central) -> Vec<Wrapped> {
    let rows = central.rows(BOX, &BUCKET_KEYS).into_iter();
    let copy = |(id, values): (String, Vec<Value>)| match &values[..] {
        [Value::Bytes(kind), Value::Time(at), Value::BigInt(version), Value::Bytes(key)] => Wrapped {
            id: BucketId::from_bytes(id.parse::<Uuid>().unwrap().into_bytes()),
            created_at: Timestamp::from_micros(*at),
            kind: kind.clone(),
            wrap_version: u32::try_from(*version).unwrap(),
            key: key.clone(),
        },
        other => panic!("{other:?}"),
    };
    rows.map(copy).collect()
}

#[tokio::test]
async fn central_has_the_keys_wrapped_and_what_is_destroyed_here_is_destroyed_there() {
    let (w, central) = (world().await, Central::default());
    w.says(&w.ada, "old").await;
    w.clock.advance(40 * DAY);
    w.says(&w.ada, "young").await;
    custody(&w, &central).step().await.unwrap();
    let before = copies(&central);
    assert_eq!(before, w.chat.wrapped_keys().await.unwrap());
    assert!(BUCKET_KEYS.columns.iter().any(|column| column.ty == Type::Bytes));
    w.clock.advance(60 * DAY);
    w.runs().await;
    custody(&w, &central).step().await.unwrap();
    let after = copies(&central);
    assert_eq!(after, w.chat.wrapped_keys().await.unwrap());
    assert!(before.iter().any(|old| after.iter().all(|new| new.id != old.id)), "the expired day's key is gone");
}

#[tokio::test]
async fn a_lost_key_file_is_rebuilt_from_central_with_the_master_key_and_with_no_other() {
    let (w, central) = (world().await, Central::default());
    w.says(&w.ada, "still readable").await;
    w.chat.rotate_keys().await.unwrap();
    custody(&w, &central).step().await.unwrap();
    let path = w.dir.path().join(crate::chat::service::KEY_FILE);
    std::fs::remove_file(&path).unwrap();
    let (copies, entropy) = (copies(&central), SeededEntropy::new(5));
    let keys = |master: u8| FileKeys::new(&MasterKey::new([master; 32]), BOX);
    assert!(Keyring::rebuild(&path, &keys(2), &copies, &entropy).is_err() && !path.exists());
    Keyring::rebuild(&path, &keys(1), &copies, &entropy).unwrap();
    assert!(Keyring::rebuild(&path, &keys(1), &copies, &entropy).is_err(), "a file that is there is not replaced");
    let w = w.restarted();
    assert_eq!((w.sees(&w.bola), w.chat.keys().wrap_version), (vec!["still readable".to_owned()], 2));
}

#[tokio::test]
async fn nothing_is_sent_while_nothing_changes_and_a_part_alone_when_little_does() {
    let (w, central) = (world().await, Central::default());
    w.says(&w.ada, "hello").await;
    let mut custody = custody(&w, &central);
    custody.step().await.unwrap();
    assert!(custody.known.iter().all(Option::is_some));
    central.revoke(BOX);
    custody.step().await.expect("nobody is asked");
    w.clock.advance(HEARTBEAT);
    assert!(custody.step().await.is_err(), "but for the trail, in its time");
}

#[tokio::test]
async fn a_trail_that_is_cut_or_goes_on_another_way_is_seen_at_the_next_contact() {
    for again in [0, 1, 3] {
        let (w, central) = (world().await, Central::default());
        for _ in 0..3 {
            w.reviews().await.unwrap();
        }
        sent(&w, &central).await;
        let mut custody = custody(&w, &central);
        custody.step().await.unwrap();
        assert!(matches!(custody.chat.trail(), Some(Ok(_))), "the negative control");
        w.cuts_trail(2).await;
        for _ in 0..again {
            w.reviews().await.unwrap();
        }
        w.clock.advance(HEARTBEAT);
        custody.step().await.unwrap();
        let seen = custody.chat.trail().unwrap().unwrap_err();
        assert!(
            matches!((again, seen), (0 | 1, Diverged::Cut { central: 3, .. }) | (3, Diverged::Rewritten(3))),
            "{seen}"
        );
        sent(&w, &central).await;
        w.clock.advance(HEARTBEAT);
        custody.step().await.unwrap();
        assert!(custody.chat.trail().unwrap().is_err(), "and stays so when the new links have come to central");
    }
}

/// A box of three links that central knows, set back to one; what the custody then says of it.
async fn set_back() -> (World, Central, Custody<Memory>) {
    let (w, central) = (world().await, Central::default());
    for _ in 0..3 {
        w.reviews().await.unwrap();
    }
    sent(&w, &central).await;
    w.cuts_trail(2).await;
    let mut custody = custody(&w, &central);
    custody.step().await.unwrap();
    assert!(matches!(custody.chat.trail(), Some(Err(Diverged::Cut { central: 3, here: 1 }))));
    (w, central, custody)
}

/// Everything is sent, and both are compared.
async fn contact(w: &World, central: &Central, custody: &mut Custody<Memory>) -> Result<(), Diverged> {
    sent(w, central).await;
    w.clock.advance(HEARTBEAT);
    custody.step().await.unwrap();
    custody.chat.trail().unwrap().map(|_| ())
}

fn why() -> crate::base::text::Reason {
    "the disk broke, the backup of Monday was restored".parse().unwrap()
}

#[tokio::test]
async fn a_restore_that_somebody_acknowledges_is_on_the_trail_and_alarms_no_more() {
    let (w, central, mut custody) = set_back().await;
    let id = custody.chat.acknowledge_trail(&w.store, w.mods.id(), why()).await.unwrap();
    assert!(matches!(custody.chat.trail(), Some(Ok(_))), "at once");
    let again = custody.chat.acknowledge_trail(&w.store, w.mods.id(), why()).await;
    assert!(matches!(again, Err(Chat::NotDiverged)), "once");
    let read = w.store.read().unwrap();
    let link = audit::list(&read, None, &crate::store::page::Page::newest(1)).unwrap().items.remove(0);
    assert_eq!((link.id, link.action.name(), link.seq), (id, "divergence_acknowledged", 2));
    assert!(link.reason.as_str().contains("central: 3 links to 3") && link.reason.as_str().ends_with("here: 1; cut)"));
    assert!(audit::verify(&read).unwrap().is_ok());
    drop(read);
    // Also while the old end is longer, when both are as long, and from there on; and after a restart.
    for _ in 0..4 {
        assert_eq!(contact(&w, &central, &mut custody).await, Ok(()));
        w.reviews().await.unwrap();
    }
    assert!(!custody.chat.unsettled(&w.store.read().unwrap()).unwrap());
    let mut custody = super::tests::custody(&w, &central);
    assert_eq!(contact(&w, &central, &mut custody).await, Ok(()));
}

#[tokio::test]
async fn what_is_cut_or_set_back_after_the_acknowledgement_alarms_again() {
    // Two links more, of which one or both are cut, and then the trail goes on by none or more.
    for (cut, again) in [(1, 0), (2, 0), (1, 1), (2, 1), (2, 2), (1, 4)] {
        let (w, central, mut custody) = set_back().await;
        custody.chat.acknowledge_trail(&w.store, w.mods.id(), why()).await.unwrap();
        assert_eq!(contact(&w, &central, &mut custody).await, Ok(()));
        for _ in 0..2 {
            w.reviews().await.unwrap();
        }
        assert_eq!(contact(&w, &central, &mut custody).await, Ok(()), "the negative control");
        w.cuts_trail(cut).await;
        for _ in 0..again {
            w.reviews().await.unwrap();
        }
        let seen = contact(&w, &central, &mut custody).await;
        assert!(seen.is_err(), "cut {cut}, again {again}");
    }
}

#[tokio::test]
async fn a_box_that_is_set_back_before_its_acknowledgement_alarms_as_if_there_were_none() {
    let (w, central, mut custody) = set_back().await;
    let before = w.store.read().unwrap();
    assert!(!custody.chat.unsettled(&before).unwrap(), "nothing is acknowledged by itself");
    drop(before);
    for _ in 0..5 {
        w.reviews().await.unwrap();
        assert!(contact(&w, &central, &mut custody).await.is_err());
    }
}
