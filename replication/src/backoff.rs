//! How long to wait before central is asked again: a pure function of the attempt and a random number.

use std::time::Duration;

/// The shortest wait.
pub const SHORTEST: Duration = Duration::from_secs(1);

/// The longest wait; an outage of central is over for a box at most this long after its end.
pub const LONGEST: Duration = Duration::from_secs(60);

/// The wait after failure number `attempt` (from 0): between half of and a whole doubling second, 1 s to 60 s, so that a fleet that lost
/// central together does not come back together. It goes on for ever; whoever waits raises the alarm.
#[must_use]
pub fn wait(attempt: u32, random: u64) -> Duration {
    let doubled = 2_u64.saturating_pow(attempt.saturating_add(1)).saturating_mul(1000);
    let upper = doubled.min(u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX));
    let lower = upper / 2;
    Duration::from_millis(lower + random % (upper - lower + 1))
}

#[cfg(test)]
mod tests {
    use crate::backoff::{LONGEST, SHORTEST, wait};

    #[test]
    fn waits_stay_between_their_bounds_and_grow() {
        for random in [0, 1, 12_345, u64::MAX] {
            for attempt in [0, 1, 2, 5, 6, 63, 64, u32::MAX] {
                let waited = wait(attempt, random);
                assert!((SHORTEST..=LONGEST).contains(&waited), "{attempt} {random} {waited:?}");
            }
        }
        assert!(wait(0, u64::MAX) < wait(3, 0));
        assert_eq!(wait(u32::MAX, 0), LONGEST / 2);
    }

    #[test]
    fn boxes_that_fail_together_come_back_apart() {
        assert_ne!(wait(5, 1), wait(5, 20_000));
    }
}
