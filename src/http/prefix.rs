//! The old gateway's prefixes: `/identity`, `/customer`, `/game` and `/chat` before `/api/v1`.
//!
//! Clients of the four old services keep their addresses. A path under another domain's prefix does not exist.

use hyper::Uri;

/// Which paths below `/api/v1/` belong to which domain. Paths of no domain have no prefixed form.
const DOMAINS: &[(&str, &[&str])] = &[
    ("identity", &["auth", "users", "admin/distributors", "admin/moderators", "admin/users"]),
    ("customer", &["invites", "relationships", "entitlements"]),
    ("game", &["games"]),
    ("chat", &["conversations", "messages", "admin/moderation", "admin/archive-expiry"]),
];

/// The API's root, as each old service had it.
const ROOT: &str = "/api/v1/";

/// The address without its prefix; as it is, where it has none; `None` where the prefix is another domain's.
#[must_use]
pub fn strip(uri: &Uri) -> Option<Uri> {
    let Some((domain, path)) = split(uri.path()) else { return Some(uri.clone()) };
    let (_, owned) = DOMAINS.iter().find(|(name, _)| *name == domain)?;
    let below = path.strip_prefix(ROOT)?;
    owned
        .iter()
        .find(|start| below.strip_prefix(**start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))?;
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    format!("{path}{query}").parse().ok()
}

/// The domain and the rest, if the path is the API's under a prefix. `/game` alone may be a page.
fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    let end = path.find('/')?;
    let (domain, rest) = path.split_at_checked(end)?;
    (DOMAINS.iter().any(|(name, _)| *name == domain) && rest.starts_with(ROOT)).then_some((domain, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn stripped(from: &str) -> Option<String> {
        strip(&from.parse().unwrap()).map(|uri| uri.to_string())
    }

    #[test]
    fn each_domain_has_its_own_paths() {
        assert_eq!(stripped("/identity/api/v1/auth/login").unwrap(), "/api/v1/auth/login");
        assert_eq!(stripped("/game/api/v1/games?state=live").unwrap(), "/api/v1/games?state=live");
        assert_eq!(stripped("/chat/api/v1/admin/moderation/audits").unwrap(), "/api/v1/admin/moderation/audits");
        for wrong in ["/game/api/v1/auth/login", "/identity/api/v1/admin/moderation/audits", "/chat/api/v1/messagesX"] {
            assert_eq!(stripped(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_has_no_prefix_stays() {
        for same in ["/api/v1/games", "/game", "/game/lobby", "/", "/openapi.json"] {
            assert_eq!(stripped(same).unwrap(), same);
        }
    }
}
