//! What an admin did with the box as a whole, noted in the same trail as what moderators did.
//!
//! Must not know how it is done.

use crate::base::id::{AuditId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::audit::{self, Action, Code, Deed};
use crate::chat::service::Service;
use crate::store::fault::Fault;
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// Notes it with the change itself; the admin stands in the moderator's place.
///
/// # Errors
/// [`Fault`] where it cannot be written.
pub fn note(tx: &mut Tx<'_>, now: Timestamp, admin: UserId, action: Action, reason: Reason) -> Result<AuditId, Fault> {
    let deed = Deed { conversation: None, subject: None, moderator: admin, action, code: Code::Support, reason };
    audit::note(tx, now, deed)
}

impl Service {
    /// Notes it alone. It is on the disk before it is done.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be written.
    pub async fn note_owned(
        &self,
        store: &Store,
        admin: UserId,
        action: Action,
        reason: Reason,
    ) -> Result<AuditId, Fault> {
        store.write(move |tx, now| note(tx, now, admin, action, reason)).await
    }
}
