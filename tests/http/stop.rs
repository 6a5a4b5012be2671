//! Stopping: what is in flight is answered, sockets hear 1012, and nothing holds the stop up.

use std::time::Duration;

use crate::http::fixture::start;
use crate::support::soon;
use crate::support::ws::Ws;

#[tokio::test]
async fn requests_in_flight_are_answered_and_sockets_told() {
    let box_ = start(|_| {}).await;
    let mut waiting = box_.http.connect().await.unwrap();
    waiting.write(&box_.http.get("/api/v1/auth/wait").bytes()).await;
    box_.waiting(1).await;
    let idle = box_.http.connect().await.unwrap();
    let mut half = box_.http.connect().await.unwrap();
    half.write(b"GET / HTTP/1.1\r\nX-").await;
    let socket = Ws::open(box_.address, "/api/v1/games/7/ws", "ada").await.unwrap();
    let (http, shared) = (box_.http.clone(), box_.shared);

    let drained = tokio::spawn(box_.server.drain());
    assert_eq!(soon("a close", socket.closed()).await, Some(1012));
    idle.rest().await;
    half.rest().await;
    assert!(http.connect().await.is_err(), "nothing more is accepted");
    assert!(!drained.is_finished(), "the request is still in flight");
    shared.gate.add_permits(1);
    assert_eq!(waiting.answer().await.unwrap().status, 204);
    assert!(soon("the drain", drained).await.unwrap());
}

#[tokio::test]
async fn what_does_not_end_is_cut_at_the_deadline() {
    let box_ = start(|settings| settings.drain_deadline = Duration::from_millis(300)).await;
    let mut waiting = box_.http.connect().await.unwrap();
    waiting.write(&box_.http.get("/api/v1/auth/wait").bytes()).await;
    box_.waiting(1).await;
    assert!(!soon("the drain", box_.server.drain()).await);
    assert!(waiting.answer().await.is_none());
}
