//! A kept-open HTTP/1.1 connection that costs the load generator little.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long an answer is waited for.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// One client's connection.
pub(crate) struct Link {
    stream: TcpStream,
    address: SocketAddr,
    token: String,
    out: Vec<u8>,
    got: Vec<u8>,
}

impl Link {
    pub(crate) async fn open(address: SocketAddr, token: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, address, token: token.to_owned(), out: Vec::new(), got: Vec::new() }
    }

    /// Sends a request and gives status and body; status 0 where no answer came. A server may close a connection that
    /// was idle, so a request that met a closed one is sent once more, as every client does.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, &[u8]) {
        self.out.clear();
        let (host, token, length) = (self.address, &self.token, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        self.out.extend_from_slice(head.as_bytes());
        self.out.extend_from_slice(body.as_bytes());
        for _ in 0..2 {
            match tokio::time::timeout(PATIENCE, self.exchange()).await {
                Ok(Ok((status, from, upto))) => return (status, &self.got[from..upto]),
                Ok(Err(_)) if self.got.is_empty() => self.reopen().await,
                Ok(Err(_)) | Err(_) => {
                    self.reopen().await;
                    break;
                }
            }
        }
        (0, &[])
    }

    async fn reopen(&mut self) {
        if let Ok(stream) = TcpStream::connect(self.address).await {
            drop(stream.set_nodelay(true));
            self.stream = stream;
        }
    }

    /// The status, and where the body lies in what was got.
    async fn exchange(&mut self) -> std::io::Result<(u16, usize, usize)> {
        self.got.clear();
        self.stream.write_all(&self.out).await?;
        loop {
            self.more().await?;
            let Some(end) = self.got.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.got[..end]).unwrap();
            let status: u16 = head[9..12].parse().unwrap();
            let length = head.split("\r\n").filter_map(|line| line.split_once(':'));
            let mut length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length: usize = length.next().map_or(0, |(_, value)| value.trim().parse().unwrap());
            let upto = end + 4 + length;
            while self.got.len() < upto {
                self.more().await?;
            }
            return Ok((status, end + 4, upto));
        }
    }

    async fn more(&mut self) -> std::io::Result<()> {
        match self.stream.read_buf(&mut self.got).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
