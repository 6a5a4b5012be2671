//! Central as a model in memory: the same promises as PostgreSQL's, small enough to be read at a glance and fast enough for simulation.
//!
//! Must not be used by a running box. It passes the same suite of tests as [`crate::postgres`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::SCHEMA;
use crate::digest::{self, Digester};
use crate::error::Error;
use crate::row::{Batch, Cursor, Lane, Refusal, Row, Slice, Table, Value};
use crate::upstream::{
    Among, Applied, AuditHead, Directive, Greeting, Listing, Positions, Range, Report, Sums, Upstream,
};
use crate::work::Work;

/// A fault that the next call of [`Memory::apply`](Upstream::apply) or `replace` meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The network is gone before anything arrives.
    Before,
    /// Everything arrives and is committed, and the answer is lost.
    After,
}

/// The rows of one table of one box.
pub type Rows = BTreeMap<String, Vec<Value>>;

#[derive(Default)]
struct State {
    boxes: BTreeMap<Uuid, Uuid>,
    cursors: BTreeMap<(Uuid, Lane), Cursor>,
    tables: BTreeMap<(Uuid, String), Rows>,
    directives: BTreeMap<Uuid, Vec<Directive>>,
    clock: i64,
}

/// A central that many boxes share.
#[derive(Clone, Default)]
pub struct Central(Arc<Mutex<State>>);

impl Central {
    /// Lets a box in, or gives it another epoch, as [`crate::admin::Admin::enroll`] does.
    #[must_use]
    pub fn enroll(&self, box_id: Uuid, starts: [(Lane, Cursor); 2]) -> Memory {
        let mut state = self.state();
        for (lane, start) in starts {
            state.boxes.insert(box_id, start.epoch);
            let known = state.cursors.entry((box_id, lane)).or_insert(start);
            if known.epoch != start.epoch {
                *known = start;
            }
        }
        Memory { central: self.clone(), box_id, faults: Mutex::default() }
    }

    /// Shuts a box out.
    pub fn revoke(&self, box_id: Uuid) {
        self.state().boxes.remove(&box_id);
    }

    /// What central holds of one table of one box.
    #[must_use]
    pub fn rows(&self, box_id: Uuid, table: &Table) -> Rows {
        self.state().tables.get(&(box_id, table.full_name())).cloned().unwrap_or_default()
    }

    /// Orders a box to do something.
    pub fn direct(&self, box_id: Uuid, kind: &str, arguments: &str) -> i64 {
        let mut state = self.state();
        let issued = state.directives.entry(box_id).or_default();
        let seq = i64::try_from(issued.len()).unwrap_or(i64::MAX).saturating_add(1);
        let [kind, arguments, issued_by] = [kind, arguments, "operator"].map(str::to_owned);
        issued.push(Directive { seq, kind, arguments, issued_by });
        seq
    }

    /// Changes what central holds behind the box's back: `None` removes the row.
    pub fn corrupt(&self, box_id: Uuid, table: &Table, id: &str, values: Option<Vec<Value>>) {
        let mut state = self.state();
        let rows = state.rows(box_id, table);
        match values {
            Some(values) => drop(rows.insert(id.to_owned(), values)),
            None => drop(rows.remove(id)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A [`Central`] as one box sees it.
pub struct Memory {
    central: Central,
    box_id: Uuid,
    faults: Mutex<VecDeque<Option<Fault>>>,
}

impl Memory {
    /// Queues what the next calls meet, in order; `None` is a call that goes well.
    pub fn meet(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).extend(faults);
    }

    fn fault(&self) -> Option<Fault> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).pop_front().flatten()
    }

    /// The state, for a box that is let in.
    fn enter(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.central.state();
        if state.boxes.contains_key(&self.box_id) {
            return Ok(state);
        }
        Err(Error::NotAllowed { reason: "not an enrolled box".to_owned() })
    }

    fn faulty<T>(&self, act: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        match self.fault() {
            None => act(),
            Some(Fault::Before) => Err(Error::Unreachable { reason: "a planned fault".to_owned() }),
            Some(Fault::After) => act().and(Err(Error::Unknown { reason: "a planned fault".to_owned() })),
        }
    }

    fn apply_now(&self, batch: &Batch) -> Result<Applied, Error> {
        Work::Batch(batch).check()?;
        let mut state = self.enter()?;
        let cursor = state.cursor(self.box_id, batch.lane)?;
        if cursor == batch.end() {
            return Ok(Applied::Before);
        }
        if cursor != (Cursor { epoch: batch.epoch, seq: batch.prev_seq, chain: batch.prev_chain }) {
            return Err(Error::Elsewhere { cursor });
        }
        if batch.seq <= batch.prev_seq {
            return Err(Error::Broken { reason: "a batch that moves the cursor nowhere".to_owned() });
        }
        for puts in &batch.puts {
            state.refuse_rewrites(self.box_id, puts.table, &puts.rows)?;
        }
        for deletes in &batch.deletes {
            let rows = state.rows(self.box_id, deletes.table);
            deletes.ids.iter().for_each(|id| drop(rows.remove(id)));
        }
        for puts in &batch.puts {
            state
                .rows(self.box_id, puts.table)
                .extend(puts.rows.iter().map(|row| (row.id.clone(), row.values.clone())));
        }
        state.cursors.insert((self.box_id, batch.lane), batch.end());
        Ok(Applied::Now)
    }

    fn replace_now(&self, slice: &Slice) -> Result<(), Error> {
        Work::Slice(slice).check()?;
        let mut state = self.enter()?;
        let cursor = state.cursor(self.box_id, Lane::Bulk)?;
        if cursor.epoch != slice.epoch {
            return Err(Error::Elsewhere { cursor });
        }
        state.refuse_rewrites(self.box_id, slice.table, &slice.rows)?;
        let rows = state.rows(self.box_id, slice.table);
        if !slice.table.append_only {
            let above = |id: &String| slice.after.as_ref().is_none_or(|after| id > after);
            let below = |id: &String| slice.upto.as_ref().is_none_or(|upto| id <= upto);
            rows.retain(|id, _values| !(above(id) && below(id)));
        }
        rows.extend(slice.rows.iter().map(|row| (row.id.clone(), row.values.clone())));
        Ok(())
    }
}

impl State {
    fn cursor(&self, box_id: Uuid, lane: Lane) -> Result<Cursor, Error> {
        let missing = || Error::Broken { reason: "a box without cursors".to_owned() };
        self.cursors.get(&(box_id, lane)).copied().ok_or_else(missing)
    }

    fn positions(&self, box_id: Uuid) -> Result<Positions, Error> {
        let (urgent, bulk) = (self.cursor(box_id, Lane::Urgent)?, self.cursor(box_id, Lane::Bulk)?);
        Ok(Positions { epoch: bulk.epoch, urgent: urgent.seq, bulk: bulk.seq })
    }

    fn rows(&mut self, box_id: Uuid, table: &Table) -> &mut Rows {
        self.tables.entry((box_id, table.full_name())).or_default()
    }

    fn refuse_rewrites(&mut self, box_id: Uuid, table: &'static Table, rows: &[Row]) -> Result<(), Error> {
        if !table.append_only {
            return Ok(());
        }
        let held = self.rows(box_id, table);
        let rewrites = rows.iter().filter(|row| held.get(&row.id).is_some_and(|values| *values != row.values));
        let refused: Vec<Refusal> = rewrites
            .map(|row| Refusal { table, id: row.id.clone(), reason: format!("{} is append-only", table.full_name()) })
            .collect();
        if refused.is_empty() { Ok(()) } else { Err(Error::Refused(refused)) }
    }
}

impl Upstream for Memory {
    async fn contact(&self, _report: &Report) -> Result<Greeting, Error> {
        let mut state = self.enter()?;
        state.clock += 1;
        let epoch = state.cursor(self.box_id, Lane::Bulk)?.epoch;
        Ok(Greeting { box_id: self.box_id, epoch, clock: state.clock })
    }

    async fn schema(&self) -> Result<i64, Error> {
        Ok(SCHEMA)
    }

    async fn cursor(&self, lane: Lane) -> Result<Cursor, Error> {
        self.enter()?.cursor(self.box_id, lane)
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, Error> {
        self.faulty(|| self.apply_now(batch))
    }

    async fn replace(&self, slice: &Slice) -> Result<(), Error> {
        self.faulty(|| self.replace_now(slice))
    }

    async fn directives(&self, after: i64, most: u32) -> Result<Vec<Directive>, Error> {
        let state = self.enter()?;
        let issued = state.directives.get(&self.box_id).into_iter().flatten().filter(|one| one.seq > after);
        Ok(issued.take(usize::try_from(most).unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn sums(&self, table: &'static Table, ranges: &[Range<'_>]) -> Result<Sums, Error> {
        let at = self.enter()?.positions(self.box_id)?;
        let mut sums = Vec::new();
        for range in ranges {
            let Listing { rows, .. } = self.list(table, Among::Ranges(&[*range]), u32::MAX).await?;
            let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            sums.push((count, digest::range(rows.into_iter().map(|(_id, digest)| digest))));
        }
        Ok(Sums { at, ranges: sums })
    }

    async fn list(&self, table: &'static Table, among: Among<'_>, most: u32) -> Result<Listing, Error> {
        let mut state = self.enter()?;
        let at = state.positions(self.box_id)?;
        let digester = Digester::new(table);
        let within = |id: &str, range: &Range<'_>| {
            range.after.is_none_or(|after| id > after) && range.upto.is_none_or(|upto| id <= upto)
        };
        let wanted = |id: &str| match among {
            Among::Ranges(ranges) => ranges.iter().any(|range| within(id, range)),
            Among::Ids(only) => only.iter().any(|one| one == id),
        };
        let held = state.rows(self.box_id, table).iter().filter(|(id, _values)| wanted(id));
        let rows = held
            .take(usize::try_from(most).unwrap_or(usize::MAX))
            .map(|(id, values)| (id.clone(), digester.row(&Row { id: id.clone(), values: values.clone() })));
        Ok(Listing { at, rows: rows.collect() })
    }

    async fn audit_head(&self) -> Result<AuditHead, Error> {
        let state = self.enter()?;
        let Some(rows) = state.tables.get(&(self.box_id, "chat.audits".to_owned())) else {
            return Ok(AuditHead::default());
        };
        // As the table has them: the number first, the hash ninth.
        let link = |values: &Vec<Value>| match (values.first(), values.get(8)) {
            (Some(Value::BigInt(seq)), Some(Value::Bytes(hash))) => Some((*seq, hash.as_slice().try_into().ok()?)),
            _ => None,
        };
        let (seq, hash) = rows.values().filter_map(link).max_by_key(|(seq, _hash)| *seq).unwrap_or((0, [0; 32]));
        Ok(AuditHead { seq, hash, links: i64::try_from(rows.len()).unwrap_or(i64::MAX) })
    }
}
