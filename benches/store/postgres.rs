//! A local PostgreSQL with its defaults: as many connections as the store has writers, one insert in a commit.
//!
//! Once of what the store writes, in one statement (but for the chain of the log, which would queue the connections up),
//! and once of the message and its index entry alone, which is less than half of that.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tokio_postgres::{Client, NoTls, Statement};
use whotbox::base::digest::sha256;

use crate::WRITERS;
use crate::load::Message;
use crate::machine::used;

/// A connection and its prepared inserts.
struct Connected {
    client: Client,
    message: Statement,
    whole: Statement,
}

impl Connected {
    async fn insert(&self, message: &Message, whole: bool) {
        let Message { id, conversation, sealed, .. } = message;
        let hash = sha256(&[id.as_bytes()]);
        let (key, half) = (hash.as_slice(), &hash[..16]);
        let done = if whole {
            self.client.execute(&self.whole, &[id, conversation, sealed, &key, &half]).await
        } else {
            self.client.execute(&self.message, &[id, conversation, sealed]).await
        };
        assert_eq!(done.unwrap(), 1);
    }
}

/// What the store keeps of a message.
const TABLES: &str = "
    CREATE TABLE messages (id uuid PRIMARY KEY, conversation uuid NOT NULL, sealed bytea NOT NULL);
    CREATE INDEX ON messages (conversation, id);
    CREATE TABLE changes (seq bigserial PRIMARY KEY, tab int NOT NULL, key uuid NOT NULL, op int NOT NULL,
        digest bytea NOT NULL, at timestamptz NOT NULL, chain bytea NOT NULL);
    CREATE TABLE idempotency (key bytea PRIMARY KEY, request bytea NOT NULL, reference uuid NOT NULL,
        at timestamptz NOT NULL);
    CREATE INDEX ON idempotency (at);";
/// The message alone.
const MESSAGE: &str = "INSERT INTO messages VALUES ($1, $2, $3)";
/// All that the store writes, in one statement.
const WHOLE: &str = "
    WITH message AS (INSERT INTO messages VALUES ($1, $2, $3)),
        change AS (INSERT INTO changes (tab, key, op, digest, at, chain) VALUES (1, $1, 1, $5, now(), $4))
    INSERT INTO idempotency VALUES ($4, $4, $1, now())";

/// A throw-away cluster and its connections.
pub(crate) struct Postgres {
    server: Server,
    runtime: tokio::runtime::Runtime,
    clients: Vec<Arc<Connected>>,
}

/// The server; it is stopped when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        drop(self.0.wait());
    }
}

impl Postgres {
    /// Starts a cluster under `folder`; `None` where PostgreSQL is not installed.
    pub(crate) fn new(folder: &Path) -> Option<Self> {
        let programs = programs()?;
        let run = |program: &str| command(&programs.join(program), folder);
        let data = folder.join("pg");
        let made = run("initdb").arg("-D").arg(&data).args(["-A", "trust", "-U", "bench"]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = run("postgres");
        server.arg("-D").arg(&data).arg("-k").arg(folder).args(["-h", "", "-c", "max_connections=80"]);
        let server = Server(server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let clients = runtime.block_on(connect(folder));
        Some(Self { server, runtime, clients })
    }

    /// Inserts messages, each in a commit of its own: `whole` with its log entry and its idempotency record.
    pub(crate) fn run(&self, commands: usize, whole: bool) {
        let writer = |client: &Arc<Connected>| {
            let client = Arc::clone(client);
            self.runtime.spawn(async move {
                for _ in 0..commands / WRITERS {
                    client.insert(&Message::new(), whole).await;
                }
            })
        };
        let writers: Vec<_> = self.clients.iter().map(writer).collect();
        self.runtime.block_on(async {
            for writer in writers {
                writer.await.unwrap();
            }
        });
    }

    /// Seconds of processors that the server's processes used.
    pub(crate) fn used(&self) -> f64 {
        let children = format!("/proc/{0}/task/{0}/children", self.server.0.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        children.split_whitespace().map(|process| used(process.parse().unwrap())).sum()
    }
}

/// Where Debian keeps the server's programs, the newest version's.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    versions.map(|version| version.path().join("bin")).max()
}

/// A program of PostgreSQL, which refuses to run as root.
fn command(program: &Path, folder: &Path) -> Command {
    let own = std::fs::metadata("/proc/self").unwrap();
    if std::os::unix::fs::MetadataExt::uid(&own) != 0 {
        return Command::new(program);
    }
    let given = Command::new("chown").arg("postgres").arg(folder).status().unwrap();
    assert!(given.success());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command
}

async fn connect(folder: &Path) -> Vec<Arc<Connected>> {
    let config = format!("host={} user=bench dbname=postgres", folder.display());
    let mut clients = Vec::new();
    while clients.len() < WRITERS {
        let Ok((client, connection)) = tokio_postgres::connect(&config, NoTls).await else {
            // The server is starting.
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(connection);
        if clients.is_empty() {
            client.batch_execute(TABLES).await.unwrap();
        }
        let (message, whole) = (client.prepare(MESSAGE).await.unwrap(), client.prepare(WHOLE).await.unwrap());
        clients.push(Arc::new(Connected { client, message, whole }));
    }
    clients
}
