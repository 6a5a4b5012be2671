//! How long commits take: from a batch's first command to the disk's word that it has all of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets, in microseconds: from a disk that only says it has written to one that is dying.
const BOUNDS: [u64; 12] = [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 512_000, 2_048_000];

/// Counts by duration. The last bucket has no bound.
#[derive(Debug, Default)]
pub(super) struct Times {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum: AtomicU64,
}

/// How many commits took how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitTimes {
    /// Upper bound of each bucket and how many are in it and in none before it; the last has no bound.
    pub buckets: Vec<(Option<Duration>, u64)>,
    /// All of them together.
    pub sum: Duration,
}

impl Times {
    pub(super) fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn taken(&self) -> CommitTimes {
        let bounds = BOUNDS.iter().map(|micros| Some(Duration::from_micros(*micros))).chain([None]);
        let counts = self.buckets.iter().map(|count| count.load(Ordering::Relaxed));
        CommitTimes {
            buckets: bounds.zip(counts).collect(),
            sum: Duration::from_micros(self.sum.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_counted_in_the_first_bucket_that_it_fits() {
        let times = Times::default();
        for micros in [1, 250, 251, 3_000_000] {
            times.note(Duration::from_micros(micros));
        }
        let taken = times.taken();
        assert_eq!(taken.sum, Duration::from_micros(3_000_502));
        let counts: Vec<u64> = taken.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!((counts[0], counts[1], counts[BOUNDS.len()], counts.iter().sum::<u64>()), (2, 1, 1, 4));
    }
}
