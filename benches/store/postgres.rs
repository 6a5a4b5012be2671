//! A local PostgreSQL with its defaults: as many connections as the store has writers, one insert in a commit.
//!
//! It writes the message and its index entry only, no log and no idempotency record: less than the store does.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tokio_postgres::{Client, NoTls, Statement};

use crate::WRITERS;
use crate::load::Message;
use crate::machine::used;

/// A connection and its prepared insert.
type Connected = Arc<(Client, Statement)>;

/// A throw-away cluster and its connections.
pub(crate) struct Postgres {
    server: Server,
    runtime: tokio::runtime::Runtime,
    clients: Vec<Connected>,
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

    /// Inserts messages, each in a commit of its own.
    pub(crate) fn run(&self, commands: usize) {
        let writer = |client: &Connected| {
            let client = Arc::clone(client);
            self.runtime.spawn(async move {
                let (client, insert) = &*client;
                for _ in 0..commands / WRITERS {
                    let message = Message::new();
                    client.execute(insert, &[&message.id, &message.conversation, &message.sealed]).await.unwrap();
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

async fn connect(folder: &Path) -> Vec<Connected> {
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
            let tables =
                "CREATE TABLE messages (id uuid PRIMARY KEY, conversation uuid NOT NULL, sealed bytea NOT NULL);
                CREATE INDEX ON messages (conversation, id);";
            client.batch_execute(tables).await.unwrap();
        }
        let insert = client.prepare("INSERT INTO messages VALUES ($1, $2, $3)").await.unwrap();
        clients.push(Arc::new((client, insert)));
    }
    clients
}
