//! The browser apps as they are served: pages, files, forms, caching and what a page may do.

use std::net::SocketAddr;
use std::sync::Arc;

use whotbox::base::entropy::SeededEntropy;
use whotbox::base::time::SystemClock;
use whotbox::http::edge::Edge;
use whotbox::http::serve::{self, Listen, Server};
use whotbox::http::settings::Settings;
use whotbox::http::web;

use crate::support::http::{Answer, Http};

async fn start() -> (Server, Http) {
    let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(SeededEntropy::new(8)));
    let edge = Edge::new(vec![web::resource()], Settings::default(), clock, entropy, |_| {});
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = serve::start(&[Listen { address, tls: None }], &edge).await.unwrap();
    let http = Http::new(server.addresses()[0]);
    (server, http)
}

/// The address of the app's script, which its page names.
fn script(page: &Answer) -> String {
    let text = String::from_utf8(page.body.clone()).unwrap();
    let from = text.find("src=\"/assets/").unwrap() + 5;
    text[from..].split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn every_path_of_an_app_gives_its_page_and_nothing_else_does() {
    let (_server, http) = start().await;
    let player: &[&str] = &["/", "/join", "/join/K7Q2-9FMD", "/play", "/play/g/1", "/chat", "/chat/1", "/me", "/help"];
    let owner: &[&str] = &["/box", "/box/setup", "/box/invites", "/box/customers", "/box/people", "/box/sync"];
    let staff: &[&str] = &["/staff", "/staff/c/1", "/staff/holds", "/staff/audit", "/staff/retention"];
    for (paths, own) in [(player, "/assets/play-"), (owner, "/assets/owner-"), (staff, "/assets/staff-")] {
        for path in paths {
            let page = http.get(path).send().await;
            assert_eq!(page.status, 200, "{path}");
            assert!(script(&page).starts_with(own), "{path}: {}", script(&page));
        }
    }
    for path in ["/play/g", "/index.html", "/assets/none.js", "/assets/..%2Findex.html", "/assets/"] {
        assert_eq!(http.get(path).send().await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_page_runs_nothing_but_its_own_files() {
    let (_server, http) = start().await;
    let page = http.get("/play").send().await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let text = String::from_utf8(page.body.clone()).unwrap();
    assert!(!text.contains("<style") && !text.contains("style=") && !text.contains("http:"), "{text}");
    assert!(
        text.match_indices("<script").count() == text.match_indices("<script type=\"module\" crossorigin src=").count()
    );
}

#[tokio::test]
async fn what_an_installed_app_needs_is_there() {
    let (_server, http) = start().await;
    let kinds = [
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/sw.js", "text/javascript; charset=utf-8"),
        ("/offline.html", "text/html; charset=utf-8"),
        ("/offline.css", "text/css; charset=utf-8"),
    ];
    for (path, kind) in kinds {
        let file = http.get(path).send().await;
        assert_eq!((file.status, file.header("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(file.header("cache-control"), Some("no-cache"), "{path}: a new version is seen at once");
    }
}

#[tokio::test]
async fn files_are_kept_for_ever_and_pages_asked_for_anew() {
    let (_server, http) = start().await;
    let page = http.get("/").send().await;
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let file = http.get(&script(&page)).send().await;
    assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let again = http.get("/").header("If-None-Match", page.header("etag").unwrap()).send().await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let changed = http.get("/").header("If-None-Match", "\"another\"").send().await;
    assert_eq!(changed.status, 200);
}

#[tokio::test]
async fn the_best_form_that_the_client_takes_is_sent() {
    let (_server, http) = start().await;
    let path = script(&http.get("/").send().await);
    let whole = http.get(&path).send().await;
    assert_eq!((whole.header("content-encoding"), whole.header("vary")), (None, Some("Accept-Encoding")));
    for (accepted, form) in [("gzip, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip")] {
        let answer = http.get(&path).header("Accept-Encoding", accepted).send().await;
        assert_eq!(answer.header("content-encoding"), Some(form), "{accepted}");
        assert!(answer.body.len() < whole.body.len() / 2, "{form} is not smaller");
        assert_ne!(answer.header("etag"), whole.header("etag"));
    }
}

#[tokio::test]
async fn the_player_app_loads_within_its_budget() {
    let (_server, http) = start().await;
    let page = http.get("/").header("Accept-Encoding", "br").send().await;
    let plain = String::from_utf8(http.get("/").send().await.body).unwrap();
    let named = plain.split('"').filter(|text| text.starts_with("/assets/") || *text == "/icon.svg");
    let mut sizes = vec![page.body.len()];
    for path in named {
        sizes.push(http.get(path).header("Accept-Encoding", "br").send().await.body.len());
    }
    assert!(sizes.len() >= 3 && sizes.len() <= 8, "{} requests", sizes.len());
    let total: usize = sizes.iter().sum();
    assert!(total <= 60 * 1024, "{total} bytes: {sizes:?}");
}
