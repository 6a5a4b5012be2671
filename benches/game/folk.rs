//! A box full of people: accounts and their tokens are made in the folder, then the real program serves it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use whotbox::app::{App, Parts};
use whotbox::base::entropy::OsEntropy;
use whotbox::base::time::SystemClock;
use whotbox::config::Given;
use whotbox::config::secrets::OldVariables;
use whotbox::identity::error::Error;
use whotbox::identity::takeover::{OldUser, take_over};
use whotbox::identity::users::{AccountType, Role, Status};

/// Accounts of one commit.
const AT_ONCE: usize = 64;

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) username: String,
    pub(crate) token: String,
}

/// A server in a process of its own, ended with this.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Served {
    pub(crate) fn new(child: Child, address: SocketAddr) -> Self {
        Self { child, address }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Makes this many people in a fresh folder and serves it.
pub(crate) async fn serve(folder: &Path, people: usize) -> (Served, Vec<Person>) {
    let data = folder.join("data");
    let config = Given { data_dir: Some(data), ..Given::default() }.complete().unwrap();
    let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(OsEntropy));
    let app = App::open(config, Parts { clock, entropy, old: OldVariables::default(), medium: None }).unwrap();
    let made = settle(&app, people).await;
    drop(app);
    let mut program = Command::new(env!("CARGO_BIN_EXE_whotbox"));
    program.args(["--listen", "127.0.0.1:0", "--log-level", "error"]).current_dir(folder);
    let mut child = program.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("Listening on")).expect("the box starts");
    std::thread::spawn(move || lines.for_each(drop));
    let address = line.split_whitespace().last().unwrap().parse().unwrap();
    (Served::new(child, address), made)
}

/// Accounts and sign-ins without the hashing of passwords, which would take longer than the bench.
async fn settle(app: &Arc<App>, people: usize) -> Vec<Person> {
    let now = app.clock.now();
    let account = |n: usize| OldUser {
        id: app.entropy.id(now),
        username: format!("player{n}").parse().unwrap(),
        role: Role::Customer,
        account_type: AccountType::Customer,
        distributor_id: None,
        alias: None,
        phone: None,
        phone_verified: false,
        vip_enabled: false,
        status: Status::Active,
        password: None,
        temporary: false,
        created_at: now,
    };
    let accounts: Vec<OldUser> = (0..people).map(account).collect();
    let mut made = Vec::new();
    for some in accounts.chunks(AT_ONCE) {
        let (identity, some) = (Arc::clone(&app.identity), some.to_vec());
        let names: Vec<String> = some.iter().map(|user| user.username.to_string()).collect();
        let sessions = app.store.write(move |tx, now| {
            let start = |user: OldUser| {
                let id = user.id;
                take_over(tx, now, user)?;
                identity.start_session(tx, now, id)
            };
            some.into_iter().map(start).collect::<Result<Vec<_>, _>>()
        });
        let sessions = sessions.await.unwrap_or_else(|error: Error| panic!("{error}"));
        let read = app.store.read().unwrap();
        for (username, session) in names.into_iter().zip(sessions) {
            let grant = app.identity.grant(&read, app.clock.now(), session).unwrap_or_else(|error| panic!("{error}"));
            made.push(Person { username, token: grant.access_token });
        }
    }
    made
}
