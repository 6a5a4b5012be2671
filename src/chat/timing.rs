//! Time as far as destroying depends on it: the mark of the last trusted moment, when central was last heard, and an
//! admin's word that the clock is right.
//!
//! Must not know what falls due.

use std::sync::PoisonError;
use std::time::Duration;

use crate::base::id::{AuditId, UserId};
use crate::base::text::Reason;
use crate::base::time::{AGREEMENT, Timestamp, WallTime};
use crate::chat::audit::{self, Action, Code, Deed};
use crate::chat::error::Error;
use crate::chat::records::holds::TimeMark;
use crate::chat::service::Service;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::meta;
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// The mark is written this often at most: it need not be exact, and every write wears the disk.
const MARK_EVERY: Duration = Duration::from_secs(600);
/// Why nothing is decided while central may have placed a hold that has not come through.
pub const UNHEARD: &str = "central was not heard for so long that a hold may be pending";

/// How the box's time stands, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What the clock shows, and whether it is trusted.
    pub wall: WallTime,
    /// Central's clock contradicts it.
    pub contradicted: bool,
    /// The last trusted moment that was written down; untrusted time never goes below it.
    pub mark: Option<Timestamp>,
    /// When central last answered.
    pub heard: Option<Timestamp>,
}

/// The mark of the last trusted moment, below which time does not go.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn mark(read: &(impl Read + ?Sized)) -> Result<Option<Timestamp>, Fault> {
    Ok(stored(read)?.trusted)
}

fn stored(read: &(impl Read + ?Sized)) -> Result<TimeMark, Fault> {
    Ok(read.get::<TimeMark>(&Key::new())?.unwrap_or_default())
}

/// Notes an admin's word that the clock is right. It is on the disk before the clock takes it.
///
/// # Errors
/// [`Fault`] where it cannot be written.
fn confirmed(tx: &mut Tx<'_>, now: Timestamp, admin: UserId, reason: Reason) -> Result<AuditId, Fault> {
    let (action, code) = (Action::ClockConfirmed, Code::Audit);
    audit::note(tx, now, Deed { conversation: None, subject: None, moderator: admin, action, code, reason })
}

impl Service {
    /// How the box's time stands.
    ///
    /// # Errors
    /// [`Fault`] where the mark cannot be read.
    pub fn time(&self, read: &impl Read) -> Result<Standing, Fault> {
        let stored = stored(read)?;
        let (wall, contradicted) = (self.clock.wall(), self.clock.contradicted());
        Ok(Standing { wall, contradicted, mark: stored.trusted, heard: self.last_heard(&stored) })
    }

    /// Central answered at this moment.
    pub fn heard(&self, at: Option<Timestamp>) {
        if at.is_some() {
            *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = at;
        }
    }

    fn last_heard(&self, stored: &TimeMark) -> Option<Timestamp> {
        let here = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        here.max(stored.heard)
    }

    /// Takes an admin's word that it is now `named`. It lasts until the clock leaps or the box stops.
    ///
    /// # Errors
    /// [`Error::ClockDiffers`] where the clock shows another time or central contradicts it.
    pub async fn confirm_clock(
        &self,
        store: &Store,
        admin: UserId,
        named: Timestamp,
        reason: Reason,
    ) -> Result<AuditId, Error> {
        let now = self.clock.now();
        if self.clock.contradicted() || now.since(named).max(named.since(now)) > AGREEMENT {
            return Err(Error::ClockDiffers);
        }
        let noted = store.reserved().write(move |tx, now| confirmed(tx, now, admin, reason)).await?;
        self.clock.confirm();
        Ok(noted)
    }

    /// Why a hold may be pending that this box cannot know of, if so.
    pub(in crate::chat) fn holds_unknown(
        &self,
        read: &impl Read,
        now: Timestamp,
    ) -> Result<Option<&'static str>, Fault> {
        let Some(age) = self.settings.offline else { return Ok(None) };
        if !meta::identity(read)?.logging {
            return Ok(None);
        }
        let heard = self.last_heard(&stored(read)?);
        Ok(heard.is_none_or(|heard| now.since(heard) > age).then_some(UNHEARD))
    }

    /// Writes down how far trusted time has come, and when central was heard. Trusted time lowers a wrong mark too.
    pub(in crate::chat) async fn keep_time(&self, store: &Store) -> Result<(), Fault> {
        let wall = self.clock.wall();
        let before = stored(&store.read()?)?;
        let moved = |from: Option<Timestamp>, to: Timestamp| {
            from.is_none_or(|from| to.since(from).max(from.since(to)) >= MARK_EVERY)
        };
        let trusted = if wall.trusted { Some(wall.now) } else { before.trusted };
        let heard = self.last_heard(&before);
        let due =
            trusted.is_some_and(|to| moved(before.trusted, to)) || heard.is_some_and(|to| moved(before.heard, to));
        if due {
            store.write(move |tx, _| tx.put(&TimeMark { trusted, heard })).await?;
            if let Some(mark) = trusted {
                self.clock.floor(mark);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
