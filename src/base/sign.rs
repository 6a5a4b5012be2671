//! Signatures that anyone can check with OpenSSL: Ed25519 (RFC 8032), with a key derived from the master key.
//!
//! Must not know what is signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::base::digest::Key;

/// What precedes the 32 bytes of an Ed25519 public key in a SubjectPublicKeyInfo (RFC 8410, section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key that signs.
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// The signer of a derived key. The same key is the same signer, so that nothing needs to be stored.
    #[must_use]
    pub fn new(seed: &Key) -> Self {
        #[expect(clippy::expect_used, reason = "every 32 bytes are an Ed25519 seed")]
        Self(Ed25519KeyPair::from_seed_unchecked(seed.expose()).expect("a seed has 32 bytes"))
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }

    /// The public key's bytes.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    /// The public key as PEM, which OpenSSL reads.
    #[must_use]
    pub fn public_pem(&self) -> String {
        let body = STANDARD.encode([&SPKI, self.0.public_key().as_ref()].concat());
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }
}

/// Whether a signature is that of the holder of a public key.
#[must_use]
pub fn is_signed_by(public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;

    // RFC 8032, section 7.1, test 2.
    #[test]
    fn agrees_with_the_published_vector() {
        let hex = |text: &str| -> Vec<u8> {
            text.as_bytes()
                .chunks(2)
                .map(|t| u8::from_str_radix(std::str::from_utf8(t).unwrap(), 16).unwrap())
                .collect()
        };
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let signer = Signer::new(&Secret::new(seed.try_into().unwrap()));
        let signature = hex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        assert_eq!(signer.sign(&[0x72]), signature);
        assert!(is_signed_by(&signer.public(), &[0x72], &signature));
        assert!(!is_signed_by(&signer.public(), &[0x73], &signature));
    }
}
