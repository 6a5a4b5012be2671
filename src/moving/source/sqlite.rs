//! SQLite files: opened so that SQLite itself cannot write to them, and read by a thread of their own.
//!
//! A file that was closed well is opened as immutable: no lock, no journal, no shared memory beside it. One whose
//! write-ahead log still holds something is opened read-only with that log, which is part of it. Temporary results stay in memory.

use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row as SqliteRow};
use tokio::sync::mpsc;

use crate::moving::cell::{Cell, Cells, time_of};
use crate::moving::map::{Plan, SourceTable};
use crate::moving::source::{SourceError, is_full, set_rest};

/// Pages that are read ahead, so that reading and writing go on side by side and memory stays small.
const AHEAD: usize = 2;

/// A SQLite file.
pub struct File {
    path: PathBuf,
    uri: String,
    /// The log's index, which SQLite makes beside the file for reading a log; it goes again with this value.
    litter: Option<PathBuf>,
}

impl Drop for File {
    fn drop(&mut self) {
        if let Some(litter) = &self.litter {
            drop(std::fs::remove_file(litter));
        }
    }
}

/// Rows on their way from the reading thread.
pub struct Rows {
    path: PathBuf,
    pages: mpsc::Receiver<Result<Vec<Cells>, String>>,
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn has_content(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.len() > 0)
}

fn failed(path: &Path, reason: impl ToString) -> SourceError {
    SourceError::Sqlite { path: path.display().to_string(), reason: reason.to_string() }
}

/// A name as SQL takes any: quoted.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl File {
    /// Looks whether it can be opened, and how.
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let path = std::fs::canonicalize(path).map_err(|error| failed(path, error))?;
        if has_content(&beside(&path, "-journal")) {
            let why =
                "a change to it was cut off; open it once with the old service or with sqlite3, then run this again";
            return Err(failed(&path, why));
        }
        let escaped = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let logged = has_content(&beside(&path, "-wal"));
        let index = beside(&path, "-shm");
        let litter = (logged && !index.exists()).then_some(index);
        let uri =
            if logged { format!("file:{escaped}?mode=ro") } else { format!("file:{escaped}?immutable=1&mode=ro") };
        let file = Self { path, uri, litter };
        file.connect()?;
        Ok(file)
    }

    fn connect(&self) -> Result<Connection, SourceError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(&self.uri, flags).and_then(|connection| {
            // Texts of the old service must not lie in a temporary file; 8 MiB of pages are enough for reading in order.
            connection.execute_batch(
                "pragma query_only = on; pragma temp_store = memory; pragma cache_size = -8192; begin",
            )?;
            connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
            Ok(connection)
        });
        opened.map_err(|error| failed(&self.path, error))
    }

    /// Its tables and views.
    pub(super) fn catalogue(&self) -> Result<Vec<SourceTable>, SourceError> {
        let connection = self.connect()?;
        let read = || -> rusqlite::Result<Vec<SourceTable>> {
            let sql = "select name from sqlite_schema where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\' order by name";
            let names: Vec<String> =
                connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut tables = Vec::with_capacity(names.len());
            for name in names {
                let (mut columns, mut key) = (Vec::new(), Vec::new());
                let mut found = connection.prepare("select name, type, pk from pragma_table_info(?1)")?;
                let mut rows = found.query([&name])?;
                while let Some(row) = rows.next()? {
                    let (column, kind, place): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    if place > 0 {
                        key.push(column.clone());
                    }
                    columns.push((column, kind));
                }
                tables.push(SourceTable { schema: None, name, columns, key });
            }
            Ok(tables)
        };
        read().map_err(|error| failed(&self.path, error))
    }

    /// How many rows a table has.
    pub(super) fn count(&self, table: &str) -> Result<u64, SourceError> {
        let sql = format!("select count(*) from {}", quoted(table));
        let count = self.connect()?.query_row(&sql, [], |row| row.get::<_, i64>(0));
        count.map(|count| u64::try_from(count).unwrap_or(0)).map_err(|error| failed(&self.path, error))
    }

    /// Begins to read a table.
    pub(super) fn read(&self, plan: &Plan, offset: i32) -> Result<Rows, SourceError> {
        let connection = self.connect()?;
        let place = place_of(&connection, plan).ok_or_else(|| SourceError::NoOrder(plan.source.full_name()))?;
        let (sender, pages) = mpsc::channel(AHEAD);
        let plan = plan.clone();
        std::thread::spawn(move || {
            if let Err(error) = send_all(&connection, &plan, &place, offset, &sender) {
                // Nobody is told where nobody waits any more.
                drop(sender.blocking_send(Err(error.to_string())));
            }
        });
        Ok(Rows { path: self.path.clone(), pages })
    }
}

impl Rows {
    /// The next rows; none at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<Cells>, SourceError> {
        match self.pages.recv().await {
            Some(Ok(rows)) => Ok(rows),
            Some(Err(reason)) => Err(failed(&self.path, reason)),
            None => Ok(Vec::new()),
        }
    }
}

/// What names a row for good: its number, or a primary key of one column.
fn place_of(connection: &Connection, plan: &Plan) -> Option<String> {
    let table = quoted(&plan.source.name);
    let numbered = |name: &str| connection.prepare(&format!("select {name} from {table} limit 1")).is_ok();
    let hidden = |name: &str| !plan.source.columns.iter().any(|(column, _)| column.eq_ignore_ascii_case(name));
    if let Some(name) = ["rowid", "_rowid_", "oid"].into_iter().find(|name| hidden(name) && numbered(name)) {
        return Some(name.to_owned());
    }
    match plan.source.key.as_slice() {
        [one] => Some(quoted(one)),
        _ => None,
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cell::Text(text.to_owned()),
            Err(_) => Cell::Broken(bytes.to_vec()),
        },
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    }
}

fn size(cell: &Cell) -> usize {
    match cell {
        Cell::Text(text) => text.len(),
        Cell::Bytes(bytes) | Cell::Broken(bytes) => bytes.len(),
        Cell::Null | Cell::Int(_) | Cell::Real(_) => 8,
    }
}

type Sender = mpsc::Sender<Result<Vec<Cells>, String>>;

/// Pages of rows, as long as somebody takes them.
struct Pages<'a> {
    sender: &'a Sender,
    page: Vec<Cells>,
    bytes: usize,
}

impl Pages<'_> {
    /// Adds a row; false where nobody wants more.
    fn add(&mut self, cells: Cells) -> bool {
        self.bytes += cells.iter().map(size).sum::<usize>();
        self.page.push(cells);
        !is_full(&self.page, self.bytes) || self.flush()
    }

    fn flush(&mut self) -> bool {
        self.bytes = 0;
        let page = std::mem::take(&mut self.page);
        page.is_empty() || self.sender.blocking_send(Ok(page)).is_ok()
    }
}

fn send_all(connection: &Connection, plan: &Plan, place: &str, offset: i32, sender: &Sender) -> rusqlite::Result<()> {
    let columns: Vec<String> =
        plan.columns.iter().map(|column| column.as_deref().map_or("null".to_owned(), quoted)).collect();
    let rest = if plan.table.keeps_rest { plan.rest.as_slice() } else { &[] };
    let list: Vec<String> = columns.iter().cloned().chain(rest.iter().map(|name| quoted(name))).collect();
    let (list, table) = (list.join(", "), quoted(&plan.source.name));
    let fields = columns.len();
    let arranged = |row: &SqliteRow<'_>| -> rusqlite::Result<Cells> {
        let mut cells: Cells = (0..fields).map(|at| row.get_ref(at).map(cell)).collect::<Result<_, _>>()?;
        if !rest.is_empty() {
            let others: Vec<Cell> =
                (fields..fields + rest.len()).map(|at| row.get_ref(at).map(cell)).collect::<Result<_, _>>()?;
            set_rest(&mut cells, rest.iter().zip(&others));
        }
        Ok(cells)
    };
    let mut pages = Pages { sender, page: Vec::new(), bytes: 0 };
    let Some(time) = time_column(plan) else {
        let mut found = connection.prepare(&format!("select {list} from {table} order by {place}"))?;
        let mut rows = found.query([])?;
        while let Some(row) = rows.next()? {
            if !pages.add(arranged(row)?) {
                return Ok(());
            }
        }
        pages.flush();
        return Ok(());
    };
    // The times and places alone are sorted in memory: 24 bytes a row, where whole rows would be hundreds.
    let order = by_time(connection, &table, place, &time, offset)?;
    let mut found = connection.prepare(&format!("select {list} from {table} where {place} = ?1"))?;
    for (_, key) in order {
        let mut rows = found.query([key.to_sql()])?;
        while let Some(row) = rows.next()? {
            if !pages.add(arranged(row)?) {
                return Ok(());
            }
        }
    }
    pages.flush();
    Ok(())
}

/// What names a row in the order by time.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Number(i64),
    Text(Box<str>),
    Bytes(Box<[u8]>),
    None,
}

impl Place {
    fn to_sql(&self) -> rusqlite::types::ToSqlOutput<'_> {
        use rusqlite::types::{ToSqlOutput, Value};
        match self {
            Self::Number(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::None => ToSqlOutput::Owned(Value::Null),
        }
    }
}

fn time_column(plan: &Plan) -> Option<String> {
    let field = plan.table.by_time?;
    let place = plan.table.fields.iter().position(|known| known.name == field)?;
    plan.columns.get(place).cloned().flatten()
}

/// Every row's time and place, in order. One whose time cannot be read comes first, to be refused.
fn by_time(
    connection: &Connection,
    table: &str,
    place: &str,
    time: &str,
    offset: i32,
) -> rusqlite::Result<Vec<(i64, Place)>> {
    let mut found = connection.prepare(&format!("select {place}, {} from {table}", quoted(time)))?;
    let mut rows = found.query([])?;
    let mut order = Vec::new();
    while let Some(row) = rows.next()? {
        let key = match row.get_ref(0)? {
            ValueRef::Integer(number) => Place::Number(number),
            ValueRef::Text(text) => Place::Text(String::from_utf8_lossy(text).into()),
            ValueRef::Blob(bytes) => Place::Bytes(bytes.into()),
            ValueRef::Null | ValueRef::Real(_) => Place::None,
        };
        let at = time_of(&cell(row.get_ref(1)?), offset).ok().flatten();
        order.push((at.map_or(i64::MIN, |at| at.micros()), key));
    }
    order.sort_unstable();
    Ok(order)
}

#[cfg(test)]
mod tests;
