//! The stream within a backup (`schemas/backup/README.md`): frames that are hashed as they go, and one signature.
//!
//! ```text
//!   "WBBACKUP" ‖ format 1 · frames: kind (1) ‖ length (4) ‖ body · 1 head, 2 sealed keys, 3 pairs …, 9 end
//!   pairs: space (1) ‖ { key's length (4) ‖ key ‖ value's length (4) ‖ value } …        numbers big-endian
//!   end: counts, SHA-256 of every byte before the end frame, the signature of that
//! ```
//!
//! Must not know how the stream is sealed nor where it lies.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::backup::error::Error;
use crate::base::digest::hex;
use crate::base::sign::{Signer, is_signed_by};
use crate::base::time::Timestamp;
use crate::store::read::{Pair, Space};

const MAGIC: &[u8; 8] = b"WBBACKUP";
/// The format that is written; earlier ones are read for ever.
const FORMAT: u8 = 1;
/// A frame of pairs is closed once it is so long.
const FULL: usize = 256 * 1024;
/// No frame may be longer: a full one and the longest record and its index entries.
const MAX_FRAME: usize = 128 << 20;
/// What is signed besides the digest, so that the signature stands for nothing else.
const PURPOSE: &[u8] = b"whotbox/backup/v1";

/// Kinds of frames.
const HEAD: u8 = 1;
const SEALED: u8 = 2;
const PAIRS: u8 = 3;
const END: u8 = 9;

/// What a copy must agree with the original in, besides every byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Matches that are not over.
    pub live_matches: u64,
    /// Conversations under legal hold.
    pub holds: u64,
    /// When the next message expires, in microseconds since 1970.
    pub next_expiry: Option<i64>,
    /// Links of the audit trail.
    pub audits: u64,
    /// The last link's hash.
    pub audit_head: String,
}

/// The first frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The backup.
    pub id: Uuid,
    /// The program that made it.
    pub version: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The box.
    pub box_id: Uuid,
    /// The life of its log.
    pub epoch: Uuid,
    /// Whether it was enrolled at central.
    pub logging: bool,
    /// What recognises the master key.
    pub key_check: String,
    /// When the box was made, in microseconds since 1970.
    pub created_at: i64,
    /// The layout of its store.
    pub layout: u16,
    /// A digest of the machine's id under a key of the box.
    pub machine: Option<String>,
    /// The public key that the signature is checked with.
    pub signer: String,
    /// What the copy must agree in.
    pub facts: Facts,
}

/// The last frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Rows of each table, by its number.
    pub rows: BTreeMap<u16, u64>,
    /// Index entries.
    pub indexes: u64,
    /// SHA-256 of every byte before this frame.
    pub sha256: String,
    /// The Ed25519 signature.
    pub signature: String,
}

impl End {
    /// Rows of all tables.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.rows.values().sum()
    }
}

/// Writes the stream.
pub struct Writer<W> {
    out: W,
    hash: Sha256,
    pairs: Vec<u8>,
    rows: BTreeMap<u16, u64>,
    indexes: u64,
}

const fn number(space: Space) -> u8 {
    match space {
        Space::Rows => 1,
        Space::Indexes => 2,
        Space::Changes => 3,
    }
}

const fn length(bytes: &[u8]) -> [u8; 4] {
    // A record is far shorter than 4 GiB.
    #[expect(clippy::cast_possible_truncation, reason = "frames and records are bounded below 4 GiB")]
    (bytes.len() as u32).to_be_bytes()
}

impl<W: Write> Writer<W> {
    /// Begins the stream.
    ///
    /// # Errors
    /// What the disk says.
    pub fn begin(out: W, head: &Head, sealed: &[u8]) -> io::Result<Self> {
        let mut this = Self { out, hash: Sha256::new(), pairs: Vec::new(), rows: BTreeMap::new(), indexes: 0 };
        this.raw(MAGIC)?;
        this.raw(&[FORMAT])?;
        this.frame(HEAD, &serde_json::to_vec(head)?)?;
        this.frame(SEALED, sealed)?;
        Ok(this)
    }

    /// Adds a pair. All of one space come together.
    ///
    /// # Errors
    /// What the disk says.
    pub fn pair(&mut self, space: Space, (key, value): &Pair) -> io::Result<()> {
        let space_number = number(space);
        if self.pairs.len() > FULL || self.pairs.first().is_some_and(|first| *first != space_number) {
            self.flush_pairs()?;
        }
        if self.pairs.is_empty() {
            self.pairs.push(space_number);
        }
        for bytes in [key, value] {
            self.pairs.extend_from_slice(&length(bytes));
            self.pairs.extend_from_slice(bytes);
        }
        match space {
            Space::Rows => {
                let table = key.first_chunk::<2>().map_or(0, |table| u16::from_be_bytes(*table));
                *self.rows.entry(table).or_default() += 1;
            }
            Space::Indexes => self.indexes += 1,
            Space::Changes => {}
        }
        Ok(())
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// What the disk says.
    pub fn end(mut self, signer: &Signer) -> io::Result<(End, W)> {
        self.flush_pairs()?;
        let digest = self.hash.clone().finalize();
        let signature = STANDARD.encode(signer.sign(&[PURPOSE, &digest[..]].concat()));
        let end = End { rows: self.rows.clone(), indexes: self.indexes, sha256: hex(&digest), signature };
        self.frame(END, &serde_json::to_vec(&end)?)?;
        Ok((end, self.out))
    }

    fn flush_pairs(&mut self) -> io::Result<()> {
        let pairs = std::mem::take(&mut self.pairs);
        if pairs.is_empty() { Ok(()) } else { self.frame(PAIRS, &pairs) }
    }

    fn frame(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        self.raw(&[kind])?;
        self.raw(&length(body))?;
        self.raw(body)
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.out.write_all(bytes)
    }
}

/// Reads the stream: frame after frame, and nothing is believed before [`Reader::pairs`] has said that it ended well.
pub struct Reader<R> {
    input: R,
    hash: Sha256,
    /// The first frame.
    pub head: Head,
    /// The keys, still sealed to the recovery key.
    pub sealed: Vec<u8>,
    rows: BTreeMap<u16, u64>,
    indexes: u64,
    end: Option<End>,
}

fn broken(what: &str) -> Error {
    Error::Broken(what.to_owned())
}

fn cut(error: io::Error) -> Error {
    match error.kind() {
        // age says so of a stream that was changed or cut.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => broken("it is damaged or cut off"),
        _ => error.into(),
    }
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|_| broken("a frame is not of its form"))
}

impl<R: Read> Reader<R> {
    /// Reads up to the first pairs.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::Newer`].
    pub fn begin(mut input: R) -> Result<Self, Error> {
        let mut start = [0; 9];
        input.read_exact(&mut start).map_err(cut)?;
        let [magic @ .., format] = start;
        if &magic != MAGIC {
            return Err(broken("it is no backup of whotbox"));
        }
        if format != FORMAT {
            return Err(Error::Newer(format!("format {format}")));
        }
        let mut hash = Sha256::new();
        hash.update(start);
        let head = expect(&mut input, &mut hash, HEAD)?;
        let sealed = expect(&mut input, &mut hash, SEALED)?;
        let head = json(&head)?;
        Ok(Self { input, hash, head, sealed, rows: BTreeMap::new(), indexes: 0, end: None })
    }

    /// The next pairs; `None` once the stream has ended, whole and signed.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn pairs(&mut self) -> Result<Option<Vec<(Space, Pair)>>, Error> {
        if self.end.is_some() {
            return Ok(None);
        }
        let before = self.hash.clone();
        match frame(&mut self.input, &mut self.hash)? {
            (PAIRS, body) => self.parse(&body).map(Some),
            (END, body) => {
                let end: End = json(&body)?;
                self.judge(&end, &before.finalize())?;
                self.end = Some(end);
                Ok(None)
            }
            _ => Err(broken("a frame is not where it belongs")),
        }
    }

    /// The last frame, once [`Reader::pairs`] has given `None`.
    #[must_use]
    pub const fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    fn parse(&mut self, body: &[u8]) -> Result<Vec<(Space, Pair)>, Error> {
        let torn = || broken("a frame of pairs is torn");
        let (first, mut rest) = body.split_first().ok_or_else(torn)?;
        let space = Space::ALL.into_iter().find(|space| number(*space) == *first).ok_or_else(torn)?;
        let mut pairs = Vec::new();
        while !rest.is_empty() {
            let mut next = || -> Option<Vec<u8>> {
                let (size, after) = rest.split_first_chunk::<4>()?;
                let (bytes, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*size)).ok()?)?;
                rest = after;
                Some(bytes.to_vec())
            };
            let (key, value) = next().zip(next()).ok_or_else(torn)?;
            match space {
                Space::Rows => {
                    let table = key.first_chunk::<2>().map_or(0, |table| u16::from_be_bytes(*table));
                    *self.rows.entry(table).or_default() += 1;
                }
                Space::Indexes => self.indexes += 1,
                Space::Changes => {}
            }
            pairs.push((space, (key, value)));
        }
        Ok(pairs)
    }

    fn judge(&mut self, end: &End, digest: &[u8]) -> Result<(), Error> {
        if end.sha256 != hex(digest) || end.rows != self.rows || end.indexes != self.indexes {
            return Err(broken("its digest or its counts do not agree with what is in it"));
        }
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| broken("its signature is not of its form"));
        let (signer, signature) = (decode(&self.head.signer)?, decode(&end.signature)?);
        if !is_signed_by(&signer, &[PURPOSE, digest].concat(), &signature) {
            return Err(broken("its signature does not fit"));
        }
        if self.input.read(&mut [0]).map_err(cut)? != 0 {
            return Err(broken("something follows its end"));
        }
        Ok(())
    }
}

fn expect(input: &mut impl Read, hash: &mut Sha256, kind: u8) -> Result<Vec<u8>, Error> {
    match frame(input, hash)? {
        (found, body) if found == kind => Ok(body),
        _ => Err(broken("a frame is not where it belongs")),
    }
}

fn frame(input: &mut impl Read, hash: &mut Sha256) -> Result<(u8, Vec<u8>), Error> {
    let mut start = [0; 5];
    input.read_exact(&mut start).map_err(cut)?;
    hash.update(start);
    let [kind, size @ ..] = start;
    let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if size > MAX_FRAME {
        return Err(broken("a frame is longer than any may be"));
    }
    let mut body = Vec::new();
    // Grows as it is read, so that a wrong length takes no memory.
    input.take(size as u64).read_to_end(&mut body).map_err(cut)?;
    if body.len() != size {
        return Err(broken("it is cut off"));
    }
    hash.update(&body);
    Ok((kind, body))
}

#[cfg(test)]
mod tests;
