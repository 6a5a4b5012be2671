//! Messages as the old services sealed them: Fernet, AES-GCM, XChaCha20-Poly1305, or not at all.
//!
//! What is opened is in memory alone and wiped. Must not know where a message goes.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ring::aead as gcm;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::aead;
use crate::base::digest::{Key, plain_sha256};
use crate::base::fernet;
use crate::base::secret::Secret;
use crate::moving::cell::Cell;

/// Bytes of a GCM nonce.
const GCM_NONCE: usize = 12;
/// The shortest that can be sealed bytes: a nonce and a tag.
const SHORTEST: usize = GCM_NONCE + 16;

/// How the messages of a store are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cipher {
    /// Each message is looked at.
    Auto,
    /// Python's `cryptography`.
    Fernet,
    /// Nonce of 12 bytes, ciphertext, tag.
    AesGcm,
    /// Nonce of 24 bytes, ciphertext, tag.
    Xchacha20,
    /// They are not.
    Plain,
}

impl Cipher {
    /// The cipher of a name in a map file.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "auto" => Self::Auto,
            "fernet" => Self::Fernet,
            "aes-gcm" => Self::AesGcm,
            "xchacha20" => Self::Xchacha20,
            "plain" => Self::Plain,
            _ => return None,
        })
    }
}

/// The old service's keys: what its setting says, in every form that services read one.
pub struct OldKeys(Vec<Key>);

/// What a message came to.
pub enum Opened {
    /// Its text.
    Text(Zeroizing<String>),
    /// No key opens it: its bytes as they were.
    Closed(Vec<u8>, &'static str),
    /// It was never sealed, and is no text.
    Broken(&'static str),
    /// There is nothing.
    Empty,
}

impl OldKeys {
    /// The keys of a `CHAT_ENCRYPTION_KEY`; several stand with commas between them, the newest first.
    #[must_use]
    pub fn parse(setting: &str) -> Self {
        let mut keys = Vec::new();
        for text in setting.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let decoded = [URL_SAFE.decode(text), STANDARD.decode(text)].into_iter().flatten();
            for bytes in decoded.chain(unhex(text)).chain([text.as_bytes().to_vec()]) {
                if let Ok(key) = <[u8; 32]>::try_from(Zeroizing::new(bytes).as_slice()) {
                    keys.push(Secret::new(key));
                }
            }
            // A pass phrase, as many services turn one into a key.
            keys.push(Secret::new(plain_sha256(text.as_bytes())));
        }
        let mut distinct: Vec<Key> = Vec::new();
        for key in keys {
            if !distinct.iter().any(|known| known.expose() == key.expose()) {
                distinct.push(key);
            }
        }
        Self(distinct)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Opens a message.
    #[must_use]
    pub fn open(&self, cell: &Cell, cipher: Cipher) -> Opened {
        let (text, bytes) = match cell {
            Cell::Null => return Opened::Empty,
            Cell::Text(text) if text.is_empty() => return Opened::Empty,
            Cell::Text(text) => (Some(text.as_str()), text.as_bytes()),
            Cell::Bytes(bytes) | Cell::Broken(bytes) => (std::str::from_utf8(bytes).ok(), bytes.as_slice()),
            Cell::Int(_) | Cell::Real(_) => return Opened::Broken("the text is a number"),
        };
        let found = match cipher {
            Cipher::Plain => return plain(text),
            Cipher::Fernet => self.fernet(text),
            Cipher::AesGcm => self.raw(text, bytes, open_gcm),
            Cipher::Xchacha20 => self.raw(text, bytes, open_xchacha),
            Cipher::Auto if text.is_some_and(|text| fernet::looks_like(text.trim())) => self.fernet(text),
            Cipher::Auto if !could_be_sealed(text, bytes) => return plain(text),
            Cipher::Auto if self.is_empty() && text.is_some() => return plain(text),
            Cipher::Auto => {
                self.raw(text, bytes, |key, bytes| open_gcm(key, bytes).or_else(|| open_xchacha(key, bytes)))
            }
        };
        match found {
            Some(plain) => match std::str::from_utf8(&plain) {
                Ok(text) => Opened::Text(Zeroizing::new(text.to_owned())),
                Err(_) => Opened::Closed(bytes.to_vec(), "what it says is not UTF-8"),
            },
            None if self.is_empty() => Opened::Closed(bytes.to_vec(), "it is sealed, and no old key was given"),
            None => Opened::Closed(bytes.to_vec(), "the old key does not open it"),
        }
    }

    fn fernet(&self, text: Option<&str>) -> Option<Zeroizing<Vec<u8>>> {
        let token = text?;
        self.0.iter().find_map(|key| fernet::open(key, token).ok())
    }

    fn raw(
        &self,
        text: Option<&str>,
        bytes: &[u8],
        open: impl Fn(&Key, &[u8]) -> Option<Zeroizing<Vec<u8>>>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let spelled: Vec<Vec<u8>> = text.map(spellings).unwrap_or_default();
        let all = || spelled.iter().map(Vec::as_slice).chain([bytes]);
        self.0.iter().find_map(|key| all().find_map(|bytes| open(key, bytes)))
    }
}

fn plain(text: Option<&str>) -> Opened {
    match text {
        Some(text) => Opened::Text(Zeroizing::new(text.to_owned())),
        None => Opened::Broken("the text is not UTF-8"),
    }
}

/// The bytes that a text may spell.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let text = text.trim();
    let base64 = [URL_SAFE.decode(text), STANDARD.decode(text)].into_iter().flatten();
    base64.chain(unhex(text)).filter(|bytes| bytes.len() >= SHORTEST).collect()
}

fn could_be_sealed(text: Option<&str>, bytes: &[u8]) -> bool {
    text.map_or(bytes.len() >= SHORTEST, |text| !spellings(text).is_empty())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks(2).map(byte).collect()
}

fn open_xchacha(key: &Key, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    aead::open(key, &[], bytes).ok().map(Zeroizing::new)
}

fn open_gcm(key: &Key, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = bytes.split_first_chunk::<GCM_NONCE>()?;
    let key = gcm::LessSafeKey::new(gcm::UnboundKey::new(&gcm::AES_256_GCM, key.expose()).ok()?);
    let mut room = Zeroizing::new(sealed.to_vec());
    let nonce = gcm::Nonce::assume_unique_for_key(*nonce);
    let length = key.open_in_place(nonce, gcm::Aad::empty(), &mut room).ok()?.len();
    room.truncate(length);
    Some(room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use crate::base::time::Timestamp;

    const SETTING: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

    fn text(opened: Opened) -> Option<String> {
        match opened {
            Opened::Text(text) => Some(text.to_string()),
            Opened::Closed(..) | Opened::Broken(_) | Opened::Empty => None,
        }
    }

    fn sealed_gcm(key: &Key) -> Vec<u8> {
        let cipher = gcm::LessSafeKey::new(gcm::UnboundKey::new(&gcm::AES_256_GCM, key.expose()).unwrap());
        let mut room = b"good evening".to_vec();
        cipher
            .seal_in_place_append_tag(gcm::Nonce::assume_unique_for_key([7; 12]), gcm::Aad::empty(), &mut room)
            .unwrap();
        [[7; 12].to_vec(), room].concat()
    }

    #[test]
    fn each_cipher_is_recognised_and_opened_in_each_spelling() {
        let keys = OldKeys::parse(SETTING);
        let key = Secret::new(URL_SAFE.decode(SETTING).unwrap().try_into().unwrap());
        let token = fernet::seal(&key, &SeededEntropy::new(1), Timestamp::from_micros(0), b"good evening");
        let (gcm, xchacha) = (sealed_gcm(&key), aead::seal(&key, &SeededEntropy::new(1), &[], b"good evening"));
        let cells = [
            Cell::Text(token.clone()),
            Cell::Bytes(token.into_bytes()),
            Cell::Bytes(gcm.clone()),
            Cell::Text(STANDARD.encode(&gcm)),
            Cell::Text(URL_SAFE.encode(&xchacha)),
            Cell::Text(crate::base::digest::hex(&xchacha)),
            Cell::Text("good evening".to_owned()),
        ];
        for cell in &cells {
            assert_eq!(text(keys.open(cell, Cipher::Auto)).as_deref(), Some("good evening"));
        }
        // Another key opens none of them but the plain one, and their bytes are kept.
        let others = OldKeys::parse("another key altogether");
        let opened = cells.iter().filter_map(|cell| text(others.open(cell, Cipher::Auto))).count();
        assert_eq!(opened, 1);
        assert!(
            matches!(others.open(&cells[0], Cipher::Auto), Opened::Closed(bytes, _) if bytes.starts_with(b"gAAAA"))
        );
    }

    #[test]
    fn a_pass_phrase_a_list_and_no_key_are_understood() {
        let key = Secret::new(plain_sha256(b"a pass phrase"));
        let sealed = Cell::Bytes(sealed_gcm(&key));
        let keys = OldKeys::parse(&format!("{SETTING}, a pass phrase"));
        assert_eq!(text(keys.open(&sealed, Cipher::AesGcm)).as_deref(), Some("good evening"));
        let none = OldKeys::parse("");
        assert!(none.is_empty());
        assert!(matches!(none.open(&sealed, Cipher::Auto), Opened::Closed(..)));
        assert!(matches!(none.open(&Cell::Null, Cipher::Auto), Opened::Empty));
        assert!(matches!(none.open(&Cell::Bytes(vec![0xff, 0xfe]), Cipher::Plain), Opened::Broken(_)));
    }
}
