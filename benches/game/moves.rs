//! Moves a second with durable commits: matches that are played at the same time, one move in flight in each.
//!
//! ```text
//!   the box over HTTP    │ POST …/play, two connections a match
//!   the box over sockets │ {"type":"play"} ─▶ ack; both sockets get the events before the next move
//!   raw, ORM             │ benches/peers: FastAPI and SQLite, with sqlite3 alone and with SQLAlchemy
//! ```
//! The latency of a move is from its sending to its answer or acknowledgement. A move that is refused, that fails or that
//! is not answered soon after the time is up counts as failed and as nothing else; failures stand beside the rate.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use whotbox::base::time::{Clock as _, SystemClock};

use crate::folk::{self, Person, Served};
use crate::link::Link;
use crate::machine::{Machine, used};
use crate::peers;
use crate::table::{DRAW, Game, Known, Moved};

/// Matches at the same time.
const WIDTHS: [usize; 3] = [1, 64, 256];
/// Rounds of every measurement, whose medians count.
const ROUNDS: usize = 3;
/// Rounds that win a match: long, so that beginning one is a small part.
const TARGET: u32 = 20;
/// Matches that begin at the same time.
const AT_ONCE: usize = 16;
/// How long after the time is up a move may still be answered.
const LATE: Duration = Duration::from_secs(5);
/// How often a server is asked again where a match could not begin.
const TRIES: usize = 50;
/// Others used more than this many processors: a measurement is noisy.
const NOISY: f64 = 0.4;

/// The ways of making a move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Http,
    Sockets,
    Raw,
    Orm,
}

const WAYS: [(Way, &str); 4] = [
    (Way::Http, "box, HTTP"),
    (Way::Sockets, "box, sockets"),
    (Way::Raw, "FastAPI, sqlite3"),
    (Way::Orm, "FastAPI, SQLAlchemy"),
];

/// One measurement.
#[derive(Clone, Copy, Debug)]
struct Figure {
    per_second: f64,
    p50: f64,
    p99: f64,
    /// Processors that load generator and server used.
    cores: f64,
    failed: u64,
}

pub(crate) async fn run(folder: &Path, python: Option<&Path>) {
    std::fs::create_dir_all(folder).unwrap();
    let people = 2 * WIDTHS[2];
    let (ours, folk) = folk::serve(folder, people).await;
    let mut servers = vec![(Way::Http, &ours, folk.clone()), (Way::Sockets, &ours, folk)];
    let mut peers = Vec::new();
    if let Some(python) = python {
        for (way, name) in [(Way::Raw, "raw"), (Way::Orm, "orm")] {
            let (served, people) = peers::serve(python, name, folder, people).await;
            peers.push((way, served, people));
        }
    }
    servers.extend(peers.iter().map(|(way, served, people)| (*way, served, people.clone())));
    let mut figures = Vec::new();
    let (machine, mut noisy) = (Machine::new(), 0);
    println!(
        "{:<22} {:>8} {:>12} {:>10} {:>10} {:>8} {:>8}",
        "", "matches", "moves/s", "p50 ms", "p99 ms", "cores", "failed"
    );
    for width in WIDTHS {
        for round in 0..ROUNDS {
            for (way, served, people) in &servers {
                let mut figure = None;
                let measured = async { measure(*way, served, people, width).await };
                let took = tokio::task::block_in_place(|| {
                    let run = || figure = Some(tokio::runtime::Handle::current().block_on(measured));
                    machine.time(run, || used(served.pid()))
                });
                noisy += usize::from(took.foreign > NOISY);
                let figure = Figure { cores: took.own / took.wall, ..figure.unwrap() };
                eprintln!("{way:?}, {width} matches, round {round}: {figure:.2?}");
                figures.push((*way, width, figure));
            }
        }
        row(&figures, width);
    }
    judge(&figures);
    if noisy > 0 {
        println!("NOISY: in {noisy} of {} measurements others used over {NOISY} processors", figures.len());
    }
}

type Figures = [(Way, usize, Figure)];

/// The median of the rounds.
fn pick(figures: &Figures, way: Way, width: usize, field: fn(&Figure) -> f64) -> f64 {
    let of = figures.iter().filter(|(its, at, _)| (*its, *at) == (way, width));
    let mut values: Vec<f64> = of.map(|(.., figure)| field(figure)).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Rate, latencies, processors.
const FIELDS: [fn(&Figure) -> f64; 4] = [|f| f.per_second, |f| f.p50, |f| f.p99, |f| f.cores];

fn row(figures: &Figures, width: usize) {
    for (way, name) in WAYS {
        let [rate, p50, p99, cores] = FIELDS.map(|field| pick(figures, way, width, field));
        let failed: u64 =
            figures.iter().filter(|(its, at, _)| (*its, *at) == (way, width)).map(|(.., f)| f.failed).sum();
        println!("{name:<22} {width:>8} {rate:>12.0} {p50:>10.2} {p99:>10.2} {cores:>8.1} {failed:>8}");
    }
}

fn judge(figures: &Figures) {
    let pick = |way, width, field| pick(figures, way, width, field);
    for way in [Way::Http, Way::Sockets] {
        for (peer, name, least) in [(Way::Orm, "SQLAlchemy", 40.0), (Way::Raw, "sqlite3", 8.0)] {
            let rate = pick(way, 64, |f| f.per_second) / pick(peer, 64, |f| f.per_second);
            crate::goal(&format!("64 matches, {way:?}: moves/s against {name}"), rate, least);
        }
        let p99 = pick(Way::Orm, 64, |f| f.p99) / pick(way, 64, |f| f.p99);
        crate::goal(&format!("64 matches, {way:?}: p99 of SQLAlchemy against ours"), p99, 50.0);
    }
}

/// Plays so many matches at the same time for a while.
async fn measure(way: Way, served: &Served, people: &[Person], width: usize) -> Figure {
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3.0);
    let mut matches = Vec::new();
    // No more at once: connections of nobody in particular are few at an address.
    for some in people[..2 * width].chunks(2 * AT_ONCE) {
        matches.extend(join_all(some.chunks_exact(2).map(|pair| Match::open(way, served.address, pair))).await);
    }
    let (warm, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let playing = matches.drain(..).map(|played| tokio::spawn(played.play(Arc::clone(&warm), Arc::clone(&stop))));
    let playing: Vec<_> = playing.collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let clock = SystemClock::new();
    let began = clock.monotonic();
    warm.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let ended = clock.monotonic();
    let wall = ended.since(began).as_secs_f64();
    let (mut took, mut failed) = (Vec::new(), 0);
    for mut one in playing {
        match tokio::time::timeout(LATE.saturating_sub(clock.monotonic().since(ended)), &mut one).await {
            Ok(played) => {
                let (some, lost) = played.unwrap_or((Vec::new(), 1));
                took.extend(some);
                failed += lost;
            }
            Err(_) => {
                one.abort();
                failed += 1;
            }
        }
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took.get(((took.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    Figure { per_second: took.len() as f64 / wall, p50: at(0.5), p99: at(0.99), cores: 0.0, failed }
}

type Socket = WebSocketStream<TcpStream>;

/// A match and its two players.
pub(crate) struct Match {
    way: Way,
    address: SocketAddr,
    people: [Person; 2],
    links: [Link; 2],
    sockets: Option<[Socket; 2]>,
    game: String,
    known: Known,
}

/// A frame of a socket.
#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    game: Option<Game>,
}

impl Match {
    /// Begins a match between two on the box; its id.
    pub(crate) async fn make(address: SocketAddr, people: [&Person; 2], target: u32) -> String {
        let (mut inviter, mut invited) =
            (Link::open(address, &people[0].token).await, Link::open(address, &people[1].token).await);
        begin([&mut inviter, &mut invited], &people[1].username, target).await
    }

    async fn open(way: Way, address: SocketAddr, pair: &[Person]) -> Self {
        let people = [pair[0].clone(), pair[1].clone()];
        let links = [Link::open(address, &people[0].token).await, Link::open(address, &people[1].token).await];
        let mut played =
            Self { way, address, people, links, sockets: None, game: String::new(), known: Known::default() };
        played.renew().await;
        played
    }

    /// A new match of the same two.
    async fn renew(&mut self) {
        let [zero, one] = &mut self.links;
        self.game = match self.way {
            Way::Http | Way::Sockets => begin([zero, one], &self.people[1].username, TARGET).await,
            Way::Raw | Way::Orm => {
                let names = serde_json::json!({"players": [self.people[0].username, self.people[1].username]});
                let body = insist(zero, "POST", "/api/v1/games", &names.to_string(), 201).await;
                id_of(&body, "game_id")
            }
        };
        self.known = Known::default();
        if self.way == Way::Sockets {
            let path = format!("ws://{}/api/v1/games/{}/ws", self.address, self.game);
            let mut both =
                [join(&path, self.address, &self.people[0]).await, join(&path, self.address, &self.people[1]).await];
            for socket in &mut both {
                self.known.take_in(until(socket, "snapshot").await);
            }
            self.sockets = Some(both);
            return;
        }
        self.look().await;
    }

    /// Both players look where the match is.
    async fn look(&mut self) {
        for link in &mut self.links {
            let body = insist(link, "GET", &format!("/api/v1/games/{}", self.game), "", 200).await;
            self.known.take_in(serde_json::from_slice(&body).unwrap());
        }
    }

    /// Plays until it is told to stop; the milliseconds of each move since it was warm, and how many failed.
    async fn play(mut self, warm: Arc<AtomicBool>, stop: Arc<AtomicBool>) -> (Vec<f64>, u64) {
        let (clock, mut took, mut failed) = (SystemClock::new(), Vec::new(), 0);
        while !stop.load(Ordering::Relaxed) {
            match self.known.turn {
                _ if self.known.over => self.renew().await,
                None => self.ready().await,
                Some(seat) => {
                    let began = clock.monotonic();
                    let answered = self.act(seat, &clock).await;
                    let counts = warm.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed);
                    match answered {
                        Some(answered) if counts => took.push(1e3 * answered.since(began).as_secs_f64()),
                        Some(_) => {}
                        None => {
                            failed += u64::from(counts);
                            self.look().await;
                        }
                    }
                }
            }
        }
        (took, failed)
    }

    /// One move; when it was answered, or nothing where it failed.
    async fn act(&mut self, seat: usize, clock: &SystemClock) -> Option<whotbox::base::time::Instant> {
        let action = self.known.choose(seat);
        let Some(sockets) = &mut self.sockets else {
            let path = format!("/api/v1/games/{}/play", self.game);
            let (mut status, mut body) = self.links[seat].ask("POST", &path, &action).await;
            if status == 409 {
                (status, body) = self.links[seat].ask("POST", &path, DRAW).await;
            }
            if status != 200 {
                return None;
            }
            let moved: Moved = serde_json::from_slice(body).unwrap();
            let answered = clock.monotonic();
            self.known.take_in(moved.game);
            return Some(answered);
        };
        let message = format!("{{\"type\":\"play\",\"ref\":1,\"action\":{action}}}");
        sockets[seat].send(Message::text(message)).await.unwrap();
        let (mut answered, mut shown) = (None, None);
        while answered.is_none() || shown.is_none() {
            let frame = next(&mut sockets[seat]).await;
            match frame.kind.as_str() {
                "ack" => answered = Some(clock.monotonic()),
                "events" => shown = frame.game,
                "error" => panic!("refused: {action}"),
                _ => {}
            }
        }
        let other = until(&mut sockets[1 - seat], "events").await;
        self.known.take_in(other);
        self.known.take_in(shown.unwrap());
        answered
    }

    async fn ready(&mut self) {
        if let Some(sockets) = &mut self.sockets {
            for socket in sockets.iter_mut() {
                socket.send(Message::text("{\"type\":\"ready\",\"ref\":2}")).await.unwrap();
            }
            for socket in sockets {
                self.known.take_in(until(socket, "events").await);
            }
            return;
        }
        for link in &mut self.links {
            let (status, body) = link.ask("POST", &format!("/api/v1/games/{}/ready", self.game), "{}").await;
            assert_eq!(status, 200);
            self.known.take_in(serde_json::from_slice(body).unwrap());
        }
    }
}

/// Asks until the answer is the one that is wanted.
async fn insist(link: &mut Link, method: &str, path: &str, body: &str, wanted: u16) -> Vec<u8> {
    for _ in 0..TRIES {
        let (status, answer) = link.ask(method, path, body).await;
        if status == wanted {
            return answer.to_vec();
        }
        eprintln!("{method} {path}: {status} {}", String::from_utf8_lossy(answer));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{method} {path} fails again and again");
}

fn id_of(body: &[u8], field: &str) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    body[field].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

async fn begin([inviter, invited]: [&mut Link; 2], name: &str, target: u32) -> String {
    let offer = serde_json::json!({"recipient_username": name, "options": {"match_target": target, "turn_seconds": 0}});
    let (status, body) = inviter.ask("POST", "/api/v1/games/invites", &offer.to_string()).await;
    assert_eq!(status, 201, "{}", String::from_utf8_lossy(body));
    let accept = format!("/api/v1/games/invites/{}/accept", id_of(body, "id"));
    let (status, body) = invited.ask("POST", &accept, "{}").await;
    assert_eq!(status, 201, "{}", String::from_utf8_lossy(body));
    id_of(body, "game_id")
}

async fn join(path: &str, address: SocketAddr, person: &Person) -> Socket {
    let mut request = path.into_client_request().unwrap();
    request.headers_mut().insert("Authorization", format!("Bearer {}", person.token).parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    tokio_tungstenite::client_async(request, stream).await.unwrap().0
}

async fn next(socket: &mut Socket) -> Frame {
    loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

async fn until(socket: &mut Socket, kind: &str) -> Game {
    loop {
        let frame = next(socket).await;
        if frame.kind == kind {
            return frame.game.unwrap();
        }
    }
}
