//! Comparing: whether central holds exactly what this box holds, found by digests while both go on, and mending what differs.
//!
//! ```text
//!   for many stretches of ids  central's digests ─ equal to ours? ─ yes: the next
//!                                                 └ no: row by row ─▶ suspects
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
use replication::upstream::{Among, Positions, Range, Upstream};

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
use crate::upstream::walk::{Mark, Walk, stored};

/// Rows of one stretch: what is listed row by row, and what is in memory at once, some 100 bytes a row.
const STRETCH: usize = 2000;
/// Stretches that are asked for together. Central walks all of the box's rows in a table for each question, because row-level security
/// lets no range of texts reach the index; so there are few questions, each answered well within the time for an answer.
const STRETCHES: usize = 100;
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

/// Rows that are listed at once.
const LISTED: u32 = 20_000;

/// Rows of the box one behind the other, and their digest.
struct Stretch {
    /// Where a walk sees them again.
    mark: Mark,
    rows: u64,
    digest: Digest,
    /// They lie above this id …
    after: Option<String>,
    /// … and up to this one.
    upto: Option<String>,
}

impl Stretch {
    fn range(&self) -> Range<'_> {
        Range { after: self.after.as_deref(), upto: self.upto.as_deref() }
    }

    /// What of it lies above an id.
    fn above<'a>(&'a self, id: Option<&'a str>) -> Option<Range<'a>> {
        let Range { after, upto } = self.range();
        let ends = upto.is_some_and(|upto| id.is_some_and(|id| upto <= id));
        (!ends).then(|| Range { after: after.max(id), upto })
    }
}

/// What central has listed of the stretches that differ.
struct Listed {
    /// The stretch that comes next.
    at: usize,
    /// Rows of it and of those behind it.
    ids: Vec<(String, Digest)>,
}

impl Listed {
    fn up_to(&mut self, id: Option<&str>) -> Vec<(String, Digest)> {
        let end = id.map_or(self.ids.len(), |id| self.ids.partition_point(|(listed, _)| listed.as_str() <= id));
        self.ids.drain(..end).collect()
    }
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
        let schema = self.central.schema().await?;
        for side in self.tables.iter().filter_map(|info| Side::of(info, schema)) {
            let mut walk = Walk::new(&self.store.read()?, side.info)?;
            let mut after: Option<String> = None;
            loop {
                let stretches = self.stretches(&side, &mut walk, after)?;
                self.compare(&side, &stretches).await?;
                let Some(upto) = stretches.last().and_then(|last| last.upto.clone()) else { break };
                after = Some(upto);
            }
            self.found.tables += 1;
        }
        Ok(self.found)
    }

    /// Digests the next stretches; the last of a table is open.
    fn stretches(&self, side: &Side<'_>, walk: &mut Walk, after: Option<String>) -> Result<Vec<Stretch>, Fault> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut after = after;
        while stretches.len() < STRETCHES {
            let mark = walk.mark();
            let ours = side.digests(self.store, walk)?;
            let upto = (ours.len() == STRETCH).then(|| ours.last().map(|(id, _)| id.clone())).flatten();
            let digest = digest::range(ours.iter().map(|(_, digest)| *digest));
            stretches.push(Stretch { mark, rows: ours.len() as u64, digest, after, upto: upto.clone() });
            if upto.is_none() {
                break;
            }
            after = upto;
        }
        Ok(stretches)
    }

    /// Compares these rows alone.
    ///
    /// # Errors
    /// As for [`Verifier::all`].
    pub async fn these(mut self, rows: &[Difference]) -> Result<Outcome, VerifyError> {
        self.ready()?;
        let schema = self.central.schema().await?;
        for side in self.tables.iter().filter_map(|info| Side::of(info, schema)) {
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

    /// Compares stretches, and looks into those that differ.
    async fn compare(&mut self, side: &Side<'_>, stretches: &[Stretch]) -> Result<(), VerifyError> {
        self.found.rows += stretches.iter().map(|one| one.rows).sum::<u64>();
        let ranges: Vec<Range<'_>> = stretches.iter().map(Stretch::range).collect();
        let sums = self.central.sums(side.table, &ranges).await?;
        self.follows(sums.at)?;
        let differ = |(one, (_, digest)): &(&Stretch, (i64, Digest))| one.digest != *digest;
        let differing: Vec<&Stretch> =
            stretches.iter().zip(sums.ranges).filter(differ).map(|(stretch, _)| stretch).collect();
        if differing.is_empty() {
            return Ok(());
        }
        // Row by row: what either side has alone, and what both have and not the same.
        let mut listed = Listed { at: 0, ids: Vec::new() };
        let mut from: Option<String> = None;
        loop {
            let left: Vec<Range<'_>> = differing.iter().filter_map(|one| one.above(from.as_deref())).collect();
            let listing = self.central.list(side.table, Among::Ranges(&left), LISTED).await?;
            let whole = listing.rows.len() < usize::try_from(LISTED).unwrap_or(usize::MAX);
            let last = listing.rows.last().map(|(id, _)| id.clone());
            listed.ids.extend(listing.rows);
            // What was listed up to here is compared; the rest waits for the next page.
            while let Some(stretch) = differing.get(listed.at) {
                let complete = whole || stretch.upto.as_deref().is_some_and(|upto| last.as_deref() >= Some(upto));
                if !complete {
                    break;
                }
                let theirs = listed.up_to(stretch.upto.as_deref());
                let suspects = side.suspects(self.store, stretch, theirs)?;
                self.settle(side, suspects).await?;
                listed.at += 1;
            }
            if whole {
                return Ok(());
            }
            from = last;
        }
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
        let listing = self.central.list(side.table, Among::Ids(&suspects), most).await?;
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
    fn of(info: &'a TableInfo, schema: i64) -> Option<Self> {
        let upstream = info.upstream?;
        let digester = Digester::at(upstream.table, schema);
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

    /// The ids of a stretch whose rows are on one side alone, or on both and not the same.
    fn suspects(
        &self,
        store: &Store,
        stretch: &Stretch,
        theirs: Vec<(String, Digest)>,
    ) -> Result<BTreeSet<String>, Fault> {
        let mut theirs: BTreeMap<String, Digest> = theirs.into_iter().collect();
        let mut suspects = BTreeSet::new();
        let read = store.read()?;
        let mut walk = Walk::from(&read, self.info, stretch.mark.clone())?;
        loop {
            let rows = walk.next(&read, PAGE)?;
            let end = rows.len() < PAGE;
            for row in rows {
                if stretch.after.as_ref().is_some_and(|after| row.id <= *after) {
                    continue;
                }
                if stretch.upto.as_ref().is_some_and(|upto| row.id > *upto) {
                    suspects.extend(theirs.into_keys());
                    return Ok(suspects);
                }
                if theirs.remove(&row.id) != Some(self.digest(&row.key, &row.stored)?) {
                    suspects.insert(row.id);
                }
            }
            if end {
                suspects.extend(theirs.into_keys());
                return Ok(suspects);
            }
        }
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
