//! Every route of the real program under bad input: a clear refusal, never a 5xx, and the box goes on.

use serde_json::{Value, json};

use crate::story::evening::gather;
use crate::support::http::Answer;
use crate::support::whotbox::Whotbox;

/// A route as the box's own document lists it.
struct Listed {
    method: String,
    pattern: String,
    public: bool,
    takes_body: bool,
}

fn routes(document: &Value) -> Vec<Listed> {
    let mut all = Vec::new();
    for (pattern, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array();
            all.push(Listed {
                method: method.to_uppercase(),
                pattern: pattern.clone(),
                public: security.is_none_or(|all| all.is_empty() || all.iter().any(|one| one == &json!({}))),
                takes_body: !operation["requestBody"].is_null(),
            });
        }
    }
    assert!(all.len() > 40, "the document lists {} routes", all.len());
    all
}

/// The pattern with something in each of its places that is nobody's.
fn path(pattern: &str, filler: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { filler.to_owned() } else { part.to_owned() };
    pattern.split('/').map(part).collect::<Vec<_>>().join("/")
}

const NOBODY: &str = "019ab3c0-0000-7000-8000-00000000dead";

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_bad_input_in_words_and_the_box_goes_on() {
    // Given a box with people of every role.
    let folder = tempfile::tempdir().unwrap();
    let whotbox = Whotbox::start(folder.path(), &[]);
    let cast = gather(&whotbox).await;
    let made = cast.admin.done("/api/v1/admin/moderators", &json!({"username": "mod-one"})).await;
    let moderator = whotbox.sign_in("mod-one", made["temporary_password"].as_str().unwrap()).await;
    let tokens = [&cast.admin, &cast.owner, &cast.chidi, &moderator].map(|person| person.token.clone());
    let http = &whotbox.http;
    let document = http.get("/openapi.json").send().await.json();

    for route in routes(&document) {
        let Listed { method, pattern, public, takes_body } = &route;
        let place = path(pattern, NOBODY);
        // When nobody, or somebody with garbage for a token, calls a route that is not for anyone.
        if !public {
            for token in ["", "garbage", "a.b.c"] {
                let call = http.call(method, &place);
                let answer = if token.is_empty() { call } else { call.bearer(token) }.send().await;
                assert_eq!(answer.refusal(), (401, "unauthenticated".to_owned()), "{method} {pattern}");
            }
        }
        // When the method is not one of the path's.
        let odd = http.call("PROPFIND", &place).send().await;
        assert_eq!(odd.refusal(), (405, "method_not_allowed".to_owned()), "{pattern}");
        assert!(odd.header("allow").unwrap().contains(method.as_str()), "{pattern}");
        if *method == "GET" || pattern.ends_with("/logout") {
            continue;
        }
        // When the body is of every wrong kind, by people of every role.
        for token in &tokens {
            for (kind, content_type, body) in bodies() {
                let answer = http.call(method, &place).bearer(token).body(content_type, body).send().await;
                judge(&answer, *takes_body, kind, &format!("{method} {pattern}"));
            }
        }
    }
    // Then the box still serves, and nobody was signed out by it.
    assert_eq!(http.get("/readyz").send().await.status, 200);
    cast.owner.see("/api/v1/users/me").await;
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains("panicked"), "something panicked");
}

fn bodies() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        ("malformed", "application/json", b"{\"a\": ".to_vec()),
        ("mistyped", "application/json", b"[1, 2, 3]".to_vec()),
        (
            "nul",
            "application/json",
            br#"{"body": "a\u0000b", "username": "a\u0000b", "reason": "a\u0000bcdefghijkl"}"#.to_vec(),
        ),
        ("label", "text/plain", b"{}".to_vec()),
        ("deep", "application/json", [vec![b'['; 5000], vec![b']'; 5000]].concat()),
        ("oversized", "application/json", vec![b' '; 64 * 1024 + 1]),
    ]
}

#[track_caller]
fn judge(answer: &Answer, takes_body: bool, kind: &str, route: &str) {
    let said = || format!("{route} with a {kind} body: {} {}", answer.status, answer.text());
    assert!(answer.status < 500, "{}", said());
    if answer.status >= 400 {
        let code = answer.code();
        let fits = match answer.status {
            400 => kind == "malformed" || kind == "deep",
            413 => kind == "oversized",
            415 => kind == "label",
            // Who may not, or asks for what is not there, is told that first; and what is there may be answered by its state.
            _ => !code.is_empty(),
        };
        assert!(fits, "{}", said());
    } else {
        assert!(!takes_body || kind == "label" || kind == "nul", "{}", said());
    }
}
