//! Bounded text: parsed once at the edge into types that cannot be wrong.
//!
//! Knows what a username, a phone number or a reason looks like; not whose it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text was refused: one sentence for the person who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadText(pub &'static str);

macro_rules! text_types {
    ($($(#[$doc:meta])* $name:ident: $parse:path;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = BadText;
            fn from_str(text: &str) -> Result<Self, BadText> { $parse(text).map(Self) }
        }
        impl TryFrom<String> for $name {
            type Error = BadText;
            fn try_from(text: String) -> Result<Self, BadText> { $parse(&text).map(Self) }
        }
        impl From<$name> for String {
            fn from(text: $name) -> Self { text.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Debug::fmt(&self.0, f) }
        }
    )*};
}

text_types! {
    /// A name to sign in with: 3–32 of `a-z 0-9 _ . -`. Capitals are lowered, so names compare without case.
    Username: username;
    /// A distributor's shown name: 1–64 characters, trimmed, no control characters.
    Alias: alias;
    /// Why a staff member acts: 10–500 characters, trimmed.
    Reason: reason;
    /// A client's own id of an action or message: 1–128 printable ASCII characters.
    ClientId: client_id;
    /// A phone number as E.164: `+` and 8–15 digits. Spaces, dots, dashes and brackets are dropped.
    Phone: phone;
}

fn username(text: &str) -> Result<String, BadText> {
    let name = text.to_ascii_lowercase();
    let fits = (3..=32).contains(&name.len());
    if fits && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b)) {
        Ok(name)
    } else {
        Err(BadText("A username has 3 to 32 of the characters a-z, 0-9, _, . and -."))
    }
}

fn bounded(text: &str, least: usize, most: usize, why: &'static str) -> Result<String, BadText> {
    let text = text.trim();
    if (least..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(BadText(why))
    }
}

fn alias(text: &str) -> Result<String, BadText> {
    bounded(text, 1, 64, "A shown name has 1 to 64 characters.")
}

fn reason(text: &str) -> Result<String, BadText> {
    bounded(text, 10, 500, "A reason has 10 to 500 characters.")
}

fn client_id(text: &str) -> Result<String, BadText> {
    if (1..=128).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        Ok(text.to_owned())
    } else {
        Err(BadText("An id of the client's own has 1 to 128 printable ASCII characters."))
    }
}

fn phone(text: &str) -> Result<String, BadText> {
    let digits: String = text.chars().filter(|c| !" .-()".contains(*c)).collect();
    let number = digits.strip_prefix('+').unwrap_or("");
    if (8..=15).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0') {
        Ok(digits)
    } else {
        Err(BadText("A phone number is written with its country: + and 8 to 15 digits, as in +2348012345678."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowered_and_bounded() {
        assert_eq!("Chidi_1".parse::<Username>().unwrap().as_str(), "chidi_1");
        for bad in ["ab", "a b", "naïve", &"x".repeat(33), "a\0b"] {
            assert!(bad.parse::<Username>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_reason_of_blanks_is_no_reason() {
        assert!("             ".parse::<Reason>().is_err());
        assert!("court order 44/26".parse::<Reason>().is_ok());
    }

    #[test]
    fn phones_become_e164() {
        assert_eq!("+234 801-234 5678".parse::<Phone>().unwrap().as_str(), "+2348012345678");
        assert!("0801 234 5678".parse::<Phone>().is_err());
    }
}
