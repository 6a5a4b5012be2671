//! Sessions: one row per sign-in, whose refresh token rotates with each use.
//!
//! ```text
//!   token = base64url(session id ‖ generation ‖ HMAC(session id ‖ generation))
//!
//!   presented generation        answer
//!   current                     rotated: the next generation
//!   the one before, in time     the same next generation: the first answer was lost
//!   any earlier, or too late    the token was copied: the whole session is revoked
//! ```
//!
//! Only digests are stored. A token is derived, so a lost answer can be given again. Must not know passwords or HTTP.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::base::digest::{Key as DigestKey, keyed, same, sha256};
use crate::base::id::{RawId, SessionId, UserId};
use crate::base::notice::Notice;
use crate::base::time::Timestamp;
use crate::identity::access::{Caller, Denied};
use crate::identity::error::Error;
use crate::identity::records::{RevokeReason, SESSION_BY_USER, Session, User};
use crate::identity::users::Status;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;

/// A session ends after so long, used or not: a stolen phone is not signed in for ever.
pub const LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
/// A session ends after so long without a refresh.
pub const IDLE_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long the same successor is given again (contract, section 2).
pub const LOST_ANSWER: Duration = Duration::from_secs(10);
/// The same after a start of the box, for answers that its stop swallowed: time enough for a phone to come back. A
/// copied token gains nothing lasting by it, since the two holders meet at the next rotation.
pub const LOST_IN_RESTART: Duration = Duration::from_secs(3600);
/// Sessions of one user; beyond, the oldest is revoked. More phones than anyone has.
const MAX_SESSIONS: usize = 32;
/// Longest refresh token that is looked at; ours have 71 characters.
const MAX_TOKEN: usize = 256;

/// Names a generation of a session: what an idempotency record keeps of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRef {
    /// The session.
    pub session: SessionId,
    /// Which of its refresh tokens.
    pub generation: u32,
}

/// Derives and recognises refresh tokens.
pub(in crate::identity) struct RefreshTokens(pub(in crate::identity) DigestKey);

impl RefreshTokens {
    /// The token of a generation.
    pub(in crate::identity) fn token(&self, of: SessionRef) -> String {
        let mut bytes = of.session.raw().to_key();
        bytes.extend_from_slice(&of.generation.to_be_bytes());
        let mac = keyed(&self.0, &[&bytes]);
        URL_SAFE_NO_PAD.encode([&bytes[..], &mac].concat())
    }

    fn digest(&self, of: SessionRef) -> [u8; 32] {
        sha256(&[self.token(of).as_bytes()])
    }

    /// Which generation a token is of, if this box made it.
    pub(in crate::identity) fn read(&self, token: &str) -> Option<SessionRef> {
        let bytes = (token.len() <= MAX_TOKEN).then(|| URL_SAFE_NO_PAD.decode(token).ok())??;
        let (front, mac) = bytes.split_last_chunk::<32>()?;
        if !same(&keyed(&self.0, &[front]), mac) {
            return None;
        }
        let (id, generation) = RawId::read_key(front).ok()?;
        Some(SessionRef { session: id.into(), generation: u32::from_be_bytes(generation.try_into().ok()?) })
    }
}

/// Starts a session of an active user. The oldest makes place where there are too many.
pub(in crate::identity) fn start(
    tx: &mut Tx<'_>,
    now: Timestamp,
    tokens: &RefreshTokens,
    user: UserId,
) -> Result<SessionRef, Fault> {
    let live = tx.list_by::<Session>(SESSION_BY_USER, &Key::of(user), &Page::first(MAX_SESSIONS + 1))?.items;
    let surplus = (live.len() + 1).saturating_sub(MAX_SESSIONS);
    for old in live.into_iter().take(surplus) {
        revoke(tx, now, old, RevokeReason::Crowded)?;
    }
    let made = SessionRef { session: tx.entropy().id(now), generation: 1 };
    tx.put(&Session {
        id: made.session,
        user_id: user,
        generation: made.generation,
        token_digest: tokens.digest(made),
        previous_digest: None,
        rotated_at: None,
        created_at: now,
        last_used_at: now,
        expires_at: now.plus(LIFE),
        idle_expires_at: now.plus(IDLE_LIFE),
        revoked_at: None,
        revoke_reason: None,
    })?;
    Ok(made)
}

/// What a refresh came to. A reuse must leave its revocation behind, so it is no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::identity) enum Refreshed {
    To(SessionRef),
    Reused,
}

/// Rotates a session's token, or gives the same successor again, or ends the session.
pub(in crate::identity) fn refresh(
    tx: &mut Tx<'_>,
    now: Timestamp,
    tokens: &RefreshTokens,
    started: Timestamp,
    presented: SessionRef,
) -> Result<Refreshed, Error> {
    let session = tx.get::<Session>(&Key::of(presented.session))?.ok_or(Error::InvalidRefresh)?;
    let user = tx.get::<User>(&Key::of(session.user_id))?.ok_or(Error::InvalidRefresh)?;
    match user.status {
        Status::Suspended => return Err(Error::Denied(Denied::Suspended)),
        Status::Erased => return Err(Error::InvalidRefresh),
        Status::Active => {}
    }
    if session.revoke_reason == Some(RevokeReason::Reused) {
        return Err(Error::RefreshReused);
    }
    if !is_live(&session, now) {
        return Err(Error::InvalidRefresh);
    }
    let given = match presented.generation {
        // Found by the old service's token itself, and by nothing that could be made up.
        0 => session.token_digest,
        _ => tokens.digest(presented),
    };
    if presented.generation == session.generation && same(&given, &session.token_digest) {
        return rotate(tx, now, tokens, session).map(Refreshed::To);
    }
    let previous = session.previous_digest.is_some_and(|digest| same(&given, &digest));
    if previous && was_lost(now, started, session.rotated_at) {
        return Ok(Refreshed::To(SessionRef { session: session.id, generation: session.generation }));
    }
    revoke(tx, now, session, RevokeReason::Reused)?;
    Ok(Refreshed::Reused)
}

/// Whether the answer to the last rotation may have been lost: it was just now, or before this start of the box.
fn was_lost(now: Timestamp, started: Timestamp, rotated: Option<Timestamp>) -> bool {
    rotated.is_some_and(|at| now.since(at) <= LOST_ANSWER || (at < started && now.since(started) <= LOST_IN_RESTART))
}

fn rotate(tx: &mut Tx<'_>, now: Timestamp, tokens: &RefreshTokens, session: Session) -> Result<SessionRef, Error> {
    let generation = session.generation.checked_add(1).ok_or(Error::InvalidRefresh)?;
    let next = SessionRef { session: session.id, generation };
    tx.put(&Session {
        generation,
        previous_digest: Some(session.token_digest),
        token_digest: tokens.digest(next),
        rotated_at: Some(now),
        last_used_at: now,
        idle_expires_at: now.plus(IDLE_LIFE),
        ..session
    })?;
    Ok(next)
}

/// Ends a session for a reason; its sockets close. One that has ended stays as it ended.
pub(in crate::identity) fn revoke(
    tx: &mut Tx<'_>,
    now: Timestamp,
    session: Session,
    reason: RevokeReason,
) -> Result<(), Fault> {
    if session.revoked_at.is_some() {
        return Ok(());
    }
    tx.notify(Notice::SessionRevoked(session.id));
    tx.put(&Session { revoked_at: Some(now), revoke_reason: Some(reason), ..session })
}

/// Ends all sessions of a user but one.
pub(in crate::identity) fn revoke_all(
    tx: &mut Tx<'_>,
    now: Timestamp,
    user: UserId,
    but: Option<SessionId>,
    reason: RevokeReason,
) -> Result<(), Fault> {
    // More than MAX_SESSIONS are never live.
    let live = tx.list_by::<Session>(SESSION_BY_USER, &Key::of(user), &Page::first(MAX_SESSIONS + 1))?.items;
    for session in live.into_iter().filter(|session| Some(session.id) != but) {
        revoke(tx, now, session, reason)?;
    }
    if but.is_none() {
        tx.notify(Notice::UserRevoked(user));
    }
    Ok(())
}

/// Ends the caller's own session.
///
/// # Errors
/// [`Error::Store`] where it cannot be read.
pub fn logout(tx: &mut Tx<'_>, now: Timestamp, caller: &Caller) -> Result<(), Error> {
    if let Some(session) = tx.get::<Session>(&Key::of(caller.session()))? {
        revoke(tx, now, session, RevokeReason::Logout)?;
    }
    Ok(())
}

/// Ends one of the caller's own sessions.
///
/// # Errors
/// [`Error::NotFound`] for a session that is not the caller's or has ended.
pub fn end(tx: &mut Tx<'_>, now: Timestamp, caller: &Caller, session: SessionId) -> Result<(), Error> {
    let found = tx.get::<Session>(&Key::of(session))?;
    let own = found.filter(|session| session.user_id == caller.id() && is_live(session, now));
    revoke(tx, now, own.ok_or(Error::NotFound)?, RevokeReason::Ended)?;
    Ok(())
}

/// A session as its user sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its id: the `sid` claim.
    pub id: SessionId,
    /// When it began.
    pub created_at: Timestamp,
    /// When its token was last refreshed.
    pub last_used_at: Timestamp,
    /// When it ends, unless it is used before.
    pub expires_at: Timestamp,
}

/// A user's sessions that have not ended, newest first.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn list(
    read: &(impl Read + ?Sized),
    now: Timestamp,
    user: UserId,
    page: &Page,
) -> Result<Listed<SessionInfo>, Fault> {
    let page = Page { newest_first: true, ..page.clone() };
    let rows = read.list_by::<Session>(SESSION_BY_USER, &Key::of(user), &page)?;
    let live = rows.items.into_iter().filter(|session| is_live(session, now));
    let info = |session: Session| SessionInfo {
        id: session.id,
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at.min(session.idle_expires_at),
    };
    Ok(Listed { items: live.map(info).collect(), next: rows.next })
}

/// Whose session it is.
pub(in crate::identity) fn owner(read: &(impl Read + ?Sized), session: SessionId) -> Result<Option<UserId>, Fault> {
    Ok(read.get::<Session>(&Key::of(session))?.map(|session| session.user_id))
}

fn is_live(session: &Session, now: Timestamp) -> bool {
    session.revoked_at.is_none() && now < session.expires_at && now < session.idle_expires_at
}
