//! Links to the box itself, as they go onto screens, cards and QR codes.
//!
//! A link carries the address that the request came to, so that it fits whatever network the box is in; the setting
//! `public_url` overrides it. A token stands behind `#`, so that no server, proxy or history of requests sees it.

use hyper::header::HOST;

use crate::app::App;
use crate::config::Tls;
use crate::http::request::Req;

/// Longest host with a port (RFC 1035, section 2.3.4, and five digits).
const MAX_HOST: usize = 261;

/// The address of the box without a slash at its end; `None` where the request names none that can be used.
#[must_use]
pub fn base(app: &App, req: &Req) -> Option<String> {
    if let Some(url) = &app.config.public_url {
        return Some(url.clone());
    }
    let host = req.header(&HOST).filter(|host| is_host(host))?;
    // A phone trusts no certificate of the box's own making, and players need none.
    let players_plain = app.config.plain_http && matches!(app.config.tls, Tls::SelfSigned);
    Some(format!("{}://{host}", if req.secure() && !players_plain { "https" } else { "http" }))
}

/// The link that opens the join page with a token or a typed code.
#[must_use]
pub fn join(base: &str, token: &str) -> String {
    format!("{base}/#join={token}")
}

/// Whether a `Host` can be put into a link.
#[must_use]
pub fn is_host(host: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
    !host.is_empty() && host.len() <= MAX_HOST && host.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_is_put_into_a_link() {
        for good in ["192.168.4.1:8080", "box.local", "[fe80::1]:8080"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "a/b", "a\"b", "user@host", &"x".repeat(300)] {
            assert!(!is_host(bad), "{bad}");
        }
        assert_eq!(join("http://10.0.0.1", "abc"), "http://10.0.0.1/#join=abc");
    }
}
