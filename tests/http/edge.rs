//! What is true of every request: ids, headers, prefixes, unknown routes, panics, the document.

use std::sync::{Arc, Mutex};

use whotbox::http::problem::Code;

use crate::http::fixture::start;
use crate::support::golden;
use crate::support::ws::Ws;

#[tokio::test]
async fn an_unknown_route_is_404_and_a_wrong_method_405() {
    let box_ = start(|_| {}).await;
    for path in ["/none", "/api/v1/games", "/api/v1/games/7/", "/api/v1/games/%ff", "/api/v1/games/a%00b", "//"] {
        assert_eq!(box_.http.get(path).send().await.refusal(), (404, "not_found".to_owned()), "{path}");
    }
    let answer = box_.http.call("PUT", "/api/v1/games/7").send().await;
    assert_eq!(answer.refusal(), (405, "method_not_allowed".to_owned()));
    assert_eq!(answer.header("allow"), Some("DELETE, GET, HEAD, POST"));
    assert_eq!(box_.http.call("BREW", "/api/v1/auth/list").send().await.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn a_literal_stands_before_a_parameter() {
    let box_ = start(|_| {}).await;
    assert_eq!(box_.http.get("/api/v1/games/redeem").send().await.json()["text"], "redeem");
    assert_eq!(box_.http.post("/api/v1/games/redeem").send().await.json()["dry_run"], false);
    assert_eq!(box_.http.get("/api/v1/games/a%2Fb%20c").send().await.json()["text"], "a/b c");
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let box_ = start(|_| {}).await;
    let answer = box_.http.call("HEAD", "/api/v1/games/7").send().await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_ne!(answer.header("content-length"), Some("0"));
}

#[tokio::test]
async fn the_callers_request_id_is_kept_if_it_is_sane() {
    let box_ = start(|_| {}).await;
    let ask = async |id: &str| {
        let answer = box_.http.get("/api/v1/games/7").header("X-Request-Id", id).send().await;
        answer.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(ask("a-1_b.C").await, "a-1_b.C");
    for insane in ["", "a b", "a\"b", &"x".repeat(65)] {
        let made = ask(insane).await;
        assert!(made != insane && made.len() == 36, "{insane} -> {made}");
    }
}

#[tokio::test]
async fn every_reply_bears_the_safe_headers() {
    let box_ = start(|_| {}).await;
    for path in ["/api/v1/games/7", "/none", "/api/v1/auth/panic", "/openapi.json"] {
        let answer = box_.http.get(path).send().await;
        assert_eq!(
            answer.header("content-security-policy"),
            Some("default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("permissions-policy").is_some());
        assert_eq!((answer.header("strict-transport-security"), answer.header("server")), (None, None));
    }
}

#[tokio::test]
async fn old_gateway_prefixes_lead_to_their_own_domain_only() {
    let box_ = start(|_| {}).await;
    assert_eq!(box_.http.get("/game/api/v1/games/7?x=1").send().await.json()["text"], "7");
    assert_eq!(box_.http.get("/identity/api/v1/auth/list").send().await.status, 200);
    for wrong in ["/chat/api/v1/games/7", "/identity/api/v1/games/7", "/game/api/v1/auth/list", "/x/api/v1/games/7"] {
        assert_eq!(box_.http.get(wrong).send().await.refusal(), (404, "not_found".to_owned()), "{wrong}");
    }
    let answer = box_.http.call("PUT", "/game/api/v1/games/7").send().await;
    assert_eq!(answer.refusal(), (405, "method_not_allowed".to_owned()));
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_server_lives_on() {
    let box_ = start(|_| {}).await;
    let mut wire = box_.http.connect().await.unwrap();
    wire.write(&box_.http.get("/api/v1/auth/panic").bytes()).await;
    let answer = wire.answer().await.unwrap();
    assert_eq!(answer.refusal(), (500, "internal".to_owned()));
    assert!(!answer.text().contains("as the test asked"));
    wire.write(&box_.http.get("/api/v1/games/7").bytes()).await;
    assert_eq!(wire.answer().await.unwrap().status, 200, "the same connection");
}

#[tokio::test]
async fn logs_and_metrics_know_the_pattern_and_never_the_path() {
    let box_ = start(|_| {}).await;
    box_.http.get("/api/v1/games/secret-token?q=secret").send().await;
    box_.http.get("/secret-path").send().await;
    let served = box_.shared.served.lock().unwrap().clone();
    assert_eq!(served, [("GET /api/v1/games/{id}".to_owned(), 200), ("GET -".to_owned(), 404)]);
}

/// What was logged while it is alive, by this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_one_line_a_request_and_nothing_of_its_content() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.with_ansi(false).finish());
    let box_ = start(|_| {}).await;
    let call =
        box_.http.post("/game/api/v1/games/7?q=in-query").bearer("in-token").header("X-Request-Id", "planted-id");
    call.json(&serde_json::json!({"text": "in-body"})).send().await;
    box_.http.get("/api/v1/games/in-path").send().await;
    box_.http.get("/in-unknown-path").send().await;
    let mut socket = Ws::open(box_.address, "/api/v1/games/7/ws", "in-socket-token").await.unwrap();
    socket.send(&serde_json::json!({"type": "note", "text": "in-frame"})).await;
    socket.next().await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let line = text.lines().find(|line| line.contains("planted-id") && line.contains("INFO")).unwrap();
    assert!(
        line.contains("method=POST") && line.contains("/api/v1/games/{id}") && line.contains("status=401"),
        "{line}"
    );
    assert_eq!(text.lines().filter(|line| line.contains("ms=")).count(), 4);
    for secret in ["in-query", "in-token", "in-body", "in-path", "in-unknown-path", "in-socket-token", "in-frame"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    // Libraries that log through the other facade print whole frames at their lowest level; it is compiled out.
    assert!(log::STATIC_MAX_LEVEL <= log::LevelFilter::Info);
}

#[tokio::test]
async fn every_problem_type_resolves() {
    let box_ = start(|_| {}).await;
    let answer = box_.http.get("/problems/not_found").send().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for text in ["404", "There is nothing here.", "Nothing dey here.", "lang=\"pcm\""] {
        assert!(answer.text().contains(text), "{text}");
    }
    assert!(answer.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
    assert_eq!(box_.http.get("/problems/unknown").send().await.status, 404);
}

#[test]
fn codes_keep_their_names_and_statuses() {
    let lines = Code::ALL.iter().map(|code| format!("{} {}\n", code.status(), code.as_str()));
    golden("http/problems.txt", &lines.collect::<String>());
}

#[tokio::test]
async fn the_document_lists_exactly_the_routes() {
    let box_ = start(|_| {}).await;
    let document = box_.http.get("/openapi.json").send().await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut routes: Vec<String> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        routes.extend(item.as_object().unwrap().keys().map(|method| format!("{method} {path}")));
    }
    let ours: Vec<_> = routes.iter().filter(|route| route.contains("/api/")).map(String::as_str).collect();
    assert_eq!(
        ours,
        [
            "get /api/v1/auth/list",
            "get /api/v1/auth/me",
            "get /api/v1/auth/panic",
            "get /api/v1/auth/wait",
            "post /api/v1/games/redeem",
            "delete /api/v1/games/{id}",
            "get /api/v1/games/{id}",
            "post /api/v1/games/{id}",
            "get /api/v1/games/{id}/ws",
        ]
    );
    let post = &document["paths"]["/api/v1/games/{id}"]["post"];
    assert_eq!(post["requestBody"]["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Note");
    assert_eq!(document["components"]["schemas"]["Note"]["required"], serde_json::json!(["text"]));
}

#[tokio::test]
async fn a_forwarded_address_counts_from_a_named_proxy_alone() {
    let plain = start(|_| {}).await;
    let behind = start(|settings| settings.proxies = vec!["127.0.0.1".parse().unwrap()]).await;
    for (box_, client, secure) in [(&plain, "127.0.0.1", false), (&behind, "203.0.113.9", true)] {
        let call = box_.http.get("/api/v1/auth/me").bearer("ada").header("X-Forwarded-Proto", "https");
        let answer = call.header("X-Forwarded-For", "10.6.6.6, 203.0.113.9").send().await.json();
        assert_eq!((answer["client"].as_str().unwrap(), answer["secure"].as_bool().unwrap()), (client, secure));
    }
}
