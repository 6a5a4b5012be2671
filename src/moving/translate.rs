//! From a row of an old store to what a domain takes over; and back, for comparing.
//!
//! Each table has one function, in the file of its service. A row becomes an [`Old`] or a [`Verdict`] with its reason.
//! Must not know batches.

use std::collections::HashMap;

use crate::app::App;
use crate::base::id::{ConversationId, RawId, UserId};
use crate::base::time::Timestamp;
use crate::chat::takeover::{self as chat, OldAudit, OldConversation, OldMessage};
use crate::customer::takeover::{self as customer, OldInvite, OldRelationship};
use crate::game::takeover::{self as game, OldGame, OldGameInvite};
use crate::identity::legacy::{self, LegacyRow, LegacyTable};
use crate::identity::takeover::{self as identity, Facts, OldAttempt, OldSession, OldUser};
use crate::identity::users::{self, UserInfo};
use crate::ledger::{Note, What};
use crate::moving::cell::{Refusal, Row};
use crate::moving::cipher::{Cipher, OldKeys};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::ReadExt;
use crate::store::snapshot::Snapshot;

mod by_chat;
mod by_customer;
mod by_game;
mod by_identity;

/// A row as a domain takes it over.
pub enum Old {
    /// See [`OldUser`].
    User(Box<OldUser>),
    /// See [`OldSession`].
    Session(OldSession),
    /// See [`OldAttempt`].
    Attempt(OldAttempt),
    /// See [`LegacyRow`].
    Legacy(LegacyTable, Box<LegacyRow>),
    /// See [`OldInvite`].
    Invite(OldInvite),
    /// See [`OldRelationship`].
    Relationship(OldRelationship),
    /// See [`OldGameInvite`].
    GameInvite(OldGameInvite),
    /// See [`OldGame`].
    Game(OldGame),
    /// See [`OldConversation`].
    Conversation(OldConversation),
    /// See [`OldMessage`].
    Message(Box<OldMessage>),
    /// See [`OldAudit`].
    Audit(OldAudit),
}

/// Why a row is not taken.
pub enum Verdict {
    /// It cannot be.
    Refused(String),
    /// It is not kept on purpose.
    Dropped(&'static str),
    /// The store failed: not the row's fault.
    Failed(Fault),
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.0)
    }
}

impl From<Fault> for Verdict {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

/// What a translation came to: a row, with remarks for the report.
pub struct Translated {
    /// The row.
    pub old: Old,
    /// What is worth knowing about it.
    pub remarks: Vec<(What, String)>,
}

impl From<Old> for Translated {
    fn from(old: Old) -> Self {
        Self { old, remarks: Vec::new() }
    }
}

/// What a translation may look at.
pub struct Context<'a> {
    /// The box.
    pub app: &'a App,
    /// What it held when the batch began.
    pub read: Snapshot,
    /// When that was.
    pub now: Timestamp,
    /// The old chat's keys.
    pub keys: &'a OldKeys,
    /// How its messages are sealed.
    pub cipher: Cipher,
    /// Users by the names that the old service called them, where they have other names here.
    renamed: HashMap<String, UserId>,
    /// Conversations that became others.
    merged: HashMap<ConversationId, ConversationId>,
}

impl<'a> Context<'a> {
    /// The context of a batch.
    ///
    /// # Errors
    /// [`Fault`] where the store cannot be read.
    pub fn new(app: &'a App, keys: &'a OldKeys, cipher: Cipher) -> Result<Self, Fault> {
        let read = app.store.read()?;
        let (mut renamed, mut merged) = (HashMap::new(), HashMap::new());
        for note in notes(&read, "identity.users", What::Renamed)? {
            if let (Some((name, _)), Ok(id)) = (note.detail.split_once(" -> "), note.id.parse()) {
                renamed.insert(name.to_owned(), id);
            }
        }
        for note in notes(&read, "chat.conversations", What::Merged)? {
            if let (Ok(from), Ok(to)) = (note.id.parse(), note.detail.parse()) {
                merged.insert(from, to);
            }
        }
        Ok(Self { app, read, now: app.clock.now(), keys, cipher, renamed, merged })
    }

    fn user(&self, id: UserId) -> Result<Option<UserInfo>, Fault> {
        users::by_id(&self.read, id)
    }

    /// The user of an id that must be somebody's.
    fn must_user(&self, field: &str, id: UserId) -> Result<UserInfo, Verdict> {
        self.user(id)?.ok_or_else(|| Verdict::Refused(format!("{field}: there is no user {id}")))
    }

    /// The user of a name as the old service had it.
    fn named(&self, name: &str) -> Result<Option<UserInfo>, Fault> {
        if let Some(id) = self.renamed.get(name) {
            return self.user(*id);
        }
        match name.parse() {
            Ok(username) => users::by_username(&self.read, &username),
            Err(_) => Ok(None),
        }
    }

    fn conversation(&self, id: ConversationId) -> ConversationId {
        self.merged.get(&id).copied().unwrap_or(id)
    }
}

/// The notes of one kind about a table.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn notes(read: &Snapshot, table: &str, what: What) -> Result<Vec<Note>, Fault> {
    let (mut found, mut page) = (Vec::new(), Page::first(MAX_PAGE));
    loop {
        let listed = read.list::<Note>(&Key::new().text(table), &page)?;
        found.extend(listed.items.into_iter().filter(|note| note.what == what));
        match listed.next {
            Some(next) => page = page.after(Some(next)),
            None => return Ok(found),
        }
    }
}

/// The name that a user was taken under, if it was not its own.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn new_name(read: &Snapshot, id: &RawId) -> Result<Option<String>, Fault> {
    let front = Key::new().text("identity.users").text(&id.to_string());
    let notes = read.list::<Note>(&front, &Page::first(MAX_PAGE))?.items;
    let renamed = notes.into_iter().find(|note| note.what == What::Renamed);
    Ok(renamed.and_then(|note| note.detail.split_once(" -> ").map(|(_, new)| new.to_owned())))
}

/// Translates a row.
///
/// # Errors
/// [`Verdict`].
pub fn translate(context: &Context<'_>, row: &Row<'_>) -> Result<Translated, Verdict> {
    match row.table.key {
        "identity.users" => by_identity::user(context, row),
        "identity.refresh_tokens" => by_identity::session(context, row),
        "identity.user_login_attempts" => by_identity::attempt(context, row),
        "identity.user_otps" => by_identity::code(context, row),
        "identity.influencers" => by_identity::influencer(row),
        "identity.referrals" => by_identity::referral(row),
        "identity.earnings" => by_identity::earning(row),
        "identity.user_influencer_codes" => by_identity::user_code(row),
        "customer.invites" => by_customer::invite(context, row),
        "customer.relationships" => by_customer::relationship(context, row),
        "game.invites" => by_game::invite(context, row),
        "game.sessions" => by_game::game(context, row),
        "chat.conversations" => by_chat::conversation(context, row),
        "chat.messages" => by_chat::message(context, row),
        "chat.audits" => by_chat::audit(context, row),
        other => Err(Verdict::Refused(format!("{other} is no table of the import"))),
    }
}

impl Old {
    /// The row as named texts.
    #[must_use]
    pub fn facts(&self) -> Facts {
        match self {
            Self::User(row) => row.facts(),
            Self::Session(row) => row.facts(),
            Self::Attempt(row) => row.facts(),
            Self::Legacy(_, row) => row.facts(),
            Self::Invite(row) => row.facts(),
            Self::Relationship(row) => row.facts(),
            Self::GameInvite(row) => row.facts(),
            Self::Game(row) => row.facts(),
            Self::Conversation(row) => row.facts(),
            Self::Message(row) => row.facts(),
            Self::Audit(row) => row.facts(),
        }
    }

    /// The same row as the box has it, if it has.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    pub fn found(&self, app: &App, read: &Snapshot) -> Result<Option<Facts>, Fault> {
        Ok(match self {
            Self::User(row) => identity::user(read, row.id)?.map(|row| row.facts()),
            Self::Session(row) => identity::session(read, row.id)?.map(|row| row.facts()),
            Self::Attempt(row) => identity::attempt(read, row.id)?.map(|row| row.facts()),
            Self::Legacy(table, row) => {
                let id = legacy_id(row);
                legacy::row(read, *table, id)?.map(|row| row.facts())
            }
            Self::Invite(row) => customer::invite(read, row.id)?.map(|row| row.facts()),
            Self::Relationship(row) => customer::relationship(read, row.id)?.map(|row| row.facts()),
            Self::GameInvite(row) => game::invite(read, row.id)?.map(|row| row.facts()),
            Self::Game(row) => game::game(read, row.id)?.map(|row| row.facts()),
            Self::Conversation(row) => chat::conversation(read, row.id)?.map(|row| row.facts()),
            Self::Message(row) => app.chat.old_message(read, row.id)?.map(|here| here.facts_beside(row)),
            Self::Audit(row) => chat::audit_entry(read, row.id)?.map(|row| row.facts()),
        })
    }
}

const fn legacy_id(row: &LegacyRow) -> crate::base::id::LegacyId {
    match row {
        LegacyRow::Influencer(row) => row.id,
        LegacyRow::Referral(row) => row.id,
        LegacyRow::Earning(row) => row.id,
        LegacyRow::UserInfluencerCode(row) => row.id,
    }
}
