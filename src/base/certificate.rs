//! What stands in a certificate: from when to when, and for which names. Read off its DER, which is all that is needed of it.
//!
//! Must not know who trusts it.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};

use crate::base::time::Timestamp;

/// Tags of DER that matter here.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const OBJECT_ID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// A host's name and an address among the names of an owner (RFC 5280, section 4.2.1.6).
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
/// The extension of those names: 2.5.29.17.
const OTHER_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Before this it is not valid.
    pub from: Timestamp,
    /// After this it is not.
    pub until: Timestamp,
    /// The host names and addresses that it is for.
    pub names: Vec<String>,
}

impl Facts {
    /// Reads them; `None` for what is no certificate.
    #[must_use]
    pub fn of(der: &[u8]) -> Option<Self> {
        read(der)
    }

    /// Whether the certificate is for a host name or address. A `*` stands for one label (RFC 6125, section 6.4.3).
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        self.names.iter().any(|name| {
            let wild = name.strip_prefix("*.").zip(host.split_once('.'));
            name.eq_ignore_ascii_case(host) || wild.is_some_and(|(rest, (_, domain))| rest.eq_ignore_ascii_case(domain))
        })
    }
}

/// The first certificate of a PEM file; `None` for a file that holds none.
#[must_use]
pub fn first(path: &Path) -> Option<CertificateDer<'static>> {
    let pem = fs::read(path).ok()?;
    CertificateDer::pem_slice_iter(&pem).next()?.ok()
}

/// The SHA-256 of a certificate, as browsers and phones show it.
#[must_use]
pub fn fingerprint(der: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(der) {
        let colon = if text.is_empty() { "" } else { ":" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}

/// `Certificate ::= { { [0] version, serial, algorithm, issuer, { notBefore, notAfter }, subject, key, [3] extensions }, … }`
/// (RFC 5280, section 4.1).
fn read(der: &[u8]) -> Option<Facts> {
    let (certificate, _) = inside(der, SEQUENCE)?;
    let (mut body, _) = inside(certificate, SEQUENCE)?;
    if body.first() == Some(&VERSION) {
        body = after(body)?;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        body = after(body)?;
    }
    let (validity, mut rest) = inside(body, SEQUENCE)?;
    let (from, until) = (time(validity)?, time(after(validity)?)?);
    while let Some((tag, content, next)) = element(rest) {
        if tag == EXTENSIONS {
            return Some(Facts { from, until, names: names(inside(content, SEQUENCE)?.0)? });
        }
        rest = next;
    }
    Some(Facts { from, until, names: Vec::new() })
}

/// `Extensions ::= { { id, [critical], content in octets } … }`: the names, from the one that has them.
fn names(mut extensions: &[u8]) -> Option<Vec<String>> {
    while let Some((_, extension, next)) = element(extensions) {
        extensions = next;
        let (id, mut rest) = inside(extension, OBJECT_ID)?;
        if id != OTHER_NAMES {
            continue;
        }
        while let Some((tag, content, next)) = element(rest) {
            if tag == OCTETS {
                return Some(each_name(inside(content, SEQUENCE)?.0));
            }
            rest = next;
        }
    }
    Some(Vec::new())
}

fn each_name(mut list: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((tag, content, next)) = element(list) {
        list = next;
        match tag {
            DNS_NAME => found.extend(std::str::from_utf8(content).ok().map(str::to_owned)),
            IP_ADDRESS => found.extend(address(content).map(|address| address.to_string())),
            _ => {}
        }
    }
    found
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(four).into());
    }
    <[u8; 16]>::try_from(octets).ok().map(|sixteen| Ipv6Addr::from(sixteen).into())
}

fn time(der: &[u8]) -> Option<Timestamp> {
    let (tag, text, _) = element(der)?;
    let text = std::str::from_utf8(text).ok()?;
    let digits = match tag {
        // RFC 5280, section 4.1.2.5.1: from 1950 to 2049.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| digits.get(from..to);
    let (day, hour) = (format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?), part(8, 10)?);
    format!("{day}T{hour}:{}:{}Z", part(10, 12)?, part(12, 14)?).parse().ok()
}

fn inside(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == wanted).then_some((content, rest))
}

fn after(der: &[u8]) -> Option<&[u8]> {
    element(der).map(|(_, _, rest)| rest)
}

/// The first element: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (bytes.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_names_are_read_and_garbage_has_none() {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = ["box.example", "192.168.4.1", "fe80::1", "*.shop.example"].map(str::to_owned);
        for (year, month, day) in [(2031, 4, 17), (2060, 1, 2)] {
            let mut params = rcgen::CertificateParams::new(names.to_vec()).unwrap();
            params.not_before = rcgen::date_time_ymd(2026, 11, 1);
            params.not_after = rcgen::date_time_ymd(year, month, day);
            let der = params.self_signed(&key).unwrap().der().to_vec();
            let facts = Facts::of(&der).unwrap();
            assert_eq!(facts.until, format!("{year}-{month:02}-{day:02}T00:00:00Z").parse().unwrap());
            assert_eq!((facts.from, &*facts.names), ("2026-11-01T00:00:00Z".parse().unwrap(), &names[..]));
            for (host, covered) in [
                ("BOX.example", true),
                ("192.168.4.1", true),
                ("a.shop.example", true),
                ("a.b.shop.example", false),
                ("shop.example", false),
                ("192.168.4.2", false),
            ] {
                assert_eq!(facts.is_for(host), covered, "{host}");
            }
            for cut in 0..der.len() {
                // Whatever is cut off, nothing is read that does not stand there.
                assert!(Facts::of(&der[..cut]).is_none_or(|part| part == facts));
            }
        }
    }
}
