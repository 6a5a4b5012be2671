//! Reading back what central holds of one box, by the operator's login and in one snapshot: what a lost box is rebuilt from.
//!
//! A table is read through a cursor, in the order of ids, so that it is walked once. Must not know what any table means.

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::Row as Found;
use uuid::Uuid;

use crate::encode::{Micros, Param};
use crate::error::{Error, Moment, sort};
use crate::row::{Row, Table, Type, Value};
use crate::session::Session;
use crate::settings::Settings;

/// How long one page may take: the first of a table walks all rows that were read before.
const PAGE: Duration = Duration::from_secs(300);

/// What central knows of a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownBox {
    /// Its name for people.
    pub name: String,
    /// The life of its log that central follows.
    pub epoch: Uuid,
    /// When it was last heard of: seconds ago.
    pub silent_seconds: Option<i64>,
    /// It was shut out.
    pub revoked: bool,
}

/// How much central holds of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Rows.
    pub rows: i64,
    /// Rows of a box that did not send records yet, from which it cannot be rebuilt.
    pub without_record: i64,
}

/// One box's rows, as they are in one snapshot.
pub struct Reader {
    session: Session,
    box_id: Uuid,
}

fn failed(error: tokio_postgres::Error) -> Error {
    sort(&error, Moment::Before)
}

async fn in_time<T>(answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Error> {
    match timeout(PAGE, answer).await {
        Ok(answer) => answer.map_err(failed),
        Err(_elapsed) => Err(Error::Unreachable { reason: format!("no answer within {PAGE:?}") }),
    }
}

impl Reader {
    /// Connects by the operator's login and opens the snapshot, in which nothing can be written.
    ///
    /// # Errors
    /// [`Error`] where central cannot be reached or has no schema.
    pub async fn open(operator: &Settings, box_id: Uuid) -> Result<Self, Error> {
        let mut session = Session::open(operator).await?;
        session.central = crate::postgres::check_versions(&session).await?;
        if session.central < crate::HAS_RECORDS {
            return Err(Error::SchemaTooOld { central: session.central, needs: crate::HAS_RECORDS });
        }
        let begin = "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0;
                     begin transaction isolation level repeatable read, read only";
        in_time(session.client.batch_execute(begin)).await?;
        Ok(Self { session, box_id })
    }

    async fn row(&self, text: &str, params: &[Param<'_>]) -> Result<Found, Error> {
        in_time(self.session.row(text, params)).await
    }

    /// What central knows of the box; nothing if it was never enrolled.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn known(&self) -> Result<Option<KnownBox>, Error> {
        let text = "select count(*), max(b.name), (array_agg(b.epoch))[1],
                           extract(epoch from clock_timestamp() - max(b.last_contact_at))::bigint, bool_or(b.revoked_at is not null)
                      from replication.boxes b where b.box_id = $1";
        let row = self.row(text, &[Box::new(self.box_id)]).await?;
        if row.try_get::<_, i64>(0).map_err(failed)? == 0 {
            return Ok(None);
        }
        Ok(Some(KnownBox {
            name: row.try_get(1).map_err(failed)?,
            epoch: row.try_get(2).map_err(failed)?,
            silent_seconds: row.try_get(3).map_err(failed)?,
            revoked: row.try_get(4).map_err(failed)?,
        }))
    }

    /// How much there is of a table.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn held(&self, table: &Table) -> Result<Held, Error> {
        let without = if table.has_records() { "count(*) filter (where record is null)" } else { "0::bigint" };
        let text = format!("select count(*), {without} from {} where box_id = $1", quoted(table));
        let row = self.row(&text, &[Box::new(self.box_id)]).await?;
        Ok(Held { rows: row.try_get(0).map_err(failed)?, without_record: row.try_get(1).map_err(failed)? })
    }

    /// Days that central has ordered the archive to be kept, of the orders that the box carried out.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn archive_days(&self) -> Result<Option<i64>, Error> {
        let text = "select max((d.arguments ->> 'archive_days')::bigint) from replication.directives d
                      join replication.answers a on a.box_id = d.box_id and a.seq = d.seq and a.outcome = 'applied'
                     where d.box_id = $1 and d.kind = 'settings'";
        self.row(text, &[Box::new(self.box_id)]).await?.try_get(0).map_err(failed)
    }

    /// Begins to read a table, above an id.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn start(&self, table: &Table, after: Option<&str>) -> Result<(), Error> {
        let columns = table.columns.iter().map(|column| match column.ty {
            Type::Json => format!(", \"{}\"::text", column.name),
            _ => format!(", \"{}\"", column.name),
        });
        // A cursor takes no parameters. No id holds a quote, and one that did would be doubled here.
        let after = after.map(|id| format!(" and id > '{}'", id.replace('\'', "''"))).unwrap_or_default();
        let text = format!(
            "close all; declare rebuild no scroll cursor for select id{} from {} where box_id = '{}'{after} order by id",
            columns.collect::<String>(),
            quoted(table),
            self.box_id
        );
        in_time(self.session.client.batch_execute(&text)).await
    }

    /// The next rows; fewer than asked for only at the end.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn next(&self, table: &Table, most: u32) -> Result<Vec<Row>, Error> {
        let found = in_time(self.session.client.query(&format!("fetch forward {most} from rebuild"), &[])).await?;
        found.iter().map(|row| read(table, row).map_err(failed)).collect()
    }
}

fn quoted(table: &Table) -> String {
    format!("\"{}\".\"{}\"", table.schema, table.name)
}

fn read(table: &Table, found: &Found) -> Result<Row, tokio_postgres::Error> {
    let id = found.try_get(0)?;
    let value = |(place, ty): (usize, Type)| -> Result<Value, tokio_postgres::Error> {
        Ok(match ty {
            Type::Text => found.try_get::<_, Option<String>>(place)?.map_or(Value::Null, Value::Text),
            Type::Json => found.try_get::<_, Option<String>>(place)?.map_or(Value::Null, Value::Json),
            Type::BigInt => found.try_get::<_, Option<i64>>(place)?.map_or(Value::Null, Value::BigInt),
            Type::Bool => found.try_get::<_, Option<bool>>(place)?.map_or(Value::Null, Value::Bool),
            Type::Bytes => found.try_get::<_, Option<Vec<u8>>>(place)?.map_or(Value::Null, Value::Bytes),
            Type::Time => {
                found.try_get::<_, Option<Micros>>(place)?.map_or(Value::Null, |micros| Value::Time(micros.0))
            }
        })
    };
    let values = table.columns.iter().enumerate().map(|(at, column)| value((at + 1, column.ty)));
    Ok(Row { id, values: values.collect::<Result<_, _>>()? })
}
