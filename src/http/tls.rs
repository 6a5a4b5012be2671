//! TLS: the box's certificate, from files or made by itself, exchanged while the box runs.
//!
//! ring is the only provider. A self-made certificate and its key are kept in the data folder, so that what people
//! have come to trust stays the same. Must not know who listens.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::base::time::Timestamp;

/// Life of a self-made certificate: the longest that phones accept from a private issuer.
const LIFE: Duration = Duration::from_hours(820 * 24);
/// A self-made certificate is replaced when it has less left than this.
const RENEW_BEFORE: Duration = Duration::from_hours(30 * 24);
/// Slack for clients whose clock is behind.
const SLACK: Duration = Duration::from_hours(24);
/// 2026-01-01: a clock that says earlier is wrong, and must not make a certificate that has ended before it began.
const EARLIEST: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
/// First words of a self-made certificate's file; what follows is when it ends and for which names it is.
const NOTE: &str = "whotbox self-made certificate until ";

/// Where the certificate comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The owner's own, as PEM: the chain, leaf first, and its key.
    Files {
        /// The chain.
        cert: PathBuf,
        /// The key: PKCS#8, PKCS#1 or SEC1.
        key: PathBuf,
    },
    /// Made by the box and kept in `folder` as `cert.pem` and `key.pem`.
    SelfSigned {
        /// A folder that only the box can read.
        folder: PathBuf,
        /// Host names and addresses that clients will use.
        names: Vec<String>,
    },
}

/// TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds no certificate or no key, or the two do not belong together.
    #[error("{path}: {why}")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// No certificate could be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// The TLS library refused the settings.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
}

/// The certificate in use.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The TLS side of the box.
#[derive(Debug, Clone)]
pub struct Tls {
    /// What listeners are given.
    pub config: Arc<ServerConfig>,
    source: Source,
    current: Arc<Current>,
}

impl Tls {
    /// Reads or makes the certificate.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn open(source: Source, now: Timestamp) -> Result<Self, TlsError> {
        let current = Arc::new(Current(RwLock::new(Arc::new(load(&source, now)?))));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        // HTTP/2 is not offered: hyper has no timeout for a client that never sends its preface.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), source, current })
    }

    /// Takes the certificate from its source again, making a new one where the old one is about to end. Open
    /// connections keep theirs; on an error the old one stays.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn reload(&self, now: Timestamp) -> Result<(), TlsError> {
        let fresh = Arc::new(load(&self.source, now)?);
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The file of the certificate, which clients may be told to trust.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        match &self.source {
            Source::Files { cert, .. } => cert.clone(),
            Source::SelfSigned { folder, .. } => folder.join("cert.pem"),
        }
    }
}

fn load(source: &Source, now: Timestamp) -> Result<CertifiedKey, TlsError> {
    match source {
        Source::Files { cert, key } => read_pair(cert, key),
        Source::SelfSigned { folder, names } => {
            let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
            if still_good(&cert, names, now)
                && let Ok(pair) = read_pair(&cert, &key)
            {
                return Ok(pair);
            }
            make(folder, names, now)?;
            read_pair(&cert, &key)
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

fn read_pair(cert: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let unusable = |path: &Path, why: String| TlsError::Unusable { path: path.to_owned(), why };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(cert)?).collect();
    let chain = chain.map_err(|error| unusable(cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(unusable(cert, "it holds no certificate".to_owned()));
    }
    let key_der = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| unusable(key, error.to_string()))?;
    let pair = CertifiedKey::from_der(chain, key_der, &rustls::crypto::ring::default_provider());
    pair.map_err(|error| unusable(key, error.to_string()))
}

/// Whether the kept certificate has enough life left and is for all of `names`.
fn still_good(cert: &Path, names: &[String], now: Timestamp) -> bool {
    let text = fs::read_to_string(cert).unwrap_or_default();
    let Some((until, kept)) =
        text.lines().next().and_then(|l| l.strip_prefix(NOTE)).and_then(|l| l.split_once(" for "))
    else {
        return false;
    };
    let lasts = until.parse::<Timestamp>().is_ok_and(|until| until > now.plus(RENEW_BEFORE));
    lasts && names.iter().all(|name| kept.split(' ').any(|k| k == name))
}

fn make(folder: &Path, names: &[String], now: Timestamp) -> Result<(), TlsError> {
    let from = now.max(EARLIEST).minus(SLACK);
    let until = from.plus(LIFE);
    let mut params = CertificateParams::new(names.to_vec())?;
    let ((year, month, first), (last_year, last_month, last)) = (day(from), day(until));
    params.not_before = rcgen::date_time_ymd(year, month, first);
    params.not_after = rcgen::date_time_ymd(last_year, last_month, last);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Whot box");
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let cert = params.self_signed(&key)?;
    fs::create_dir_all(folder).map_err(|source| TlsError::File { path: folder.to_owned(), source })?;
    // The certificate is written last: it is what says that the pair is there.
    write_private(&folder.join("key.pem"), &key.serialize_pem())?;
    write_private(&folder.join("cert.pem"), &format!("{NOTE}{until} for {}\n{}", names.join(" "), cert.pem()))
}

/// Year, month and day of a moment, as rcgen takes them.
fn day(time: Timestamp) -> (i32, u8, u8) {
    let day = jiff::Timestamp::from_second(time.seconds()).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    (day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs())
}

/// Puts a file in place whole or not at all, readable by the box alone.
fn write_private(path: &Path, text: &str) -> Result<(), TlsError> {
    let failed = |source| TlsError::File { path: path.to_owned(), source };
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&fresh, path).map_err(failed)
}
