//! Fernet: the sealed texts of the old services, as Python's `cryptography` makes them.
//!
//! ```text
//!   token = base64url( 0x80 ‖ seconds (8) ‖ IV (16) ‖ AES-128-CBC, PKCS #7 ‖ HMAC-SHA-256 of all before (32) )
//!   key   = base64url( signing key (16) ‖ encryption key (16) )
//! ```
//! For what moves in and out alone: the box's own messages are sealed by [`crate::base::aead`]. The time in a token is
//! not looked at. Must not know what is sealed.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::base::aead::Integrity;
use crate::base::digest::{Key, hmac_sha256, same};
use crate::base::entropy::Entropy;
use crate::base::time::Timestamp;

/// The first byte of every token.
const VERSION: u8 = 0x80;
/// Bytes before the ciphertext: version, seconds, IV.
const HEAD: usize = 1 + 8 + 16;
/// Bytes of the authentication code.
const MAC: usize = 32;

/// The halves of a key: for signing, for encrypting.
fn halves(key: &Key) -> ([u8; 16], [u8; 16]) {
    let bytes = key.expose();
    let half = |from: usize| std::array::from_fn(|at| bytes.get(from + at).copied().unwrap_or_default());
    (half(0), half(16))
}

/// Whether a text could be a token: its first byte is in its first two letters, and a time before 2106 in the next.
#[must_use]
pub fn looks_like(text: &str) -> bool {
    text.starts_with("gAAAA") && text.len() >= 100
}

/// Opens a token.
///
/// # Errors
/// [`Integrity`] for another key's token, a changed one, or none at all.
pub fn open(key: &Key, token: &str) -> Result<Zeroizing<Vec<u8>>, Integrity> {
    let bytes = URL_SAFE_NO_PAD.decode(token.trim().trim_end_matches('=')).map_err(|_| Integrity)?;
    let (signed, mac) = bytes.split_last_chunk::<MAC>().ok_or(Integrity)?;
    let (signing, encrypting) = halves(key);
    if !same(&hmac_sha256(&signing, signed), mac) {
        return Err(Integrity);
    }
    let (head, sealed) = signed.split_first_chunk::<HEAD>().ok_or(Integrity)?;
    let (VERSION, Some(iv)) = (head[0], head.last_chunk::<16>()) else { return Err(Integrity) };
    let cipher = cbc::Decryptor::<Aes128>::new(&encrypting.into(), &(*iv).into());
    let mut room = Zeroizing::new(sealed.to_vec());
    let length = cipher.decrypt_padded::<Pkcs7>(&mut room).map_err(|_| Integrity)?.len();
    room.truncate(length);
    Ok(room)
}

/// Makes a token.
#[must_use]
pub fn seal(key: &Key, entropy: &dyn Entropy, now: Timestamp, plain: &[u8]) -> String {
    let (signing, encrypting) = halves(key);
    let iv: [u8; 16] = entropy.bytes();
    let cipher = cbc::Encryptor::<Aes128>::new(&encrypting.into(), &iv.into());
    // PKCS #7 fills up to the next whole block, a full one where the text ends with one.
    let mut room = Zeroizing::new(vec![0; (plain.len() / 16 + 1) * 16]);
    if let Some(front) = room.get_mut(..plain.len()) {
        front.copy_from_slice(plain);
    }
    let sealed = cipher.encrypt_padded::<Pkcs7>(&mut room, plain.len()).unwrap_or_default();
    let mut token = [&[VERSION][..], &now.seconds().to_be_bytes(), &iv, sealed].concat();
    let mac = hmac_sha256(&signing, &token);
    token.extend_from_slice(&mac);
    URL_SAFE.encode(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use crate::base::secret::Secret;

    /// The key and token of the specification's own vectors (github.com/fernet/spec, verify.json).
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const TOKEN: &str =
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    fn key() -> Key {
        Secret::new(URL_SAFE.decode(KEY).unwrap().try_into().unwrap())
    }

    #[test]
    fn agrees_with_the_published_vector() {
        assert_eq!(open(&key(), TOKEN).unwrap().as_slice(), b"hello");
        assert!(looks_like(TOKEN));
    }

    #[test]
    fn opens_what_it_sealed_and_nothing_that_was_changed() {
        let entropy = SeededEntropy::new(1);
        for length in [0, 1, 15, 16, 17, 4000] {
            let plain = vec![b'x'; length];
            let token = seal(&key(), &entropy, Timestamp::from_micros(1_795_341_600_000_000), &plain);
            assert_eq!(open(&key(), &token).unwrap().as_slice(), plain);
            assert!(open(&Secret::new([1; 32]), &token).is_err());
        }
        for at in 0..TOKEN.len() - 2 {
            let mut bent = TOKEN.as_bytes().to_vec();
            bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
            assert!(open(&key(), std::str::from_utf8(&bent).unwrap()).is_err(), "letter {at}");
        }
    }
}
