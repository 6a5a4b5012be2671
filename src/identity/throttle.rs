//! Throttles: what makes guessing slow, kept in the store so that a restart forgives nothing.
//!
//! A bucket counts failures of one subject in one scope. Other domains bring their own scopes through
//! [`Bucket`]; a subject is a keyed digest, so that neither names nor addresses stand in the table.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::store::fault::Fault;
use crate::store::index::{Index, Indexes};
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::{Read, ReadExt};
use crate::store::record::{Record, TableId};
use crate::store::tx::Tx;

/// A day, the span of every cap.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long an address that signed in counts as an account's own.
const OWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a bucket counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Wrong passwords for one account, from addresses that never signed in to it.
    Account,
    /// Wrong passwords for one account from an address that has signed in to it: whoever attacks the account from
    /// elsewhere does not lock its owner out.
    Own,
    /// Wrong passwords and codes from one address.
    Address,
    /// One-time codes asked for by one account.
    OtpRequest,
    /// Typed invite codes that do not exist, from one address.
    InviteCode,
    /// Typed invite codes that do not exist, on the whole box.
    InviteCodeBox,
}

/// How a scope slows down.
struct Policy {
    /// The scope's number, which is part of the file.
    number: u8,
    /// Waits after so many failures in a row; the last step holds for all beyond.
    steps: &'static [(u32, Duration)],
    /// Failures in a day.
    cap: u32,
    /// A streak ends after so long without a failure.
    forget: Duration,
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

impl Scope {
    const fn policy(self) -> Policy {
        // Two slips cost nothing; then 1, 3, 5 and 10 s, and a hundred in a day (issue 3).
        const GUESSES: &[(u32, Duration)] = &[(3, seconds(1)), (6, seconds(3)), (9, seconds(5)), (12, seconds(10))];
        // A bar's phones share one address, so it slows late and never stops.
        const SHARED: &[(u32, Duration)] = &[(100, seconds(1)), (300, seconds(5))];
        // A minute between codes after the third.
        const CODES: &[(u32, Duration)] = &[(3, seconds(60))];
        // 40 bits against so many guesses: one in a million a day, were a thousand invites open.
        const TYPED: &[(u32, Duration)] = &[(20, seconds(1)), (100, seconds(10))];
        const ALL_TYPED: &[(u32, Duration)] = &[(2000, seconds(1))];
        let (number, steps, cap, forget) = match self {
            Self::Account => (1, GUESSES, 100, DAY),
            Self::Own => (2, GUESSES, 100, DAY),
            Self::Address => (3, SHARED, u32::MAX, seconds(3600)),
            Self::OtpRequest => (4, CODES, 10, seconds(3600)),
            Self::InviteCode => (5, TYPED, 1000, seconds(3600)),
            Self::InviteCodeBox => (6, ALL_TYPED, 100_000, seconds(3600)),
        };
        Policy { number, steps, cap, forget }
    }
}

/// A bucket's count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::identity) struct Count {
    scope: u8,
    subject: [u8; 32],
    streak: u32,
    last_failure: Timestamp,
    day_start: Timestamp,
    day_failures: u32,
    last_success: Option<Timestamp>,
}

/// Counts in the order in which they can be forgotten.
const BY_END: Index = Index::ordered(1);

impl Record for Count {
    const TABLE: TableId = TableId { number: 30, name: "identity.throttles" };

    fn key(&self) -> Key {
        Key::new().byte(self.scope).fixed(&self.subject)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(BY_END, &Key::new().time(self.ends()));
    }
}

impl Count {
    /// When it slows nobody down any more and tells nothing.
    fn ends(&self) -> Timestamp {
        let counted = self.last_failure.plus(DAY);
        self.last_success.map_or(counted, |at| counted.max(at.plus(OWN_FOR)))
    }
}

/// One subject in one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    scope: Scope,
    subject: [u8; 32],
}

impl Bucket {
    /// The bucket of a subject, which is a keyed digest.
    #[must_use]
    pub const fn new(scope: Scope, subject: [u8; 32]) -> Self {
        Self { scope, subject }
    }

    fn key(&self) -> Key {
        Key::new().byte(self.scope.policy().number).fixed(&self.subject)
    }

    fn count(&self, read: &(impl Read + ?Sized), now: Timestamp) -> Result<Count, Fault> {
        let policy = self.scope.policy();
        let fresh = Count {
            scope: policy.number,
            subject: self.subject,
            streak: 0,
            last_failure: now,
            day_start: now,
            day_failures: 0,
            last_success: None,
        };
        let mut count = read.get::<Count>(&self.key())?.unwrap_or(fresh);
        // A count of the future was made before the clock was set right: it starts again from now.
        count.last_failure = count.last_failure.min(now);
        count.day_start = count.day_start.min(now);
        if now.since(count.day_start) >= DAY {
            (count.day_start, count.day_failures) = (now, 0);
        }
        if now.since(count.last_failure) >= policy.forget {
            count.streak = 0;
        }
        Ok(count)
    }

    /// How long the next attempt has to wait; `None`: not at all.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    pub fn wait(&self, read: &(impl Read + ?Sized), now: Timestamp) -> Result<Option<Duration>, Fault> {
        let policy = self.scope.policy();
        let count = self.count(read, now)?;
        if count.day_failures >= policy.cap {
            return Ok(Some(DAY.saturating_sub(now.since(count.day_start))));
        }
        let step = policy.steps.iter().rev().find(|(failures, _)| count.streak >= *failures);
        let left = step.map_or(Duration::ZERO, |(_, wait)| wait.saturating_sub(now.since(count.last_failure)));
        Ok((!left.is_zero()).then_some(left))
    }

    /// Counts a failure.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    pub fn failed(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Fault> {
        let count = self.count(tx, now)?;
        tx.put(&Count {
            streak: count.streak.saturating_add(1),
            day_failures: count.day_failures.saturating_add(1),
            last_failure: now,
            ..count
        })
    }

    /// Ends the streak after a success, and remembers when that was. The day's failures stay counted.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    pub fn passed(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Fault> {
        let count = self.count(tx, now)?;
        tx.put(&Count { streak: 0, last_success: Some(now), ..count })
    }

    /// Whether it had a success not long ago.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    pub fn passed_lately(&self, read: &(impl Read + ?Sized), now: Timestamp) -> Result<bool, Fault> {
        let count = read.get::<Count>(&self.key())?;
        Ok(count.and_then(|count| count.last_success).is_some_and(|at| now.since(at) < OWN_FOR))
    }
}

/// The longest wait that any of these buckets asks for.
///
/// # Errors
/// [`Fault`] where one cannot be read.
pub fn longest_wait(
    read: &(impl Read + ?Sized),
    now: Timestamp,
    buckets: &[Bucket],
) -> Result<Option<Duration>, Fault> {
    buckets.iter().try_fold(None, |longest, bucket| Ok(bucket.wait(read, now)?.max(longest)))
}

/// Forgets at most `limit` counts that slow nobody down any more; returns how many.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub(in crate::identity) fn forget(tx: &mut Tx<'_>, now: Timestamp, limit: usize) -> Result<usize, Fault> {
    let oldest = tx.list_by::<Count>(BY_END, &Key::new(), &Page::first(limit))?.items;
    let due: Vec<Count> = oldest.into_iter().filter(|count| count.ends() <= now).collect();
    for count in &due {
        tx.delete::<Count>(&count.key())?;
    }
    Ok(due.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Clock as _;
    use crate::store::testing::store;
    use crate::store::writer::Store;

    fn fail(store: &Store, bucket: Bucket, times: u32) {
        for _ in 0..times {
            store.write_blocking(move |tx: &mut Tx<'_>, now| bucket.failed(tx, now)).unwrap();
        }
    }

    #[test]
    fn the_wait_grows_with_a_streak_and_a_success_ends_it() {
        let (store, clock) = store();
        let bucket = Bucket::new(Scope::Account, [1; 32]);
        let wait = |bucket: Bucket| bucket.wait(&store.read().unwrap(), clock.now()).unwrap();
        for (failures, expected) in [(2, None), (1, Some(1)), (3, Some(3)), (3, Some(5)), (3, Some(10)), (9, Some(10))]
        {
            fail(&store, bucket, failures);
            assert_eq!(wait(bucket), expected.map(Duration::from_secs), "after {failures} more");
        }
        clock.advance(Duration::from_secs(10));
        assert_eq!(wait(bucket), None);
        fail(&store, bucket, 1);
        store.write_blocking(move |tx: &mut Tx<'_>, now| bucket.passed(tx, now)).unwrap();
        assert_eq!(wait(bucket), None);
        assert_eq!(wait(Bucket::new(Scope::Account, [2; 32])), None, "another account");
    }

    #[test]
    fn a_hundred_in_a_day_is_the_end_of_that_day_even_with_successes_between() {
        let (store, clock) = store();
        let bucket = Bucket::new(Scope::Own, [1; 32]);
        for _ in 0..20 {
            fail(&store, bucket, 5);
            store.write_blocking(move |tx: &mut Tx<'_>, now| bucket.passed(tx, now)).unwrap();
        }
        let wait = |now| bucket.wait(&store.read().unwrap(), now).unwrap();
        assert_eq!(wait(clock.now()), Some(DAY));
        assert_eq!(wait(clock.now().plus(DAY)), None);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out_for_ever() {
        let (store, clock) = store();
        let bucket = Bucket::new(Scope::Account, [1; 32]);
        fail(&store, bucket, 100);
        let before = clock.now().minus(DAY * 365);
        assert!(bucket.wait(&store.read().unwrap(), before).unwrap() <= Some(DAY));
    }

    #[test]
    fn counts_are_forgotten_once_they_slow_nobody() {
        let (store, clock) = store();
        fail(&store, Bucket::new(Scope::Address, [1; 32]), 3);
        let forgotten = || store.write_blocking(|tx: &mut Tx<'_>, now| forget(tx, now, 10)).unwrap();
        assert_eq!(forgotten(), 0);
        clock.advance(DAY);
        assert_eq!((forgotten(), forgotten()), (1, 0));
    }

    #[test]
    fn counts_have_golden_bytes() {
        let at = |micros: i64| Timestamp::from_micros(1_795_341_600_000_000 + micros);
        let sparse = Count {
            scope: 1,
            subject: [1; 32],
            streak: 0,
            last_failure: at(0),
            day_start: at(0),
            day_failures: 0,
            last_success: None,
        };
        let full = Count { scope: 6, streak: 3, day_failures: 300, last_success: Some(at(1)), ..sparse.clone() };
        crate::store::testing::golden(&[full, sparse]);
    }
}
