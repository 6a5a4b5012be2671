//! Stories of clocks that are wrong, of a central that has gone silent, and of an admin who looks at a watch.

use std::time::Duration;

use uuid::Uuid;

use crate::base::time::{Clock as _, Timestamp};
use crate::chat::audit::{self, Action};
use crate::chat::error::Error;
use crate::chat::retention::CLOCK;
use crate::chat::testing::{DAY, World, world};
use crate::chat::timing::{UNHEARD, mark};
use crate::store::meta;
use crate::store::page::Page;

fn marked(w: &World) -> Option<Timestamp> {
    mark(&w.store.read().unwrap()).unwrap()
}

#[tokio::test]
async fn only_trusted_time_moves_the_mark_and_it_lowers_a_wrong_one() {
    let w = world().await;
    let right = w.now();
    w.runs().await;
    assert_eq!(marked(&w), Some(right));
    w.clock.set(right.plus(3650 * DAY), false);
    w.runs().await;
    assert_eq!(marked(&w), Some(right), "an untrusted leap leaves it");
    w.clock.set(right.plus(3650 * DAY), true);
    w.runs().await;
    w.clock.set(right.plus(DAY), true);
    w.runs().await;
    assert_eq!(marked(&w), Some(right.plus(DAY)), "the right time lowers the wrong mark");
}

#[tokio::test]
async fn the_mark_is_not_written_at_every_step() {
    let w = world().await;
    w.runs().await;
    let before = w.store.figures().commits;
    w.clock.advance(Duration::from_secs(60));
    w.chat.keep_time(&w.store).await.unwrap();
    assert_eq!(w.store.figures().commits, before);
    w.clock.advance(Duration::from_secs(600));
    w.chat.keep_time(&w.store).await.unwrap();
    assert_eq!(marked(&w), Some(w.now()));
}

#[tokio::test]
async fn an_admins_word_is_on_the_trail_and_lets_expiry_go_on() {
    let w = world().await;
    w.says(&w.ada, "due").await;
    w.clock.set(w.now().plus(91 * DAY), false);
    w.runs().await;
    assert_eq!(w.chat.status().waiting, Some(CLOCK));
    let confirm = |named| w.chat.confirm_clock(&w.store, w.ada.id(), named, "my watch and the radio".parse().unwrap());
    for wrong in [w.now().plus(Duration::from_secs(121)), w.now().minus(Duration::from_secs(121))] {
        assert!(matches!(confirm(wrong).await, Err(Error::ClockDiffers)));
    }
    assert!(!w.clock.wall().trusted);
    confirm(w.now().plus(Duration::from_secs(60))).await.unwrap();
    let trail = audit::list(&w.store.read().unwrap(), None, &Page::newest(1)).unwrap().items;
    assert_eq!((trail[0].action, trail[0].moderator_id), (Action::ClockConfirmed, w.ada.id()));
    assert_eq!(w.runs().await.tally.expired, 1);
}

#[tokio::test]
async fn where_central_is_silent_for_too_long_a_hold_may_be_pending_and_expiry_waits() {
    let mut w = world().await;
    w.chat.settings.offline = Some(30 * DAY);
    w.says(&w.ada, "perhaps held over there").await;
    w.chat.heard(Some(w.now()));
    w.clock.advance(91 * DAY);
    assert_eq!(w.runs().await.waiting, Some(UNHEARD));
    let mut w = w.restarted();
    w.chat.settings.offline = Some(30 * DAY);
    assert_eq!(w.runs().await.waiting, Some(UNHEARD), "a restart is no contact");
    assert_eq!(w.archive().await, ["perhaps held over there"]);
    w.chat.heard(Some(w.now()));
    assert_eq!((w.runs().await.tally.expired, w.chat.status().waiting), (1, None));
}

#[tokio::test]
async fn a_contact_is_remembered_over_a_restart() {
    let mut w = world().await;
    w.chat.settings.offline = Some(30 * DAY);
    w.chat.heard(Some(w.now()));
    w.runs().await;
    let mut w = w.restarted();
    w.chat.settings.offline = Some(30 * DAY);
    assert_eq!(w.runs().await.waiting, None);
    let standing = w.chat.time(&w.store.read().unwrap()).unwrap();
    assert_eq!((standing.heard, standing.contradicted), (Some(w.now()), false));
}

#[tokio::test]
async fn a_box_that_was_never_enrolled_waits_for_nobody() {
    let mut w = world().await;
    w.chat.settings.offline = Some(30 * DAY);
    let read = w.store.read().unwrap();
    assert!(meta::identity(&read).unwrap().logging, "the helper's store is enrolled: the control");
    assert_eq!(w.chat.holds_unknown(&read, w.now()).unwrap(), Some(UNHEARD));
    drop(read);
    let (store, _) = crate::store::testing::store_without_log();
    assert_eq!(w.chat.holds_unknown(&store.read().unwrap(), w.now()).unwrap(), None);
    assert_ne!(meta::identity(&store.read().unwrap()).unwrap().box_id, Uuid::nil());
}

#[tokio::test]
async fn a_wrong_clock_at_the_start_or_a_leap_destroys_nothing_revives_nothing_and_chat_goes_on() {
    let hour = Duration::from_secs(3600);
    let years = |n: u32| n * 365 * DAY;
    for turn in 0..4 {
        let w = world().await;
        let read = w.says(&w.ada, "read and gone").await;
        w.reads(&w.bola, read).await;
        w.clock.advance(DAY);
        w.says(&w.ada, "kept").await;
        w.runs().await;
        let (right, keys) = (w.now(), w.chat.keys());
        let wrong = [right.plus(years(10)), right.minus(years(5)), right.plus(hour), right.minus(hour)][turn];
        w.clock.set(wrong, false);
        // The first two stand at a start, the others come while the box runs.
        let w = if turn < 2 { w.restarted() } else { w };
        w.says(&w.bola, "meanwhile").await;
        for _ in 0..3 {
            w.runs().await;
            w.clock.advance(hour);
        }
        assert_eq!(w.sees(&w.bola), ["kept", "meanwhile"], "turn {turn}");
        assert_eq!(w.archive().await, ["read and gone", "kept", "meanwhile"], "turn {turn}");
        assert!(w.chat.keys().days >= keys.days, "no day's key is gone");
        w.clock.set(right.plus(hour), true);
        w.runs().await;
        assert_eq!(w.sees(&w.ada), ["kept", "meanwhile"], "turn {turn}, and nothing vanished comes back");
        assert_eq!(w.archive().await, ["read and gone", "kept", "meanwhile"], "turn {turn}");
    }
}
