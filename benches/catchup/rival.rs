//! The two ways to compare with: `COPY` of the same rows into the same table, and one row after the other.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use replication::row::Value;
use tokio_postgres::NoTls;
use uuid::Uuid;
use whotbox::base::time::{Clock as _, SystemClock};

use crate::home::Home;
use crate::postgres::Database;

/// Microseconds from 1970 to 2000, where PostgreSQL's times begin.
const TO_2000: i64 = 946_684_800_000_000;

/// A row as COPY takes it in binary.
pub(crate) fn binary(box_id: Uuid, id: &str, values: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend(i16::try_from(values.len() + 2).unwrap().to_be_bytes());
    let mut field = |bytes: Option<&[u8]>| match bytes {
        None => out.extend((-1_i32).to_be_bytes()),
        Some(bytes) => {
            out.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
            out.extend(bytes);
        }
    };
    field(Some(box_id.as_bytes()));
    field(Some(id.as_bytes()));
    for value in values {
        match value {
            Value::Null => field(None),
            Value::Text(text) => field(Some(text.as_bytes())),
            Value::BigInt(number) => field(Some(&number.to_be_bytes())),
            Value::Bool(yes) => field(Some(&[u8::from(*yes)])),
            Value::Bytes(bytes) => field(Some(bytes)),
            Value::Time(micros) => field(Some(&(micros - TO_2000).to_be_bytes())),
            Value::Json(text) => field(Some(&[&[1], text.as_bytes()].concat())),
        }
    }
    out
}

/// `COPY` by a superuser, whom no policy binds, over TLS.
pub(crate) fn copy(database: &Database, file: &Path) -> Duration {
    // The policies bind the operator; a superuser over TCP is let in by a password.
    database.sql("alter role postgres password 'bench'");
    let to = format!(
        "{}?sslmode=verify-full&sslrootcert={}",
        database.url("postgres", "bench"),
        database.ca_file().display()
    );
    let columns: Vec<&str> = crate::home::MESSAGES.columns.iter().map(|column| column.name).collect();
    let sql =
        format!("\\copy chat.messages (box_id, id, {}) from '{}' (format binary)", columns.join(", "), file.display());
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &to, "-c", &sql]).stdin(Stdio::null());
    let clock = SystemClock::new();
    let before = clock.monotonic();
    assert!(psql.status().unwrap().success());
    clock.monotonic().since(before)
}

/// One row in each transaction.
pub(crate) async fn one_by_one(home: &Home, rows: u64) -> Duration {
    let url = home.database.url("postgres", "bench");
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("create table public.sample (like chat.messages including all)").await.unwrap();
    client.batch_execute(&format!("insert into public.sample select * from chat.messages limit {rows}")).await.unwrap();
    client.batch_execute("create table public.single (like chat.messages including all)").await.unwrap();
    let text = "insert into public.single select * from public.sample where box_id = $1 and id = $2";
    let insert = client.prepare(text).await.unwrap();
    let ids = client.query("select box_id, id from public.sample", &[]).await.unwrap();
    let ids: Vec<(Uuid, String)> = ids.iter().map(|row| (row.get(0), row.get(1))).collect();
    let clock = SystemClock::new();
    let before = clock.monotonic();
    for (box_id, id) in &ids {
        assert_eq!(client.execute(&insert, &[box_id, id]).await.unwrap(), 1);
    }
    clock.monotonic().since(before)
}
