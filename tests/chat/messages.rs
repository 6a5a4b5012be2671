//! Conversations, messages and receipts over HTTP.

use serde_json::{Value, json};

use crate::chat::stage;
use crate::story::secrecy::search;
use crate::support::http::{Answer, Http};
use crate::support::whotbox::{Person, command};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_out_is_read_and_vanishes_for_both() {
    let stage = stage().await;
    let (owner, chidi) = (&stage.cast.owner, &stage.cast.chidi);
    let sent = stage.says(owner, "come early tomorrow").await;
    assert_eq!((sent["body"].as_str(), sent["seq"].as_u64()), (Some("come early tomorrow"), Some(1)));
    assert!(sent["read_at"].is_null() && sent["delivered_at"].is_null() && sent["client_message_id"].is_null());
    let shown = chidi.see("/api/v1/conversations").await;
    assert_eq!((&shown["items"][0]["unread_count"], &shown["items"][0]["legal_hold"]), (&json!(1), &Value::Null));

    let place = format!("/api/v1/messages/{}", sent["id"].as_str().unwrap());
    let delivered = chidi.done(&format!("{place}/delivered"), &Value::Null).await;
    let read = chidi.done(&format!("{place}/read"), &Value::Null).await;
    let again = chidi.done(&format!("{place}/read"), &Value::Null).await;
    assert_eq!((&read["delivered_at"], &again), (&delivered["delivered_at"], &read));
    assert!(read["read_at"].is_string() && read["body"].is_null());
    for person in [owner, chidi] {
        assert!(stage.sees(person).await.is_empty());
    }
    assert_eq!(chidi.see("/api/v1/conversations").await["items"][0]["unread_count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_part_in_it_finds_nothing() {
    let stage = stage().await;
    let sent = stage.says(&stage.cast.owner, "for chidi alone").await;
    let place = format!("/api/v1/messages/{}/read", sent["id"].as_str().unwrap());
    let list = format!("{}/messages", stage.path);
    let nobodys = "/api/v1/conversations/019ab3c0-0000-7000-8000-00000000dead/messages";
    let moderator = stage.moderator().await;
    for stranger in [&stage.cast.amaka, &moderator, &stage.cast.admin] {
        let found = [stranger.get(&list).await, stranger.post(&list, &json!({"body": "x"})).await];
        let receipt = stranger.post(&place, &Value::Null).await;
        for answer in found.iter().chain([&receipt]) {
            assert_eq!(answer.refusal(), (404, "not_found".to_owned()));
        }
        assert_eq!(stranger.get(nobodys).await.status, 404);
    }
    let own = stage.cast.owner.post(&place, &Value::Null).await;
    assert_eq!(own.refusal(), (409, "own_message".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_pair_opens_a_conversation_and_it_has_one() {
    let stage = stage().await;
    let (owner, chidi, amaka) = (&stage.cast.owner, &stage.cast.chidi, &stage.cast.amaka);
    let again = owner.post("/api/v1/conversations", &json!({"participant_id": chidi.id})).await;
    assert_eq!((again.status, again.json()["id"].as_str()), (200, Some(stage.id.as_str())));
    for (who, other) in [(chidi, &amaka.id), (chidi, &chidi.id), (owner, &"nobody".to_owned())] {
        let answer = who.post("/api/v1/conversations", &json!({ "participant_id": other })).await;
        assert_eq!(answer.refusal(), (403, "not_entitled".to_owned()));
    }
    let admin = stage.cast.admin.post("/api/v1/conversations", &json!({"participant_id": chidi.id})).await;
    assert_eq!(admin.refusal(), (403, "forbidden".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_relationship_ends_writing_at_once() {
    let stage = stage().await;
    stage.says(&stage.cast.owner, "one last word").await;
    let ended = stage.whotbox.http.call("DELETE", &format!("/api/v1/relationships/{}", stage.cast.chidi.id));
    assert_eq!(ended.bearer(&stage.cast.owner.token).send().await.status, 204);
    for person in [&stage.cast.owner, &stage.cast.chidi] {
        let answer = person.post(&format!("{}/messages", stage.path), &json!({"body": "still there?"})).await;
        assert_eq!(answer.refusal(), (403, "not_entitled".to_owned()));
    }
    assert_eq!(stage.sees(&stage.cast.chidi).await, ["one last word"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_messages_name_the_field() {
    let stage = stage().await;
    let path = format!("{}/messages", stage.path);
    let long = "x".repeat(4001);
    for body in [json!({}), json!({"body": ""}), json!({"body": long}), json!({"body": 7}), json!({"body": "a\0b"})] {
        let answer = stage.cast.chidi.post(&path, &body).await;
        assert_eq!((answer.status, answer.json()["errors"][0]["field"].as_str()), (422, Some("body")), "{body}");
    }
    assert_eq!(stage.says(&stage.cast.chidi, &"é".repeat(4000)).await["body"].as_str().unwrap().chars().count(), 4000);
    assert_eq!(stage.cast.chidi.get(&format!("{path}?after=no%20id")).await.status, 422);
}

async fn sends(http: &Http, who: &Person, path: &str, body: &Value) -> Answer {
    http.post(path).bearer(&who.token).idempotency_key("k-1").json(body).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_sending_gives_the_first_answer_also_after_a_power_cut_and_without_its_body_once_vanished() {
    let stage = stage().await;
    let (owner, chidi) = (stage.cast.owner.clone(), stage.cast.chidi.clone());
    let path = format!("{}/messages", stage.path);
    let body = json!({"body": "pay me once", "client_message_id": "c-1"});
    let first = sends(&stage.whotbox.http, &owner, &path, &body).await;
    let other = json!({"body": "another", "client_message_id": "c-1"});
    assert_eq!(owner.done(&path, &other).await["id"], first.json()["id"], "the client's own id stands for the first");
    let read = format!("/api/v1/messages/{}/read", first.json()["id"].as_str().unwrap());
    let folder = stage.folder;
    let whotbox = stage.whotbox.kill_and_restart();
    let replayed = sends(&whotbox.http, &owner, &path, &body).await;
    assert_eq!((replayed.status, replayed.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!(replayed.json(), first.json());
    chidi.at(&whotbox.http).done(&read, &Value::Null).await;
    let vanished = sends(&whotbox.http, &owner, &path, &body).await.json();
    assert_eq!((&vanished["id"], &vanished["body"]), (&first.json()["id"], &Value::Null));
    assert_eq!(vanished["client_message_id"], "c-1");
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_lies_in_any_file_and_a_planted_one_is_found() {
    let stage = stage().await;
    let texts = ["the goat is in the garage", "bring the blue envelope, quietly"];
    for text in texts {
        let sent = stage.says(&stage.cast.owner, text).await;
        let read = format!("/api/v1/messages/{}/read", sent["id"].as_str().unwrap());
        stage.cast.chidi.done(&read, &Value::Null).await;
    }
    let moderator = stage.moderator().await;
    let review = format!("/api/v1/admin/moderation/conversations/{}?reason=a+routine+look", stage.id);
    assert_eq!(moderator.see(&review).await["messages"][0]["body"], texts[0]);
    assert_eq!(search(stage.folder.path(), &texts), Vec::<String>::new());
    std::fs::write(stage.folder.path().join("core"), format!("\0\0{}\0", texts[1])).unwrap();
    assert_eq!(search(stage.folder.path(), &texts).len(), 1, "the negative control");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_master_key_is_refused_before_anything_is_written() {
    let stage = stage().await;
    stage.says(&stage.cast.owner, "hello").await;
    assert_eq!(stage.whotbox.terminate(), Some(0));
    let data = stage.folder.path().join("data");
    let before = std::fs::read(data.join("chat.keys")).unwrap();
    std::fs::write(data.join("master.key"), "generated AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    let refused = command(stage.folder.path(), &["--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("master key"));
    assert_eq!(std::fs::read(data.join("chat.keys")).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_come_in_pages_and_go_on_after_a_message() {
    let stage = stage().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(stage.says(&stage.cast.owner, &format!("number {n}")).await["id"].as_str().unwrap().to_owned());
    }
    let path = format!("{}/messages", stage.path);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = stage.cast.chidi.see(&format!("{path}?limit=2{cursor}")).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let rest = stage.cast.chidi.see(&format!("{path}?after={}", ids[3])).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
}

async fn delete(who: &Person, path: &str) -> Answer {
    who.http.call("DELETE", path).bearer(&who.token).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_is_for_oneself_and_the_archive_keeps_it() {
    let stage = stage().await;
    let sent = stage.says(&stage.cast.owner, "not for your mother's eyes").await;
    let place = format!("/api/v1/messages/{}", sent["id"].as_str().unwrap());
    assert_eq!(delete(&stage.cast.amaka, &place).await.status, 404);
    for _ in 0..2 {
        assert_eq!(delete(&stage.cast.chidi, &place).await.status, 204);
    }
    assert!(stage.sees(&stage.cast.chidi).await.is_empty());
    assert_eq!(stage.sees(&stage.cast.owner).await, ["not for your mother's eyes"]);
    let shown = stage.cast.chidi.see("/api/v1/conversations").await;
    assert_eq!(shown["items"][0]["unread_count"], 0);
    assert_eq!(delete(&stage.cast.owner, &place).await.status, 204);
    assert!(stage.sees(&stage.cast.owner).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_reaches_the_trail_once() {
    let stage = stage().await;
    let sent = stage.says(&stage.cast.owner, "an insult").await;
    let report = format!("/api/v1/messages/{}/report", sent["id"].as_str().unwrap());
    let body = json!({"reason": "he insults my family"});
    let first = stage.cast.chidi.done(&report, &body).await;
    assert_eq!(stage.cast.chidi.done(&report, &body).await["id"], first["id"]);
    assert_eq!(stage.cast.owner.post(&report, &body).await.refusal(), (409, "own_message".to_owned()));
    assert_eq!(stage.cast.amaka.post(&report, &body).await.status, 404);
    assert_eq!(stage.cast.chidi.post(&report, &json!({"reason": "short"})).await.status, 422);
    let moderator = stage.moderator().await;
    let trail = moderator.see(&format!("/api/v1/admin/moderation/audits?conversation_id={}", stage.id)).await;
    let rows = trail["items"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["action"], &rows[0]["code"]), (1, &json!("reported"), &json!("report")));
    assert!(rows[0]["reason"].as_str().unwrap().starts_with("he insults my family (message "));
}
