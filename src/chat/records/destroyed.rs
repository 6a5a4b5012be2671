//! The stored shape of what is remembered of a destroyed bucket key. It stays on the box.

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::chat::seal::bucket::BucketId;
use crate::store::key::Key;
use crate::store::record::{Record, TableId};

/// A bucket whose key is destroyed, or is about to be. Never deleted: no copy of a key file grows too old to be put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::chat) struct DestroyedKey {
    pub(in crate::chat) bucket: [u8; 16],
    /// When nothing that lives was found in it any more.
    pub(in crate::chat) at: Timestamp,
    /// The key file was replaced without the key: where it has it again, an older copy was put back.
    pub(in crate::chat) gone: bool,
}

impl DestroyedKey {
    pub(in crate::chat) fn place(bucket: BucketId) -> Key {
        Key::new().fixed(bucket.as_bytes())
    }
}

impl Record for DestroyedKey {
    const TABLE: TableId = TableId { number: 57, name: "chat.destroyed_keys" };

    fn key(&self) -> Key {
        Self::place(BucketId::from_bytes(self.bucket))
    }
}
