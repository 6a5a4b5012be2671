//! Stories of time passing: what is due is destroyed, what is held is not, and no cut in between brings it back.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::base::entropy::{Entropy, SeededEntropy};
use crate::base::id::MessageId;
use crate::chat::audit::Action;
use crate::chat::destroy::{condemned, emptied, erase, move_living, pass};
use crate::chat::error::Error;
use crate::chat::records::destroyed::DestroyedKey;
use crate::chat::records::{AUDIT_BY_SEQ, Audit, Message, StoredCopy};
use crate::chat::retention::{CLOCK, Conditions, Tally, decide, dry_run, due, run, step};
use crate::chat::scope::Scope;
use crate::chat::seal::bucket::BucketId;
use crate::chat::seal::{CopyKind, Sealed, file};
use crate::chat::service::{KEY_FILE, Service, Text};
use crate::chat::testing::{DAY, World, world};
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::ReadExt;

const HOUR: Duration = Duration::from_secs(3600);

/// The key file, as bytes.
fn key_file(w: &World) -> Vec<u8> {
    file::read(&w.dir.path().join(KEY_FILE)).unwrap().unwrap()
}

#[tokio::test]
async fn an_expired_message_is_gone_and_a_younger_one_of_the_same_day_is_not() {
    let w = world().await;
    let old = w.says(&w.ada, "old").await;
    w.clock.advance(HOUR);
    w.says(&w.ada, "young").await;
    w.clock.advance(90 * DAY - HOUR);
    assert_eq!(dry_run(&w.chat, &w.store.read().unwrap()).unwrap(), Tally { examined: 1, expired: 1, held: 0 });
    assert_eq!(w.runs().await.tally, Tally { examined: 1, expired: 1, held: 0 });
    assert!(w.row(old).is_none());
    assert_eq!((w.sees(&w.bola), w.archive().await), (vec!["young".to_owned()], vec!["young".to_owned()]));
}

#[tokio::test]
async fn the_last_message_of_a_quiet_conversation_expires_too_and_also_what_fell_due_while_the_box_was_off() {
    let w = world().await;
    let id = w.says(&w.ada, "anybody?").await;
    w.clock.advance(200 * DAY);
    let w = w.restarted();
    assert_eq!(w.runs().await.tally.expired, 1);
    assert!(w.row(id).is_none() && w.chat.keys().days == 0 && w.chat.keys().participants == 0);
}

#[tokio::test]
async fn an_old_copy_of_the_store_and_the_present_keys_open_nothing_that_expired_and_all_that_is_held() {
    let w = world().await;
    let (gone, vanished) = (w.says(&w.ada, "gone").await, w.says(&w.ada, "vanished").await);
    w.clock.advance(DAY);
    let kept = w.says(&w.ada, "kept").await;
    w.reads(&w.bola, vanished).await;
    let old = [gone, vanished, kept].map(|id| w.row(id).unwrap());
    for row in &old {
        assert!(matches!(w.chat.show(row, CopyKind::Archive).text, Text::Readable(_)), "the negative control");
    }
    w.clock.advance(89 * DAY);
    w.runs().await;
    w.holds().await.unwrap();
    w.clock.advance(30 * DAY);
    w.runs().await;
    let w = w.restarted();
    for row in &old[..2] {
        for kind in [CopyKind::Participants, CopyKind::Archive] {
            assert!(!matches!(w.chat.show(row, kind).text, Text::Readable(_)));
        }
    }
    assert_eq!(w.archive().await, ["kept"]);
}

#[tokio::test]
async fn a_vanished_copy_is_scrubbed_within_the_window_and_the_others_stay() {
    let w = world().await;
    let (first, second) = (w.says(&w.ada, "first").await, w.says(&w.ada, "second").await);
    w.reads(&w.bola, first).await;
    let before = w.row(first).unwrap();
    assert_eq!(w.runs().await.destroyed.keys, 0, "within the first third it may lie");
    w.clock.advance(w.chat.settings.shred);
    w.runs().await;
    let bucket = before.participants.as_ref().unwrap().bucket();
    assert!(w.row(first).unwrap().participants.is_none() && w.chat.keyring.get(bucket).is_none());
    assert_eq!(w.sees(&w.ada), ["second"]);
    assert_eq!(w.archive().await, ["first", "second"]);
    assert_ne!(w.row(second).unwrap().participants.unwrap().bucket(), bucket);
}

#[tokio::test]
async fn a_hold_keeps_messages_past_their_time_and_its_release_lets_them_go_after_the_grace() {
    let w = world().await;
    w.says(&w.ada, "evidence").await;
    w.holds().await.unwrap();
    assert!(matches!(w.holds().await, Err(Error::AlreadyHeld)));
    w.clock.advance(100 * DAY);
    for _ in 0..2 {
        assert_eq!(w.runs().await.tally, Tally { examined: 1, expired: 0, held: 1 });
    }
    assert_eq!((w.archive().await, w.chat.keys().days, w.chat.keys().holds), (vec!["evidence".to_owned()], 0, 1));
    assert_eq!(w.releases().await.unwrap().count, 1, "the release shows what will expire");
    assert!(matches!(w.releases().await, Err(Error::NotHeld)));
    w.clock.advance(2 * DAY);
    assert_eq!(w.runs().await.tally.held, 1);
    w.clock.advance(DAY);
    assert_eq!(w.runs().await.tally.expired, 1);
    assert_eq!((w.archive().await.len(), w.chat.keys().holds), (0, 0));
}

#[tokio::test]
async fn a_release_is_taken_back_within_the_grace() {
    let w = world().await;
    w.says(&w.ada, "evidence").await;
    w.holds().await.unwrap();
    w.clock.advance(100 * DAY);
    w.runs().await;
    w.releases().await.unwrap();
    w.clock.advance(2 * DAY);
    assert_eq!(w.holds().await.unwrap().count, 0);
    w.clock.advance(30 * DAY);
    w.runs().await;
    assert_eq!(w.archive().await, ["evidence"]);
}

#[tokio::test]
async fn a_hold_that_comes_too_late_says_so() {
    let w = world().await;
    w.says(&w.ada, "late").await;
    w.clock.advance(90 * DAY);
    let plan = due(&w.store.read().unwrap(), w.now()).unwrap();
    decide(&w.chat, &w.store, w.now(), plan).await.unwrap();
    assert_eq!(w.holds().await.unwrap().count, 1);
    w.runs().await;
    assert!(w.archive().await.is_empty());
}

#[tokio::test]
async fn a_hold_between_plan_and_act_wins() {
    let w = world().await;
    let id = w.says(&w.ada, "just in time").await;
    w.clock.advance(90 * DAY);
    let plan = due(&w.store.read().unwrap(), w.now()).unwrap();
    w.holds().await.unwrap();
    assert_eq!(decide(&w.chat, &w.store, w.now(), plan).await.unwrap(), Tally { examined: 1, expired: 0, held: 1 });
    w.runs().await;
    assert!(w.row(id).unwrap().parked);
    assert_eq!(w.archive().await, ["just in time"]);
}

#[tokio::test]
async fn an_untrusted_clock_or_unknown_holds_destroy_nothing_and_say_so() {
    let w = world().await;
    w.says(&w.ada, "hello").await;
    let right = w.now();
    for (jump, trusted, unknown) in [(3650, false, None), (0, false, None), (100, true, Some("offline for too long"))] {
        w.clock.set(right.plus(jump * DAY), trusted);
        let report = run(&w.chat, &w.store, Conditions { holds_unknown: unknown }).await.unwrap();
        assert_eq!(report.tally.expired, 0);
        assert_eq!(w.chat.status().waiting, Some(unknown.unwrap_or(CLOCK)));
        assert_eq!(w.sees(&w.bola), ["hello"]);
    }
    assert!(w.chat.status().oldest_due.is_some(), "and what waits is shown");
    w.clock.set(right.minus(1825 * DAY), true);
    assert_eq!(w.runs().await.tally, Tally::default());
    assert_eq!(w.chat.status().waiting, None);
}

#[tokio::test]
async fn a_message_written_under_a_wrong_clock_has_its_full_time_from_the_first_right_one() {
    let w = world().await;
    let right = w.now();
    w.clock.set("1970-01-01T00:05:00Z".parse().unwrap(), false);
    let id = w.says(&w.ada, "no battery").await;
    w.clock.set(right, true);
    assert_eq!(w.runs().await.tally.expired, 0);
    assert_eq!(w.row(id).unwrap().expires_at, right.plus(90 * DAY));
    assert_eq!(w.sees(&w.bola), ["no battery"]);
    w.clock.advance(90 * DAY);
    assert_eq!(w.runs().await.tally.expired, 1);
}

/// Where a power cut comes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    Doomed,
    Moved,
    Checked,
    KeysGone,
    Erased,
}

const CUTS: [Cut; 5] = [Cut::Doomed, Cut::Moved, Cut::Checked, Cut::KeysGone, Cut::Erased];

/// Destroys up to a cut.
async fn destroy_until(w: &World, cut: Cut) {
    let plan = due(&w.store.read().unwrap(), w.now()).unwrap();
    decide(&w.chat, &w.store, w.now(), plan).await.unwrap();
    if cut == Cut::Doomed {
        return;
    }
    let found = condemned(&w.chat, &w.store.read().unwrap(), w.now(), w.now()).unwrap();
    let present: Vec<BucketId> = found.into_iter().filter(|id| w.chat.keyring.get(*id).is_some()).collect();
    w.chat.keyring.retire(&present);
    let mut lost: BTreeSet<MessageId> = BTreeSet::new();
    for id in &present {
        lost.extend(move_living(&w.chat, &w.store, *id).await.unwrap());
    }
    if cut == Cut::Moved {
        return;
    }
    let ready = emptied(&w.store, present, lost).await.unwrap();
    if cut == Cut::Checked {
        return;
    }
    w.chat.keyring.destroy(&ready).unwrap();
    if cut == Cut::KeysGone {
        return;
    }
    erase(&w.chat, &w.store).await.unwrap();
}

#[tokio::test]
async fn a_power_cut_between_any_two_steps_of_destroying_is_resumed_and_loses_nothing_that_lives() {
    for cut in CUTS {
        let w = world().await;
        let doomed = w.says(&w.ada, "doomed").await;
        w.clock.advance(HOUR);
        let vanished = w.says(&w.bola, "vanished").await;
        w.says(&w.ada, "living").await;
        w.clock.advance(90 * DAY - HOUR);
        w.reads(&w.ada, vanished).await;
        destroy_until(&w, cut).await;
        let w = w.restarted();
        assert_eq!(w.sees(&w.bola), ["living"], "{cut:?}, before the rest");
        w.says(&w.bola, "later").await;
        w.clock.advance(w.chat.settings.shred / 2);
        w.runs().await;
        let w = w.restarted();
        assert!(w.row(doomed).is_none() && w.row(vanished).unwrap().participants.is_none(), "{cut:?}");
        assert_eq!(w.sees(&w.bola), ["living", "later"], "{cut:?}");
        assert_eq!(w.archive().await, ["vanished", "living", "later"], "{cut:?}");
        // One for the pair, two days of expiry and the day after each.
        assert_eq!(w.chat.keyring.list().len(), 5, "{cut:?}");
    }
}

#[tokio::test]
async fn a_hold_placed_while_its_conversation_is_being_destroyed_keeps_all_but_the_doomed() {
    for cut in CUTS {
        let w = world().await;
        w.says(&w.ada, "doomed").await;
        w.clock.advance(HOUR);
        w.says(&w.ada, "saved").await;
        w.clock.advance(90 * DAY - HOUR);
        destroy_until(&w, cut).await;
        let excluded = w.holds().await.unwrap().count;
        assert_eq!(excluded, u64::from(cut != Cut::Erased), "{cut:?}: the hold says what it cannot save");
        let w = w.restarted();
        w.clock.advance(DAY);
        w.runs().await;
        assert_eq!(w.archive().await, ["saved"], "{cut:?}");
    }
}

#[tokio::test]
async fn races_of_hold_against_purge_never_end_held_and_gone() {
    let seed = 11;
    println!("seed {seed}");
    let random = SeededEntropy::new(seed);
    let random: &dyn Entropy = &random;
    let races: u32 = if std::env::var_os("WHOTBOX_FULL").is_some() { 10_000 } else { 500 };
    let w = world().await;
    let mut kept = 0;
    for race in 0..races {
        let id = w.says(&w.ada, "raced for").await;
        w.clock.advance(90 * DAY);
        // Both are under way at once; the number of commits that the hold waits first mixes who comes ahead.
        let [waits, wide] = random.bytes::<2>();
        let waits = waits % 5;
        let scope = if wide % 2 == 0 { Scope::Conversation(w.id) } else { Scope::Distributor(w.ada.id()) };
        let hold = async {
            for _ in 0..waits {
                w.store.write(|_, _| Ok::<_, Error>(())).await.unwrap();
            }
            w.holds_on(scope).await
        };
        let (_, held) = tokio::join!(w.runs(), hold);
        let saved = held.unwrap().count == 0 && w.row(id).is_some();
        w.runs().await;
        let archive = w.archive().await;
        assert_eq!(archive.len(), usize::from(saved), "race {race}: the hold says {saved}");
        kept += u32::from(saved);
        w.releases_on(scope).await.unwrap();
        w.clock.advance(w.chat.settings.release.grace);
        w.runs().await;
        assert!(w.row(id).is_none(), "race {race}: nothing is left over");
    }
    println!("{kept} of {races} were held");
    assert!(races < 100 || (kept > 0 && kept < races), "the race has one outcome only: it tests nothing");
}

/// Bends a byte of a message's archive copy, as a failing disk would.
async fn damage(w: &World, id: MessageId) {
    let bend = w.store.write(move |tx, _| {
        let mut row = tx.get::<Message>(&Key::of(id))?.unwrap();
        let copy = row.archive.as_ref().unwrap();
        let mut bytes = copy.sealed().as_bytes().to_vec();
        bytes[20] ^= 1;
        row.archive = Some(StoredCopy::new(copy.bucket(), &Sealed::from_stored(bytes)));
        tx.put(&row)?;
        Ok::<_, Error>(())
    });
    bend.await.unwrap();
}

#[tokio::test]
async fn a_damaged_message_does_not_keep_the_others() {
    let w = world().await;
    let gone = w.says(&w.ada, "gone").await;
    w.clock.advance(HOUR);
    let damaged = w.says(&w.ada, "damaged").await;
    damage(&w, damaged).await;
    w.clock.advance(90 * DAY - HOUR);
    assert_eq!(w.runs().await.destroyed.blocked, 0);
    assert!(w.row(gone).is_none());
    assert_eq!(w.chat.show(&w.row(damaged).unwrap(), CopyKind::Archive).text, Text::Damaged);
}

#[tokio::test]
async fn a_damaged_message_under_hold_is_not_given_up_and_status_says_so() {
    let w = world().await;
    let held = w.says(&w.ada, "held").await;
    damage(&w, held).await;
    w.holds().await.unwrap();
    w.clock.advance(91 * DAY);
    assert_eq!(w.runs().await.tally.held, 1);
    let bucket = w.row(held).unwrap().archive.unwrap().bucket();
    assert!(w.chat.keyring.get(bucket).is_some(), "a repair may bring it back");
    w.chat.keyring.retire(&[bucket]);
    assert_eq!(pass(&w.chat, &w.store, &[bucket]).await.unwrap().blocked, 1);
}

#[tokio::test]
async fn a_busy_day_is_destroyed_in_batches_and_a_step_with_nothing_to_do_writes_no_file() {
    let w = world().await;
    for n in 0..450 {
        w.says(&w.ada, &format!("message {n}")).await;
    }
    w.clock.advance(90 * DAY);
    assert_eq!(w.runs().await.tally.expired, 450);
    assert!(w.archive().await.is_empty());
    let before = key_file(&w);
    let report = step(&w.chat, &w.store, Conditions::default()).await.unwrap();
    assert_eq!((report.tally, report.destroyed.keys, report.more), (Tally::default(), 0, false));
    assert_eq!(key_file(&w), before);
}

#[tokio::test]
async fn a_message_sent_while_its_bucket_is_replaced_lands_in_the_new_one() {
    let w = world().await;
    let read = w.says(&w.ada, "read").await;
    w.reads(&w.bola, read).await;
    w.clock.advance(w.chat.settings.shred);
    let scrub = async {
        let found = condemned(&w.chat, &w.store.read().unwrap(), w.now(), w.now()).unwrap();
        pass(&w.chat, &w.store, &found).await.unwrap()
    };
    let (_, id) = tokio::join!(scrub, w.says(&w.ada, "meanwhile"));
    let w = w.restarted();
    let listed = w.chat.list(&w.store.read().unwrap(), &w.bola, w.id, None, Page::first(9)).unwrap();
    assert_eq!(listed.items.iter().map(|m| m.id).collect::<Vec<_>>(), [id]);
    assert_eq!(w.sees(&w.bola), ["meanwhile"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_while_keys_are_destroyed_sees_what_lives() {
    // given: one who lives in a bucket with one who is dead, and somebody who has just begun to read
    let w = world().await;
    let read = w.says(&w.ada, "read").await;
    w.reads(&w.bola, read).await;
    w.says(&w.ada, "alive").await;
    w.clock.advance(w.chat.settings.shred);
    let early = w.store.read().unwrap();
    let mut looks = Vec::new();
    // when: the bucket is replaced before the reading
    w.chat.steady(|| {
        let now = w.store.read().unwrap();
        let snapshot = if looks.is_empty() { &early } else { &now };
        if looks.is_empty() {
            let found = condemned(&w.chat, &early, w.now(), w.now()).unwrap();
            let pass = pass(&w.chat, &w.store, &found);
            let done = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(pass)).unwrap();
            assert_eq!(done.keys, 1);
        }
        let mut listed = w.chat.list(snapshot, &w.bola, w.id, None, Page::first(9)).unwrap();
        looks.push(listed.items.pop().unwrap().text);
        assert!(listed.items.is_empty());
    });
    // then: the early look alone would have called it damaged, and it is not
    let [first, last] = looks.try_into().unwrap();
    assert_eq!(first, Text::Damaged);
    assert!(matches!(last, Text::Readable(body) if body.as_str() == "alive"));
}

/// What stands in the audit trail.
fn trail(w: &World) -> Vec<Action> {
    let rows = w.store.read().unwrap().list_by::<Audit>(AUDIT_BY_SEQ, &Key::new(), &Page::first(9)).unwrap();
    rows.items.iter().map(|row| row.action).collect()
}

#[tokio::test]
async fn a_key_file_that_is_put_back_opens_nothing_again() {
    // given: a message was read and scrubbed, and somebody kept the file with its key
    let w = world().await;
    let read = w.says(&w.ada, "read").await;
    let old = key_file(&w);
    let row = w.store.read().unwrap().get::<Message>(&Key::of(read)).unwrap().unwrap();
    let bucket = row.participants.as_ref().unwrap().bucket();
    w.reads(&w.bola, read).await;
    w.clock.advance(w.chat.settings.shred);
    w.runs().await;
    assert_eq!((w.chat.keyring.get(bucket).is_none(), w.chat.put_back()), (true, 0));
    let w = w.restarted();
    assert_eq!(w.chat.put_back(), 0, "an ordinary restart is no alarm");
    // when: it is put back, and the box starts
    std::fs::write(w.dir.path().join(KEY_FILE), &old).unwrap();
    let opens = |chat: &Service| matches!(chat.show(&row, CopyKind::Participants).text, Text::Readable(_));
    let w = w.restarted();
    // then: the copy of the old row stays shut before anything has run, and neither central nor the file gets the key
    assert!(!opens(&w.chat) && w.chat.keyring.get(bucket).is_none());
    assert!(w.chat.wrapped_keys().await.unwrap().iter().all(|entry| entry.id != bucket));
    assert_eq!(w.chat.put_back(), 1);
    w.runs().await;
    assert_eq!(trail(&w), [Action::KeyFileRolledBack]);
    let w = w.restarted();
    assert_eq!((w.chat.put_back(), w.chat.keyring.get(bucket).is_none()), (0, true), "it is gone from the file too");
    // and: a store without the memory opens it again
    std::fs::write(w.dir.path().join(KEY_FILE), &old).unwrap();
    let place = DestroyedKey::place(bucket);
    w.store.write(move |tx, _| tx.delete::<DestroyedKey>(&place)).await.unwrap();
    let w = w.restarted();
    assert!(opens(&w.chat));
}

#[tokio::test]
async fn a_destruction_that_was_cut_off_before_the_file_is_finished_without_an_alarm() {
    let w = world().await;
    let read = w.says(&w.ada, "read").await;
    w.reads(&w.bola, read).await;
    w.clock.advance(w.chat.settings.shred);
    destroy_until(&w, Cut::Checked).await;
    let before = key_file(&w);
    let w = w.restarted();
    assert_eq!(w.chat.put_back(), 0);
    w.runs().await;
    assert!(key_file(&w) != before && trail(&w).is_empty());
}
