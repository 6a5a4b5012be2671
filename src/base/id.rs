//! Ids: one Rust type for each kind of thing, all of one stored form.
//!
//! New ids are UUIDv7. Ids taken over from the old services keep the form they had, so an id is
//! either a UUID or a short text. Must not know what any id stands for.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Longest text id taken over from an old service, in bytes: a SHA-256 in hexadecimal, the longest form seen in such stores.
pub const MAX_TEXT_ID: usize = 64;

/// First byte of a UUID's key form; below [`TEXT_TAG`], so that UUIDs sort first.
const UUID_TAG: u8 = 1;
/// First byte of a text id's key form.
const TEXT_TAG: u8 = 2;
/// Last byte of a text id's key form. No id contains it, so keys of several parts stay in order.
const TEXT_END: u8 = 0;

/// An id of any kind. The typed ids below wrap it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawId(Form);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    Uuid(Uuid),
    /// Zero-padded; no id contains a zero byte, so the padding is its end.
    Text([u8; MAX_TEXT_ID]),
}

/// A text that is no id: empty, too long, or with a character outside `A-Z a-z 0-9 - _ . ~ : @ +`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
pub struct BadId;

impl RawId {
    /// The id of a UUID.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(Form::Uuid(uuid))
    }

    /// The UUID, if the id is one.
    #[must_use]
    pub fn as_uuid(&self) -> Option<Uuid> {
        match self.0 {
            Form::Uuid(uuid) => Some(uuid),
            Form::Text(_) => None,
        }
    }

    /// Appends the key form: self-delimiting, and in the order of the ids.
    pub fn write_key(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Form::Uuid(uuid) => {
                out.push(UUID_TAG);
                out.extend_from_slice(uuid.as_bytes());
            }
            Form::Text(bytes) => {
                out.push(TEXT_TAG);
                out.extend(bytes.iter().take_while(|b| **b != TEXT_END));
                out.push(TEXT_END);
            }
        }
    }

    /// The key form by itself.
    #[must_use]
    pub fn to_key(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(17);
        self.write_key(&mut out);
        out
    }

    /// Reads one key form from the front of `key` and returns the rest.
    ///
    /// # Errors
    /// [`BadId`] where the front is no id's key form.
    pub fn read_key(key: &[u8]) -> Result<(Self, &[u8]), BadId> {
        let (tag, rest) = key.split_first().ok_or(BadId)?;
        match *tag {
            UUID_TAG => {
                let (uuid, rest) = rest.split_first_chunk::<16>().ok_or(BadId)?;
                Ok((Self(Form::Uuid(Uuid::from_bytes(*uuid))), rest))
            }
            TEXT_TAG => {
                let end = rest.iter().position(|b| *b == TEXT_END).ok_or(BadId)?;
                let (text, rest) = rest.split_at(end);
                let text = std::str::from_utf8(text).map_err(|_| BadId)?;
                Ok((text.parse()?, rest.split_first().map_or(&[][..], |(_, rest)| rest)))
            }
            _ => Err(BadId),
        }
    }

    /// The bytes that bind this id into digests and associated data: the key form.
    #[must_use]
    pub fn binding(&self) -> Vec<u8> {
        self.to_key()
    }
}

fn is_id_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-_.~:@+".contains(&b)
}

impl FromStr for RawId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.is_empty() || text.len() > MAX_TEXT_ID || !text.bytes().all(is_id_byte) {
            return Err(BadId);
        }
        // Only the canonical form is a UUID; any other spelling stays the text it was.
        if let Ok(uuid) = Uuid::try_parse(text)
            && uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text
        {
            return Ok(Self(Form::Uuid(uuid)));
        }
        let mut bytes = [0; MAX_TEXT_ID];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Ok(Self(Form::Text(bytes)))
    }
}

impl fmt::Display for RawId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Uuid(uuid) => uuid.hyphenated().fmt(f),
            Form::Text(bytes) => {
                bytes.iter().take_while(|b| **b != TEXT_END).try_for_each(|b| fmt::Write::write_char(f, char::from(*b)))
            }
        }
    }
}

impl fmt::Debug for RawId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for RawId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.to_key())
        }
    }
}

struct RawIdVisitor;

impl<'de> Visitor<'de> for RawIdVisitor {
    type Value = RawId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawId, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<RawId, E> {
        match RawId::read_key(bytes) {
            Ok((id, [])) => Ok(id),
            _ => Err(E::custom(BadId)),
        }
    }

    fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<RawId, E> {
        self.visit_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for RawId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(RawIdVisitor)
        } else {
            deserializer.deserialize_byte_buf(RawIdVisitor)
        }
        .map_err(|e| D::Error::custom(e.to_string()))
    }
}

macro_rules! id_types {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(RawId);

        impl $name {
            /// The id that a UUID stands for.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self { Self(RawId::from_uuid(uuid)) }
            /// The id under its type.
            #[must_use]
            pub const fn raw(&self) -> &RawId { &self.0 }
        }
        impl From<RawId> for $name {
            fn from(id: RawId) -> Self { Self(id) }
        }
        impl From<$name> for RawId {
            fn from(id: $name) -> Self { id.0 }
        }
        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> { text.parse().map(Self) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(&self.0, f) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(&self.0, f) }
        }
    )*};
}

id_types! {
    /// A person with an account.
    UserId;
    /// A sign-in and all tokens that came from it (the `sid` claim).
    SessionId;
    /// One entry of the login audit.
    AttemptId;
    /// A one-time code.
    OtpId;
    /// A row of a legacy table that is kept and not served.
    LegacyId;
    /// A distributor's invite to a customer.
    InviteId;
    /// The bond between a customer and a distributor.
    RelationshipId;
    /// An invite to a match.
    GameInviteId;
    /// A match.
    GameId;
    /// A conversation between a distributor and a customer.
    ConversationId;
    /// A chat message.
    MessageId;
    /// An entry of the audit trail.
    AuditId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_comes_back_as_it_was() {
        for text in [
            "17",
            "019ab3c0-0000-7000-8000-000000000001",
            "019AB3C0-0000-7000-8000-000000000001",
            "a_b.c",
            &"x".repeat(64),
        ] {
            let id: RawId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(RawId::read_key(&id.to_key()).unwrap(), (id, &[][..]));
        }
        for text in ["", "a b", "a/b", "a\0b", "é", &"x".repeat(65)] {
            assert_eq!(text.parse::<RawId>(), Err(BadId), "{text:?}");
        }
    }

    #[test]
    fn keys_of_two_parts_sort_like_pairs_of_ids() {
        let ids: Vec<RawId> =
            ["1", "10", "2", "019ab3c0-0000-7000-8000-000000000001"].iter().map(|t| t.parse().unwrap()).collect();
        let mut pairs: Vec<(RawId, RawId)> = ids.iter().flat_map(|a| ids.iter().map(|b| (*a, *b))).collect();
        pairs.sort();
        let keys: Vec<Vec<u8>> = pairs.iter().map(|(a, b)| [a.to_key(), b.to_key()].concat()).collect();
        assert!(keys.is_sorted());
    }
}
