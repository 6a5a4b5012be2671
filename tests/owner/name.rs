//! The name of the box on a network: the real program, and somebody on the network who asks, claims and listens.
//!
//! The network is one of the test's own, in a namespace of the kernel: the test calls itself again in there.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use whotbox::base::certificate::{Facts, first};
use whotbox::mdns::net::{GROUP, PORT};
use whotbox::mdns::wire::{A, ANY, Message, PTR, Question, Record, SRV};

use crate::support::soon;
use crate::support::whotbox::{Person, Whotbox};

const INSIDE: &str = "WHOTBOX_TEST_IN_OWN_NETWORK";
const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
const FOREIGN: [u8; 4] = [192, 168, 77, 99];

fn run(line: &str) -> bool {
    let mut words = line.split(' ');
    Command::new(words.next().unwrap()).args(words).output().is_ok_and(|done| done.status.success())
}

#[test]
fn the_box_has_a_name_on_its_network() {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(on_a_network());
        return;
    }
    if !run("unshare --net ip link add whot0 type veth peer name whot1") {
        println!("this needs the right to make a network: of the name only the rules were tested (mdns::responder)");
        return;
    }
    let own = std::env::current_exe().unwrap();
    let inside = Command::new("unshare")
        .arg("--net")
        .arg(own)
        .args(["--exact", "owner::name::the_box_has_a_name_on_its_network", "--nocapture"])
        .env(INSIDE, "yes")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&inside.stdout).into_owned() + &String::from_utf8_lossy(&inside.stderr);
    assert!(inside.status.success() && said.contains("1 passed"), "{said}");
}

/// Somebody else on the network.
struct Neighbour(UdpSocket);

impl Neighbour {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.bind_device(Some(b"whot0")).unwrap();
        socket.join_multicast_v4_n(&GROUP, &InterfaceIndexOrAddress::Address(OWN)).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into()).unwrap();
        Self(UdpSocket::from_std(socket.into()).unwrap())
    }

    async fn say(&self, message: &Message) {
        self.0.send_to(&message.bytes(), (GROUP, PORT)).await.unwrap();
    }

    async fn hear(&self) -> Message {
        let mut buffer = [0; 9000];
        loop {
            let length = self.0.recv_from(&mut buffer).await.unwrap().0;
            if let Some(message) = Message::parse(&buffer[..length]) {
                return message;
            }
        }
    }

    /// Waits until somebody else says something, and says that `claimed` is its own whenever it is asked for.
    async fn until(&self, what: &str, claimed: Option<&str>, wanted: impl Fn(&Record) -> bool) -> Message {
        let waits = async {
            loop {
                let message = self.hear().await;
                if message.response && message.answers.iter().any(&wanted) {
                    return message;
                }
                let Some(claimed) = claimed else { continue };
                if !message.response && message.questions.iter().any(|question| question.name == claimed) {
                    self.claim(claimed).await;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waits).await.unwrap_or_else(|_| panic!("nobody says {what}"))
    }

    async fn claim(&self, name: &str) {
        let mine = Record { name: name.into(), kind: A, ttl: 120, unique: true, data: FOREIGN.to_vec() };
        self.say(&Message { response: true, answers: vec![mine], ..Message::default() }).await;
    }

    async fn ask(&self, name: &str, kind: u16) -> Message {
        let question = Question { name: name.into(), kind };
        self.say(&Message { questions: vec![question], ..Message::default() }).await;
        self.until(name, None, |record| record.name == name && record.ttl > 0).await
    }
}

async fn findings(admin: &Person) -> BTreeSet<String> {
    let report = admin.see("/api/v1/admin/doctor").await;
    report["findings"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn address_of(name: &str) -> impl Fn(&Record) -> bool {
    move |record| record.name == name && record.kind == A && record.ttl > 0 && record.data == OWN.octets()
}

fn farewell_to(name: &str) -> impl Fn(&Record) -> bool {
    move |record| record.name == name && record.kind == A && record.ttl == 0
}

async fn on_a_network() {
    // given: a network, and somebody on it
    for line in [
        "ip link set lo up",
        "ip link add whot0 type veth peer name whot1",
        "ip addr add 192.168.77.1/24 dev whot0",
        "ip link set whot0 up",
        "ip link set whot1 up",
    ] {
        assert!(run(line), "{line}");
    }
    let neighbour = Neighbour::new();
    let folder = tempfile::tempdir().unwrap();
    // when a box starts
    let whotbox = Whotbox::start(folder.path(), &["--listen", "0.0.0.0:0"]);
    let admin = whotbox.sign_in("admin", whotbox.password.as_ref().unwrap()).await;
    neighbour.until("whot.local", None, address_of("whot.local")).await;
    // then it is found by its name and by what it serves, at the port at which it is
    let told = neighbour.ask("whot.local", A).await;
    assert!(told.answers.iter().any(address_of("whot.local")), "{told:?}");
    let told = neighbour.ask("_http._tcp.local", PTR).await;
    let place = told.additional.iter().find(|record| record.kind == SRV).unwrap();
    let port = u16::from_be_bytes([place.data[4], place.data[5]]);
    let card = whotbox.http.get("/api/v1/box").send().await.json();
    assert_eq!(card["local_url"], format!("http://whot.local:{port}"));
    assert!(!findings(&admin).await.iter().any(|id| id.starts_with("name_")));

    // when somebody says that the name is theirs, and insists
    neighbour.claim("whot.local").await;
    neighbour.until("whot-2.local", Some("whot.local"), address_of("whot-2.local")).await;
    // then the box has another, and says so
    assert!(findings(&admin).await.contains("name_taken"));
    let card = whotbox.http.get("/api/v1/box").send().await.json();
    assert_eq!(card["local_url"], format!("http://whot-2.local:{port}"));

    // when its owner gives it a name
    let chosen = admin.put("/api/v1/box/settings/box_name", &json!({"value": "Mama Put"})).await;
    assert_eq!(chosen.status, 200, "{}", chosen.text());
    neighbour.until("goodbye", None, farewell_to("whot-2.local")).await;
    neighbour.until("the new name", None, address_of("whot-mama-put.local")).await;
    assert!(!findings(&admin).await.contains("name_taken"));
    // and when what is no message comes, it goes on
    for bytes in [&[][..], &[0xff; 40], &[0; 9000]] {
        neighbour.0.send_to(bytes, (GROUP, PORT)).await.unwrap();
    }
    neighbour.ask("whot-mama-put.local", ANY).await;

    // when it stops, it says so
    assert_eq!(whotbox.terminate(), Some(0));
    neighbour.until("goodbye", None, farewell_to("whot-mama-put.local")).await;

    // and without a network it starts all the same, here with a certificate that has the name
    assert!(run("ip link set whot0 down"));
    let whotbox = Whotbox::start(folder.path(), &["--listen", "0.0.0.0:0", "--tls", "self-signed"]);
    let certificate = Facts::of(&first(&folder.path().join("data/cert.pem")).unwrap()).unwrap();
    assert!(certificate.names.iter().any(|name| name == "whot-mama-put.local"), "{certificate:?}");
    assert!(!whotbox.http.get("/trust").send().await.text().contains(".local"));
    let admin = whotbox.sign_in("admin", &crate::support::whotbox::own_password("admin")).await;
    let noted = async { while !findings(&admin).await.contains("name_without_network") {} };
    soon("a word about the network", noted).await;
    assert!(run("ip link set whot0 up"));
    neighbour.until("the name again", None, address_of("whot-mama-put.local")).await;
    // then who comes to trust it is told the name as well, in both languages
    let card = whotbox.http.get("/api/v1/box").send().await.json();
    let named = card["local_url"].as_str().unwrap().replace("http://", "https://");
    let page = whotbox.http.get("/trust").send().await;
    assert_eq!(page.text().matches(&format!("<code>{named}</code>")).count(), 2, "{}", page.text());
}
