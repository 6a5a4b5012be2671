//! Reading somebody else's PostgreSQL: its catalogue and its rows as text, in one read-only snapshot.
//!
//! For what moves in from the old services. Every statement runs in a transaction that the server itself keeps from
//! writing. Must not know what any table means.

use crate::error::{Error, Moment, sort};
use crate::session::Session;
use crate::settings::Settings;

/// A table of a foreign database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Name and type of each column, in their order.
    pub columns: Vec<(String, String)>,
    /// The columns of its primary key.
    pub key: Vec<String>,
}

/// A read-only snapshot of a foreign database.
pub struct Foreign {
    session: Session,
}

/// A name as SQL takes any: quoted.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn failed(error: tokio_postgres::Error) -> Error {
    sort(&error, Moment::Before)
}

impl Foreign {
    /// Connects and opens the snapshot. Times come out in UTC, in ISO form.
    ///
    /// # Errors
    /// [`Error`] where the database cannot be reached or the login may not read.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let session = Session::open(settings).await?;
        let begin = "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set time zone 'UTC'; \
                     set datestyle = 'ISO, YMD'; set bytea_output = 'hex'; set extra_float_digits = 1; \
                     set default_transaction_read_only = on; \
                     begin transaction isolation level repeatable read, read only";
        session.client.batch_execute(begin).await.map_err(failed)?;
        Ok(Self { session })
    }

    /// Every table and view that is no part of the system.
    ///
    /// # Errors
    /// [`Error`] where the catalogue cannot be read.
    pub async fn tables(&self) -> Result<Vec<ForeignTable>, Error> {
        let sql = "select n.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)::text, \
                   coalesce(a.attnum = any(i.indkey), false) \
                   from pg_class c join pg_namespace n on n.oid = c.relnamespace \
                   join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
                   left join pg_index i on i.indrelid = c.oid and i.indisprimary \
                   where c.relkind in ('r', 'p', 'v', 'm') and n.nspname not in ('pg_catalog', 'information_schema') \
                   and n.nspname not like 'pg\\_%' and not c.relispartition \
                   order by n.nspname, c.relname, a.attnum";
        let mut tables: Vec<ForeignTable> = Vec::new();
        for row in self.session.client.query(sql, &[]).await.map_err(failed)? {
            let text = |at: usize| row.try_get::<_, String>(at).map_err(failed);
            let (schema, name, column, kind) = (text(0)?, text(1)?, text(2)?, text(3)?);
            let in_key: bool = row.try_get(4).map_err(failed)?;
            if tables.last().is_none_or(|last| (&last.schema, &last.name) != (&schema, &name)) {
                tables.push(ForeignTable { schema, name, columns: Vec::new(), key: Vec::new() });
            }
            if let Some(table) = tables.last_mut() {
                if in_key {
                    table.key.push(column.clone());
                }
                table.columns.push((column, kind));
            }
        }
        Ok(tables)
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// [`Error`] where it may not be read.
    pub async fn count(&self, table: &ForeignTable) -> Result<u64, Error> {
        let sql = format!("select count(*) from {}.{}", quoted(&table.schema), quoted(&table.name));
        let count: i64 = self.session.client.query_one(&sql, &[]).await.map_err(failed)?.try_get(0).map_err(failed)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Begins to read some columns of a table in the order of others; [`Foreign::fetch`] gives the rows. One at a time.
    ///
    /// # Errors
    /// [`Error`] where it may not be read.
    pub async fn read(&self, table: &ForeignTable, columns: &[String], order: &[String]) -> Result<(), Error> {
        let list: Vec<String> = columns.iter().map(|column| format!("{}::text", quoted(column))).collect();
        let order: Vec<String> = order.iter().map(|column| quoted(column)).collect();
        let order = if order.is_empty() { String::new() } else { format!(" order by {}", order.join(", ")) };
        let sql = format!(
            "declare moving no scroll cursor for select {} from {}.{}{order}",
            list.join(", "),
            quoted(&table.schema),
            quoted(&table.name)
        );
        self.session.client.batch_execute(&sql).await.map_err(failed)
    }

    /// At most `limit` more rows; none at the end, where the reading is over.
    ///
    /// # Errors
    /// [`Error`] where the connection is lost.
    pub async fn fetch(&self, limit: usize) -> Result<Vec<Vec<Option<String>>>, Error> {
        let rows = self.session.client.query(&format!("fetch forward {limit} from moving"), &[]).await;
        let rows = rows.map_err(failed)?;
        if rows.is_empty() {
            self.session.client.batch_execute("close moving").await.map_err(failed)?;
        }
        let cells = |row: &tokio_postgres::Row| {
            (0..row.len()).map(|at| row.try_get::<_, Option<String>>(at).map_err(failed)).collect()
        };
        rows.iter().map(cells).collect()
    }
}
