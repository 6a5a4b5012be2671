//! The store's file while it is open: tables, the journal before them, and the memory between.
//!
//! ```text
//!   commit:      writes ─▶ memory (unseen) ─▶ journal ─sync─▶ seen
//!   checkpoint:  that memory is frozen, another takes its place, the journal turns to its other half;
//!                newest of each key ─▶ tables ─two-phase commit─▶ the frozen memory is forgotten
//!   open:        tables, and over them what the journal has beyond their checkpoint
//! ```
//!
//! A checkpoint runs beside the commits. A commit that the journal cannot take, or that empties a space, waits for it and
//! goes into the tables at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use redb::{Builder, Database, Durability, ReadableDatabase, TableDefinition, WriteTransaction};

use crate::base::entropy::Entropy;
use crate::store::fault::Fault;
use crate::store::journal::{Journal, Record, Salt};
use crate::store::layout::{Layout, SharedFile};
use crate::store::medium::{Mark, Medium};
use crate::store::memory::{Memory, Seq};
use crate::store::panics;
use crate::store::read::Space;
use crate::store::snapshot::{Memories, Snapshot, definition};
use crate::store::writer::Fill;

/// Bytes of page cache: redb's own default of 1 GiB is more than a box has.
const CACHE: usize = 64 << 20;
/// Where the tables stand against the journal. It is written by a checkpoint, in the transaction of its rows.
const CHECKPOINT: TableDefinition<'_, &str, u64> = TableDefinition::new("checkpoint");
/// The last commit that is in the tables.
const COMMIT: &str = "commit";
/// The journal's salt.
const SALT: &str = "salt";

/// The open file.
pub(in crate::store) struct Engine {
    database: Arc<Database>,
    memories: Memories,
    journal: Mutex<Journal>,
    running: Mutex<Option<Running>>,
    file: SharedFile,
    layout: Layout,
    medium: Arc<dyn Medium>,
    /// The medium is marked: it was checked when it was opened, and was not written since.
    marked: bool,
}

/// A checkpoint that was begun.
enum Running {
    Beside(JoinHandle<Result<(), Fault>>),
    Done(Result<(), Fault>),
}

impl Running {
    fn is_over(&self) -> bool {
        match self {
            Self::Beside(thread) => thread.is_finished(),
            Self::Done(_) => true,
        }
    }

    fn wait(self) -> Result<(), Fault> {
        match self {
            Self::Beside(thread) => {
                thread.join().unwrap_or_else(|_| Err(Fault::Unavailable("the checkpoint panicked".into())))
            }
            Self::Done(done) => done,
        }
    }
}

/// Whoever closes the file waits until nobody writes to it.
impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.wait());
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Opens a medium and reads its journal back. One over which redb has panicked is checked whole. `repaired` is told whether redb had to walk the file to repair it.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] where it cannot be opened; [`Fault::Corrupt`] where what was acknowledged cannot be read.
    pub(in crate::store) fn open(
        medium: &Arc<dyn Medium>,
        entropy: &dyn Entropy,
        repaired: &Arc<AtomicBool>,
    ) -> Result<Self, Fault> {
        let mark = medium.mark();
        if mark == Some(Mark::Damaged) {
            return Err(panics::DAMAGED);
        }
        let marked = mark.is_some();
        let opened = panics::noted(medium, marked, || Self::open_tables(medium, marked, entropy, repaired));
        if marked && matches!(opened, Err(Fault::Corrupt { .. })) {
            medium.set_mark(Some(Mark::Damaged))?;
        }
        opened
    }

    fn open_tables(
        medium: &Arc<dyn Medium>,
        marked: bool,
        entropy: &dyn Entropy,
        repaired: &Arc<AtomicBool>,
    ) -> Result<Self, Fault> {
        let unavailable = |error: std::io::Error| Fault::Unavailable(error.to_string());
        let file: SharedFile = Arc::from(medium.open().map_err(unavailable)?);
        if Layout::is_needed(&*file).map_err(unavailable)? {
            Layout::with_journal(medium.journal_bytes()).make(&*file).map_err(unavailable)?;
        }
        let layout = Layout::read(&*file)?;
        let mut builder = Builder::new();
        let flag = Arc::clone(repaired);
        builder.set_cache_size(CACHE);
        builder.set_check_integrity_on_open(marked);
        builder.set_repair_callback(move |_| flag.store(true, Ordering::SeqCst));
        let database = builder.create_with_backend(layout.tables_of(Arc::clone(&file)))?;
        let (commit, salt) = match checkpoint_of(&database)? {
            Some(found) => found,
            None => make_tables(&database, Salt::from_le_bytes(entropy.bytes()))?,
        };
        let memory = Memory::over(commit);
        let journal = Mutex::new(Journal::open(Arc::clone(&file), layout, salt, &memory)?);
        let memories = Memories { active: Arc::new(memory), frozen: None };
        Ok(Self {
            database: Arc::new(database),
            memories,
            journal,
            running: Mutex::new(None),
            file,
            layout,
            medium: Arc::clone(medium),
            marked,
        })
    }

    /// The last commit.
    fn committed(&self) -> Seq {
        self.memories.active.committed()
    }

    /// The store as of its last commit.
    pub(in crate::store) fn snapshot(&self) -> Result<Snapshot, Fault> {
        Snapshot::of(&self.database, &self.memories, self.committed())
    }

    /// The next commit: where it writes, and what it sees.
    pub(in crate::store) fn next(&self) -> Result<Draft, Fault> {
        let seq = self.committed() + 1;
        let seen = Snapshot::of(&self.database, &self.memories, seq)?;
        Ok(Draft { seen, memory: Arc::clone(&self.memories.active), seq, record: held(&self.journal).record() })
    }

    /// Makes a commit durable and shows it. A commit that the journal cannot take is given back, for [`Engine::settle`].
    ///
    /// # Errors
    /// What the disk says; the commit is then there or not, and the store has to be opened again.
    pub(in crate::store) fn append(&self, draft: Draft) -> Result<Option<Draft>, Fault> {
        let mut journal = held(&self.journal);
        if !journal.fits(&draft.record) {
            return Ok(Some(draft));
        }
        journal.append(draft.seq, draft.record)?;
        draft.memory.publish(draft.seq);
        Ok(None)
    }

    /// Whether it is time to begin a checkpoint.
    pub(in crate::store) fn is_due(&self) -> bool {
        held(&self.running).is_none() && held(&self.journal).is_due()
    }

    /// Begins a checkpoint of everything committed so far; `beside` on a thread of its own.
    pub(in crate::store) fn begin(&mut self, beside: bool) {
        let commit = self.committed();
        let frozen = std::mem::replace(&mut self.memories.active, Arc::new(Memory::over(commit)));
        self.memories.frozen = Some(Arc::clone(&frozen));
        held(&self.journal).turn();
        let (database, medium, marked) = (Arc::clone(&self.database), Arc::clone(&self.medium), self.marked);
        let work = move || panics::noted(&medium, marked, || write_tables(&database, &frozen, commit));
        let running = if beside {
            let thread = std::thread::Builder::new().name("store-checkpoint".into()).spawn(work);
            thread.map_or_else(|error| Running::Done(Err(error.into())), Running::Beside)
        } else {
            Running::Done(work())
        };
        *held(&self.running) = Some(running);
    }

    /// Whether a checkpoint was begun and is over.
    pub(in crate::store) fn is_over(&self) -> bool {
        held(&self.running).as_ref().is_some_and(Running::is_over)
    }

    /// Waits for the checkpoint that was begun; returns whether there was one. [`Engine::finish`] has to follow.
    ///
    /// # Errors
    /// What the disk said; the store has to be opened again.
    pub(in crate::store) fn wait(&self) -> Result<bool, Fault> {
        let running = held(&self.running).take();
        running.map_or(Ok(false), |running| running.wait().map(|()| true))
    }

    /// Forgets what a checkpoint has brought into the tables.
    pub(in crate::store) fn finish(&mut self) {
        self.memories.frozen = None;
        held(&self.journal).release();
        self.unmark();
    }

    /// Whether its medium was suspect when it was opened, and is still.
    pub(in crate::store) const fn is_marked(&self) -> bool {
        self.marked
    }

    /// The tables were written without a panic.
    fn unmark(&mut self) {
        if std::mem::take(&mut self.marked) {
            // One that stays costs the next start a check.
            drop(self.medium.set_mark(None));
        }
    }

    /// Bytes of the file.
    pub(in crate::store) fn bytes(&self) -> Result<u64, Fault> {
        Ok(self.file.len()?)
    }

    /// How much of the file is in use.
    pub(in crate::store) fn fill(&self) -> Result<Fill, Fault> {
        let txn = self.database.begin_write()?;
        let stats = txn.stats()?;
        txn.abort()?;
        let front = self.layout.journal_start() + self.layout.journal_bytes();
        let pages = stats.allocated_pages().saturating_mul(stats.page_size() as u64);
        Ok(Fill { bytes: self.bytes()?, used: front + pages })
    }

    /// Moves pages to the front of the file and cuts its end. Everything is in the tables.
    ///
    /// # Errors
    /// [`Fault::Busy`] while anybody has a snapshot; what the disk says, and the store has to be opened again.
    pub(in crate::store) fn compact(&mut self) -> Result<(), Fault> {
        let database = Arc::get_mut(&mut self.database).ok_or(Fault::Busy)?;
        match panics::noted(&self.medium, self.marked, || database.compact()) {
            Ok(_) => Ok(()),
            Err(redb::CompactionError::Storage(error)) => Err(error.into()),
            Err(_) => Err(Fault::Busy),
        }
    }

    /// Whether the tables hold everything.
    pub(in crate::store) fn is_settled(&self) -> bool {
        self.memories.active.is_empty()
    }

    /// Brings everything into the tables, up to a commit that the journal could not take, or `None` for the last one. No
    /// checkpoint runs meanwhile.
    ///
    /// # Errors
    /// What the disk says; the store has to be opened again.
    pub(in crate::store) fn settle(&mut self, draft: Option<&Draft>) -> Result<(), Fault> {
        let commit = draft.map_or(self.committed(), |draft| draft.seq);
        panics::noted(&self.medium, self.marked, || write_tables(&self.database, &self.memories.active, commit))?;
        self.memories.active = Arc::new(Memory::over(commit));
        held(&self.journal).rewind();
        self.unmark();
        Ok(())
    }
}

/// Writes the newest of each key into the tables, and up to which commit they hold everything by that.
fn write_tables(database: &Database, memory: &Memory, commit: Seq) -> Result<(), Fault> {
    let txn = begin(database)?;
    for space in Space::ALL {
        let mut tree = txn.open_table(definition(space))?;
        if memory.is_cleared(space, commit) {
            tree.retain(|_, _| false)?;
        }
        for (key, value) in memory.newest(space) {
            match value {
                Some(value) => drop(tree.insert(&*key, &*value)?),
                None => drop(tree.remove(&*key)?),
            }
        }
    }
    txn.open_table(CHECKPOINT)?.insert(COMMIT, commit)?;
    Ok(txn.commit()?)
}

/// A commit in the making.
pub(in crate::store) struct Draft {
    /// What its commands see: everything before, and what it has written itself.
    pub(in crate::store) seen: Snapshot,
    memory: Arc<Memory>,
    seq: Seq,
    record: Record,
}

impl Draft {
    /// Writes a value, or deletes it.
    pub(in crate::store) fn write(&mut self, space: Space, key: &[u8], value: Option<&[u8]>) {
        self.record.push(space, key, value);
        self.memory.write(self.seq, space, key.to_vec(), value.map(<[u8]>::to_vec));
    }

    /// Empties a space, however much is in it.
    pub(in crate::store) fn clear(&mut self, space: Space) {
        self.record.outgrown = true;
        self.memory.clear(self.seq, space);
    }

    /// Bytes of keys and values written so far.
    pub(in crate::store) const fn payload(&self) -> u64 {
        self.record.payload()
    }
}

/// A transaction of the tables: in two phases, and saving which pages are free, so that after a kill the file opens
/// without being walked.
fn begin(database: &Database) -> Result<WriteTransaction, Fault> {
    let mut txn = database.begin_write()?;
    txn.set_durability(Durability::Immediate)?;
    txn.set_two_phase_commit(true);
    txn.set_quick_repair(true);
    Ok(txn)
}

/// The tables' last commit and the salt; `None` where they were never made. Nothing is written to a file that has
/// them, so that a full disk can still be read.
fn checkpoint_of(database: &Database) -> Result<Option<(Seq, Salt)>, Fault> {
    let read = database.begin_read()?;
    if read.list_tables()?.next().is_none() {
        return Ok(None);
    }
    let table = read.open_table(CHECKPOINT)?;
    let lacking = Fault::Corrupt { table: "journal", reason: "the tables do not say where they stand" };
    let (commit, salt) = (table.get(COMMIT)?, table.get(SALT)?);
    commit.zip(salt).map(|(commit, salt)| Some((commit.value(), salt.value()))).ok_or(lacking)
}

fn make_tables(database: &Database, salt: Salt) -> Result<(Seq, Salt), Fault> {
    let txn = begin(database)?;
    for space in Space::ALL {
        txn.open_table(definition(space))?;
    }
    {
        let mut table = txn.open_table(CHECKPOINT)?;
        table.insert(COMMIT, 0)?;
        table.insert(SALT, salt)?;
    }
    txn.commit()?;
    Ok((0, salt))
}
