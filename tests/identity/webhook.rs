//! One-time codes through an SMS gateway: a real server on loopback that notes what it is sent, and answers as told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use whotbox::base::time::{Clock as _, WallTime};
use whotbox::config::{CodeSender, Given};
use whotbox::http::tls::{Source, Tls};
use whotbox::identity::users::Role;
use whotbox::jobs::codes::Codes;
use whotbox::jobs::{Job as _, Next};

use super::fixture::{PASSWORD, Whole, start_with};
use crate::support::http::Stream;
use crate::support::soon;

const PHONE: &str = "+2348012345678";

/// What the gateway was sent.
#[derive(Debug, Clone)]
struct Seen {
    head: String,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).unwrap_or_else(|| panic!("no {name}: {}", self.head)).1
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A gateway.
#[derive(Clone)]
struct Sms {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Sms {
    /// Answers with these statuses, and 200 from then on; and closes at once, as the simplest servers do.
    async fn start(statuses: &[u16], tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sms = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let (seen, mut statuses) = (Arc::clone(&sms.seen), statuses.iter().copied().collect::<VecDeque<_>>());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream: Box<dyn Stream> = match &tls {
                    None => Box::new(stream),
                    Some(config) => match tokio_rustls::TlsAcceptor::from(Arc::clone(config)).accept(stream).await {
                        Ok(stream) => Box::new(stream),
                        Err(_) => continue,
                    },
                };
                let Some(one) = read(&mut stream).await else { continue };
                seen.lock().unwrap().push(one);
                let status = statuses.pop_front().unwrap_or(200);
                let answer = format!("HTTP/1.0 {status} So\r\nLocation: http://localhost/elsewhere\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        sms
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read(stream: &mut Box<dyn Stream>) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let one = Seen { head: head.to_owned(), body: body.to_owned() };
        if one.body.len() >= one.header("content-length").parse().unwrap() {
            return Some(one);
        }
    }
}

/// A box whose codes go to a gateway, and a customer with a phone.
async fn hall(address: String, ca: Option<PathBuf>) -> (Whole, Codes) {
    let whole = start_with(|given| {
        given.code_sender = Some(CodeSender::Webhook);
        given.code_webhook = Some(address);
        given.code_webhook_ca = ca;
    })
    .await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let join = json!({"username": "chidi", "password": PASSWORD, "phone": PHONE});
    let path = format!("/api/v1/invites/{}/redeem", whole.invite(&ada).await["token"].as_str().unwrap());
    assert_eq!(whole.http.post(&path).json(&join).send().await.status, 201);
    let job = Codes::new(whole.app.clone()).unwrap();
    (whole, job)
}

async fn ask(whole: &Whole, username: &str) {
    let body = json!({"username": username, "purpose": "password_reset"});
    let answer = whole.http.post("/api/v1/auth/otp/request").json(&body).send().await;
    assert_eq!((answer.status, answer.json()), (202, json!({})));
}

async fn step(job: &mut Codes) -> Next {
    soon("a step of the job", job.step()).await
}

/// The key as the owner of a gateway would read it from the file.
fn key_of(whole: &Whole) -> Vec<u8> {
    use base64::Engine as _;
    let text = std::fs::read_to_string(whole.app.config.data_dir.join("webhook.key")).unwrap();
    base64::engine::general_purpose::STANDARD.decode(text.split_whitespace().last().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_goes_to_the_phone_by_a_signed_post_and_opens_the_account() {
    let sms = Sms::start(&[], None).await;
    let (whole, mut job) = hall(format!("http://{}/send?from=whot", sms.address), None).await;
    ask(&whole, "chidi").await;
    ask(&whole, "nobody").await;
    assert_eq!(step(&mut job).await, Next::Now);
    assert!(matches!(step(&mut job).await, Next::Commit(_)), "it is posted once");

    let [post] = sms.seen().try_into().unwrap();
    assert!(post.head.starts_with("POST /send?from=whot HTTP/1.1\r\n"), "{}", post.head);
    let (body, now) = (post.json(), whole.clock.now().seconds().to_string());
    assert_eq!((&body["phone"], &body["purpose"]), (&json!(PHONE), &json!("password_reset")));
    assert_eq!(body["id"], post.header("idempotency-key"));
    let code = body["code"].as_str().unwrap();
    assert!(code.len() == 6 && body["text"].as_str().unwrap().contains(code), "{body}");
    // The signature, checked with another library than the one that makes it.
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key_of(&whole));
    let signed = format!("{now}.{}", post.body);
    let mac: String = ring::hmac::sign(&key, signed.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(
        (post.header("x-whotbox-timestamp"), post.header("x-whotbox-signature")),
        (&*now, &*format!("v1={mac}"))
    );

    let verify =
        json!({"username": "chidi", "purpose": "password_reset", "code": code, "new_password": "a new one of mine"});
    assert_eq!(whole.http.post("/api/v1/auth/otp/verify").json(&verify).send().await.status, 204);
    assert_eq!(whole.login("chidi", "a new one of mine").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_fails_is_tried_again_later_and_later_and_then_no_more() {
    let sms = Sms::start(&[500, 503, 302, 401, 429, 500, 502, 500], None).await;
    let (whole, mut job) = hall(format!("http://{}/", sms.address), None).await;
    ask(&whole, "chidi").await;
    assert_eq!(step(&mut job).await, Next::Now);
    for wait in [2, 5, 15, 30, 60, 120].map(Duration::from_secs) {
        let before = sms.seen().len();
        assert_eq!(step(&mut job).await, Next::Commit(wait.min(Duration::from_secs(30))), "after {before} tries");
        whole.clock.advance(wait - Duration::from_millis(1));
        assert!(matches!(step(&mut job).await, Next::Commit(_)));
        assert_eq!(sms.seen().len(), before, "not before its time");
        whole.clock.advance(Duration::from_millis(1));
        assert_eq!(step(&mut job).await, Next::Now);
    }
    whole.clock.advance(Duration::from_secs(300));
    assert_eq!(step(&mut job).await, Next::Commit(Duration::from_secs(30)), "given up");
    let seen = sms.seen();
    assert_eq!(seen.len(), 7);
    assert!(seen.iter().all(|post| post.header("idempotency-key") == seen[0].header("idempotency-key")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_refuses_is_given_up_and_others_still_go() {
    let sms = Sms::start(&[422], None).await;
    let (whole, mut job) = hall(format!("http://{}/", sms.address), None).await;
    for _ in 0..2 {
        ask(&whole, "chidi").await;
        assert_eq!(step(&mut job).await, Next::Now);
        assert!(matches!(step(&mut job).await, Next::Commit(_)));
    }
    let codes: Vec<_> = sms.seen().iter().map(|post| post.json()["id"].clone()).collect();
    assert!(codes.len() == 2 && codes[0] != codes[1], "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_gateway_that_says_nothing_or_is_not_there() {
    // given: one that takes the connection and never answers
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (whole, mut job) = hall(format!("http://{}/", silent.local_addr().unwrap()), None).await;
    ask(&whole, "chidi").await;
    let posting = tokio::spawn(async move { job.step().await });
    let _held = soon("the post", silent.accept()).await.unwrap();
    // then: others are served meanwhile
    ask(&whole, "chidi").await;
    assert_eq!(whole.login("chidi", PASSWORD).await.status, 200);
    posting.abort();
    // and one that is not there is only another try
    let gone = silent.local_addr().unwrap();
    drop(silent);
    let (whole, mut job) = hall(format!("http://{gone}/"), None).await;
    ask(&whole, "chidi").await;
    assert_eq!((step(&mut job).await, step(&mut job).await), (Next::Now, Next::Commit(Duration::from_secs(2))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_leaves_over_tls_only_to_whom_the_ca_vouches_for() {
    let folder = tempfile::tempdir().unwrap();
    let tls = |name: &str| {
        let place = folder.path().join(name);
        std::fs::create_dir(&place).unwrap();
        let wall = WallTime { now: "2026-11-22T10:00:00Z".parse().unwrap(), trusted: true };
        let tls = Tls::open(Source::SelfSigned(place.clone()), &["localhost".into()], wall).unwrap();
        (tls.config, place.join("ca.pem"))
    };
    let ((config, ca), (_, other)) = (tls("gateway"), tls("other"));
    let sms = Sms::start(&[], Some(config)).await;
    let address = format!("https://localhost:{}/", sms.address.port());
    for (ca, expected) in [(other, 0), (ca, 1)] {
        let (whole, mut job) = hall(address.clone(), Some(ca)).await;
        ask(&whole, "chidi").await;
        step(&mut job).await;
        assert_eq!(sms.seen().len(), expected);
    }
}

#[test]
fn an_address_that_would_show_codes_to_everybody_is_refused() {
    for (address, fits) in [
        ("https://sms.example/send?key=1", true),
        ("http://127.0.0.1/send", true),
        ("http://[::1]/send", true),
        ("http://localhost/send", true),
        ("http://sms.example/send", false),
        ("http://192.168.4.7/send", false),
        ("https://owner:secret@sms.example/send", false),
        ("ftp://sms.example/", false),
        ("sms.example/send", false),
        ("https:///send", false),
    ] {
        let code_webhook = Some(address.to_owned());
        let given = Given { code_sender: Some(CodeSender::Webhook), code_webhook, ..Given::default() };
        assert_eq!(given.complete().is_ok(), fits, "{address}");
    }
}
