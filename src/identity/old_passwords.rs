//! Password hashes of the old services: bcrypt and PBKDF2, as passlib, Django and Werkzeug write them.
//!
//! They are verified as they are, and replaced at the next sign-in: the box makes Argon2id alone. Must not know users.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::alphabet::STANDARD as LETTERS;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::pbkdf2;
use sha2::{Digest as _, Sha256};

/// The most that a bcrypt hash may ask for: each step doubles it, and 14 is a second on a small box.
const MOST_COST: u32 = 14;
/// The most rounds of PBKDF2: half a second on a small box.
const MOST_ROUNDS: u32 = 2_000_000;
/// Bytes of salt or digest at most: no library writes more.
const MOST_BYTES: usize = 256;

/// A hash that this file can verify.
enum Scheme {
    /// bcrypt of the password.
    Bcrypt(String),
    /// bcrypt of the password's SHA-256 in hexadecimal: Django's `bcrypt_sha256`.
    BcryptSha256(String),
    /// PBKDF2.
    Pbkdf2 { algorithm: pbkdf2::Algorithm, rounds: NonZeroU32, salt: Vec<u8>, digest: Vec<u8> },
}

/// Whether a stored hash is of an old scheme, at a cost that the box will pay.
#[must_use]
pub(in crate::identity) fn known(stored: &str) -> bool {
    parse(stored).is_some()
}

/// Whether this is the password of a hash of an old scheme; `None` where it is no such hash.
#[must_use]
pub(in crate::identity) fn verify(password: &[u8], stored: &str) -> Option<bool> {
    Some(match parse(stored)? {
        Scheme::Bcrypt(hash) => bcrypt::verify(password, &hash).unwrap_or(false),
        Scheme::BcryptSha256(hash) => {
            let digest: String = Sha256::digest(password).iter().map(|byte| format!("{byte:02x}")).collect();
            bcrypt::verify(digest, &hash).unwrap_or(false)
        }
        Scheme::Pbkdf2 { algorithm, rounds, salt, digest } => {
            pbkdf2::verify(algorithm, rounds, &salt, password, &digest).is_ok()
        }
    })
}

/// An Argon2 hash as a PHC string; Django writes its own word before it.
#[must_use]
pub(in crate::identity) fn phc(stored: &str) -> &str {
    match stored.strip_prefix("argon2") {
        Some(rest) if rest.starts_with("$argon2") => rest,
        _ => stored,
    }
}

fn parse(stored: &str) -> Option<Scheme> {
    if let Some(hash) = stored.strip_prefix("bcrypt_sha256$") {
        return bcrypt_of(hash).map(Scheme::BcryptSha256);
    }
    if let Some(hash) = bcrypt_of(stored.strip_prefix("bcrypt$").unwrap_or(stored)) {
        return Some(Scheme::Bcrypt(hash));
    }
    let parts: Vec<&str> = stored.split('$').collect();
    match *parts.as_slice() {
        // passlib: salt and digest in base64 whose plus is a full stop.
        ["", name, rounds, salt, digest] => {
            let algorithm = algorithm(name.strip_prefix("pbkdf2")?.strip_prefix('-').unwrap_or("sha1"))?;
            pbkdf2_of(algorithm, rounds, loose(&salt.replace('.', "+"))?, loose(&digest.replace('.', "+"))?)
        }
        // Django: the salt is the text.
        [name, rounds, salt, digest] => {
            let algorithm = algorithm(name.strip_prefix("pbkdf2_")?)?;
            pbkdf2_of(algorithm, rounds, salt.as_bytes().to_vec(), loose(digest)?)
        }
        // Werkzeug: the salt is the text, the digest in hexadecimal.
        [front, salt, digest] => {
            let (name, rounds) = front.strip_prefix("pbkdf2:")?.split_once(':')?;
            pbkdf2_of(algorithm(name)?, rounds, salt.as_bytes().to_vec(), hex(digest)?)
        }
        _ => None,
    }
}

/// A bcrypt hash of any of the letters that mean the same.
fn bcrypt_of(text: &str) -> Option<String> {
    let (version, rest) = text.strip_prefix("$2")?.split_once('$')?;
    let (cost, tail) = rest.split_once('$')?;
    let cost: u32 = cost.parse().ok()?;
    let fits = ["a", "b", "y"].contains(&version) && (4..=MOST_COST).contains(&cost) && tail.len() == 53;
    fits.then(|| text.to_owned())
}

fn algorithm(name: &str) -> Option<pbkdf2::Algorithm> {
    match name {
        "sha1" => Some(pbkdf2::PBKDF2_HMAC_SHA1),
        "sha256" => Some(pbkdf2::PBKDF2_HMAC_SHA256),
        "sha512" => Some(pbkdf2::PBKDF2_HMAC_SHA512),
        _ => None,
    }
}

fn pbkdf2_of(algorithm: pbkdf2::Algorithm, rounds: &str, salt: Vec<u8>, digest: Vec<u8>) -> Option<Scheme> {
    let rounds: u32 = rounds.parse().ok().filter(|rounds| *rounds <= MOST_ROUNDS)?;
    // A short digest would match by chance.
    let fits = (16..=MOST_BYTES).contains(&digest.len()) && salt.len() <= MOST_BYTES;
    let rounds = NonZeroU32::new(rounds)?;
    fits.then_some(Scheme::Pbkdf2 { algorithm, rounds, salt, digest })
}

/// Base64 with or without its padding.
fn loose(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&LETTERS, config).decode(text).ok()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
    text.len().is_multiple_of(2).then(|| text.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python: bcrypt 5.0, passlib 1.7.4's handlers, Django 5.2's hashers, Werkzeug 3.1.
    const HASHES: &str = include_str!("old_passwords/hashes.txt");

    #[test]
    fn every_scheme_opens_for_its_password_and_for_no_other() {
        let mut seen = 0;
        for line in HASHES.lines().filter(|line| !line.starts_with('#')) {
            let (password, hash) = line.split_once('\t').unwrap();
            assert!(known(hash), "{hash}");
            assert_eq!(verify(password.as_bytes(), hash), Some(true), "{hash}");
            assert_eq!(verify(b"another one", hash), Some(false), "{hash}");
            seen += 1;
        }
        assert!(seen >= 7, "{seen} schemes");
    }

    #[test]
    fn ruinous_short_and_foreign_hashes_are_not_taken() {
        let digest = "A".repeat(43);
        for hash in [
            "",
            "$2b$31$abcdefghijklmnopqrstuuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$1$salt$md5hash",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "$pbkdf2-sha256$4000000000$c2FsdA$AAAA",
            "$pbkdf2-sha256$1000$c2FsdA$AAAA",
            "pbkdf2_md5$1000$salt$AAAA",
            &format!("pbkdf2_sha256$0$salt${digest}"),
        ] {
            assert!(!known(hash), "{hash}");
        }
        assert!(known(&format!("pbkdf2_sha256$1000$salt${digest}")), "the control");
        assert_eq!(phc("argon2$argon2id$v=19$m=1,t=1,p=1$AA$AA"), "$argon2id$v=19$m=1,t=1,p=1$AA$AA");
    }
}
