//! Stories of two people who write to each other, and of those who have no part in it.

use std::time::Duration;

use crate::base::entropy::{Entropy, SeededEntropy};
use crate::chat::body::Body;
use crate::chat::conversations::{self, Opened};
use crate::chat::error::Error;
use crate::chat::messages::Receipt;
use crate::chat::records::{Message, StoredCopy};
use crate::chat::seal::bucket::BucketId;
use crate::chat::seal::{CopyKind, Open, Sealed};
use crate::chat::service::Text;
use crate::chat::testing::{DAY, World, service, text, world};
use crate::chat::{audit, review};
use crate::store::once::OnceKey;
use crate::store::page::Page;

#[tokio::test]
async fn both_see_what_is_written_in_its_order() {
    let w = world().await;
    w.says(&w.ada, "good morning").await;
    w.says(&w.bola, "morning, boss").await;
    for who in [&w.ada, &w.bola] {
        assert_eq!(w.sees(who), ["good morning", "morning, boss"]);
    }
}

#[tokio::test]
async fn a_message_vanishes_for_both_once_its_recipient_has_read_it() {
    let w = world().await;
    let first = w.says(&w.ada, "first").await;
    w.says(&w.ada, "second").await;
    w.reads(&w.bola, first).await;
    assert_eq!((w.sees(&w.ada), w.sees(&w.bola)), (vec!["second".into()], vec!["second".into()]));
    assert_eq!(w.archive().await, ["first", "second"]);
}

#[tokio::test]
async fn receipts_are_the_recipients_and_twice_is_once() {
    let w = world().await;
    let id = w.says(&w.ada, "are you there?").await;
    assert!(matches!(w.acknowledges(&w.ada, id, Receipt::Read).await, Err(Error::OwnMessage)));
    assert!(matches!(w.acknowledges(&w.eze, id, Receipt::Read).await, Err(Error::NotFound)));
    let delivered = w.acknowledges(&w.bola, id, Receipt::Delivered).await.unwrap();
    w.clock.advance(Duration::from_secs(5));
    let read = w.acknowledges(&w.bola, id, Receipt::Read).await.unwrap();
    assert_eq!((read.delivered_at, read.text), (delivered.delivered_at, Text::Gone));
    w.clock.advance(Duration::from_secs(5));
    let again = w.acknowledges(&w.bola, id, Receipt::Read).await.unwrap();
    assert_eq!((again.read_at, again.vanished_at), (read.read_at, read.vanished_at));
}

#[tokio::test]
async fn reading_implies_delivery() {
    let w = world().await;
    let id = w.says(&w.ada, "hello").await;
    let read = w.acknowledges(&w.bola, id, Receipt::Read).await.unwrap();
    assert!(read.delivered_at.is_some() && read.delivered_at == read.read_at);
}

#[tokio::test]
async fn a_foreign_conversation_is_not_there() {
    let w = world().await;
    let sent = w.chat.send(&w.store, &w.eze, w.id, &text("let me in"), None).await;
    assert!(matches!(sent, Err(Error::NotFound)));
    let read = w.store.read().unwrap();
    assert!(matches!(w.chat.list(&read, &w.eze, w.id, None, Page::first(9)), Err(Error::NotFound)));
    assert!(matches!(conversations::of_participant(&read, &w.eze, w.id), Err(Error::NotFound)));
}

#[tokio::test]
async fn an_ended_relationship_ends_writing_and_not_reading() {
    let w = world().await;
    w.says(&w.ada, "before").await;
    w.parts().await;
    let sent = w.chat.send(&w.store, &w.bola, w.id, &text("after"), None).await;
    assert!(matches!(sent, Err(Error::NotEntitled)));
    assert_eq!(w.sees(&w.bola), ["before"]);
}

#[tokio::test]
async fn a_pair_has_one_conversation_and_strangers_have_none() {
    let w = world().await;
    let (ada, bola, eze) = (w.ada.player().unwrap(), w.bola.player().unwrap(), w.eze.id());
    let (other, id) = (w.ada.id(), w.id);
    let again = w.store.write(move |tx, now| conversations::open(tx, now, &bola, other)).await;
    assert_eq!(again.unwrap(), Opened { id, created: false });
    let stranger = w.store.write(move |tx, now| conversations::open(tx, now, &ada, eze)).await;
    assert!(matches!(stranger, Err(Error::NotEntitled)));
}

fn with_client_id(id: &str, body: &str) -> Open {
    Open { client_message_id: Some(id.parse().unwrap()), body: Body::parse(body.into()).unwrap() }
}

#[tokio::test]
async fn a_client_id_seen_before_finds_the_first_message() {
    let w = world().await;
    let first = w.chat.send(&w.store, &w.ada, w.id, &with_client_id("c1", "once"), None).await.unwrap().reference;
    let again = w.chat.send(&w.store, &w.ada, w.id, &with_client_id("c1", "twice?"), None).await.unwrap().reference;
    let bolas = w.chat.send(&w.store, &w.bola, w.id, &with_client_id("c1", "mine"), None).await.unwrap().reference;
    assert_eq!(first, again);
    assert_ne!(first, bolas);
    assert_eq!(w.sees(&w.ada), ["once", "mine"]);
}

#[tokio::test]
async fn a_repeated_request_answers_without_a_body_once_the_message_has_vanished() {
    let w = world().await;
    let key = Some(OnceKey { key: [1; 32], request: [2; 32] });
    let first = w.chat.send(&w.store, &w.ada, w.id, &text("once"), key).await.unwrap();
    w.reads(&w.bola, first.reference).await;
    let again = w.chat.send(&w.store, &w.ada, w.id, &text("once"), key).await.unwrap();
    assert_eq!((again.reference, again.replayed), (first.reference, true));
    let info = w.chat.message(&w.store.read().unwrap(), &w.ada, again.reference).unwrap();
    assert_eq!(info.text, Text::Gone);
}

#[tokio::test]
async fn unread_counts_follow_sending_and_reading() {
    let w = world().await;
    let unread = |w: &World, who| conversations::of_participant(&w.store.read().unwrap(), who, w.id).unwrap().unread;
    let id = w.says(&w.ada, "one").await;
    w.says(&w.ada, "two").await;
    assert_eq!((unread(&w, &w.bola), unread(&w, &w.ada)), (2, 0));
    w.reads(&w.bola, id).await;
    assert_eq!(unread(&w, &w.bola), 1);
}

#[tokio::test]
async fn a_list_goes_on_after_a_message_vanished_or_not() {
    let w = world().await;
    let (a, b) = (w.says(&w.ada, "a").await, w.says(&w.ada, "b").await);
    w.says(&w.ada, "c").await;
    w.reads(&w.bola, b).await;
    let read = w.store.read().unwrap();
    for (after, rest) in [
        (None, vec![1, 3]),
        (Some(a), vec![3]),
        (Some(b), vec![3]),
        (w.row(b).map(|_| "x".parse().unwrap()), vec![1, 3]),
    ] {
        let listed = w.chat.list(&read, &w.bola, w.id, after, Page::first(9)).unwrap();
        assert_eq!(listed.items.iter().map(|m| m.seq).collect::<Vec<_>>(), rest);
    }
    let first = w.chat.list(&read, &w.bola, w.id, None, Page::first(1)).unwrap();
    let rest = w.chat.list(&read, &w.bola, w.id, None, Page::first(1).after(first.next)).unwrap();
    assert_eq!(rest.items.iter().map(|m| m.seq).collect::<Vec<_>>(), [3]);
}

#[tokio::test]
async fn a_wrong_master_key_is_refused_and_nothing_is_written() {
    let w = world().await;
    w.says(&w.ada, "hello").await;
    let before = std::fs::read(w.dir.path().join("chat.keys")).unwrap();
    let wrong = service(&w.dir, &w.store, &w.clock, 2);
    assert_eq!(wrong.err().unwrap().to_string(), "the master key is not the one of this data folder");
    assert_eq!(std::fs::read(w.dir.path().join("chat.keys")).unwrap(), before);
}

#[tokio::test]
async fn a_box_with_messages_does_not_start_without_its_key_file() {
    let w = world().await;
    w.says(&w.ada, "hello").await;
    std::fs::remove_file(w.dir.path().join("chat.keys")).unwrap();
    assert_eq!(service(&w.dir, &w.store, &w.clock, 1).err().unwrap().to_string(), "the key file is missing");
}

#[tokio::test]
async fn messages_outlive_a_restart_and_a_rotation_of_the_keys() {
    let w = world().await;
    w.says(&w.ada, "before").await;
    let status = w.chat.rotate_keys().await.unwrap();
    assert_eq!(status.wrap_version, 2);
    let w = w.restarted();
    assert_eq!((w.sees(&w.bola), w.chat.keys().wrap_version), (vec!["before".into()], 2));
}

#[tokio::test]
async fn a_review_is_on_the_trail_before_it_opens_and_marks_nothing_read() {
    let w = world().await;
    let id = w.says(&w.ada, "for your eyes").await;
    let reviewed = w.reviews().await.unwrap();
    let trail = audit::list(&w.store.read().unwrap(), Some(w.id), &Page::newest(1)).unwrap();
    assert_eq!(trail.items[0].id, reviewed.audit_id);
    assert_eq!((w.sees(&w.bola), w.row(id).unwrap().read_at), (vec!["for your eyes".into()], None));
}

#[tokio::test]
async fn a_moderator_opens_thirty_conversations_an_hour_and_the_next_raises_an_alarm() {
    let w = world().await;
    w.reviews().await.unwrap();
    let mods = w.mods.id();
    // Twenty-nine others were opened meanwhile.
    let before = w.store.write(move |tx, now| {
        for n in 0..review::MAX_CONVERSATIONS {
            let conversation = Some(format!("other-{n}").parse().unwrap());
            let (action, code) = (audit::Action::Review, audit::Code::Audit);
            let reason = "a look at everything".parse().unwrap();
            audit::note(tx, now, audit::Deed { conversation, subject: None, moderator: mods, action, code, reason })?;
        }
        Ok::<_, Error>(())
    });
    before.await.unwrap();
    w.reviews().await.expect("the one that is open already may be read on");
    w.clock.advance(review::WINDOW - Duration::from_secs(1));
    w.reviews().await.unwrap();
    assert_eq!(w.chat.alarms(), 0);
}

#[tokio::test]
async fn the_thirty_first_is_refused_and_noted_once() {
    let w = world().await;
    let mods = w.mods.id();
    let before = w.store.write(move |tx, now| {
        for n in 0..review::MAX_CONVERSATIONS {
            let conversation = Some(format!("other-{n}").parse().unwrap());
            let (action, code) = (audit::Action::Review, audit::Code::Audit);
            let reason = "a look at everything".parse().unwrap();
            audit::note(tx, now, audit::Deed { conversation, subject: None, moderator: mods, action, code, reason })?;
        }
        Ok::<_, Error>(())
    });
    before.await.unwrap();
    for _ in 0..2 {
        assert!(matches!(w.reviews().await, Err(Error::TooManyReviews(wait)) if wait == review::WINDOW));
    }
    let read = w.store.read().unwrap();
    assert_eq!(audit::head(&read).unwrap().seq, review::MAX_CONVERSATIONS as u64 + 1);
    assert_eq!((w.chat.alarms(), audit::verify(&read).unwrap().is_ok()), (2, true));
    w.clock.advance(review::WINDOW);
    w.reviews().await.unwrap();
}

/// A thousand random edits and swaps of one kind of copy, of three messages: none opens, and the sound ones stay.
async fn bent_a_thousand_times(w: World, kind: CopyKind, readable: fn(&Text) -> bool) {
    let seed = 5;
    println!("seed {seed}");
    let random = SeededEntropy::new(seed);
    let random: &dyn Entropy = &random;
    let (a, b) = (w.says(&w.ada, "the first secret").await, w.says(&w.bola, "the second secret").await);
    w.clock.advance(DAY);
    let c = w.says(&w.ada, "the third secret").await;
    let rows: Vec<Message> = [a, b, c].iter().map(|id| w.row(*id).unwrap()).collect();
    let opposite = match kind {
        CopyKind::Participants => CopyKind::Archive,
        CopyKind::Archive => CopyKind::Participants,
    };
    for turn in 0..1000 {
        let [what, whom, at, bit] = random.bytes::<4>().map(usize::from);
        let (row, other) = (&rows[whom % 3], &rows[(whom + 1) % 3]);
        let copy = row.copy(kind).unwrap();
        let mut bent = row.clone();
        match what % 9 {
            0..3 => {
                let mut bytes = copy.sealed().as_bytes().to_vec();
                let place = (at * 256 + bit) % bytes.len();
                bytes[place] ^= 1 << (bit % 8);
                *bent.copy_mut(kind) = Some(StoredCopy::new(copy.bucket(), &Sealed::from_stored(bytes)));
            }
            3 => {
                let mut id = *copy.bucket().as_bytes();
                id[at % 16] ^= 1 << (bit % 8);
                *bent.copy_mut(kind) = Some(StoredCopy::new(BucketId::from_bytes(id), &copy.sealed()));
            }
            4 => *bent.copy_mut(kind) = other.copy(kind).cloned(),
            5 => *bent.copy_mut(kind) = row.copy(opposite).cloned(),
            6 => bent.sender_id = w.eze.id(),
            7 => {
                // The other form of a copy: one that the box opens for one that it does not, and the reverse.
                let mut bytes = copy.sealed().as_bytes().to_vec();
                bytes[0] ^= 3;
                *bent.copy_mut(kind) = Some(StoredCopy::new(copy.bucket(), &Sealed::from_stored(bytes)));
            }
            _ => bent.created_at = other.created_at.plus(Duration::from_micros(at as u64 + 1)),
        }
        assert_eq!(w.chat.show(&bent, kind).text, Text::Damaged, "turn {turn}");
        assert!(readable(&w.chat.show(row, kind).text), "turn {turn}: the negative control");
    }
}

#[tokio::test]
async fn a_thousand_edits_and_swaps_are_refused_and_other_messages_stay_readable() {
    for kind in [CopyKind::Participants, CopyKind::Archive] {
        bent_a_thousand_times(world().await, kind, |text| matches!(text, Text::Readable(_))).await;
    }
}

#[cfg(feature = "age")]
#[tokio::test]
async fn a_thousand_edits_and_swaps_of_copies_that_are_sealed_to_a_key_off_the_box_are_refused() {
    let key = crate::base::recovery::RecoveryKey::generate().unwrap();
    let w = world().await.restarted_sealing_to(Some(key.public().unwrap()));
    bent_a_thousand_times(w, CopyKind::Archive, |text| matches!(text, Text::Away(_))).await;
}
