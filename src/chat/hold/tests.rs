//! Stories of holds that cover more than one conversation, of releases, and of second moderators.

use crate::base::id::{ConversationId, UserId};
use crate::base::time::{Clock as _, Timestamp};
use crate::chat::audit::{self, Action};
use crate::chat::conversations;
use crate::chat::error::Error;
use crate::chat::hold::preview;
use crate::chat::hold::{self, Placer, Terms};
use crate::chat::messages::Receipt;
use crate::chat::review::{self, Search};
use crate::chat::scope::Scope;
use crate::chat::testing::{DAY, World, text, why, world};
use crate::customer::testing::relate;
use crate::identity::testing::{caller, user};
use crate::identity::users::Role;
use crate::store::page::Page;

/// Both wider scopes of the world's pair.
fn wider(w: &World) -> [Scope; 2] {
    let distributor = w.ada.id();
    [Scope::Relationship { distributor, customer: w.bola.id() }, Scope::Distributor(distributor)]
}

/// One more customer of Ada's, with a conversation of their own, in which Ada writes a word.
async fn another(w: &World, name: &'static str, word: &'static str) -> ConversationId {
    let (store, ada) = (w.store.clone(), w.ada.id());
    let customer = tokio::task::spawn_blocking(move || {
        let customer = user(&store, name, Role::Customer);
        let read = store.read().unwrap();
        let owner = crate::identity::users::by_id(&read, ada).unwrap().unwrap();
        drop(read);
        relate(&store, &customer, &owner);
        customer
    });
    let (player, other) = (w.ada.player().unwrap(), customer.await.unwrap().id);
    let opened = w.store.write(move |tx, now| conversations::open(tx, now, &player, other)).await.unwrap();
    w.chat.send(&w.store, &w.ada, opened.id, &text(word), None).await.unwrap();
    opened.id
}

fn archived(w: &World, id: ConversationId) -> usize {
    review::archived(&w.store.read().unwrap(), id, &Page::first(9)).unwrap().items.len()
}

#[tokio::test]
async fn a_wider_hold_keeps_what_falls_due_and_its_release_lets_it_go_after_the_grace() {
    for turn in 0..2 {
        let w = world().await;
        let scope = wider(&w)[turn];
        let id = w.says(&w.ada, "kept").await;
        assert_eq!(w.holds_on(scope).await.unwrap().count, 0);
        assert!(matches!(w.holds_on(scope).await, Err(Error::AlreadyHeld)));
        w.clock.advance(200 * DAY);
        assert_eq!(w.runs().await.tally.held, 1);
        assert_eq!(w.archive().await, ["kept"]);
        assert_eq!(w.releases_on(scope).await.unwrap().count, 1);
        assert!(matches!(w.releases_on(scope).await, Err(Error::NotHeld)));
        w.clock.advance(w.chat.settings.release.grace - std::time::Duration::from_secs(1));
        w.runs().await;
        assert_eq!(w.archive().await, ["kept"], "the grace is not over");
        w.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(w.runs().await.tally.expired, 1);
        assert!(w.row(id).is_none());
    }
}

#[tokio::test]
async fn a_distributors_hold_covers_conversations_that_are_opened_later_and_a_relationships_no_other() {
    let w = world().await;
    let [pair, all] = wider(&w);
    w.holds_on(pair).await.unwrap();
    let free = another(&w, "chi", "nobody holds this").await;
    w.clock.advance(100 * DAY);
    w.runs().await;
    assert_eq!(archived(&w, free), 0);
    w.holds_on(all).await.unwrap();
    let later = another(&w, "dayo", "held from the start").await;
    w.clock.advance(100 * DAY);
    w.runs().await;
    assert_eq!(archived(&w, later), 1);
    let info = hold::shown(&w.store.read().unwrap(), w.id).unwrap();
    assert_eq!((info.held_by, info.hold.active), (vec!["relationship", "distributor"], false));
}

#[tokio::test]
async fn as_long_as_one_hold_stands_the_release_of_another_lets_nothing_go() {
    let w = world().await;
    w.says(&w.ada, "held three times").await;
    let [pair, all] = wider(&w);
    let own = Scope::Conversation(w.id);
    for scope in [own, pair, all] {
        w.holds_on(scope).await.unwrap();
    }
    w.clock.advance(100 * DAY);
    w.runs().await;
    for scope in [all, own] {
        assert_eq!(w.releases_on(scope).await.unwrap().count, 0, "another hold keeps it");
        w.clock.advance(30 * DAY);
        w.runs().await;
        assert_eq!(w.archive().await, ["held three times"]);
    }
    assert_eq!(w.releases_on(pair).await.unwrap().count, 1);
    w.clock.advance(3 * DAY);
    assert_eq!(w.runs().await.tally.expired, 1);
}

#[tokio::test]
async fn a_release_is_taken_back_within_its_grace() {
    for turn in 0..3 {
        let w = world().await;
        let scope = [Scope::Conversation(w.id), wider(&w)[0], wider(&w)[1]][turn];
        w.says(&w.ada, "nearly lost").await;
        w.holds_on(scope).await.unwrap();
        w.clock.advance(100 * DAY);
        w.runs().await;
        w.releases_on(scope).await.unwrap();
        w.clock.advance(2 * DAY);
        w.holds_on(scope).await.unwrap();
        w.clock.advance(100 * DAY);
        w.runs().await;
        assert_eq!(w.archive().await, ["nearly lost"]);
    }
}

#[tokio::test]
async fn what_a_release_would_let_expire_is_shown_before_it_is_decided() {
    let w = world().await;
    let [_, all] = wider(&w);
    w.says(&w.ada, "past its time").await;
    another(&w, "chi", "of another").await;
    w.holds_on(all).await.unwrap();
    w.clock.advance(88 * DAY);
    w.says(&w.ada, "young").await;
    let shown = |w: &World, scope, until: Timestamp| preview::of(&w.store.read().unwrap(), scope, until).unwrap();
    assert_eq!(shown(&w, all, w.now()).messages, 0);
    let soon = shown(&w, all, w.now().plus(3 * DAY));
    assert_eq!((soon.messages, soon.conversations, soon.more), (2, 2, false));
    w.clock.advance(10 * DAY);
    w.runs().await;
    assert_eq!(shown(&w, all, w.now()).messages, 2, "those that are parked count as well");
    assert_eq!(shown(&w, Scope::Conversation(w.id), w.now()).messages, 0, "the wider hold keeps them");
    let nobody = preview::of(&w.store.read().unwrap(), Scope::Distributor("nobody".parse().unwrap()), w.now());
    assert!(matches!(nobody, Err(Error::NotFound)));
}

/// Asks for a release where a second moderator must grant it.
async fn asks(w: &World, who: &str, scope: Scope) -> Result<hold::HoldChange, Error> {
    let (store, name) = (w.store.clone(), who.to_owned());
    let moderator = tokio::task::spawn_blocking(move || {
        let known = name.parse().unwrap();
        let found = crate::identity::users::by_username(&store.read().unwrap(), &known).unwrap();
        let name: &'static str = if name == "mods" { "mods" } else { "second" };
        caller(&found.unwrap_or_else(|| user(&store, name, Role::Moderator))).moderator().unwrap()
    });
    let (moderator, grace) = (moderator.await.unwrap(), w.chat.settings.release.grace);
    let terms = Terms { grace, second_moderator: true };
    w.store.write(move |tx, now| hold::release(tx, now, Placer::Moderator(&moderator), scope, why(), terms)).await
}

#[tokio::test]
async fn where_two_must_agree_the_first_only_asks_and_the_second_grants() {
    for turn in 0..2 {
        let w = world().await;
        let scope = [Scope::Conversation(w.id), wider(&w)[1]][turn];
        w.holds_on(scope).await.unwrap();
        assert!(asks(&w, "mods", scope).await.unwrap().asked);
        assert!(matches!(asks(&w, "mods", scope).await, Err(Error::SecondModerator)));
        let info = hold::about(&w.store.read().unwrap(), scope).unwrap();
        assert!(info.hold.active && info.asked.unwrap().requested_by == w.mods.id());
        assert!(!asks(&w, "second", scope).await.unwrap().asked);
        let info = hold::about(&w.store.read().unwrap(), scope).unwrap();
        assert!(!info.hold.active && info.asked.is_none());
    }
}

#[tokio::test]
async fn an_asked_for_release_is_taken_back_and_every_step_is_on_the_trail() {
    let w = world().await;
    let [_, all] = wider(&w);
    w.holds_on(all).await.unwrap();
    asks(&w, "mods", all).await.unwrap();
    w.holds_on(all).await.expect("takes it back");
    assert!(matches!(w.holds_on(all).await, Err(Error::AlreadyHeld)));
    let read = w.store.read().unwrap();
    let trail = audit::list(&read, None, &Page::first(9)).unwrap().items;
    let actions: Vec<Action> = trail.iter().map(|entry| entry.action).collect();
    assert_eq!(actions, [Action::HoldPlaced, Action::ReleaseRequested, Action::ReleaseWithdrawn]);
    assert!(trail.iter().all(|entry| entry.subject == Some(all) && entry.conversation_id.is_none()));
    assert!(audit::verify(&read).unwrap().is_ok());
}

#[tokio::test]
async fn central_places_and_releases_without_a_second_moderator() {
    let w = world().await;
    let central: UserId = "central".parse().unwrap();
    let [_, all] = wider(&w);
    let terms = Terms { second_moderator: true, ..w.chat.settings.release };
    let placed = w.store.write(move |tx, now| hold::place(tx, now, Placer::Central(central), all, why())).await;
    let released = w.store.write(move |tx, now| hold::release(tx, now, Placer::Central(central), all, why(), terms));
    assert!(placed.is_ok() && !released.await.unwrap().asked);
}

#[tokio::test]
async fn nobody_erases_what_a_hold_stands_over() {
    let w = world().await;
    let over = |w: &World, user| hold::over_user(&w.store.read().unwrap(), w.clock.wall(), user).unwrap();
    assert!(!over(&w, w.bola.id()));
    for scope in [Scope::Conversation(w.id), wider(&w)[0], wider(&w)[1]] {
        w.holds_on(scope).await.unwrap();
        assert!(over(&w, w.bola.id()) && over(&w, w.ada.id()) && !over(&w, w.eze.id()));
        w.releases_on(scope).await.unwrap();
        assert!(over(&w, w.bola.id()), "in its grace too");
        w.clock.advance(3 * DAY);
        let (now, untrusted) = (w.now(), w.now().plus(DAY));
        w.clock.set(untrusted, false);
        assert!(over(&w, w.bola.id()), "and for as long as nobody knows that it is over");
        w.clock.set(now, true);
        assert!(!over(&w, w.bola.id()));
    }
}

#[tokio::test]
async fn an_end_of_the_relationship_changes_nothing_about_its_hold() {
    let w = world().await;
    w.says(&w.ada, "evidence").await;
    w.holds_on(wider(&w)[0]).await.unwrap();
    w.parts().await;
    w.clock.advance(100 * DAY);
    w.runs().await;
    assert_eq!(w.archive().await, ["evidence"]);
}

#[tokio::test]
async fn a_block_silences_both_and_only_the_one_who_set_it_is_told() {
    let w = world().await;
    let (id, bola) = (w.id, w.bola.clone());
    let earlier = w.says(&w.ada, "before").await;
    let sets = |blocked| {
        let by = bola.clone();
        w.store.write(move |tx, now| crate::chat::blocks::set(tx, now, &by, id, blocked))
    };
    sets(true).await.unwrap();
    sets(true).await.unwrap();
    let (refused, own) = (w.chat.send(&w.store, &w.ada, id, &text("hello?"), None).await, w.bola.clone());
    assert!(matches!(refused, Err(Error::NotEntitled)));
    assert!(matches!(w.chat.send(&w.store, &own, id, &text("hm"), None).await, Err(Error::Blocked)));
    w.acknowledges(&w.bola, earlier, Receipt::Read).await.expect("what was written can be read");
    let info = |who| conversations::of_participant(&w.store.read().unwrap(), who, id).unwrap().blocked;
    assert!(info(&w.bola) && !info(&w.ada));
    sets(false).await.unwrap();
    w.says(&w.ada, "after").await;
    let eze = w.eze.clone();
    let stranger = w.store.write(move |tx, now| crate::chat::blocks::set(tx, now, &eze, id, true)).await;
    assert!(matches!(stranger, Err(Error::NotFound)));
}

#[tokio::test]
async fn a_moderator_reads_on_for_half_an_hour_and_no_other_at_all() {
    let w = world().await;
    w.says(&w.ada, "page one").await;
    let first = w.reviews().await.unwrap();
    let on = |w: &World, id, audit| w.chat.read_on(&w.store, &w.mods, id, audit, &Page::first(9)).map(drop);
    w.clock.advance(review::ACCESS - std::time::Duration::from_secs(1));
    on(&w, w.id, first.audit_id).unwrap();
    assert!(matches!(on(&w, w.id, "unknown".parse().unwrap()), Err(Error::Lapsed)));
    let another = another(&w, "chi", "not opened").await;
    assert!(matches!(on(&w, another, first.audit_id), Err(Error::Lapsed)));
    w.clock.advance(std::time::Duration::from_secs(1));
    assert!(matches!(on(&w, w.id, first.audit_id), Err(Error::Lapsed)));
    w.clock.set(w.now().minus(DAY), true);
    assert!(matches!(on(&w, w.id, first.audit_id), Err(Error::Lapsed)), "a clock set back opens nothing again");
}

#[tokio::test]
async fn moderators_search_by_participant_and_time() {
    let w = world().await;
    let start = w.now();
    w.says(&w.ada, "old").await;
    w.clock.advance(10 * DAY);
    let young = another(&w, "chi", "young").await;
    let found = |search: Search| -> Vec<ConversationId> {
        let read = w.store.read().unwrap();
        let listed = review::conversations(&read, &w.mods, &search, &Page::newest(9)).unwrap();
        listed.items.into_iter().map(|info| info.id).collect()
    };
    let (of, from, to) = (Some(w.ada.id()), Some(start.plus(DAY)), Some(start.plus(DAY)));
    assert_eq!(found(Search { participant: of, ..Search::default() }), [young, w.id]);
    assert_eq!(found(Search { participant: of, from, to: None }), [young]);
    assert_eq!(found(Search { to, ..Search::default() }), [w.id]);
    assert!(found(Search { participant: Some(w.eze.id()), ..Search::default() }).is_empty());
}
