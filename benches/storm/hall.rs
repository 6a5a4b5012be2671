//! A hall of people who play and write at a steady pace, and how long each of their acts takes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use whotbox::base::time::{Clock as _, SystemClock};

use crate::http::Line;

/// People at the tables, two to a match.
pub(crate) const PLAYERS: u64 = 16;
/// Accounts that the storm signs in with.
pub(crate) const GUESTS: u64 = 16;
/// Everybody's password.
pub(crate) const PASSWORD: &str = "seven of stars";
/// Between two moves of a match, and two messages of a person.
const PACE: Duration = Duration::from_millis(200);

/// How long one kind of act took, each time.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

/// Times in short.
pub(crate) struct Summary {
    count: usize,
    p50: Duration,
    pub(crate) p99: Duration,
    most: Duration,
}

impl Times {
    pub(crate) fn summary(&self) -> Summary {
        let mut all = self.0.clone();
        all.sort_unstable();
        let at = |part: usize| {
            all.get((all.len() * part / 100).min(all.len().saturating_sub(1))).copied().unwrap_or_default()
        };
        Summary { count: all.len(), p50: at(50), p99: at(99), most: at(100) }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.1?}, p99 {:.1?}, most {:.1?} of {}", self.p50, self.p99, self.most, self.count)
    }
}

/// What an evening took.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) moves: Times,
    pub(crate) messages: Times,
}

/// Somebody at a table.
struct Player {
    name: String,
    token: String,
    line: Line,
    conversation: String,
}

impl Player {
    async fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.line.call(method, path, Some(&self.token), body).await.expect("the box answers")
    }
}

/// The hall.
pub(crate) struct Hall {
    pairs: Vec<Arc<Mutex<[Player; 2]>>>,
    clock: Arc<SystemClock>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

async fn made(line: &mut Line, path: &str, token: Option<&str>, body: &Value) -> Value {
    let (status, answer) = line.call("POST", path, token, Some(body)).await.expect("the box answers");
    assert!(status < 300, "{path}: {status} {answer}");
    answer
}

impl Hall {
    /// Makes the accounts, the pairs and the conversations.
    pub(crate) async fn gather(address: SocketAddr, password: &str) -> Self {
        let home = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut line = Line::from(home, address).await.unwrap();
        let credentials = json!({"username": "admin", "password": password});
        let admin = text(&made(&mut line, "/api/v1/auth/login", None, &credentials).await["access_token"]);
        let change = json!({"current_password": password, "new_password": "an own one of mine"});
        made(&mut line, "/api/v1/auth/password", Some(&admin), &change).await;
        let owner = json!({"username": "mama-put", "alias": "Mama Put", "password": PASSWORD});
        made(&mut line, "/api/v1/admin/distributors", Some(&admin), &owner).await;
        let credentials = json!({"username": "mama-put", "password": PASSWORD});
        let owner = made(&mut line, "/api/v1/auth/login", None, &credentials).await;
        let mut players = Vec::new();
        for n in 0..PLAYERS {
            let invite = made(&mut line, "/api/v1/invites", Some(&text(&owner["access_token"])), &json!({})).await;
            let name = format!("player{n}");
            let join = json!({"token": invite["token"], "username": name, "password": PASSWORD});
            let session = made(&mut line, "/api/v1/invites/redeem", None, &join).await;
            let token = text(&session["access_token"]);
            let with = json!({"participant_id": owner["user"]["id"]});
            let opened = made(&mut line, "/api/v1/conversations", Some(&token), &with).await;
            let line =
                Line::from(IpAddr::V4(Ipv4Addr::new(127, 0, 2, u8::try_from(n).unwrap() + 1)), address).await.unwrap();
            players.push(Player { name, token, line, conversation: text(&opened["id"]) });
        }
        // Who signs in again and again ends the oldest of an account's sessions: those who play must not be among them.
        for n in 0..GUESTS {
            let invite = made(&mut line, "/api/v1/invites", Some(&text(&owner["access_token"])), &json!({})).await;
            let join = json!({"token": invite["token"], "username": format!("guest{n}"), "password": PASSWORD});
            made(&mut line, "/api/v1/invites/redeem", None, &join).await;
        }
        let mut pairs = Vec::new();
        while let (Some(one), Some(two)) = (players.pop(), players.pop()) {
            pairs.push(Arc::new(Mutex::new([one, two])));
        }
        Self { pairs, clock: Arc::new(SystemClock::new()) }
    }

    /// Everybody plays and writes for so long.
    pub(crate) async fn evening(&self, span: Duration) -> Taken {
        let mut tables = tokio::task::JoinSet::new();
        for pair in &self.pairs {
            tables.spawn(table(Arc::clone(pair), Arc::clone(&self.clock), span));
        }
        let mut all = Taken::default();
        for mut taken in tables.join_all().await {
            all.moves.0.append(&mut taken.moves.0);
            all.messages.0.append(&mut taken.messages.0);
        }
        all
    }
}

/// One table's evening: in each turn a move and a message.
async fn table(pair: Arc<Mutex<[Player; 2]>>, clock: Arc<SystemClock>, span: Duration) -> Taken {
    let mut pair = pair.lock().await;
    let (mut taken, mut pace, begun) = (Taken::default(), tokio::time::interval(PACE), clock.monotonic());
    let mut game = begin(&mut pair).await;
    while clock.monotonic().since(begun) < span {
        pace.tick().await;
        let mut moved = false;
        for seat in 0..2 {
            let path = format!("/api/v1/games/{game}");
            let (_, view) = pair[seat].call("GET", &path, None).await;
            if view["phase"] == "match_over" {
                game = begin(&mut pair).await;
                break;
            }
            if view["phase"] == "round_over" {
                pair[seat].call("POST", &format!("{path}/ready"), Some(&json!({}))).await;
            } else if view["turn"] == view["seat"] && !moved {
                let play = view["legal"][0].clone();
                let before = clock.monotonic();
                let (status, _) = pair[seat].call("POST", &format!("{path}/play"), Some(&play)).await;
                assert_eq!(status, 200, "{play}");
                taken.moves.0.push(clock.monotonic().since(before));
                moved = true;
            }
        }
        let path = format!("/api/v1/conversations/{}/messages", pair[0].conversation);
        let before = clock.monotonic();
        let (status, answer) = pair[0].call("POST", &path, Some(&json!({"body": "The jollof is ready."}))).await;
        assert_eq!(status, 201, "{answer}");
        taken.messages.0.push(clock.monotonic().since(before));
    }
    taken
}

/// A new match of the two.
async fn begin(pair: &mut [Player; 2]) -> String {
    let offer = json!({"recipient_username": pair[1].name, "options": {"match_target": 20, "turn_seconds": 0}});
    let (status, invite) = pair[0].call("POST", "/api/v1/games/invites", Some(&offer)).await;
    assert_eq!(status, 201, "{invite}");
    let accept = format!("/api/v1/games/invites/{}/accept", text(&invite["id"]));
    let (_, made) = pair[1].call("POST", &accept, Some(&json!({}))).await;
    text(&made["game_id"])
}
