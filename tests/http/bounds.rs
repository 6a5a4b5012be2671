//! Time and numbers: slow heads and bodies, caps by address and user, replies that nobody takes.

use std::time::Duration;

use crate::http::fixture::start;
use crate::support::http::Wire;

/// A connection that sends half a head and no more.
async fn loris(http: &crate::support::http::Http) -> Wire {
    let mut wire = http.connect().await.unwrap();
    wire.write(b"GET /api/v1/games/7 HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
    wire
}

#[tokio::test]
async fn a_hundred_slow_heads_are_closed_and_slow_nobody() {
    let box_ = start(|settings| settings.header_timeout = Duration::from_secs(1)).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(loris(&box_.http).await);
    }
    // More than the address may have are open or wanted, and others from it are still served.
    assert!(box_.server.connections().open() <= 64);
    for _ in 0..5 {
        assert_eq!(box_.http.get("/api/v1/games/7").send().await.status, 200);
    }
    for wire in slow {
        wire.rest().await;
    }
}

#[tokio::test]
async fn without_the_timeout_a_slow_head_stays() {
    // The negative control of the test above: below the cap and without a timeout nothing closes it.
    let box_ = start(|settings| settings.header_timeout = Duration::from_secs(3600)).await;
    let slow = loris(&box_.http).await;
    let closed = tokio::time::timeout(Duration::from_millis(1500), slow.rest()).await;
    assert!(closed.is_err());
}

#[tokio::test]
async fn an_idle_connection_is_closed_too() {
    let box_ = start(|settings| settings.header_timeout = Duration::from_millis(200)).await;
    let silent = box_.http.connect().await.unwrap();
    assert_eq!(silent.rest().await, b"");
    let mut used = box_.http.connect().await.unwrap();
    used.write(&box_.http.get("/api/v1/games/7").bytes()).await;
    assert_eq!(used.answer().await.unwrap().status, 200);
    used.rest().await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_408() {
    let box_ = start(|settings| settings.request_deadline = Duration::from_millis(300)).await;
    let mut wire = box_.http.connect().await.unwrap();
    wire.write(b"POST /api/v1/games/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{").await;
    let answer = wire.answer().await.unwrap();
    assert_eq!(answer.refusal(), (408, "request_timeout".to_owned()));
    assert_eq!(answer.header("connection"), Some("close"));
    wire.rest().await;
}

#[tokio::test]
async fn a_handler_that_never_answers_is_503() {
    let box_ = start(|settings| settings.request_deadline = Duration::from_millis(300)).await;
    let answer = box_.http.get("/api/v1/auth/wait").send().await;
    assert_eq!(answer.refusal(), (503, "busy".to_owned()));
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn an_address_has_its_places_and_no_more() {
    let box_ = start(|settings| {
        settings.caps.per_address = 3;
        settings.caps.patience = Duration::from_millis(200);
    })
    .await;
    let mut busy = Vec::new();
    for _ in 0..3 {
        let mut wire = box_.http.connect().await.unwrap();
        wire.write(&box_.http.get("/api/v1/auth/wait").bytes()).await;
        busy.push(wire);
    }
    box_.waiting(3).await;
    let fourth = box_.http.connect().await.unwrap();
    assert_eq!(fourth.rest().await, b"", "all three places are at work");
    box_.shared.gate.add_permits(3);
    for mut wire in busy {
        assert_eq!(wire.answer().await.unwrap().status, 204);
    }
    assert_eq!(box_.http.get("/api/v1/games/7").send().await.status, 200);
}

#[tokio::test]
async fn signed_in_connections_leave_their_address_free() {
    let box_ = start(|settings| {
        settings.caps.per_address = 2;
        settings.caps.per_user = 3;
    })
    .await;
    let mut kept = Vec::new();
    for turn in 0..5 {
        let mut wire = box_.http.connect().await.unwrap();
        wire.write(&box_.http.get("/api/v1/auth/me").bearer("ada").bytes()).await;
        let answer = wire.answer().await.unwrap();
        assert_eq!(answer.status, 200, "nobody is refused for having many");
        let closes = answer.header("connection") == Some("close");
        assert_eq!(closes, turn >= 3, "the user's three stay, the others end with their reply");
        kept.push(wire);
    }
}

#[tokio::test]
async fn the_total_is_never_passed() {
    let box_ = start(|settings| {
        settings.caps.total = 3;
        settings.caps.per_address = 100;
    })
    .await;
    for _ in 0..20 {
        let mut wires = Vec::new();
        for _ in 0..5 {
            wires.push(loris(&box_.http).await);
        }
        assert!(box_.server.connections().open() <= 3);
        assert_eq!(box_.http.get("/api/v1/games/7").send().await.status, 200);
    }
}

#[tokio::test]
async fn a_hall_of_phones_that_connects_before_it_asks_is_served() {
    let box_ = start(|settings| settings.caps.grace = Duration::from_secs(3600)).await;
    let mut hall = Vec::new();
    for _ in 0..200 {
        hall.push(box_.http.connect().await.unwrap());
    }
    for (phone, wire) in hall.iter_mut().enumerate() {
        wire.write(&box_.http.get("/api/v1/auth/me").bearer(&format!("user-{phone}")).bytes()).await;
    }
    for wire in &mut hall {
        assert_eq!(wire.answer().await.unwrap().status, 200);
    }
}
