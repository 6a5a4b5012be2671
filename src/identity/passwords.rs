//! Passwords: hashed and verified in a small pool, so that a storm of logins cannot take the machine from the games.
//!
//! The pool has threads of its own, which give way to all others: two cores that hash would leave a move waiting for
//! its turn (`benches/storm`).
//!
//! Must not know users or requests. What may be a password is in [`crate::identity::policy`].

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::base::entropy::Entropy;
use crate::base::secret::Secret;
use crate::identity::old_passwords;

/// Memory of one hash, in KiB, passes and lanes: the least that OWASP's Password Storage Cheat Sheet recommends.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// The most that a stored hash may ask for, in KiB, passes and lanes: hashes come from imports and from central too.
const MOST_COST: (u32, u32, u32) = (128 * 1024, 10, 8);
/// Hashes at once: as many as the box has cores (measured: more at once is slower).
const AT_ONCE: usize = 2;
/// Hashes that may wait. At 30 ms each the last waits a quarter of a second; beyond, "busy" is the honest answer.
const QUEUE: usize = 16;
/// How far the pool's threads give way, as `nice` has it: a tenth of the share of a thread that serves.
const NICE: i32 = 10;
/// Bytes of a salt (RFC 9106, section 3.1).
const SALT: usize = 16;
/// A hash that no password has: an unknown name costs the same time as a known one.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password's hash as a PHC string, parameters included.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The PHC string, for the user's row alone.
    #[must_use]
    pub(in crate::identity) fn into_string(self) -> String {
        self.0
    }

    /// The hash of a user's row.
    #[must_use]
    pub(in crate::identity) const fn stored(hash: String) -> Self {
        Self(hash)
    }

    /// A hash that was made elsewhere: an import, central. `None` if this box could not verify it, or at a ruinous cost.
    #[must_use]
    pub fn taken_over(hash: &str) -> Option<Self> {
        if old_passwords::known(hash) {
            return Some(Self(hash.to_owned()));
        }
        let phc = old_passwords::phc(hash);
        verifier(&Phc::new(phc).ok()?).map(|_| Self(phc.to_owned()))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// The pool and its queue are full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Busy;

/// What verifying a password gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// It is the password.
    pub matches: bool,
    /// It is, and the hash was made with less than the present cost.
    pub outdated: bool,
}

/// What a thread of the pool does next.
type Work = Box<dyn FnOnce() + Send>;

/// The pool. Its threads end with it.
pub struct Pool {
    work: Sender<Work>,
    taken: Arc<AtomicUsize>,
    entropy: Arc<dyn Entropy>,
}

/// A place in the pool or its queue; given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Pool {
    /// An empty pool, with its threads.
    #[must_use]
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        let (work, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..AT_ONCE {
            let waiting = Arc::clone(&waiting);
            let thread = std::thread::Builder::new().name("passwords".to_owned());
            if let Err(error) = thread.spawn(move || serve(&waiting)) {
                tracing::error!(%error, "a thread for passwords cannot be started");
            }
        }
        Self { work, taken: Arc::default(), entropy }
    }

    /// Hashes a password with a new salt.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn hash(&self, password: &Secret<String>) -> Result<PasswordHash, Busy> {
        let salt: [u8; SALT] = self.entropy.bytes();
        let password = Zeroizing::new(password.expose().clone());
        self.run(move || hash(password.as_bytes(), &salt)).await?.map(PasswordHash).ok_or(Busy)
    }

    /// Whether this is the password of a stored hash. `None` and an empty hash take as long and never match.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn verify(&self, password: &Secret<String>, stored: Option<&str>) -> Result<Verdict, Busy> {
        let stored = stored.filter(|hash| !hash.is_empty()).unwrap_or(NOBODY).to_owned();
        let password = Zeroizing::new(password.expose().clone());
        self.run(move || verify(password.as_bytes(), &stored)).await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let free = |taken: usize| (taken < AT_ONCE + QUEUE).then_some(taken + 1);
        self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free).map_err(|_| Busy)?;
        // The place goes with the work: a caller that hangs up does not make room before its work is done.
        let place = Place(Arc::clone(&self.taken));
        let (done, answer) = oneshot::channel();
        let work = move || {
            let made = work();
            drop(place);
            // Nobody may wait for it any more.
            drop(done.send(made));
        };
        self.work.send(Box::new(work)).map_err(|_| Busy)?;
        answer.await.map_err(|_| Busy)
    }
}

/// One thread: does what is waiting, until the pool is gone.
fn serve(waiting: &Mutex<Receiver<Work>>) {
    // On Linux it is the thread that asks, so no other one gives way.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "hashing does not give way");
    }
    loop {
        // The lock is held while waiting, and by one: the other waits for the lock instead.
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            tracing::error!("a password could not be hashed");
        }
    }
}

fn argon(cost: (u32, u32, u32)) -> Option<Argon2<'static>> {
    let params = Params::new(cost.0, cost.1, cost.2, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &[u8], salt: &[u8]) -> Option<String> {
    argon(COST)?.hash_password_with_salt(password, salt).ok().map(|hash| hash.to_string())
}

/// What can verify a stored hash, and whether it cost less than ours. `None` for other schemes and ruinous costs.
fn verifier(stored: &Phc) -> Option<(Argon2<'static>, bool)> {
    let algorithm = Algorithm::new(stored.algorithm.as_str()).ok()?;
    let params = Params::try_from(stored).ok()?;
    let cost = (params.m_cost(), params.t_cost(), params.p_cost());
    if cost.0 > MOST_COST.0 || cost.1 > MOST_COST.1 || cost.2 > MOST_COST.2 {
        return None;
    }
    let outdated = algorithm != Algorithm::Argon2id || cost.0 < COST.0 || cost.1 < COST.1;
    argon(COST).map(|argon| (argon, outdated))
}

fn verify(password: &[u8], stored: &str) -> Verdict {
    if let Some(matches) = old_passwords::verify(password, stored) {
        return Verdict { matches, outdated: matches };
    }
    let checked = Phc::new(stored).ok().and_then(|phc| {
        let (argon, outdated) = verifier(&phc)?;
        let matches = argon.verify_password(password, &phc).is_ok();
        Some(Verdict { matches, outdated: outdated && matches })
    });
    checked.unwrap_or_else(|| {
        // A hash that cannot be read costs what any other does, and matches nothing.
        drop(hash(password, &[0; SALT]));
        Verdict { matches: false, outdated: false }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;

    fn pool() -> Pool {
        Pool::new(Arc::new(SeededEntropy::new(1)))
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_password_opens_its_hash_and_no_password_opens_none() {
        let pool = pool();
        let hash = pool.hash(&secret("a fine password")).await.unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        let right = pool.verify(&secret("a fine password"), Some(&hash.0)).await.unwrap();
        assert_eq!(right, Verdict { matches: true, outdated: false });
        for stored in [Some(hash.0.as_str()), Some(""), Some("$2b$12$abc"), Some("x"), None] {
            assert!(!pool.verify(&secret("another one"), stored).await.unwrap().matches, "{stored:?}");
        }
        assert!(verifier(&Phc::new(NOBODY).unwrap()).is_some());
    }

    #[tokio::test]
    async fn a_weaker_hash_is_taken_over_and_named_outdated_and_a_ruinous_one_is_not() {
        let weak = argon((8 * 1024, 1, 1)).unwrap().hash_password_with_salt(b"old password", &[1; SALT]).unwrap();
        let verdict = pool().verify(&secret("old password"), Some(&weak.to_string())).await.unwrap();
        assert_eq!(verdict, Verdict { matches: true, outdated: true });
        assert!(PasswordHash::taken_over(&weak.to_string()).is_some());
        let ruinous = weak.to_string().replace("m=8192", "m=4194304");
        assert!(PasswordHash::taken_over(&ruinous).is_none());
        assert!(PasswordHash::taken_over("$2b$12$abcdefghijklmnopqrstuv").is_none());
    }

    #[tokio::test]
    async fn beyond_pool_and_queue_the_answer_is_busy_at_once() {
        let pool = pool();
        let password = secret("x");
        let all = (0..AT_ONCE + QUEUE + 10).map(|_| pool.verify(&password, None));
        let done = futures_util::future::join_all(all).await;
        assert_eq!(done.iter().filter(|one| one.is_err()).count(), 10);
        assert!(pool.verify(&password, None).await.is_ok(), "places are given back");
    }
}
