//! Who is connected: how many connections an address and a user may hold, and which one makes place.
//!
//! A connection counts for its address until a request on it has been authenticated, then for that user, since
//! phones behind one access point share an address. Where a count is full, the oldest connection that has been
//! idle for a moment makes place, so that idle connections never keep others out; until one can, the new one
//! waits, for a bounded time. Must not know HTTP, routes or what a user is.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::time::{Clock, Instant};

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// All together; below the process's file limit, since every connection is a file.
    pub total: usize,
    /// From one address, until authenticated: more than the phones behind one access point open at once.
    pub per_address: usize,
    /// Of one user: several tabs and phones with a socket or two each.
    pub per_user: usize,
    /// How long a connection may wait for a place at its address.
    pub patience: Duration,
    /// How long a connection must have been idle before it makes place: long enough that a client which has just
    /// connected has sent its request.
    pub grace: Duration,
}

/// Connections that may wait at an address, as a multiple of its places: a burst of a whole hall's phones.
const WAITING: usize = 4;
/// How often one that waits looks whether another has been idle for long enough.
const LOOK: Duration = Duration::from_millis(50);

/// Files kept free for the store, upstream, backups and logs.
const RESERVED_FILES: usize = 128;
/// The most connections that are of use on a small box, whatever the file limit.
const MOST_CONNECTIONS: usize = 8192;
/// The file limit that is taken where the system names none.
const USUAL_FILES: usize = 1024;

impl Caps {
    /// The caps of a running box (design.md, section 8), under this process's file limit.
    #[must_use]
    pub fn of_this_process() -> Self {
        let files = std::fs::read_to_string("/proc/self/limits").ok();
        let files = files.as_deref().map_or(Some(USUAL_FILES), open_files).unwrap_or(USUAL_FILES);
        let total = files.saturating_sub(RESERVED_FILES).clamp(16, MOST_CONNECTIONS);
        let (patience, grace) = (Duration::from_secs(5), Duration::from_millis(500));
        Self { total, per_address: 64, per_user: 16, patience, grace }
    }
}

/// The soft limit of open files in the text of `/proc/self/limits`; `None` where it is not there or unlimited.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What a connection counts for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Holder {
    Address(IpAddr),
    User(String),
    /// A reverse proxy of the owner's: it counts its clients itself.
    Proxy,
}

#[derive(Debug)]
struct Entry {
    holder: Holder,
    /// Requests in flight, a socket being one for as long as it lives.
    busy: usize,
    /// At least one whole request came over it.
    served: bool,
    /// When it was last without a request in flight.
    idle_since: Instant,
    give_way: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    open: BTreeMap<u64, Entry>,
    held: HashMap<Holder, usize>,
    waiting: HashMap<IpAddr, usize>,
}

impl State {
    fn count(&self, holder: &Holder) -> usize {
        self.held.get(holder).copied().unwrap_or(0)
    }

    fn take(&mut self, holder: Holder) {
        if holder != Holder::Proxy {
            *self.held.entry(holder).or_default() += 1;
        }
    }

    fn give(&mut self, holder: &Holder) {
        if let Some(count) = self.held.get_mut(holder) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.held.remove(holder);
            }
        }
    }

    /// Closes the oldest connection that `fits` and has been idle since `before`, one that never sent a whole
    /// request first; its place is free at once.
    fn evict(&mut self, before: Instant, fits: impl Fn(&Entry) -> bool) -> bool {
        let idle = self.open.iter().filter(|(_, e)| e.busy == 0 && e.idle_since <= before && fits(e));
        let Some(id) = idle.min_by_key(|(id, entry)| (entry.served, **id)).map(|(id, _)| *id) else { return false };
        if let Some(entry) = self.open.remove(&id) {
            self.give(&entry.holder);
            entry.give_way.cancel();
        }
        true
    }
}

/// All connections of the box.
pub struct Connections {
    caps: Caps,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
    state: Mutex<State>,
    freed: Notify,
    sockets: AtomicUsize,
    /// Cancelled when the box stops.
    pub stop: CancellationToken,
    /// Cancelled when the stop's deadline has passed: whatever is left ends at once.
    pub cut: CancellationToken,
    /// Every connection and socket; drained when the box stops.
    pub tasks: TaskTracker,
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new(caps: Caps, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            caps,
            clock,
            places: Arc::new(Semaphore::new(caps.total)),
            state: Mutex::default(),
            freed: Notify::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            sockets: AtomicUsize::new(0),
            tasks: TaskTracker::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes one idle connection that `fits`. The clock has run for less than the grace only right after the start,
    /// when there is nothing to close.
    fn evict(&self, fits: impl Fn(&Entry) -> bool) -> bool {
        let before = self.clock.monotonic().minus(self.caps.grace);
        self.state().evict(before, fits)
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.state().open.len()
    }

    /// How many of them are sockets.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.sockets.load(Ordering::Relaxed)
    }

    /// Waits until one more file may be open. Called before accepting, so that what does not fit stays in the
    /// kernel's queue.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(permit);
        }
        loop {
            self.evict(|entry| matches!(entry.holder, Holder::Address(_)));
            match tokio::time::timeout(LOOK, Arc::clone(&self.places).acquire_owned()).await {
                Ok(permit) => return permit.ok(),
                Err(_) => continue,
            }
        }
    }

    /// Gives an accepted connection its place at its address, or nothing if the address has all its places at
    /// work for longer than the caps' patience. `proxy`: the peer is a reverse proxy named in the settings.
    pub async fn admit(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        peer: IpAddr,
        proxy: bool,
    ) -> Option<Arc<Connection>> {
        let holder = if proxy { Holder::Proxy } else { Holder::Address(peer) };
        let entered = match self.try_enter(&holder) {
            Some(entered) => Some(entered),
            None => self.wait_to_enter(&holder, peer).await,
        };
        let (id, give_way) = entered?;
        let all = Arc::clone(self);
        Some(Arc::new(Connection {
            all,
            id,
            peer,
            proxy,
            wire: OnceLock::new(),
            give_way,
            over_user_cap: AtomicBool::new(false),
            permit,
        }))
    }

    fn try_enter(&self, holder: &Holder) -> Option<(u64, CancellationToken)> {
        let now = self.clock.monotonic();
        let mut state = self.state();
        let full = *holder != Holder::Proxy && state.count(holder) >= self.caps.per_address;
        if full && !state.evict(now.minus(self.caps.grace), |entry| entry.holder == *holder) {
            return None;
        }
        let give_way = CancellationToken::new();
        state.last += 1;
        let id = state.last;
        state.take(holder.clone());
        state.open.insert(
            id,
            Entry { holder: holder.clone(), busy: 0, served: false, idle_since: now, give_way: give_way.clone() },
        );
        Some((id, give_way))
    }

    async fn wait_to_enter(&self, holder: &Holder, peer: IpAddr) -> Option<(u64, CancellationToken)> {
        {
            let mut state = self.state();
            let waiting = state.waiting.entry(peer).or_default();
            if *waiting >= self.caps.per_address.saturating_mul(WAITING) {
                return None;
            }
            *waiting += 1;
        }
        let entered = tokio::time::timeout(self.caps.patience, async {
            loop {
                let freed = self.freed.notified();
                if let Some(entered) = self.try_enter(holder) {
                    return entered;
                }
                let _ = tokio::time::timeout(LOOK, freed).await;
            }
        });
        let entered = tokio::select! {
            entered = entered => entered.ok(),
            () = self.stop.cancelled() => None,
        };
        let mut state = self.state();
        if let Some(waiting) = state.waiting.get_mut(&peer) {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                state.waiting.remove(&peer);
            }
        }
        entered
    }
}

/// How a connection is protected on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Not at all: no TLS is offered here.
    Plain,
    /// By TLS.
    Tls,
    /// Not at all, although TLS is offered at the same port.
    Declined,
}

/// One connection. A socket that grew out of it keeps it, and with it its place.
pub struct Connection {
    all: Arc<Connections>,
    id: u64,
    /// The address of the peer itself, v4 where it is a mapped v6 one.
    pub peer: IpAddr,
    /// The peer is a reverse proxy named in the settings, so its forwarded headers count.
    pub proxy: bool,
    wire: OnceLock<Wire>,
    /// Cancelled when this connection must make place.
    pub give_way: CancellationToken,
    over_user_cap: AtomicBool,
    #[expect(dead_code, reason = "held, so that the place is given back when the connection is dropped")]
    permit: OwnedSemaphorePermit,
}

impl Connection {
    /// Notes how the connection turned out to be protected; the first word counts.
    pub fn is_over(&self, wire: Wire) {
        let _ = self.wire.set(wire);
    }

    /// How it is protected.
    #[must_use]
    pub fn wire(&self) -> Wire {
        self.wire.get().copied().unwrap_or(Wire::Plain)
    }

    /// Counts this connection for `user` from now on, instead of for its address. Past the user's cap it stays
    /// counted for its address and becomes [`Connection::crowded`].
    pub fn authenticated(&self, user: &str) {
        if self.proxy {
            return;
        }
        let holder = Holder::User(user.to_owned());
        let mut state = self.all.state();
        let Some(entry) = state.open.get(&self.id) else { return };
        if entry.holder == holder {
            return;
        }
        let before = entry.holder.clone();
        if state.count(&holder) >= self.all.caps.per_user {
            self.over_user_cap.store(true, Ordering::Relaxed);
            return;
        }
        state.give(&before);
        state.take(holder.clone());
        if let Some(entry) = state.open.get_mut(&self.id) {
            entry.holder = holder;
        }
        self.over_user_cap.store(false, Ordering::Relaxed);
        drop(state);
        self.all.freed.notify_waiters();
    }

    /// Whether this connection may stay for long, as a socket: not one past its user's cap, unless an idle one
    /// of the user's makes place.
    #[must_use]
    pub fn may_stay(&self, user: &str) -> bool {
        self.authenticated(user);
        if self.over_user_cap.load(Ordering::Relaxed) {
            let holder = Holder::User(user.to_owned());
            self.all.evict(|entry| entry.holder == holder);
            self.authenticated(user);
        }
        !self.over_user_cap.load(Ordering::Relaxed)
    }

    /// The connection should close after the present reply: its user has more than the cap, or its address has
    /// used up half of its places. Nobody is refused by this; a kept-open connection merely is not kept.
    #[must_use]
    pub fn crowded(&self) -> bool {
        let state = self.all.state();
        let Some(entry) = state.open.get(&self.id) else { return true };
        let full =
            matches!(entry.holder, Holder::Address(_)) && state.count(&entry.holder) > self.all.caps.per_address / 2;
        full || self.over_user_cap.load(Ordering::Relaxed)
    }

    /// Marks a request as in flight for as long as the guard lives.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Busy {
        if let Some(entry) = self.all.state().open.get_mut(&self.id) {
            entry.busy += 1;
            entry.served = true;
        }
        Busy { connection: Arc::clone(self), socket: false }
    }

    /// Marks this connection as a live socket for as long as the guard lives.
    #[must_use]
    pub fn begin_socket(self: &Arc<Self>) -> Busy {
        self.all.sockets.fetch_add(1, Ordering::Relaxed);
        let mut busy = self.begin();
        busy.socket = true;
        busy
    }

    /// A request is in flight on it, or it is a socket.
    #[must_use]
    pub fn at_work(&self) -> bool {
        self.all.state().open.get(&self.id).is_some_and(|entry| entry.busy > 0)
    }

    /// Cancelled when the stop's deadline has passed.
    #[must_use]
    pub fn cut(&self) -> &CancellationToken {
        &self.all.cut
    }

    /// Cancelled when the box stops.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        &self.all.stop
    }

    /// Where the tasks of sockets are counted, so that a stop waits for them.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.all.tasks
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.all.state();
        // An evicted connection gave its place back when it was evicted.
        if let Some(entry) = state.open.remove(&self.id) {
            state.give(&entry.holder);
        }
        drop(state);
        self.all.freed.notify_waiters();
    }
}

/// A request in flight, or a live socket: its connection does not make place for others.
pub struct Busy {
    connection: Arc<Connection>,
    socket: bool,
}

impl Drop for Busy {
    fn drop(&mut self) {
        let all = &self.connection.all;
        let now = all.clock.monotonic();
        if let Some(entry) = all.state().open.get_mut(&self.connection.id) {
            entry.busy = entry.busy.saturating_sub(1);
            entry.idle_since = now;
        }
        if self.socket {
            all.sockets.fetch_sub(1, Ordering::Relaxed);
        }
        all.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{ManualClock, SystemClock, Timestamp};

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 4, 2));

    fn caps(total: usize, per_address: usize, per_user: usize) -> Arc<Connections> {
        let (patience, grace) = (Duration::from_millis(1), Duration::ZERO);
        Connections::new(Caps { total, per_address, per_user, patience, grace }, Arc::new(SystemClock::new()))
    }

    async fn enter(all: &Arc<Connections>) -> Option<Arc<Connection>> {
        let permit = all.place().await.unwrap();
        all.admit(permit, HOME, false).await
    }

    #[test]
    fn the_file_limit_is_read_from_the_kernels_table() {
        let table = "Limit                     Soft Limit           Hard Limit           Units\n\
                     Max open files            1024                 524288               files\n";
        assert_eq!(open_files(table), Some(1024));
        assert_eq!(open_files("Max open files            unlimited unlimited files"), None);
        assert!(Caps::of_this_process().total >= 16);
    }

    #[tokio::test]
    async fn the_oldest_idle_connection_of_an_address_makes_place() {
        let all = caps(10, 2, 2);
        let first = enter(&all).await.unwrap();
        let second = enter(&all).await.unwrap();
        let _at_work = first.begin();
        let third = enter(&all).await.unwrap();
        assert!(second.give_way.is_cancelled() && !first.give_way.is_cancelled());
        let _also = third.begin();
        assert!(enter(&all).await.is_none(), "both places are at work");
    }

    #[tokio::test]
    async fn one_that_has_just_come_does_not_make_place() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(0)));
        let (patience, grace) = (Duration::from_millis(1), Duration::from_secs(2));
        let all = Connections::new(Caps { total: 9, per_address: 1, per_user: 1, patience, grace }, clock.clone());
        clock.advance(Duration::from_secs(9));
        let first = enter(&all).await.unwrap();
        assert!(enter(&all).await.is_none() && !first.give_way.is_cancelled());
        clock.advance(Duration::from_secs(2));
        assert!(enter(&all).await.is_some() && first.give_way.is_cancelled());
    }

    #[tokio::test]
    async fn a_signed_in_connection_frees_its_place_at_the_address() {
        let all = caps(10, 1, 1);
        let first = enter(&all).await.unwrap();
        let busy = first.begin();
        assert!(enter(&all).await.is_none());
        first.authenticated("ada");
        let second = enter(&all).await.unwrap();
        assert!(!second.may_stay("ada"), "ada's one place is at work");
        drop(busy);
        assert!(second.may_stay("ada") && first.give_way.is_cancelled());
    }

    #[tokio::test]
    async fn every_place_is_given_back() {
        let all = caps(3, 3, 3);
        for _ in 0..3 {
            let held: Vec<_> =
                [enter(&all).await, enter(&all).await, enter(&all).await].into_iter().flatten().collect();
            assert_eq!((held.len(), all.open()), (3, 3));
            drop(held);
            assert_eq!(all.open(), 0);
            assert!(all.state().held.is_empty() && all.state().open.is_empty());
        }
    }
}
