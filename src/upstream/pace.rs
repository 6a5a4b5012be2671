//! How much is on its way to central at once: enough that the line and central are never idle, and no more than is answered soon.
//!
//! ```text
//!   growing: every answer lets twice its bytes follow ──the rate grows no more──▶ steady: as much as rate × round trip, twice
//!      ▲                                                                             │
//!      └────────────────── no answer at all: a quarter of everything ◀───────────────┘
//! ```
//! A round trip here includes what central needs to apply a batch. Times come as arguments; must not know what is sent.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::time::Instant;

/// Bytes of rows on their way before anything was answered: a line of 10 kB/s, the slowest worth a line, brings the first batch in time.
const FIRST_WINDOW: usize = 512 * 1024;
/// The most: a line of 200 ms and a central that takes 40 MB/s have 8 MB on their way, and as much waits in front of central.
const MAX_WINDOW: usize = 16 * 1024 * 1024;
/// The fewest bytes of a batch: some rows, which any line brings within the time for an answer.
const MIN_BATCH: usize = 8 * 1024;
/// A batch counts for as much, however little is in it: its statements and answers.
const LEAST: usize = 1024;
/// The most: some 650 chat rows. PostgreSQL holds a statement's arguments several times over and gives much memory back to the system after each:
/// twice as much was no faster in `benches/catchup`, and mostly slower.
const MAX_BATCH: usize = 512 * 1024;
/// A batch takes the line or central about so long, so that a commit's own cost is little of it and the urgent lane never waits long.
const BATCH_TIME: Duration = Duration::from_millis(250);
/// Whatever the line, no more is on its way than is answered within this.
const LONGEST: Duration = Duration::from_secs(5);
/// So many bytes answered for during one round trip show the line's rate, even a bad one.
const ENOUGH: u64 = 32 * 1024;
/// Rates that are remembered; the best of them counts.
const REMEMBERED: usize = 10;
/// Round trips without a better rate by a quarter, after which the line is taken to be full.
const NO_BETTER: u8 = 3;

/// The pace on one line.
#[derive(Debug, Clone)]
pub struct Pace {
    window: usize,
    flying: usize,
    /// Bytes answered for since the beginning.
    delivered: u64,
    /// Bytes per second as the last answers showed them.
    rates: VecDeque<u64>,
    /// The shortest round trip of this turn, and of the one before.
    quickest: [Option<Duration>; 2],
    growing: Option<Growth>,
    /// The log had no more when the last batch was made: answers now tell what the box had, not what the line bears.
    dry: bool,
}

/// How the growth goes.
#[derive(Debug, Clone, Copy, Default)]
struct Growth {
    /// The rate to beat.
    best: u64,
    /// Round trips that did not.
    no_better: u8,
    /// When so much is answered for, a round trip is over.
    round_ends: u64,
}

/// A batch on its way.
#[derive(Debug, Clone, Copy)]
pub struct Launch {
    bytes: usize,
    at: Instant,
    delivered: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            window: FIRST_WINDOW,
            flying: 0,
            delivered: 0,
            rates: VecDeque::new(),
            quickest: [None; 2],
            growing: Some(Growth::default()),
            dry: false,
        }
    }
}

impl Pace {
    /// Bytes of the next batch, if one more may go now.
    #[must_use]
    pub fn room(&self) -> Option<usize> {
        (self.flying < self.window).then(|| self.batch())
    }

    /// A turn of sending begins with nothing on its way, so its first round trip shows the line without a queue.
    pub fn turn(&mut self) {
        self.flying = 0;
        self.dry = false;
        if let [Some(now), _] = self.quickest {
            self.quickest = [None, Some(now)];
        }
    }

    /// The log has no more for now.
    pub const fn dry(&mut self) {
        self.dry = true;
    }

    /// A batch is sent, the last one that the log has or not.
    pub const fn launch(&mut self, at: Instant, bytes: usize, last: bool) -> Launch {
        self.dry = last;
        let bytes = if bytes < LEAST { LEAST } else { bytes };
        self.flying = self.flying.saturating_add(bytes);
        Launch { bytes, at, delivered: self.delivered }
    }

    /// Central has a batch.
    pub fn answered(&mut self, launch: Launch, now: Instant) {
        let (bytes, took) = (launch.bytes, now.since(launch.at).max(Duration::from_micros(1)));
        self.flying = self.flying.saturating_sub(bytes);
        self.delivered += bytes as u64;
        self.quickest[0] = Some(self.quickest[0].map_or(took, |quickest| quickest.min(took)));
        let meanwhile = self.delivered - launch.delivered;
        let rate = per_second(meanwhile, took);
        if took >= LONGEST && meanwhile >= ENOUGH {
            self.rates.clear();
            self.growing = None;
        } else if self.dry && (self.rates.is_empty() || rate <= self.rate()) {
            return;
        }
        if self.rates.len() == REMEMBERED {
            self.rates.pop_front();
        }
        self.rates.push_back(rate);
        self.grow(launch, bytes);
        let longest = within(self.rate(), LONGEST);
        self.window = self.window.min(longest.max(2 * self.batch())).clamp(2 * MIN_BATCH, MAX_WINDOW);
    }

    fn grow(&mut self, launch: Launch, bytes: usize) {
        let Some(mut growth) = self.growing else {
            let quickest = self.quickest.into_iter().flatten().min().unwrap_or(BATCH_TIME);
            self.window = 2 * within(self.rate(), quickest) + 2 * self.batch();
            return;
        };
        self.window += bytes;
        if launch.delivered >= growth.round_ends {
            growth.round_ends = self.delivered + self.flying as u64;
            let rate = self.rate();
            if rate / 5 * 4 >= growth.best {
                growth = Growth { best: rate, no_better: 0, ..growth };
            } else if !self.dry {
                growth.no_better += 1;
            }
        }
        self.growing = (growth.no_better < NO_BETTER).then_some(growth);
    }

    /// A batch was not answered: whatever was known of the line is no longer so.
    pub fn failed(&mut self) {
        let window = (self.window / 4).max(2 * MIN_BATCH);
        *self = Self { window, ..Self::default() };
    }

    /// Bytes per second that the line has shown to bear.
    fn rate(&self) -> u64 {
        self.rates.iter().copied().max().unwrap_or(0)
    }

    fn batch(&self) -> usize {
        let most = if self.growing.is_some() { self.window / 4 } else { usize::MAX };
        let timely = if self.rates.is_empty() { most } else { within(self.rate(), BATCH_TIME) };
        timely.min(most).clamp(MIN_BATCH, MAX_BATCH)
    }
}

/// Bytes that a rate brings within a time.
fn within(rate: u64, time: Duration) -> usize {
    usize::try_from(u128::from(rate) * time.as_micros() / 1_000_000).unwrap_or(usize::MAX / 4).min(usize::MAX / 4)
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    u64::try_from(u128::from(bytes) * 1_000_000 / time.as_micros().max(1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
