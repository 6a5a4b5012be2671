//! Sources: the old stores, opened so that nothing of them can change.
//!
//! A source gives its catalogue, and the rows of a planned table in pages, in an order that is the same each time. Must not
//! know what a row becomes.

use std::path::{Path, PathBuf};

use replication::error::Error as Central;
use replication::foreign::{Foreign, ForeignTable};
use replication::settings::Settings;

use crate::moving::cell::{Cell, Cells};
use crate::moving::desk::{BATCH, BATCH_BYTES};
use crate::moving::map::{Plan, SourceTable};

mod sqlite;

/// Why a source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is a PostgreSQL that cannot be reached or read.
    #[error("{0}")]
    Postgres(#[from] Central),
    /// It is a SQLite file that cannot be read.
    #[error("{path}: {reason}")]
    Sqlite {
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The table has no order that is the same each time.
    #[error(
        "{0}: the table has neither row numbers nor a primary key of one column; it cannot be read in a fixed order"
    )]
    NoOrder(String),
}

/// An old store.
pub enum Source {
    /// A file.
    Sqlite(sqlite::File),
    /// A server.
    Postgres(Box<Foreign>, Vec<ForeignTable>),
}

/// Where an old store is.
#[derive(Debug, Clone)]
pub enum Location {
    /// `postgres://…`
    Url(String),
    /// A SQLite file.
    File(PathBuf),
}

impl Location {
    /// What was typed: a URL of PostgreSQL, or else a file.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Self::Url(text.to_owned())
        } else {
            Self::File(PathBuf::from(text))
        }
    }
}

/// The rows of a table while they are read.
pub enum Reader<'a> {
    /// From a file: a thread reads ahead.
    Sqlite(sqlite::Rows),
    /// From a server.
    Postgres {
        /// The snapshot.
        foreign: &'a Foreign,
        /// Which cells are bytes.
        bytes: Vec<bool>,
        /// Fields, by the place of their column in what is read.
        places: Vec<Option<usize>>,
        /// Where the columns for `extra` begin, and their names.
        rest: Vec<String>,
    },
}

impl Source {
    /// Opens a source; nothing of it can change from here.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn open(location: &Location, ca: Option<&Path>) -> Result<Self, SourceError> {
        match location {
            Location::File(path) => Ok(Self::Sqlite(sqlite::File::open(path)?)),
            Location::Url(url) => {
                let foreign = Foreign::open(&Settings::parse(url, ca)?).await?;
                let tables = foreign.tables().await?;
                Ok(Self::Postgres(Box::new(foreign), tables))
            }
        }
    }

    /// Its tables.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn catalogue(&self) -> Result<Vec<SourceTable>, SourceError> {
        match self {
            Self::Sqlite(file) => file.catalogue(),
            Self::Postgres(_, tables) => Ok(tables
                .iter()
                .map(|table| SourceTable {
                    schema: Some(table.schema.clone()),
                    name: table.name.clone(),
                    columns: table.columns.clone(),
                    key: table.key.clone(),
                })
                .collect()),
        }
    }

    /// How many rows a planned table has.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn count(&self, plan: &Plan) -> Result<u64, SourceError> {
        match self {
            Self::Sqlite(file) => file.count(&plan.source.name),
            Self::Postgres(foreign, tables) => match foreign_table(tables, plan) {
                Some(table) => Ok(foreign.count(table).await?),
                None => Ok(0),
            },
        }
    }

    /// Begins to read a planned table. `offset` is what times without a zone are local to.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn read(&self, plan: &Plan, offset: i32) -> Result<Reader<'_>, SourceError> {
        match self {
            Self::Sqlite(file) => Ok(Reader::Sqlite(file.read(plan, offset)?)),
            Self::Postgres(foreign, tables) => {
                let Some(table) = foreign_table(tables, plan) else {
                    return Err(SourceError::NoOrder(plan.source.full_name()));
                };
                read_postgres(foreign, table, plan).await
            }
        }
    }
}

fn foreign_table<'a>(tables: &'a [ForeignTable], plan: &Plan) -> Option<&'a ForeignTable> {
    tables.iter().find(|table| Some(&table.schema) == plan.source.schema.as_ref() && table.name == plan.source.name)
}

async fn read_postgres<'a>(foreign: &'a Foreign, table: &ForeignTable, plan: &Plan) -> Result<Reader<'a>, SourceError> {
    let mut columns: Vec<String> = Vec::new();
    let places = plan.columns.iter().map(|column| {
        column.as_ref().map(|column| {
            columns.push(column.clone());
            columns.len() - 1
        })
    });
    let places = places.collect();
    let rest = if plan.table.keeps_rest { plan.rest.clone() } else { Vec::new() };
    columns.extend(rest.iter().cloned());
    let kind = |name: &String| table.columns.iter().find(|(column, _)| column == name).map(|(_, kind)| kind.as_str());
    let bytes = columns.iter().map(|name| kind(name) == Some("bytea")).collect();
    let id = plan.columns.first().cloned().flatten();
    let key: Vec<String> = if table.key.is_empty() { id.into_iter().collect() } else { table.key.clone() };
    let time = plan.table.by_time.and_then(|field| {
        let place = plan.table.fields.iter().position(|known| known.name == field)?;
        plan.columns.get(place).cloned().flatten()
    });
    let order: Vec<String> = time.into_iter().chain(key).collect();
    foreign.read(table, &columns, &order).await?;
    Ok(Reader::Postgres { foreign, bytes, places, rest })
}

impl Reader<'_> {
    /// The next rows; none at the end.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn next(&mut self) -> Result<Vec<Cells>, SourceError> {
        match self {
            Self::Sqlite(rows) => rows.next().await,
            Self::Postgres { foreign, bytes, places, rest } => {
                let fetched = foreign.fetch(BATCH).await?;
                Ok(fetched.into_iter().map(|row| arrange(row, bytes, places, rest)).collect())
            }
        }
    }
}

/// A server's row as cells in the order of the fields.
fn arrange(row: Vec<Option<String>>, bytes: &[bool], places: &[Option<usize>], rest: &[String]) -> Cells {
    let is_bytes = |at: usize| bytes.get(at).copied().unwrap_or(false);
    let cell = |at: usize, text: &Option<String>| match text {
        None => Cell::Null,
        Some(text) if is_bytes(at) => unhex(text).map_or(Cell::Null, Cell::Bytes),
        Some(text) => Cell::Text(text.clone()),
    };
    let all: Vec<Cell> = row.iter().enumerate().map(|(at, text)| cell(at, text)).collect();
    let mut cells: Cells =
        places.iter().map(|place| place.and_then(|at| all.get(at).cloned()).unwrap_or(Cell::Null)).collect();
    if !rest.is_empty() {
        let front = all.len().saturating_sub(rest.len());
        set_rest(&mut cells, rest.iter().zip(all.iter().skip(front)));
    }
    cells
}

/// Puts the columns that no field names into the last cell, as one JSON object.
fn set_rest<'a>(cells: &mut Cells, rest: impl Iterator<Item = (&'a String, &'a Cell)>) {
    let value = |cell: &Cell| match cell {
        Cell::Null => serde_json::Value::Null,
        Cell::Int(number) => (*number).into(),
        Cell::Real(number) => (*number).into(),
        // JSON holds no NUL for PostgreSQL.
        Cell::Text(text) => text.replace('\0', "").into(),
        Cell::Bytes(bytes) | Cell::Broken(bytes) => crate::base::digest::hex(bytes).into(),
    };
    let object: serde_json::Map<_, _> = rest.map(|(name, cell)| (name.clone(), value(cell))).collect();
    if let Some(last) = cells.last_mut() {
        *last = Cell::Text(serde_json::Value::Object(object).to_string());
    }
}

/// PostgreSQL's spelling of bytes.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let hex = text.strip_prefix("\\x")?;
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
    hex.as_bytes().chunks(2).map(byte).collect()
}

/// Whether a page is full: rows or bytes.
fn is_full(rows: &[Cells], bytes: usize) -> bool {
    rows.len() >= BATCH || bytes >= BATCH_BYTES
}
