//! Rows turned into one binary array per column, the form in which PostgreSQL takes thousands of rows in one statement.
//!
//! Must not know tables or statements. Rows have been checked against their table.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type as SqlType, to_sql_checked};
use uuid::Uuid;

use crate::row::{Row, Type, Value};

/// Microseconds from 1970, where a [`Value::Time`] begins, to 2000, where PostgreSQL's begins.
const TO_2000: i64 = 946_684_800_000_000;

/// A parameter of a statement, which knows its type: so a statement goes out with its parameters in one round trip, and the server is
/// never asked first what it expects.
pub(crate) type Param<'a> = Box<dyn Typed + Sync + Send + 'a>;

/// A value that goes by one type of PostgreSQL's.
pub(crate) trait Typed: ToSql {
    /// The type.
    fn ty(&self) -> SqlType;
    /// The value as the driver takes it.
    fn value(&self) -> &(dyn ToSql + Sync);
}

/// What type a Rust type goes by.
trait Goes {
    fn sql() -> SqlType;
}

impl<T: ToSql + Goes + Sync> Typed for T {
    fn ty(&self) -> SqlType {
        T::sql()
    }

    fn value(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

/// The type of arrays of a type.
fn array(of: &SqlType) -> SqlType {
    match *of {
        SqlType::TEXT => SqlType::TEXT_ARRAY,
        SqlType::INT8 => SqlType::INT8_ARRAY,
        SqlType::BOOL => SqlType::BOOL_ARRAY,
        SqlType::BYTEA => SqlType::BYTEA_ARRAY,
        SqlType::TIMESTAMPTZ => SqlType::TIMESTAMPTZ_ARRAY,
        SqlType::JSONB => SqlType::JSONB_ARRAY,
        _ => SqlType::UNKNOWN,
    }
}

impl Goes for str {
    fn sql() -> SqlType {
        SqlType::TEXT
    }
}
impl Goes for String {
    fn sql() -> SqlType {
        SqlType::TEXT
    }
}
impl Goes for i64 {
    fn sql() -> SqlType {
        SqlType::INT8
    }
}
impl Goes for f64 {
    fn sql() -> SqlType {
        SqlType::FLOAT8
    }
}
impl Goes for bool {
    fn sql() -> SqlType {
        SqlType::BOOL
    }
}
impl Goes for Uuid {
    fn sql() -> SqlType {
        SqlType::UUID
    }
}
impl Goes for [u8] {
    fn sql() -> SqlType {
        SqlType::BYTEA
    }
}
impl Goes for Vec<u8> {
    fn sql() -> SqlType {
        SqlType::BYTEA
    }
}
impl Goes for Time {
    fn sql() -> SqlType {
        SqlType::TIMESTAMPTZ
    }
}
impl Goes for Json<'_> {
    fn sql() -> SqlType {
        SqlType::JSONB
    }
}
impl<T: Goes> Goes for Option<T> {
    fn sql() -> SqlType {
        T::sql()
    }
}
impl<T: Goes + ?Sized> Goes for &T {
    fn sql() -> SqlType {
        T::sql()
    }
}
impl<T: Goes> Goes for Vec<T> {
    fn sql() -> SqlType {
        array(&T::sql())
    }
}
impl<T: Goes> Goes for [T] {
    fn sql() -> SqlType {
        array(&T::sql())
    }
}

/// The values of column `index` in every row, in order. JSON may go as text too.
pub(crate) fn column(ty: Type, rows: &[Row], index: usize) -> Param<'_> {
    let values = rows.iter().map(|row| row.values.get(index));
    match ty {
        Type::Text => Box::new(pick(values, |value| match value {
            Value::Text(text) | Value::Json(text) => Some(text.as_str()),
            _ => None,
        })),
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
