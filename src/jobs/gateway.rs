//! The SMS gateway: one signed POST over TLS, and what its answer means.
//!
//! Must not know where codes come from, or when they are tried again. Nothing of a request is ever logged: its body is a
//! code and a phone number, and its address may hold the owner's login.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use uuid::Uuid;

use crate::base::digest::{Key, hex, hmac_sha256};
use crate::base::time::Timestamp;
use crate::config::ConfigError;
use crate::identity::codes::Post;
use crate::identity::otp::OtpPurpose;

/// Time for one post, from the name's look-up to the answer's head.
const PATIENCE: Duration = Duration::from_secs(10);
/// When the request was signed, in seconds since 1970.
const TIMESTAMP: HeaderName = HeaderName::from_static("x-whotbox-timestamp");
/// `v1=` and the HMAC-SHA-256 of timestamp, a dot and the body, in hexadecimal digits.
const SIGNATURE: HeaderName = HeaderName::from_static("x-whotbox-signature");
/// The code's id: a repetition has the same.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What became of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The gateway took it.
    Taken,
    /// The gateway will never take it: another try is of no use.
    Refused(u16),
    /// The gateway did not take it now.
    Busy(u16),
    /// The gateway could not be reached, or did not answer in time.
    Unreachable,
}

/// Where codes are posted.
pub struct Gateway {
    address: Uri,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    key: Key,
    box_id: Uuid,
}

/// A byte stream that a request goes through.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Gateway {
    /// The gateway of an address that the settings have checked.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] for a CA file that cannot be used.
    pub fn new(address: Uri, ca: Option<&Path>, key: Key, box_id: Uuid) -> Result<Self, ConfigError> {
        let secure = address.scheme_str() == Some("https");
        let host = address.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = address.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tls = if secure { Some(connector(ca)?) } else { None };
        Ok(Self { address, host, port, tls, key, box_id })
    }

    /// Posts a code.
    pub async fn post(&self, post: &Post, now: Timestamp) -> Answer {
        match tokio::time::timeout(PATIENCE, self.send(self.request(post, now))).await {
            Ok(Some(200..=299)) => Answer::Taken,
            // It has understood and will not: the number is none, or nobody may be sent to.
            Ok(Some(status @ (400 | 410 | 422))) => Answer::Refused(status),
            Ok(Some(status)) => Answer::Busy(status),
            Ok(None) | Err(_) => Answer::Unreachable,
        }
    }

    /// The signed request.
    fn request(&self, post: &Post, now: Timestamp) -> Option<Request<Full<Bytes>>> {
        let body = self.body(post);
        let timestamp = now.seconds().to_string();
        let mac = hmac_sha256(self.key.expose(), format!("{timestamp}.{body}").as_bytes());
        let path = self.address.path_and_query().map_or("/", |path| path.as_str());
        let authority = self.address.authority()?.as_str();
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, authority)
            .header(USER_AGENT, concat!("whotbox/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json")
            .header(IDEMPOTENCY_KEY, post.id.to_string())
            .header(TIMESTAMP, &timestamp)
            .header(SIGNATURE, format!("v1={}", hex(&mac)));
        request.body(Full::new(Bytes::from(body))).ok()
    }

    fn body(&self, post: &Post) -> String {
        let code = &post.code;
        let text = match post.purpose {
            OtpPurpose::PasswordReset => {
                format!("{code} sets a new password for your Whot account. Tell it to nobody.")
            }
            OtpPurpose::VerifyPhone => format!("{code} confirms the phone number of your Whot account."),
        };
        let document = json!({
            "id": post.id.to_string(),
            "box_id": self.box_id.to_string(),
            "phone": post.phone.as_str(),
            "purpose": post.purpose.name(),
            "code": code,
            "text": text,
            "expires_at": post.expires_at.to_string(),
        });
        document.to_string()
    }

    /// Sends a request over a connection of its own; the status of the answer. What the answer says is not read, and a
    /// redirection is not followed: it could lead the code anywhere.
    async fn send(&self, request: Option<Request<Full<Bytes>>>) -> Option<u16> {
        let request = request?;
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.ok()?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).ok()?;
                Box::new(tls.connect(name, stream).await.ok()?)
            }
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        let answer = sender.send_request(request);
        tokio::pin!(answer);
        // The connection moves the bytes and may end with the answer that it brought. Dropping either loses nothing.
        let answer = tokio::select! {
            biased;
            answer = &mut answer => answer,
            _ = connection => answer.await,
        };
        answer.ok().map(|answer| answer.status().as_u16())
    }
}

fn connector(ca: Option<&Path>) -> Result<TlsConnector, ConfigError> {
    let fail = |reason: String| ConfigError::Setting { setting: "code_webhook_ca", reason };
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            let unreadable = |error: &dyn std::fmt::Display| fail(format!("{}: {error}", path.display()));
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
                let certificate = certificate.map_err(|error| unreadable(&error))?;
                roots.add(certificate).map_err(|error| unreadable(&error))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(fail("There is no CA to trust: name the file of the gateway's.".into()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| fail(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
