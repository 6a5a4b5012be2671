//! The chat's socket.

use serde_json::{Value, json};

use crate::chat::{Stage, stage};
use crate::support::whotbox::Person;
use crate::support::ws::Ws;

async fn open(stage: &Stage, who: &Person, query: &str) -> Ws {
    who.socket(&format!("{}/ws{query}", stage.path)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_socket_of_both_gets_messages_receipts_and_vanishing() {
    let stage = stage().await;
    let (owner, chidi) = (&stage.cast.owner, &stage.cast.chidi);
    let mut sockets = [open(&stage, owner, "").await, open(&stage, chidi, "").await, open(&stage, chidi, "").await];
    sockets[0].send(&json!({"type": "send", "ref": 1, "body": "all hear this", "client_message_id": "c"})).await;
    let ack = sockets[0].next_of("ack").await;
    let id = ack["message"]["id"].clone();
    assert_eq!((&ack["ref"], &ack["message"]["client_message_id"]), (&json!(1), &json!("c")));
    for socket in &mut sockets[1..] {
        assert_eq!(socket.next_of("message").await["message"], ack["message"]);
    }
    sockets[1].send(&json!({"type": "delivered", "ref": "d", "message_id": id})).await;
    let delivered = sockets[0].next_of("receipt").await;
    assert_eq!((&delivered["message_id"], &delivered["state"]), (&id, &json!("delivered")));
    sockets[2].send(&json!({"type": "read", "ref": "r", "message_id": id})).await;
    let read = sockets[0].next_of("receipt").await;
    assert_eq!((&read["state"], read["at"].is_string()), (&json!("read"), true));
    for socket in &mut sockets {
        assert_eq!(socket.next_of("vanished").await["message_ids"], json!([id]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_goes_on_after_a_message_and_a_new_one_begins_with_the_next() {
    let stage = stage().await;
    let first = stage.says(&stage.cast.owner, "first").await;
    stage.says(&stage.cast.owner, "second").await;
    let after = format!("?after={}", first["id"].as_str().unwrap());
    let (mut resumed, mut fresh) =
        (open(&stage, &stage.cast.chidi, &after).await, open(&stage, &stage.cast.chidi, "").await);
    assert_eq!(resumed.next().await["message"]["body"], "second");
    // Whoever has an answer is subscribed; what is said from here on must come.
    fresh.send(&json!({"type": "ping"})).await;
    assert_eq!(fresh.next().await, json!({"type": "pong"}));
    stage.says(&stage.cast.owner, "third").await;
    for socket in [&mut resumed, &mut fresh] {
        assert_eq!(socket.next().await["message"]["body"], "third");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_reaches_the_other_and_refusals_bear_their_ref() {
    let stage = stage().await;
    let (mut owner, mut chidi) = (open(&stage, &stage.cast.owner, "").await, open(&stage, &stage.cast.chidi, "").await);
    owner.send(&json!({"type": "ping"})).await;
    owner.next_of("pong").await;
    chidi.send(&json!({"type": "typing", "ref": "t"})).await;
    assert_eq!(chidi.next_of("ack").await, json!({"type": "ack", "ref": "t"}));
    assert_eq!(owner.next_of("typing").await, json!({"type": "typing", "user_id": stage.cast.chidi.id}));
    let sent = stage.says(&stage.cast.chidi, "mine").await;
    chidi.send(&json!({"type": "read", "ref": 2, "message_id": sent["id"]})).await;
    let own = chidi.next_of("error").await;
    assert_eq!((&own["ref"], &own["code"]), (&json!(2), &json!("own_message")));
    chidi.send(&json!({"type": "send", "ref": 3, "body": ""})).await;
    assert_eq!(chidi.next_of("error").await["code"], "validation_failed");
    chidi.send(&json!({"type": "read", "ref": 4, "message_id": "nobodys"})).await;
    assert_eq!(chidi.next_of("error").await["code"], "not_found");
    chidi.send(&json!({"type": "dance"})).await;
    assert_eq!(chidi.closed().await, Some(1007));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_told_when_the_other_comes_and_goes() {
    let stage = stage().await;
    let mut owner = open(&stage, &stage.cast.owner, "").await;
    let (first, second) = (open(&stage, &stage.cast.chidi, "").await, open(&stage, &stage.cast.chidi, "").await);
    let came = owner.next_of("presence").await;
    assert_eq!((&came["user_id"], &came["state"]), (&json!(stage.cast.chidi.id), &json!("online")));
    let mut second = second;
    let seen = second.next_of("presence").await;
    assert_eq!((&seen["user_id"], &seen["state"]), (&json!(stage.cast.owner.id), &json!("online")));
    drop(first);
    drop(second);
    let gone = owner.next_of("presence").await;
    assert_eq!((&gone["state"], gone["since"].is_string()), (&json!("offline"), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_and_a_suspension_closes_the_socket() {
    let stage = stage().await;
    let path = format!("{}/ws", stage.path);
    let address = stage.whotbox.http.address;
    assert_eq!(Ws::open(address, &path, &stage.cast.amaka.token).await.err(), Some(404));
    assert_eq!(Ws::open(address, &path, "garbage").await.err(), Some(401));
    let mut socket = open(&stage, &stage.cast.chidi, "").await;
    socket.send(&json!({"type": "ping"})).await;
    socket.next_of("pong").await;
    let suspend = stage.whotbox.http.call("PATCH", &format!("/api/v1/admin/users/{}", stage.cast.chidi.id));
    let answer = suspend.bearer(&stage.cast.admin.token).json(&json!({"status": "suspended"})).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(socket.closed().await, Some(4403));
    let refused = stage.cast.owner.post(&format!("{}/messages", stage.path), &json!({"body": "hello?"})).await;
    assert_eq!(refused.refusal(), (403, "not_entitled".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_conversation_loses_and_doubles_nothing() {
    let stage = stage().await;
    let mut hears = open(&stage, &stage.cast.chidi, "").await;
    let mut speaks = open(&stage, &stage.cast.owner, "").await;
    for n in 0..60 {
        speaks.send(&json!({"type": "send", "ref": n, "body": format!("word {n}")})).await;
    }
    for n in 0..60 {
        let heard: Value = hears.next_of("message").await["message"].clone();
        assert_eq!((heard["seq"].as_u64(), heard["body"].as_str()), (Some(n + 1), Some(&*format!("word {n}"))));
    }
}
