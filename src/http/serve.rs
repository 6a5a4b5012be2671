//! The accept loop: listeners, TLS, the bounds of connections, and a stop that loses no answer.
//!
//! `warp::serve` has no TLS, no header timeout and no cap, so hyper's HTTP/1.1 is driven here around warp's
//! service (docs/ARCHITECTURE.md). Must not know what is served.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::http::connections::{Connection, Connections, Wire};
use crate::http::edge::Edge;
use crate::http::stall::Stall;

/// Bytes of a request's head, cookies and tokens included; hyper answers 431 beyond.
const HEAD_LIMIT: usize = 16 * 1024;
/// Connections that may wait in the kernel until they are accepted. A whole hall's phones come back at once after a
/// power cut; past it a client tries again only after a second.
const BACKLOG: u32 = 1024;
/// Pause after the system refused to accept, as it does while it is out of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The type of the first record that a TLS client sends (RFC 8446, section 5.1). No HTTP request begins with it.
const HANDSHAKE: u8 = 22;
/// How often a stopping connection is looked at, whether anything is still in flight on it.
const STOP_LOOK: Duration = Duration::from_millis(100);

/// An address to listen on.
#[derive(Clone)]
pub struct Listen {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS, beside plain HTTP on the same port; without it, plain HTTP alone.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// Which.
    pub address: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

/// A running server.
pub struct Server {
    addresses: Vec<SocketAddr>,
    connections: Arc<Connections>,
    drain_deadline: Duration,
}

/// Listens on every address, or on none.
///
/// # Errors
/// The first address that cannot be listened on.
pub async fn start(listens: &[Listen], edge: &Arc<Edge>) -> Result<Server, BindError> {
    let connections = Connections::new(edge.settings.caps, Arc::clone(&edge.clock));
    let mut bound = Vec::new();
    for listen in listens {
        let failed = |source| BindError { address: listen.address, source };
        let listener = bind(listen.address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        bound.push((address, listener, listen.tls.clone().map(TlsAcceptor::from)));
    }
    let mut addresses = Vec::new();
    for (address, listener, tls) in bound {
        addresses.push(address);
        let door = Door { connections: Arc::clone(&connections), edge: Arc::clone(edge), tls };
        connections.tasks.spawn(door.accept(listener));
    }
    Ok(Server { addresses, connections, drain_deadline: edge.settings.drain_deadline })
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the old connections' last packets.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Server {
    /// The addresses that are listened on, in the order they were asked for, with their ports.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Who is connected.
    #[must_use]
    pub const fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Stops: accepts nothing more, lets requests in flight finish, closes sockets with 1012, and cuts what is
    /// left at the deadline. Returns whether nothing had to be cut.
    pub async fn drain(self) -> bool {
        self.connections.stop.cancel();
        self.connections.tasks.close();
        let whole = tokio::time::timeout(self.drain_deadline, self.connections.tasks.wait()).await.is_ok();
        self.connections.cut.cancel();
        self.connections.tasks.wait().await;
        whole
    }
}

/// One listener's way in.
#[derive(Clone)]
struct Door {
    connections: Arc<Connections>,
    edge: Arc<Edge>,
    tls: Option<TlsAcceptor>,
}

impl Door {
    async fn accept(self, listener: TcpListener) {
        let stop = self.connections.stop.clone();
        loop {
            let place = tokio::select! {
                () = stop.cancelled() => return,
                place = self.connections.place() => place,
            };
            let Some(place) = place else { return };
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let door = self.clone();
                    let cut = self.connections.cut.clone();
                    self.connections.tasks.spawn(async move {
                        tokio::select! {
                            () = door.receive(stream, peer.ip().to_canonical(), place) => {}
                            () = cut.cancelled() => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn receive(self, stream: TcpStream, peer: IpAddr, place: OwnedSemaphorePermit) {
        // A move is one small packet; waiting to fill it would delay it.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let proxy = self.edge.settings.believes(peer);
        let Some(connection) = self.connections.admit(place, peer, proxy).await else { return };
        let Some(tls) = &self.tls else { return self.talk(stream, connection).await };
        let handshake = tokio::time::timeout(self.edge.settings.header_timeout, shake(tls, stream));
        let give_way = connection.give_way.clone();
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = give_way.cancelled() => return,
            () = connection.stop().cancelled() => return,
        };
        match shaken {
            Ok(Ok(Shaken::Tls(stream))) => {
                connection.is_over(Wire::Tls);
                self.talk(*stream, connection).await;
            }
            Ok(Ok(Shaken::Declined(stream))) => {
                connection.is_over(Wire::Declined);
                self.talk(stream, connection).await;
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }

    /// HTTP/1.1 until the client, a bound or the stop ends it.
    async fn talk<S>(&self, stream: S, connection: Arc<Connection>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let settings = &self.edge.settings;
        let (edge, of) = (Arc::clone(&self.edge), Arc::clone(&connection));
        let service = service_fn(move |request| {
            let reply = Arc::clone(&edge).serve(Arc::clone(&of), request);
            async move { Ok::<_, Infallible>(reply.await) }
        });
        let http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.header_timeout)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(Stall::new(stream, settings.write_stall)), service)
            .with_upgrades();
        let mut http = pin!(http);
        tokio::select! {
            _ = http.as_mut() => return,
            () = connection.give_way.cancelled() => return,
            () = connection.stop().cancelled() => {}
        }
        http.as_mut().graceful_shutdown();
        finish(http, &connection).await;
    }
}

/// What a client on a port with TLS turned out to speak.
enum Shaken {
    Tls(Box<TlsStream<TcpStream>>),
    Declined(TcpStream),
}

/// Looks at the first byte, without taking it, and shakes hands where it is a TLS record's.
async fn shake(tls: &TlsAcceptor, stream: TcpStream) -> std::io::Result<Shaken> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first != [HANDSHAKE] {
        return Ok(Shaken::Declined(stream));
    }
    Ok(Shaken::Tls(Box::new(tls.accept(stream).await?)))
}

/// Waits for the request in flight. A connection without one may hold half a head for long; nobody waits for that.
async fn finish(http: impl Future, connection: &Connection) {
    let mut http = pin!(http);
    loop {
        tokio::select! {
            _ = http.as_mut() => return,
            () = tokio::time::sleep(STOP_LOOK) => if !connection.at_work() { return },
        }
    }
}
