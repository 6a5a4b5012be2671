//! Keys: parts that write themselves in byte order, so that ranges of keys are ranges of meaning.
//!
//! Every part is self-delimiting; a key of several parts sorts like the tuple of its parts.

use crate::base::id::RawId;
use crate::base::time::Timestamp;

/// A key, or the front of one, built part by part: `Key::new().id(game).small(round)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Key(Vec<u8>);

impl Key {
    /// The empty key: the front of every key.
    #[must_use]
    pub fn new() -> Self {
        Self(Vec::with_capacity(40))
    }

    /// The key of one id.
    #[must_use]
    pub fn of(id: impl Into<RawId>) -> Self {
        Self::new().id(id)
    }

    /// Adds an id.
    #[must_use]
    pub fn id(mut self, id: impl Into<RawId>) -> Self {
        id.into().write_key(&mut self.0);
        self
    }

    /// Adds a number of eight bytes.
    #[must_use]
    pub fn number(mut self, n: u64) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }

    /// Adds a number of four bytes.
    #[must_use]
    pub fn small(mut self, n: u32) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }

    /// Adds one byte: an enum's number, a flag.
    #[must_use]
    pub fn byte(mut self, b: u8) -> Self {
        self.0.push(b);
        self
    }

    /// Adds a moment; moments before 1970 sort first.
    #[must_use]
    pub fn time(self, at: Timestamp) -> Self {
        // The sign bit is turned, so that negative numbers sort first.
        self.number(at.micros().cast_unsigned() ^ (1 << 63))
    }

    /// Adds a text, which ends at its first NUL; none of the box's texts has one.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.0.extend(text.bytes().take_while(|b| *b != 0));
        self.0.push(0);
        self
    }

    /// Adds bytes whose number is always the same in this place, such as a digest.
    #[must_use]
    pub fn fixed(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Key {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}
