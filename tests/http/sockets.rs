//! Sockets: handshakes, bounds, and which close code each end bears, with another socket unharmed.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use whotbox::http::socket::Close;

use crate::http::fixture::{Fixture, start, start_with};
use crate::support::soon;
use crate::support::ws::Ws;

const PATH: &str = "/api/v1/games/7/ws";

async fn open(box_: &Fixture, user: &str) -> Ws {
    Ws::open(box_.address, PATH, user).await.unwrap()
}

/// A socket that is unharmed answers.
async fn answers(socket: &mut Ws) {
    socket.send(&json!({"type": "echo", "ref": "r"})).await;
    assert_eq!(socket.next().await, json!({"type": "echo", "ref": "r"}));
}

#[tokio::test]
async fn natives_and_browsers_are_let_in() {
    let box_ = start(|settings| settings.origins = vec!["https://owner.example/".to_owned()]).await;
    let mut native = open(&box_, "ada").await;
    assert_eq!(native.protocol, None);
    answers(&mut native).await;
    for origin in [&format!("http://{}", box_.address), "https://owner.example"] {
        let mut browser = Ws::browser(box_.address, PATH, "ada", origin).await.unwrap();
        assert_eq!(browser.protocol.as_deref(), Some("whot.v1"));
        answers(&mut browser).await;
    }
    let mut old = Ws::open(box_.address, "/game/api/v1/games/7/ws", "ada").await.unwrap();
    answers(&mut old).await;
}

#[tokio::test]
async fn strangers_are_refused_before_the_upgrade() {
    let box_ = start(|_| {}).await;
    assert_eq!(Ws::with(box_.address, PATH, &[]).await.err(), Some(401));
    assert_eq!(Ws::with(box_.address, PATH, &[("Authorization", "Basic YTpi")]).await.err(), Some(401));
    for origin in ["https://evil.example", "null", &format!("http://{}0", box_.address), "http://127.0.0.1"] {
        assert_eq!(Ws::browser(box_.address, PATH, "ada", origin).await.err(), Some(403), "{origin}");
    }
    let plain = box_.http.get(PATH).bearer("ada").send().await;
    assert_eq!(plain.refusal(), (426, "upgrade_required".to_owned()));
    assert_eq!(plain.header("upgrade"), Some("websocket"));
    let headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")];
    let call = headers.iter().fold(box_.http.get(PATH).bearer("ada"), |call, (name, value)| call.header(name, value));
    let answer = call.header("Sec-WebSocket-Key", "c2hvcnQ=").send().await;
    assert_eq!(answer.refusal(), (400, "bad_handshake".to_owned()));
}

#[tokio::test]
async fn each_bad_message_closes_its_own_socket_with_its_own_code() {
    let box_ = start(|_| {}).await;
    let mut other = open(&box_, "bea").await;
    let bad_utf8 = tokio_tungstenite::tungstenite::protocol::frame::Frame::message(
        Bytes::from_static(b"\xff\xfe"),
        tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode::Data(
            tokio_tungstenite::tungstenite::protocol::frame::coding::Data::Text,
        ),
        true,
    );
    let cases = [
        (Message::text("x".repeat(16 * 1024 + 1)), 1009),
        (Message::text("x".repeat(4 * 1024 * 1024)), 1009),
        (Message::binary(vec![1, 2, 3]), 1003),
        (Message::text("{"), 1007),
        (Message::text("[1]"), 1007),
        (Message::Frame(bad_utf8), 1007),
        (Message::text("{\"type\": \"unknown\"}"), 1007),
        (Message::text("{\"type\": \"panic\"}"), 1011),
        (Message::text("{\"type\": \"bye\"}"), 1000),
    ];
    for (message, code) in cases {
        let mut socket = open(&box_, "ada").await;
        let shown = message.len();
        socket.send_raw(message).await;
        assert_eq!(socket.closed().await, Some(code), "{shown} bytes");
        answers(&mut other).await;
    }
}

#[tokio::test]
async fn a_message_of_16_kib_fits() {
    let box_ = start(|_| {}).await;
    let mut socket = open(&box_, "ada").await;
    let frame = json!({"type": "note", "text": ""}).to_string().len();
    socket.send(&json!({"type": "note", "text": "x".repeat(16 * 1024 - frame)})).await;
    assert_eq!(socket.next().await["type"], "note");
    socket.send(&json!({"type": "note", "text": "a\u{0}"})).await;
    assert_eq!(socket.next().await["code"], "validation_failed");
}

#[tokio::test]
async fn what_was_sent_before_the_end_arrives_before_it() {
    let box_ = start(|_| {}).await;
    let mut socket = open(&box_, "ada").await;
    socket.send(&json!({"type": "bye"})).await;
    assert_eq!(socket.next().await["type"], "bye");
    assert_eq!(socket.closed().await, Some(1000));
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_dropped_and_slows_nobody() {
    let box_ = start(|settings| settings.socket.farewell = Duration::from_millis(200)).await;
    let mut slow = open(&box_, "ada").await;
    let mut other = open(&box_, "bea").await;
    slow.send(&json!({"type": "flood"})).await;
    // 64 messages of 8 KB are twice what may wait; they are queued at once, before the socket can take any.
    let mut got = 0;
    let code = loop {
        match slow.try_next().await {
            Ok(_) => got += 1,
            Err(code) => break code,
        }
    };
    assert_eq!(code, Some(4408));
    assert!(got < 64, "{got}");
    answers(&mut other).await;
}

#[tokio::test]
async fn a_client_behind_full_buffers_is_dropped_too() {
    let box_ = start(|settings| settings.socket.farewell = Duration::from_millis(200)).await;
    let mut slow = open(&box_, "ada").await;
    answers(&mut slow).await;
    let mut other = open(&box_, "bea").await;
    let outbox = box_.shared.outboxes.lock().unwrap()[0].clone();
    let mut sent = 0;
    // It takes all the kernel's buffers and then the queue; the socket's task gets its turn each time.
    while !outbox.is_over() {
        outbox.send(&json!({"type": "noise", "noise": "x".repeat(8000)}));
        sent += 1;
        if sent % 100 == 0 {
            answers(&mut other).await;
        }
        tokio::task::yield_now().await;
    }
    assert!(sent > 256 / 8, "{sent}");
    assert_eq!(box_.server.connections().sockets(), 2);
    slow.closed().await;
    answers(&mut other).await;
}

#[tokio::test]
async fn an_expired_token_ends_the_socket() {
    let box_ = start_with(|_| {}, Duration::from_millis(200)).await;
    assert_eq!(open(&box_, "ada").await.closed().await, Some(4401));
}

#[tokio::test]
async fn a_revocation_ends_the_socket_from_outside() {
    let box_ = start(|_| {}).await;
    let mut socket = open(&box_, "ada").await;
    answers(&mut socket).await;
    let mut other = open(&box_, "bea").await;
    answers(&mut other).await;
    let outbox = box_.shared.outboxes.lock().unwrap()[0].clone();
    outbox.close(Close::Revoked);
    assert_eq!(socket.closed().await, Some(4403));
    answers(&mut other).await;
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_dropped_and_one_that_does_stays() {
    let box_ = start(|settings| settings.socket.ping_every = Duration::from_millis(300)).await;
    let mut alive = open(&box_, "bea").await;
    let head = format!(
        "GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ada\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    let mut dead = box_.http.connect().await.unwrap();
    dead.write(head.as_bytes()).await;
    assert_eq!(dead.answer().await.unwrap().status, 101);
    let mut dead = Box::pin(dead.rest());
    // Reading answers pings.
    let left = tokio::select! {
        left = &mut dead => left,
        message = alive.try_next() => panic!("{message:?}"),
    };
    assert_eq!(left, [0x89, 0, 0x89, 0, 0x89, 0][..left.len()], "pings and no close frame");
    answers(&mut alive).await;
}

#[tokio::test]
async fn a_user_has_so_many_sockets_and_another_user_their_own() {
    let box_ = start(|settings| settings.caps.per_user = 2).await;
    let kept = [open(&box_, "ada").await, open(&box_, "ada").await];
    assert_eq!(Ws::open(box_.address, PATH, "ada").await.err(), Some(429));
    let mut other = open(&box_, "bea").await;
    answers(&mut other).await;
    assert_eq!(box_.server.connections().sockets(), 3);
    drop(kept);
    soon("a free place", async {
        while Ws::open(box_.address, PATH, "ada").await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
