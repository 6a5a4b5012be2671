//! What identity holds about a user, for that user: everything but secrets, of which only digests are stored.

use crate::base::id::{LegacyId, SessionId};
use crate::base::time::Timestamp;
use crate::identity::access::Caller;
use crate::identity::legacy::{Influencer, Referral, UserInfluencerCode};
use crate::identity::records::{
    ATTEMPT_BY_USER, Attempt, OTP_BY_USER, Otp, Outcome, RevokeReason, SESSION_BY_END, Session,
};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};

/// A sign-in, ended ones included for as long as they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldSession {
    /// The `sid` claim.
    pub id: SessionId,
    /// When it began.
    pub created_at: Timestamp,
    /// When its token was last refreshed.
    pub last_used_at: Timestamp,
    /// When it ends, unless it is used before.
    pub expires_at: Timestamp,
    /// When it was ended before its time.
    pub revoked_at: Option<Timestamp>,
    /// Why.
    pub revoke_reason: Option<RevokeReason>,
}

/// An entry of the login audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldAttempt {
    /// What it came to.
    pub outcome: &'static str,
    /// Where it came from.
    pub address: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A one-time code: that there was one, never which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldCode {
    /// What it was good for.
    pub purpose: &'static str,
    /// By what way it went.
    pub sender: &'static str,
    /// How often it was tried.
    pub tries: u32,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended or ends.
    pub expires_at: Timestamp,
    /// When it was used or replaced.
    pub used_at: Option<Timestamp>,
}

/// A row that was taken over from the old service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldOld {
    /// Of which table.
    pub table: &'static str,
    /// Its id there.
    pub id: LegacyId,
    /// An influencer's name.
    pub name: Option<String>,
    /// The code that it is about.
    pub code: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// All else, as the old service had it: a JSON object.
    pub extra: String,
}

/// The caller's sign-ins. A page holds what is the caller's of so many of the box's.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn sessions(read: &(impl Read + ?Sized), caller: &Caller, page: &Page) -> Result<Listed<HeldSession>, Fault> {
    let rows = read.list_by::<Session>(SESSION_BY_END, &Key::new(), page)?;
    Ok(Listed {
        items: rows.items.into_iter().filter(|row| row.user_id == caller.id()).map(HeldSession::from).collect(),
        next: rows.next,
    })
}

impl From<Session> for HeldSession {
    fn from(row: Session) -> Self {
        Self {
            id: row.id,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at.min(row.idle_expires_at),
            revoked_at: row.revoked_at,
            revoke_reason: row.revoke_reason,
        }
    }
}

/// The caller's entries of the login audit.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn attempts(read: &(impl Read + ?Sized), caller: &Caller, page: &Page) -> Result<Listed<HeldAttempt>, Fault> {
    let rows = read.list_by::<Attempt>(ATTEMPT_BY_USER, &Key::of(caller.id()), page)?;
    Ok(rows.map(|row| HeldAttempt { outcome: Outcome::name(row.outcome), address: row.address, at: row.at }))
}

/// The caller's one-time codes.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn codes(read: &(impl Read + ?Sized), caller: &Caller, page: &Page) -> Result<Listed<HeldCode>, Fault> {
    let rows = read.list_by::<Otp>(OTP_BY_USER, &Key::of(caller.id()), page)?;
    Ok(rows.map(|row| HeldCode {
        purpose: row.purpose.name(),
        sender: row.sender.name(),
        tries: row.tries,
        created_at: row.created_at,
        expires_at: row.expires_at,
        used_at: row.used_at,
    }))
}

/// What the old service knew of the caller as an influencer. A page holds what is the caller's of so many of the box's.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn influencers(read: &(impl Read + ?Sized), caller: &Caller, page: &Page) -> Result<Listed<HeldOld>, Fault> {
    let rows = read.list::<Influencer>(&Key::new(), page)?;
    let own = rows.items.into_iter().filter(|row| row.user_id == Some(caller.id()));
    let held = own.map(|row| {
        let Influencer { id, name, code, created_at, extra, .. } = row;
        HeldOld { table: "influencers", id, name, code, created_at, extra }
    });
    Ok(Listed { items: held.collect(), next: rows.next })
}

/// The same of who brought the caller.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn referrals(read: &(impl Read + ?Sized), caller: &Caller, page: &Page) -> Result<Listed<HeldOld>, Fault> {
    let rows = read.list::<Referral>(&Key::new(), page)?;
    let own = rows.items.into_iter().filter(|row| row.referred_user_id == Some(caller.id()));
    let held = own.map(|row| {
        let Referral { id, code, created_at, extra, .. } = row;
        HeldOld { table: "referrals", id, name: None, code, created_at, extra }
    });
    Ok(Listed { items: held.collect(), next: rows.next })
}

/// The same of the codes that the caller came with.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn influencer_codes(read: &(impl Read + ?Sized), caller: &Caller, page: &Page) -> Result<Listed<HeldOld>, Fault> {
    let rows = read.list::<UserInfluencerCode>(&Key::new(), page)?;
    let own = rows.items.into_iter().filter(|row| row.user_id == Some(caller.id()));
    let held = own.map(|row| {
        let UserInfluencerCode { id, code, created_at, extra, .. } = row;
        HeldOld { table: "user_influencer_codes", id, name: None, code, created_at, extra }
    });
    Ok(Listed { items: held.collect(), next: rows.next })
}
