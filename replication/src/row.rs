//! The vocabulary of replication: tables, rows, batches, slices and cursors, as plain data.
//!
//! Must not know a connection, nor what any table means.

use std::fmt;

use uuid::Uuid;

/// The longest id of a row, in bytes. PostgreSQL refuses index entries above a third of a page; an id far below that is a bug.
pub const MAX_ID_BYTES: usize = 512;

/// The longest value of one column, in bytes. It bounds what one row can ask of memory on either side.
pub const MAX_VALUE_BYTES: usize = 8 * 1024 * 1024;

/// 4714-11-24 BC, the first microsecond a `timestamptz` can hold; its last one lies beyond what an `i64` counts from 1970.
const MIN_TIME: i64 = -210_866_803_200_000_000;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `text`; no NUL character.
    Text,
    /// `bigint`.
    BigInt,
    /// `boolean`.
    Bool,
    /// `bytea`.
    Bytes,
    /// `timestamptz`: whole microseconds since 1970-01-01 UTC.
    Time,
    /// `jsonb`, as its text.
    Json,
}

impl Type {
    /// PostgreSQL's own name of the type, as `format_type` prints it.
    #[must_use]
    pub fn sql(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::BigInt => "bigint",
            Self::Bool => "boolean",
            Self::Bytes => "bytea",
            Self::Time => "timestamp with time zone",
            Self::Json => "jsonb",
        }
    }
}

/// One value of one column.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// No value; only for a nullable column.
    Null,
    /// For [`Type::Text`].
    Text(String),
    /// For [`Type::BigInt`].
    BigInt(i64),
    /// For [`Type::Bool`].
    Bool(bool),
    /// For [`Type::Bytes`].
    Bytes(Vec<u8>),
    /// For [`Type::Time`]: whole microseconds since 1970-01-01 UTC.
    Time(i64),
    /// For [`Type::Json`]: valid JSON text.
    Json(String),
}

/// Shows the kind and size of a value, never the value: rows carry names, digests and ciphertext that belong in no log.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => write!(f, "Null"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::BigInt(_) => write!(f, "BigInt"),
            Self::Bool(_) => write!(f, "Bool"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Time(_) => write!(f, "Time"),
            Self::Json(text) => write!(f, "Json({} bytes)", text.len()),
        }
    }
}

impl Value {
    /// Bytes the value takes on the wire, without its length word.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::BigInt(_) | Self::Time(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Json(text) => text.len() + 1,
        }
    }
}

/// A column of a replicated table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name upstream.
    pub name: &'static str,
    /// Its type upstream.
    pub ty: Type,
    /// Whether it may be NULL.
    pub nullable: bool,
}

/// A replicated table. Its primary key is always `(box_id uuid, id text)`; the two are not among `columns`.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its schema upstream.
    pub schema: &'static str,
    /// Its name upstream.
    pub name: &'static str,
    /// Rows are only ever added: a rewrite is refused upstream, and there is nothing to delete with.
    pub append_only: bool,
    /// All columns but `box_id` and `id`.
    pub columns: &'static [Column],
}

/// The column of what a box keeps of a row besides, always the last one of its table.
pub const RECORD: &str = "record";

impl Table {
    /// Whether its rows carry a [`RECORD`].
    #[must_use]
    pub fn has_records(&self) -> bool {
        self.columns.last().is_some_and(|column| column.name == RECORD)
    }

    /// `schema.table`, for messages.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// One row: its id and a value for each column of its table, in the table's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The row's id, unique in its table and box.
    pub id: String,
    /// One value for each of the table's columns.
    pub values: Vec<Value>,
}

impl Row {
    /// Says why `table` could never hold this row, or nothing. What only PostgreSQL can judge (is it JSON?) passes.
    ///
    /// # Errors
    /// One sentence that names the column and never the value.
    pub fn check(&self, table: &Table) -> Result<(), String> {
        check_id(&self.id)?;
        if self.values.len() != table.columns.len() {
            return Err(format!("{} values for {} columns", self.values.len(), table.columns.len()));
        }
        table.columns.iter().zip(&self.values).try_for_each(|(column, value)| check_value(*column, value))
    }

    /// Bytes of the row's id and values on the wire, without length words.
    #[must_use]
    pub fn size(&self) -> usize {
        self.id.len() + self.values.iter().map(Value::size).sum::<usize>()
    }
}

/// Says why no table could hold a row of this id.
pub(crate) fn check_id(id: &str) -> Result<(), String> {
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(format!("the id has {} bytes, allowed are 1 to {MAX_ID_BYTES}", id.len()));
    }
    if id.contains('\0') {
        return Err("the id has a NUL character, which PostgreSQL cannot hold".to_owned());
    }
    Ok(())
}

fn check_value(column: Column, value: &Value) -> Result<(), String> {
    let fits = match (column.ty, value) {
        (_, Value::Null) if !column.nullable => return Err(format!("{} has no value", column.name)),
        (_, Value::Null)
        | (Type::Text, Value::Text(_))
        | (Type::BigInt, Value::BigInt(_))
        | (Type::Bool, Value::Bool(_))
        | (Type::Bytes, Value::Bytes(_))
        | (Type::Json, Value::Json(_)) => true,
        (Type::Time, Value::Time(micros)) => *micros >= MIN_TIME,
        _ => false,
    };
    if !fits {
        return Err(format!("{} cannot hold {value:?} as {}", column.name, column.ty.sql()));
    }
    if value.size() > MAX_VALUE_BYTES {
        return Err(format!("{} has {} bytes, allowed are {MAX_VALUE_BYTES}", column.name, value.size()));
    }
    match value {
        Value::Text(text) | Value::Json(text) if text.contains('\0') => {
            Err(format!("{} has a NUL character, which PostgreSQL cannot hold", column.name))
        }
        _ => Ok(()),
    }
}

/// Two independent streams of changes; nothing upstream needs an order across them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Holds, audits, suspensions, the destruction of keys.
    Urgent,
    /// Everything else.
    Bulk,
}

impl Lane {
    /// Both lanes, the urgent one first.
    pub const ALL: [Self; 2] = [Self::Urgent, Self::Bulk];

    /// Its name upstream.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Bulk => "bulk",
        }
    }
}

/// The hash chain's value behind one entry of the change log.
pub type Chain = [u8; 32];

/// How far a lane has come upstream. The cursor upstream is the truth; everything a box remembers of it is a guess.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The life of the box's log that the numbers belong to.
    pub epoch: Uuid,
    /// The last sequence number that upstream holds.
    pub seq: i64,
    /// The log's chain behind `seq`.
    pub chain: Chain,
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.chain;
        write!(f, "{}/{} ({a:02x}{b:02x}{c:02x}{d:02x})", self.epoch, self.seq)
    }
}

/// Rows of one table to be there, with exactly these values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePuts {
    /// The table.
    pub table: &'static Table,
    /// The rows; an id at most once.
    pub rows: Vec<Row>,
}

/// Rows of one table to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDeletes {
    /// The table; not an append-only one.
    pub table: &'static Table,
    /// The ids; one that is not there is no error.
    pub ids: Vec<String>,
}

/// What one stretch of a lane's log comes to, `prev_seq` < entry ≤ `seq`: applied whole and once, together with the cursor.
///
/// Rows are as they are at sending, not as they were at each entry, so an id is either among the puts or among the
/// deletes, never in both, and a batch may carry a row that is newer than its entries. Deletes go first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The lane.
    pub lane: Lane,
    /// The box's epoch.
    pub epoch: Uuid,
    /// Where the lane must stand upstream.
    pub prev_seq: i64,
    /// The chain behind `prev_seq`.
    pub prev_chain: Chain,
    /// Where the lane will stand; above `prev_seq`.
    pub seq: i64,
    /// The chain behind `seq`.
    pub chain: Chain,
    /// Rows to be there.
    pub puts: Vec<TablePuts>,
    /// Rows to be gone.
    pub deletes: Vec<TableDeletes>,
}

impl Batch {
    /// Rows put and deleted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.puts.iter().map(|puts| puts.rows.len()).sum::<usize>()
            + self.deletes.iter().map(|deletes| deletes.ids.len()).sum::<usize>()
    }

    /// Whether it only moves the cursor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cursor behind it.
    #[must_use]
    pub fn end(&self) -> Cursor {
        Cursor { epoch: self.epoch, seq: self.seq, chain: self.chain }
    }

    /// The same stretch without the rows upstream refuses; what stays is whole, and the cursor moves past them.
    #[must_use]
    pub fn without(mut self, refused: &[Refusal]) -> Self {
        let out = |table: &'static Table, id: &str| refused.iter().any(|row| row.table == table && row.id == id);
        for puts in &mut self.puts {
            let table = puts.table;
            puts.rows.retain(|row| !out(table, &row.id));
        }
        for deletes in &mut self.deletes {
            let table = deletes.table;
            deletes.ids.retain(|id| !out(table, id));
        }
        self
    }
}

/// Everything a box holds of one table between two ids: rows upstream in that range that are not here are removed
/// (but for an append-only table). It moves no cursor and may be sent again at will: it is how a table is first filled at
/// enrolment, mended after a verification, and rebuilt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The box's epoch.
    pub epoch: Uuid,
    /// The table.
    pub table: &'static Table,
    /// Ids above this one; `None` is from the first. Ids compare by their bytes.
    pub after: Option<String>,
    /// Ids up to and with this one; `None` is to the last.
    pub upto: Option<String>,
    /// All rows of the range.
    pub rows: Vec<Row>,
}

/// A row that upstream will not hold however often it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The table.
    pub table: &'static Table,
    /// The row.
    pub id: String,
    /// Why, without the value.
    pub reason: String,
}
