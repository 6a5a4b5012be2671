//! Central as a PostgreSQL: the batch protocol of the crate's front page over one connection that is opened when needed.
//!
//! Must not know what rows mean, nor when to try again.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::SCHEMA;
use crate::culprit;
use crate::digest::Digest;
use crate::encode::{self, Micros, Param};
use crate::error::{Error, Moment, SILENT, explain, lacks_schema, refuses_data, sort, stands_elsewhere};
use crate::row::{Batch, Cursor, Lane, Refusal, Slice, Table};
use crate::session::{Session, Step};
use crate::settings::Settings;
use crate::upstream::{
    Among, Applied, AuditHead, Directive, Greeting, Listing, Positions, Range, Report, Sums, Upstream,
};
use crate::work::Work;

/// The lowest schema of central that this program can work with.
const NEEDS: i64 = 8;

/// From this schema on central compares many ranges in one walk.
const HAS_RANGES: i64 = 9;

/// The answers to one pipelined transaction.
type Answers<'a> = Pin<Box<dyn Future<Output = Vec<Result<(), tokio_postgres::Error>>> + Send + 'a>>;

/// What central said to a transaction; with the last two nothing was applied, and the connection is fine.
enum Outcome {
    Committed,
    /// The lane does not stand where the transaction starts.
    Elsewhere,
    /// Some row cannot be held.
    Refused,
}

/// Central as a PostgreSQL.
pub struct Postgres {
    settings: Settings,
    /// Held while a transaction is being sent, so that what is started first is sent first; never while its answer is awaited.
    session: Mutex<Option<Arc<Session>>>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Postgres({:?})", self.settings)
    }
}

impl Postgres {
    /// Central at these settings. Nothing is opened yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, session: Mutex::new(None) }
    }

    /// The open connection, or a new one that has been asked for its versions.
    async fn ensure(&self, open: &mut Option<Arc<Session>>) -> Result<Arc<Session>, Error> {
        if let Some(session) = open.as_ref().filter(|session| !session.client.is_closed()) {
            return Ok(Arc::clone(session));
        }
        let mut session = Session::open(&self.settings).await?;
        session.central = self.in_time(Moment::Before, check_versions(&session)).await??;
        let session = Arc::new(session);
        *open = Some(Arc::clone(&session));
        Ok(session)
    }

    async fn session(&self) -> Result<Arc<Session>, Error> {
        let mut open = self.session.lock().await;
        self.ensure(&mut open).await
    }

    /// Gives a connection up, unless another has taken its place.
    async fn give_up(&self, session: &Arc<Session>) {
        let mut open = self.session.lock().await;
        if open.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            *open = None;
        }
    }

    async fn in_time<T>(&self, moment: Moment, answer: impl Future<Output = T>) -> Result<T, Error> {
        let reason = silent(self.settings.limits.answer);
        timeout(self.settings.limits.answer, answer).await.map_err(|_elapsed| match moment {
            Moment::Before => Error::Unreachable { reason },
            Moment::Sent => Error::Unknown { reason },
        })
    }

    /// One question that changes nothing a box relies on.
    pub(crate) async fn ask<T>(
        &self,
        text: &str,
        params: Vec<Param<'_>>,
        read: impl Fn(&tokio_postgres::Row) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let session = self.session().await?;
        let answer = self.in_time(Moment::Before, session.row(text, &params)).await;
        let result =
            answer.and_then(|row| row.and_then(|row| read(&row)).map_err(|error| sort(&error, Moment::Before)));
        if result.is_err() {
            self.give_up(&session).await;
        }
        result
    }

    /// One transaction, begun to committed.
    async fn transact(&self, work: Work<'_>) -> Result<Outcome, Error> {
        let (session, answers) = self.launch(work).await?;
        let limit = self.settings.limits.answer;
        let answers = session.unless_silent(limit, answers).await;
        let result = answers.ok_or_else(|| Error::Unknown { reason: silent(limit) }).and_then(verdict);
        if result.is_err() {
            self.give_up(&session).await;
        }
        result
    }

    /// Sends a whole transaction and returns before it is answered.
    async fn launch<'a>(&self, work: Work<'a>) -> Result<(Arc<Session>, Answers<'a>), Error> {
        let mut open = self.session.lock().await;
        let session = self.ensure(&mut open).await?;
        let mut steps = vec![Step::Command("begin isolation level read committed")];
        steps.extend(work.calls(session.central).into_iter().map(Step::Call));
        steps.push(Step::Command("commit"));
        let client = Arc::clone(&session);
        let mut answers: Answers<'a> = Box::pin(async move { client.run(steps).await });
        // The first poll sends everything; only then may the next transaction be sent.
        let early = poll_fn(|context| Poll::Ready(answers.as_mut().poll(context))).await;
        Ok(match early {
            Poll::Ready(answered) => (session, Box::pin(std::future::ready(answered))),
            Poll::Pending => (session, answers),
        })
    }

    /// Carries work out, and names the rows that central will not hold. Says whether it was committed; if not, the lane stood elsewhere.
    async fn carry_out(&self, work: Work<'_>) -> Result<bool, Error> {
        work.check()?;
        match self.transact(work).await? {
            Outcome::Committed => return Ok(true),
            Outcome::Elsewhere => return Ok(false),
            Outcome::Refused => {}
        }
        match self.find_refused(work).await? {
            None => Ok(false),
            Some(refused) if !refused.is_empty() => Err(Error::Refused(refused)),
            // It went well the second time, row by row: whatever it was, the next attempt will tell.
            Some(_none) => Err(Error::Busy { reason: "a refusal that did not repeat itself".to_owned() }),
        }
    }

    /// The rows that central will not hold, or nothing if the lane has moved meanwhile. The search takes many round trips in one transaction, so it
    /// has a connection of its own: on the shared one, others' statements would run inside that transaction.
    async fn find_refused(&self, work: Work<'_>) -> Result<Option<Vec<Refusal>>, Error> {
        let mut session = Session::open(&self.settings).await?;
        session.central = self.session().await?.central;
        let limit = self.settings.limits.answer;
        let found = session.unless_silent(limit, culprit::find(&session, work)).await;
        match found.ok_or_else(|| Error::Unreachable { reason: silent(limit) })? {
            Ok(refused) => Ok(Some(refused)),
            Err(error) if stands_elsewhere(&error) => Ok(None),
            Err(error) => Err(sort(&error, Moment::Before)),
        }
    }
}

/// The ends of ranges, as central takes them.
fn edges<'a>(ranges: &[Range<'a>]) -> Vec<Param<'a>> {
    let afters: Vec<Option<&str>> = ranges.iter().map(|range| range.after).collect();
    let uptos: Vec<Option<&str>> = ranges.iter().map(|range| range.upto).collect();
    vec![Box::new(afters), Box::new(uptos)]
}

/// Digests.
impl Postgres {
    async fn listing(
        &self,
        table: &'static Table,
        verb: &str,
        arguments: &str,
        params: Vec<Param<'_>>,
    ) -> Result<Listing, Error> {
        let text = format!(
            "select p.epoch, p.urgent, p.bulk, l.ids, l.digests
               from \"{}\".\"{verb}_{}\"({arguments}) l, replication.positions() p",
            table.schema, table.name
        );
        let read = |row: &tokio_postgres::Row| {
            Ok((positions(row)?, row.try_get::<_, Vec<String>>(3)?, row.try_get::<_, Vec<Vec<u8>>>(4)?))
        };
        let (at, ids, digests) = self.ask(&text, params, read).await?;
        let digests: Result<Vec<Digest>, Error> = digests.into_iter().map(whole).collect();
        Ok(Listing { at, rows: ids.into_iter().zip(digests?).collect() })
    }

    async fn list_range(
        &self,
        table: &'static Table,
        range: Range<'_>,
        only: Option<&[String]>,
        most: u32,
    ) -> Result<Listing, Error> {
        let params: Vec<Param<'_>> =
            vec![Box::new(range.after), Box::new(range.upto), Box::new(only), Box::new(i64::from(most))];
        self.listing(table, "list", "$1, $2, $3, $4", params).await
    }

    /// At a central of before, which answers for one range at a time.
    async fn sums_one_by_one(&self, table: &'static Table, ranges: &[Range<'_>]) -> Result<Sums, Error> {
        let read = |row: &tokio_postgres::Row| positions(row);
        let at = self.ask("select epoch, urgent, bulk from replication.positions()", Vec::new(), read).await?;
        let text = format!("select rows, digest from \"{}\".\"sum_{}\"($1, $2)", table.schema, table.name);
        let mut sums = Vec::new();
        for range in ranges {
            let params: Vec<Param<'_>> = vec![Box::new(range.after), Box::new(range.upto)];
            let read = |row: &tokio_postgres::Row| Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, Vec<u8>>(1)?));
            let (rows, digest) = self.ask(&text, params, read).await?;
            sums.push((rows, whole(digest)?));
        }
        Ok(Sums { at, ranges: sums })
    }
}

impl Upstream for Postgres {
    async fn contact(&self, report: &Report) -> Result<Greeting, Error> {
        let params: Vec<Param<'_>> = vec![
            Box::new(SCHEMA),
            Box::new(&report.software),
            encode::time(report.clock),
            Box::new(report.backlog),
            encode::time_or_null(report.oldest_waiting),
            encode::time_or_null(report.oldest_due),
            Box::new(&report.expiry_waits),
        ];
        let text = "select box_id, epoch, central_clock from replication.contact($1, $2, $3, $4, $5, $6, $7)";
        self.ask(text, params, |row| {
            Ok(Greeting { box_id: row.try_get(0)?, epoch: row.try_get(1)?, clock: row.try_get::<_, Micros>(2)?.0 })
        })
        .await
    }

    async fn schema(&self) -> Result<i64, Error> {
        Ok(self.session().await?.central)
    }

    async fn cursor(&self, lane: Lane) -> Result<Cursor, Error> {
        let read = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get::<_, Vec<u8>>(2)?));
        let text = "select epoch, seq, chain from replication.cursor($1)";
        let (epoch, seq, chain) = self.ask(text, vec![Box::new(lane.name())], read).await?;
        let chain =
            chain.try_into().map_err(|_other| Error::Broken { reason: "a chain of another length".to_owned() })?;
        Ok(Cursor { epoch, seq, chain })
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, Error> {
        if self.carry_out(Work::Batch(batch)).await? {
            return Ok(Applied::Now);
        }
        let cursor = self.cursor(batch.lane).await?;
        if cursor == batch.end() { Ok(Applied::Before) } else { Err(Error::Elsewhere { cursor }) }
    }

    async fn replace(&self, slice: &Slice) -> Result<(), Error> {
        if self.carry_out(Work::Slice(slice)).await? {
            return Ok(());
        }
        Err(Error::Elsewhere { cursor: self.cursor(Lane::Bulk).await? })
    }

    async fn directives(&self, after: i64, most: u32) -> Result<Vec<Directive>, Error> {
        let text = "select seqs, kinds, arguments, issuers from replication.directives_after($1, $2)";
        let params: Vec<Param<'_>> = vec![Box::new(after), Box::new(i64::from(most))];
        let read = |row: &tokio_postgres::Row| {
            let texts = |column| row.try_get::<_, Vec<String>>(column);
            Ok((row.try_get::<_, Vec<i64>>(0)?, texts(1)?, texts(2)?, texts(3)?))
        };
        let (seqs, kinds, arguments, issuers) = self.ask(text, params, read).await?;
        let all = seqs.into_iter().zip(kinds).zip(arguments).zip(issuers);
        Ok(all.map(|(((seq, kind), arguments), issued_by)| Directive { seq, kind, arguments, issued_by }).collect())
    }

    async fn sums(&self, table: &'static Table, ranges: &[Range<'_>]) -> Result<Sums, Error> {
        if self.session().await?.central < HAS_RANGES {
            return self.sums_one_by_one(table, ranges).await;
        }
        let text = format!(
            "select p.epoch, p.urgent, p.bulk, s.rows, s.digests
               from \"{}\".\"sums_{}\"($1, $2) s, replication.positions() p",
            table.schema, table.name
        );
        let read = |row: &tokio_postgres::Row| {
            Ok((positions(row)?, row.try_get::<_, Option<Vec<i64>>>(3)?, row.try_get::<_, Option<Vec<Vec<u8>>>>(4)?))
        };
        let (at, rows, digests) = self.ask(&text, edges(ranges), read).await?;
        let digests: Result<Vec<Digest>, Error> = digests.unwrap_or_default().into_iter().map(whole).collect();
        let sums: Vec<(i64, Digest)> = rows.unwrap_or_default().into_iter().zip(digests?).collect();
        if sums.len() != ranges.len() {
            return Err(Error::Broken { reason: "sums of other ranges".to_owned() });
        }
        Ok(Sums { at, ranges: sums })
    }

    async fn list(&self, table: &'static Table, among: Among<'_>, most: u32) -> Result<Listing, Error> {
        match among {
            Among::Ids(only) => self.list_range(table, Range::default(), Some(only), most).await,
            Among::Ranges(ranges) if self.session().await?.central < HAS_RANGES => {
                let mut listing = Listing { at: self.sums_one_by_one(table, &[]).await?.at, rows: Vec::new() };
                for range in ranges {
                    let left = most.saturating_sub(u32::try_from(listing.rows.len()).unwrap_or(u32::MAX));
                    if left == 0 {
                        break;
                    }
                    listing.rows.extend(self.list_range(table, *range, None, left).await?.rows);
                }
                Ok(listing)
            }
            Among::Ranges(ranges) => {
                let mut params = edges(ranges);
                params.push(Box::new(i64::from(most)));
                self.listing(table, "lists", "$1, $2, $3", params).await
            }
        }
    }

    async fn audit_head(&self) -> Result<AuditHead, Error> {
        let read =
            |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get::<_, Option<Vec<u8>>>(1)?, row.try_get(2)?));
        let (seq, hash, links) = self.ask("select seq, hash, links from chat.audit_head()", Vec::new(), read).await?;
        // A trail without links has no hash.
        let hash = hash.map_or(Ok([0; 32]), TryInto::try_into);
        let hash = hash.map_err(|_other| Error::Broken { reason: "a hash of another length".to_owned() })?;
        Ok(AuditHead { seq, hash, links })
    }
}

fn positions(row: &tokio_postgres::Row) -> Result<Positions, tokio_postgres::Error> {
    Ok(Positions { epoch: row.try_get(0)?, urgent: row.try_get(1)?, bulk: row.try_get(2)? })
}

fn whole(digest: Vec<u8>) -> Result<Digest, Error> {
    digest.try_into().map_err(|_other| Error::Broken { reason: "a digest of another length".to_owned() })
}

fn silent(limit: Duration) -> String {
    format!("{SILENT} {limit:?}")
}

/// What a pipelined transaction came to. The first error is the one that counts: those behind it only say that the transaction was
/// aborted, and the COMMIT at its end then rolled it back without an error of its own.
fn verdict(answers: Vec<Result<(), tokio_postgres::Error>>) -> Result<Outcome, Error> {
    match answers.into_iter().find_map(Result::err) {
        None => Ok(Outcome::Committed),
        Some(error) if stands_elsewhere(&error) => Ok(Outcome::Elsewhere),
        Some(error) if refuses_data(&error) => Ok(Outcome::Refused),
        Some(error) => Err(sort(&error, Moment::Sent)),
    }
}

/// Whether this program and central understand each other; central's schema version.
pub(crate) async fn check_versions(session: &Session) -> Result<i64, Error> {
    let row = match session.row("select current, oldest from replication.schema()", &[]).await {
        Ok(row) => row,
        Err(error) if lacks_schema(&error) => return Err(Error::SchemaTooOld { central: 0, needs: NEEDS }),
        Err(error) => return Err(sort(&error, Moment::Before)),
    };
    let broken = |error: tokio_postgres::Error| Error::Broken { reason: explain(&error) };
    let central: i64 = row.try_get(0).map_err(broken)?;
    let oldest: i64 = row.try_get(1).map_err(broken)?;
    if central < NEEDS {
        return Err(Error::SchemaTooOld { central, needs: NEEDS });
    }
    if SCHEMA < oldest {
        return Err(Error::SchemaTooNew { central: oldest, ours: SCHEMA });
    }
    Ok(central)
}
