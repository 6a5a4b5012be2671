//! Evidence: one archive of a conversation that a court can check with tools of its own.
//!
//! ```text
//!   README.txt            how to check it
//!   conversation.json     who, when, the present hold
//!   messages.json         the archive's texts, oldest first
//!   audits.json           what moderators did about this conversation, holds among it, this export included
//!   manifest.sha256       SHA-256 of each of these, as `sha256sum -c` reads it
//!   manifest.sha256.sig   Ed25519 over the manifest, as OpenSSL reads it
//!   public-key.pem        the box's key for that; compare it with the one that the box's owner names
//! ```
//!
//! As with a review, the audit row is on the disk before anything is opened. Must not know HTTP.

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::base::digest::hex;
use crate::base::id::ConversationId;
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::audit::{self, Action, Code, Entry};
use crate::chat::conversations::ConversationInfo;
use crate::chat::error::Error;
use crate::chat::hold;
use crate::chat::review::{Grounds, archived};
use crate::chat::seal::CopyKind;
use crate::chat::service::{MessageInfo, Service, Text};
use crate::identity::access::Moderator;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::Read;
use crate::store::writer::Store;

mod tar;

/// Messages in one archive at most: 20,000 of the longest are 320 MB, more than a box should hold at once.
pub const MAX_MESSAGES: usize = 20_000;

const README: &str = "\
Evidence of one conversation, made by a Whot box.

1. sha256sum -c manifest.sha256
   says whether every file is what it was when the archive was made.
2. openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in manifest.sha256 -sigfile manifest.sha256.sig
   says whether the manifest is the box's own.
3. Compare public-key.pem with the key that the owner of the box names by another way.

messages.json holds the archive's copies. A message with \"error\" could not be opened: what is stored was changed.
A message with \"sealed\" is sealed to a key that is kept off the box: an age file in base64. Whoever holds that key, in a
file key.txt, opens the message of number 1 with
   jq -r '.[] | select(.seq == 1) | .sealed' messages.json | base64 -d | age -d -i key.txt
or all of them with: whotbox archive open --identity key.txt messages.json
What comes out names box, conversation, message, sender and time itself: compare them.
audits.json holds the links of the audit chain that concern this conversation. A link's hash is SHA-256 over, each
preceded by its length in eight bytes: prev_hash, id, seq, conversation id, moderator id, action, code, reason, at,
and the subject where there is one.
";

impl Service {
    /// Makes the evidence archive of a conversation: a tar file.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TooManyReviews`], [`Error::TooLarge`] beyond [`MAX_MESSAGES`].
    pub async fn export(
        &self,
        store: &Store,
        moderator: &Moderator,
        id: ConversationId,
        reason: Reason,
        code: Code,
    ) -> Result<Vec<u8>, Error> {
        let grounds = Grounds { reason, code, action: Action::Export };
        self.admit(store, moderator, id, grounds).await?;
        let read = store.read()?;
        let conversation = hold::shown(&read, id)?;
        if conversation.archived > MAX_MESSAGES as u64 {
            return Err(Error::TooLarge);
        }
        let mut files = vec![
            ("README.txt", Zeroizing::new(README.as_bytes().to_vec())),
            ("conversation.json", document(&about(&conversation, self.clock.now()))),
            ("messages.json", document(&self.steady(|| self.messages_of(&store.read()?, id))?)),
            ("audits.json", document(&audits_of(&read, id)?)),
        ];
        let digest = |bytes: &[u8]| hex(&Sha256::digest(bytes));
        let manifest: String = files.iter().map(|(name, bytes)| format!("{}  {name}\n", digest(bytes))).collect();
        let signature = self.signer.sign(manifest.as_bytes());
        files.push(("manifest.sha256", Zeroizing::new(manifest.into_bytes())));
        files.push(("manifest.sha256.sig", Zeroizing::new(signature)));
        files.push(("public-key.pem", Zeroizing::new(self.signer.public_pem().into_bytes())));
        Ok(tar::archive(&files, self.clock.now()))
    }

    /// The public key that evidence is checked with, as PEM.
    #[must_use]
    pub fn evidence_key(&self) -> String {
        self.signer.public_pem()
    }

    fn messages_of(&self, read: &impl Read, id: ConversationId) -> Result<Vec<Exhibit>, Error> {
        let (mut all, mut page) = (Vec::new(), Page::first(MAX_PAGE));
        loop {
            let listed = archived(read, id, &page)?;
            all.extend(listed.items.iter().map(|row| Exhibit(self.show(row, CopyKind::Archive))));
            match listed.next {
                Some(next) => page = page.after(Some(next)),
                None => return Ok(all),
            }
        }
    }
}

/// A message as a document shows it.
struct Exhibit(MessageInfo);

impl Serialize for Exhibit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let message = &self.0;
        let (body, sealed, error) = match &message.text {
            Text::Readable(body) => (Some(body.as_str()), None, None),
            Text::Away(away) => (None, Some(away.to_text()), None),
            Text::Gone => (None, None, None),
            Text::Damaged => (None, None, Some("integrity")),
        };
        let mut out = serializer.serialize_struct("Message", 11)?;
        out.serialize_field("id", &message.id)?;
        out.serialize_field("seq", &message.seq)?;
        out.serialize_field("sender_id", &message.sender_id)?;
        out.serialize_field("created_at", &message.created_at)?;
        out.serialize_field("expires_at", &message.expires_at)?;
        out.serialize_field("delivered_at", &message.delivered_at)?;
        out.serialize_field("read_at", &message.read_at)?;
        out.serialize_field("vanished_at", &message.vanished_at)?;
        out.serialize_field("body", &body)?;
        out.serialize_field("sealed", &sealed)?;
        out.serialize_field("error", &error)?;
        out.end()
    }
}

fn about(conversation: &ConversationInfo, now: Timestamp) -> Value {
    let hold = &conversation.hold;
    json!({
        "id": conversation.id,
        "distributor_id": conversation.distributor_id,
        "customer_id": conversation.customer_id,
        "created_at": conversation.created_at,
        "last_message_at": conversation.last_message_at,
        "messages": conversation.archived,
        "legal_hold": {
            "active": hold.active,
            "reason": hold.reason.as_ref().map(Reason::as_str),
            "placed_by": hold.placed_by,
            "placed_at": hold.placed_at,
            "grace_until": hold.grace_until,
        },
        "held_by": conversation.held_by,
        "exported_at": now,
    })
}

fn audits_of(read: &impl Read, id: ConversationId) -> Result<Vec<Value>, Error> {
    let (mut all, mut page) = (Vec::new(), Page::first(MAX_PAGE));
    loop {
        let listed = audit::list(read, Some(id), &page)?;
        all.extend(listed.items.iter().map(link));
        match listed.next {
            Some(next) => page = page.after(Some(next)),
            None => return Ok(all),
        }
    }
}

/// A link of the audit chain as people and checkers read it: the same in every export.
#[must_use]
pub fn link(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "seq": entry.seq,
        "conversation_id": entry.conversation_id,
        "subject": entry.subject.map(|subject| subject.text()),
        "moderator_id": entry.moderator_id,
        "action": entry.action.name(),
        "code": entry.code.name(),
        "reason": entry.reason.as_str(),
        "at": entry.at,
        "at_micros": entry.at.micros(),
        "prev_hash": hex(&entry.prev_hash),
        "hash": hex(&entry.hash),
    })
}

fn document(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    // These shapes have no map with odd keys and no number that JSON lacks, so writing them cannot fail.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    Zeroizing::new(bytes)
}

#[cfg(test)]
mod tests;
