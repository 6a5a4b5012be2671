//! A small HTTP/1.1 client for tests: a connection per call, or a [`Wire`] where the bytes themselves matter.
//!
//! ```ignore
//! let http = Http::new(address);
//! let answer = http.post("/api/v1/games/bot").bearer(&token).json(&json!({"level": "easy"})).send().await;
//! assert_eq!(answer.status, 201);
//! let id = answer.json()["game_id"].as_str();
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{logs, soon};

/// Anything that bytes go through.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A server to call.
#[derive(Clone)]
pub(crate) struct Http {
    pub address: SocketAddr,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Http {
    /// Plain HTTP.
    pub(crate) fn new(address: SocketAddr) -> Self {
        logs::begin();
        Self { address, tls: None }
    }

    /// HTTPS that trusts this certificate alone, the server being `localhost`.
    pub(crate) fn trusting(address: SocketAddr, pem: &[u8]) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        Self { address, tls: Some(Arc::new(config)) }
    }

    /// A connection.
    pub(crate) async fn connect(&self) -> std::io::Result<Wire> {
        let stream = soon("a connection", TcpStream::connect(self.address)).await?;
        let Some(config) = &self.tls else { return Ok(Wire::new(stream)) };
        let name = ServerName::try_from("localhost").unwrap();
        let tls = tokio_rustls::TlsConnector::from(Arc::clone(config)).connect(name, stream);
        Ok(Wire::new(soon("a TLS handshake", tls).await?))
    }

    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> Call<'_> {
        self.call("POST", path)
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        let host = ("Host".to_owned(), self.address.to_string());
        Call {
            http: self,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: vec![host],
            body: Vec::new(),
            chunked: false,
        }
    }
}

/// A request that is being put together.
pub(crate) struct Call<'a> {
    http: &'a Http,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: bool,
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn idempotency_key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    pub(crate) fn json<T: Serialize + ?Sized>(self, body: &T) -> Self {
        let body = serde_json::to_vec(body).unwrap();
        self.body("application/json", body)
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", content_type)
    }

    /// Sends the body in chunks, without its length.
    pub(crate) fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// The request's bytes.
    pub(crate) fn bytes(mut self) -> Vec<u8> {
        if self.chunked {
            self.headers.push(("Transfer-Encoding".to_owned(), "chunked".to_owned()));
        } else if !self.body.is_empty() || self.method != "GET" {
            self.headers.push(("Content-Length".to_owned(), self.body.len().to_string()));
        }
        let mut out = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            out.extend(format!("{name}: {value}\r\n").bytes());
        }
        out.extend(b"\r\n");
        if self.chunked {
            for part in self.body.chunks(1000) {
                out.extend(format!("{:x}\r\n", part.len()).bytes());
                out.extend(part);
                out.extend(b"\r\n");
            }
            out.extend(b"0\r\n\r\n");
        } else {
            out.extend(&self.body);
        }
        out
    }

    /// Sends it over a connection of its own.
    pub(crate) async fn send(self) -> Answer {
        let mut wire = self.http.connect().await.expect("the server takes the connection");
        let head = self.method == "HEAD";
        logs::know(&self.body);
        wire.write(&self.bytes()).await;
        let answer = wire.answer_to(head).await.expect("an answer");
        logs::know(&answer.body);
        answer
    }
}

/// A reply.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The one value of a header, by its name in lower case.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} stands twice");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.text()))
    }

    /// The code of a refusal, checked to be a whole problem document of this reply.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}: {}", self.status, self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["request_id"], self.header("x-request-id").unwrap());
        let code = problem["code"].as_str().unwrap().to_owned();
        assert_eq!(problem["type"], format!("/problems/{code}"));
        for member in ["title", "detail", "instance"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}");
        }
        assert_eq!(self.status == 401, self.header("www-authenticate").is_some());
        assert_eq!(self.status == 405, self.header("allow").is_some());
        code
    }

    /// Status and code, which most tests compare.
    #[track_caller]
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.code())
    }
}

/// A connection whose bytes a test sends itself.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), read: Vec::new() }
    }

    /// Sends bytes; a server that has closed already shows when reading.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = soon("room to write", self.stream.write_all(bytes)).await;
    }

    /// The next reply; `None` once the server has closed.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        self.answer_to(false).await
    }

    async fn answer_to(&mut self, head: bool) -> Option<Answer> {
        let end = loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                break end;
            }
            self.more().await?;
        };
        let lines = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let mut lines = lines.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| line.split_once(": ").map(|(n, v)| (n.to_lowercase(), v.to_owned()));
        let mut answer = Answer { status, headers: lines.filter_map(header).collect(), body: Vec::new() };
        if status == 100 {
            return Box::pin(self.answer_to(head)).await;
        }
        if head || [101, 204, 304].contains(&status) {
            return Some(answer);
        }
        match answer.header("content-length").map(|length| length.parse::<usize>().unwrap()) {
            Some(length) => answer.body = self.take(length).await?,
            None => answer.body = self.chunks().await?,
        }
        Some(answer)
    }

    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        loop {
            let end = loop {
                if let Some(end) = find(&self.read, b"\r\n") {
                    break end;
                }
                self.more().await?;
            };
            let size = String::from_utf8(self.take(end + 2).await?).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let part = self.take(size + 2).await?;
            out.extend_from_slice(&part[..size]);
            if size == 0 {
                return Some(out);
            }
        }
    }

    async fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.read.len() < length {
            self.more().await?;
        }
        Some(self.read.drain(..length).collect())
    }

    async fn more(&mut self) -> Option<()> {
        let got = soon("more of a reply", self.stream.read_buf(&mut self.read)).await.unwrap_or(0);
        (got > 0).then_some(())
    }

    /// Waits until the server closes, and gives all that it sent before.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        while self.more().await.is_some() {}
        self.read
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
