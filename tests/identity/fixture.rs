//! A whole box in this process, over real HTTP, with a clock that the test moves, and people who use it.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use whotbox::app::{App, Parts};
use whotbox::base::entropy::OsEntropy;
use whotbox::base::time::{ManualClock, Timestamp};
use whotbox::config::Given;
use whotbox::config::secrets::OldVariables;
use whotbox::http::connections::Caps;
use whotbox::http::edge::Edge;
use whotbox::http::metrics::Metrics;
use whotbox::http::serve::{self, Listen, Server};
use whotbox::http::{resources, settings::Settings};
use whotbox::identity::users::Role;
use whotbox::store::medium::Medium;
use whotbox::upstream::Link;

use crate::support::http::{Answer, Http};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "lagos by night";

/// A running box.
pub(crate) struct Whole {
    pub http: Http,
    pub app: Arc<App>,
    pub clock: Arc<ManualClock>,
    _server: Server,
    _folder: Option<tempfile::TempDir>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub id: String,
    pub token: String,
    pub refresh: String,
}

impl Person {
    #[track_caller]
    pub(crate) fn of(session: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{session}")).to_owned();
        Self {
            id: text(&session["user"]["id"]),
            token: text(&session["access_token"]),
            refresh: text(&session["refresh_token"]),
        }
    }
}

/// Opens a box at 2026-11-22T10:00:00Z.
pub(crate) async fn start() -> Whole {
    start_with(|_| {}).await
}

pub(crate) async fn start_with(change: impl FnOnce(&mut Given)) -> Whole {
    let folder = tempfile::tempdir().unwrap();
    let mut given = Given { data_dir: Some(folder.path().join("data")), ..Given::default() };
    change(&mut given);
    let whole = opened(given, START, None).await;
    Whole { _folder: Some(folder), ..whole }
}

/// The clock's first moment: 2026-11-22T10:00:00Z.
const START: Timestamp = Timestamp::from_micros(1_795_341_600_000_000);

async fn opened(given: Given, now: Timestamp, medium: Option<Arc<dyn Medium>>) -> Whole {
    let clock = Arc::new(ManualClock::at(now));
    let parts = Parts {
        clock: clock.clone(),
        entropy: Arc::new(OsEntropy),
        old: OldVariables { s2s: Some(secret(S2S)), jwt: Some(secret(JWT)), ..OldVariables::default() },
        medium,
    };
    let app = App::open(given.complete().unwrap(), parts).unwrap();
    let (http, server) = serve(&app).await;
    Whole { http, app, clock, _server: server, _folder: None }
}

fn secret(text: &str) -> whotbox::base::secret::Secret<String> {
    whotbox::base::secret::Secret::new(text.to_owned())
}

/// What `JWT_SECRET_KEY` holds.
pub(crate) const JWT: &str = "what the old services signed their tokens with";
/// What a service of the owner's shows.
pub(crate) const S2S: &str = "a service of the owner's own, long enough";

pub(crate) async fn serve(app: &Arc<App>) -> (Http, Server) {
    let metrics = Arc::new(Metrics::of(app));
    let resources = resources::all(app, &Arc::new(Link::default()), &metrics);
    let caps = Caps { total: 1024, per_address: 512, per_user: 512, ..Caps::of_this_process() };
    let settings = Settings { caps, proxies: app.config.proxies.clone(), ..Settings::default() };
    let edge = Edge::new(resources, settings, Arc::clone(&app.clock), Arc::clone(&app.entropy), move |served| {
        metrics.served(served);
    });
    let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), tls: None };
    let server = serve::start(&[listen], &edge).await.unwrap();
    (Http::new(server.addresses()[0]), server)
}

impl Whole {
    /// Opens a box whose keys lie in a folder and whose store lies elsewhere.
    pub(crate) async fn on(folder: &Path, medium: Arc<dyn Medium>) -> Self {
        opened(Given { data_dir: Some(folder.join("data")), ..Given::default() }, START, Some(medium)).await
    }

    /// Opens the box of a data folder at a time; the folder is the caller's.
    pub(crate) async fn open(data_dir: &std::path::Path, now: Timestamp) -> Self {
        opened(Given { data_dir: Some(data_dir.to_owned()), ..Given::default() }, now, None).await
    }

    /// Makes an account from the console and signs it in.
    pub(crate) async fn person(&self, role: Role, username: &str) -> Person {
        self.account(role, username).await;
        self.sign_in(username).await
    }

    /// Makes an account from the console.
    pub(crate) async fn account(&self, role: Role, username: &str) {
        self.account_with(role, username, PASSWORD).await;
    }

    /// The same with a password.
    pub(crate) async fn account_with(&self, role: Role, username: &str, password: &str) {
        use whotbox::base::time::Clock as _;
        let password = Some(secret(password));
        let (name, now) = (username.parse().unwrap(), self.clock.now());
        self.app.identity.console_add(&self.app.store, now, role, name, password, None).await.unwrap();
    }

    pub(crate) async fn login(&self, username: &str, password: &str) -> Answer {
        let body = json!({"username": username, "password": password});
        self.http.post("/api/v1/auth/login").json(&body).send().await
    }

    pub(crate) async fn sign_in(&self, username: &str) -> Person {
        let answer = self.login(username, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Person::of(&answer.json())
    }

    /// A distributor's new invite.
    pub(crate) async fn invite(&self, owner: &Person) -> Value {
        let made = self.http.post("/api/v1/invites").bearer(&owner.token).json(&json!({})).send().await;
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()
    }

    /// A customer of a distributor, who joined with an invite.
    pub(crate) async fn customer(&self, owner: &Person, username: &str) -> Person {
        let invite = self.invite(owner).await;
        let answer = self.redeem(invite["token"].as_str().unwrap(), username).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        Person::of(&answer.json())
    }

    pub(crate) async fn redeem(&self, token: &str, username: &str) -> Answer {
        let body = json!({"username": username, "password": PASSWORD});
        self.http.post(&format!("/api/v1/invites/{token}/redeem")).json(&body).send().await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.http.post("/api/v1/auth/refresh").json(&json!({"refresh_token": token})).send().await
    }

    pub(crate) async fn get(&self, person: &Person, path: &str) -> Answer {
        self.http.get(path).bearer(&person.token).send().await
    }

    pub(crate) async fn post(&self, person: &Person, path: &str, body: &Value) -> Answer {
        self.http.post(path).bearer(&person.token).json(body).send().await
    }

    pub(crate) async fn call(&self, person: &Person, method: &str, path: &str, body: &Value) -> Answer {
        let call = self.http.call(method, path).bearer(&person.token);
        if body.is_null() { call.send().await } else { call.json(body).send().await }
    }
}
