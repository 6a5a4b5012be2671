//! Rows turned into one binary array per column, the form in which PostgreSQL takes thousands of rows in one statement.
//!
//! Must not know tables or statements. Rows have been checked against their table.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type as SqlType, to_sql_checked};

use crate::row::{Row, Type, Value};

/// Microseconds from 1970, where a [`Value::Time`] begins, to 2000, where PostgreSQL's begins.
const TO_2000: i64 = 946_684_800_000_000;

/// A parameter of a statement.
pub(crate) type Param<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// The values of column `index` in every row, in order.
pub(crate) fn column(ty: Type, rows: &[Row], index: usize) -> Param<'_> {
    let values = rows.iter().map(|row| row.values.get(index));
    match ty {
        Type::Text => {
            Box::new(pick(values, |value| if let Value::Text(text) = value { Some(text.as_str()) } else { None }))
        }
        Type::BigInt => {
            Box::new(pick(values, |value| if let Value::BigInt(number) = value { Some(*number) } else { None }))
        }
        Type::Bool => Box::new(pick(values, |value| if let Value::Bool(yes) = value { Some(*yes) } else { None })),
        Type::Bytes => {
            Box::new(pick(values, |value| if let Value::Bytes(bytes) = value { Some(bytes.as_slice()) } else { None }))
        }
        Type::Time => {
            Box::new(pick(values, |value| if let Value::Time(micros) = value { Some(Time(*micros)) } else { None }))
        }
        Type::Json => {
            Box::new(pick(values, |value| if let Value::Json(text) = value { Some(Json(text)) } else { None }))
        }
    }
}

/// The ids of the rows, in order.
pub(crate) fn ids(rows: &[Row]) -> Param<'_> {
    Box::new(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>())
}

fn pick<'a, T>(
    values: impl Iterator<Item = Option<&'a Value>>,
    take: impl Fn(&'a Value) -> Option<T>,
) -> Vec<Option<T>> {
    values.map(|value| value.and_then(&take)).collect()
}

/// A `timestamptz`.
#[derive(Debug)]
struct Time(i64);

impl ToSql for Time {
    fn to_sql(&self, _ty: &SqlType, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.put_i64(self.0.checked_sub(TO_2000).ok_or("a time before all times")?);
        Ok(IsNull::No)
    }

    fn accepts(ty: &SqlType) -> bool {
        *ty == SqlType::TIMESTAMPTZ
    }

    to_sql_checked!();
}

/// A `jsonb` from its text; the server checks that it is one.
#[derive(Debug)]
struct Json<'a>(&'a str);

impl ToSql for Json<'_> {
    fn to_sql(&self, _ty: &SqlType, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        // The version of jsonb's binary form.
        out.put_u8(1);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &SqlType) -> bool {
        *ty == SqlType::JSONB
    }

    to_sql_checked!();
}

/// A `timestamptz` that came back, as microseconds since 1970.
pub(crate) struct Micros(pub(crate) i64);

impl<'a> tokio_postgres::types::FromSql<'a> for Micros {
    fn from_sql(_ty: &SqlType, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?).checked_add(TO_2000).ok_or("a time after all times")?))
    }

    fn accepts(ty: &SqlType) -> bool {
        *ty == SqlType::TIMESTAMPTZ
    }
}

/// For a single `timestamptz` parameter that may be missing.
pub(crate) fn time_or_null(micros: Option<i64>) -> Param<'static> {
    Box::new(micros.map(Time))
}

/// For a single `timestamptz` parameter.
pub(crate) fn time(micros: i64) -> Param<'static> {
    Box::new(Time(micros))
}
