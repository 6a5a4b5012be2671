//! When and how much the bulk lane may send: the hours that the owner allows, and the bandwidth that is left to others.
//!
//! ```text
//!   hours   22:00 ════════════ 06:00          outside them the bulk lane waits; holds, audits and the like go at any time
//!   budget  a batch of b bytes at r bytes/s ─▶ the next bulk batch not before b / r; what the urgent lane sends counts, and never waits
//! ```
//! Times come as arguments. Must not know what is sent.

use std::time::Duration;

use crate::base::time::{Instant, Timestamp};
use crate::config::hours::Hours;

/// Bytes that one turn may send at least, whatever the budget: a batch cannot be less than a row.
const LEAST: u64 = 8 * 1024;
/// A turn is given what the budget gives in so long.
const TURN: Duration = Duration::from_secs(3);

/// What the owner allows. Without both everything goes at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// When.
    pub hours: Option<Hours>,
    /// Bytes of rows per second.
    pub rate: Option<u64>,
}

/// What the bulk lane may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bulk {
    /// Send so many bytes in this turn.
    Goes(usize),
    /// It is outside the hours.
    WaitsForHours(Duration),
    /// The budget is spent for now.
    WaitsForBudget(Duration),
}

impl Bulk {
    /// Bytes of this turn.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Goes(bytes) => bytes,
            Self::WaitsForHours(_) | Self::WaitsForBudget(_) => 0,
        }
    }

    /// How long it waits.
    #[must_use]
    pub const fn waits(self) -> Option<Duration> {
        match self {
            Self::Goes(_) => None,
            Self::WaitsForHours(wait) | Self::WaitsForBudget(wait) => Some(wait),
        }
    }
}

/// What is allowed, and what was spent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Budget {
    allowed: Allowed,
    /// The bulk lane waits until then.
    until: Option<Instant>,
}

impl Budget {
    /// A budget of which nothing is spent.
    #[must_use]
    pub const fn new(allowed: Allowed) -> Self {
        Self { allowed, until: None }
    }

    /// What the bulk lane may do now.
    #[must_use]
    pub fn bulk(&self, now: Instant, wall: Timestamp) -> Bulk {
        if let Some(wait) = self.allowed.hours.and_then(|hours| hours.opens_in(wall)) {
            return Bulk::WaitsForHours(wait);
        }
        let Some(rate) = self.allowed.rate else { return Bulk::Goes(usize::MAX) };
        match self.until.map(|until| until.since(now)).filter(|left| !left.is_zero()) {
            Some(left) => Bulk::WaitsForBudget(left),
            None => Bulk::Goes(usize::try_from(rate.saturating_mul(TURN.as_secs()).max(LEAST)).unwrap_or(usize::MAX)),
        }
    }

    /// So many bytes of either lane were sent.
    pub fn spent(&mut self, now: Instant, bytes: u64) {
        let Some(rate) = self.allowed.rate.filter(|rate| *rate > 0) else { return };
        let from = self.until.filter(|until| !until.since(now).is_zero()).unwrap_or(now);
        let micros = bytes.saturating_mul(1_000_000) / rate;
        self.until = Some(from.plus(Duration::from_micros(micros)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{Clock as _, ManualClock};

    /// 2026-11-28, at this hour and minute in UTC.
    fn at(hours: i64, minutes: i64) -> Timestamp {
        Timestamp::from_micros((1_795_824_000 + hours * 3600 + minutes * 60) * 1_000_000)
    }

    #[test]
    fn a_budget_is_kept_over_time_and_the_urgent_lane_draws_on_it_without_waiting() {
        let clock = ManualClock::at(at(12, 0));
        let mut budget = Budget::new(Allowed { hours: None, rate: Some(10_000) });
        let (mut sent, mut waited) = (0_u64, Duration::ZERO);
        for _ in 0..50 {
            match budget.bulk(clock.monotonic(), clock.now()) {
                Bulk::Goes(bytes) => {
                    budget.spent(clock.monotonic(), bytes as u64);
                    sent += bytes as u64;
                }
                Bulk::WaitsForBudget(wait) => {
                    clock.advance(wait);
                    waited += wait;
                }
                Bulk::WaitsForHours(_) => panic!("no hours were set"),
            }
        }
        // One turn's worth ahead at most.
        assert!(
            sent as f64 / 10_000.0 <= waited.as_secs_f64() + 3.1 && waited > Duration::from_secs(60),
            "{sent} in {waited:?}"
        );
        budget.spent(clock.monotonic(), 20_000);
        assert!(budget.bulk(clock.monotonic(), clock.now()).waits().unwrap() >= Duration::from_secs(2));
        // Without a budget nothing ever waits.
        let mut free = Budget::default();
        free.spent(clock.monotonic(), u64::MAX);
        assert_eq!(free.bulk(clock.monotonic(), clock.now()), Bulk::Goes(usize::MAX));
    }
}
