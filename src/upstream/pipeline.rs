//! One turn of sending: batches of both lanes on their way together, the next one read while those before it are on the line.
//!
//! ```text
//!   log ──read on a thread──▶ batch ──▶ │ │ │ │ in flight, in order ──▶ answers, in order ──▶ noted on the box
//!             ▲ room at the pace                                          │ refused, lost: nothing more is sent
//! ```
//! Central applies the batches of a lane one behind the other or not at all, so what is in flight behind a trouble is refused there and
//! sent again later; the lanes do not wait for each other. Must not decide what a trouble means.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use uuid::Uuid;

use replication::error::Error;
use replication::row::{Batch, Cursor, Lane, Refusal};
use replication::upstream::{Applied, Upstream};

use crate::base::time::{Clock, Instant};
use crate::store::fault::Fault;
use crate::store::table::TableInfo;
use crate::store::writer::Store;
use crate::store::{dead, meta, relog};
use crate::upstream::batch::{self, Place};
use crate::upstream::pace::{Launch, Pace};
use crate::upstream::state::{BatchResult, Status};

/// A turn sends no more after so long: the hello, central's orders and the end of the program come in between.
const TURN: Duration = Duration::from_secs(3);
/// Batches of a turn, whatever the clock says.
const MOST: usize = 1000;
/// What central has is noted on the box this often while a turn goes on, and at its end: it tells how far it is and what may be trimmed.
const NOTED: Duration = Duration::from_millis(500);
/// Rows that are entered into the log at a time when everything is to be sent anew.
const RELOG: usize = 2000;

/// What a turn reads, sends and notes.
pub(super) struct Pipeline<'a, U> {
    pub(super) store: &'a Store,
    pub(super) clock: &'a dyn Clock,
    pub(super) status: &'a Status,
    pub(super) tables: Arc<[TableInfo]>,
    pub(super) central: &'a U,
    pub(super) pace: &'a mut Pace,
    pub(super) epoch: Uuid,
    /// Bytes that the bulk lane may still send in this turn.
    pub(super) bulk: usize,
}

/// What ended a turn.
pub(super) enum End {
    /// The log, or the turn's time.
    Over,
    /// Central will not hold some rows of a batch. Nothing of its lane behind it was applied.
    Refused(Batch, Vec<Refusal>),
    /// Anything else; what was in flight was applied or was not.
    Failed(Error),
}

/// What came of a turn.
pub(super) struct Outcome {
    /// Where the lanes that moved stand.
    pub(super) confirmed: [Option<Cursor>; 2],
    /// Bytes of rows that were sent.
    pub(super) bytes: u64,
    pub(super) end: End,
}

/// A batch from the log, and whether the log has no more behind it.
struct Next {
    batch: Batch,
    bytes: usize,
    last: bool,
}

/// An answer, and what it answers.
struct Answered {
    batch: Batch,
    launch: Launch,
    answer: Result<Applied, Error>,
}

/// A turn under way.
struct Turn {
    /// Behind the last batch that was read, by lane.
    heads: [Place; 2],
    confirmed: [Option<Cursor>; 2],
    /// Lanes of which a batch was refused.
    stopped: [bool; 2],
    noted: Instant,
    end: Option<End>,
}

impl<U: Upstream> Pipeline<'_, U> {
    /// Sends from these places on, those of [`Lane::ALL`].
    pub(super) async fn run(&mut self, heads: [Place; 2]) -> Result<Outcome, Fault> {
        let began = self.clock.monotonic();
        let mut turn = Turn { heads, confirmed: [None; 2], stopped: [false; 2], noted: began, end: None };
        self.pace.turn();
        let (central, mut flying) = (self.central, FuturesOrdered::new());
        let (mut reading, mut open, mut sent, mut spent) = (None, true, 0, 0_u64);
        loop {
            open = open && turn.end.is_none() && sent < MOST && self.clock.monotonic().since(began) < TURN;
            if open
                && reading.is_none()
                && let Some(room) = self.pace.room()
            {
                reading = Some(Box::pin(read(
                    self.store.clone(),
                    self.tables.clone(),
                    self.epoch,
                    turn.heads,
                    [room, room.min(self.bulk)],
                )));
            }
            if matches!(turn.end, Some(End::Failed(_))) || (reading.is_none() && flying.is_empty()) {
                break;
            }
            let read_one = async {
                match &mut reading {
                    Some(reading) => reading.await,
                    None => std::future::pending().await,
                }
            };
            // What was pushed last is looked at first here, and so is on the line before the next one is read.
            tokio::select! {
                biased;
                Some(answered) = flying.next(), if !flying.is_empty() => self.take(&mut turn, answered).await?,
                next = read_one => {
                    reading = None;
                    let next = next?;
                    open = open && next.is_some();
                    match next.filter(|_next| turn.end.is_none()) {
                        None => self.pace.dry(),
                        Some(Next { batch, bytes, last }) => {
                            *lane_of(&mut turn.heads, batch.lane) = place(batch.end());
                            spent += bytes as u64;
                            if batch.lane == Lane::Bulk {
                                self.bulk = self.bulk.saturating_sub(bytes);
                            }
                            let launch = self.pace.launch(self.clock.monotonic(), bytes, last);
                            flying.push_back(async move {
                                Answered { answer: central.apply(&batch).await, batch, launch }
                            });
                            sent += 1;
                        }
                    }
                }
            }
        }
        // What is still in flight is given up with its connection.
        drop(flying);
        self.note(&mut turn).await?;
        Ok(Outcome { confirmed: turn.confirmed, bytes: spent, end: turn.end.unwrap_or(End::Over) })
    }

    async fn take(&mut self, turn: &mut Turn, answered: Answered) -> Result<(), Fault> {
        let Answered { batch, launch, answer } = answered;
        self.status.sent(result_of(answer.as_ref().err()));
        match (answer, &turn.end) {
            (Ok(_), _) => {
                self.pace.answered(launch, self.clock.monotonic());
                revive(self.store, &batch).await?;
                *lane_of(&mut turn.confirmed, batch.lane) = Some(batch.end());
                if self.clock.monotonic().since(turn.noted) >= NOTED {
                    self.note(turn).await?;
                }
            }
            // It was refused for the sake of one before it.
            (Err(Error::Elsewhere { .. }), _) if *lane_of(&mut turn.stopped, batch.lane) => {}
            (Err(Error::Refused(rows)), end) => {
                *lane_of(&mut turn.stopped, batch.lane) = true;
                // One at a time: another lane's rows will be refused again.
                if end.is_none() {
                    turn.end = Some(End::Refused(batch, rows));
                }
            }
            (Err(error), _) => {
                if matches!(error, Error::Unknown { .. }) {
                    self.pace.failed();
                }
                turn.end = Some(End::Failed(error));
            }
        }
        Ok(())
    }

    /// Notes on the box what central has.
    async fn note(&self, turn: &mut Turn) -> Result<(), Fault> {
        turn.noted = self.clock.monotonic();
        note(self.store, turn.confirmed).await
    }
}

/// Notes on the box where lanes stand, those of [`Lane::ALL`].
pub(super) async fn note(store: &Store, cursors: [Option<Cursor>; 2]) -> Result<(), Fault> {
    if cursors == [None; 2] {
        return Ok(());
    }
    store
        .reserved()
        .write(move |tx, _| {
            for (lane, cursor) in Lane::ALL.into_iter().zip(cursors) {
                if let Some(Place { seq, chain }) = cursor.map(place) {
                    meta::acknowledge(tx, lane, seq, chain)?;
                }
            }
            Ok(())
        })
        .await
}

/// Takes the rows of a batch that central has from the list of those that it refused.
pub(super) async fn revive(store: &Store, batch: &Batch) -> Result<(), Fault> {
    let revived = dead::listed(&store.read()?, batch)?;
    if revived.is_empty() {
        return Ok(());
    }
    store.write(move |tx, _| dead::revive(tx, &revived)).await
}

/// What an answer counts as.
pub(super) const fn result_of(error: Option<&Error>) -> BatchResult {
    match error {
        None => BatchResult::Applied,
        Some(Error::Refused(_)) => BatchResult::Refused,
        Some(_) => BatchResult::Failed,
    }
}

/// The next batch of about so many bytes, by lane, the urgent lane's first; where the log has no more and everything is to be sent anew, more is entered into it.
async fn read(
    store: Store,
    tables: Arc<[TableInfo]>,
    epoch: Uuid,
    heads: [Place; 2],
    most: [usize; 2],
) -> Result<Option<Next>, Fault> {
    loop {
        let (reader, known) = (store.clone(), Arc::clone(&tables));
        let work = move || next(&reader, &known, epoch, heads, most);
        let found = tokio::task::spawn_blocking(work).await.map_err(|_gone| Fault::Closed)??;
        if found.is_some() || !relog::pending(&store.read()?)? {
            return Ok(found);
        }
        let known = Arc::clone(&tables);
        store.write(move |tx, _| relog::step(tx, &known, RELOG)).await?;
    }
}

fn next(
    store: &Store,
    tables: &[TableInfo],
    epoch: Uuid,
    heads: [Place; 2],
    most: [usize; 2],
) -> Result<Option<Next>, Fault> {
    let snapshot = store.read()?;
    let mut found: Option<Next> = None;
    for ((lane, head), most) in Lane::ALL.into_iter().zip(heads).zip(most) {
        // A lane that may send nothing now has nothing.
        if most == 0 {
            continue;
        }
        if let Some(next) = &mut found {
            next.last = next.last && meta::lane_head(&snapshot, lane)?.seq <= head.seq;
        } else if let Some((batch, bytes)) = batch::next(&snapshot, tables, lane, epoch, head, most)? {
            let last = meta::lane_head(&snapshot, lane)?.seq <= place(batch.end()).seq;
            found = Some(Next { batch, bytes, last });
        }
    }
    Ok(found)
}

/// A lane's place among those of [`Lane::ALL`].
const fn lane_of<T>([urgent, bulk]: &mut [T; 2], lane: Lane) -> &mut T {
    match lane {
        Lane::Urgent => urgent,
        Lane::Bulk => bulk,
    }
}

fn place(cursor: Cursor) -> Place {
    Place { seq: u64::try_from(cursor.seq).unwrap_or(0), chain: cursor.chain }
}

#[cfg(test)]
mod tests;
