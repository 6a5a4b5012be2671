//! The store's handle and its writer thread: group commit by what has queued up, never by a delay.
//!
//! One thread writes. It runs each queued command on its own overlay, flushes the overlay before the next one runs,
//! commits once, and only then answers. After a failed commit the file is closed and reopened, and nothing is
//! acknowledged in between.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::base::digest::Key as DigestKey;
use crate::base::entropy::Entropy;
use crate::base::notice::Notice;
use crate::base::time::{Clock, Timestamp};
use crate::store::engine::Engine;
use crate::store::fault::Fault;
use crate::store::medium::Medium;
use crate::store::panics;
use crate::store::snapshot::Snapshot;
use crate::store::tx::Tx;

mod batch;
mod compaction;
mod room;
mod times;

use batch::Committed;
pub use compaction::{Compacted, Fill};
use room::Room;
pub use times::CommitTimes;

/// Commands that may wait: at 64 writers a commit takes a few milliseconds, so a full queue is seconds of work.
pub const MAX_QUEUE: usize = 1024;
/// Commands in one commit, so that the first of them does not wait for ever.
const MAX_BATCH: usize = 512;
/// How long the writer waits before it tries to open a failed store again.
const REOPEN_EVERY: Duration = Duration::from_millis(200);

/// What the store is opened with.
pub struct Settings {
    /// Where its bytes lie.
    pub medium: Arc<dyn Medium>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids and nonces come from.
    pub entropy: Arc<dyn Entropy>,
    /// The key of the change log's digests.
    pub digest_key: DigestKey,
    /// Whether checkpoints run beside the commits. A test that has to come again from its seed lets the writer run them.
    pub checkpoints_beside: bool,
    /// Told every notice after its commit, in commit order, by the writer thread: it must return at once.
    pub listener: Arc<dyn Fn(Notice) + Send + Sync>,
}

/// The store. Clones are handles to the same one; dropping the last stops the writer after what is queued.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    _stop: Arc<Stop>,
    /// Whether what is written through this handle may use the reserve.
    reserved: bool,
}

struct Shared {
    settings: Settings,
    /// The writer holds it for reading during a commit, a reader while its snapshot begins. Who takes the engine away to
    /// close it, or changes what it keeps in memory, holds it alone.
    file: RwLock<File>,
    queue: Mutex<Option<SyncSender<Box<dyn Command>>>>,
    waiting: AtomicU64,
    counts: Counts,
    committed: watch::Sender<u64>,
    repaired: Arc<AtomicBool>,
    room: Room,
    compactions: Mutex<Vec<compaction::Asked>>,
}

/// The store's file as the handles see it.
enum File {
    Open(Engine),
    /// A commit failed; the writer tries to open it again.
    Failed,
    /// Closed for good.
    Closed,
}

impl File {
    fn engine(&self) -> Result<&Engine, Fault> {
        match self {
            Self::Open(engine) => Ok(engine),
            Self::Failed => Err(Fault::Unavailable("the store is being reopened".into())),
            Self::Closed => Err(Fault::Closed),
        }
    }

    fn engine_mut(&mut self) -> Result<&mut Engine, Fault> {
        match self {
            Self::Open(engine) => Ok(engine),
            Self::Failed | Self::Closed => self.engine().map(|_| ()).and(Err(Fault::Closed)),
        }
    }
}

/// Commands catch their own panics; these would be redb's, over a page that it should have refused.
fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(Fault::Unavailable("the store panicked".into())))
}

#[derive(Default)]
struct Counts {
    commands: AtomicU64,
    commits: AtomicU64,
    failures: AtomicU64,
    checkpoints: AtomicU64,
    payload: AtomicU64,
    times: times::Times,
}

/// Figures since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Commands answered after their commit, refusals included.
    pub commands: u64,
    /// Commits that reached the disk.
    pub commits: u64,
    /// Commits and checkpoints that failed; each was followed by a reopening.
    pub failures: u64,
    /// Checkpoints: what the journal held went into the tables.
    pub checkpoints: u64,
    /// Bytes of keys and values committed, before journal and pages.
    pub payload_bytes: u64,
    /// Commands that wait now.
    pub queued: u64,
    /// redb had to walk the file to repair it when it was opened: never, with quick repair.
    pub repaired: bool,
    /// The disk is full: only what may use the reserve is written.
    pub full: bool,
}

/// A queued command: it runs once, and is told once what became of it.
trait Command: Send {
    fn run(&mut self, tx: &mut Tx<'_>, now: Timestamp) -> Outcome;
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
    fn may_use_reserve(&self) -> bool;
}

/// What a command wants done with its overlay.
enum Outcome {
    Keep,
    Drop,
    Fatal(Fault),
}

struct Pending<F, T, E, R> {
    command: Option<F>,
    result: Option<Result<T, E>>,
    reply: R,
    reserved: bool,
}

impl<F, T, E, R> Command for Pending<F, T, E, R>
where
    F: FnOnce(&mut Tx<'_>, Timestamp) -> Result<T, E> + Send,
    T: Send,
    E: From<Fault> + AsFault + Send,
    R: FnOnce(Result<T, E>) + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>, now: Timestamp) -> Outcome {
        let Some(command) = self.command.take() else { return Outcome::Drop };
        let result = catch_unwind(AssertUnwindSafe(|| command(tx, now)));
        let result = result.unwrap_or_else(|_| Err(E::from(Fault::Panicked)));
        let outcome = match &result {
            Ok(_) => Outcome::Keep,
            Err(error) => match error.as_fault() {
                Some(fault) if fault.is_fatal() => Outcome::Fatal(fault.clone()),
                _ => Outcome::Drop,
            },
        };
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(E::from(Fault::Closed)),
            (Err(fault), _) => Err(E::from(fault)),
        };
        // The caller may be gone; what was committed stays committed.
        (self.reply)(result);
    }

    fn may_use_reserve(&self) -> bool {
        self.reserved
    }
}

/// Errors that may carry a failure of the store, which then gives up the whole commit.
pub trait AsFault {
    /// The failure, if it is one.
    fn as_fault(&self) -> Option<&Fault>;
}

impl AsFault for Fault {
    fn as_fault(&self) -> Option<&Fault> {
        Some(self)
    }
}

impl Store {
    /// Opens or makes the store and starts its writer.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] where the medium cannot be opened: another process has it, or it is damaged.
    pub fn open(settings: Settings) -> Result<Self, Fault> {
        let repaired = Arc::new(AtomicBool::new(false));
        let engine = open_engine(&settings, &repaired)?;
        let (queue, commands) = sync_channel(MAX_QUEUE);
        let shared = Arc::new(Shared {
            settings,
            file: RwLock::new(File::Open(engine)),
            queue: Mutex::new(Some(queue)),
            waiting: AtomicU64::new(0),
            counts: Counts::default(),
            committed: watch::Sender::new(0),
            repaired,
            room: Room::default(),
            compactions: Mutex::default(),
        });
        shared.keep_reserve();
        let worker = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("store-writer".into()).spawn(move || worker.write_loop(&commands));
        let thread = thread.map_err(|error| Fault::Unavailable(error.to_string()))?;
        let stop = Arc::new(Stop { shared: Arc::clone(&shared), thread: Mutex::new(Some(thread)) });
        Ok(Self { shared, _stop: stop, reserved: false })
    }

    /// A handle whose commands may use the reserve, so that they are committed on a full disk too: what ends a right, what
    /// keeps evidence, what makes room.
    #[must_use]
    pub fn reserved(&self) -> Self {
        Self { reserved: true, ..self.clone() }
    }

    /// Runs a command in the one write path and waits until it is on the disk.
    ///
    /// # Errors
    /// The command's own refusal (then nothing was written), or a [`Fault`] in its clothes.
    pub fn write<T, E, F>(&self, command: F) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        T: Send + 'static,
        E: From<Fault> + AsFault + Send + 'static,
        F: FnOnce(&mut Tx<'_>, Timestamp) -> Result<T, E> + Send + 'static,
    {
        let store = self.clone();
        async move {
            let (sender, answer) = oneshot::channel();
            let reply = move |result| drop(sender.send(result));
            store.submit(Box::new(Pending {
                command: Some(command),
                result: None,
                reply,
                reserved: store.reserved,
            }))?;
            answer.await.unwrap_or_else(|_| Err(E::from(Fault::Closed)))
        }
    }

    /// [`Store::write`] for a caller that may block its thread: start-up, tools, tests.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn write_blocking<T, E>(
        &self,
        command: impl FnOnce(&mut Tx<'_>, Timestamp) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Fault> + AsFault + Send + 'static,
    {
        let (sender, answer) = sync_channel(1);
        let reply = move |result| drop(sender.send(result));
        self.submit(Box::new(Pending { command: Some(command), result: None, reply, reserved: self.reserved }))?;
        answer.recv().unwrap_or_else(|_| Err(E::from(Fault::Closed)))
    }

    fn submit(&self, command: Box<dyn Command>) -> Result<(), Fault> {
        let queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or(Fault::Closed)?;
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        queue.try_send(command).map_err(|refused| {
            self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            match refused {
                TrySendError::Full(_) => Fault::Busy,
                TrySendError::Disconnected(_) => Fault::Closed,
            }
        })
    }

    /// Whoever else writes to this disk found it full: the reserve is given free, as after a commit that found it so.
    pub fn found_full(&self) {
        if !self.shared.room.is_short() {
            self.shared.use_reserve();
        }
    }

    /// The store as it is now.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] while it is being reopened after a failure, [`Fault::Closed`] once it is closed.
    pub fn read(&self) -> Result<Snapshot, Fault> {
        self.shared.file().engine()?.snapshot()
    }

    /// Changes after each commit, for who must look what is new: replication, clocks.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shared.committed.subscribe()
    }

    /// The figures of this store.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let counts = &self.shared.counts;
        Figures {
            commands: counts.commands.load(Ordering::Relaxed),
            commits: counts.commits.load(Ordering::Relaxed),
            failures: counts.failures.load(Ordering::Relaxed),
            checkpoints: counts.checkpoints.load(Ordering::Relaxed),
            payload_bytes: counts.payload.load(Ordering::Relaxed),
            queued: self.shared.waiting.load(Ordering::Relaxed),
            repaired: self.shared.repaired.load(Ordering::SeqCst),
            full: self.shared.room.is_short(),
        }
    }

    /// How long the commits of this store took.
    #[must_use]
    pub fn commit_times(&self) -> CommitTimes {
        self.shared.counts.times.taken()
    }

    /// Stops taking commands, finishes those that wait, and closes the file. Later commands are refused as closed.
    pub fn close(&self) {
        self._stop.stop();
    }
}

/// Stops the writer when the last handle goes.
struct Stop {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Stop {
    fn stop(&self) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Held to the end: whoever else closes the store waits until it is closed.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        // A command may hold the last handle; its thread ends by itself, and closes the file as it goes.
        if let Some(thread) = thread.take_if(|thread| thread.thread().id() != std::thread::current().id()) {
            drop(thread.join());
        }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Opens the file. redb refuses most damage, but panics over some.
fn open_engine(settings: &Settings, repaired: &Arc<AtomicBool>) -> Result<Engine, Fault> {
    let open = || Engine::open(&settings.medium, &*settings.entropy, repaired);
    let opened = catch_unwind(AssertUnwindSafe(open));
    opened.unwrap_or(Err(Fault::Corrupt { table: "store", reason: "a page of the file is damaged" }))
}

impl Shared {
    fn file(&self) -> RwLockReadGuard<'_, File> {
        self.file.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn file_mut(&self) -> RwLockWriteGuard<'_, File> {
        self.file.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another state in the file's place; the old one is closed by then.
    fn set_file(&self, file: File) {
        self.replace(&mut self.file_mut(), file);
    }

    /// Closing writes which pages are free, unless a transaction has.
    fn replace(&self, place: &mut File, file: File) {
        let was_marked = place.engine().is_ok_and(Engine::is_marked);
        let close = || panics::noted(&self.settings.medium, was_marked, || *place = file);
        if catch_unwind(AssertUnwindSafe(close)).is_err() {
            tracing::error!("the store panicked while it was closed");
        }
    }

    fn write_loop(&self, commands: &Receiver<Box<dyn Command>>) {
        while let Some(first) = self.next(commands) {
            self.look_for_room();
            let mut queued = commands.try_iter().inspect(|_| self.took()).filter_map(|command| self.admit(command));
            let mut batch: Vec<_> = self.admit(first).into_iter().collect();
            batch.extend(queued.by_ref().take(MAX_BATCH - batch.len()));
            self.commit(batch, &mut queued);
            // After the answers: what they promised is in the journal, and need not wait for this.
            self.checkpoint();
            self.compact();
        }
        self.settle_all();
        self.set_file(File::Closed);
    }

    /// Waits for a command; opens a failed file again meanwhile. `None` once the queue is closed and empty.
    fn next(&self, commands: &Receiver<Box<dyn Command>>) -> Option<Box<dyn Command>> {
        loop {
            let failed = matches!(*self.file(), File::Failed);
            let first = if failed {
                commands.recv_timeout(REOPEN_EVERY)
            } else {
                commands.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match first {
                Ok(first) => {
                    self.took();
                    return Some(first);
                }
                Err(RecvTimeoutError::Timeout) => self.reopen(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// A command left the queue.
    fn took(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Runs and commits a batch, then answers each of its commands.
    fn commit(&self, mut batch: Vec<Box<dyn Command>>, queued: &mut dyn Iterator<Item = Box<dyn Command>>) {
        let begun = self.settings.clock.monotonic();
        match self.durable(&mut batch, queued) {
            Ok(committed) => {
                if committed.payload > 0 {
                    self.counts.times.note(self.settings.clock.monotonic().since(begun));
                }
                self.counts.commands.fetch_add(batch.len() as u64, Ordering::Relaxed);
                self.counts.payload.fetch_add(committed.payload, Ordering::Relaxed);
                committed.notices.into_iter().for_each(|notice| self.tell(notice));
                // After the notices, so that whoever is woken by a commit finds what it told.
                if committed.payload > 0 {
                    self.counts.commits.fetch_add(1, Ordering::Relaxed);
                    self.committed.send_modify(|commits| *commits += 1);
                }
                batch.into_iter().for_each(|command| command.answer(Ok(())));
            }
            Err(fault) => {
                tracing::error!(%fault, commands = batch.len(), "a commit failed; the store is reopened");
                self.failed(&fault);
                batch.into_iter().for_each(|command| command.answer(Err(fault.clone())));
            }
        }
    }

    /// Runs the commands of a batch and brings what they wrote to the disk.
    fn durable(
        &self,
        batch: &mut Vec<Box<dyn Command>>,
        queued: &mut dyn Iterator<Item = Box<dyn Command>>,
    ) -> Result<Committed, Fault> {
        let (committed, left) = guarded(|| {
            let file = self.file();
            let engine = file.engine()?;
            let (committed, draft) = batch::run(engine.next()?, &self.settings, batch, queued)?;
            // Nothing but refusals and repeats: what they answered from is on the disk already.
            let left = if committed.payload > 0 { engine.append(draft)? } else { None };
            Ok((committed, left))
        })?;
        if let Some(draft) = left {
            self.finish_checkpoint()?;
            // No snapshot may begin while tables and memory differ.
            guarded(|| self.file_mut().engine_mut()?.settle(Some(&draft)))?;
            self.counts.checkpoints.fetch_add(1, Ordering::Relaxed);
        }
        Ok(committed)
    }

    /// Ends a checkpoint that is over, and begins the next if it is time. Where one fails nothing is lost: the journal
    /// goes on until it is full, and then commits are refused.
    fn checkpoint(&self) {
        let is = |what: fn(&Engine) -> bool| self.file().engine().is_ok_and(what);
        let ended = if is(Engine::is_over) { self.finish_checkpoint() } else { Ok(()) };
        if is(Engine::is_due) && ended.is_ok() && !self.room.is_stuck() {
            let beside = self.settings.checkpoints_beside;
            drop(self.file_mut().engine_mut().map(|engine| engine.begin(beside)));
        }
        if let Err(fault) = ended {
            tracing::error!(%fault, "a checkpoint failed; the store is reopened");
            self.failed(&fault);
        }
    }

    /// Waits for a checkpoint that was begun, if there is one.
    fn finish_checkpoint(&self) -> Result<(), Fault> {
        // Readers go on while it is waited for.
        let was_running = guarded(|| self.file().engine()?.wait())?;
        if was_running {
            self.file_mut().engine_mut()?.finish();
            self.counts.checkpoints.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Brings everything into the tables before the file is closed; what cannot be stays in the journal.
    fn settle_all(&self) {
        let settled = self.finish_checkpoint().and_then(|()| {
            guarded(|| {
                let mut file = self.file_mut();
                let engine = file.engine_mut()?;
                if engine.is_settled() { Ok(()) } else { engine.settle(None) }
            })
        });
        if let Err(fault) = settled {
            tracing::error!(%fault, "the journal was not brought into the tables; it will be when the store is opened");
        }
    }

    /// After a failure the file is closed and opened again.
    fn failed(&self, fault: &Fault) {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        if *fault != Fault::Full {
            self.set_file(File::Failed);
            return self.reopen();
        }
        self.use_reserve();
        // The disk is sound and opens at once: who reads meanwhile waits for that, and is not refused.
        let mut file = self.file_mut();
        self.replace(&mut file, File::Failed);
        if let Some(engine) = self.opened() {
            *file = File::Open(engine);
        }
    }

    /// Hands a notice on. A listener that panics loses this one and no other.
    fn tell(&self, notice: Notice) {
        if catch_unwind(AssertUnwindSafe(|| (self.settings.listener)(notice))).is_err() {
            tracing::error!(?notice, "the listener panicked");
        }
    }

    fn reopen(&self) {
        if let Some(engine) = self.opened() {
            self.set_file(File::Open(engine));
        }
    }

    /// Opens the file again; says how that went.
    fn opened(&self) -> Option<Engine> {
        let opened = open_engine(&self.settings, &self.repaired);
        match &opened {
            Ok(_) => tracing::info!("the store is open again"),
            Err(fault) => tracing::error!(%fault, "the store cannot be reopened"),
        }
        opened.ok()
    }
}
