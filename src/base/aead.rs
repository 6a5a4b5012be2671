//! The one AEAD of the box: XChaCha20-Poly1305 with a random 24-byte nonce.
//!
//! Sealed bytes are `nonce ‖ ciphertext ‖ tag`. Must not know what is sealed; the caller binds what belongs
//! to it through the associated data.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::base::digest::Key;
use crate::base::entropy::Entropy;

/// Bytes of a nonce.
const NONCE: usize = 24;
/// Bytes that sealing adds: nonce and tag.
pub const OVERHEAD: usize = NONCE + 16;

/// The bytes were changed, are another's, or the key is wrong. It cannot be told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("integrity")]
pub struct Integrity;

/// Seals `plain` under `key`, bound to `associated`.
#[must_use]
pub fn seal(key: &Key, entropy: &dyn Entropy, associated: &[u8], plain: &[u8]) -> Vec<u8> {
    let nonce: [u8; NONCE] = entropy.bytes();
    let cipher = XChaCha20Poly1305::new(key.expose().into());
    #[expect(clippy::expect_used, reason = "sealing fails only beyond 256 GiB")]
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: associated })
        .expect("a message is shorter than 256 GiB");
    [&nonce[..], &sealed].concat()
}

/// Opens what [`seal`] made with the same key and associated data.
///
/// # Errors
/// [`Integrity`] for anything else.
pub fn open(key: &Key, associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Integrity> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE>().ok_or(Integrity)?;
    XChaCha20Poly1305::new(key.expose().into())
        .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: associated })
        .map_err(|_| Integrity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use crate::base::secret::Secret;

    #[test]
    fn opens_only_what_was_sealed_with_the_same_key_and_binding() {
        let (key, other) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let sealed = seal(&key, &SeededEntropy::new(1), b"binding", b"hello");
        assert_eq!(open(&key, b"binding", &sealed).unwrap(), b"hello");
        assert_eq!(sealed.len(), 5 + OVERHEAD);
        assert!(open(&key, b"another", &sealed).is_err());
        assert!(open(&other, b"binding", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(open(&key, b"binding", &bent).is_err(), "byte {at}");
        }
    }

    // draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn agrees_with_the_published_vector() {
        let key = Secret::new(std::array::from_fn(|i| 0x80 + i as u8));
        let nonce: Vec<u8> = (0x40..0x58).collect();
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let plain: &[u8] = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let head = [0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b, 0x95, 0x76, 0x57, 0x94, 0x93, 0xc0, 0xe9, 0x39];
        let cipher = XChaCha20Poly1305::new(key.expose().into());
        let nonce24: [u8; 24] = nonce.clone().try_into().unwrap();
        let sealed = cipher.encrypt(&XNonce::from(nonce24), Payload { msg: plain, aad: &aad }).unwrap();
        assert_eq!(sealed[..16], head);
        assert_eq!(open(&key, &aad, &[nonce, sealed].concat()).unwrap(), plain);
    }
}
