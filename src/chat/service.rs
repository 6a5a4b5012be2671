//! The service: chat's keys and settings, and the ways in that need both keys and store.
//!
//! Sealing happens before a command is queued and opening after it is committed; transactions see sealed bytes alone.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::base::aead::Integrity;
use crate::base::digest::{Key as DigestKey, keyed};
use crate::base::entropy::Entropy;
use crate::base::id::{AuditId, ConversationId, MessageId, UserId};
use crate::base::keys::{MasterKey, Purpose};
use crate::base::recovery::RecoveryPublic;
use crate::base::sign::Signer;
use crate::base::text::ClientId;
use crate::base::time::{Clock, Timestamp};
use crate::chat::audit::Diverged;
use crate::chat::body::Body;
use crate::chat::conversations::{ConversationInfo, joined};
use crate::chat::error::Error;
use crate::chat::hold::{self, Terms};
use crate::chat::messages::{self, Draft, may_send, place_after, sent_before};
use crate::chat::records::{Message, StoredCopy};
use crate::chat::retention::Status;
use crate::chat::returned::{self, Returned};
use crate::chat::review::{self, Admission, Grounds};
use crate::chat::seal::away::Away;
use crate::chat::seal::bucket::{Bucket, BucketId, Kind};
use crate::chat::seal::file::{FileKeys, KeyFileError, Wrapped};
use crate::chat::seal::keyring::{Keyring, KeyringStatus};
use crate::chat::seal::{self, Binding, Content, CopyKind, Open};
use crate::chat::trail::Witness;
use crate::identity::access::{Caller, Moderator};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::once::{Done, OnceKey, once};
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::writer::Store;

/// The key file's name within the data folder.
pub const KEY_FILE: &str = "chat.keys";
/// How often a message is sealed again because its bucket was being replaced. Once is rare.
const MAX_RESEALS: usize = 5;

/// What can be set.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long the archive keeps a message.
    pub archive: Duration,
    /// How soon a vanished copy is scrubbed at the latest.
    pub shred: Duration,
    /// How holds are released.
    pub release: Terms,
    /// Central not heard for so long means that a hold may be pending; `None` never does.
    pub offline: Option<Duration>,
}

/// What the service is opened with.
pub struct Setup {
    /// The key file.
    pub path: PathBuf,
    /// This box.
    pub box_id: Uuid,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// What can be set.
    pub settings: Settings,
    /// The key off the box that archive copies are sealed to.
    pub archive_recipient: Option<RecoveryPublic>,
}

/// Whether messages are shown and taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Gate {
    /// As usual.
    Open,
    /// The box was restored, and what was due is not destroyed yet.
    Closed,
    /// The same, and holds may stand at central that this box does not know of: nothing is destroyed.
    ClosedUntilHolds,
}

/// Chat's keys, settings and state in memory.
pub struct Service {
    pub(in crate::chat) keyring: Arc<Keyring>,
    pub(in crate::chat) clock: Arc<dyn Clock>,
    pub(in crate::chat) settings: Settings,
    pub(in crate::chat) status: Mutex<Status>,
    /// Keys that the file had again at the start.
    pub(in crate::chat) returned: Mutex<Returned>,
    /// One destroys at a time: the schedule, or a run by hand.
    pub(in crate::chat) destroying: tokio::sync::Mutex<()>,
    pub(in crate::chat) signer: Signer,
    archive_recipient: Option<RecoveryPublic>,
    pseudonym: DigestKey,
    box_id: Uuid,
    /// When central last answered, since the start.
    pub(in crate::chat) heard: Mutex<Option<Timestamp>>,
    /// What comparing the audit trail with central's came to, once it was compared.
    pub(in crate::chat) trail: Mutex<Option<Compared>>,
    alarms: AtomicU64,
    sent: AtomicU64,
    gate: AtomicU8,
}

/// How often messages are looked at again because keys change: each change is a write to the disk, so two in a row are
/// rare already.
const LOOKS: usize = 4;

/// What comparing the trail came to, and with what of central's.
pub(in crate::chat) type Compared = (Result<Timestamp, Diverged>, Witness);

/// The text of a message, as far as there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// It can be read.
    Readable(Body),
    /// Only the key off the box opens it.
    Away(Away),
    /// It has vanished.
    Gone,
    /// What is stored was changed, or its key is gone: `integrity`.
    Damaged,
}

/// A message as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageInfo {
    /// Its id.
    pub id: MessageId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Its number in the conversation.
    pub seq: u64,
    /// Who wrote it.
    pub sender_id: UserId,
    /// The text.
    pub text: Text,
    /// The client's own id of it; gone with the text.
    pub client_message_id: Option<ClientId>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When the archive copy goes.
    pub expires_at: Timestamp,
    /// When the recipient's device had it.
    pub delivered_at: Option<Timestamp>,
    /// When the recipient had read it.
    pub read_at: Option<Timestamp>,
    /// When it left both lists.
    pub vanished_at: Option<Timestamp>,
}

/// A review that was noted: the archive of a conversation.
pub struct Reviewed {
    /// The conversation.
    pub conversation: ConversationInfo,
    /// A page of its messages, oldest first.
    pub messages: Listed<MessageInfo>,
    /// The audit row that was on the disk before anything was opened.
    pub audit_id: AuditId,
    /// Until when it may be read on under this row.
    pub access_until: Timestamp,
}

impl Service {
    /// Reads the key file and checks it. Nothing is written.
    ///
    /// # Errors
    /// [`KeyFileError`]: a wrong master key, a damaged file, or none where the store has messages.
    pub fn open(master: &MasterKey, setup: Setup, read: &impl Read) -> Result<Self, KeyFileError> {
        let Setup { path, box_id, clock, entropy, settings, archive_recipient } = setup;
        // A store that cannot be read counts as used: better no start than a new key file beside old messages.
        let used = read.list::<Message>(&Key::new(), &Page::first(1)).map_or(true, |rows| !rows.items.is_empty());
        if used && !path.exists() {
            return Err(KeyFileError::Missing);
        }
        let keyring = Keyring::open(path, FileKeys::new(master, box_id), entropy)?;
        // A store that cannot say what is destroyed opens nothing.
        let returned = returned::withhold(&keyring, read).map_err(io::Error::other)?;
        Ok(Self {
            keyring: Arc::new(keyring),
            clock,
            settings,
            status: Mutex::new(Status::default()),
            returned: Mutex::new(returned),
            destroying: tokio::sync::Mutex::new(()),
            signer: Signer::new(&master.derive(Purpose::Evidence)),
            archive_recipient,
            pseudonym: master.derive(Purpose::Pseudonym),
            box_id,
            heard: Mutex::new(None),
            trail: Mutex::new(None),
            alarms: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            gate: AtomicU8::new(Gate::Open as u8),
        })
    }

    /// Whether messages are shown and taken.
    #[must_use]
    pub fn gate(&self) -> Gate {
        match self.gate.load(Ordering::SeqCst) {
            0 => Gate::Open,
            1 => Gate::Closed,
            _ => Gate::ClosedUntilHolds,
        }
    }

    /// Opens or closes it; what is durable of that is the caller's.
    pub fn set_gate(&self, gate: Gate) {
        self.gate.store(gate as u8, Ordering::SeqCst);
    }

    fn passable(&self) -> Result<(), Error> {
        if self.gate() == Gate::Open { Ok(()) } else { Err(Error::Closed) }
    }

    /// What a copy of the store needs to be read: `read`, and the key file as it fits what was read. Nothing is destroyed
    /// in between, so that every copy that lives in what was read has its key in the file.
    ///
    /// # Errors
    /// What `read` says, or [`KeyFileError`].
    pub async fn with_keys<T, E: From<KeyFileError>>(
        &self,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<(T, Option<Vec<u8>>), E> {
        let _nobody_destroys = self.destroying.lock().await;
        let read = read()?;
        Ok((read, self.keyring.bytes()?))
    }

    /// Sends a message: seals both copies, then commits them. A client id seen before finds the first message.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a foreign conversation, [`Error::NotEntitled`], [`Error::Keys`], or the store's.
    pub async fn send(
        &self,
        store: &Store,
        caller: &Caller,
        conversation: ConversationId,
        open: &Open,
        key: Option<OnceKey>,
    ) -> Result<Done<MessageId>, Error> {
        self.passable()?;
        let digest = open.client_message_id.as_ref().map(|id| self.client_digest(id));
        for _ in 0..MAX_RESEALS {
            // Looked at before too, so that nobody makes the box write keys for a conversation that is not theirs.
            let read = store.read()?;
            joined(&read, caller.id(), conversation)?;
            if sent_before(&read, caller.id(), conversation, digest)?.is_none() && key.is_none() {
                may_send(&read, caller.id(), conversation)?;
            }
            drop(read);
            let draft = self.draft(caller.id(), conversation, open, digest).await;
            let draft = draft.inspect_err(|error| note_full(store, error))?;
            let (keyring, sender) = (Arc::clone(&self.keyring), caller.clone());
            let sent = store
                .write(move |tx, now| once(tx, now, key, |tx| messages::send(tx, &sender, &draft, &keyring)))
                .await;
            match sent {
                Err(Error::Stale) => {}
                done => {
                    if done.as_ref().is_ok_and(|done| !done.replayed) {
                        self.sent.fetch_add(1, Ordering::Relaxed);
                    }
                    return done;
                }
            }
        }
        Err(Fault::Busy.into())
    }

    async fn draft(
        &self,
        sender: UserId,
        conversation: ConversationId,
        open: &Open,
        client_digest: Option<[u8; 32]>,
    ) -> Result<Draft, Error> {
        let wall = self.clock.wall();
        let expires_at = wall.now.plus(self.settings.archive);
        let (ours, archive) = (Kind::Participants(conversation), Kind::day_of(expires_at));
        self.ensure(&[ours, archive]).await?;
        let (Some(ours), Some(archive)) = (self.keyring.current(ours), self.keyring.current(archive)) else {
            return Err(Fault::Busy.into());
        };
        let message = self.keyring.entropy().id(wall.now);
        let binding = Binding { box_id: self.box_id, conversation, message, sender, created_at: wall.now };
        Ok(Draft {
            id: message,
            conversation,
            client_digest,
            participants: self.sealed(CopyKind::Participants, &ours, &binding, open)?,
            archive: self.sealed(CopyKind::Archive, &archive, &binding, open)?,
            created_at: wall.now,
            dated: wall.trusted,
            expires_at,
        })
    }

    /// A copy of a text: an archive copy is sealed to the key off the box first, where there is one.
    pub(in crate::chat) fn sealed(
        &self,
        kind: CopyKind,
        bucket: &Bucket,
        binding: &Binding,
        open: &Open,
    ) -> Result<StoredCopy, Error> {
        let entropy = self.keyring.entropy();
        let sealed = match &self.archive_recipient {
            Some(to) if kind == CopyKind::Archive => {
                seal::seal_away(kind, bucket, binding, &Away::seal(to, binding, open)?, entropy)
            }
            _ => seal::seal(kind, bucket, binding, open, entropy),
        };
        Ok(StoredCopy::new(bucket.id, &sealed))
    }

    /// The key off the box that archive copies are sealed to.
    #[must_use]
    pub const fn archive_recipient(&self) -> Option<&RecoveryPublic> {
        self.archive_recipient.as_ref()
    }

    /// Makes sure that buckets exist, durably, without blocking the runtime.
    pub(in crate::chat) async fn ensure(&self, kinds: &[Kind]) -> Result<(), Error> {
        if kinds.iter().all(|kind| self.keyring.current(*kind).is_some()) {
            return Ok(());
        }
        let (keyring, kinds, now) = (Arc::clone(&self.keyring), kinds.to_vec(), self.clock.now());
        blocking(move || keyring.ensure(&kinds, now)).await
    }

    /// The visible messages of a conversation for one who takes part, oldest first, after a message or a place.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn list(
        &self,
        read: &impl Read,
        caller: &Caller,
        conversation: ConversationId,
        after: Option<MessageId>,
        page: Page,
    ) -> Result<Listed<MessageInfo>, Error> {
        self.passable()?;
        joined(read, caller.id(), conversation)?;
        // A message that is gone for good is older than all that is left, so the list starts at its front then.
        let known = after.map(|id| read.get::<Message>(&Key::of(id))).transpose()?.flatten();
        let known = known.filter(|message| message.conversation_id == conversation);
        let place = known.map(|message| place_after(message.seq)).max(page.after.clone());
        let mut rows = messages::visible(read, conversation, &page.after(place))?;
        rows.items.retain(|message| !message.deleted_for.contains(&caller.id()));
        Ok(rows.map(|message| self.show(&message, CopyKind::Participants)))
    }

    /// Looks at messages as they are now. Where a key is destroyed between a snapshot and its reading, whatever lived
    /// under it was wrapped anew before, and only a later snapshot shows that: `look` takes one each time.
    pub fn steady<T>(&self, mut look: impl FnMut() -> T) -> T {
        for _ in 0..LOOKS {
            let keys = self.keys_revision();
            let seen = look();
            if self.keys_revision() == keys {
                return seen;
            }
        }
        look()
    }

    /// One message for one who takes part in its conversation; a vanished one without its text.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn message(&self, read: &impl Read, caller: &Caller, id: MessageId) -> Result<MessageInfo, Error> {
        self.passable()?;
        Ok(self.show(&messages::of_participant(read, caller, id)?, CopyKind::Participants))
    }

    /// Opens the archive of a conversation, after the audit row is on the disk.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TooManyReviews`].
    pub async fn review(
        &self,
        store: &Store,
        moderator: &Moderator,
        id: ConversationId,
        grounds: Grounds,
        page: &Page,
    ) -> Result<Reviewed, Error> {
        let audit_id = self.admit(store, moderator, id, grounds).await?;
        self.read_on(store, moderator, id, audit_id, page)
    }

    /// Goes on with a review that was noted, as long as the access under its audit row lasts.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Lapsed`].
    pub fn read_on(
        &self,
        store: &Store,
        moderator: &Moderator,
        id: ConversationId,
        audit_id: AuditId,
        page: &Page,
    ) -> Result<Reviewed, Error> {
        self.steady(|| {
            let read = store.read()?;
            let access_until = review::access(&read, self.clock.now(), moderator, id, audit_id)?;
            Ok(Reviewed {
                conversation: hold::shown(&read, id)?,
                messages: review::archived(&read, id, page)?.map(|message| self.show(&message, CopyKind::Archive)),
                audit_id,
                access_until,
            })
        })
    }

    /// The first step of a review by itself: it is committed before this returns.
    pub(in crate::chat) async fn admit(
        &self,
        store: &Store,
        moderator: &Moderator,
        id: ConversationId,
        grounds: Grounds,
    ) -> Result<AuditId, Error> {
        self.passable()?;
        let who = moderator.clone();
        match store.reserved().write(move |tx, now| review::admit(tx, now, &who, id, &grounds)).await? {
            Admission::Noted(audit_id) => Ok(audit_id),
            Admission::Refused { retry_after } => {
                self.alarms.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(moderator = %moderator.id(), "a moderator opens more conversations than one may");
                Err(Error::TooManyReviews(Duration::from_secs(retry_after)))
            }
        }
    }

    /// What can be set, as it is.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        self.settings
    }

    /// Messages accepted since the start.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How often the limit of reviews was met since the start.
    #[must_use]
    pub fn alarms(&self) -> u64 {
        self.alarms.load(Ordering::Relaxed)
    }

    /// The state of expiry, for `/readyz` and people.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the changes of the keys since the start.
    #[must_use]
    pub fn keys_revision(&self) -> u64 {
        self.keyring.revision()
    }

    /// Wipes every bucket key: what is sealed here cannot be opened here again. For a box that central has shut, once central has them all.
    ///
    /// # Errors
    /// [`Error::Keys`]; it must be done again then.
    pub async fn wipe_keys(&self) -> Result<(), Error> {
        let keyring = Arc::clone(&self.keyring);
        let wiped = tokio::task::spawn_blocking(move || {
            let ids: Vec<BucketId> = keyring.list().into_iter().map(|(id, ..)| id).collect();
            if ids.is_empty() { Ok(()) } else { keyring.destroy(&ids) }
        });
        match wiped.await {
            Ok(wiped) => Ok(wiped?),
            Err(_) => Err(Error::Keys("the work on the key file was cut off".into())),
        }
    }

    /// The bucket keys as they may leave the box: wrapped by the master key.
    ///
    /// # Errors
    /// [`Error::Keys`].
    pub async fn wrapped_keys(&self) -> Result<Vec<Wrapped>, Error> {
        let keyring = Arc::clone(&self.keyring);
        match tokio::task::spawn_blocking(move || keyring.wrapped()).await {
            Ok(entries) => Ok(entries?),
            Err(_) => Err(Error::Keys("the work on the key file was cut off".into())),
        }
    }

    /// The state of the keys.
    #[must_use]
    pub fn keys(&self) -> KeyringStatus {
        self.keyring.status()
    }

    /// Wraps every bucket key anew while the box runs. It is done wholly or not at all.
    ///
    /// # Errors
    /// [`Error::Keys`].
    pub async fn rotate_keys(&self) -> Result<KeyringStatus, Error> {
        let keyring = Arc::clone(&self.keyring);
        blocking(move || keyring.rotate()).await?;
        Ok(self.keyring.status())
    }

    fn client_digest(&self, id: &ClientId) -> [u8; 32] {
        keyed(&self.pseudonym, &[b"whotbox/chat/client-message-id", id.as_str().as_bytes()])
    }

    pub(in crate::chat) fn binding(&self, message: &Message) -> Binding {
        Binding {
            box_id: self.box_id,
            conversation: message.conversation_id,
            message: message.id,
            sender: message.sender_id,
            created_at: message.created_at,
        }
    }

    fn opened(&self, message: &Message, kind: CopyKind) -> Option<Result<Content, Integrity>> {
        let copy = message.copy(kind)?;
        let bucket = self.keyring.get(copy.bucket()).ok_or(Integrity);
        Some(bucket.and_then(|bucket| seal::open(kind, &bucket, &self.binding(message), &copy.sealed())))
    }

    pub(in crate::chat) fn show(&self, message: &Message, kind: CopyKind) -> MessageInfo {
        let hidden = kind == CopyKind::Participants && !message.visible();
        let opened = if hidden { None } else { self.opened(message, kind) };
        let (text, client_message_id) = match opened {
            None => (Text::Gone, None),
            Some(Ok(Content::Text(open))) => (Text::Readable(open.body), open.client_message_id),
            Some(Ok(Content::Away(away))) => (Text::Away(away), None),
            // Known since the import: no alarm.
            Some(Err(Integrity)) if message.copy(kind).is_some_and(|copy| copy.bucket() == BucketId::OLD) => {
                (Text::Damaged, None)
            }
            Some(Err(Integrity)) => {
                tracing::error!(message = %message.id, copy = ?kind, "a stored message fails its integrity check");
                (Text::Damaged, None)
            }
        };
        MessageInfo {
            id: message.id,
            conversation_id: message.conversation_id,
            seq: message.seq,
            sender_id: message.sender_id,
            text,
            client_message_id,
            created_at: message.created_at,
            expires_at: message.expires_at,
            delivered_at: message.delivered_at,
            read_at: message.read_at,
            vanished_at: message.vanished_at,
        }
    }
}

/// The key file lies on the store's disk: where it found no room, nobody does.
pub(in crate::chat) fn note_full(store: &Store, error: &Error) {
    if matches!(error, Error::Store(Fault::Full)) {
        store.found_full();
    }
}

/// Runs work on files away from the runtime's threads.
pub(in crate::chat) async fn blocking(
    work: impl FnOnce() -> Result<(), KeyFileError> + Send + 'static,
) -> Result<(), Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Error::Keys("the work on the key file was cut off".into())),
    }
}
