//! Buckets: keys that many copies share, so that few keys need keeping and one deletion destroys many copies.
//!
//! Must not know the key file nor any message.

use std::fmt;

use uuid::Uuid;

use crate::base::digest::Key;
use crate::base::id::{ConversationId, RawId};
use crate::base::time::Timestamp;

/// Seconds of one day.
const DAY: i64 = 86_400;

/// A bucket's id: random, and never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketId([u8; 16]);

impl BucketId {
    /// The bucket of bytes that the old service sealed and no key opened. It has no key, and none is ever made.
    pub const OLD: Self = Self([0; 16]);

    /// The id of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for BucketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for BucketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a bucket holds copies of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The participants' copies of one conversation.
    Participants(ConversationId),
    /// The archive copies that expire on one day: days since 1970 in UTC.
    Day(u32),
    /// The archive copies of one conversation that are past their day and under legal hold.
    Hold(ConversationId),
}

impl Kind {
    /// The archive bucket of a message that expires at `at`.
    #[must_use]
    pub fn day_of(at: Timestamp) -> Self {
        Self::Day(u32::try_from(at.seconds().div_euclid(DAY)).unwrap_or(0))
    }

    /// The next day's, for a day; nothing for the rest.
    #[must_use]
    pub const fn next_day(self) -> Option<Self> {
        match self {
            Self::Day(day) => Some(Self::Day(day.saturating_add(1))),
            Self::Participants(_) | Self::Hold(_) => None,
        }
    }

    /// The stored form: one byte and the conversation's key form, or the day.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Participants(id) => [&[1][..], &RawId::from(id).to_key()].concat(),
            Self::Day(day) => [&[2][..], &day.to_be_bytes()].concat(),
            Self::Hold(id) => [&[3][..], &RawId::from(id).to_key()].concat(),
        }
    }

    /// Reads [`Kind::to_bytes`]; nothing for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        let conversation = || match RawId::read_key(rest) {
            Ok((id, [])) => Some(ConversationId::from(id)),
            _ => None,
        };
        match tag {
            1 => conversation().map(Self::Participants),
            2 => rest.try_into().ok().map(|day| Self::Day(u32::from_be_bytes(day))),
            3 => conversation().map(Self::Hold),
            _ => None,
        }
    }
}

/// A bucket and its key, in memory. The key is wiped when the last holder drops it.
#[derive(Debug)]
pub struct Bucket {
    /// Its id.
    pub id: BucketId,
    /// What it holds.
    pub kind: Kind,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its key.
    pub key: Key,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back_from_its_bytes() {
        let id: ConversationId = "019ab3c0-0000-7000-8000-000000000001".parse().unwrap();
        for kind in [Kind::Participants(id), Kind::Day(20_779), Kind::Hold("old-17".parse().unwrap())] {
            assert_eq!(Kind::from_bytes(&kind.to_bytes()), Some(kind));
        }
        assert_eq!(Kind::from_bytes(&[9, 1]), None);
        assert_eq!(Kind::day_of("1970-01-02T00:00:00Z".parse().unwrap()), Kind::Day(1));
        assert_eq!(Kind::day_of("1970-01-01T23:59:59.999Z".parse().unwrap()), Kind::Day(0));
    }
}
