//! A TCP proxy on loopback that can swallow answers, cut connections, or take them and say nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Both ways.
    Open,
    /// To the server only; its answers are read and thrown away.
    Deaf,
    /// Connections are taken, and nothing is passed on at all.
    Hole,
}

/// How much of the server's answers is passed on.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    passed: usize,
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct State {
    way: Way,
    /// Connections of an earlier life are closed.
    life: u32,
}

/// What the proxy and its connections look at.
#[derive(Clone)]
struct Rules {
    state: watch::Receiver<State>,
    allowance: Arc<watch::Sender<Allowance>>,
}

/// The proxy; it ends with its value.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<watch::Sender<State>>,
    allowance: Arc<watch::Sender<Allowance>>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

impl Proxy {
    /// Passes connections on to a port of this machine.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = Arc::new(watch::Sender::new(State { way: Way::Open, life: 0 }));
        let given = Arc::clone(&state);
        let allowance = Arc::new(watch::Sender::new(Allowance { passed: 0, most: usize::MAX }));
        let counted = Arc::clone(&allowance);
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let rules = Rules { state: given.subscribe(), allowance: Arc::clone(&counted) };
                tokio::spawn(pass(client, port, rules));
            }
        });
        Self { port: own, state, allowance, task }
    }

    /// From now on answers are lost.
    pub(crate) fn deafen(&self) {
        self.state.send_modify(|state| state.way = Way::Deaf);
    }

    /// From now on connections are taken and nothing answers.
    pub(crate) fn swallow(&self) {
        self.state.send_modify(|state| state.way = Way::Hole);
    }

    /// From now on so many bytes of the server's answers are passed on, and no more; connections stay open.
    pub(crate) fn allow(&self, most: usize) {
        self.allowance.send_replace(Allowance { passed: 0, most });
    }

    /// Waits until all that was allowed has been passed on and more has come.
    pub(crate) async fn held(&self) {
        let mut seen = self.allowance.subscribe();
        drop(seen.wait_for(|allowance| allowance.passed > allowance.most).await);
    }

    /// Bytes of answers that have come since the last [`Proxy::allow`].
    pub(crate) fn passed(&self) -> usize {
        self.allowance.borrow().passed
    }

    /// Takes no calls any more, and closes every connection.
    pub(crate) async fn close(&mut self) {
        self.task.abort();
        drop((&mut self.task).await);
        self.cut();
    }

    /// Closes every connection; new ones are passed on again.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| *state = State { way: Way::Open, life: state.life + 1 });
    }
}

async fn pass(mut client: TcpStream, port: u16, rules: Rules) {
    let mut state = rules.state.clone();
    let life = state.borrow().life;
    let ended = async { state.wait_for(|state| state.life != life).await.map(|_state| ()) };
    let ways = both_ways(&mut client, port, rules);
    // Both are dropped by whichever ends first, and with them the sockets. The end is looked at first: a connection that was cut
    // must not pass on what had been waiting.
    tokio::select! { biased; _ = ended => {}, () = ways => {} }
}

async fn both_ways(client: &mut TcpStream, port: u16, Rules { state, allowance }: Rules) {
    let Ok(mut server) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let there = async {
        let mut bytes = vec![0; 65536];
        while let Ok(n @ 1..) = from_client.read(&mut bytes).await {
            if state.borrow().way != Way::Hole && to_server.write_all(&bytes[..n]).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        let mut bytes = vec![0; 65536];
        while let Ok(n @ 1..) = from_server.read(&mut bytes).await {
            allowance.send_modify(|allowance| allowance.passed += n);
            // What is held ends with its client: the other direction sees it go.
            let mut seen = allowance.subscribe();
            if seen.wait_for(|allowance| allowance.passed <= allowance.most).await.is_err() {
                return;
            }
            if state.borrow().way == Way::Open && to_client.write_all(&bytes[..n]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = there => {}, () = back => {} }
}
