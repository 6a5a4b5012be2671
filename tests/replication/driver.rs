//! A box in small: a log of changes, batches cut from it, and the loop that delivers them whatever happens.

use std::collections::BTreeMap;

use replication::error::Error;
use replication::fence::{Log, judge};
use replication::row::{Batch, Cursor, Lane};
use replication::upstream::{Applied, Upstream};
use tokio::sync::watch;

use super::fixture::{ATTEMPTS, AUDITS, EPOCH, With, attempt, audit, batch, chain};

/// How many different rows the changes of a log go to, so that most of them are rewritten and deleted again and again.
const HOT: i64 = 7;

/// A box whose entry `n` adds the audit `n` and writes or deletes one hot row. What a row holds follows from `n` alone.
pub(crate) struct Small {
    pub(crate) head: i64,
}

/// A protocol to deliver by; all but the first are wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Right,
    /// The cursor moves in a transaction of its own, before the rows.
    CursorApart,
    /// What the box remembers of the cursor is taken for the truth.
    CursorCached,
}

impl Small {
    /// The rows as they are behind entry `seq`: id to outcome.
    pub(crate) fn rows(seq: i64) -> BTreeMap<String, String> {
        let mut rows = BTreeMap::new();
        for n in 1..=seq {
            let id = format!("hot{}", n % HOT);
            if n % 5 == 0 { drop(rows.remove(&id)) } else { drop(rows.insert(id, format!("written by {n}"))) }
        }
        rows
    }

    /// The entries above `after`, at most `size` of them, as one batch. Its rows are those of its own end: a box may send newer
    /// ones, but then an older state could not be told from a newer one here.
    pub(crate) fn cut(&self, after: i64, size: i64) -> Batch {
        let end = self.head.min(after + size);
        let rows = Self::rows(end);
        let touched: Vec<String> = ((after + 1).max(end - HOT + 1)..=end).map(|n| format!("hot{}", n % HOT)).collect();
        let (puts, gone): (Vec<_>, Vec<_>) = touched.iter().partition(|id| rows.contains_key(*id));
        let audits = (after + 1..=end).map(|n| audit(&format!("{n:09}"), &format!("reason {n}")));
        let gone: Vec<&str> = gone.into_iter().map(String::as_str).collect();
        batch(after, end)
            .put(&ATTEMPTS, puts.into_iter().map(|id| attempt(id, &rows[id])))
            .put(&AUDITS, audits)
            .delete(&ATTEMPTS, &gone)
    }

    /// Delivers everything. `pace` is told the entry before each batch, and may break things. After a failure nothing is asked again
    /// before `serving` says that it makes sense.
    pub(crate) async fn deliver(
        &self,
        upstream: &impl Upstream,
        size: i64,
        protocol: Protocol,
        mut serving: watch::Receiver<bool>,
        mut pace: impl FnMut(i64),
    ) {
        let log = Log { epoch: EPOCH, head: self.head, acked: 0 };
        let mut cached: Option<Cursor> = None;
        loop {
            let known = cached.take().filter(|_cursor| protocol == Protocol::CursorCached);
            let cursor = match known {
                Some(cursor) => Ok(cursor),
                None => upstream.cursor(Lane::Bulk).await,
            };
            let result = match cursor {
                Ok(cursor) => {
                    let resume = judge(&cursor, &log, |seq| Some(chain(seq))).unwrap();
                    if resume.after == self.head {
                        return;
                    }
                    pace(resume.after);
                    let batch = self.cut(resume.after, size);
                    cached = Some(batch.end());
                    send(upstream, &batch, protocol).await
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(_) => {}
                Err(Error::Unreachable { .. } | Error::Unknown { .. } | Error::Busy { .. }) => {
                    serving.wait_for(|serving| *serving).await.unwrap();
                }
                Err(Error::Elsewhere { .. }) => cached = None,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

async fn send(upstream: &impl Upstream, batch: &Batch, protocol: Protocol) -> Result<Applied, Error> {
    if protocol != Protocol::CursorApart {
        return upstream.apply(batch).await;
    }
    let empty = Batch { puts: Vec::new(), deletes: Vec::new(), ..batch.clone() };
    upstream.apply(&empty).await?;
    for puts in &batch.puts {
        for row in &puts.rows {
            let slice = replication::row::Slice {
                epoch: batch.epoch,
                table: puts.table,
                after: Some(row.id.clone()),
                upto: Some(row.id.clone()),
                rows: vec![row.clone()],
            };
            upstream.replace(&slice).await?;
        }
    }
    for id in batch.deletes.iter().flat_map(|deletes| &deletes.ids) {
        // The range of this id alone: the one before it differs in its last letter.
        let (stem, last) = id.split_at(id.len() - 1);
        let after = format!("{stem}{}", char::from(last.as_bytes()[0] - 1));
        let (after, upto) = (Some(after), Some(id.clone()));
        let slice = replication::row::Slice { epoch: batch.epoch, table: &ATTEMPTS, after, upto, rows: Vec::new() };
        upstream.replace(&slice).await?;
    }
    Ok(Applied::Now)
}
