//! The names and addresses under which clients reach the box.
//!
//! Must not know who asks: the certificate is for them, and the doctor compares.

use std::net::{IpAddr, SocketAddr};

use crate::config::Config;
use crate::system;

/// More than these go into no certificate: a machine with a hundred bridges is no box.
const MOST: usize = 32;

/// Longest part of a host's name that is made from the box's name: more nobody types.
const LONGEST: usize = 40;

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

    /// The name that the box wants on its network, without `.local`: what is set, or made from what its owner calls it.
    /// `None` where it is not to have one, and where nobody else could come to it.
    #[must_use]
    pub fn label(&self, box_name: Option<&str>) -> Option<String> {
        if !self.mdns || self.listen.iter().all(|address| address.ip().is_loopback()) {
            return None;
        }
        let made = || match slug(box_name.unwrap_or_default()) {
            slug if slug.is_empty() => "whot".to_owned(),
            slug => format!("whot-{slug}"),
        };
        Some(self.mdns_name.clone().unwrap_or_else(made))
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

/// Whether a text can be a host's name (RFC 1123), with room for a number after it.
pub(super) fn is_label(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=60).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('-') && !text.ends_with('-')
}

/// A name for people as a name for machines: letters without what stands above and below them, and one `-` for the rest.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.to_lowercase().chars() {
        let plain = match letter {
            'a'..='z' | '0'..='9' => letter,
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'ā' | 'ạ' => 'a',
            'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ẹ' | 'ǝ' => 'e',
            'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ị' => 'i',
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ō' | 'ọ' => 'o',
            'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ụ' => 'u',
            'ń' | 'ǹ' | 'ñ' | 'ṅ' => 'n',
            'ṣ' | 'ś' => 's',
            'ɓ' => 'b',
            'ɗ' => 'd',
            'ƙ' => 'k',
            'ḿ' => 'm',
            // Accents that stand by themselves, and the apostrophes within a name.
            '\u{300}'..='\u{36f}' | '\'' | '’' => continue,
            _ if slug.is_empty() || slug.ends_with('-') => continue,
            _ => '-',
        };
        if slug.len() < LONGEST {
            slug.push(plain);
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::slug;
    use crate::config::Given;

    #[test]
    fn what_people_call_the_box_becomes_a_name_for_machines() {
        for (name, wanted) in [
            ("Mama Put", "mama-put"),
            ("  Ọ̀ṣun's — Palace! ", "osuns-palace"),
            ("Ẹkọ́ 2", "eko-2"),
            ("东", ""),
            ("--", ""),
            (&"ab ".repeat(40), "ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-a"),
        ] {
            assert_eq!(slug(name), wanted, "{name}");
        }
        let on = |listen: &str| Given { listen: Some(vec![listen.parse().unwrap()]), ..Given::default() };
        let label = |given: Given, name: Option<&str>| given.complete().unwrap().label(name);
        assert_eq!(label(on("0.0.0.0:80"), Some("Mama Put")).as_deref(), Some("whot-mama-put"));
        assert_eq!(label(on("0.0.0.0:80"), None).as_deref(), Some("whot"));
        assert_eq!(label(on("127.0.0.1:80"), Some("Mama Put")), None);
        assert_eq!(label(Given { mdns: Some(false), ..on("0.0.0.0:80") }, None), None);
        let set = Given { mdns_name: Some("shop".into()), ..on("0.0.0.0:80") };
        assert_eq!(label(set, Some("Mama Put")).as_deref(), Some("shop"));
    }

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
