//! The browser apps: the files that `web/` builds, embedded in the binary and served as they are.
//!
//! Every path of an app answers with that app's one page, which reads the path itself. What has a digest in its name
//! never changes and is kept for a year; everything else is asked for anew and confirmed by its `ETag`. Files were
//! compressed when they were built; nothing is compressed while it is served. Must not know what an app does.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName,
    HeaderValue, IF_NONE_MATCH, VARY,
};
use rust_embed::{Embed, EmbeddedFile};

use crate::http::problem::{Code, Problem};
use crate::http::reply::Response;
use crate::http::request::Req;
use crate::http::route::{Resource, Route, get};

/// What `npm run build` in `web/` wrote.
#[derive(Embed)]
#[folder = "web/dist"]
struct Dist;

/// The paths of the player's app.
const PLAYER: &[&str] =
    &["/", "/join", "/join/{token}", "/play", "/play/g/{id}", "/chat", "/chat/{id}", "/me", "/help"];

/// The paths of the owner's app.
const OWNER: &[&str] = &[
    "/box",
    "/box/setup",
    "/box/invites",
    "/box/customers",
    "/box/people",
    "/box/sync",
    "/box/backups",
    "/box/health",
    "/box/settings",
    "/box/restore",
    "/box/games",
];

/// The paths of the staff's app.
const STAFF: &[&str] = &["/staff", "/staff/c/{id}", "/staff/holds", "/staff/audit", "/staff/retention"];

/// Each app: its one page, what it is, and its paths.
const APPS: &[(&str, &str, &[&str])] = &[
    ("index.html", "A page of the player's app.", PLAYER),
    ("owner.html", "A page of the owner's app.", OWNER),
    ("staff.html", "A page of the staff's app.", STAFF),
];

/// Files with a digest in their names never change: a year is the longest that caches know.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A page names the files of its version, so it is asked for anew every time.
const ANEW: HeaderValue = HeaderValue::from_static("no-cache");

/// Nothing comes from elsewhere and nothing is written into the page: scripts, styles and sockets of this origin alone.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     manifest-src 'self'; form-action 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
);

/// How a file may be sent, best first, and the ending of its name in that form.
const FORMS: &[(&str, &str)] = &[("br", ".br"), ("gzip", ".gz")];

/// The table.
#[must_use]
pub fn resource() -> Resource {
    let mut routes: Vec<Route> = Vec::new();
    for (name, summary, paths) in APPS {
        routes.extend(paths.iter().map(|path| get(path, summary).public().gives("text/html").to(name, page)));
    }
    routes.push(
        get("/assets/{file}", "A file of the apps.").public().gives("application/octet-stream").to(&"assets/", file),
    );
    routes.extend([
        get("/icon.svg", "The icon.").public().gives("image/svg+xml").to(&"icon.svg", page_of),
        get("/manifest.webmanifest", "What a phone needs to install the player's app.")
            .public()
            .gives("application/manifest+json")
            .to(&"manifest.webmanifest", page_of),
        get("/sw.js", "Shows the offline page where the box cannot be reached; asked for on HTTPS only.")
            .public()
            .gives("text/javascript")
            .to(&"sw.js", page_of),
        get("/offline.html", "What an installed app shows while the box is away.")
            .public()
            .gives("text/html")
            .to(&"offline.html", page),
        get("/offline.css", "The look of the offline page.").public().gives("text/css").to(&"offline.css", page_of),
    ]);
    Resource::new("web", routes)
}

async fn page(name: &'static str, req: Req) -> Result<Response, Problem> {
    let mut reply = send(name, ANEW, &req)?;
    reply.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
    Ok(reply)
}

async fn page_of(name: &'static str, req: Req) -> Result<Response, Problem> {
    send(name, ANEW, &req)
}

async fn file(folder: &'static str, req: Req) -> Result<Response, Problem> {
    let name = req.text_param("file");
    if name.contains('/') {
        return Err(Code::NotFound.into());
    }
    send(&format!("{folder}{name}"), FOREVER, &req)
}

/// The content type by the ending of a name; none for what is not served by itself, such as a compressed form.
fn content_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "webmanifest" => Some("application/manifest+json"),
        _ => None,
    }
}

/// A file in the best form that the client takes, or 304 when it has it already.
fn send(name: &str, cache: HeaderValue, req: &Req) -> Result<Response, Problem> {
    let kind = content_type(name).ok_or(Code::NotFound)?;
    let (found, form) = choose(name, req.header(&ACCEPT_ENCODING).unwrap_or("")).ok_or(Code::NotFound)?;
    let tag = etag(&found, form)?;
    let known = req.header(&IF_NONE_MATCH).is_some_and(|given| given.split(',').any(|one| tag == one.trim()));
    let mut reply = Response::new(if known { Bytes::new() } else { bytes(found.data) }.into());
    *reply.status_mut() = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut set = |name: HeaderName, value| drop(reply.headers_mut().insert(name, value));
    set(CONTENT_TYPE, HeaderValue::from_static(kind));
    set(CACHE_CONTROL, cache);
    set(VARY, HeaderValue::from_static("Accept-Encoding"));
    set(ETAG, tag);
    if let Some(form) = form {
        set(CONTENT_ENCODING, HeaderValue::from_static(form));
    }
    Ok(reply)
}

/// The file as the client takes it, with the name of the form if it is a compressed one.
fn choose(name: &str, accepted: &str) -> Option<(EmbeddedFile, Option<&'static str>)> {
    let compressed = FORMS.iter().filter(|(form, _)| takes(accepted, form));
    let mut found = compressed.filter_map(|(form, ending)| Some((Dist::get(&format!("{name}{ending}"))?, Some(*form))));
    found.next().or_else(|| Some((Dist::get(name)?, None)))
}

/// Whether an `Accept-Encoding` takes a form: named, and not with a weight of nothing (RFC 9110, section 12.5.3).
fn takes(accepted: &str, form: &str) -> bool {
    accepted.split(',').any(|one| {
        let (name, rest) = one.split_once(';').unwrap_or((one, ""));
        let weight = rest.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok()).unwrap_or(1.0);
        name.trim().eq_ignore_ascii_case(form) && weight > 0.0
    })
}

/// The digest of the bytes as they are sent.
fn etag(file: &EmbeddedFile, form: Option<&str>) -> Result<HeaderValue, Problem> {
    let digest: String = file.metadata.sha256_hash().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{digest}-{}\"", form.unwrap_or("id"))).map_err(|error| Problem::internal(&error))
}

fn bytes(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(slice) => Bytes::from_static(slice),
        Cow::Owned(owned) => owned.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_with_no_weight_is_not_taken() {
        assert!(takes("gzip, deflate, br", "br"));
        assert!(takes("BR;q=0.5", "br"));
        for refused in ["", "gzip", "br;q=0", "br; q=0.0", "brotli"] {
            assert!(!takes(refused, "br"), "{refused}");
        }
    }

    #[test]
    fn compressed_forms_are_no_files_of_their_own() {
        assert_eq!(content_type("assets/play.js.br"), None);
        assert_eq!(content_type("assets/play"), None);
        assert!(content_type("assets/play.js").is_some());
    }
}
