//! A server with a resource that knows no domain: it echoes, waits, panics, and opens sockets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use whotbox::base::entropy::SeededEntropy;
use whotbox::base::time::SystemClock;
use whotbox::http::connections::Caps;
use whotbox::http::edge::Edge;
use whotbox::http::problem::{Code, Problem};
use whotbox::http::reply::{self, Response};
use whotbox::http::request::Req;
use whotbox::http::route::{Resource, delete, get, post, socket};
use whotbox::http::serve::{self, Listen, Server};
use whotbox::http::settings::Settings;
use whotbox::http::socket::{self as ws, Close, Outbox, Session};

use crate::support::http::Http;

/// What the handlers of one test share.
pub(crate) struct Shared {
    /// Waiting handlers go on with one permit each.
    pub gate: Semaphore,
    /// How many handlers wait.
    pub waiting: Semaphore,
    /// The routes that were logged, as metrics get them.
    pub served: Mutex<Vec<(String, u16)>>,
    /// The sockets that were opened.
    pub outboxes: Mutex<Vec<Outbox>>,
    /// What a socket's token is still good for.
    pub expires_in: Duration,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Note {
    pub text: String,
    pub count: Option<u8>,
}

#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct Choice {
    pub dry_run: bool,
}

type State = Arc<Shared>;

fn resource(state: &State) -> Resource {
    Resource::new(
        "notes",
        vec![
            get("/api/v1/games/{id}", "Says its id.").public().reply::<Note>(200).to(state, say),
            post("/api/v1/games/{id}", "Echoes.").body::<Note>().reply::<Note>(201).to(state, echo),
            delete("/api/v1/games/{id}", "Nothing.").empty(204).to(state, nothing),
            post("/api/v1/games/redeem", "A literal beside a parameter.")
                .optional_body::<Choice>()
                .reply::<Choice>(200)
                .to(state, choose),
            get("/api/v1/auth/list", "A page.").public().list::<String>().to(state, list),
            get("/api/v1/auth/wait", "Waits for the test.").public().empty(204).to(state, wait),
            get("/api/v1/auth/panic", "Panics.").public().empty(204).to(state, fail),
            get("/api/v1/auth/me", "Who asks, and from where.").empty(200).to(state, me),
            socket("/api/v1/games/{id}/ws", "Echoes messages.").to(state, open),
        ],
    )
}

async fn say(_: State, req: Req) -> Result<Response, Problem> {
    Ok(reply::ok(&Note { text: req.text_param("id").to_owned(), count: None }))
}

async fn echo(_: State, req: Req) -> Result<Response, Problem> {
    if req.bearer() != Some("good") {
        return Err(Code::Unauthenticated.into());
    }
    let id: u32 = req.param("id")?;
    let note: Note = req.json()?;
    let key = req.idempotency_key()?.map(str::to_owned);
    let made = reply::created(&format!("/api/v1/games/{id}"), &note);
    Ok(if key.is_some() { reply::replayed(made) } else { made })
}

async fn nothing(_: State, _: Req) -> Result<Response, Problem> {
    Ok(reply::no_content())
}

async fn choose(_: State, req: Req) -> Result<Response, Problem> {
    Ok(reply::ok(&req.json_or_default::<Choice>()?))
}

async fn list(_: State, req: Req) -> Result<Response, Problem> {
    let page = req.page()?;
    let after: usize = page.after()?.unwrap_or(0);
    let items: Vec<String> = (after + 1..=after + page.limit).map(|n| n.to_string()).collect();
    Ok(reply::list(&items, items.last().map(String::as_bytes)))
}

async fn wait(state: State, _: Req) -> Result<Response, Problem> {
    state.waiting.add_permits(1);
    state.gate.acquire().await.unwrap().forget();
    Ok(reply::no_content())
}

async fn fail(_: State, _: Req) -> Result<Response, Problem> {
    panic!("as the test asked")
}

async fn me(_: State, req: Req) -> Result<Response, Problem> {
    let user = req.bearer().ok_or(Code::Unauthenticated)?;
    req.authenticated(&user);
    Ok(reply::ok(&json!({ "user": user, "client": req.client(), "secure": req.secure() })))
}

async fn open(state: State, req: Req) -> Result<Response, Problem> {
    let user = req.bearer().ok_or(Code::Unauthenticated)?;
    let shared = Arc::clone(&state);
    ws::accept(&req, &user, state.expires_in, move |session| talk(shared, session))
}

async fn talk(state: State, mut session: Session) {
    state.outboxes.lock().unwrap().push(session.outbox());
    while let Some(message) = session.recv().await {
        match message.kind() {
            "echo" => session.send(&json!({ "type": "echo", "ref": message.reference() })),
            "note" => match message.parse::<Note>() {
                Ok(note) => session.send(&json!({ "type": "note", "note": note })),
                Err(problem) => session.send(&json!({ "type": "error", "code": problem.code.as_str() })),
            },
            "flood" => (0..64).for_each(|_| session.send(&json!({ "type": "noise", "noise": "x".repeat(8000) }))),
            "bye" => {
                session.send(&json!({ "type": "bye" }));
                return;
            }
            "panic" => panic!("as the test asked"),
            _ => session.close(Close::Malformed),
        }
    }
}

/// A running server of this fixture.
pub(crate) struct Fixture {
    pub http: Http,
    pub address: SocketAddr,
    pub shared: State,
    pub server: Server,
}

/// Bounds that no test reaches by being slow.
pub(crate) fn settings() -> Settings {
    let caps =
        Caps { total: 512, per_address: 64, per_user: 16, patience: Duration::from_secs(60), grace: Duration::ZERO };
    Settings { caps, ..Settings::default() }
}

/// Starts one; `change` shortens the bounds that the test is about.
pub(crate) async fn start(change: impl FnOnce(&mut Settings)) -> Fixture {
    start_with(change, Duration::from_secs(3600)).await
}

pub(crate) async fn start_with(change: impl FnOnce(&mut Settings), expires_in: Duration) -> Fixture {
    let mut settings = settings();
    change(&mut settings);
    let (shared, edge) = edge(settings, expires_in);
    let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), tls: None };
    let server = serve::start(&[listen], &edge).await.unwrap();
    let address = server.addresses()[0];
    Fixture { http: Http::new(address), address, shared, server }
}

pub(crate) fn edge(settings: Settings, expires_in: Duration) -> (State, Arc<Edge>) {
    let shared = Arc::new(Shared {
        gate: Semaphore::new(0),
        waiting: Semaphore::new(0),
        served: Mutex::default(),
        outboxes: Mutex::default(),
        expires_in,
    });
    let log = Arc::clone(&shared);
    let observer = move |served: &whotbox::http::edge::Served<'_>| {
        log.served.lock().unwrap().push((format!("{} {}", served.method, served.route), served.status));
    };
    let entropy = Arc::new(SeededEntropy::new(1));
    let edge = Edge::new(vec![resource(&shared)], settings, Arc::new(SystemClock::new()), entropy, observer);
    (shared, edge)
}

impl Fixture {
    /// Waits until `count` more handlers wait at the gate.
    pub(crate) async fn waiting(&self, count: u32) {
        crate::support::soon("a waiting handler", self.shared.waiting.acquire_many(count)).await.unwrap().forget();
    }
}
