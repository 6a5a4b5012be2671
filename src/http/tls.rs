//! TLS: the box's certificate, from files or made by itself, exchanged while the box runs.
//!
//! ring is the only provider. What the box makes is signed by its own authority ([`authority`]) and kept in the data
//! folder; a certificate that the owner puts there instead wins. Must not know who listens.

pub mod authority;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::base::time::WallTime;

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
    /// Made by the box and kept in this folder, which only the box can read, as `cert.pem` and `key.pem`; or put there by
    /// the owner under those names.
    SelfSigned(PathBuf),
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
    /// Reads or makes the certificate. What is made is for `names`: the host names and addresses that clients will use.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn open(source: Source, names: &[String], wall: WallTime) -> Result<Self, TlsError> {
        let current = Arc::new(Current(RwLock::new(Arc::new(load(&source, names, wall)?))));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        // HTTP/2 is not offered: hyper has no timeout for a client that never sends its preface.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), source, current })
    }

    /// Takes the certificate from its source again, making a new one where the old one nears its end or is not for all of
    /// `names`. Open connections keep theirs; on an error the old one stays. Says whether it is another.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn reload(&self, names: &[String], wall: WallTime) -> Result<bool, TlsError> {
        let fresh = Arc::new(load(&self.source, names, wall)?);
        let mut current = self.current.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = current.cert != fresh.cert;
        *current = fresh;
        Ok(changed)
    }
}

fn load(source: &Source, names: &[String], wall: WallTime) -> Result<CertifiedKey, TlsError> {
    match source {
        Source::Files { cert, key } => read_pair(cert, key),
        Source::SelfSigned(folder) => {
            let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
            if authority::is_own(&cert)? {
                authority::provide(folder, names, wall)?;
            }
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
