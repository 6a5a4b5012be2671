//! Erasures as a job: what was asked for is carried out page by page, across all domains, unless a legal hold covers
//! the user; then it waits and is carried out when the hold has ended.
//!
//! The hold is looked at in every transaction that erases. What a domain forgets is decided in that domain.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::base::id::UserId;
use crate::chat;
use crate::customer;
use crate::game;
use crate::identity::{self, erasure};
use crate::jobs::{Job, Next};
use crate::store::fault::Fault;
use crate::store::page::Page;
use crate::store::writer::AsFault;

/// Between two looks; what was asked for begins to go within this time.
const EVERY: Duration = Duration::from_secs(1);
/// The same after one has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// Rows of one command, so that nobody's move waits behind it for long.
const AT_ONCE: usize = 100;
/// Erasures that are looked at in one round. Those under hold stand in front, so it is more than a box will have.
const MAX_OPEN: usize = 1000;

/// Where the domains keep what names a user, in the order in which it goes.
#[derive(Debug, Clone, Copy)]
enum Trace {
    Identity(erasure::Trace),
    Customer(customer::erasure::Trace),
    Game(game::erasure::Trace),
    Chat,
}

const TRACES: &[Trace] = &[
    Trace::Customer(customer::erasure::Trace::AsCustomer),
    Trace::Customer(customer::erasure::Trace::AsDistributor),
    Trace::Customer(customer::erasure::Trace::Invites),
    Trace::Chat,
    Trace::Game(game::erasure::Trace::Matches),
    Trace::Game(game::erasure::Trace::InvitesSent),
    Trace::Game(game::erasure::Trace::InvitesReceived),
    Trace::Identity(erasure::Trace::Attempts),
    Trace::Identity(erasure::Trace::Influencers),
    Trace::Identity(erasure::Trace::Referrals),
    Trace::Identity(erasure::Trace::InfluencerCodes),
];

/// Why an erasure could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Identity could not forget.
    #[error(transparent)]
    Identity(#[from] identity::error::Error),
    /// The customer domain could not forget.
    #[error(transparent)]
    Customer(#[from] customer::error::Error),
    /// The game domain could not forget.
    #[error(transparent)]
    Game(#[from] game::error::Error),
    /// Chat could not forget.
    #[error(transparent)]
    Chat(#[from] chat::error::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl AsFault for Error {
    fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Identity(error) => error.as_fault(),
            Self::Customer(error) => error.as_fault(),
            Self::Game(error) => error.as_fault(),
            Self::Chat(error) => error.as_fault(),
            Self::Store(fault) => Some(fault),
        }
    }
}

/// What one command came to.
enum Did {
    /// A hold covers the user.
    Waits,
    /// A page is done; the next starts here.
    Page(Option<Vec<u8>>),
}

/// The job.
pub struct Erasure {
    app: Arc<App>,
}

impl Erasure {
    /// The job of a box.
    #[must_use]
    pub const fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    /// Carries out everything that may be carried out; how many erasures were finished.
    ///
    /// # Errors
    /// [`Error`]; what was erased stays erased, and the next round goes on.
    pub async fn round(&self) -> Result<usize, Error> {
        let (mut finished, mut failed) = (0, None);
        for user in erasure::open(&self.app.store.read()?, MAX_OPEN)? {
            match self.carry_out(user).await {
                Ok(done) => finished += usize::from(done),
                // One that stumbles over damage must not keep the others waiting.
                Err(error) => {
                    tracing::error!(%user, %error, "an erasure could not go on; it is tried again");
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(finished), Err)
    }

    /// Carries out one erasure; whether it is finished.
    async fn carry_out(&self, user: UserId) -> Result<bool, Error> {
        // A look without the writer first: what is held stays so for months.
        let known = erasure::is_noted_as_held(&self.app.store.read()?, user)?;
        if known && self.app.chat.holds(&self.app.store.read()?, user)? {
            return Ok(false);
        }
        for trace in TRACES {
            let mut after = None;
            loop {
                match self.page(user, *trace, Page::first(AT_ONCE).after(after)).await? {
                    Did::Waits => {
                        tracing::info!(%user, "an erasure waits for the end of a legal hold");
                        return Ok(false);
                    }
                    Did::Page(None) => break,
                    Did::Page(next) => after = next,
                }
            }
        }
        self.app.store.reserved().write(move |tx, now| erasure::finish(tx, now, user)).await?;
        tracing::info!(%user, "a user was erased");
        Ok(true)
    }

    /// One command: the hold is looked at, the account is wiped if it was not, and one page forgets the name.
    async fn page(&self, user: UserId, trace: Trace, page: Page) -> Result<Did, Error> {
        let (games, chats) = (Arc::clone(&self.app.game), Arc::clone(&self.app.chat));
        let done = self.app.store.reserved().write(move |tx, now| {
            if chats.holds(tx, user)? {
                erasure::held(tx, now, user)?;
                return Ok::<_, Error>(Did::Waits);
            }
            let name = erasure::wipe(tx, now, user)?;
            Ok(Did::Page(match trace {
                Trace::Identity(trace) => erasure::erase(tx, user, &name, trace, &page)?,
                Trace::Customer(trace) => customer::erasure::erase(tx, now, user, &name, trace, &page)?,
                Trace::Game(trace) => games.erase(tx, now, user, &name, trace, &page)?,
                Trace::Chat => chat::erasure::erase(tx, now, user, &page)?,
            }))
        });
        done.await
    }
}

impl Job for Erasure {
    async fn step(&mut self) -> Next {
        match self.round().await {
            Ok(_) => Next::After(EVERY),
            // What went wrong was logged with the user.
            Err(_) => Next::After(AFTER_FAILURE),
        }
    }
}
