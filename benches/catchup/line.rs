//! A long line: what goes in comes out half a round trip later, as fast as it went in, and is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use whotbox::base::time::{Clock as _, Instant, SystemClock};

/// Bytes under way in one direction: a line of 200 ms and a gigabit holds as many.
const UNDER_WAY: usize = 400;

/// The line; it ends with the process.
pub(crate) struct Line {
    pub(crate) port: u16,
    sent: Arc<AtomicU64>,
}

impl Line {
    /// A line to a port of this machine.
    pub(crate) async fn to(port: u16, round_trip: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let sent = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let ((from_box, to_box), (from_central, to_central)) = (client.into_split(), server.into_split());
                tokio::spawn(carry(from_box, to_central, round_trip / 2, Arc::clone(&counted)));
                tokio::spawn(carry(from_central, to_box, round_trip / 2, Arc::clone(&counted)));
            }
        });
        Self { port: own, sent }
    }

    /// Bytes carried so far, both ways.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin + Send + 'static,
    delay: Duration,
    counted: Arc<AtomicU64>,
) {
    let (send, mut arrive) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let clock = Arc::new(SystemClock::new());
    let arrival = Arc::clone(&clock);
    tokio::spawn(async move {
        while let Some((entered, bytes)) = arrive.recv().await {
            let waited = arrival.monotonic().since(entered);
            tokio::time::sleep(delay.saturating_sub(waited)).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut bytes = vec![0; 65536];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        counted.fetch_add(n as u64, Ordering::Relaxed);
        if send.send((clock.monotonic(), bytes[..n].to_vec())).await.is_err() {
            return;
        }
    }
}
