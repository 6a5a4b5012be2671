//! Columns and values of upstream tables, written shortly: each record states its upstream form once.
//!
//! Must not know what any column means.

use std::fmt::Display;

use replication::row::{Column, Type, Value};

use crate::base::time::Timestamp;

/// A column that always has a value.
#[must_use]
pub const fn column(name: &'static str, ty: Type) -> Column {
    Column { name, ty, nullable: false }
}

/// A column that may be NULL.
#[must_use]
pub const fn nullable(name: &'static str, ty: Type) -> Column {
    Column { name, ty, nullable: true }
}

/// The last column of most tables: what the box keeps of a row besides (`Record::upstream_record`).
pub const RECORD: Column = nullable(replication::row::RECORD, Type::Bytes);

/// A text, or an id in its text form.
#[must_use]
pub fn text(value: impl Display) -> Value {
    Value::Text(value.to_string())
}

/// A text or an id, if there is one.
#[must_use]
pub fn text_or_null(value: Option<impl Display>) -> Value {
    value.map_or(Value::Null, text)
}

/// A number; one beyond what PostgreSQL counts is its greatest.
#[must_use]
pub fn number(value: impl TryInto<i64>) -> Value {
    Value::BigInt(value.try_into().unwrap_or(i64::MAX))
}

/// A number, if there is one.
#[must_use]
pub fn number_or_null(value: Option<impl TryInto<i64>>) -> Value {
    value.map_or(Value::Null, number)
}

/// A moment.
#[must_use]
pub fn time(value: Timestamp) -> Value {
    Value::Time(value.micros())
}

/// A moment, if there is one.
#[must_use]
pub fn time_or_null(value: Option<Timestamp>) -> Value {
    value.map_or(Value::Null, time)
}

/// Bytes.
#[must_use]
pub fn bytes(value: impl AsRef<[u8]>) -> Value {
    Value::Bytes(value.as_ref().to_vec())
}

/// Bytes, if there are any.
#[must_use]
pub fn bytes_or_null(value: Option<impl AsRef<[u8]>>) -> Value {
    value.map_or(Value::Null, bytes)
}
