//! The name of the box on its networks: the sockets come and go with the networks, the name with the owner's choice.
//!
//! Nothing here ends the box: without a network it waits for one, and the doctor says so.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::mdns::net::{self, GROUP, Network, PORT};
use crate::mdns::responder::{Facts, Outgoing, Responder, To};
use crate::mdns::wire::MAX_MESSAGE;
use crate::mdns::{Known, Ports, State};
use crate::store::chosen;

/// How soon another name or another address is noticed: below what a person waits for.
const LOOK: Duration = Duration::from_secs(3);
/// Messages that wait to be heard; more are lost, as on any network.
const WAITING: usize = 64;
/// After a fault of a socket's: its network may be on its way out.
const AFTER_FAULT: Duration = Duration::from_secs(1);

type Networks = BTreeMap<String, Network>;
/// A message: from which network, from whom, and what.
type Heard = (String, SocketAddr, Vec<u8>);

struct Door {
    network: Network,
    socket: Arc<UdpSocket>,
    reader: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Answers for the box's name until it is told to stop.
pub async fn run(app: Arc<App>, ports: Ports, listened: Vec<SocketAddr>, stop: CancellationToken) {
    if app.mdns.known().state == State::Off {
        return;
    }
    let begun = app.clock.monotonic();
    let now = || app.clock.monotonic().since(begun);
    let (say, mut hear) = mpsc::channel(WAITING);
    let mut doors = BTreeMap::new();
    let networks = served(&listened);
    let mut responder = Responder::new(now(), facts(&app, ports, &listened, &networks));
    let mut refused = open(&mut doors, networks, &say);
    let mut looked = now();
    loop {
        note(&app, &responder, ports, refused);
        let next = responder.due().min(looked + LOOK).saturating_sub(now());
        // Every branch may be dropped at any point: what was not received is received by the next turn.
        let heard = tokio::select! {
            () = stop.cancelled() => break,
            heard = hear.recv() => heard,
            () = tokio::time::sleep(next) => None,
        };
        if let Some((network, from, bytes)) = heard {
            send(&doors, responder.heard(now(), &network, from, &bytes)).await;
        }
        if now() >= looked + LOOK {
            looked = now();
            let networks = served(&listened);
            let now_so = facts(&app, ports, &listened, &networks);
            // A farewell leaves by the doors as they were.
            send(&doors, responder.set(now(), now_so)).await;
            refused = open(&mut doors, networks, &say);
        }
        send(&doors, responder.tick(now())).await;
    }
    send(&doors, responder.farewell()).await;
}

/// Whether the box serves at an address.
fn serves(listened: &[SocketAddr], ip: IpAddr) -> bool {
    listened.iter().map(SocketAddr::ip).any(|own| {
        let every = own.is_unspecified() && (own.is_ipv6() || ip.is_ipv4());
        every || own == ip
    })
}

/// The networks on which the box serves.
fn served(listened: &[SocketAddr]) -> Networks {
    let each = net::networks().into_iter().filter(|network| network.addresses.iter().any(|ip| serves(listened, *ip)));
    each.map(|network| (network.name.clone(), network)).collect()
}

/// Opens a door to each network that has none, and closes those of networks that are gone. Whether one was refused.
fn open(doors: &mut BTreeMap<String, Door>, networks: Networks, say: &mpsc::Sender<Heard>) -> bool {
    doors.retain(|name, door| networks.get(name) == Some(&door.network));
    let mut refused = false;
    for (name, network) in networks {
        if doors.contains_key(&name) {
            continue;
        }
        match net::open(&network) {
            Ok(socket) => {
                let reader = tokio::spawn(listen(name.clone(), Arc::clone(&socket), say.clone()));
                doors.insert(name, Door { network, socket, reader });
            }
            Err(error) => {
                tracing::debug!(%error, network = name, "the name cannot be announced here");
                refused = true;
            }
        }
    }
    refused
}

async fn listen(network: String, socket: Arc<UdpSocket>, say: mpsc::Sender<Heard>) {
    let mut buffer = vec![0; MAX_MESSAGE];
    loop {
        match socket.recv_from(&mut buffer).await {
            // A full queue loses it, as a busy network would.
            Ok((length, from)) => {
                let bytes = buffer.get(..length).unwrap_or_default().to_vec();
                drop(say.try_send((network.clone(), from, bytes)));
            }
            Err(_) => tokio::time::sleep(AFTER_FAULT).await,
        }
    }
}

fn facts(app: &App, ports: Ports, listened: &[SocketAddr], networks: &Networks) -> Facts {
    let chosen = app.store.read().and_then(|read| chosen::one(&read, chosen::BOX_NAME)).ok().flatten();
    let label = app.config.label(chosen.as_deref()).unwrap_or_default();
    let shown = |network: &Network| network.addresses.iter().copied().filter(|ip| serves(listened, *ip)).collect();
    let networks = networks.iter().map(|(name, network)| (name.clone(), shown(network))).collect();
    Facts { label, networks, ports }
}

fn note(app: &App, responder: &Responder, ports: Ports, refused: bool) {
    let state = match responder.state() {
        State::NoNetwork if refused => State::Refused,
        state => state,
    };
    let known = Known { wanted: responder.wanted().to_owned(), label: responder.label(), state, ports };
    let name = known.host().unwrap_or_default();
    if app.mdns.note(known) {
        tracing::info!(name, ?state, "the name of the box on its network");
    }
}

async fn send(doors: &BTreeMap<String, Door>, messages: Vec<Outgoing>) {
    for Outgoing { network, to, bytes } in messages {
        let Some(door) = doors.get(&network) else { continue };
        let to = match to {
            To::Group => SocketAddr::from((GROUP, PORT)),
            To::One(address) => address,
        };
        if let Err(error) = door.socket.send_to(&bytes, to).await {
            tracing::debug!(%error, network, "nothing can be said on this network");
        }
    }
}
