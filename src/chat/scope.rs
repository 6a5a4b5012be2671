//! What a legal hold covers: one conversation, one relationship, or everything of a distributor.
//!
//! The wider two cover what will be said later too. Must not know whether a hold stands.

use serde::{Deserialize, Serialize};

use crate::base::id::{ConversationId, RawId, UserId};
use crate::chat::records::Conversation;
use crate::store::key::Key;

/// What a legal hold covers. The order of the variants is part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// One conversation.
    Conversation(ConversationId),
    /// All that a distributor and a customer write to each other, now and later.
    Relationship {
        /// The distributor.
        distributor: UserId,
        /// The customer.
        customer: UserId,
    },
    /// All conversations of a distributor, those to come among them.
    Distributor(UserId),
}

impl Scope {
    /// Which kind of thing it is, in the API and upstream.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Conversation(_) => "conversation",
            Self::Relationship { .. } => "relationship",
            Self::Distributor(_) => "distributor",
        }
    }

    /// The text that names it on the audit trail and upstream.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Conversation(id) => format!("conversation:{id}"),
            Self::Relationship { distributor, customer } => format!("relationship:{distributor}:{customer}"),
            Self::Distributor(id) => format!("distributor:{id}"),
        }
    }

    /// The key of what is kept about it.
    #[must_use]
    pub fn key(&self) -> Key {
        match *self {
            Self::Conversation(id) => Key::new().byte(1).id(id),
            Self::Relationship { distributor, customer } => Key::new().byte(2).id(distributor).id(customer),
            Self::Distributor(id) => Key::new().byte(3).id(id),
        }
    }

    /// Reads [`Scope::key`]; nothing for anything else.
    #[must_use]
    pub fn of_key(key: &[u8]) -> Option<Self> {
        let (tag, rest) = key.split_first()?;
        let (first, rest) = RawId::read_key(rest).ok()?;
        match (tag, rest) {
            (1, []) => Some(Self::Conversation(first.into())),
            (2, rest) => match RawId::read_key(rest) {
                Ok((second, [])) => Some(Self::Relationship { distributor: first.into(), customer: second.into() }),
                _ => None,
            },
            (3, []) => Some(Self::Distributor(first.into())),
            _ => None,
        }
    }

    /// Reads [`Scope::text`]; nothing for anything else.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "conversation" => rest.parse().ok().map(Self::Conversation),
            "distributor" => rest.parse().ok().map(Self::Distributor),
            // An id of an old service may hold a colon; both halves are ids at one place at least.
            "relationship" => rest.match_indices(':').find_map(|(at, colon)| {
                let distributor = rest.get(..at)?.parse().ok()?;
                let customer = rest.get(at + colon.len()..)?.parse().ok()?;
                Some(Self::Relationship { distributor, customer })
            }),
            _ => None,
        }
    }

    /// The scopes beyond a conversation itself that cover it.
    pub(in crate::chat) const fn wider(row: &Conversation) -> [Self; 2] {
        let (distributor, customer) = (row.distributor_id, row.customer_id);
        [Self::Relationship { distributor, customer }, Self::Distributor(distributor)]
    }

    /// Whether it covers a conversation.
    pub(in crate::chat) fn covers(&self, row: &Conversation) -> bool {
        *self == Self::Conversation(row.id) || Self::wider(row).contains(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_comes_back_from_its_key() {
        let id: UserId = "old:17@lagos".parse().unwrap();
        let uuid: UserId = "019ab3c0-0000-7000-8000-000000000001".parse().unwrap();
        for scope in [
            Scope::Conversation("c".parse().unwrap()),
            Scope::Relationship { distributor: uuid, customer: id },
            Scope::Distributor(id),
        ] {
            assert_eq!(Scope::of_key(scope.key().as_bytes()), Some(scope));
            assert_eq!(Scope::of_text(&scope.text()), Some(scope));
        }
        let pair = Scope::Relationship { distributor: id, customer: uuid };
        assert_eq!(pair.text(), "relationship:old:17@lagos:019ab3c0-0000-7000-8000-000000000001");
        assert_eq!(Scope::of_key(&[9, 1]), None);
        assert_eq!(Scope::of_key(&pair.key().as_bytes()[..20]), None);
    }
}
