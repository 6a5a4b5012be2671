//! Bodies, queries and pages: what fits, and what each misfit is called.

use serde_json::json;

use crate::http::fixture::start;
use crate::support::http::Answer;

async fn post(body: &[u8], kind: &str, chunked: bool) -> Answer {
    let box_ = start(|_| {}).await;
    let call = box_.http.post("/api/v1/games/7").bearer("good").body(kind, body);
    let call = if chunked { call.chunked() } else { call };
    call.send().await
}

#[tokio::test]
async fn a_body_that_fits_is_taken_whole_or_in_chunks() {
    let note = json!({ "text": "x".repeat(60_000), "unknown": [1] }).to_string();
    for chunked in [false, true] {
        let answer = post(note.as_bytes(), "application/json", chunked).await;
        assert_eq!((answer.status, answer.header("location")), (201, Some("/api/v1/games/7")));
        assert_eq!(answer.json()["text"].as_str().unwrap().len(), 60_000);
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_413_however_it_is_sent() {
    let fits = format!("{{\"text\": \"{}\"}}", "x".repeat(64 * 1024 - 12));
    assert_eq!(fits.len(), 64 * 1024);
    assert_eq!(post(fits.as_bytes(), "application/json", true).await.status, 201, "the limit itself fits");
    for size in [64 * 1024 + 1, 2 * 1024 * 1024] {
        for chunked in [false, true] {
            let answer = post(&vec![b'x'; size], "application/json", chunked).await;
            assert_eq!(answer.refusal(), (413, "payload_too_large".to_owned()), "{size} {chunked}");
        }
    }
}

#[tokio::test]
async fn a_route_without_a_body_takes_no_large_one_either() {
    let box_ = start(|_| {}).await;
    let answer = box_.http.call("DELETE", "/api/v1/games/7").body("text/plain", vec![0; 70_000]).send().await;
    assert_eq!(answer.refusal(), (413, "payload_too_large".to_owned()));
}

#[tokio::test]
async fn a_client_that_asks_for_leave_to_send_too_much_is_refused_at_once() {
    let box_ = start(|_| {}).await;
    let mut wire = box_.http.connect().await.unwrap();
    let head = "POST /api/v1/games/7 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\
                Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n";
    wire.write(head.as_bytes()).await;
    assert_eq!(wire.answer().await.unwrap().refusal(), (413, "payload_too_large".to_owned()));
}

#[tokio::test]
async fn what_is_not_json_is_named_by_what_it_is() {
    let cases: [(&[u8], &str, u16, &str); 6] = [
        (b"{", "application/json", 400, "malformed_json"),
        (b"", "application/json", 400, "malformed_json"),
        (b"\xff", "application/json", 400, "malformed_json"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"text=a", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"[]", "application/json", 422, "validation_failed"),
    ];
    for (body, kind, status, code) in cases {
        assert_eq!(post(body, kind, false).await.refusal(), (status, code.to_owned()), "{kind} {body:?}");
    }
}

#[tokio::test]
async fn a_field_that_does_not_fit_is_named() {
    for (body, field) in [
        (json!({}), "text"),
        (json!({"text": 1}), "text"),
        (json!({"text": "a", "count": 256}), "count"),
        (json!({"text": "a\0"}), "text"),
    ] {
        let answer = post(body.to_string().as_bytes(), "application/json", false).await;
        assert_eq!(answer.refusal(), (422, "validation_failed".to_owned()));
        assert_eq!(answer.json()["errors"][0]["field"], field);
        assert!(answer.json()["errors"][0]["message"].as_str().unwrap().ends_with('.'));
    }
}

#[tokio::test]
async fn who_and_what_are_asked_before_the_body() {
    let box_ = start(|_| {}).await;
    let post = |path| box_.http.post(path).body("text/plain", vec![b'x'; 70_000]);
    assert_eq!(post("/api/v1/games/7").send().await.status, 401);
    assert_eq!(post("/api/v1/games/none").bearer("good").send().await.status, 404);
    assert_eq!(post("/api/v1/games/7").bearer("good").send().await.status, 413);
}

#[tokio::test]
async fn an_optional_body_may_be_absent() {
    let box_ = start(|_| {}).await;
    let path = "/api/v1/games/redeem";
    assert_eq!(box_.http.post(path).send().await.json(), json!({"dry_run": false}));
    assert_eq!(box_.http.post(path).json(&json!({"dry_run": true})).send().await.json(), json!({"dry_run": true}));
    assert_eq!(box_.http.post(path).json(&json!({"dry_run": 1})).send().await.status, 422);
}

#[tokio::test]
async fn an_idempotency_key_is_printable_and_short() {
    let box_ = start(|_| {}).await;
    let post =
        |key: &str| box_.http.post("/api/v1/games/7").bearer("good").idempotency_key(key).json(&json!({"text": "a"}));
    let answer = post("k 1").send().await;
    assert_eq!((answer.status, answer.header("idempotency-replayed")), (201, Some("true")));
    for bad in ["", "é", &"k".repeat(129)] {
        assert_eq!(post(bad).send().await.refusal(), (422, "validation_failed".to_owned()), "{bad}");
    }
}

#[tokio::test]
async fn pages_follow_one_another() {
    let box_ = start(|_| {}).await;
    let page = async |query: &str| box_.http.get(&format!("/api/v1/auth/list{query}")).send().await;
    let first = page("").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 50);
    let next = page(&format!("?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await.json();
    assert_eq!(next["items"], json!(["51", "52"]));
    assert_eq!(page("?limit=9999").await.json()["items"].as_array().unwrap().len(), 200);
    for bad in ["?limit=0", "?limit=-1", "?limit=x", "?limit=%00"] {
        assert_eq!(page(bad).await.refusal(), (422, "validation_failed".to_owned()), "{bad}");
    }
    for bad in ["?cursor=!", "?cursor=eHg", &format!("?cursor={}", "A".repeat(600))] {
        assert_eq!(page(bad).await.refusal(), (400, "bad_cursor".to_owned()), "{bad}");
    }
}
