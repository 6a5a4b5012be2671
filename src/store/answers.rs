//! What became of central's orders: one row for each, written in the transaction that carried it out, and sent like any other row.
//!
//! Must not know what an order means.

use serde::{Deserialize, Serialize};

use replication::row::{Lane, Table, Type, Value};

use crate::base::time::Timestamp;
use crate::store::columns::{RECORD, column, nullable, number, text, text_or_null, time};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::{Read, ReadExt as _};
use crate::store::record::{Record, TableId, Upstream};

static ANSWERS: Table = Table {
    schema: "replication",
    name: "answers",
    append_only: false,
    columns: &[
        column("seq", Type::BigInt),
        column("kind", Type::Text),
        column("outcome", Type::Text),
        nullable("detail", Type::Text),
        column("at", Type::Time),
        RECORD,
    ],
};

/// What became of an order. The order of the variants is part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It was carried out.
    Applied,
    /// It was not, and never will be.
    Refused,
}

impl Fate {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
        }
    }
}

/// The answer to one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The order's number.
    pub seq: u64,
    /// What it asked for.
    pub kind: String,
    /// What became of it.
    pub fate: Fate,
    /// Why it was refused, or what is to be known besides.
    pub detail: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Record for Answer {
    const TABLE: TableId = TableId { number: 10, name: "replication.answers" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &ANSWERS, lane: Lane::Urgent });

    fn key(&self) -> Key {
        Key::new().number(self.seq)
    }

    fn upstream_id(key: &[u8]) -> Option<String> {
        Some(u64::from_be_bytes(key.try_into().ok()?).to_string())
    }

    fn upstream_key(id: &str) -> Option<Vec<u8>> {
        let seq = id.parse::<u64>().ok().filter(|seq| seq.to_string() == id)?;
        Some(Key::new().number(seq).as_bytes().to_vec())
    }

    fn upstream_row(&self) -> Vec<Value> {
        vec![
            number(self.seq),
            text(&self.kind),
            text(self.fate.name()),
            text_or_null(self.detail.as_ref()),
            time(self.at),
        ]
    }
}

/// The number of the last order that was answered; 0 before the first.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn last(read: &(impl Read + ?Sized)) -> Result<u64, Fault> {
    Ok(read.list::<Answer>(&Key::new(), &Page::newest(1))?.items.pop().map_or(0, |answer| answer.seq))
}

/// The last answers, newest first.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn recent(read: &(impl Read + ?Sized), most: usize) -> Result<Vec<Answer>, Fault> {
    Ok(read.list::<Answer>(&Key::new(), &Page::newest(most))?.items)
}

/// What central has asked to be kept longer than this box's settings say. There is one such row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Longer {
    /// Days that the archive keeps a message, at least.
    pub archive_days: u32,
}

impl Record for Longer {
    const TABLE: TableId = TableId { number: 11, name: "replication.longer" };

    fn key(&self) -> Key {
        Key::new()
    }
}

/// Days that central asked the archive to keep messages, if it did.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn archive_days(read: &(impl Read + ?Sized)) -> Result<Option<u32>, Fault> {
    Ok(read.get::<Longer>(&Key::new())?.map(|longer| longer.archive_days))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::golden;

    #[test]
    fn stored_as_ever() {
        let at = Timestamp::from_micros(1_795_341_600_000_000);
        let answer = |seq, fate, detail: Option<&str>| Answer {
            seq,
            kind: "hold".into(),
            fate,
            detail: detail.map(str::to_owned),
            at,
        };
        golden(&[answer(1, Fate::Applied, None), answer(300, Fate::Refused, Some("already held"))]);
        golden(&[Longer { archive_days: 365 }]);
    }
}
