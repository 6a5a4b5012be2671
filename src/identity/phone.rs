//! Phone numbers: sealed for reading, digested for comparing, never in a log.
//!
//! Must not know why a number is kept.

use std::fmt;

use crate::base::aead;
use crate::base::digest::{Key, keyed};
use crate::base::entropy::Entropy;
use crate::base::id::UserId;
use crate::base::text::Phone;

/// A number as it is stored. Made before the command is queued.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPhone {
    pub(in crate::identity) sealed: Vec<u8>,
    pub(in crate::identity) digest: [u8; 32],
}

impl fmt::Debug for SealedPhone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedPhone(..)")
    }
}

/// Seals and opens numbers.
pub(in crate::identity) struct Phones(pub(in crate::identity) Key);

impl Phones {
    pub(in crate::identity) fn seal(&self, entropy: &dyn Entropy, user: UserId, phone: &Phone) -> SealedPhone {
        let bytes = phone.as_str().as_bytes();
        SealedPhone {
            sealed: aead::seal(&self.0, entropy, &binding(user), bytes),
            digest: keyed(&self.0, &[b"phone-digest", bytes]),
        }
    }

    /// The number; `None` where it cannot be opened, which is logged with the user's id alone.
    pub(in crate::identity) fn open(&self, user: UserId, sealed: &[u8]) -> Option<Phone> {
        let opened = aead::open(&self.0, &binding(user), sealed).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let phone = opened.and_then(|text| text.parse().ok());
        if phone.is_none() {
            tracing::error!(%user, "a phone number cannot be opened");
        }
        phone
    }
}

fn binding(user: UserId) -> Vec<u8> {
    [b"whotbox/phone/v1".as_slice(), &user.raw().binding()].concat()
}
