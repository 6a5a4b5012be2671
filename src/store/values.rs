//! The values of an upstream row, read in the order of its columns: how a record comes back from central.
//!
//! Must not know what any column means.

use std::str::FromStr;

use replication::row::Value;

use crate::base::time::Timestamp;
use crate::store::fault::Fault;
use crate::store::record::TableId;

/// The values that have not been read yet.
#[derive(Debug)]
pub struct Values<'a> {
    table: TableId,
    left: std::slice::Iter<'a, Value>,
}

impl<'a> Values<'a> {
    /// Those of a row.
    #[must_use]
    pub fn of(table: TableId, values: &'a [Value]) -> Self {
        Self { table, left: values.iter() }
    }

    /// That the row is none of a box.
    #[must_use]
    pub const fn wrong(&self) -> Fault {
        Fault::Corrupt { table: self.table.name, reason: "the row upstream is none of a box" }
    }

    fn take(&mut self) -> Result<&'a Value, Fault> {
        self.left.next().ok_or_else(|| self.wrong())
    }

    /// Leaves some out.
    pub fn skip(&mut self, some: usize) {
        self.left.by_ref().take(some).for_each(drop);
    }

    /// What is written as a text, if there is one.
    ///
    /// # Errors
    /// [`Fault::Corrupt`], as for all of these.
    pub fn text_or_null<T: FromStr>(&mut self) -> Result<Option<T>, Fault> {
        match self.take()? {
            Value::Null => Ok(None),
            Value::Text(text) => text.parse().map(Some).map_err(|_| self.wrong()),
            _ => Err(self.wrong()),
        }
    }

    /// What is written as a text.
    ///
    /// # Errors
    /// As above.
    pub fn text<T: FromStr>(&mut self) -> Result<T, Fault> {
        self.text_or_null()?.ok_or_else(|| self.wrong())
    }

    /// A number.
    ///
    /// # Errors
    /// As above.
    pub fn number<T: TryFrom<i64>>(&mut self) -> Result<T, Fault> {
        match self.take()? {
            Value::BigInt(number) => T::try_from(*number).map_err(|_| self.wrong()),
            _ => Err(self.wrong()),
        }
    }

    /// Yes or no.
    ///
    /// # Errors
    /// As above.
    pub fn bool(&mut self) -> Result<bool, Fault> {
        match self.take()? {
            Value::Bool(yes) => Ok(*yes),
            _ => Err(self.wrong()),
        }
    }

    /// A moment, if there is one.
    ///
    /// # Errors
    /// As above.
    pub fn time_or_null(&mut self) -> Result<Option<Timestamp>, Fault> {
        match self.take()? {
            Value::Null => Ok(None),
            Value::Time(micros) => Ok(Some(Timestamp::from_micros(*micros))),
            _ => Err(self.wrong()),
        }
    }

    /// A moment.
    ///
    /// # Errors
    /// As above.
    pub fn time(&mut self) -> Result<Timestamp, Fault> {
        self.time_or_null()?.ok_or_else(|| self.wrong())
    }

    /// Bytes, if there are any.
    ///
    /// # Errors
    /// As above.
    pub fn bytes_or_null(&mut self) -> Result<Option<&'a [u8]>, Fault> {
        match self.take()? {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes)),
            _ => Err(self.wrong()),
        }
    }

    /// So many bytes, if there are any.
    ///
    /// # Errors
    /// As above.
    pub fn fixed_or_null<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Fault> {
        let bytes = self.bytes_or_null()?;
        bytes.map(|bytes| bytes.try_into().map_err(|_| self.wrong())).transpose()
    }

    /// So many bytes.
    ///
    /// # Errors
    /// As above.
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.fixed_or_null()?.ok_or_else(|| self.wrong())
    }

    /// A JSON list of texts.
    ///
    /// # Errors
    /// As above.
    pub fn list<T: FromStr>(&mut self) -> Result<Vec<T>, Fault> {
        let Value::Json(text) = self.take()? else { return Err(self.wrong()) };
        let texts: Vec<String> = serde_json::from_str(text).map_err(|_| self.wrong())?;
        texts.iter().map(|text| text.parse().map_err(|_| self.wrong())).collect()
    }
}
