//! The run: reads the sources in the order of the import and brings the rows to the desk, batch by batch.
//!
//! It may be cut off anywhere. What the desk has says where to go on; a digest over the rows says whether the source is the
//! one that was begun. Must not know whether the desk is in this process.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;

use crate::ledger::Chain;
use crate::moving::cell::{Cells, link};
use crate::moving::desk::{Account, Answer, Batch, Place, Reading, Step};
use crate::moving::map::{Map, Plan, Unmapped, draft, resolve};
use crate::moving::source::{Location, Source, SourceError};
use crate::moving::tables::Service;

/// The box's side.
pub trait Desk {
    /// Does a step.
    fn step(&mut self, step: Step) -> impl Future<Output = Result<Answer, String>> + Send;
}

/// Who is told how the import goes on.
pub trait Watch {
    /// So many rows of a table are done; `comparing` in the second pass.
    fn at(&mut self, table: &str, done: u64, total: u64, comparing: bool);
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A source does not have what is needed, or the map is wrong.
    #[error("the sources do not fit:\n  {0}")]
    Unmapped(#[from] Unmapped),
    /// The box refused a step, or cannot be reached.
    #[error("the box: {0}")]
    Desk(String),
}

/// What is to be imported.
pub struct Order<'a> {
    /// Where each service's store is.
    pub sources: &'a BTreeMap<Service, Location>,
    /// The owner's word.
    pub map: &'a Map,
    /// The old `CHAT_ENCRYPTION_KEY`.
    pub key: &'a str,
    /// A private CA of the PostgreSQL.
    pub ca: Option<&'a Path>,
    /// Compare every row after it was written.
    pub compare: bool,
}

struct Job {
    source: Source,
    plans: Vec<Plan>,
    reading: Reading,
}

impl Order<'_> {
    async fn open(&self) -> Result<Vec<Job>, RunError> {
        let (mut jobs, mut missing) = (Vec::new(), Vec::new());
        for (service, location) in self.sources {
            let source = Source::open(location, self.ca).await?;
            let said = self.map.of(*service);
            match (resolve(*service, &source.catalogue()?, said), reading(said, self.key)) {
                (Ok(plans), Ok(reading)) => jobs.push(Job { source, plans, reading }),
                (plans, reading) => {
                    missing.extend(plans.err().map(|unmapped| unmapped.0).unwrap_or_default());
                    missing.extend(reading.err().map(|unmapped| unmapped.0).unwrap_or_default());
                }
            }
        }
        if missing.is_empty() { Ok(jobs) } else { Err(Unmapped(missing).into()) }
    }

    /// Looks whether every source can be read and has what is needed.
    ///
    /// # Errors
    /// [`RunError`] naming everything that is missing.
    pub async fn check(&self) -> Result<(), RunError> {
        self.open().await.map(drop)
    }

    /// The draft of a map file for the sources as they are, and what stands in the way of importing them, if anything.
    ///
    /// # Errors
    /// [`RunError`] where a source cannot be read.
    pub async fn dry_run(&self) -> Result<(String, Option<Unmapped>, Vec<(String, u64)>), RunError> {
        let (mut text, mut missing, mut counts) = (String::new(), Vec::new(), Vec::new());
        for (service, location) in self.sources {
            let source = Source::open(location, self.ca).await?;
            let catalogue = source.catalogue()?;
            text.push_str(&draft(*service, &catalogue, self.map.of(*service)));
            text.push('\n');
            match resolve(*service, &catalogue, self.map.of(*service)) {
                Ok(plans) => {
                    for plan in plans {
                        counts.push((plan.table.key.to_owned(), source.count(&plan).await?));
                    }
                }
                Err(unmapped) => missing.extend(unmapped.0),
            }
        }
        Ok((text, (!missing.is_empty()).then_some(Unmapped(missing)), counts))
    }

    /// Runs the import to its end.
    ///
    /// # Errors
    /// [`RunError`]; run again, it goes on from there.
    pub async fn run(&self, desk: &mut impl Desk, watch: &mut impl Watch) -> Result<Account, RunError> {
        // Every source is looked at before anything is written.
        let jobs = self.open().await?;
        desk.step(Step::Open).await.map_err(RunError::Desk)?;
        for job in &jobs {
            for plan in &job.plans {
                bring(job, plan, desk, watch).await?;
                if self.compare {
                    compare(job, plan, desk, watch).await?;
                }
            }
        }
        match desk.step(Step::Close).await.map_err(RunError::Desk)? {
            Answer::Account(account) => Ok(account),
            Answer::Done | Answer::Place(_) => Err(RunError::Desk("it gave no account".to_owned())),
        }
    }
}

fn reading(said: &crate::moving::map::ServiceMap, key: &str) -> Result<Reading, Unmapped> {
    use crate::moving::cipher::Cipher;
    let name = said.cipher.as_deref().unwrap_or("auto");
    let unknown = || Unmapped(vec![format!("cipher {name:?} is none of auto, fernet, aes-gcm, xchacha20, plain.")]);
    Ok(Reading { offset: said.offset()?, cipher: Cipher::named(name).ok_or_else(unknown)?, key: key.to_owned() })
}

async fn place(desk: &mut impl Desk, step: Step) -> Result<Place, RunError> {
    match desk.step(step).await.map_err(RunError::Desk)? {
        Answer::Place(place) => Ok(place),
        Answer::Done | Answer::Account(_) => Err(RunError::Desk("it did not say how far it is".to_owned())),
    }
}

/// Whether the source's front is what the desk has had of it.
async fn goes_on(job: &Job, plan: &Plan, at: &Place) -> Result<bool, RunError> {
    let (mut chain, mut rows): (Chain, u64) = ([0; 32], 0);
    if at.rows == 0 {
        return Ok(true);
    }
    let mut reader = job.source.read(plan, job.reading.offset).await?;
    loop {
        let page = reader.next().await?;
        if page.is_empty() {
            return Ok(false);
        }
        for row in &page {
            chain = link(&chain, row);
            rows += 1;
            if rows == at.rows {
                // The snapshot's cursor must be read to its end before another can be opened.
                while !reader.next().await?.is_empty() {}
                return Ok(chain == at.chain);
            }
        }
    }
}

async fn bring(job: &Job, plan: &Plan, desk: &mut impl Desk, watch: &mut impl Watch) -> Result<(), RunError> {
    let table = plan.table.key;
    let mut at = place(desk, Step::Place { table: table.to_owned() }).await?;
    if !goes_on(job, plan, &at).await? {
        at = place(desk, Step::Again { table: table.to_owned() }).await?;
    }
    let total = job.source.count(plan).await?;
    let mut reader = job.source.read(plan, job.reading.offset).await?;
    let mut number = 0;
    loop {
        let page = reader.next().await?;
        if page.is_empty() {
            break;
        }
        let next = number + page.len() as u64;
        let rows = from(page, number, at.rows);
        number = next;
        if !rows.is_empty() {
            let batch = Batch { table: table.to_owned(), first: at.rows, rows, reading: job.reading.clone() };
            at = place(desk, Step::Take(batch)).await?;
        }
        watch.at(table, number, total, false);
    }
    // What the source counts, not what was read: were they to differ, the sums would say so.
    place(desk, Step::End { table: table.to_owned(), total }).await?;
    Ok(())
}

async fn compare(job: &Job, plan: &Plan, desk: &mut impl Desk, watch: &mut impl Watch) -> Result<(), RunError> {
    let table = plan.table.key;
    let mut at = place(desk, Step::Place { table: table.to_owned() }).await?;
    if at.passed >= at.rows {
        return Ok(());
    }
    let total = at.rows;
    let mut reader = job.source.read(plan, job.reading.offset).await?;
    let mut number = 0;
    loop {
        let page = reader.next().await?;
        if page.is_empty() {
            return Ok(());
        }
        let next = number + page.len() as u64;
        let rows = from(page, number, at.passed);
        number = next;
        if !rows.is_empty() {
            let batch = Batch { table: table.to_owned(), first: at.passed, rows, reading: job.reading.clone() };
            at = place(desk, Step::Compare(batch)).await?;
        }
        watch.at(table, number, total, true);
    }
}

/// The rows of a page from a number on; the page's first row has the number `first`.
fn from(mut page: Vec<Cells>, first: u64, wanted: u64) -> Vec<Cells> {
    let skip = usize::try_from(wanted.saturating_sub(first)).unwrap_or(usize::MAX);
    if skip >= page.len() {
        return Vec::new();
    }
    page.split_off(skip)
}
