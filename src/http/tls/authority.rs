//! The box's own authority, and the certificate that it signs for the box's names.
//!
//! ```text
//!   ca.pem, ca-key.pem   made once; people install the first     cert.pem, key.pem   ninety days, made anew at two thirds
//! ```
//!
//! The authority's key lies on a box in a shop. So it can sign for local names and private addresses alone: what is stolen
//! with the box opens no other site to whoever trusts it. Must not know who listens.

use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256,
};
use rustls_pki_types::CertificateDer;

use crate::base::certificate::{Facts, fingerprint, first};
use crate::base::durable;
use crate::base::time::{Timestamp, WallTime};
use crate::http::tls::{TlsError, read_pair};

/// The authority's certificate, which people install.
pub const AUTHORITY_FILE: &str = "ca.pem";
const AUTHORITY_KEY: &str = "ca-key.pem";

const DAY: Duration = Duration::from_hours(24);
/// Life of the authority: installing it on every phone again is the dearest thing about it.
const AUTHORITY_LIFE: Duration = Duration::from_hours(3652 * 24);
/// The authority is replaced when it has less left than this.
const AUTHORITY_END: Duration = Duration::from_hours(30 * 24);
/// Life of the box's certificate, renewed at two thirds.
const LIFE: Duration = Duration::from_hours(90 * 24);
/// Life of one that was made by a clock that may be far behind: the longest that phones accept.
const LONG_LIFE: Duration = Duration::from_hours(820 * 24);
/// 2026-01-01: a clock that says earlier is wrong, and must not make a certificate that has ended before it began.
const EARLIEST: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
/// First words of the file of a certificate that the authority signed; the authority's fingerprint follows.
const NOTE: &str = "whotbox own certificate, signed by ";
/// First words of the certificates that boxes made before they had an authority.
const EARLIER_NOTE: &str = "whotbox self-made certificate until ";

/// Domains that no public authority signs for, and that local networks use (RFC 6761, 6762, 8375; `lan` of many routers).
const LOCAL_DOMAINS: &[&str] = &["local", "localhost", "lan", "home.arpa", "internal"];
/// Private, shared and link-local networks (RFC 1918, 6598, 3927, 4193, 4291), and loopback.
const LOCAL_NETWORKS: &[(&str, u8)] = &[
    ("10.0.0.0", 8),
    ("172.16.0.0", 12),
    ("192.168.0.0", 16),
    ("100.64.0.0", 10),
    ("169.254.0.0", 16),
    ("127.0.0.0", 8),
    ("fc00::", 7),
    ("fe80::", 10),
    ("::1", 128),
];

/// Whether the authority can sign for a host name or address.
#[must_use]
pub fn can_sign_for(name: &str) -> bool {
    if let Ok(address) = name.parse::<IpAddr>() {
        return LOCAL_NETWORKS.iter().any(|(network, bits)| lies_in(address, network, *bits));
    }
    LOCAL_DOMAINS.iter().any(|domain| {
        name.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.len() > 1 && before.ends_with('.'))
    })
}

fn lies_in(address: IpAddr, network: &str, bits: u8) -> bool {
    match (address, network.parse()) {
        (IpAddr::V4(address), Ok(IpAddr::V4(network))) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(address), Ok(IpAddr::V6(network))) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}

/// Whether a certificate's file is one that the box made, and may make anew. Another was put there by the owner.
pub(in crate::http) fn is_own(cert: &Path) -> Result<bool, TlsError> {
    match fs::read(cert) {
        Ok(text) => Ok(text.starts_with(NOTE.as_bytes()) || text.starts_with(EARLIER_NOTE.as_bytes())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(source) => Err(TlsError::File { path: cert.to_owned(), source }),
    }
}

/// Sees that the folder holds a certificate for these names with enough life left, signed by an authority with enough.
pub(in crate::http) fn provide(folder: &Path, names: &[String], wall: WallTime) -> Result<(), TlsError> {
    let authority = Authority::provide(folder, wall)?;
    let names: Vec<String> = names.iter().filter(|name| can_sign_for(name)).cloned().collect();
    if !authority.has_signed_well(folder, &names, wall) {
        authority.sign(folder, &names, wall)?;
    }
    Ok(())
}

struct Authority {
    key: KeyPair,
    der: CertificateDer<'static>,
    until: Timestamp,
}

impl Authority {
    /// The kept one; another where there is none or where it ends, if the clock that says so is known to be right.
    fn provide(folder: &Path, wall: WallTime) -> Result<Self, TlsError> {
        match Self::kept(folder)? {
            Some(kept) if !wall.trusted || kept.until > wall.now.plus(AUTHORITY_END) => Ok(kept),
            _ => Self::make(folder, wall.now),
        }
    }

    /// What is damaged is named and never replaced: it is what phones trust.
    fn kept(folder: &Path) -> Result<Option<Self>, TlsError> {
        let (cert, key) = (folder.join(AUTHORITY_FILE), folder.join(AUTHORITY_KEY));
        if !cert.try_exists().map_err(|source| TlsError::File { path: cert.clone(), source })? {
            return Ok(None);
        }
        read_pair(&cert, &key)?;
        let unusable = |path: &Path, why: &str| TlsError::Unusable { path: path.to_owned(), why: why.to_owned() };
        let der = first(&cert).ok_or_else(|| unusable(&cert, "it holds no certificate"))?;
        let facts = Facts::of(&der).ok_or_else(|| unusable(&cert, "its certificate cannot be read"))?;
        let text = fs::read_to_string(&key).map_err(|source| TlsError::File { path: key.clone(), source })?;
        Ok(Some(Self { key: KeyPair::from_pem(&text)?, der, until: facts.until }))
    }

    fn make(folder: &Path, now: Timestamp) -> Result<Self, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        // It is valid from the earliest day on, whatever the clock says: a clock that is ahead must not make it wait.
        let until = now.max(EARLIEST).plus(AUTHORITY_LIFE);
        let mut params = Self::params(&key)?;
        let ((year, month, first), (last_year, last_month, last)) = (day(EARLIEST), day(until));
        params.not_before = rcgen::date_time_ymd(year, month, first);
        params.not_after = rcgen::date_time_ymd(last_year, last_month, last);
        let cert = params.self_signed(&key)?;
        write_private(folder, AUTHORITY_KEY, &key.serialize_pem())?;
        write_private(folder, AUTHORITY_FILE, &cert.pem())?;
        Ok(Self { key, der: cert.der().clone(), until })
    }

    /// Its name comes from its key, so that the authorities of two boxes are told apart.
    fn params(key: &KeyPair) -> Result<CertificateParams, TlsError> {
        let mut params = CertificateParams::new(Vec::new())?;
        let id: String = fingerprint(key.public_key_raw()).replace(':', "").chars().take(8).collect();
        params.distinguished_name = named(&format!("Whot box {id}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let domains = LOCAL_DOMAINS.iter().map(|domain| GeneralSubtree::DnsName((*domain).to_owned()));
        let networks =
            LOCAL_NETWORKS.iter().filter_map(|(network, bits)| Some((network.parse::<IpAddr>().ok()?, *bits)));
        let networks = networks.map(|(network, bits)| GeneralSubtree::IpAddress(subnet(network, bits)));
        let permitted_subtrees = domains.chain(networks).collect();
        params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
        Ok(params)
    }

    /// Whether the kept certificate is this authority's, for all the names, and good for a while.
    fn has_signed_well(&self, folder: &Path, names: &[String], wall: WallTime) -> bool {
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let signed = format!("{NOTE}{}\n", fingerprint(&self.der));
        if !fs::read(&cert).is_ok_and(|text| text.starts_with(signed.as_bytes())) || read_pair(&cert, &key).is_err() {
            return false;
        }
        let Some(facts) = first(&cert).and_then(|der| Facts::of(&der)) else { return false };
        let renewal = facts.from.plus(facts.until.since(facts.from) / 3 * 2);
        let from_the_future = wall.trusted && wall.now < facts.from;
        wall.now < renewal && !from_the_future && names.iter().all(|name| facts.is_for(name))
    }

    fn sign(&self, folder: &Path, names: &[String], wall: WallTime) -> Result<(), TlsError> {
        let from = wall.now.max(EARLIEST).minus(DAY).max(EARLIEST);
        let until = from.plus(if wall.trusted { LIFE } else { LONG_LIFE }).min(self.until);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names.to_vec())?;
        let ((year, month, first), (last_year, last_month, last)) = (day(from), day(until));
        params.not_before = rcgen::date_time_ymd(year, month, first);
        params.not_after = rcgen::date_time_ymd(last_year, last_month, last);
        params.distinguished_name = named("Whot box");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let cert = params.signed_by(&key, &Issuer::new(Self::params(&self.key)?, &self.key))?;
        // The certificate is written last: it is what says that the pair is there.
        write_private(folder, "key.pem", &key.serialize_pem())?;
        write_private(folder, "cert.pem", &format!("{NOTE}{}\n{}", fingerprint(&self.der), cert.pem()))
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// A network in the form of a certificate.
fn subnet(network: IpAddr, bits: u8) -> CidrSubnet {
    match network {
        IpAddr::V4(network) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            CidrSubnet::V4(network.octets(), mask.to_be_bytes())
        }
        IpAddr::V6(network) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            CidrSubnet::V6(network.octets(), mask.to_be_bytes())
        }
    }
}

/// Year, month and day of a moment, as rcgen takes them.
fn day(time: Timestamp) -> (i32, u8, u8) {
    let day = jiff::Timestamp::from_second(time.seconds()).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    (day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs())
}

/// Puts a file in place whole or not at all, readable by the box alone, so that it is there after a power cut.
fn write_private(folder: &Path, name: &str, text: &str) -> Result<(), TlsError> {
    let path = folder.join(name);
    let failed = |source| TlsError::File { path: path.clone(), source };
    durable::make_folder(folder).and_then(|_| durable::replace(&path, text.as_bytes())).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_signs_for_what_is_local_alone() {
        for local in ["whot.local", "localhost", "a.b.lan", "10.1.2.3", "172.31.0.1", "192.168.4.1", "fe80::1", "::1"] {
            assert!(can_sign_for(local), "{local}");
        }
        for public in ["example.com", "notlocal", "local.com", ".local", "8.8.8.8", "172.32.0.1", "2001:db8::1", "::2"]
        {
            assert!(!can_sign_for(public), "{public}");
        }
    }
}
