//! Comparing: whether central holds exactly what this box holds, found by digests while both go on, and mending what differs.
//!
//! ```text
//!   for each stretch of ids    central's digest ─ equal to ours? ─ yes: the next
//!                                                └ no: row by row ─▶ suspects
//!   for each suspect           central's row digest and cursors, THEN our row and our log:
//!                                equal ─▶ it was only in motion
//!                                a log entry above the cursor ─▶ still in motion, asked again
//!                                neither ─▶ it differs
//! ```
//! A row that has no log entry above central's cursor is, here, what central must hold at that cursor; so nothing waits and
//! nothing is locked, and a row is never blamed for being on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use replication::digest::{self, Digest, Digester};
use replication::error::Error;
use replication::row::{Lane, Row};
use replication::upstream::{Positions, Range, Upstream};

use crate::store::change::entries_after;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::read::ReadExt as _;
use crate::store::snapshot::Snapshot;
use crate::store::table::TableInfo;
use crate::store::writer::Store;
use crate::store::{dead, meta, relog};
use crate::upstream::batch::signed;
use crate::upstream::sender::backlog;
use crate::upstream::walk::{Walk, stored};

/// Rows of one stretch. Central walks all of the box's rows for each, because row-level security lets no range of texts reach the
/// index; so there are few stretches, and only digests of a stretch are in memory, some 100 bytes a row.
const STRETCH: usize = 20_000;
/// Rows read at once.
const PAGE: usize = 1000;
/// Suspects looked at together.
const TOGETHER: usize = 500;
/// Log entries above central's cursor that are looked through; with more on their way nothing can be told.
const MAX_IN_MOTION: usize = 50_000;
/// How often a row in motion is asked for again, and how long between: a batch is under way for a second at most on a line that works.
const PATIENCE: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);
/// Differing rows that are named; more than this is a copy that must be filled anew.
pub const MAX_NAMED: usize = 10_000;

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Central lacks it.
    Missing,
    /// Central holds it and the box does not.
    Extra,
    /// Both hold it, and not the same.
    Different,
}

impl How {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Different => "different",
        }
    }
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `schema.table` upstream.
    pub table: String,
    /// The row's id there.
    pub id: String,
    /// How it differs.
    pub how: How,
    /// Whether the box can mend it: not what is only ever added to, and not an id that no row here could have.
    pub mendable: bool,
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Tables compared.
    pub tables: u64,
    /// Rows of the box compared.
    pub rows: u64,
    /// Rows that differ; the first [`MAX_NAMED`].
    pub differences: Vec<Difference>,
    /// Rows that differ, all of them.
    pub diverged: u64,
    /// Rows that changed faster than they could be compared.
    pub unsettled: u64,
    /// Rows that differ because central refuses them: they are on the list of dead letters.
    pub dead_letters: u64,
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The box is not linked to a central.
    #[error("this box is not linked to a central database")]
    NotLinked,
    /// A comparison is under way.
    #[error("a comparison is under way")]
    Running,
    /// Too much is still on its way.
    #[error("{0} changes are still to be sent")]
    Behind(u64),
    /// Central follows another life of this box.
    #[error("central follows another epoch of this box")]
    OtherEpoch,
    /// Central cannot be asked.
    #[error(transparent)]
    Central(#[from] Error),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] Fault),
}

/// One comparison of one box with one central.
pub struct Verifier<'a, U> {
    store: &'a Store,
    tables: &'a [TableInfo],
    central: &'a U,
    found: Outcome,
}

/// A table that is compared, and the digester of its rows.
struct Side<'a> {
    info: &'a TableInfo,
    table: &'static replication::row::Table,
    lane: Lane,
    digester: Digester,
}

impl<'a, U: Upstream> Verifier<'a, U> {
    /// A comparison that has found nothing yet.
    pub fn new(store: &'a Store, tables: &'a [TableInfo], central: &'a U) -> Self {
        Self { store, tables, central, found: Outcome::default() }
    }

    /// Compares everything.
    ///
    /// # Errors
    /// [`VerifyError`]; nothing was changed.
    pub async fn all(mut self) -> Result<Outcome, VerifyError> {
        self.ready()?;
        for side in self.tables.iter().filter_map(Side::of) {
            let mut walk = Walk::new(&self.store.read()?, side.info)?;
            let mut after: Option<String> = None;
            loop {
                let ours = side.digests(self.store, &mut walk)?;
                let upto = (ours.len() == STRETCH).then(|| ours.last().map(|(id, _)| id.clone())).flatten();
                self.stretch(&side, ours, after.as_deref(), upto.as_deref()).await?;
                if upto.is_none() {
                    break;
                }
                after = upto;
            }
            self.found.tables += 1;
        }
        Ok(self.found)
    }

    /// Compares these rows alone.
    ///
    /// # Errors
    /// As for [`Verifier::all`].
    pub async fn these(mut self, rows: &[Difference]) -> Result<Outcome, VerifyError> {
        self.ready()?;
        for side in self.tables.iter().filter_map(Side::of) {
            let name = side.table.full_name();
            let ids: BTreeSet<String> = rows.iter().filter(|row| row.table == name).map(|row| row.id.clone()).collect();
            self.found.rows += ids.len() as u64;
            self.found.tables += u64::from(!ids.is_empty());
            self.settle(&side, ids).await?;
        }
        Ok(self.found)
    }

    /// Whether comparing makes sense now.
    fn ready(&self) -> Result<(), VerifyError> {
        let snapshot = self.store.read()?;
        if !meta::identity(&snapshot)?.logging {
            return Err(VerifyError::NotLinked);
        }
        let waiting = backlog(&snapshot)?;
        if waiting > MAX_IN_MOTION as u64 || relog::pending(&snapshot)? {
            return Err(VerifyError::Behind(waiting));
        }
        Ok(())
    }

    async fn stretch(
        &mut self,
        side: &Side<'_>,
        ours: Vec<(String, Digest)>,
        after: Option<&str>,
        upto: Option<&str>,
    ) -> Result<(), VerifyError> {
        self.found.rows += ours.len() as u64;
        let sum = self.central.sum(side.table, Range { after, upto }).await?;
        self.follows(sum.at)?;
        if sum.digest == digest::range(ours.iter().map(|(_, digest)| *digest)) {
            return Ok(());
        }
        // Row by row: what either side has alone, and what both have and not the same.
        let ours: BTreeMap<&str, Digest> = ours.iter().map(|(id, digest)| (id.as_str(), *digest)).collect();
        let mut left: BTreeSet<&str> = ours.keys().copied().collect();
        let mut from = after.map(str::to_owned);
        loop {
            let most = u32::try_from(STRETCH).unwrap_or(u32::MAX);
            let range = Range { after: from.as_deref(), upto };
            let listing = self.central.list(side.table, range, None, most).await?;
            let mut suspects = BTreeSet::new();
            for (id, digest) in &listing.rows {
                left.remove(id.as_str());
                if ours.get(id.as_str()) != Some(digest) {
                    suspects.insert(id.clone());
                }
            }
            let last = listing.rows.last().map(|(id, _)| id.clone());
            self.settle(side, suspects).await?;
            if listing.rows.len() < STRETCH {
                break;
            }
            from = last;
        }
        self.settle(side, left.into_iter().map(str::to_owned).collect()).await
    }

    /// Finds out which suspects differ for good.
    async fn settle(&mut self, side: &Side<'_>, suspects: BTreeSet<String>) -> Result<(), VerifyError> {
        let all: Vec<String> = suspects.into_iter().collect();
        for some in all.chunks(TOGETHER) {
            let mut waiting = some.to_vec();
            for turn in 0..PATIENCE {
                waiting = self.look(side, waiting).await?;
                if waiting.is_empty() {
                    break;
                }
                if turn + 1 < PATIENCE {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            self.found.unsettled += waiting.len() as u64;
        }
        Ok(())
    }

    /// Looks at suspects once, and gives back those that are in motion.
    async fn look(&mut self, side: &Side<'_>, suspects: Vec<String>) -> Result<Vec<String>, VerifyError> {
        let most = u32::try_from(suspects.len()).unwrap_or(u32::MAX);
        let listing = self.central.list(side.table, Range::default(), Some(&suspects), most).await?;
        self.follows(listing.at)?;
        let theirs: BTreeMap<String, Digest> = listing.rows.into_iter().collect();
        // Central first, the box second: whatever has changed in between has a log entry above central's cursor.
        let snapshot = self.store.read()?;
        let Some(moving) = side.in_motion(&snapshot, listing.at)? else { return Ok(suspects) };
        let mut again = Vec::new();
        for id in suspects {
            if moving.contains(&id) {
                again.push(id);
                continue;
            }
            let key = key_of(side.info, &id);
            let ours = match &key {
                Some(key) => stored(&snapshot, side.info, key)?.map(|stored| side.digest(key, &stored)).transpose()?,
                None => None,
            };
            let how = match (ours, theirs.get(&id)) {
                (Some(ours), Some(theirs)) if ours == *theirs => continue,
                (None, None) => continue,
                (Some(_), Some(_)) => How::Different,
                (Some(_), None) => How::Missing,
                (None, Some(_)) => How::Extra,
            };
            self.note(side, &snapshot, id, how, key.is_some())?;
        }
        Ok(again)
    }

    fn note(&mut self, side: &Side<'_>, read: &Snapshot, id: String, how: How, known: bool) -> Result<(), Fault> {
        let table = side.table.full_name();
        if read.get::<dead::DeadLetter>(&Key::new().text(&table).text(&id))?.is_some() {
            self.found.dead_letters += 1;
            return Ok(());
        }
        self.found.diverged += 1;
        if self.found.differences.len() < MAX_NAMED {
            let mendable = known && (how == How::Missing || !side.table.append_only);
            self.found.differences.push(Difference { table, id, how, mendable });
        }
        Ok(())
    }

    fn follows(&self, at: Positions) -> Result<(), VerifyError> {
        if at.epoch == meta::identity(&self.store.read()?)?.epoch { Ok(()) } else { Err(VerifyError::OtherEpoch) }
    }
}

impl<'a> Side<'a> {
    fn of(info: &'a TableInfo) -> Option<Self> {
        let upstream = info.upstream?;
        let digester = Digester::new(upstream.table);
        Some(Self { info, table: upstream.table, lane: upstream.lane, digester })
    }

    fn digest(&self, key: &[u8], stored: &[u8]) -> Result<Digest, Fault> {
        let (id, values) = (self.info.upstream_row)(key, stored)?;
        Ok(self.digester.row(&Row { id, values }))
    }

    /// Ids and digests of the next rows, at most [`STRETCH`].
    fn digests(&self, store: &Store, walk: &mut Walk) -> Result<Vec<(String, Digest)>, Fault> {
        let mut digests = Vec::new();
        while digests.len() < STRETCH {
            let rows = walk.next(&store.read()?, PAGE)?;
            for row in &rows {
                digests.push((row.id.clone(), self.digest(&row.key, &row.stored)?));
            }
            if rows.len() < PAGE {
                break;
            }
        }
        Ok(digests)
    }

    /// The ids of this table's rows with log entries above central's cursor; `None` where they are too many to tell.
    fn in_motion(&self, read: &Snapshot, at: Positions) -> Result<Option<BTreeSet<String>>, Fault> {
        let cursor = match self.lane {
            Lane::Urgent => at.urgent,
            Lane::Bulk => at.bulk,
        };
        if signed(meta::lane_head(read, self.lane)?.seq) <= cursor {
            return Ok(Some(BTreeSet::new()));
        }
        let entries = entries_after(read, self.lane, u64::try_from(cursor).unwrap_or(0), MAX_IN_MOTION)?;
        if entries.len() == MAX_IN_MOTION {
            return Ok(None);
        }
        let number = self.info.id.number;
        let of_table = entries.iter().filter(|entry| entry.table == number);
        Ok(Some(of_table.filter_map(|entry| (self.info.upstream_id)(&entry.key)).collect()))
    }
}

/// The key of an id upstream, if a row of the box could have it.
fn key_of(info: &TableInfo, id: &str) -> Option<Vec<u8>> {
    (info.upstream_key)(id).filter(|key| (info.upstream_id)(key).as_deref() == Some(id))
}

/// Enters what can be mended into the change log again, so that it is sent, or deleted, like any other change. Returns how many.
///
/// # Errors
/// [`Fault`] where the store cannot be written.
pub async fn mend(store: &Store, tables: &[TableInfo], rows: &[Difference]) -> Result<usize, Fault> {
    let mut entered = 0;
    for some in rows.chunks(PAGE) {
        let mut due = Vec::new();
        for row in some.iter().filter(|row| row.mendable) {
            let goes = |info: &&TableInfo| info.upstream.is_some_and(|goes| goes.table.full_name() == row.table);
            if let Some(info) = tables.iter().find(goes) {
                due.extend(key_of(info, &row.id).map(|key| (*info, key)));
            }
        }
        entered += due.len();
        store
            .write(move |tx, _| {
                due.iter().for_each(|(info, key)| relog::again(tx, info, key));
                Ok::<_, Fault>(())
            })
            .await?;
    }
    Ok(entered)
}
