//! A box full of people: accounts and their tokens are made in the folder, then the real program serves it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use whotbox::app::{App, Parts};
use whotbox::base::entropy::OsEntropy;
use whotbox::base::secret::Secret;
use whotbox::base::time::SystemClock;
use whotbox::config::Given;
use whotbox::config::secrets::OldVariables;
use whotbox::identity::error::Error;
use whotbox::identity::users::Role;

/// Passwords that are hashed at the same time: as many as fit the pool's queue.
const AT_ONCE: usize = 12;

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
    let names: Vec<String> = (0..people).map(|n| format!("player{n}")).collect();
    let mut made = Vec::new();
    for names in names.chunks(AT_ONCE) {
        made.extend(futures_util::future::join_all(names.iter().map(|name| join(&app, name))).await);
    }
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

async fn join(app: &Arc<App>, name: &str) -> Person {
    let (username, now) = (name.parse().unwrap(), app.clock.now());
    let password = Some(Secret::new("a password of the bench".to_owned()));
    let (user, _) = app.identity.console_add(&app.store, now, Role::Customer, username, password, None).await.unwrap();
    let (identity, id) = (Arc::clone(&app.identity), user.id);
    let session = app.store.write(move |tx, now| identity.start_session(tx, now, id)).await;
    let session = session.unwrap_or_else(|error: Error| panic!("{error}"));
    let read = app.store.read().unwrap();
    let grant = app.identity.grant(&read, app.clock.now(), session).unwrap_or_else(|error| panic!("{error}"));
    Person { username: name.to_owned(), token: grant.access_token }
}
