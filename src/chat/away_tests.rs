//! Stories of an archive that is sealed to a key off the box: the box alone opens none of it.

use crate::base::recovery::{RecoveryKey, RecoveryPublic};
use crate::chat::audit::Code;
use crate::chat::records::Message;
use crate::chat::seal::CopyKind;
use crate::chat::service::Text;
use crate::chat::testing::{DAY, World, why, world};

fn key() -> (RecoveryKey, RecoveryPublic) {
    let key = RecoveryKey::generate().unwrap();
    let public = key.public().unwrap();
    (key, public)
}

/// What a moderator who has the key reads.
async fn opened(w: &World, key: &RecoveryKey) -> Vec<String> {
    let read = w.reviews().await.unwrap();
    let text = |text: &Text, id: String| match text {
        Text::Away(away) => away.open(key, &id).map_or_else(|error| format!("({error})"), |read| read.body.clone()),
        Text::Readable(body) => format!("box: {}", body.as_str()),
        Text::Gone | Text::Damaged => "(nothing)".to_owned(),
    };
    read.messages.items.iter().map(|message| text(&message.text, message.id.to_string())).collect()
}

/// Whether the box opens any copy of a row with all the keys that it has.
fn box_reads(w: &World, row: &Message) -> bool {
    let copies = [CopyKind::Participants, CopyKind::Archive];
    copies.iter().any(|kind| matches!(w.chat.show(row, *kind).text, Text::Readable(_)))
}

#[tokio::test]
async fn participants_read_as_ever_and_a_moderator_with_the_key_after_the_audit_row() {
    let (key, public) = key();
    let w = world().await.restarted_sealing_to(Some(public));
    let id = w.says(&w.ada, "the goods come at dawn").await;
    assert_eq!(w.sees(&w.bola), ["the goods come at dawn"]);
    assert_eq!(w.archive().await, ["(away)"]);
    w.reads(&w.bola, id).await;
    assert_eq!(opened(&w, &key).await, ["the goods come at dawn"]);
    assert_eq!(opened(&w, &RecoveryKey::generate().unwrap()).await, ["(it was sealed to another recovery key)"]);
}

#[tokio::test]
async fn once_both_have_read_it_the_box_has_no_key_that_opens_it() {
    let (key, public) = key();
    // Given a message of before the setting, one under it, and both read by both.
    let w = world().await;
    let before = w.says(&w.ada, "of before").await;
    let w = w.restarted_sealing_to(Some(public));
    let under = w.says(&w.ada, "only for the key").await;
    assert!(box_reads(&w, &w.row(under).unwrap()), "while a participant may read it, so may the box");
    for id in [before, under] {
        w.reads(&w.bola, id).await;
    }
    // When the participants' copies are scrubbed.
    w.clock.advance(w.chat.settings.shred);
    w.runs().await;
    // Then the box reads the old one, which is the control, and nothing of the new one, also after a restart.
    let w = w.restarted();
    assert!(box_reads(&w, &w.row(before).unwrap()), "the negative control");
    assert!(!box_reads(&w, &w.row(under).unwrap()));
    assert_eq!(opened(&w, &key).await, ["box: of before", "only for the key"]);
}

#[tokio::test]
async fn a_changed_setting_leaves_what_is_sealed_as_it_is() {
    let ((one, first), (two, second)) = (key(), key());
    let w = world().await.restarted_sealing_to(Some(first));
    w.says(&w.ada, "a").await;
    let w = w.restarted_sealing_to(Some(second));
    w.says(&w.ada, "b").await;
    let w = w.restarted();
    w.says(&w.ada, "c").await;
    let other = "(it was sealed to another recovery key)";
    assert_eq!(opened(&w, &one).await, ["a", other, "box: c"]);
    assert_eq!(opened(&w, &two).await, [other, "b", "box: c"]);
}

#[tokio::test]
async fn holds_rotation_and_expiry_are_as_ever() {
    let (key, public) = key();
    let w = world().await.restarted_sealing_to(Some(public));
    let kept = w.says(&w.ada, "evidence").await;
    w.holds().await.unwrap();
    w.chat.rotate_keys().await.unwrap();
    w.clock.advance(100 * DAY);
    w.runs().await;
    // A held copy lies under the hold's own bucket now.
    assert_eq!((w.chat.keys().days, w.chat.keys().holds), (0, 1));
    assert_eq!(opened(&w, &key).await, ["evidence"]);
    let old = w.row(kept).unwrap();
    // After the release and its grace it is gone for whoever holds the key too, also out of an old copy of the store.
    w.releases().await.unwrap();
    w.clock.advance(4 * DAY);
    w.runs().await;
    assert!(w.row(kept).is_none());
    assert_eq!(w.chat.show(&old, CopyKind::Archive).text, Text::Damaged);
}

#[tokio::test]
async fn evidence_carries_sealed_texts_and_says_how_to_open_them() {
    let (key, public) = key();
    let w = world().await.restarted_sealing_to(Some(public));
    w.says(&w.ada, "bring am come").await;
    let archive = w.chat.export(&w.store, &w.mods, w.id, why(), Code::Legal).await.unwrap();
    let text = String::from_utf8_lossy(&archive);
    assert!(!text.contains("bring am come") && text.contains("whotbox archive open --identity"));
    let sealed = text.split("\"sealed\": \"").nth(1).unwrap().split('"').next().unwrap();
    let away = crate::chat::seal::away::Away::from_text(sealed).unwrap();
    let id = w.reviews().await.unwrap().messages.items[0].id.to_string();
    assert_eq!(away.open(&key, &id).unwrap().body, "bring am come");
}

#[tokio::test]
async fn whatever_is_written_comes_back_whole_from_the_key() {
    let (key, public) = key();
    let w = world().await.restarted_sealing_to(Some(public));
    let long = "\u{1F0CF}".repeat(4000);
    let texts = ["x", "\"quoted\" \\ and a tab\t", "two\nlines", "\u{202e}turned", "naïve ŋgbà", &long];
    for text in texts {
        w.says(&w.bola, text).await;
    }
    assert_eq!(opened(&w, &key).await, texts);
}
