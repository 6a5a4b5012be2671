//! The audit trail beside central's: what comparing them came to, and a person's word that a difference is known.
//!
//! A restored box has fewer links than central, which keeps the old ones for ever. Whoever restored it says so once:
//! that is a link of the chain, so it travels to central, and from there on both are compared anew. What is not
//! acknowledged alarms for ever.
//!
//! ```text
//!   acknowledged: a link here, and what central had then     central's old end is known from now on
//!   settled: all links here have come to central             from now on each link here is one more there, exactly
//! ```
//!
//! Must not know how central is asked.

use std::sync::PoisonError;

use serde::{Deserialize, Serialize};

use crate::base::id::{AuditId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::audit::{self, Action, Code, Deed, Diverged, Head};
use crate::chat::error::Error;
use crate::chat::service::Service;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::read::{Read, ReadExt as _};
use crate::store::record::{Record, TableId};
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// Letters of a reason at most, so that what central had still fits beside it.
pub const MAX_REASON: usize = 400;

/// What central has of the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness {
    /// Its last link.
    pub head: Head,
    /// How many it has.
    pub links: u64,
}

/// What was acknowledged last. There is one such row, and it stays on the box: the link that says so travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::chat) struct Acknowledged {
    /// Central's last link then.
    pub(in crate::chat) seq: u64,
    pub(in crate::chat) hash: [u8; 32],
    /// How many it had then.
    pub(in crate::chat) links: u64,
    pub(in crate::chat) at: Timestamp,
    pub(in crate::chat) settled: Option<Settled>,
}

/// That both had everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::chat) struct Settled {
    /// Links here.
    pub(in crate::chat) here: u64,
    /// Links at central.
    pub(in crate::chat) links: u64,
}

impl Record for Acknowledged {
    const TABLE: TableId = TableId { number: 67, name: "chat.trail_acknowledged" };

    fn key(&self) -> Key {
        Key::new()
    }
}

impl Acknowledged {
    /// What central has that is too much, if anything; [`None`] where its last link is the old end, which is known.
    fn judge(&self, central: Witness, here: u64) -> Option<Result<(), Diverged>> {
        let Witness { head, links } = central;
        let old_end = head == Head { seq: self.seq, hash: self.hash };
        let (known, grown) = match self.settled {
            Some(settled) => (settled.links, here.saturating_sub(settled.here)),
            // How many of the links here central had already is not known yet.
            None => (self.links, here),
        };
        if head.seq > here && !old_end {
            return Some(Err(Diverged::Cut { central: head.seq, here }));
        }
        if links.saturating_sub(known) > grown {
            return Some(Err(Diverged::Forked { last: head.seq, links }));
        }
        old_end.then_some(Ok(()))
    }
}

/// Compares the trail with what central has of it. The trail must be read after central has answered.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn compare(read: &(impl Read + ?Sized), central: Witness) -> Result<Result<(), Diverged>, Fault> {
    let here = audit::head(read)?.seq;
    let judged = match read.get::<Acknowledged>(&Key::new())? {
        Some(acknowledged) => acknowledged.judge(central, here),
        None if central.head.seq > here => Some(Err(Diverged::Cut { central: central.head.seq, here })),
        // Fewer are no fault: the rest is on its way, as after enrolment, when old links follow new ones.
        None if central.links > central.head.seq => {
            Some(Err(Diverged::Forked { last: central.head.seq, links: central.links }))
        }
        None => None,
    };
    match judged {
        Some(judged) => Ok(judged),
        None if audit::has(read, central.head)? => Ok(Ok(())),
        None => Ok(Err(Diverged::Rewritten(central.head.seq))),
    }
}

/// Notes that a difference is known, as a link, and what central had.
fn note(tx: &mut Tx<'_>, now: Timestamp, by: UserId, reason: &Reason, central: Witness) -> Result<AuditId, Error> {
    let Witness { head, links } = central;
    let Err(diverged) = compare(tx, central)? else { return Err(Error::NotDiverged) };
    let hash: String = head.hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let here = audit::head(tx)?.seq;
    let told = format!("{reason} (central: {links} links to {} {hash}; here: {here}; {})", head.seq, diverged.name());
    let reason = told.parse().map_err(|_| Error::TooLarge)?;
    let (action, code) = (Action::DivergenceAcknowledged, Code::Audit);
    let id = audit::note(tx, now, Deed { conversation: None, subject: None, moderator: by, action, code, reason })?;
    tx.put(&Acknowledged { seq: head.seq, hash: head.hash, links, at: now, settled: None })?;
    Ok(id)
}

impl Service {
    /// Compares the audit trail with the end of it that central has just told, and remembers the outcome.
    ///
    /// # Errors
    /// [`Fault`] where the trail cannot be read.
    pub fn anchored(&self, read: &impl Read, central: Witness) -> Result<Result<(), Diverged>, Fault> {
        let outcome = compare(read, central)?;
        let mut trail = self.trail.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(diverged) = outcome
            && trail.is_none_or(|(before, _)| before != Err(diverged))
        {
            tracing::error!(%diverged, "the audit trail is not what central has of it");
        }
        *trail = Some((outcome.map(|()| self.clock.now()), central));
        Ok(outcome)
    }

    /// When the audit trail was last found to be what central has, or how it differs; nothing before the first look.
    #[must_use]
    pub fn trail(&self) -> Option<Result<Timestamp, Diverged>> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner).map(|(outcome, _)| outcome)
    }

    /// Takes somebody's word that the difference from central is known. It is a link of the chain, and what central had
    /// then alarms no more; what differs from there on does.
    ///
    /// # Errors
    /// [`Error::NotDiverged`] where the last comparison found no difference, or there was none.
    pub async fn acknowledge_trail(&self, store: &Store, by: UserId, reason: Reason) -> Result<AuditId, Error> {
        let known = *self.trail.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((Err(diverged), central)) = known else { return Err(Error::NotDiverged) };
        let id = store.reserved().write(move |tx, now| note(tx, now, by, &reason, central)).await?;
        tracing::warn!(%diverged, %by, "somebody knows why the audit trail differs from central's");
        let _outcome = self.anchored(&store.read()?, central)?;
        Ok(id)
    }

    /// Whether an acknowledgement waits for the moment when both have everything.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    pub fn unsettled(&self, read: &impl Read) -> Result<bool, Fault> {
        Ok(read.get::<Acknowledged>(&Key::new())?.is_some_and(|row| row.settled.is_none()))
    }

    /// Both have everything: `here` links on the box before central was asked, and all of them were there.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be written.
    pub async fn settle_trail(&self, store: &Store, here: Head, central: Witness) -> Result<(), Fault> {
        let settle = move |tx: &mut Tx<'_>, _| {
            let Some(row) = tx.get::<Acknowledged>(&Key::new())? else { return Ok(()) };
            // A link that came meanwhile may be at central or not: the next look settles it.
            if row.settled.is_none() && audit::head(tx)? == here {
                tx.put(&Acknowledged { settled: Some(Settled { here: here.seq, links: central.links }), ..row })?;
            }
            Ok::<_, Fault>(())
        };
        store.reserved().write(settle).await
    }
}
