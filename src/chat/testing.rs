//! A small world for chat's unit tests: one distributor, one customer, one moderator, a conversation, and a key file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use crate::base::entropy::SeededEntropy;
use crate::base::id::{ConversationId, MessageId};
use crate::base::keys::MasterKey;
use crate::base::recovery::RecoveryPublic;
use crate::base::text::Reason;
use crate::base::time::{Clock, ManualClock, Timestamp};
use crate::chat::audit::{Action, Code};
use crate::chat::body::Body;
use crate::chat::conversations;
use crate::chat::error::Error;
use crate::chat::hold::{self, HoldChange, Placer, Terms};
use crate::chat::messages::{self, Receipt};
use crate::chat::records::{AUDIT_BY_SEQ, Audit, Message};
use crate::chat::retention::{self, Conditions, Report};
use crate::chat::review::Grounds;
use crate::chat::scope::Scope;
use crate::chat::seal::Open;
use crate::chat::seal::file::KeyFileError;
use crate::chat::service::{KEY_FILE, MessageInfo, Reviewed, Service, Settings, Setup, Text};
use crate::customer::testing::{part, relate};
use crate::identity::access::{Caller, Moderator};
use crate::identity::testing::{caller, user};
use crate::identity::users::Role;
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::ReadExt;
use crate::store::record::Record as _;
use crate::store::testing::store;
use crate::store::writer::Store;

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

static STARTS: AtomicU64 = AtomicU64::new(7);

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) chat: Service,
    pub(crate) ada: Caller,
    pub(crate) bola: Caller,
    pub(crate) eze: Caller,
    pub(crate) mods: Moderator,
    pub(crate) id: ConversationId,
    pub(crate) dir: TempDir,
}

pub(crate) fn service(
    dir: &TempDir,
    store: &Store,
    clock: &Arc<ManualClock>,
    master: u8,
) -> Result<Service, KeyFileError> {
    service_sealing_to(dir, store, clock, master, None)
}

/// The same, with an archive that is sealed to a key off the box.
pub(crate) fn service_sealing_to(
    dir: &TempDir,
    store: &Store,
    clock: &Arc<ManualClock>,
    master: u8,
    archive_recipient: Option<RecoveryPublic>,
) -> Result<Service, KeyFileError> {
    let setup = Setup {
        path: dir.path().join(KEY_FILE),
        box_id: Uuid::from_u128(1),
        clock: clock.clone(),
        // A restart must not draw the same keys again.
        entropy: Arc::new(SeededEntropy::new(STARTS.fetch_add(1, Ordering::SeqCst))),
        settings: Settings {
            archive: 90 * DAY,
            shred: Duration::from_secs(900),
            release: Terms { grace: 3 * DAY, second_moderator: false },
            offline: None,
        },
        archive_recipient,
    };
    Service::open(&MasterKey::new([master; 32]), setup, &store.read().unwrap())
}

/// Ada the distributor and Bola her customer have a conversation; Eze has no part in it.
pub(crate) async fn world() -> World {
    // The other domains' helpers block, which a runtime's thread may not.
    tokio::task::spawn_blocking(make).await.unwrap()
}

fn make() -> World {
    let (store, clock) = store();
    let dir = tempfile::tempdir().unwrap();
    let chat = service(&dir, &store, &clock, 1).unwrap();
    let (ada, bola) = (user(&store, "ada", Role::Distributor), user(&store, "bola", Role::Customer));
    let (eze, mods) = (user(&store, "eze", Role::Customer), user(&store, "mods", Role::Moderator));
    relate(&store, &bola, &ada);
    let (ada, bola, eze) = (caller(&ada), caller(&bola), caller(&eze));
    let (player, other) = (ada.player().unwrap(), bola.id());
    let opened = store.write_blocking(move |tx, now| conversations::open(tx, now, &player, other)).unwrap();
    let mods = caller(&mods).moderator().unwrap();
    World { store, clock, chat, ada, bola, eze, mods, id: opened.id, dir }
}

pub(crate) fn text(body: &str) -> Open {
    Open { client_message_id: None, body: Body::parse(body.into()).unwrap() }
}

pub(crate) fn why() -> Reason {
    "court order 44/26".parse().unwrap()
}

impl World {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn parts(&self) {
        let (store, customer) = (self.store.clone(), self.bola.id());
        tokio::task::spawn_blocking(move || part(&store, customer)).await.unwrap();
    }

    /// The same box after a restart with another `archive_recipient`.
    #[cfg(feature = "age")]
    pub(crate) fn restarted_sealing_to(mut self, to: Option<RecoveryPublic>) -> Self {
        self.chat = service_sealing_to(&self.dir, &self.store, &self.clock, 1, to).unwrap();
        self
    }

    /// The same box after a restart: memory is gone, files stay.
    pub(crate) fn restarted(mut self) -> Self {
        self.chat = service(&self.dir, &self.store, &self.clock, 1).unwrap();
        self
    }

    pub(crate) async fn says(&self, who: &Caller, body: &str) -> MessageId {
        self.chat.send(&self.store, who, self.id, &text(body), None).await.unwrap().reference
    }

    /// What a participant sees.
    pub(crate) fn sees(&self, who: &Caller) -> Vec<String> {
        let read = self.store.read().unwrap();
        let listed = self.chat.list(&read, who, self.id, None, Page::first(100)).unwrap();
        listed.items.iter().map(shown).collect()
    }

    pub(crate) async fn acknowledges(
        &self,
        who: &Caller,
        id: MessageId,
        receipt: Receipt,
    ) -> Result<MessageInfo, Error> {
        let by = who.clone();
        self.store.write(move |tx, now| messages::acknowledge(tx, now, &by, id, receipt)).await?;
        self.chat.message(&self.store.read().unwrap(), who, id)
    }

    pub(crate) async fn reads(&self, who: &Caller, id: MessageId) {
        self.acknowledges(who, id, Receipt::Read).await.unwrap();
    }

    pub(crate) async fn reviews(&self) -> Result<Reviewed, Error> {
        let grounds = Grounds { reason: why(), code: Code::Legal, action: Action::Review };
        self.chat.review(&self.store, &self.mods, self.id, grounds, &Page::first(100)).await
    }

    /// What the archive still opens.
    pub(crate) async fn archive(&self) -> Vec<String> {
        self.reviews().await.unwrap().messages.items.iter().map(shown).collect()
    }

    pub(crate) async fn holds(&self) -> Result<HoldChange, Error> {
        self.holds_on(Scope::Conversation(self.id)).await
    }

    pub(crate) async fn holds_on(&self, scope: Scope) -> Result<HoldChange, Error> {
        let mods = self.mods.clone();
        self.store.write(move |tx, now| hold::place(tx, now, Placer::Moderator(&mods), scope, why())).await
    }

    pub(crate) async fn releases(&self) -> Result<HoldChange, Error> {
        self.releases_on(Scope::Conversation(self.id)).await
    }

    pub(crate) async fn releases_on(&self, scope: Scope) -> Result<HoldChange, Error> {
        let (mods, terms) = (self.mods.clone(), self.chat.settings.release);
        self.store.write(move |tx, now| hold::release(tx, now, Placer::Moderator(&mods), scope, why(), terms)).await
    }

    /// Cuts the last links of the audit trail off, around the code that never does.
    pub(crate) async fn cuts_trail(&self, links: usize) {
        let cut = self.store.write(move |tx, _| {
            for row in tx.list_by::<Audit>(AUDIT_BY_SEQ, &Key::new(), &Page::newest(links))?.items {
                tx.delete::<Audit>(&row.key())?;
            }
            Ok::<_, Error>(())
        });
        cut.await.unwrap();
    }

    pub(crate) async fn runs(&self) -> Report {
        retention::run(&self.chat, &self.store, Conditions::default()).await.unwrap()
    }

    pub(in crate::chat) fn row(&self, id: MessageId) -> Option<Message> {
        self.store.read().unwrap().get::<Message>(&Key::of(id)).unwrap()
    }
}

fn shown(message: &MessageInfo) -> String {
    match &message.text {
        Text::Readable(body) => body.as_str().to_owned(),
        Text::Away(_) => "(away)".to_owned(),
        Text::Gone => "(gone)".to_owned(),
        Text::Damaged => "(damaged)".to_owned(),
    }
}
