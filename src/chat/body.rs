//! The text of a message: bounded, wiped when dropped, and never printed.
//!
//! Must not know where the text goes.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::base::text::BadText;

/// The longest text, in characters (contract, section 5).
pub const MAX_CHARS: usize = 4000;

/// A message's text: 1–4000 characters without NUL, which PostgreSQL and C programs cannot hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(Zeroizing<String>);

impl Body {
    /// Takes a text. A refused one is wiped too.
    ///
    /// # Errors
    /// [`BadText`] with a sentence that does not repeat the text.
    pub fn parse(text: String) -> Result<Self, BadText> {
        let text = Zeroizing::new(text);
        // A character has at most four bytes, so the cheap test comes first.
        if text.is_empty() || text.len() > MAX_CHARS * 4 || text.chars().count() > MAX_CHARS {
            return Err(BadText("A message has 1 to 4000 characters."));
        }
        if text.contains('\0') {
            return Err(BadText("A message has no NUL character."));
        }
        Ok(Self(text))
    }

    /// The text. What is done with it must not reach a log, a file or an error.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_count_characters_and_nothing_is_printed() {
        assert!(Body::parse("é".repeat(4000)).is_ok());
        for bad in [String::new(), "x".repeat(4001), "𝄞".repeat(4001), "a\0b".into()] {
            assert!(Body::parse(bad).is_err());
        }
        assert_eq!(format!("{:?}", Body::parse("secret".into()).unwrap()), "Body(..)");
    }
}
