//! The opening handshake (RFC 6455, section 4.2) and who may ask for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    CONNECTION, HOST, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Uri};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::http::problem::{Code, Problem};
use crate::http::request::Req;

/// The one subprotocol of the box.
const PROTOCOL: &str = "whot.v1";

/// What the answer to a good handshake says.
pub(super) struct Handshake {
    pub(super) accept: HeaderValue,
    pub(super) protocol: Option<&'static str>,
}

/// Checks origin and handshake.
pub(super) fn check(req: &Req) -> Result<Handshake, Problem> {
    if !origin_may(req) {
        return Err(Problem::new(Code::ForeignOrigin));
    }
    let asked = *req.method() == Method::GET && names(req, &UPGRADE, "websocket") && names(req, &CONNECTION, "upgrade");
    if !asked || req.header(&SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Problem::new(Code::UpgradeRequired));
    }
    let key = req.header(&SEC_WEBSOCKET_KEY).ok_or_else(|| Problem::new(Code::BadHandshake))?;
    if STANDARD.decode(key).map_or(0, |nonce| nonce.len()) != 16 {
        return Err(Problem::new(Code::BadHandshake));
    }
    let accept = derive_accept_key(key.as_bytes());
    let accept = HeaderValue::try_from(accept).map_err(|_| Problem::new(Code::BadHandshake))?;
    let offered = req.subprotocols().any(|protocol| protocol == PROTOCOL);
    Ok(Handshake { accept, protocol: offered.then_some(PROTOCOL) })
}

/// Whether a header's comma-separated values name `word`.
fn names(req: &Req, header: &HeaderName, word: &str) -> bool {
    let lines = req.intake().headers.get_all(header).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
}

/// A browser names the origin of the page that asks. It may be the box's own, by the host that it was reached
/// under, or one of the settings'. What is no browser names none.
fn origin_may(req: &Req) -> bool {
    let headers = &req.intake().headers;
    if !headers.contains_key(ORIGIN) {
        return true;
    }
    let Some(origin) = req.header(&ORIGIN) else { return false };
    if req.intake().settings.origins.iter().any(|known| known.trim_end_matches('/').eq_ignore_ascii_case(origin)) {
        return true;
    }
    let Ok(page) = origin.parse::<Uri>() else { return false };
    let scheme = page.scheme_str().unwrap_or("");
    let (Some(authority), Some(host)) = (page.authority(), req.header(&HOST)) else { return false };
    ["http", "https"].contains(&scheme) && bare(authority.as_str(), scheme).eq_ignore_ascii_case(bare(host, scheme))
}

/// A host without the port that its scheme has anyway.
fn bare<'a>(host: &'a str, scheme: &str) -> &'a str {
    let port = if scheme == "https" { ":443" } else { ":80" };
    host.strip_suffix(port).unwrap_or(host)
}
