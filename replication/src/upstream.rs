//! What a box can ask of central, whatever central is.
//!
//! One suite of tests holds for every implementation: PostgreSQL ([`crate::postgres`]) and the model in memory ([`crate::memory`]).

use std::future::Future;

use uuid::Uuid;

use crate::digest::Digest;
use crate::error::Error;
use crate::row::{Batch, Chain, Cursor, Lane, Slice, Table};

/// The most bytes of rows that one batch or slice may carry; far above what a box sends at once, it bounds what a mistake costs.
pub const MAX_BATCH_BYTES: usize = 64 * 1024 * 1024;

/// How a batch came to be upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was applied and committed now.
    Now,
    /// It had been applied before: an earlier answer was lost.
    Before,
}

/// What a box tells central about itself.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The version of the program.
    pub software: String,
    /// The box's wall clock: microseconds since 1970.
    pub clock: i64,
    /// Changes that wait to be confirmed.
    pub backlog: i64,
    /// The time of the oldest of them.
    pub oldest_waiting: Option<i64>,
    /// The time of the oldest message that is due and neither destroyed nor held.
    pub oldest_due: Option<i64>,
    /// Why nothing is destroyed, if so.
    pub expiry_waits: Option<String>,
}

/// An order of central's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its number among those of this box.
    pub seq: i64,
    /// What to do.
    pub kind: String,
    /// With what: a JSON object.
    pub arguments: String,
    /// Who ordered it: a login of central's.
    pub issued_by: String,
}

/// What central tells a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The box that the login stands for.
    pub box_id: Uuid,
    /// The epoch that central follows.
    pub epoch: Uuid,
    /// Central's wall clock: microseconds since 1970.
    pub clock: i64,
}

/// A range of ids: above `after`, up to and with `upto`; `None` is open. Ids compare by their bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range<'a> {
    /// Ids above this one.
    pub after: Option<&'a str>,
    /// Ids up to this one.
    pub upto: Option<&'a str>,
}

/// How far both lanes had come when something was read, from the same snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positions {
    /// The epoch that central follows.
    pub epoch: Uuid,
    /// The urgent lane's last entry.
    pub urgent: i64,
    /// The bulk lane's last entry.
    pub bulk: i64,
}

/// What central holds in each of some ranges, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Where the lanes stood.
    pub at: Positions,
    /// For each range how many rows, and [`crate::digest::range`] of them.
    pub ranges: Vec<(i64, Digest)>,
}

/// Rows of a table.
#[derive(Clone, Copy, Debug)]
pub enum Among<'a> {
    /// Those of ranges that are in order and apart.
    Ranges(&'a [Range<'a>]),
    /// Those of these ids.
    Ids(&'a [String]),
}

/// What central holds, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Where the lanes stood.
    pub at: Positions,
    /// Ids and [`crate::digest::Digester::row`], by id.
    pub rows: Vec<(String, Digest)>,
}

/// The end of a box's audit trail as central has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AuditHead {
    /// The number of the last link; 0 where there is none.
    pub seq: i64,
    /// Its hash; zero where there is none.
    pub hash: Chain,
    /// How many links there are.
    pub links: i64,
}

/// Central, as one box sees it. Dropping a future of [`Upstream::apply`] or [`Upstream::replace`] leaves its outcome unknown.
pub trait Upstream: Send + Sync {
    /// Says hello: central notes the contact and tells its clock.
    ///
    /// # Errors
    /// Whatever keeps us from talking; nothing of the box's data is touched.
    fn contact(&self, report: &Report) -> impl Future<Output = Result<Greeting, Error>> + Send;

    /// The version of central's schema.
    ///
    /// # Errors
    /// Whatever keeps us from talking.
    fn schema(&self) -> impl Future<Output = Result<i64, Error>> + Send;

    /// Where a lane stands, once nothing in flight can still move it.
    ///
    /// # Errors
    /// Whatever keeps us from talking.
    fn cursor(&self, lane: Lane) -> impl Future<Output = Result<Cursor, Error>> + Send;

    /// Applies a batch: its rows and the cursor, whole or not at all. Batches of one lane may be in flight together when they are
    /// started in order; if one fails, those behind it fail with [`Error::Elsewhere`].
    ///
    /// # Errors
    /// [`Error::Unknown`] if it may have been applied; with every other error it was not.
    fn apply(&self, batch: &Batch) -> impl Future<Output = Result<Applied, Error>> + Send;

    /// Makes one range of one table exactly what the box holds, without moving a cursor. Repeating it changes nothing.
    ///
    /// # Errors
    /// As for [`Upstream::apply`]; [`Error::Elsewhere`] if central follows another epoch.
    fn replace(&self, slice: &Slice) -> impl Future<Output = Result<(), Error>> + Send;

    /// This box's orders above a number, in order, at most `most`.
    ///
    /// # Errors
    /// Whatever keeps us from talking.
    fn directives(&self, after: i64, most: u32) -> impl Future<Output = Result<Vec<Directive>, Error>> + Send;

    /// The digests of what central holds of this box in ranges that are in order and apart. Central walks the table once for all of them.
    ///
    /// # Errors
    /// Whatever keeps us from talking.
    fn sums(&self, table: &'static Table, ranges: &[Range<'_>]) -> impl Future<Output = Result<Sums, Error>> + Send;

    /// The digests of the first `most` of some rows.
    ///
    /// # Errors
    /// Whatever keeps us from talking.
    fn list(
        &self,
        table: &'static Table,
        among: Among<'_>,
        most: u32,
    ) -> impl Future<Output = Result<Listing, Error>> + Send;

    /// The end of this box's audit trail as central has it.
    ///
    /// # Errors
    /// Whatever keeps us from talking.
    fn audit_head(&self) -> impl Future<Output = Result<AuditHead, Error>> + Send;
}
