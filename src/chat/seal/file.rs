//! The key file: every bucket key of the box, wrapped, in one small file that is replaced as a whole.
//!
//! ```text
//!   header  "WBKEYS" ‖ format 1 ‖ box id (16) ‖ wrap version (4) ‖ master key check (32) ‖ number of entries (4)
//!   entry   bucket id (16) ‖ created, µs (8) ‖ kind's length (1) ‖ kind ‖ wrapped key (72)
//!   end     HMAC-SHA-256 of everything before it (32)
//! ```
//!
//! It is never in the store, so that destroying a key is final: an old page of the store has nothing to open it.
//! Replacing: write a new file, fsync it, rename it over the old one, fsync the folder. Whoever reads after a
//! power cut finds the old file or the new one, whole. Must not know which keys are needed.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::base::aead;
use crate::base::digest::{Key, hmac_sha256, keyed, same};
use crate::base::durable;
use crate::base::entropy::Entropy;
use crate::base::keys::{MasterKey, Purpose};
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::chat::seal::bucket::{Bucket, BucketId, Kind};

const MAGIC: &[u8; 6] = b"WBKEYS";
/// The layout of the file.
const FORMAT: u8 = 1;
/// Bytes of a wrapped bucket key.
const WRAPPED: usize = 32 + aead::OVERHEAD;
/// A file may not be longer: half a million keys, far beyond any box, and little enough to read at once.
const MAX_BYTES: u64 = 64 << 20;

/// Why the key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The master key is not the one that the file was written under. Nothing was changed.
    #[error("the master key is not the one of this data folder")]
    WrongMaster,
    /// The file belongs to another box.
    #[error("the key file is of another box")]
    OtherBox,
    /// The file was written by a newer binary.
    #[error("the key file has format {0}: newer than this binary")]
    Newer(u8),
    /// The file was changed or cut. Restore it from a backup.
    #[error("the key file is damaged")]
    Damaged,
    /// The store has sealed messages, but there is no key file. Restore it from a backup.
    #[error("the key file is missing")]
    Missing,
    /// The disk refused. Nothing is promised; the file is the old one or the new one.
    #[error("the key file cannot be written or read: {0}")]
    Io(#[from] io::Error),
}

/// The keys that protect the file: all derive from the master key.
#[derive(Debug)]
pub struct FileKeys {
    master: MasterKey,
    mac: Key,
    check: Key,
    box_id: Uuid,
}

/// What the file says.
#[derive(Debug)]
pub struct Contents {
    /// Which derived key wraps the bucket keys: rotation raises it.
    pub wrap_version: u32,
    /// The buckets.
    pub buckets: Vec<Bucket>,
}

/// One entry as it lies in the file: its key is wrapped, so it may leave the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// The bucket.
    pub id: BucketId,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it holds, as [`Kind::to_bytes`] has it.
    pub kind: Vec<u8>,
    /// Which derived key wraps it.
    pub wrap_version: u32,
    /// The wrapped key.
    pub key: Vec<u8>,
}

impl FileKeys {
    /// The keys for the file of one box.
    #[must_use]
    pub fn new(master: &MasterKey, box_id: Uuid) -> Self {
        let (mac, check) = (master.derive(Purpose::KeyFile), master.derive(Purpose::Check));
        Self { master: master.clone(), mac, check, box_id }
    }

    fn master_check(&self) -> [u8; 32] {
        keyed(&self.check, &[b"whotbox/key-file", self.box_id.as_bytes()])
    }

    /// The file's bytes. Every key is wrapped anew, with a new nonce.
    #[must_use]
    pub fn encode<'a>(
        &self,
        wrap_version: u32,
        buckets: impl ExactSizeIterator<Item = &'a Bucket>,
        entropy: &dyn Entropy,
    ) -> Vec<u8> {
        let wrap_key = self.master.derive(Purpose::ChatWrap(wrap_version));
        let count = u32::try_from(buckets.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut out = [&MAGIC[..], &[FORMAT], self.box_id.as_bytes(), &wrap_version.to_be_bytes()].concat();
        out.extend_from_slice(&self.master_check());
        out.extend_from_slice(&count);
        for bucket in buckets {
            let head = entry_head(bucket.id, bucket.created_at, &bucket.kind.to_bytes());
            let wrapped = aead::seal(&wrap_key, entropy, &self.entry_binding(wrap_version, &head), bucket.key.expose());
            out.extend_from_slice(&head);
            out.extend_from_slice(&wrapped);
        }
        out.extend_from_slice(&hmac_sha256(self.mac.expose(), &out));
        out
    }

    /// Reads the file's bytes.
    ///
    /// # Errors
    /// [`KeyFileError`], the wrong master key told apart from damage.
    pub fn decode(&self, bytes: &[u8]) -> Result<Contents, KeyFileError> {
        let (wrap_version, entries) = self.entries(bytes)?;
        let wrap_key = self.master.derive(Purpose::ChatWrap(wrap_version));
        let buckets = entries.iter().map(|entry| self.unwrap(entry, &wrap_key)).collect::<Result<_, _>>()?;
        Ok(Contents { wrap_version, buckets })
    }

    /// Opens one entry that lay elsewhere: what a lost box is rebuilt from.
    ///
    /// # Errors
    /// [`KeyFileError::Damaged`] where it is not an entry of this box under this master key.
    pub fn adopt(&self, entry: &Wrapped) -> Result<Bucket, KeyFileError> {
        self.unwrap(entry, &self.master.derive(Purpose::ChatWrap(entry.wrap_version)))
    }

    /// The file's entries, their keys wrapped, once the file has proved itself.
    ///
    /// # Errors
    /// As [`FileKeys::decode`].
    pub fn entries(&self, bytes: &[u8]) -> Result<(u32, Vec<Wrapped>), KeyFileError> {
        let mut at = Cursor(bytes);
        if at.take::<6>()? != MAGIC {
            return Err(KeyFileError::Damaged);
        }
        let [format] = *at.take::<1>()?;
        if format > FORMAT {
            return Err(KeyFileError::Newer(format));
        }
        let box_id = *at.take::<16>()?;
        let wrap_version = u32::from_be_bytes(*at.take()?);
        let check = *at.take::<32>()?;
        if &box_id != self.box_id.as_bytes() {
            return Err(KeyFileError::OtherBox);
        }
        if !same(&check, &self.master_check()) {
            return Err(KeyFileError::WrongMaster);
        }
        let (signed, mac) = bytes.split_last_chunk::<32>().ok_or(KeyFileError::Damaged)?;
        if format != FORMAT || !same(mac, &hmac_sha256(self.mac.expose(), signed)) {
            return Err(KeyFileError::Damaged);
        }
        let count = u32::from_be_bytes(*at.take()?);
        let entries = (0..count).map(|_| entry(&mut at, wrap_version)).collect::<Result<_, _>>()?;
        Ok((wrap_version, entries))
    }

    fn unwrap(&self, entry: &Wrapped, wrap_key: &Key) -> Result<Bucket, KeyFileError> {
        let head = entry_head(entry.id, entry.created_at, &entry.kind);
        let kind = Kind::from_bytes(&entry.kind).ok_or(KeyFileError::Damaged)?;
        let binding = self.entry_binding(entry.wrap_version, &head);
        let plain = aead::open(wrap_key, &binding, &entry.key).map(Zeroizing::new);
        let plain = plain.map_err(|_| KeyFileError::Damaged)?;
        let key: [u8; 32] = plain.as_slice().try_into().map_err(|_| KeyFileError::Damaged)?;
        Ok(Bucket { id: entry.id, kind, created_at: entry.created_at, key: Secret::new(key) })
    }

    /// What a wrapped key is bound to: the box, the wrapping key and everything the entry says.
    fn entry_binding(&self, wrap_version: u32, head: &[u8]) -> Vec<u8> {
        [&b"whotbox/chat/bucket"[..], &[FORMAT], self.box_id.as_bytes(), &wrap_version.to_be_bytes(), head].concat()
    }
}

fn entry(at: &mut Cursor<'_>, wrap_version: u32) -> Result<Wrapped, KeyFileError> {
    let id = BucketId::from_bytes(*at.take()?);
    let created_at = Timestamp::from_micros(i64::from_be_bytes(*at.take()?));
    let [length] = *at.take::<1>()?;
    let kind = at.slice(usize::from(length))?.to_vec();
    Ok(Wrapped { id, created_at, kind, wrap_version, key: at.take::<WRAPPED>()?.to_vec() })
}

fn entry_head(id: BucketId, created_at: Timestamp, kind: &[u8]) -> Vec<u8> {
    let length = u8::try_from(kind.len()).unwrap_or(u8::MAX);
    [&id.as_bytes()[..], &created_at.micros().to_be_bytes(), &[length], kind].concat()
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], KeyFileError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(KeyFileError::Damaged)?;
        self.0 = rest;
        Ok(head)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], KeyFileError> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(KeyFileError::Damaged)?;
        self.0 = rest;
        Ok(head)
    }
}

/// The file's bytes; nothing where there is no file.
///
/// # Errors
/// [`KeyFileError::Io`], and [`KeyFileError::Damaged`] for a file beyond any sensible size.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, KeyFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(KeyFileError::Damaged) } else { Ok(Some(bytes)) }
}

/// Replaces the file: durable when it returns `Ok`.
///
/// # Errors
/// [`KeyFileError::Io`]; the file is then the old one, or the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    Ok(durable::replace(path, bytes)?)
}
