//! Finds which rows of a refused transaction central will not hold, by halving, inside savepoints of a transaction that is never committed.
//!
//! Must not know what becomes of those rows.

use crate::error::{explain, refuses_data};
use crate::row::{Refusal, Row, Table};
use crate::session::{Session, Step};
use crate::work::{Work, put};

/// The most rows one search names; the caller lists them and sends the rest, and the next search names the next.
const MAX_REFUSALS: usize = 100;

/// Names the rows that are refused; none if every row is taken after all. The session is used up: its transaction ends with it.
///
/// # Errors
/// Whatever is not a refusal of data.
pub(crate) async fn find(session: &Session, work: Work<'_>) -> Result<Vec<Refusal>, tokio_postgres::Error> {
    let mut first = vec![Step::Command("begin isolation level read committed"), Step::Call(work.opening())];
    first.extend(work.removals().into_iter().map(Step::Call));
    run(session, first).await?;
    let mut refused = Vec::new();
    for (table, rows) in work.puts() {
        // A stack of ranges still to try; the halves of a refused one go back on it, the first half on top.
        let mut ranges = vec![rows];
        while let Some(range) = ranges.pop() {
            let Some(reason) = attempt(session, table, range).await? else { continue };
            match range {
                [row] => refused.push(Refusal { table, id: row.id.clone(), reason }),
                _ => {
                    let (left, right) = range.split_at(range.len() / 2);
                    ranges.extend([right, left]);
                }
            }
            if refused.len() == MAX_REFUSALS {
                return Ok(refused);
            }
        }
    }
    Ok(refused)
}

/// Puts rows for good within the transaction, or says why central refuses them and leaves no trace.
async fn attempt(
    session: &Session,
    table: &'static Table,
    rows: &[Row],
) -> Result<Option<String>, tokio_postgres::Error> {
    let steps = vec![
        Step::Command("savepoint attempt"),
        Step::Call(put(table, rows, session.central)),
        Step::Command("release attempt"),
    ];
    match run(session, steps).await {
        Ok(()) => Ok(None),
        Err(error) if refuses_data(&error) => {
            run(session, vec![Step::Command("rollback to attempt"), Step::Command("release attempt")]).await?;
            Ok(Some(explain(&error)))
        }
        Err(error) => Err(error),
    }
}

async fn run(session: &Session, steps: Vec<Step<'_>>) -> Result<(), tokio_postgres::Error> {
    session.run(steps).await.into_iter().find_map(Result::err).map_or(Ok(()), Err)
}
