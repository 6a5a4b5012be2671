//! Cells and rows as the old stores have them, and the ways to read one: ids, times, flags, lists.
//!
//! Installations differ in types as much as in names, so each reader takes what any of them writes and refuses the rest in
//! words that name the field. Must not know what a row becomes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroize;

use crate::base::digest::{hex, plain_sha256};
use crate::base::id::RawId;
use crate::base::text::BadText;
use crate::base::time::Timestamp;
use crate::ledger::Chain;
use crate::moving::tables::Table;

/// A value of an old store.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// Another number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// What calls itself a text and is no UTF-8.
    Broken(Vec<u8>),
}

/// What stands where a table has no column for a field.
static NOTHING: Cell = Cell::Null;

/// A row, its cells in the order of its table's fields.
pub type Cells = Vec<Cell>;

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may be a password's hash, a token or a message.
        f.write_str("Cell(..)")
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        match self {
            Self::Text(text) => text.zeroize(),
            Self::Bytes(bytes) | Self::Broken(bytes) => bytes.zeroize(),
            Self::Null | Self::Int(_) | Self::Real(_) => {}
        }
    }
}

/// The chain after one more row.
#[must_use]
pub fn link(chain: &Chain, row: &[Cell]) -> Chain {
    let mut hash = Sha256::new();
    hash.update(chain);
    for cell in row {
        let (tag, number): (u8, [u8; 8]) = match cell {
            Cell::Null => (0, [0; 8]),
            Cell::Int(number) => (1, number.to_be_bytes()),
            Cell::Real(number) => (2, number.to_be_bytes()),
            Cell::Text(text) => (3, (text.len() as u64).to_be_bytes()),
            Cell::Bytes(bytes) => (4, (bytes.len() as u64).to_be_bytes()),
            Cell::Broken(bytes) => (5, (bytes.len() as u64).to_be_bytes()),
        };
        hash.update([tag]);
        hash.update(number);
        match cell {
            Cell::Text(text) => hash.update(text),
            Cell::Bytes(bytes) | Cell::Broken(bytes) => hash.update(bytes),
            Cell::Null | Cell::Int(_) | Cell::Real(_) => {}
        }
    }
    hash.finalize().into()
}

/// Why a row is not taken, in words that name the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

/// A row of a table that is known.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// The table.
    pub table: &'static Table,
    /// The cells, in the order of its fields.
    pub cells: &'a [Cell],
    /// Minutes east of UTC of times that name no zone.
    pub offset: i32,
}

/// Below it a number is seconds since 1970, below the next milliseconds, else microseconds.
const SECONDS_END: i64 = 100_000_000_000;
const MILLIS_END: i64 = 100_000_000_000_000;
/// Letters of a value that a refusal repeats.
const MAX_SHOWN: usize = 40;

/// A number as a time, by its size.
fn epoch(number: i64) -> Timestamp {
    let factor = if number.abs() < SECONDS_END {
        1_000_000
    } else if number.abs() < MILLIS_END {
        1000
    } else {
        1
    };
    Timestamp::from_micros(number.saturating_mul(factor))
}

/// The id of an invite that has none but its token.
#[must_use]
pub fn token_id(token: &str) -> String {
    let mut digest = hex(&plain_sha256(token.as_bytes()));
    digest.truncate(32);
    digest
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect()
}

/// A cell as a time, if it has one; or why it is none.
///
/// # Errors
/// A sentence for the report.
pub fn time_of(cell: &Cell, offset: i32) -> Result<Option<Timestamp>, String> {
    let text = match cell {
        Cell::Null => return Ok(None),
        Cell::Int(number) => return Ok(Some(epoch(*number))),
        Cell::Real(seconds) if seconds.is_finite() => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a number too large becomes the last moment there is"
            )]
            return Ok(Some(Timestamp::from_micros((seconds * 1e6).round() as i64)));
        }
        Cell::Real(_) | Cell::Bytes(_) | Cell::Broken(_) => return Err("it is no time".to_owned()),
        Cell::Text(text) => text.trim(),
    };
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() >= 9
        && let Ok(number) = text.parse::<i64>()
    {
        return Ok(Some(epoch(number)));
    }
    let bad = |_| format!("{:?} is no time that any calendar has", short(text));
    Timestamp::parse_loose(text, offset).map(Some).map_err(bad)
}

impl<'a> Row<'a> {
    /// The cell of a field; nothing where the table has none.
    #[must_use]
    pub fn cell(&self, field: &str) -> &'a Cell {
        let place = self.table.fields.iter().position(|known| known.name == field);
        place.and_then(|place| self.cells.get(place)).unwrap_or(&NOTHING)
    }

    /// The row's id as the report names it. An invite whose id is its token is named by a digest: the token is a secret.
    #[must_use]
    pub fn name(&self) -> String {
        let front = self.cells.first().unwrap_or(&NOTHING);
        let id = self.text_id(front).map_or_else(|| "?".to_owned(), |id| short(&id));
        if self.table.key == "customer.invites" && front == self.cell("token") {
            return token_id(&id);
        }
        id
    }

    fn bad(field: &str, why: impl fmt::Display) -> Refusal {
        Refusal(format!("{field}: {why}"))
    }

    fn text_id(&self, cell: &Cell) -> Option<String> {
        match cell {
            Cell::Int(number) => Some(number.to_string()),
            Cell::Bytes(bytes) => Uuid::from_slice(bytes).ok().map(|uuid| uuid.to_string()),
            Cell::Text(text) => {
                let text = text.trim();
                // A UUID without its dashes is how some libraries keep one in SQLite: it is the same id.
                let packed = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
                let uuid = packed.then(|| Uuid::try_parse(text).ok()).flatten();
                Some(uuid.map_or_else(|| text.to_owned(), |uuid| uuid.to_string()))
            }
            Cell::Real(_) | Cell::Broken(_) | Cell::Null => None,
        }
    }

    /// An id, if there is one.
    pub fn id<T: From<RawId>>(&self, field: &str) -> Result<Option<T>, Refusal> {
        let cell = self.cell(field);
        match cell {
            Cell::Null => return Ok(None),
            Cell::Text(text) if text.trim().is_empty() => return Ok(None),
            _ => {}
        }
        let text = self.text_id(cell).ok_or_else(|| Self::bad(field, "it is no id"))?;
        let id = RawId::from_str(&text).map_err(|_| Self::bad(field, format!("{:?} is no id", short(&text))))?;
        Ok(Some(T::from(id)))
    }

    /// An id that must be there.
    pub fn must_id<T: From<RawId>>(&self, field: &str) -> Result<T, Refusal> {
        self.id(field)?.ok_or_else(|| Self::bad(field, "it is empty"))
    }

    /// A text, if there is one; blanks at its ends do not count.
    pub fn text(&self, field: &str) -> Result<Option<String>, Refusal> {
        match self.cell(field) {
            Cell::Null => Ok(None),
            Cell::Int(number) => Ok(Some(number.to_string())),
            Cell::Real(number) => Ok(Some(number.to_string())),
            Cell::Text(text) if text.contains('\0') => Err(Self::bad(field, "it has a NUL character")),
            Cell::Text(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Cell::Bytes(bytes) | Cell::Broken(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
                Err(_) => Err(Self::bad(field, "it is not UTF-8")),
            },
        }
    }

    /// A text that must be there.
    pub fn must_text(&self, field: &str) -> Result<String, Refusal> {
        self.text(field)?.ok_or_else(|| Self::bad(field, "it is empty"))
    }

    /// A bounded text, if there is one.
    pub fn bounded<T: FromStr<Err = BadText>>(&self, field: &str) -> Result<Option<T>, Refusal> {
        let parse =
            |text: String| text.parse::<T>().map_err(|why| Self::bad(field, format!("{:?}: {why}", short(&text))));
        self.text(field)?.map(parse).transpose()
    }

    /// A time, if there is one.
    pub fn time(&self, field: &str) -> Result<Option<Timestamp>, Refusal> {
        time_of(self.cell(field), self.offset).map_err(|why| Self::bad(field, why))
    }

    /// A time that must be there.
    pub fn must_time(&self, field: &str) -> Result<Timestamp, Refusal> {
        self.time(field)?.ok_or_else(|| Self::bad(field, "it is empty"))
    }

    /// A flag, if there is one.
    pub fn flag(&self, field: &str) -> Result<Option<bool>, Refusal> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" | "y" | "on" => Ok(Some(true)),
            "false" | "f" | "0" | "no" | "n" | "off" => Ok(Some(false)),
            other => Err(Self::bad(field, format!("{:?} is neither true nor false", short(other)))),
        }
    }

    /// A whole number, if there is one.
    pub fn number(&self, field: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        let bad = || Self::bad(field, format!("{:?} is no whole number", short(&text)));
        if let Ok(number) = text.parse::<i64>() {
            return Ok(Some(number));
        }
        let real = text.parse::<f64>().ok().filter(|real| real.is_finite() && real.fract() == 0.0).ok_or_else(bad)?;
        #[expect(clippy::cast_possible_truncation, reason = "it has no fraction, and one too large is the largest")]
        Ok(Some(real as i64))
    }

    /// A set of ids: JSON, PostgreSQL's arrays, or texts with commas or blanks between them. Of an object its keys.
    pub fn ids<T: From<RawId>>(&self, field: &str) -> Result<Vec<T>, Refusal> {
        let Some(text) = self.text(field)? else { return Ok(Vec::new()) };
        let bad = |part: &str| Self::bad(field, format!("{:?} is no id", short(part)));
        let parts: Vec<String> = match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(serde_json::Value::Array(items)) => items.iter().map(plain).collect(),
            Ok(serde_json::Value::Object(fields)) => fields.keys().cloned().collect(),
            Ok(serde_json::Value::Null) => Vec::new(),
            Ok(other) => vec![plain(&other)],
            Err(_) => {
                let inner = text.trim_start_matches('{').trim_end_matches('}');
                let separators = |c: char| c == ',' || c.is_whitespace();
                inner
                    .split(separators)
                    .filter(|part| !part.is_empty())
                    .map(|part| part.trim_matches('"').into())
                    .collect()
            }
        };
        let id = |part: String| {
            let text = self.text_id(&Cell::Text(part)).unwrap_or_default();
            RawId::from_str(&text).map(T::from).map_err(|_| bad(&text))
        };
        parts.into_iter().map(id).collect()
    }
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::UserId;
    use crate::moving::tables::table_of;

    fn read<T>(cell: Cell, how: impl Fn(&Row<'_>) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let users = table_of("identity.users").unwrap();
        let cells: Cells = users.fields.iter().map(|_| cell.clone()).collect();
        how(&Row { table: users, cells: &cells, offset: 60 })
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn a_time_is_read_however_it_is_written() {
        let at = "2026-11-22T10:00:00Z".parse::<Timestamp>().unwrap();
        for cell in [
            text("2026-11-22T10:00:00Z"),
            text("2026-11-22 10:00:00+00"),
            text("2026-11-22 11:00:00.000000+01:00"),
            text("2026-11-22 11:00:00"),
            text("2026-11-22T11:00:00.000"),
            Cell::Int(1_795_341_600),
            Cell::Int(1_795_341_600_000),
            Cell::Int(1_795_341_600_000_000),
            Cell::Real(1_795_341_600.0),
            text("1795341600"),
        ] {
            assert_eq!(read(cell, |row| row.time("created_at")), Ok(Some(at)));
        }
        for bad in ["2026-02-30 10:00:00", "0000-00-00 00:00:00", "2026-13-01", "yesterday", "2026-11-22 25:00:00"] {
            let refusal = read(text(bad), |row| row.time("created_at")).unwrap_err();
            assert!(refusal.0.contains("created_at") && refusal.0.contains(bad), "{refusal:?}");
        }
    }

    #[test]
    fn ids_keep_their_form_and_a_uuid_without_dashes_is_the_same() {
        for (cell, id) in [
            (Cell::Int(17), "17"),
            (text("user:17"), "user:17"),
            (text("019AB3C0-0000-7000-8000-000000000001"), "019AB3C0-0000-7000-8000-000000000001"),
            (text("019ab3c000007000800000000000000f"), "019ab3c0-0000-7000-8000-00000000000f"),
            (Cell::Bytes(vec![1; 16]), "01010101-0101-0101-0101-010101010101"),
        ] {
            assert_eq!(read(cell, |row| row.must_id::<UserId>("id")).unwrap().to_string(), id);
        }
        for cell in [Cell::Null, text("  "), text("a b"), text(&"x".repeat(65)), Cell::Broken(vec![0xff])] {
            assert!(read(cell, |row| row.must_id::<UserId>("id")).is_err());
        }
    }

    #[test]
    fn sets_and_flags_are_read_in_every_form() {
        for set in ["[1, \"2\"]", "{1,2}", "1, 2", "{\"1\": \"2026-01-01\", \"2\": null}"] {
            let ids = read(text(set), |row| row.ids::<UserId>("id")).unwrap();
            assert_eq!(ids.iter().map(ToString::to_string).collect::<Vec<_>>(), ["1", "2"], "{set}");
        }
        assert_eq!(read(Cell::Int(1), |row| row.flag("vip_enabled")), Ok(Some(true)));
        assert_eq!(read(text("f"), |row| row.flag("vip_enabled")), Ok(Some(false)));
        assert!(read(text("maybe"), |row| row.flag("vip_enabled")).is_err());
        assert!(read(Cell::Broken(vec![0xff]), |row| row.text("username")).unwrap_err().0.contains("UTF-8"));
    }
}
