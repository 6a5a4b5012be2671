//! Pages that stand by themselves: no script, nothing from elsewhere, and a policy that lets in their one style alone.
//!
//! They may be read where no app runs. Must not know what a page says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use sha2::{Digest as _, Sha256};

use crate::http::reply::{self, Response};

/// The colours of the apps, whose contrast is measured, by day and by night.
const STYLE: &str = "body{margin:0;background:#fbf7ef;color:#1d1b17;font:16px/1.45 system-ui,Roboto,sans-serif;\
overflow-wrap:anywhere}main{max-width:600px;margin:0 auto;padding:24px 16px}h1{font-size:24px;line-height:1.2}\
section{background:#fff;border-radius:12px;padding:4px 16px;margin:12px 0}h2{font-size:17px}.soft{color:#575046}\
a{color:#1a5fb4}:focus-visible{outline:3px solid #1a5fb4;outline-offset:2px}@media(prefers-color-scheme:dark){body{background:#16150f;color:#e8e3d8}section{background:#24221b}\
.soft{color:#b9b2a4}a{color:#8ab8ff}:focus-visible{outline-color:#f2b705}}";

/// A page of this title and content, both HTML.
#[must_use]
pub(in crate::http) fn of(title: &str, content: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en-NG\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title} · Whot box</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>{content}<p><a href=\"/\">Whot</a></p></main></body></html>",
    );
    let mut response = reply::bytes_of(StatusCode::OK, "text/html; charset=utf-8", html);
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; frame-ancestors 'none'");
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}
