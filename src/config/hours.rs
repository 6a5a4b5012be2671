//! Hours of the day, as the owner says them.
//!
//! Must not know what they are for.

use std::str::FromStr;
use std::time::Duration;

use crate::base::time::Timestamp;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Hours of each day, in the owner's own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Second of the day.
    from: i64,
    upto: i64,
    /// Seconds that the owner's clock is ahead of UTC.
    ahead: i64,
}

/// The text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Say them as 22:00-06:00, or with the hours that your clock is ahead of UTC, as in 22:00-06:00 +01:00.")]
pub struct NoHours;

impl FromStr for Hours {
    type Err = NoHours;

    fn from_str(text: &str) -> Result<Self, NoHours> {
        let mut words = text.split_whitespace();
        let (from, upto) = words.next().and_then(|span| span.split_once('-')).ok_or(NoHours)?;
        let ahead = match words.next() {
            None => 0,
            Some(zone) => {
                let sign = if zone.starts_with('-') { -1 } else { 1 };
                sign * clock(zone.strip_prefix(['+', '-']).ok_or(NoHours)?)?
            }
        };
        let (from, upto) = (clock(from)?, clock(upto)?);
        if words.next().is_some() || from == upto || ahead.abs() > 14 * 3600 {
            return Err(NoHours);
        }
        Ok(Self { from, upto, ahead })
    }
}

/// `22:00` as seconds of the day; 24:00 is its end.
fn clock(text: &str) -> Result<i64, NoHours> {
    let (hours, minutes) = text.split_once(':').ok_or(NoHours)?;
    let number = |text: &str| text.parse::<u8>().ok().filter(|_| text.len() == 2).ok_or(NoHours);
    let (hours, minutes) = (i64::from(number(hours)?), i64::from(number(minutes)?));
    let seconds = hours * 3600 + minutes * 60;
    if minutes < 60 && seconds <= DAY { Ok(seconds) } else { Err(NoHours) }
}

impl std::fmt::Display for Hours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let clock = |seconds: i64| format!("{:02}:{:02}", seconds / 3600, seconds % 3600 / 60);
        write!(f, "{}-{}", clock(self.from), clock(self.upto))?;
        match self.ahead {
            0 => Ok(()),
            ahead => write!(f, " {}{}", if ahead < 0 { '-' } else { '+' }, clock(ahead.abs())),
        }
    }
}

impl Hours {
    /// How long until they begin; nothing within them.
    #[must_use]
    pub fn opens_in(&self, at: Timestamp) -> Option<Duration> {
        let now = (at.micros().div_euclid(1_000_000) + self.ahead).rem_euclid(DAY);
        let since = (now - self.from).rem_euclid(DAY);
        if since < (self.upto - self.from).rem_euclid(DAY) {
            return None;
        }
        Some(Duration::from_secs(u64::try_from(DAY - since).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-28, at this hour and minute in UTC.
    fn at(hours: i64, minutes: i64) -> Timestamp {
        Timestamp::from_micros((1_795_824_000 + hours * 3600 + minutes * 60) * 1_000_000)
    }

    #[test]
    fn hours_open_and_close_also_over_midnight_and_in_the_owners_time() {
        let night: Hours = "22:00-06:00".parse().unwrap();
        for (hour, minute, wait) in
            [(22, 0, None), (23, 59, None), (0, 0, None), (5, 59, None), (6, 0, Some(16 * 3600)), (21, 59, Some(60))]
        {
            assert_eq!(night.opens_in(at(hour, minute)), wait.map(Duration::from_secs), "{hour}:{minute}");
        }
        let lagos: Hours = "22:00-06:00 +01:00".parse().unwrap();
        assert_eq!(lagos.opens_in(at(21, 0)), None);
        assert_eq!(lagos.opens_in(at(5, 0)), Some(Duration::from_secs(16 * 3600)));
        let day: Hours = "08:00-24:00 -03:30".parse().unwrap();
        assert_eq!(day.opens_in(at(11, 29)), Some(Duration::from_secs(60)));
        assert_eq!(day.opens_in(at(11, 30)), None);
        for said in ["22:00-06:00", "22:00-06:00 +01:00", "08:00-24:00 -03:30"] {
            assert_eq!(said.parse::<Hours>().unwrap().to_string(), said);
        }
        for wrong in [
            "",
            "22-6",
            "22:00",
            "25:00-06:00",
            "22:60-06:00",
            "22:00-22:00",
            "22:00-06:00 01:00",
            "22:00-06:00 +1",
            "2:00-06:00",
            "22:00-06:00 +01:00 x",
        ] {
            assert_eq!(wrong.parse::<Hours>(), Err(NoHours), "{wrong}");
        }
    }
}
