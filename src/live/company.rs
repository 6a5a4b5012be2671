//! Who has a conversation open: counted sockets of each participant, and since when. Kept in memory alone.
//!
//! Unlike at a match nothing depends on it but what the other is shown, so whoever left is forgotten at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::id::{ConversationId, UserId};
use crate::base::time::Timestamp;
use crate::live::hub::{Hub, Signal, Topic};

/// Everybody who has a conversation open.
#[derive(Default)]
pub struct Company {
    here: Mutex<HashMap<(ConversationId, UserId), (u32, Timestamp)>>,
}

/// An open socket of a participant; leaving is dropping it.
pub struct Visitor {
    hub: Arc<Hub>,
    place: (ConversationId, UserId),
}

impl Hub {
    /// A participant opens a conversation.
    #[must_use]
    pub fn visit(self: &Arc<Self>, conversation: ConversationId, user: UserId, now: Timestamp) -> Visitor {
        let place = (conversation, user);
        let mut here = self.company.here.lock().unwrap_or_else(PoisonError::into_inner);
        let sockets = &mut here.entry(place).or_insert((0, now)).0;
        *sockets = sockets.saturating_add(1);
        let first = *sockets == 1;
        drop(here);
        if first {
            self.signal(Topic::Conversation(conversation), Signal::Company(conversation));
        }
        Visitor { hub: Arc::clone(self), place }
    }

    /// Since when a participant has a conversation open; nothing for one who has not.
    #[must_use]
    pub fn visiting(&self, conversation: ConversationId, user: UserId) -> Option<Timestamp> {
        let here = self.company.here.lock().unwrap_or_else(PoisonError::into_inner);
        here.get(&(conversation, user)).map(|(_, since)| *since)
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        let mut here = self.hub.company.here.lock().unwrap_or_else(PoisonError::into_inner);
        let left = here.get_mut(&self.place).is_some_and(|(sockets, _)| {
            *sockets = sockets.saturating_sub(1);
            *sockets == 0
        });
        if left {
            here.remove(&self.place);
        }
        drop(here);
        if left {
            self.hub.signal(Topic::Conversation(self.place.0), Signal::Company(self.place.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_participant_is_there_until_the_last_socket_goes() {
        let (hub, now) = (Hub::new(), Timestamp::from_micros(7));
        let (conversation, user) = (ConversationId::from_uuid(Uuid::nil()), UserId::from_uuid(Uuid::nil()));
        let first = hub.visit(conversation, user, now);
        let second = hub.visit(conversation, user, Timestamp::from_micros(9));
        drop(first);
        assert_eq!(hub.visiting(conversation, user), Some(now));
        drop(second);
        assert_eq!(hub.visiting(conversation, user), None);
        assert!(hub.company.here.lock().unwrap().is_empty());
    }
}
