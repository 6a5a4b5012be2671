//! Who the client is, where a reverse proxy of the owner's stands before the box.
//!
//! A forwarded header is believed from a loopback peer that the settings name, and from nobody else
//! (security.md, rule 22): anyone can write one.

use std::net::IpAddr;

use hyper::header::{HeaderMap, HeaderName};

use crate::http::connections::{Connection, Wire};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The client's address and whether it speaks TLS.
#[must_use]
pub fn client(connection: &Connection, headers: &HeaderMap) -> (IpAddr, bool) {
    let tls = connection.wire() == Wire::Tls;
    if !connection.proxy {
        return (connection.peer, tls);
    }
    let secure = last(headers, &PROTO).is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
    let address = last(headers, &FOR).and_then(address);
    (address.unwrap_or(connection.peer), tls || secure)
}

/// The last entry: the one that the proxy itself wrote; those before it came from the client.
fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim)
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().map(|address: IpAddr| address.to_canonical())
}
