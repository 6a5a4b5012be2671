//! Time: the one door to the system's clocks.
//!
//! Wall time carries whether it may be trusted (design, section 7); deadlines use monotonic time.
//! Must not know who asks, or what for.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds of one second.
const MICROS: i64 = 1_000_000;

/// A moment: whole microseconds since 1970-01-01T00:00:00Z, which PostgreSQL holds exactly.
///
/// As JSON it is RFC 3339 in UTC with milliseconds; stored, it is the number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time")]
pub struct BadTime;

impl Timestamp {
    /// The moment `micros` microseconds after 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, rounded down.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Seconds since 1970, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// This moment and `span` more; the last moment there is, where that is too far.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This moment less `span`.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.millis()) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        text.parse::<jiff::Timestamp>().map(|t| Self(t.as_microsecond())).map_err(|_| BadTime)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

/// A point of monotonic time: how long the clock has run. Never goes back; says nothing about the date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

impl Instant {
    /// This point and `span` more.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// This point less `span`; the clock's start where that is too far.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Wall time and whether a positive sign says that it is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallTime {
    /// What the clock says.
    pub now: Timestamp,
    /// False: play and chat go on, but nothing irreversible may be decided by it.
    pub trusted: bool,
}

/// Where all time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn wall(&self) -> WallTime;

    /// The monotonic clock.
    fn monotonic(&self) -> Instant;

    /// The wall clock's time alone.
    fn now(&self) -> Timestamp {
        self.wall().now
    }

    /// Central's clock agrees or disagrees with the wall clock.
    fn witness(&self, _agrees: bool) {}
}

/// Central's word on the wall clock.
const UNHEARD: u8 = 0;
/// See [`UNHEARD`].
const AGREES: u8 = 1;
/// See [`UNHEARD`].
const DISAGREES: u8 = 2;

/// The machine's clocks. Wall time is trusted while it was set from the network or central's clock agrees with it,
/// and never while central's disagrees.
#[derive(Debug)]
pub struct SystemClock {
    started: std::time::Instant,
    witness: AtomicU8,
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this file is the door that the rule sends everyone to")]
    pub fn new() -> Self {
        Self { started: std::time::Instant::now(), witness: AtomicU8::new(UNHEARD) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

/// systemd-timesyncd and chrony touch this file once the clock has been set from the network.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this file is the door that the rule sends everyone to")]
    fn wall(&self) -> WallTime {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        WallTime {
            now: Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
            trusted: match self.witness.load(Ordering::Relaxed) {
                AGREES => true,
                DISAGREES => false,
                _ => std::path::Path::new(SYNCHRONISED).exists(),
            },
        }
    }

    fn monotonic(&self) -> Instant {
        Instant(self.started.elapsed())
    }

    #[expect(clippy::disallowed_methods, reason = "this file is the door that the rule sends everyone to")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn witness(&self, agrees: bool) {
        self.witness.store(if agrees { AGREES } else { DISAGREES }, Ordering::Relaxed);
    }
}

/// A clock that moves when a test says so.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    run: Mutex<Duration>,
    trusted: std::sync::atomic::AtomicBool,
}

impl ManualClock {
    /// A trusted clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { wall: AtomicI64::new(now.0), run: Mutex::new(Duration::ZERO), trusted: true.into() }
    }

    /// Moves both clocks on by `span`.
    pub fn advance(&self, span: Duration) {
        self.wall.fetch_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
        let mut run = self.run.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *run = run.saturating_add(span);
    }

    /// Sets the wall clock alone, as an operator or NTP would, and whether it is trusted.
    pub fn set(&self, now: Timestamp, trusted: bool) {
        self.wall.store(now.0, Ordering::SeqCst);
        self.trusted.store(trusted, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> WallTime {
        WallTime { now: Timestamp(self.wall.load(Ordering::SeqCst)), trusted: self.trusted.load(Ordering::SeqCst) }
    }

    fn monotonic(&self) -> Instant {
        Instant(*self.run.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_rfc_3339_with_milliseconds() {
        let time: Timestamp = "2026-11-22T10:15:30.123Z".parse().unwrap();
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2026-11-22T10:15:30.123Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>("\"2026-11-22T11:15:30.123+01:00\"").unwrap(), time);
        assert_eq!(Timestamp::from_micros(0).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
