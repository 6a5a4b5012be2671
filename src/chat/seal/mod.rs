//! Sealing: how a message copy becomes bytes that only a bucket key opens (design, section 6).
//!
//! ```text
//!   sealed = version ‖ copy key id (16) ‖ wrapped copy key (72) ‖ body (nonce 24, padded text, tag 16)
//!              │                              │                     │
//!              │        bucket key ──wraps────┘                     │
//!              │        random copy key ──────seals─────────────────┘
//!              └ both layers bind: version, key ids, box, conversation, message, sender, copy kind, created_at
//!   padded = client id length (1) ‖ client id ‖ body length (2) ‖ body ‖ zeros up to a multiple of 64
//! ```
//!
//! In version 2 the body is a text that the box cannot open ([`away`]): of archive copies, where `archive_recipient` is set.
//! A copy moves to another bucket by rewrapping its key; its text is not opened for that. [`Open`] and [`Sealed`]
//! are different types, and only [`Sealed`] can be stored. Must not know who may read, nor when a copy dies.

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::base::aead::{self, Integrity};
use crate::base::digest::Key;
use crate::base::entropy::Entropy;
use crate::base::id::{ConversationId, MessageId, UserId};
use crate::base::secret::Secret;
use crate::base::text::ClientId;
use crate::base::time::Timestamp;
use crate::chat::body::Body;
use crate::chat::seal::away::Away;
use crate::chat::seal::bucket::Bucket;

pub mod away;
pub mod bucket;
pub mod file;
pub mod keyring;

/// The first byte of a sealed copy that the box can open.
const PLAIN: u8 = 1;
/// The first byte of one whose text only a key off the box opens.
const AWAY: u8 = 2;
/// Lengths are padded to this many bytes, so that they say little about the text.
const PAD: usize = 64;
/// Bytes of a copy key's id.
const KEY_ID: usize = 16;
/// Bytes of a wrapped copy key.
const WRAPPED: usize = 32 + aead::OVERHEAD;

/// Which of a message's two copies this is. They have different keys in different buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyKind {
    /// The one that participants read, until both have.
    Participants,
    /// The one that only an audited reason opens, until the message expires.
    Archive,
}

impl CopyKind {
    /// The number in associated data and indexes.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Participants => 1,
            Self::Archive => 2,
        }
    }
}

/// Everything that identifies a message; a copy opens only where all of it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The box.
    pub box_id: Uuid,
    /// The conversation.
    pub conversation: ConversationId,
    /// The message.
    pub message: MessageId,
    /// Who wrote it.
    pub sender: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// A message in plain text. Exists in memory only, and is wiped when dropped.
pub struct Open {
    /// The client's own id of it.
    pub client_message_id: Option<ClientId>,
    /// The text.
    pub body: Body,
}

/// What is in a copy.
pub enum Content {
    /// A text.
    Text(Open),
    /// A text that only a key off the box opens.
    Away(Away),
}

/// A sealed copy: the only form that can be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

/// Version, copy key id, wrapped copy key, sealed body.
type Parts<'a> = (u8, &'a [u8; KEY_ID], &'a [u8; WRAPPED], &'a [u8]);

impl Sealed {
    /// The stored bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes that came from the store. They prove themselves when they are opened.
    #[must_use]
    pub const fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    fn split(&self) -> Result<Parts<'_>, Integrity> {
        let (version, rest) = self.0.split_first().ok_or(Integrity)?;
        if ![PLAIN, AWAY].contains(version) {
            return Err(Integrity);
        }
        let (key_id, rest) = rest.split_first_chunk().ok_or(Integrity)?;
        let (wrapped, body) = rest.split_first_chunk().ok_or(Integrity)?;
        Ok((*version, key_id, wrapped, body))
    }
}

/// Seals one copy of a message under a bucket, with a key of its own.
#[must_use]
pub fn seal(kind: CopyKind, bucket: &Bucket, binding: &Binding, open: &Open, entropy: &dyn Entropy) -> Sealed {
    seal_bytes(Layer { version: PLAIN, kind, binding }, bucket, &pad(open), entropy)
}

/// The same of a text that the box cannot open.
#[must_use]
pub fn seal_away(kind: CopyKind, bucket: &Bucket, binding: &Binding, away: &Away, entropy: &dyn Entropy) -> Sealed {
    seal_bytes(Layer { version: AWAY, kind, binding }, bucket, away.as_bytes(), entropy)
}

fn seal_bytes(layer: Layer<'_>, bucket: &Bucket, plain: &[u8], entropy: &dyn Entropy) -> Sealed {
    let key_id: [u8; KEY_ID] = entropy.bytes();
    let copy_key: Key = Secret::new(entropy.bytes());
    let wrapped = aead::seal(&bucket.key, entropy, &layer.wrap(bucket, &key_id), copy_key.expose());
    let body = aead::seal(&copy_key, entropy, &layer.body(&key_id), plain);
    Sealed([&[layer.version][..], &key_id, &wrapped, &body].concat())
}

/// Opens a copy.
///
/// # Errors
/// [`Integrity`] where any byte, key or identifying field is not what it was.
pub fn open(kind: CopyKind, bucket: &Bucket, binding: &Binding, sealed: &Sealed) -> Result<Content, Integrity> {
    let (version, key_id, wrapped, body) = sealed.split()?;
    let layer = Layer { version, kind, binding };
    let copy_key = layer.unwrap(bucket, key_id, wrapped)?;
    let plain = Zeroizing::new(aead::open(&copy_key, &layer.body(key_id), body)?);
    if version == AWAY { Away::from_bytes(plain.to_vec()).map(Content::Away) } else { unpad(&plain).map(Content::Text) }
}

/// Moves a copy's key from one bucket to another. The text stays sealed.
///
/// # Errors
/// [`Integrity`] as [`open`].
pub fn rewrap(
    kind: CopyKind,
    from: &Bucket,
    to: &Bucket,
    binding: &Binding,
    sealed: &Sealed,
    entropy: &dyn Entropy,
) -> Result<Sealed, Integrity> {
    let (version, key_id, wrapped, body) = sealed.split()?;
    let layer = Layer { version, kind, binding };
    let copy_key = layer.unwrap(from, key_id, wrapped)?;
    let wrapped = aead::seal(&to.key, entropy, &layer.wrap(to, key_id), copy_key.expose());
    Ok(Sealed([&[version][..], key_id, &wrapped, body].concat()))
}

/// What both layers of one copy bind.
#[derive(Clone, Copy)]
struct Layer<'a> {
    version: u8,
    kind: CopyKind,
    binding: &'a Binding,
}

impl Layer<'_> {
    fn unwrap(&self, bucket: &Bucket, key_id: &[u8; KEY_ID], wrapped: &[u8]) -> Result<Key, Integrity> {
        let plain = Zeroizing::new(aead::open(&bucket.key, &self.wrap(bucket, key_id), wrapped)?);
        let key: [u8; 32] = plain.as_slice().try_into().map_err(|_| Integrity)?;
        Ok(Secret::new(key))
    }

    fn wrap(&self, bucket: &Bucket, key_id: &[u8; KEY_ID]) -> Vec<u8> {
        self.associated(b"whotbox/chat/key", &[bucket.id.as_bytes(), key_id])
    }

    fn body(&self, key_id: &[u8; KEY_ID]) -> Vec<u8> {
        self.associated(b"whotbox/chat/body", &[key_id])
    }

    /// The associated data: each part preceded by its length in four bytes, so that no two lists of parts collide.
    fn associated(&self, label: &[u8], keys: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let binding = self.binding;
        let ids = [binding.conversation.raw(), binding.message.raw(), binding.sender.raw()].map(|id| id.binding());
        let fields = [binding.box_id.as_bytes().as_slice(), &ids[0], &ids[1], &ids[2]];
        let at = binding.created_at.micros().to_be_bytes();
        let (version, kind) = ([self.version], [self.kind.number()]);
        let ends: [&[u8]; 2] = [&kind, &at];
        let starts: [&[u8]; 2] = [label, &version];
        let parts = starts.into_iter().chain(keys.iter().copied()).chain(fields).chain(ends);
        for part in parts {
            out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}

fn pad(open: &Open) -> Zeroizing<Vec<u8>> {
    let client = open.client_message_id.as_ref().map_or(&[][..], |id| id.as_str().as_bytes());
    let body = open.body.as_str().as_bytes();
    let length = (1 + client.len() + 2 + body.len()).next_multiple_of(PAD);
    // The whole room at once: a growing buffer would leave copies of the text behind.
    let mut out = Zeroizing::new(Vec::with_capacity(length));
    out.push(u8::try_from(client.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(client);
    out.extend_from_slice(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(body);
    out.resize(length, 0);
    out
}

fn unpad(padded: &[u8]) -> Result<Open, Integrity> {
    let (client_length, rest) = padded.split_first().ok_or(Integrity)?;
    let (client, rest) = rest.split_at_checked(usize::from(*client_length)).ok_or(Integrity)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(Integrity)?;
    let (body, zeros) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(Integrity)?;
    if zeros.iter().any(|byte| *byte != 0) || zeros.len() >= PAD {
        return Err(Integrity);
    }
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Integrity);
    let client_message_id = match client {
        [] => None,
        client => Some(text(client)?.parse().map_err(|_| Integrity)?),
    };
    Ok(Open { client_message_id, body: Body::parse(text(body)?).map_err(|_| Integrity)? })
}

#[cfg(test)]
mod tests;
