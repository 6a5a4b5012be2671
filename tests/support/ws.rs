//! A WebSocket client for tests.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::soon;

/// An open socket.
pub(crate) struct Ws {
    inner: WebSocketStream<TcpStream>,
    /// The subprotocol that the server chose.
    pub protocol: Option<String>,
}

impl Ws {
    /// Opens `path` as a native client does, with the token in its header.
    pub(crate) async fn open(address: SocketAddr, path: &str, token: &str) -> Result<Self, u16> {
        Self::with(address, path, &[("Authorization", &format!("Bearer {token}"))]).await
    }

    /// Opens `path` as a browser does, with the token among the subprotocols.
    pub(crate) async fn browser(address: SocketAddr, path: &str, token: &str, origin: &str) -> Result<Self, u16> {
        let protocols = format!("whot.v1, bearer.{token}");
        Self::with(address, path, &[("Sec-WebSocket-Protocol", &protocols), ("Origin", origin)]).await
    }

    /// Opens `path` with these headers; the status of the refusal otherwise.
    pub(crate) async fn with(address: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        match soon("a handshake", tokio_tungstenite::client_async(request, stream)).await {
            Ok((inner, reply)) => {
                let protocol = reply.headers().get("sec-websocket-protocol").map(|p| p.to_str().unwrap().to_owned());
                Ok(Self { inner, protocol })
            }
            Err(Error::Http(reply)) => Err(reply.status().as_u16()),
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    /// Sends any frame; a server that has closed already shows when reading.
    pub(crate) async fn send_raw(&mut self, message: Message) {
        let _ = soon("room to send", self.inner.send(message)).await;
    }

    /// The next JSON message. Fails if the socket closes instead.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            match self.try_next().await {
                Ok(message) => message,
                Err(code) => panic!("the socket closed with {code:?}; a message was expected at {caller}"),
            }
        }
    }

    /// The next JSON message, or the code with which the socket closed (`None`: without a close frame).
    pub(crate) async fn try_next(&mut self) -> Result<Value, Option<u16>> {
        loop {
            match soon("a message", self.inner.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Reads on until a message has this `type`.
    #[track_caller]
    pub(crate) fn next_of(&mut self, kind: &'static str) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            loop {
                match self.try_next().await {
                    Ok(message) if message["type"] == kind => return message,
                    Ok(_) => {}
                    Err(code) => panic!("the socket closed with {code:?}; {kind} was expected at {caller}"),
                }
            }
        }
    }

    /// Reads on until the socket closes, and gives the code of the close frame, if there was one.
    pub(crate) async fn closed(mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.try_next().await {
                return code;
            }
        }
    }
}
