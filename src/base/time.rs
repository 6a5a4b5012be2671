//! Time: the one door to the system's clocks.
//!
//! Wall time carries whether it may be trusted (design, section 7); deadlines use monotonic time.
//! Must not know who asks, or what for.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
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

/// Minutes of a day and a half: no zone is further from UTC.
const MAX_OFFSET: i32 = 36 * 60;

impl Timestamp {
    /// A time as databases write one: ISO 8601 with a `T` or a blank, with its zone or without. One without is taken as
    /// local to `offset` minutes east of UTC; a date alone is its first moment.
    ///
    /// # Errors
    /// [`BadTime`] for a date that no calendar has, and for all else that is no time.
    pub fn parse_loose(text: &str, offset: i32) -> Result<Self, BadTime> {
        let text = text.trim();
        if let Ok(exact) = text.parse::<Self>() {
            return Ok(exact);
        }
        let date = || text.parse::<jiff::civil::Date>().map(|date| date.to_datetime(jiff::civil::Time::midnight()));
        let local = text.parse::<jiff::civil::DateTime>().or_else(|_| date()).map_err(|_| BadTime)?;
        if offset.abs() > MAX_OFFSET {
            return Err(BadTime);
        }
        let zone = jiff::tz::Offset::from_seconds(offset * 60).map_err(|_| BadTime)?;
        zone.to_timestamp(local).map(|time| Self(time.as_microsecond())).map_err(|_| BadTime)
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

    /// Whether central's clock disagrees with the wall clock.
    fn contradicted(&self) -> bool {
        false
    }

    /// A person has compared the clock with their own and says that it is right.
    fn confirm(&self) {}

    /// A moment that a trusted clock has shown: untrusted time does not go below it.
    fn floor(&self, _mark: Timestamp) {}
}

/// How far two clocks may be apart and still vouch for each other: retention is counted in days, and an answer of
/// central's may take half a minute.
pub const AGREEMENT: Duration = Duration::from_secs(120);

/// Judges whether the wall clock can be trusted, from what it and the monotonic clock show. Pure, so that a test can
/// set the clock.
#[derive(Debug, Default)]
struct Judge {
    /// Central's word, if it has spoken since the last leap.
    witness: Option<bool>,
    /// A person's word since the last leap.
    confirmed: bool,
    /// Wall less monotonic, in microseconds, when last looked at.
    offset: Option<i64>,
    /// The sign of synchronisation that is about the clock before its last leap.
    stale: Option<Sign>,
    /// A trusted moment, and how long the clock had run by then.
    floor: Option<(i64, i64)>,
}

/// When the clock was last set from the network.
type Sign = std::time::SystemTime;

impl Judge {
    fn wall(&mut self, wall: i64, run: i64, sign: Option<Sign>) -> WallTime {
        let offset = wall.saturating_sub(run);
        let leap = self
            .offset
            .is_some_and(|before| u128::from(offset.saturating_sub(before).unsigned_abs()) > AGREEMENT.as_micros());
        if leap {
            // What vouched for the clock vouched for another one.
            (self.witness, self.confirmed, self.stale) = (None, false, sign);
        }
        self.offset = Some(offset);
        let synchronised = sign.is_some() && sign != self.stale;
        let trusted = self.witness.unwrap_or(self.confirmed || synchronised);
        let floor = self.floor.map_or(i64::MIN, |(mark, at)| mark.saturating_add(run.saturating_sub(at)));
        WallTime { now: Timestamp(if trusted { wall } else { wall.max(floor) }), trusted }
    }
}

/// The machine's clocks. Wall time is trusted while it was set from the network, central's clock agrees with it or a
/// person has confirmed it; never while central's disagrees, nor after a leap until there is a new sign.
#[derive(Debug)]
pub struct SystemClock {
    started: std::time::Instant,
    judge: Mutex<Judge>,
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this file is the door that the rule sends everyone to")]
    pub fn new() -> Self {
        Self { started: std::time::Instant::now(), judge: Mutex::default() }
    }

    fn judge(&self) -> std::sync::MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn run(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX)
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
        let mut judge = self.judge();
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let wall = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        let sign = std::fs::metadata(SYNCHRONISED).and_then(|file| file.modified()).ok();
        judge.wall(wall, self.run(), sign)
    }

    fn monotonic(&self) -> Instant {
        Instant(self.started.elapsed())
    }

    fn witness(&self, agrees: bool) {
        self.judge().witness = Some(agrees);
    }

    fn contradicted(&self) -> bool {
        self.judge().witness == Some(false)
    }

    fn confirm(&self) {
        self.judge().confirmed = true;
    }

    fn floor(&self, mark: Timestamp) {
        let run = self.run();
        self.judge().floor = Some((mark.0, run));
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

    fn confirm(&self) {
        self.trusted.store(true, Ordering::SeqCst);
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
    const SECOND: i64 = MICROS;
    const HOUR: i64 = 3600 * SECOND;
    const YEAR: i64 = 8766 * HOUR;
    const NOW: i64 = 1_795_341_600 * SECOND;

    fn sign(second: u64) -> Option<Sign> {
        Some(std::time::UNIX_EPOCH + Duration::from_secs(second))
    }

    #[test]
    fn a_clock_without_a_sign_is_not_trusted_whatever_it_shows() {
        for wall in [NOW + 10 * YEAR, NOW - 5 * YEAR, 0, NOW] {
            assert!(!Judge::default().wall(wall, 0, None).trusted);
        }
        assert!(Judge::default().wall(NOW, 0, sign(1)).trusted, "the control");
    }

    #[test]
    fn a_leap_while_running_takes_every_sign_away_until_there_is_a_new_one() {
        for leap in [HOUR, -HOUR, 10 * YEAR, -5 * YEAR] {
            for how in 0..3 {
                let mut judge = Judge::default();
                let old = (how == 0).then(|| sign(1)).flatten();
                judge.witness = (how == 1).then_some(true);
                judge.confirmed = how == 2;
                assert!(judge.wall(NOW, 0, old).trusted);
                assert!(judge.wall(NOW + 60 * SECOND, 60 * SECOND, old).trusted, "time that passes is no leap");
                assert!(!judge.wall(NOW + leap, 61 * SECOND, old).trusted, "leap {leap}, sign {how}");
                assert!(!judge.wall(NOW + leap + SECOND, 62 * SECOND, old).trusted);
                assert!(judge.wall(NOW + leap + 2 * SECOND, 63 * SECOND, sign(2)).trusted, "set from the network anew");
            }
        }
    }

    #[test]
    fn central_overrules_every_other_sign() {
        let mut judge = Judge { confirmed: true, ..Judge::default() };
        judge.wall(NOW, 0, sign(1));
        judge.witness = Some(false);
        assert!(!judge.wall(NOW, SECOND, sign(1)).trusted);
    }

    #[test]
    fn untrusted_time_runs_on_from_the_mark_and_trusted_time_may_be_below_it() {
        let mut judge = Judge { floor: Some((NOW, 0)), ..Judge::default() };
        assert_eq!(judge.wall(0, 5 * SECOND, None).now.micros(), NOW + 5 * SECOND);
        assert_eq!(judge.wall(NOW + HOUR, 6 * SECOND, None).now.micros(), NOW + HOUR, "ahead of the mark it stands");
        assert!(!judge.wall(NOW - HOUR, 7 * SECOND, None).trusted);
        judge.witness = Some(true);
        let lowered = judge.wall(NOW - HOUR + SECOND, 8 * SECOND, None);
        assert_eq!(lowered, WallTime { now: Timestamp(NOW - HOUR + SECOND), trusted: true });
    }
}
