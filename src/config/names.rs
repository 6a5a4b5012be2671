//! The names and addresses under which clients reach the box.
//!
//! Must not know who asks: the certificate is for them, and the doctor compares.

use std::net::{IpAddr, SocketAddr};

use crate::config::Config;
use crate::system;

/// More than these go into no certificate: a machine with a hundred bridges is no box.
const MOST: usize = 32;

impl Config {
    /// Every name and address, what everybody uses first.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let fixed = ["localhost", "whot.local", "127.0.0.1", "::1"].map(str::to_owned);
        let listened = self.listen.iter().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified());
        let everywhere = self.listen.iter().any(|address| address.ip().is_unspecified());
        let own = if everywhere { system::addresses() } else { Vec::new() };
        let addresses: Vec<IpAddr> = listened.chain(own).collect();
        let mut names: Vec<String> = Vec::new();
        for name in fixed.into_iter().chain(self.public_host()).chain(addresses.iter().map(IpAddr::to_string)) {
            if names.len() < MOST && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The host in `public_url`.
    #[must_use]
    pub fn public_host(&self) -> Option<String> {
        let (_, rest) = self.public_url.as_ref()?.split_once("://")?;
        let authority = rest.split('/').next()?;
        let host = match authority.strip_prefix('[') {
            Some(six) => six.split(']').next()?,
            None => authority.split(':').next()?,
        };
        (!host.is_empty()).then(|| host.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Given;

    #[test]
    fn the_address_that_was_set_is_among_them_and_none_stands_twice() {
        let config = |listen: &str, url: &str| {
            let given = Given { listen: Some(vec![listen.parse().unwrap()]), ..Given::default() };
            Given { public_url: Some(url.to_owned()), ..given }.complete().unwrap()
        };
        let names = config("192.168.4.1:80", "https://Shop.local:8443/").names();
        assert_eq!(names, ["localhost", "whot.local", "127.0.0.1", "::1", "shop.local", "192.168.4.1"]);
        assert_eq!(config("127.0.0.1:80", "http://[fe80::1]:80").public_host().as_deref(), Some("fe80::1"));
        assert_eq!(config("127.0.0.1:80", "http://192.168.4.1").names().len(), 5);
    }
}
