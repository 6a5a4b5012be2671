//! Time, and what other processes used of the machine meanwhile.

use whotbox::base::time::{Clock, SystemClock};

/// Ticks a second of the counts in `/proc`: fixed by the kernel's interface.
const TICKS: f64 = 100.0;

/// How long something took.
pub(crate) struct Took {
    /// Seconds on the wall.
    pub(crate) wall: f64,
    /// Seconds of processors that we used.
    pub(crate) own: f64,
    /// Processors that others used meanwhile.
    pub(crate) foreign: f64,
}

/// The machine's clocks and counts.
pub(crate) struct Machine {
    clock: SystemClock,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { clock: SystemClock::new() }
    }

    /// Runs something. `ours` counts the time of processes that belong to it.
    pub(crate) fn time(&self, run: impl FnOnce(), ours: impl Fn() -> f64) -> Took {
        let count = || (busy(), used(std::process::id()) + ours());
        let (before, began) = (count(), self.clock.monotonic());
        run();
        let (wall, after) = (self.clock.monotonic().since(began).as_secs_f64(), count());
        let own = after.1 - before.1;
        Took { wall, own, foreign: ((after.0 - before.0 - own) / wall).max(0.0) }
    }
}

/// Seconds of processors that anything used since the machine started, but for waiting.
fn busy() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let ticks = stat.lines().next().unwrap().split_whitespace().skip(1).map(|n| n.parse::<f64>().unwrap());
    // user, nice, system, idle, iowait, irq, softirq.
    let ticks = ticks.enumerate().filter(|(place, _)| [0, 1, 2, 5, 6].contains(place)).map(|(_, n)| n);
    ticks.sum::<f64>() / TICKS
}

/// Seconds of processors that a process used.
pub(crate) fn used(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|n| n.parse::<f64>().unwrap());
    ticks.sum::<f64>() / TICKS
}
