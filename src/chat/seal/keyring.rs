//! The keyring: the bucket keys in memory, always what the key file holds.
//!
//! A new key is durable before anyone can see it; a destroyed one is gone from the file before it is gone from here.
//! Changes are serialised and grouped: whoever waits while the file is written shares the next write.
//! A bucket is *writable* while it is the newest of its kind and not retired; the send transaction asks, so that no
//! copy enters a bucket whose survivors have been counted. Must not know messages.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::base::entropy::Entropy;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::chat::seal::bucket::{Bucket, BucketId, Kind};
use crate::chat::seal::file::{self, FileKeys, KeyFileError, Wrapped};

/// The bucket keys of a box.
pub struct Keyring {
    path: PathBuf,
    keys: FileKeys,
    entropy: Arc<dyn Entropy>,
    state: RwLock<State>,
    /// Held while the file is replaced.
    writing: Mutex<()>,
    /// Kinds that somebody waits for; the next write makes them all.
    wanted: Mutex<HashSet<Kind>>,
    revision: AtomicU64,
}

#[derive(Default)]
struct State {
    wrap_version: u32,
    buckets: HashMap<BucketId, Arc<Bucket>>,
    newest: HashMap<Kind, BucketId>,
    retired: HashSet<BucketId>,
}

/// What `keys status` shows. No key is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyringStatus {
    /// Which derived key wraps the bucket keys.
    pub wrap_version: u32,
    /// Buckets of participants' copies.
    pub participants: usize,
    /// Buckets of archive copies, by day of expiry.
    pub days: usize,
    /// Buckets of held copies.
    pub holds: usize,
}

impl State {
    fn insert(&mut self, bucket: Bucket) {
        let newest = self.newest.get(&bucket.kind).and_then(|id| self.buckets.get(id));
        // Two of one moment are told apart by their ids, so that a restart finds the same one newest.
        if newest.is_none_or(|newest| (newest.created_at, newest.id) < (bucket.created_at, bucket.id)) {
            self.newest.insert(bucket.kind, bucket.id);
        }
        self.buckets.insert(bucket.id, Arc::new(bucket));
    }

    fn remove(&mut self, id: BucketId) {
        self.retired.remove(&id);
        if let Some(bucket) = self.buckets.remove(&id)
            && self.newest.get(&bucket.kind) == Some(&id)
        {
            let rest = self.buckets.values().filter(|other| other.kind == bucket.kind);
            match rest.max_by_key(|other| (other.created_at, other.id)) {
                Some(other) => self.newest.insert(bucket.kind, other.id),
                None => self.newest.remove(&bucket.kind),
            };
        }
    }

    fn current(&self, kind: Kind) -> Option<&Arc<Bucket>> {
        self.newest.get(&kind).filter(|id| !self.retired.contains(id)).and_then(|id| self.buckets.get(id))
    }
}

impl Keyring {
    /// Reads the key file; an absent one is an empty keyring, and the file is made with the first key.
    ///
    /// # Errors
    /// [`KeyFileError`]. Nothing has been written then.
    pub fn open(path: PathBuf, keys: FileKeys, entropy: Arc<dyn Entropy>) -> Result<Self, KeyFileError> {
        let mut state = State { wrap_version: 1, ..State::default() };
        if let Some(bytes) = file::read(&path)? {
            let contents = keys.decode(&bytes)?;
            state.wrap_version = contents.wrap_version;
            contents.buckets.into_iter().for_each(|bucket| state.insert(bucket));
        }
        let (writing, wanted) = (Mutex::new(()), Mutex::new(HashSet::new()));
        Ok(Self { path, keys, entropy, state: RwLock::new(state), writing, wanted, revision: AtomicU64::new(0) })
    }

    /// Where randomness comes from.
    #[must_use]
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// The key file's bytes as they are now; nothing before the first key.
    ///
    /// # Errors
    /// [`KeyFileError::Io`].
    pub fn bytes(&self) -> Result<Option<Vec<u8>>, KeyFileError> {
        file::read(&self.path)
    }

    /// A bucket by its id, writable or not.
    #[must_use]
    pub fn get(&self, id: BucketId) -> Option<Arc<Bucket>> {
        self.state().buckets.get(&id).cloned()
    }

    /// The bucket that new copies of a kind go to; nothing until [`Keyring::ensure`] has made one.
    #[must_use]
    pub fn current(&self, kind: Kind) -> Option<Arc<Bucket>> {
        self.state().current(kind).cloned()
    }

    /// Whether copies may still enter a bucket.
    #[must_use]
    pub fn writable(&self, id: BucketId) -> bool {
        let state = self.state();
        state.buckets.get(&id).is_some_and(|bucket| state.current(bucket.kind).is_some_and(|now| now.id == id))
    }

    /// Every bucket's id, kind and age.
    #[must_use]
    pub fn list(&self) -> Vec<(BucketId, Kind, Timestamp)> {
        self.state().buckets.values().map(|bucket| (bucket.id, bucket.kind, bucket.created_at)).collect()
    }

    /// The figures for people.
    #[must_use]
    pub fn status(&self) -> KeyringStatus {
        let state = self.state();
        let count = |wanted: fn(Kind) -> bool| state.buckets.values().filter(|bucket| wanted(bucket.kind)).count();
        KeyringStatus {
            wrap_version: state.wrap_version,
            participants: count(|kind| matches!(kind, Kind::Participants(_))),
            days: count(|kind| matches!(kind, Kind::Day(_))),
            holds: count(|kind| matches!(kind, Kind::Hold(_))),
        }
    }

    /// Makes sure that every kind has a writable bucket, durably. Blocks while the file is written.
    ///
    /// # Errors
    /// [`KeyFileError::Io`]; then no kind is promised.
    pub fn ensure(&self, kinds: &[Kind], now: Timestamp) -> Result<(), KeyFileError> {
        if self.has(kinds) {
            return Ok(());
        }
        self.wanted().extend(kinds);
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has(kinds) {
            // Whoever held the file before has made them.
            return Ok(());
        }
        let mut wanted: HashSet<Kind> = self.wanted().drain().chain(kinds.iter().copied()).collect();
        // Tomorrow's key too: then the first message after midnight does not wait for a file.
        let next: Vec<Kind> = wanted.iter().filter_map(|kind| kind.next_day()).collect();
        wanted.extend(next);
        wanted.retain(|kind| self.current(*kind).is_none());
        let made: Vec<Bucket> = wanted.into_iter().map(|kind| self.make(kind, now)).collect();
        let version = self.state().wrap_version;
        let kept: Vec<Arc<Bucket>> = self.state().buckets.values().cloned().collect();
        self.replace(version, &kept.iter().map(AsRef::as_ref).chain(&made).collect::<Vec<_>>())?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        made.into_iter().for_each(|bucket| state.insert(bucket));
        drop(state);
        drop(writing);
        Ok(())
    }

    /// Counts the changes since the start: whoever keeps a copy elsewhere asks whether there was one.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// The key file's entries, their keys wrapped by the master key, in the order of their ids. Blocks.
    ///
    /// # Errors
    /// [`KeyFileError`] where the file cannot be read.
    pub fn wrapped(&self) -> Result<Vec<Wrapped>, KeyFileError> {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = file::read(&self.path)?;
        drop(writing);
        let mut entries =
            bytes.map_or(Ok(Vec::new()), |bytes| self.keys.entries(&bytes).map(|(_, entries)| entries))?;
        // What is in the file and not here is withheld.
        let state = self.state();
        entries.retain(|entry| state.buckets.contains_key(&entry.id));
        drop(state);
        entries.sort_unstable_by_key(|entry| entry.id);
        Ok(entries)
    }

    /// Makes the key file of a lost box from copies that were kept elsewhere.
    ///
    /// # Errors
    /// [`KeyFileError::Damaged`] for a copy that is not this box's under this master key; [`KeyFileError::Io`] where
    /// there is a key file already. Nothing was written then.
    pub fn rebuild(
        path: &Path,
        keys: &FileKeys,
        copies: &[Wrapped],
        entropy: &dyn Entropy,
    ) -> Result<(), KeyFileError> {
        if path.exists() {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        let buckets = copies.iter().map(|entry| keys.adopt(entry)).collect::<Result<Vec<_>, _>>()?;
        let version = copies.iter().map(|entry| entry.wrap_version).max().unwrap_or(1);
        file::replace(path, &keys.encode(version, buckets.iter(), entropy))
    }

    /// From here on no copy enters these buckets. Not durable: after a restart the newest of a kind is writable again.
    pub fn retire(&self, ids: &[BucketId]) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).retired.extend(ids);
    }

    /// Keeps these keys out of memory, so that they open nothing and no file that is written has them.
    pub(in crate::chat) fn withhold(&self, ids: &[BucketId]) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        ids.iter().for_each(|id| state.remove(*id));
    }

    /// Destroys the keys of these buckets: what is sealed under them cannot be opened by anyone again.
    ///
    /// # Errors
    /// [`KeyFileError::Io`]; then it must be tried again.
    pub fn destroy(&self, ids: &[BucketId]) -> Result<(), KeyFileError> {
        self.rewrite(|state| state.wrap_version, ids)
    }

    /// Wraps every bucket key under the next derived key, while the box runs.
    ///
    /// # Errors
    /// [`KeyFileError::Io`]; the file is then wholly under the old key, or wholly under the new one.
    pub fn rotate(&self) -> Result<(), KeyFileError> {
        self.rewrite(|state| state.wrap_version.saturating_add(1), &[])
    }

    fn rewrite(&self, version: impl Fn(&State) -> u32, without: &[BucketId]) -> Result<(), KeyFileError> {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let version = version(&self.state());
        let kept: Vec<Arc<Bucket>> =
            self.state().buckets.values().filter(|bucket| !without.contains(&bucket.id)).cloned().collect();
        self.replace(version, &kept.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.wrap_version = version;
        without.iter().for_each(|id| state.remove(*id));
        drop(state);
        drop(writing);
        Ok(())
    }

    fn replace(&self, version: u32, buckets: &[&Bucket]) -> Result<(), KeyFileError> {
        let mut sorted = buckets.to_vec();
        sorted.sort_by_key(|bucket| (bucket.created_at, bucket.id));
        file::replace(&self.path, &self.keys.encode(version, sorted.into_iter(), &*self.entropy))?;
        self.revision.fetch_add(1, Ordering::Release);
        Ok(())
    }

    fn make(&self, kind: Kind, now: Timestamp) -> Bucket {
        // Newer than the one it follows, also where the clock went back.
        let state = self.state();
        let before = state.newest.get(&kind).and_then(|id| state.buckets.get(id)).map(|bucket| bucket.created_at);
        let after = before.map_or(now, |before| before.plus(Duration::from_micros(1)));
        drop(state);
        let id = BucketId::from_bytes(self.entropy.bytes());
        Bucket { id, kind, created_at: now.max(after), key: Secret::new(self.entropy.bytes()) }
    }

    fn has(&self, kinds: &[Kind]) -> bool {
        let state = self.state();
        kinds.iter().all(|kind| state.current(*kind).is_some())
    }

    fn state(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(&self) -> std::sync::MutexGuard<'_, HashSet<Kind>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
