//! Every byte that both players of a match receive, over HTTP and sockets, tells nothing of the other hand and the
//! market, sizes included.
//!
//! The phones here look at everything, err, repeat themselves and come back; what they received is recorded below HTTP
//! (`capture`) and judged against a match in which the hidden cards lie elsewhere (`truth`). A failure names its
//! seed; `WHOTBOX_WIRE_SEED` plays that match again.

mod capture;
mod truth;

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use whotbox::identity::users::Role;
use whotbox::whot::card::Seat;

use self::capture::{Asked, Document, Taken, Tap};
use self::truth::{Constants, Judged, Truth};
use crate::identity::fixture::{Person, Whole, start};
use crate::support::http::Wire;
use crate::support::soon;
use crate::whot::random::Random;

/// Matches that are played at the same time, each by its own two.
const TABLES: u64 = 4;

/// Matches in CI, and under `tests/run --full`.
fn matches() -> u64 {
    if std::env::var_os("WHOTBOX_FULL").is_some() { 1000 } else { 12 }
}

/// What a curious player asks for.
const GLANCES: &[&str] = &["", "/events?after=-1", "/scoreboard", "/proof", "/reconnect-token"];

/// A player with a phone.
struct Phone<'a> {
    whole: &'a Whole,
    person: &'a Person,
    game: String,
    socket: WebSocketStream<Tap>,
    /// The match as the socket showed it last.
    shown: Value,
    taken: Vec<Taken>,
    /// Refused actions that went over the socket, each with where the match was.
    errors: Vec<(u64, Value)>,
}

impl<'a> Phone<'a> {
    async fn open(whole: &'a Whole, person: &'a Person, game: &str) -> Self {
        let (socket, taken) = connect(whole, person, game, "", 0).await;
        let game = game.to_owned();
        let mut phone =
            Self { whole, person, game, socket, shown: Value::Null, taken: vec![taken], errors: Vec::new() };
        while phone.shown.is_null() {
            phone.hear().await;
        }
        phone
    }

    fn seq(&self) -> u64 {
        self.shown["seq"].as_u64().unwrap()
    }

    /// Takes in one frame; its type.
    async fn hear(&mut self) -> String {
        loop {
            let Message::Text(text) = soon("a frame", self.socket.next()).await.unwrap().unwrap() else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["game"].is_object() {
                self.shown = frame["game"].clone();
            }
            return frame["type"].as_str().unwrap().to_owned();
        }
    }

    async fn send(&mut self, message: &Value) {
        soon("room", self.socket.send(Message::text(message.to_string()))).await.unwrap();
    }

    async fn reach(&mut self, seq: u64) {
        while self.seq() < seq {
            self.hear().await;
        }
    }

    /// A request on a connection of its own; the status.
    async fn ask(&mut self, asked: Asked, method: &str, path: &str, body: Option<&Value>) -> u16 {
        let (tap, bytes) = Tap::new(TcpStream::connect(self.whole.http.address).await.unwrap());
        let call = self.whole.http.call(method, path).bearer(&self.person.token);
        let call = if let Some(body) = body { call.json(body) } else { call };
        let mut wire = Wire::new(tap);
        wire.write(&call.bytes()).await;
        let status = wire.answer().await.unwrap().status;
        self.taken.push(Taken { asked, seq: self.seq(), bytes });
        status
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/games/{}{rest}", self.game)
    }

    async fn glance(&mut self, random: &mut Random) {
        if random.chance(15) && self.shown["phase"] != "match_over" {
            assert_eq!(self.ask(Asked::List, "GET", "/api/v1/games?state=live", None).await, 200);
            return;
        }
        let what = *random.pick(GLANCES);
        let path = self.path(what);
        assert_eq!(self.ask(Asked::Get(what), "GET", &path, None).await, 200);
    }

    /// Tries something that the rules refuse.
    async fn err(&mut self, random: &mut Random) {
        let card = random.below(54);
        let action = match random.below(5) {
            0 => json!({"type": "draw"}),
            1 => json!({"type": "pass"}),
            2 => json!({"type": "play", "card": card, "shape": "star"}),
            3 => json!({"type": "peek", "card": card}),
            _ => json!({"type": "play", "card": card}),
        };
        if self.shown["legal"].as_array().unwrap().contains(&action) {
            return;
        }
        if random.chance(50) {
            let path = self.path("/play");
            let status = self.ask(Asked::Play(action.clone()), "POST", &path, Some(&action)).await;
            assert!(matches!(status, 409 | 422), "{action}: {status}");
        } else {
            let message = json!({"type": "play", "ref": self.errors.len(), "action": action});
            self.errors.push((self.seq(), action));
            self.send(&message).await;
            while self.hear().await != "error" {}
        }
    }

    async fn act(&mut self, action: &Value, by_socket: bool) {
        if by_socket {
            self.send(&json!({"type": "play", "ref": "a", "action": action})).await;
        } else {
            let path = self.path("/play");
            assert_eq!(self.ask(Asked::Play(action.clone()), "POST", &path, Some(action)).await, 200);
        }
    }

    async fn ready(&mut self, by_socket: bool) {
        if by_socket {
            self.send(&json!({"type": "ready", "ref": "r"})).await;
            while self.hear().await != "ack" {}
        } else {
            let path = self.path("/ready");
            assert_eq!(self.ask(Asked::Ready, "POST", &path, Some(&json!({}))).await, 200);
        }
    }

    /// Loses the socket and opens another, from its own place, from further back, or afresh.
    async fn come_back(&mut self, random: &mut Random) {
        let seq = self.seq();
        let query = match random.below(3) {
            0 => String::new(),
            1 => format!("?after={seq}"),
            _ => format!("?after={}", seq.saturating_sub(3)),
        };
        let (socket, taken) = connect(self.whole, self.person, &self.game, &query, seq).await;
        self.socket = socket;
        self.taken.push(taken);
    }
}

async fn connect(whole: &Whole, person: &Person, game: &str, query: &str, seq: u64) -> (WebSocketStream<Tap>, Taken) {
    let (tap, bytes) = Tap::new(TcpStream::connect(whole.http.address).await.unwrap());
    let url = format!("ws://{}/api/v1/games/{game}/ws{query}", whole.http.address);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("Authorization", format!("Bearer {}", person.token).parse().unwrap());
    let (socket, _) = soon("a handshake", tokio_tungstenite::client_async(request, tap)).await.unwrap();
    (socket, Taken { asked: Asked::Open, seq, bytes })
}

/// What both received of one match, taken apart, and the truth about it.
struct Played {
    truth: Truth,
    received: [Vec<Document>; 2],
    errors: [Vec<(u64, Value)>; 2],
}

async fn play(whole: &Whole, people: &[Person; 2], names: [&str; 2], random: &mut Random) -> Played {
    let offer = json!({"recipient_username": names[1], "options": random.options().1});
    let invite = whole.post(&people[0], "/api/v1/games/invites", &offer).await;
    assert_eq!(invite.status, 201, "{}", invite.text());
    let accept = format!("/api/v1/games/invites/{}/accept", invite.json()["id"].as_str().unwrap());
    let game = whole.post(&people[1], &accept, &json!({})).await.json()["game_id"].as_str().unwrap().to_owned();
    let mut phones = [Phone::open(whole, &people[0], &game).await, Phone::open(whole, &people[1], &game).await];
    while phones[0].shown["phase"] != "match_over" {
        let seq = phones[0].seq();
        for phone in &mut phones {
            match random.below(100) {
                0..15 => phone.glance(random).await,
                15..35 => phone.err(random).await,
                35..38 => phone.come_back(random).await,
                _ => {}
            }
        }
        match phones[0].shown["turn"].as_u64() {
            None => {
                for phone in &mut phones {
                    phone.ready(random.chance(50)).await;
                }
            }
            Some(seat) => {
                let phone = &mut phones[usize::try_from(seat).unwrap()];
                let mut legal = phone.shown["legal"].as_array().unwrap().clone();
                if random.below(400) != 0 {
                    legal.pop();
                }
                let action = random.pick(&legal).clone();
                phone.act(&action, random.chance(50)).await;
            }
        }
        for phone in &mut phones {
            phone.reach(seq + 1).await;
        }
    }
    for phone in &mut phones {
        phone.glance(random).await;
    }
    let proof = whole.get(&people[0], &phones[0].path("/proof")).await.json();
    let players = json!([0, 1].map(|seat| json!({"user_id": people[seat].id, "username": names[seat]})));
    let [zero, one] = phones;
    Played {
        truth: Truth::of(proof, players),
        received: [&zero, &one].map(|phone| phone.taken.iter().flat_map(Taken::documents).collect()),
        errors: [zero.errors, one.errors],
    }
}

impl Played {
    fn judge(&self, constants: &mut Constants, judged: &mut Judged) -> Result<(), String> {
        for (seat, place) in [(Seat::Zero, 0), (Seat::One, 1)] {
            for document in &self.received[place] {
                let verdict = self.truth.judge(seat, document, &self.errors[place], constants, judged);
                verdict.map_err(|why| format!("seat {place}, {:?}: {why}", document.asked))?;
            }
        }
        Ok(())
    }
}

/// Two players of a table of their own.
async fn pair(whole: &Whole, table: u64) -> ([Person; 2], [String; 2]) {
    let names = [format!("ada{table}"), format!("bola{table}")];
    let people = [whole.person(Role::Customer, &names[0]).await, whole.person(Role::Customer, &names[1]).await];
    (people, names)
}

async fn at_table(whole: Arc<Whole>, constants: Arc<Mutex<Constants>>, table: u64, seeds: Vec<u64>) -> Judged {
    let (people, names) = pair(&whole, table).await;
    let mut judged = Judged::default();
    for seed in seeds {
        let played = play(&whole, &people, [&names[0], &names[1]], &mut Random::new(seed)).await;
        let verdict = played.judge(&mut constants.lock().unwrap(), &mut judged);
        if let Err(why) = verdict {
            panic!("WHOTBOX_WIRE_SEED={seed}: {why}");
        }
    }
    judged
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_that_a_player_gets_depends_on_the_other_hand_or_the_market() {
    let (whole, constants) = (Arc::new(start().await), Arc::new(Mutex::default()));
    let asked = std::env::var("WHOTBOX_WIRE_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let seeds = asked.map_or(0..matches(), |seed| seed..seed + 1);
    let seeds_of = |table: u64| seeds.clone().filter(|seed| seed % TABLES == table).collect::<Vec<_>>();
    let tables = (0..TABLES)
        .map(|table| tokio::spawn(at_table(Arc::clone(&whole), Arc::clone(&constants), table, seeds_of(table))));
    let mut sum = Judged::default();
    for table in tables.collect::<Vec<_>>() {
        let judged = table.await.unwrap();
        sum.documents += judged.documents;
        sum.live += judged.live;
        sum.refusals += judged.refusals;
    }
    println!("{} matches: {sum:?}", seeds.end - seeds.start);
    assert!(sum.live > 0 && sum.refusals > 0, "something was hidden, and something refused: {sum:?}");
}

/// Where a planted leak goes: what was received while the round was live.
fn live_frame(document: &Document) -> bool {
    document.text.starts_with("{\"type\":\"events\"") && document.text.contains("\"phase\":\"play\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leak_that_was_planted_is_found() {
    let whole = start().await;
    let (people, names) = pair(&whole, 0).await;
    let good = play(&whole, &people, [&names[0], &names[1]], &mut Random::new(3)).await;
    // What is the same in every match is known from a good one, as it is from the matches before.
    let judge = |played: &Played| {
        let mut constants = Constants::default();
        good.judge(&mut constants, &mut Judged::default())?;
        played.judge(&mut constants, &mut Judged::default())
    };
    assert_eq!(judge(&good), Ok(()), "the control");
    let frame = good.received[0].iter().position(live_frame).unwrap();
    let text = &good.received[0][frame].text;
    let seq = serde_json::from_str::<Value>(text).unwrap()["seq"].as_u64().unwrap();
    let state = json!(good.truth.steps[usize::try_from(seq).unwrap()].0.full_state());
    let (card, next) = (&state["hands"][1][0], &state["market"][0]);
    let blanks = " ".repeat(usize::try_from(next.as_u64().unwrap()).unwrap() + 1);
    let reply = good.received[0].iter().position(|document| document.status == 200).unwrap();
    let plants: Vec<(&str, usize, String)> = vec![
        ("the market's next card in a field of its own", frame, text.replacen('{', &format!("{{\"hint\":{next},"), 1)),
        ("a card of the other's in the own hand", frame, text.replacen("\"hand\":[", &format!("\"hand\":[{card},"), 1)),
        ("a count that is off by a card", frame, text.replacen("\"market_cards\":", "\"market_cards\":1", 1)),
        ("blanks, as many as the next card's number", frame, text.replacen(':', &format!(":{blanks}"), 1)),
        ("a field that stands twice", frame, text.replacen("\"seq\":", &format!("\"seq\":{card},\"seq\":"), 1)),
    ];
    for (what, place, text) in plants {
        let mut bent = Played { received: good.received.clone(), errors: good.errors.clone(), truth: again(&good) };
        assert_ne!(bent.received[0][place].text, text, "{what} was planted");
        bent.received[0][place].text = text;
        assert!(judge(&bent).is_err(), "not found: {what}");
    }
    let mut bent = Played { received: good.received.clone(), errors: good.errors.clone(), truth: again(&good) };
    bent.received[0][reply].headers.push(("X-Deck".to_owned(), next.to_string()));
    assert!(judge(&bent).is_err(), "not found: a header");
}

fn again(played: &Played) -> Truth {
    Truth::of(played.truth.proof.clone(), played.truth.players.clone())
}
