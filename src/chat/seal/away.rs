//! A message's text sealed to a key that is kept off the box: what only the holder of that key reads.
//!
//! ```text
//!   archive copy = version 2 ‖ copy key id ‖ wrapped copy key ‖ sealed under the copy key ( age file ( document ) )
//!   document     = JSON of what identifies the message and of its text, then spaces up to a multiple of 64 bytes
//! ```
//!
//! The outer layer is every copy's: it dies with its bucket, moves under a hold, and shows every changed byte. The inner
//! one the box cannot open. The document names its message, so that whoever opens it needs to believe nobody about whose
//! it is. Must not know who may read.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::base::aead::Integrity;
use crate::base::recovery::{self, RecoveryError, RecoveryKey, RecoveryPublic};
use crate::chat::seal::{Binding, Open, PAD};

/// What the document calls itself.
const FORMAT: &str = "whotbox-message-1";
/// How every age file begins.
const AGE: &[u8] = b"age-encryption.org/v1\n";
/// Bytes of a document besides its texts, roughly: room at once leaves no copies behind.
const ROOM: usize = 1024;
/// Bytes that JSON makes of one at most.
const ESCAPED: usize = 6;

/// A text that the box cannot open: an age file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away(Vec<u8>);

/// A document, opened by whoever holds the key. Wiped when dropped.
#[derive(Serialize, Deserialize)]
pub struct Document {
    format: String,
    /// The box.
    pub box_id: String,
    /// The conversation.
    pub conversation_id: String,
    /// The message.
    pub message_id: String,
    /// Who wrote it.
    pub sender_id: String,
    /// When.
    pub created_at: String,
    /// The client's own id of it.
    pub client_message_id: Option<String>,
    /// The text.
    pub body: String,
}

impl Drop for Document {
    fn drop(&mut self) {
        self.body.zeroize();
        self.client_message_id.zeroize();
    }
}

/// Why a text cannot be opened with a key.
#[derive(Debug, thiserror::Error)]
pub enum AwayError {
    /// It is not this key's, or damaged.
    #[error(transparent)]
    Sealed(#[from] RecoveryError),
    /// What came out is no message's document.
    #[error("it was opened and is no message")]
    NoMessage,
    /// It is another message's.
    #[error("it is the text of another message: {0}")]
    Another(String),
}

impl Away {
    /// Seals a text to a key.
    ///
    /// # Errors
    /// [`RecoveryError::Unsupported`] where this program was built without age.
    pub fn seal(to: &RecoveryPublic, binding: &Binding, open: &Open) -> Result<Self, RecoveryError> {
        let document = Document {
            format: FORMAT.to_owned(),
            box_id: binding.box_id.to_string(),
            conversation_id: binding.conversation.to_string(),
            message_id: binding.message.to_string(),
            sender_id: binding.sender.to_string(),
            created_at: binding.created_at.to_string(),
            client_message_id: open.client_message_id.as_ref().map(|id| id.as_str().to_owned()),
            body: open.body.as_str().to_owned(),
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(ROOM + document.body.len() * ESCAPED));
        serde_json::to_writer(&mut *plain, &document).map_err(|error| RecoveryError::Io(error.into()))?;
        let padded = plain.len().next_multiple_of(PAD);
        plain.resize(padded, b' ');
        Ok(Self(recovery::seal_bytes(to, &plain)?))
    }

    /// Opens it with the key that it was sealed to, as the message of an id.
    ///
    /// # Errors
    /// [`AwayError`].
    pub fn open(&self, key: &RecoveryKey, message: &str) -> Result<Document, AwayError> {
        let plain = recovery::open_bytes(key, &self.0)?;
        let document: Document = serde_json::from_slice(&plain).map_err(|_| AwayError::NoMessage)?;
        match (document.format == FORMAT, document.message_id == message) {
            (true, true) => Ok(document),
            (true, false) => Err(AwayError::Another(document.message_id.clone())),
            (false, _) => Err(AwayError::NoMessage),
        }
    }

    /// The age file.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// An age file that was taken out of a copy, or over from a box.
    ///
    /// # Errors
    /// [`Integrity`] where it does not begin like one.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Integrity> {
        if bytes.starts_with(AGE) { Ok(Self(bytes)) } else { Err(Integrity) }
    }

    /// As text: in answers, in evidence and in an export.
    #[must_use]
    pub fn to_text(&self) -> String {
        BASE64_STANDARD.encode(&self.0)
    }

    /// Reads [`Away::to_text`].
    ///
    /// # Errors
    /// [`Integrity`] for anything else.
    pub fn from_text(text: &str) -> Result<Self, Integrity> {
        Self::from_bytes(BASE64_STANDARD.decode(text.trim()).map_err(|_| Integrity)?)
    }
}

#[cfg(test)]
#[cfg(feature = "age")]
mod tests {
    use super::*;
    use crate::base::entropy::{Entropy, SeededEntropy};
    use crate::chat::body::Body;

    fn binding(entropy: &SeededEntropy) -> Binding {
        let (entropy, at): (&dyn Entropy, _) = (entropy, "2026-11-22T10:15:00Z".parse().unwrap());
        let (conversation, message, sender) = (entropy.id(at), entropy.id(at), entropy.id(at));
        Binding { box_id: entropy.uuid(at), conversation, message, sender, created_at: at }
    }

    fn open(body: &str) -> Open {
        Open { client_message_id: Some("mine-1".parse().unwrap()), body: Body::parse(body.into()).unwrap() }
    }

    #[test]
    fn only_the_key_off_the_box_opens_it_and_only_as_its_own_message() {
        let entropy = SeededEntropy::new(3);
        let (binding, other) = (binding(&entropy), binding(&entropy));
        let [key, wrong] = [0; 2].map(|_| RecoveryKey::generate().unwrap());
        let away = Away::seal(&key.public().unwrap(), &binding, &open("two \"whots\" \u{1F0CF}")).unwrap();
        let away = Away::from_text(&away.to_text()).unwrap();
        let document = away.open(&key, &binding.message.to_string()).unwrap();
        assert_eq!(document.body, "two \"whots\" \u{1F0CF}");
        assert_eq!(document.client_message_id.as_deref(), Some("mine-1"));
        assert_eq!(document.sender_id, binding.sender.to_string());
        assert!(matches!(away.open(&key, &other.message.to_string()), Err(AwayError::Another(_))));
        assert!(matches!(away.open(&wrong, &document.message_id), Err(AwayError::Sealed(RecoveryError::OtherKey))));
        assert!(Away::from_text("no age").is_err() && Away::from_text("bm8gYWdl").is_err());
    }

    #[test]
    fn lengths_say_little_and_the_longest_text_fits() {
        let entropy = SeededEntropy::new(4);
        let (binding, key) = (binding(&entropy), RecoveryKey::generate().unwrap());
        let length = |body: &str| {
            let away = Away::seal(&key.public().unwrap(), &binding, &open(body)).unwrap();
            recovery::open_bytes(&key, away.as_bytes()).unwrap().len()
        };
        assert_eq!(length("a"), length("abc"));
        assert_eq!(length("a") % PAD, 0);
        assert!(length(&"\u{1}".repeat(4000)) >= 24_000);
    }
}
