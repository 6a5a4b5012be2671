//! Tables, rows, batches and enrolled boxes for the tests of replication.

use std::sync::atomic::{AtomicU64, Ordering};

use replication::admin::{Admin, Enrolment, Login};
use replication::postgres::Postgres;
use replication::row::{Batch, Column, Cursor, Lane, Row, Table, TableDeletes, TablePuts, Type, Value};
use replication::settings::Settings;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::support::postgres::{Database, Postgres as Server};

/// A table with every type, with and without NULL.
pub(crate) static ROUNDS: Table = Table {
    schema: "game",
    name: "rounds",
    append_only: false,
    columns: &[
        required("game_id", Type::Text),
        required("round", Type::BigInt),
        required("commitment", Type::Bytes),
        nullable("secret_sealed", Type::Bytes),
        nullable("server_seed", Type::Bytes),
        nullable("nonce0", Type::Bytes),
        nullable("nonce1", Type::Bytes),
        nullable("seed", Type::Bytes),
        nullable("starter", Type::BigInt),
        required("actions", Type::Bytes),
        nullable("result", Type::Json),
        nullable("started_at", Type::Time),
        nullable("ended_at", Type::Time),
    ],
};

/// A small table.
pub(crate) static ATTEMPTS: Table = Table {
    schema: "identity",
    name: "user_login_attempts",
    append_only: false,
    columns: &[
        required("username", Type::Text),
        nullable("user_id", Type::Text),
        required("outcome", Type::Text),
        nullable("address", Type::Text),
        required("at", Type::Time),
    ],
};

/// The append-only table.
pub(crate) static AUDITS: Table = Table {
    schema: "chat",
    name: "audits",
    append_only: true,
    columns: &[
        required("seq", Type::BigInt),
        nullable("conversation_id", Type::Text),
        required("moderator_id", Type::Text),
        required("action", Type::Text),
        required("code", Type::Text),
        required("reason", Type::Text),
        required("at", Type::Time),
        required("prev_hash", Type::Bytes),
        required("hash", Type::Bytes),
        nullable("subject", Type::Text),
    ],
};

const fn required(name: &'static str, ty: Type) -> Column {
    Column { name, ty, nullable: false }
}

const fn nullable(name: &'static str, ty: Type) -> Column {
    Column { name, ty, nullable: true }
}

/// A box id that no other test of this run has.
pub(crate) fn box_id() -> Uuid {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u64_pair(u64::from(std::process::id()), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A password as long as a box's.
pub(crate) const PASSWORD: &str = "0123456789abcdef0123456789abcdef";

/// The epoch of every box here, unless a test says otherwise.
pub(crate) const EPOCH: Uuid = Uuid::from_u128(77);

/// Where every lane starts.
pub(crate) const START: Cursor = Cursor { epoch: EPOCH, seq: 0, chain: [0; 32] };

/// Settings for a URL at a database, with its CA.
pub(crate) fn settings(database: &Database, url: &str) -> Settings {
    Settings::parse(url, Some(&database.ca_file())).unwrap()
}

/// The operator of a database.
pub(crate) fn admin(database: &Database) -> Admin {
    let url = format!("{}?sslmode=verify-full", database.admin_url());
    Admin::new(settings(database, &url))
}

/// A migrated database of the shared cluster.
pub(crate) async fn migrated() -> Database {
    let database = Server::shared().database();
    admin(&database).migrate().await.unwrap();
    database
}

/// Enrols a box at `epoch`.
pub(crate) async fn enroll(database: &Database, box_id: Uuid, epoch: Uuid) -> Login {
    let starts = Lane::ALL.map(|lane| (lane, 0, [0; 32]));
    let enrolment = Enrolment { box_id, name: "Mama Ngozi", epoch, password: PASSWORD, starts };
    admin(database).enroll(&enrolment).await.unwrap()
}

/// A box with its login at a database.
pub(crate) struct Enrolled {
    pub(crate) database: Database,
    pub(crate) box_id: Uuid,
    pub(crate) login: Login,
    pub(crate) upstream: Postgres,
}

impl Enrolled {
    /// A box at a database that other tests' boxes use too: for tests that leave its tables and functions alone.
    pub(crate) async fn new() -> Self {
        static SHARED: OnceCell<Database> = OnceCell::const_new();
        Self::at(SHARED.get_or_init(migrated).await.clone()).await
    }

    /// A box at a database of its own.
    pub(crate) async fn alone() -> Self {
        Self::at(migrated().await).await
    }

    /// Another box at a database.
    pub(crate) async fn at(database: Database) -> Self {
        let box_id = box_id();
        let login = enroll(&database, box_id, EPOCH).await;
        let upstream = Postgres::new(settings(&database, &login.url));
        Self { database, box_id, login, upstream }
    }
}

/// A login attempt.
pub(crate) fn attempt(id: &str, outcome: &str) -> Row {
    let text = |text: &str| Value::Text(text.to_owned());
    Row {
        id: id.to_owned(),
        values: vec![text("ada"), Value::Null, text(outcome), Value::Null, Value::Time(1_000_001)],
    }
}

/// An audit row.
pub(crate) fn audit(id: &str, reason: &str) -> Row {
    let text = |text: &str| Value::Text(text.to_owned());
    let values = vec![
        Value::BigInt(1),
        Value::Null,
        text("mod"),
        text("read"),
        text("dispute"),
        text(reason),
        Value::Time(1),
        Value::Bytes(vec![1]),
        Value::Bytes(vec![2]),
        Value::Null,
    ];
    Row { id: id.to_owned(), values }
}

/// The chain behind an entry, as good as any here.
pub(crate) fn chain(seq: i64) -> [u8; 32] {
    if seq == 0 { [0; 32] } else { [u8::try_from(seq % 251).unwrap() + 1; 32] }
}

/// A batch of the bulk lane over the entries above `prev` up to `seq`.
pub(crate) fn batch(prev: i64, seq: i64) -> Batch {
    Batch {
        lane: Lane::Bulk,
        epoch: EPOCH,
        prev_seq: prev,
        prev_chain: chain(prev),
        seq,
        chain: chain(seq),
        puts: Vec::new(),
        deletes: Vec::new(),
    }
}

/// What a test adds to a batch.
pub(crate) trait With {
    /// Puts rows.
    fn put(self, table: &'static Table, rows: impl IntoIterator<Item = Row>) -> Self;
    /// Deletes rows.
    fn delete(self, table: &'static Table, ids: &[&str]) -> Self;
}

impl With for Batch {
    fn put(mut self, table: &'static Table, rows: impl IntoIterator<Item = Row>) -> Self {
        self.puts.push(TablePuts { table, rows: rows.into_iter().collect() });
        self
    }

    fn delete(mut self, table: &'static Table, ids: &[&str]) -> Self {
        self.deletes.push(TableDeletes { table, ids: ids.iter().map(|id| (*id).to_owned()).collect() });
        self
    }
}
