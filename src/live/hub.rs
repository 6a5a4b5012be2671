//! The hub: hands notices and passing signals to the sockets that asked for them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

use crate::base::id::{ConversationId, GameId, SessionId, UserId};
use crate::base::notice::Notice;
use crate::live::company::Company;
use crate::live::presence::Presences;

/// Signals that may wait for one socket. Duplicates are folded, so only a socket that stands still reaches it.
pub const MAX_WAITING: usize = 1024;

/// What a socket can ask to be told about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A match.
    Game(GameId),
    /// A conversation.
    Conversation(ConversationId),
    /// All that concerns a user: revocation, invites.
    User(UserId),
    /// The revocation of a session.
    Session(SessionId),
    /// Every game notice, for the clock and the bots.
    AllGames,
}

/// What a socket is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A commit made something true.
    Committed(Notice),
    /// Someone is writing. Kept nowhere.
    Typing(ConversationId, UserId),
    /// A player of this match came or went.
    Presence(GameId),
    /// A participant of this conversation came or went.
    Company(ConversationId),
    /// A newer socket of this player at this match asked to be the only one: those before this number end.
    TakenOver(GameId, UserId, u64),
}

/// The socket stood still for so long that its queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many signals wait")]
pub struct Overflow;

/// The one hub of a box.
#[derive(Default)]
pub struct Hub {
    topics: Mutex<HashMap<Topic, Vec<Weak<Waiting>>>>,
    /// Who is at which match.
    pub presences: Presences,
    /// Who has which conversation open.
    pub company: Company,
    sockets: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    queue: Mutex<(VecDeque<Signal>, bool)>,
    wake: Notify,
}

/// A socket's queue of signals.
pub struct Subscription {
    waiting: Arc<Waiting>,
    topics: Vec<Topic>,
    hub: Arc<Hub>,
}

impl Hub {
    /// A hub without listeners.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// What the store calls after each commit. Returns at once.
    #[must_use]
    pub fn listener(self: &Arc<Self>) -> Arc<dyn Fn(Notice) + Send + Sync> {
        let hub = Arc::clone(self);
        Arc::new(move |notice| hub.committed(notice))
    }

    fn committed(&self, notice: Notice) {
        let signal = Signal::Committed(notice);
        match notice {
            Notice::Game(game) => {
                self.signal(Topic::Game(game), signal);
                self.signal(Topic::AllGames, signal);
            }
            Notice::GameInvite(_, sender, recipient) => {
                self.signal(Topic::User(sender), signal);
                self.signal(Topic::User(recipient), signal);
            }
            Notice::Message(conversation, _)
            | Notice::Receipt(conversation, _)
            | Notice::Vanished(conversation, _)
            | Notice::Entitlement(conversation) => self.signal(Topic::Conversation(conversation), signal),
            Notice::SessionRevoked(session) => self.signal(Topic::Session(session), signal),
            Notice::UserRevoked(user) | Notice::UserChanged(user) => self.signal(Topic::User(user), signal),
        }
    }

    /// Tells everyone who asked about `topic`.
    pub fn signal(&self, topic: Topic, signal: Signal) {
        let listeners: Vec<_> = {
            let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
            topics.get(&topic).map(|all| all.iter().filter_map(Weak::upgrade).collect()).unwrap_or_default()
        };
        for waiting in listeners {
            waiting.push(signal);
        }
    }

    /// Asks to be told about `topics` from now on.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, topics: &[Topic]) -> Subscription {
        let waiting = Arc::new(Waiting::default());
        let mut all = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        for topic in topics {
            all.entry(*topic).or_default().push(Arc::downgrade(&waiting));
        }
        self.sockets.fetch_add(u64::from(is_socket(topics)), Ordering::Relaxed);
        Subscription { waiting, topics: topics.to_vec(), hub: Arc::clone(self) }
    }

    /// How many sockets are listening; the box's own jobs, which listen to all games, are none.
    #[must_use]
    pub fn sockets(&self) -> u64 {
        self.sockets.load(Ordering::Relaxed)
    }
}

/// Whether topics are those of a socket and not of a job.
fn is_socket(topics: &[Topic]) -> bool {
    !topics.contains(&Topic::AllGames)
}

impl Waiting {
    fn push(&self, signal: Signal) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.0.contains(&signal) {
            return;
        }
        if queue.0.len() < MAX_WAITING {
            queue.0.push_back(signal);
        } else {
            queue.1 = true;
        }
        drop(queue);
        self.wake.notify_one();
    }
}

impl Subscription {
    /// The next signal. Dropping the future loses none.
    ///
    /// # Errors
    /// [`Overflow`] where signals were lost: close the socket, it resumes from its cursor.
    pub async fn next(&mut self) -> Result<Signal, Overflow> {
        loop {
            {
                let mut queue = self.waiting.queue.lock().unwrap_or_else(PoisonError::into_inner);
                if queue.1 {
                    return Err(Overflow);
                }
                if let Some(signal) = queue.0.pop_front() {
                    return Ok(signal);
                }
            }
            self.waiting.wake.notified().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut all = self.hub.topics.lock().unwrap_or_else(PoisonError::into_inner);
        for topic in &self.topics {
            if let Some(listeners) = all.get_mut(topic) {
                listeners.retain(|other| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(&self.waiting)));
                if listeners.is_empty() {
                    all.remove(topic);
                }
            }
        }
        self.hub.sockets.fetch_sub(u64::from(is_socket(&self.topics)), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn game(n: u128) -> GameId {
        GameId::from_uuid(Uuid::from_u128(n))
    }

    #[tokio::test]
    async fn signals_reach_who_asked_and_are_folded() {
        let hub = Hub::new();
        let mut mine = hub.subscribe(&[Topic::Game(game(1))]);
        hub.listener()(Notice::Game(game(2)));
        hub.listener()(Notice::Game(game(1)));
        hub.listener()(Notice::Game(game(1)));
        assert_eq!(mine.next().await, Ok(Signal::Committed(Notice::Game(game(1)))));
        assert!(tokio::time::timeout(std::time::Duration::ZERO, mine.next()).await.is_err(), "the second was folded");
    }

    #[tokio::test]
    async fn a_socket_that_stands_still_is_told_so_and_others_are_not_slowed() {
        let hub = Hub::new();
        let user = UserId::from_uuid(Uuid::nil());
        let mut still = hub.subscribe(&[Topic::User(user)]);
        for n in 0..=MAX_WAITING as u128 {
            hub.signal(Topic::User(user), Signal::Presence(game(n)));
        }
        assert_eq!(still.next().await, Err(Overflow));
    }

    #[test]
    fn what_is_dropped_is_forgotten() {
        let hub = Hub::new();
        let (socket, job) = (hub.subscribe(&[Topic::Game(game(1))]), hub.subscribe(&[Topic::AllGames]));
        assert_eq!(hub.sockets(), 1, "a job is no socket");
        drop((socket, job));
        assert_eq!(hub.sockets(), 0);
        assert!(hub.topics.lock().unwrap().is_empty());
    }
}
