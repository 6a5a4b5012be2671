//! Signing in: a name and a password for a session, and every failure counted on disk before it is answered.
//!
//! ```text
//!   snapshot: throttled? which hash?  ──▶  pool: verify  ──▶  command: throttled by now? same hash still?
//!                                                             count and audit, start the session
//! ```
//!
//! Of guesses sent at once only the first to reach the command is judged; the others find the wait it caused, so
//! that they learn nothing. An unknown name takes the same way as a known one, with a hash that nothing matches.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::digest::plain_sha256;
use crate::base::id::UserId;
use crate::base::secret::Secret;
use crate::base::text::{BadText, Username};
use crate::base::time::{Clock, Timestamp};
use crate::identity::access::{Caller, Denied};
use crate::identity::accounts;
use crate::identity::error::Error;
use crate::identity::passwords::PasswordHash;
use crate::identity::policy;
use crate::identity::records::{Attempt, Outcome, User};
use crate::identity::service::Service;
use crate::identity::sessions::{self, RefreshTokens, Refreshed, SessionRef};
use crate::identity::takeover;
use crate::identity::throttle::{Bucket, Scope, longest_wait};
use crate::identity::users::{self, Role, Status};
use crate::store::fault::Fault;
use crate::store::once::{Done, OnceKey, once, seen};
use crate::store::read::Read;
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// How often a verification is begun anew because the password changed while it ran.
const TRIES: usize = 3;

/// A name and a password, as they were typed.
#[derive(Debug)]
pub struct Credentials {
    /// The name, of any form.
    pub username: String,
    /// The password.
    pub password: Secret<String>,
    /// Where they came from.
    pub address: IpAddr,
}

/// What the snapshot says of a name.
struct Known {
    user: Option<User>,
    buckets: Buckets,
    wait: Option<Duration>,
}

/// The counters that one attempt touches.
#[derive(Clone, Copy)]
struct Buckets {
    /// The account's, or the one of this account at this address where it has signed in from there before.
    account: Bucket,
    /// Remembers that this account has signed in from this address.
    own: Bucket,
    address: Bucket,
    /// The address counts, unless the account knows it: phones behind one access point share it.
    count_address: bool,
}

impl Buckets {
    fn wait(&self, read: &(impl Read + ?Sized), now: Timestamp) -> Result<Option<Duration>, Fault> {
        if self.count_address {
            longest_wait(read, now, &[self.account, self.address])
        } else {
            self.account.wait(read, now)
        }
    }

    fn failed(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Fault> {
        self.account.failed(tx, now)?;
        self.address.failed(tx, now)
    }

    fn passed(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Fault> {
        self.account.passed(tx, now)?;
        self.own.passed(tx, now)
    }
}

/// What the command made of an attempt. Everything but a fault must leave its trace, so nothing here is an error.
enum Judged {
    In(Done<SessionRef>),
    Wrong,
    Suspended,
    Throttled(Duration),
    /// The password was changed while it was being verified.
    Moved,
}

/// An attempt on its way into the command.
pub(in crate::identity) struct Verified {
    username: String,
    address: IpAddr,
    user: Option<(UserId, String)>,
    /// An admin or a moderator: on a full disk they are needed.
    staff: bool,
    matches: bool,
    upgrade: Option<PasswordHash>,
    buckets: Buckets,
}

impl Service {
    /// Signs in.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`], [`Error::TooManyAttempts`], [`Error::Busy`], and [`Denied::Suspended`] for who
    /// knows the password of a suspended account.
    pub async fn login(
        self: &Arc<Self>,
        store: &Store,
        clock: &dyn Clock,
        given: Credentials,
        key: Option<OnceKey>,
    ) -> Result<Done<SessionRef>, Error> {
        for _ in 0..TRIES {
            let verified = self.examine(store, clock, &given).await?;
            let service = Arc::clone(self);
            // On a full disk too a wrong password counts, and has the same answer whatever the name.
            let reserved = verified.staff || !verified.matches;
            let store = if reserved { store.reserved() } else { store.clone() };
            let judged = store.write(move |tx, now| judge(tx, now, &service.refresh, verified, key)).await?;
            match judged {
                Judged::In(done) => return Ok(done),
                Judged::Wrong => return Err(Error::InvalidCredentials),
                Judged::Suspended => return Err(Error::Denied(Denied::Suspended)),
                Judged::Throttled(wait) => return Err(Error::TooManyAttempts(wait)),
                Judged::Moved => {}
            }
        }
        Err(Error::InvalidCredentials)
    }

    /// Looks the name up and verifies the password, unless it is too early for another attempt.
    pub(in crate::identity) async fn examine(
        &self,
        store: &Store,
        clock: &dyn Clock,
        given: &Credentials,
    ) -> Result<Verified, Error> {
        let known = self.look_up(&store.read()?, clock.now(), given)?;
        if let Some(wait) = known.wait {
            return Err(Error::TooManyAttempts(wait));
        }
        let stored = known.user.as_ref().map(|user| user.password_hash.as_str());
        let verdict = self.pool.verify(&given.password, stored).await?;
        let upgrade = if verdict.outdated { Some(self.pool.hash(&given.password).await?) } else { None };
        let username = match &known.user {
            Some(user) => user.username.to_string(),
            None => self.pseudonym_of(&given.username.to_lowercase()),
        };
        Ok(Verified {
            username,
            address: given.address,
            staff: known.user.as_ref().is_some_and(|user| matches!(user.role, Role::Admin | Role::Moderator)),
            user: known.user.map(|user| (user.id, user.password_hash)),
            matches: verdict.matches,
            upgrade,
            buckets: known.buckets,
        })
    }

    fn look_up(&self, read: &impl Read, now: Timestamp, given: &Credentials) -> Result<Known, Error> {
        // A text that is no name is looked up like one, and is nobody's.
        let name = given.username.parse::<Username>().ok();
        let text = name.as_ref().map_or(given.username.as_str(), Username::as_str);
        let user = match &name {
            Some(name) => users::record_by_username(read, name)?.filter(|user| user.status != Status::Erased),
            None => None,
        };
        let own = self.bucket_of_pair(text, given.address);
        let known_here = own.passed_lately(read, now)?;
        let buckets = Buckets {
            account: if known_here { own } else { self.bucket_of_name(Scope::Account, text) },
            own,
            address: self.bucket_of_address(Scope::Address, given.address),
            count_address: !known_here,
        };
        Ok(Known { user, wait: buckets.wait(read, now)?, buckets })
    }

    /// Changes the caller's own password; all other sessions end.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`] for a wrong present password, which counts like a failed sign-in;
    /// [`Error::Field`] for a new one that may not be.
    pub async fn change_password(
        &self,
        store: &Store,
        clock: &dyn Clock,
        caller: &Caller,
        current: Credentials,
        new: Secret<String>,
        key: Option<OnceKey>,
    ) -> Result<Done<()>, Error> {
        // A repetition bears a password that is no more.
        if seen::<(), Error>(&store.read()?, clock.now(), key.as_ref())?.is_some() {
            return Ok(Done { reference: (), replayed: true });
        }
        let refuse = |why| Error::Field { field: "new_password", why };
        policy::check(&caller.user().username, new.expose()).map_err(refuse)?;
        if new.expose() == current.password.expose() {
            return Err(refuse(BadText("The new password is the old one.")));
        }
        let verified = self.examine(store, clock, &current).await?;
        let hash = if verified.matches { Some(self.pool.hash(&new).await?) } else { None };
        let caller = caller.clone();
        store.write(move |tx, now| replace(tx, now, &caller, verified, hash, key)).await?
    }

    /// Rotates a refresh token.
    ///
    /// # Errors
    /// [`Error::InvalidRefresh`], [`Error::RefreshReused`], [`Denied::Suspended`].
    pub async fn rotate(
        self: &Arc<Self>,
        store: &Store,
        token: &str,
        key: Option<OnceKey>,
    ) -> Result<Done<SessionRef>, Error> {
        let presented = match self.refresh.read(token) {
            Some(own) => own,
            None => taken_over(&store.read()?, token)?.ok_or(Error::InvalidRefresh)?,
        };
        let service = Arc::clone(self);
        let rotated: Done<Option<SessionRef>> = store
            .reserved()
            .write(move |tx, now| {
                once(tx, now, key, |tx| {
                    match sessions::refresh(tx, now, &service.refresh, service.started, presented)? {
                        Refreshed::To(next) => Ok(Some(next)),
                        Refreshed::Reused => Ok::<_, Error>(None),
                    }
                })
            })
            .await?;
        let reference = rotated.reference.ok_or(Error::RefreshReused)?;
        Ok(Done { reference, replayed: rotated.replayed })
    }
}

/// The sign-in that an old service's token belongs to, as long as the token was not used here.
fn taken_over(read: &impl Read, token: &str) -> Result<Option<SessionRef>, Fault> {
    let session = takeover::session_of(read, &plain_sha256(token.as_bytes()))?;
    Ok(session.map(|session| SessionRef { session: session.id, generation: session.generation }))
}

/// The command of a sign-in.
fn judge(
    tx: &mut Tx<'_>,
    now: Timestamp,
    tokens: &RefreshTokens,
    attempt: Verified,
    key: Option<OnceKey>,
) -> Result<Judged, Error> {
    if let Some(wait) = attempt.buckets.wait(tx, now)? {
        return Ok(Judged::Throttled(wait));
    }
    let Some((id, hash)) = attempt.user.clone() else {
        return refuse(tx, now, &attempt, Outcome::UnknownUser, Judged::Wrong);
    };
    let row = accounts::living(tx, id)?;
    if row.password_hash != hash {
        return Ok(Judged::Moved);
    }
    if !attempt.matches {
        return refuse(tx, now, &attempt, Outcome::WrongPassword, Judged::Wrong);
    }
    if row.status == Status::Suspended {
        return refuse(tx, now, &attempt, Outcome::Suspended, Judged::Suspended);
    }
    let started = once(tx, now, key, |tx| sessions::start(tx, now, tokens, id).map_err(Error::Store))?;
    attempt.buckets.passed(tx, now)?;
    note(tx, now, &attempt, Outcome::Success)?;
    if let Some(upgrade) = attempt.upgrade {
        tx.put(&User { password_hash: upgrade.into_string(), updated_at: now, ..row })?;
    }
    Ok(Judged::In(started))
}

/// The command of a change of password. A refusal leaves its trace, so it is within an `Ok`.
fn replace(
    tx: &mut Tx<'_>,
    now: Timestamp,
    caller: &Caller,
    attempt: Verified,
    new: Option<PasswordHash>,
    key: Option<OnceKey>,
) -> Result<Result<Done<()>, Error>, Error> {
    if seen::<(), Error>(tx, now, key.as_ref())?.is_some() {
        return Ok(Ok(Done { reference: (), replayed: true }));
    }
    match (confirm(tx, now, caller, &attempt)?, new) {
        (Ok(_), Some(hash)) => {
            let keep = Some(caller.session());
            let set = once(tx, now, key, |tx| accounts::set_password(tx, now, caller.id(), hash, false, keep))?;
            Ok(Ok(set))
        }
        // Hashed is only what the right password came with.
        (Ok(_), None) => Ok(Err(Error::InvalidCredentials)),
        (Err(refusal), _) => Ok(Err(refusal)),
    }
}

/// Judges a password that a signed-in caller gave again; the caller's row. A wrong one counts like a failed sign-in.
pub(in crate::identity) fn confirm(
    tx: &mut Tx<'_>,
    now: Timestamp,
    caller: &Caller,
    attempt: &Verified,
) -> Result<Result<User, Error>, Error> {
    caller.still(tx, now)?;
    if let Some(wait) = attempt.buckets.wait(tx, now)? {
        return Ok(Err(Error::TooManyAttempts(wait)));
    }
    let row = accounts::living(tx, caller.id())?;
    let unchanged = attempt.user.as_ref().is_some_and(|(id, hash)| (*id, hash) == (row.id, &row.password_hash));
    if attempt.matches && unchanged {
        attempt.buckets.passed(tx, now)?;
        return Ok(Ok(row));
    }
    refuse(tx, now, attempt, Outcome::WrongPassword, Err(Error::InvalidCredentials))
}

/// Counts and notes a failure.
fn refuse<T>(tx: &mut Tx<'_>, now: Timestamp, attempt: &Verified, outcome: Outcome, answer: T) -> Result<T, Error> {
    attempt.buckets.failed(tx, now)?;
    note(tx, now, attempt, outcome)?;
    Ok(answer)
}

fn note(tx: &mut Tx<'_>, now: Timestamp, attempt: &Verified, outcome: Outcome) -> Result<(), Fault> {
    tx.put(&Attempt {
        id: tx.entropy().id(now),
        username: attempt.username.clone(),
        user_id: attempt.user.as_ref().map(|(id, _)| *id),
        outcome,
        address: Some(attempt.address.to_string()),
        at: now,
    })
}
