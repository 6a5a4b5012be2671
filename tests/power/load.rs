//! People at work with a recorded box, and what each of its answers promised them.
//!
//! An answer is found again in the record by its request id, or by the `ref` of a frame. What it promises has to hold
//! from the point at which the box *began* to send it: the client may have had it then.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::power::disk::Disk;
use crate::power::trace::{self, Call};
use crate::support::http::Http;
use crate::support::whotbox::{Person, Whotbox, own_password};

/// What an answer promised.
#[derive(Debug, Clone)]
pub(crate) enum Promise {
    /// Somebody is signed in, and stays so by this refresh token.
    SignedIn(&'static str, String),
    /// There is such an account.
    Account(String),
    /// This refresh token is good no more.
    SignedOut(String),
    /// There is a message with this id and text.
    Said(String, String),
    /// The text of this message is shown to nobody any more.
    Read(String),
    /// The match has come to this number.
    Moved(u64),
    /// The conversation is held.
    Held,
    /// The key file was written anew.
    Rotated,
}

/// What was promised, by what is found in the record.
#[derive(Debug, Default)]
struct Ledger(Mutex<Vec<(String, Promise)>>);

impl Ledger {
    fn note(&self, mark: &str, promise: Promise) {
        self.0.lock().unwrap().push((mark.to_owned(), promise));
    }
}

/// A word that nobody has had.
fn fresh() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("mark{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Asks for something that has to be done; the answer, and its mark.
pub(crate) async fn ask(http: &Http, token: Option<&str>, method: &str, path: &str, body: &Value) -> (Value, String) {
    let mut call = http.call(method, path);
    if let Some(token) = token {
        call = call.bearer(token);
    }
    let answer = if body.is_null() { call.send().await } else { call.json(body).send().await };
    assert!((200..300).contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
    let mark = answer.header("x-request-id").unwrap().to_owned();
    (serde_json::from_slice(&answer.body).unwrap_or_default(), mark)
}

async fn by(person: &Person, method: &str, path: &str, body: &Value) -> (Value, String) {
    ask(&person.http, Some(&person.token), method, path, body).await
}

/// A box whose calls are recorded.
pub(crate) struct Recorded {
    pub(crate) whotbox: Whotbox,
    pub(crate) record: JoinHandle<Vec<u8>>,
}

impl Recorded {
    pub(crate) fn start(root: &Path, number: usize) -> Self {
        let pipe = root.join(format!("record-{number}"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let from = pipe.clone();
        let record = std::thread::spawn(move || std::fs::read(from).unwrap());
        let under = trace::recorder(&pipe);
        let whotbox = Whotbox::try_start(&under, root, &["--log-level", "warn"]);
        Self { whotbox: whotbox.unwrap_or_else(|log| panic!("the box did not start under strace: {log}")), record }
    }
}

/// Everybody, and what they have begun.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scene {
    pub(crate) conversation: String,
    pub(crate) game: String,
}

struct Cast {
    admin: Person,
    owner: Person,
    chidi: Person,
    amaka: Person,
    moderator: Person,
}

impl Cast {
    fn at(&mut self, http: &Http) {
        for person in [&mut self.admin, &mut self.owner, &mut self.chidi, &mut self.amaka, &mut self.moderator] {
            *person = person.at(http);
        }
    }
}

/// What was recorded.
pub(crate) struct Recording {
    runs: Vec<Vec<Call>>,
    root: tempfile::TempDir,
    pub(crate) scene: Scene,
    /// Where each promise was given.
    pub(crate) promises: Vec<(usize, Promise)>,
    /// How many places the record has.
    pub(crate) length: usize,
}

impl Recording {
    /// Records two runs of a new box: one that is asked to stop, and one that is killed, with `rounds` of work in each.
    pub(crate) async fn make(rounds: usize) -> Self {
        trace::check();
        let root = tempfile::tempdir().unwrap();
        let path = root.path().canonicalize().unwrap();
        let ledger = Arc::new(Ledger::default());
        let (mut runs, mut length) = (Vec::new(), 0);
        let mut read_back = |record: JoinHandle<Vec<u8>>| {
            let (calls, next) = trace::parse(&record.join().unwrap(), length);
            runs.push(calls);
            length = next;
        };
        let first = Recorded::start(&path, 0);
        let (mut cast, scene) = gather(&first.whotbox, &ledger).await;
        work(&cast, &scene, &ledger, rounds).await;
        rotated(&first.whotbox, &ledger).await;
        work(&cast, &scene, &ledger, 1).await;
        assert_eq!(first.whotbox.terminate(), Some(0));
        read_back(first.record);
        let mut second = Recorded::start(&path, 1);
        cast.at(&second.whotbox.http);
        work(&cast, &scene, &ledger, rounds).await;
        let hold = format!("/api/v1/admin/moderation/conversations/{}/legal-hold", scene.conversation);
        let (_, mark) = by(&cast.moderator, "POST", &hold, &json!({"reason": "court order 44/26"})).await;
        ledger.note(&mark, Promise::Held);
        work(&cast, &scene, &ledger, 2).await;
        rotated(&second.whotbox, &ledger).await;
        second.whotbox.kill();
        read_back(second.record);
        let mut recording = Self { runs, root, scene, promises: Vec::new(), length };
        let promises = std::mem::take(&mut *ledger.0.lock().unwrap());
        recording.promises = placed(&recording.disk(None), promises);
        recording
    }

    /// The disk of the recording; syncs of the data folder from `ignored` on count for nothing.
    pub(crate) fn disk(&self, ignored: Option<usize>) -> Disk {
        let mut disk = Disk::new(&self.root.path().canonicalize().unwrap());
        self.runs.iter().for_each(|calls| disk.take(calls, ignored));
        disk
    }
}

/// Finds the place in the record at which each promise was given.
pub(crate) fn placed<T>(disk: &Disk, promises: Vec<(String, T)>) -> Vec<(usize, T)> {
    let mut marks: HashMap<String, usize> = HashMap::new();
    for (at, bytes) in &disk.sent {
        let text = String::from_utf8_lossy(bytes);
        for start in ["x-request-id: ", "\"ref\":\""] {
            for (place, found) in text.match_indices(start) {
                let rest = &text[place + found.len()..];
                let end = rest.find(['\r', '"']).unwrap_or(rest.len());
                marks.entry(rest[..end].to_owned()).or_insert(*at);
            }
        }
    }
    let place = |mark: String| *marks.get(&mark).unwrap_or_else(|| panic!("the answer {mark} is not in the record"));
    let mut placed: Vec<_> = promises.into_iter().map(|(mark, promise)| (place(mark), promise)).collect();
    placed.sort_by_key(|(at, _)| *at);
    placed
}

/// Signs in, with a password of their own.
async fn sign_in(whotbox: &Whotbox, ledger: &Ledger, name: &'static str, once: &str) -> Person {
    whotbox.sign_in(name, once).await;
    let own = json!({"username": name, "password": own_password(name)});
    let (session, mark) = ask(&whotbox.http, None, "POST", "/api/v1/auth/login", &own).await;
    ledger.note(&mark, Promise::SignedIn(name, session["refresh_token"].as_str().unwrap().to_owned()));
    Person::of(&whotbox.http, &session)
}

/// Redeems a new invite.
async fn join(owner: &Person, name: &str) -> (Value, String) {
    let (invite, _) = by(owner, "POST", "/api/v1/invites", &json!({})).await;
    let path = format!("/api/v1/invites/{}/redeem", invite["token"].as_str().unwrap());
    ask(&owner.http, None, "POST", &path, &json!({"username": name, "password": own_password(name)})).await
}

async fn gather(whotbox: &Whotbox, ledger: &Ledger) -> (Cast, Scene) {
    let admin = sign_in(whotbox, ledger, "admin", whotbox.password.as_ref().unwrap()).await;
    let made = json!({"username": "mama-put", "alias": "Mama Put"});
    let (made, _) = by(&admin, "POST", "/api/v1/admin/distributors", &made).await;
    let owner = sign_in(whotbox, ledger, "mama-put", made["temporary_password"].as_str().unwrap()).await;
    let (made, _) = by(&admin, "POST", "/api/v1/admin/moderators", &json!({"username": "mod-one"})).await;
    let moderator = sign_in(whotbox, ledger, "mod-one", made["temporary_password"].as_str().unwrap()).await;
    let mut players = Vec::new();
    for name in ["chidi", "amaka"] {
        let (session, mark) = join(&owner, name).await;
        ledger.note(&mark, Promise::SignedIn(name, session["refresh_token"].as_str().unwrap().to_owned()));
        players.push(Person::of(&whotbox.http, &session));
    }
    let [chidi, amaka] = players.try_into().ok().unwrap();
    let (made, _) = by(&chidi, "POST", "/api/v1/conversations", &json!({"participant_id": owner.id})).await;
    let conversation = made["id"].as_str().unwrap().to_owned();
    let options = json!({"match_target": 3, "turn_seconds": 0});
    let invite = json!({"recipient_username": "amaka", "preset": "quick", "options": options});
    let (invite, _) = by(&chidi, "POST", "/api/v1/games/invites", &invite).await;
    let path = format!("/api/v1/games/invites/{}/accept", invite["id"].as_str().unwrap());
    let (made, mark) = by(&amaka, "POST", &path, &Value::Null).await;
    let game = made["game_id"].as_str().unwrap().to_owned();
    ledger.note(&mark, Promise::Moved(0));
    (Cast { admin, owner, chidi, amaka, moderator }, Scene { conversation, game })
}

/// Everybody works at once.
async fn work(cast: &Cast, scene: &Scene, ledger: &Arc<Ledger>, rounds: usize) {
    let mut busy = JoinSet::new();
    let path = format!("/api/v1/conversations/{}", scene.conversation);
    busy.spawn(write(Arc::clone(ledger), cast.chidi.clone(), cast.owner.clone(), path.clone(), rounds));
    busy.spawn(speak(Arc::clone(ledger), cast.owner.clone(), path, rounds));
    busy.spawn(play(Arc::clone(ledger), [cast.chidi.clone(), cast.amaka.clone()], scene.game.clone(), rounds));
    busy.spawn(come_and_go(Arc::clone(ledger), cast.owner.clone(), rounds));
    while let Some(ended) = busy.join_next().await {
        ended.unwrap();
    }
}

/// Writes messages, of which the other reads every third.
async fn write(ledger: Arc<Ledger>, from: Person, to: Person, path: String, rounds: usize) {
    for round in 0..rounds * 3 {
        let body = format!("stock number {round} don land");
        let (made, mark) = by(&from, "POST", &format!("{path}/messages"), &json!({"body": body})).await;
        let id = made["id"].as_str().unwrap().to_owned();
        if round % 3 == 2 {
            let (_, mark) = by(&to, "POST", &format!("/api/v1/messages/{id}/read"), &Value::Null).await;
            ledger.note(&mark, Promise::Read(id));
        } else {
            ledger.note(&mark, Promise::Said(id, body));
        }
    }
}

/// Writes messages over a socket.
async fn speak(ledger: Arc<Ledger>, from: Person, path: String, rounds: usize) {
    let mut socket = from.socket(&format!("{path}/ws")).await;
    for round in 0..rounds * 2 {
        let (mark, body) = (fresh(), format!("I dey come, number {round}"));
        socket.send(&json!({"type": "send", "ref": mark, "body": body})).await;
        let ack = socket.next_of("ack").await;
        assert_eq!(ack["ref"], json!(mark));
        ledger.note(&mark, Promise::Said(ack["message"]["id"].as_str().unwrap().to_owned(), body));
    }
}

/// Plays whatever is legal.
async fn play(ledger: Arc<Ledger>, seats: [Person; 2], game: String, rounds: usize) {
    for _ in 0..rounds * 4 {
        let seen = seats[0].see(&format!("/api/v1/games/{game}")).await;
        let (path, who, action) = match seen["turn"].as_u64() {
            _ if seen["phase"] == "match_over" => return,
            Some(turn) => {
                let who = &seats[usize::try_from(turn).unwrap()];
                let seen = who.see(&format!("/api/v1/games/{game}")).await;
                ("play", who, seen["legal"][0].clone())
            }
            None => {
                for seat in &seats {
                    seat.post(&format!("/api/v1/games/{game}/ready"), &Value::Null).await;
                }
                continue;
            }
        };
        let (played, mark) = by(who, "POST", &format!("/api/v1/games/{game}/{path}"), &action).await;
        let seq = played["game"]["seq"].as_u64().unwrap();
        ledger.note(&mark, Promise::Moved(seq));
    }
}

/// Makes accounts, each of which signs out again.
async fn come_and_go(ledger: Arc<Ledger>, owner: Person, rounds: usize) {
    for _ in 0..rounds.div_ceil(3) {
        let name = format!("guest-{}", fresh());
        let (session, mark) = join(&owner, &name).await;
        ledger.note(&mark, Promise::Account(name));
        let token = session["access_token"].as_str().unwrap();
        let (_, mark) = ask(&owner.http, Some(token), "POST", "/api/v1/auth/logout", &Value::Null).await;
        ledger.note(&mark, Promise::SignedOut(session["refresh_token"].as_str().unwrap().to_owned()));
    }
}

/// Writes the key file anew. The command's answer goes through the admin socket; the next answer stands for it.
async fn rotated(whotbox: &Whotbox, ledger: &Ledger) {
    let done = whotbox.command(&["keys", "rotate"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (_, mark) = ask(&whotbox.http, None, "GET", "/healthz", &Value::Null).await;
    ledger.note(&mark, Promise::Rotated);
}
