//! `/api/v1/box/sync`: linking this box to central, and what has passed between the two, for its owner: comparisons, orders,
//! refused rows.
//!
//! How replication stands now is [`crate::http::operations`]'s.

use replication::error::Error as Central;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::catalog;
use crate::http::auth;
use crate::http::operations::Operations;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get, post};
use crate::store::answers::{self, Answer};
use crate::store::compared::{self, Verification};
use crate::store::dead::{self, DeadLetter};
use crate::store::fault::Fault;
use crate::store::page::MAX_PAGE;
use crate::upstream::enrol::{EnrolError, enrol_by_code};

/// Entries of each list: the last ones are what an owner asks about.
const SHOWN: usize = 30;

/// What has passed between this box and central.
#[derive(Serialize, ToSchema)]
struct SyncHistory {
    /// Comparisons with central, newest first.
    comparisons: Vec<Comparison>,
    /// Central's orders and what became of them, newest first.
    orders: Vec<Order>,
    /// Rows that central refuses.
    refused: Vec<RefusedRow>,
}

/// A comparison with central.
#[derive(Serialize, ToSchema)]
struct Comparison {
    /// `verify` or `repair`.
    kind: &'static str,
    #[schema(value_type = String, format = DateTime)]
    finished_at: Timestamp,
    /// Rows compared.
    rows: u64,
    /// Rows that differed.
    diverged: u64,
    /// Rows that could not be told.
    unsettled: u64,
}

/// An order of central's.
#[derive(Serialize, ToSchema)]
struct Order {
    /// Its number.
    seq: u64,
    /// What it asked for.
    kind: String,
    /// `applied` or `refused`.
    outcome: &'static str,
    /// Why it was refused, or what is to be known besides.
    detail: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// A row that central refuses.
#[derive(Serialize, ToSchema)]
struct RefusedRow {
    /// `schema.table` at central.
    table: String,
    /// The row's id there.
    id: String,
    /// What central said.
    reason: String,
    #[schema(value_type = String, format = DateTime)]
    refused_at: Timestamp,
    /// How often.
    tries: u32,
}

/// What was sent again.
#[derive(Serialize, ToSchema)]
struct SentAgain {
    /// Rows.
    rows: usize,
}

/// What central's operator gave to the owner.
#[derive(Deserialize, ToSchema)]
struct EnrolmentCode {
    /// All of it, as `whotbox upstream enroll --issue` prints it. It is used up by success alone.
    code: String,
}

/// The box is linked.
#[derive(Serialize, ToSchema)]
struct Linked {
    /// The box's login at central.
    role: String,
}

impl From<Verification> for Comparison {
    fn from(row: Verification) -> Self {
        let Verification { kind, finished_at, rows, diverged, unsettled, .. } = row;
        Self { kind: kind.name(), finished_at, rows, diverged, unsettled }
    }
}

impl From<Answer> for Order {
    fn from(row: Answer) -> Self {
        let Answer { seq, kind, fate, detail, at } = row;
        Self { seq, kind, outcome: fate.name(), detail, at }
    }
}

impl From<DeadLetter> for RefusedRow {
    fn from(row: DeadLetter) -> Self {
        let DeadLetter { table, id, reason, at, tries, .. } = row;
        Self { table, id, reason, refused_at: at, tries }
    }
}

/// The table.
#[must_use]
pub fn resource(operations: &Operations) -> Resource {
    Resource::new(
        "sync",
        vec![
            post("/api/v1/box/sync/link", "Link the box to central by a code that central's operator gave.")
                .body::<EnrolmentCode>()
                .reply::<Linked>(200)
                .refuses(&[Code::Forbidden, Code::Conflict, Code::Unavailable])
                .to(operations, link),
            get("/api/v1/box/sync", "What has passed between this box and central.")
                .reply::<SyncHistory>(200)
                .refuses(&[Code::Forbidden])
                .to(operations, history),
            post("/api/v1/box/sync/redrive", "Send every row that central refused once more.")
                .reply::<SentAgain>(200)
                .refuses(&[Code::Forbidden])
                .to(operations, redrive),
        ],
    )
}

async fn history(operations: Operations, req: Req) -> Result<Response, Problem> {
    auth::settled(&operations.app, &req)?.admin().map_err(auth::denied)?;
    let gather = || -> Result<SyncHistory, Fault> {
        let read = operations.app.store.read()?;
        let comparisons = compared::recent(&read, SHOWN)?.into_iter().map(Comparison::from).collect();
        let orders = answers::recent(&read, SHOWN)?.into_iter().map(Order::from).collect();
        let refused = dead::list(&read, MAX_PAGE)?.into_iter().map(RefusedRow::from).collect();
        Ok(SyncHistory { comparisons, orders, refused })
    };
    Ok(reply::ok(&gather().map_err(auth::fault)?))
}

async fn link(operations: Operations, req: Req) -> Result<Response, Problem> {
    auth::settled(&operations.app, &req)?.admin().map_err(auth::denied)?;
    let EnrolmentCode { code } = req.json()?;
    let enrolled = enrol_by_code(&operations.app, &operations.link, &Secret::new(code)).await.map_err(not_linked)?;
    Ok(reply::ok(&Linked { role: enrolled.role }))
}

/// Why the box was not linked, for whoever holds the code.
fn not_linked(error: EnrolError) -> Problem {
    match error {
        EnrolError::NoCode => Problem::field("code", "The whole code, from whot1- to its last sign."),
        EnrolError::Central(
            Central::Unreachable { .. } | Central::Busy { .. } | Central::Unknown { .. } | Central::Untrusted { .. },
        ) => Problem::new(Code::Unavailable).detail(error.to_string()),
        EnrolError::Central(_) | EnrolError::NotLinked => Problem::new(Code::Conflict).detail(error.to_string()),
        EnrolError::Store(fault) => auth::fault(fault),
        EnrolError::Login(error) => Problem::internal(&error),
    }
}

async fn redrive(operations: Operations, req: Req) -> Result<Response, Problem> {
    auth::settled(&operations.app, &req)?.admin().map_err(auth::denied)?;
    let tables = catalog::tables();
    let driven = operations.app.store.write(move |tx, _| dead::drive_again(tx, &tables, None));
    let rows = driven.await.map_err(auth::fault)?;
    operations.link.wake.notify_one();
    Ok(reply::ok(&SentAgain { rows }))
}
