//! Erasure: an account whose user wants it gone.
//!
//! ```text
//!   asked for ──▶ account closed at once: no password, no session, no code
//!             ──▶ while a legal hold covers the user: waits, and is noted as held
//!             ──▶ wiped: name, phone and all that tells who it was; the name is free again
//!             ──▶ the other tables forget the name, page by page ──▶ finished
//! ```
//!
//! The row is the list of what is still to do, so that a crash loses nothing of it; it is replicated, so that a box
//! rebuilt from central goes on. Whether a hold covers the user is not identity's to know: who drives an erasure asks
//! ([`crate::jobs::erasure`]). Must not know chats or matches.

use replication::row::{Lane, Table, Type, Value};
use serde::{Deserialize, Serialize};

use crate::base::id::UserId;
use crate::base::notice::Notice;
use crate::base::text::Username;
use crate::base::time::{Clock, Timestamp};
use crate::identity::access::Caller;
use crate::identity::codes::Pending;
use crate::identity::error::Error;
use crate::identity::legacy::{Influencer, Referral, UserInfluencerCode};
use crate::identity::login::{Credentials, Verified, confirm};
use crate::identity::records::{ATTEMPT_BY_USER, Attempt, OTP_BY_USER, Otp, RevokeReason, User};
use crate::identity::service::Service;
use crate::identity::sessions;
use crate::identity::users::{self, Role, Status};
use crate::store::columns::{RECORD, column, nullable, text, time, time_or_null};
use crate::store::fault::Fault;
use crate::store::index::{Index, Indexes};
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::record::{Record, TableId, Upstream};
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// Letters of an erased user's name: none that forms words, none that looks like another.
const LETTERS: &[u8; 20] = b"bcdfghjkmnpqrstvwxz2";
/// Names drawn until one is free; 48 bits make a second draw a curiosity.
const DRAWS: usize = 8;
/// Admins looked at to know whether another one is left.
const ADMINS: usize = MAX_PAGE;

/// An account that is to be erased, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::identity) struct Erasure {
    user_id: UserId,
    requested_at: Timestamp,
    /// When a legal hold was first found to be in its way.
    held_at: Option<Timestamp>,
    /// When the account itself was wiped.
    wiped_at: Option<Timestamp>,
    /// When nothing was left to do.
    finished_at: Option<Timestamp>,
}

/// Erasures that are not finished, oldest first.
const OPEN: Index = Index::ordered(1);

impl Record for Erasure {
    const TABLE: TableId = TableId { number: 32, name: "identity.erasures" };
    const UPSTREAM: Option<Upstream> = Some(Upstream { table: &ERASURES, lane: Lane::Urgent });

    fn key(&self) -> Key {
        Key::of(self.user_id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        if self.finished_at.is_none() {
            to.add(OPEN, &Key::new().time(self.requested_at));
        }
    }

    fn upstream_row(&self) -> Vec<Value> {
        vec![
            text(self.user_id),
            time(self.requested_at),
            time_or_null(self.held_at),
            time_or_null(self.wiped_at),
            time_or_null(self.finished_at),
        ]
    }
}

static ERASURES: Table = Table {
    schema: "identity",
    name: "erasures",
    append_only: false,
    columns: &[
        column("user_id", Type::Text),
        column("requested_at", Type::Time),
        nullable("held_at", Type::Time),
        nullable("wiped_at", Type::Time),
        nullable("finished_at", Type::Time),
        RECORD,
    ],
};

/// Whether an account was wiped: its name must not come up anew.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn is_wiped(read: &(impl Read + ?Sized), user: UserId) -> Result<bool, Fault> {
    Ok(read.get::<Erasure>(&Key::of(user))?.is_some_and(|erasure| erasure.wiped_at.is_some()))
}

impl Service {
    /// Closes the caller's account for good and notes that it is to be erased. The password is asked for, so that a
    /// phone left lying about cannot do it.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`] for a wrong password, which counts like a failed sign-in;
    /// [`Error::TooManyAttempts`]; [`Error::Conflict`] for the last admin of the box.
    pub async fn request_erasure(
        &self,
        store: &Store,
        clock: &dyn Clock,
        caller: &Caller,
        current: Credentials,
    ) -> Result<(), Error> {
        let verified = self.examine(store, clock, &current).await?;
        let caller = caller.clone();
        store.reserved().write(move |tx, now| close(tx, now, &caller, &verified)).await?
    }
}

/// The command. A refusal leaves its trace, so it is within an `Ok`.
fn close(tx: &mut Tx<'_>, now: Timestamp, caller: &Caller, given: &Verified) -> Result<Result<(), Error>, Error> {
    let row = match confirm(tx, now, caller, given)? {
        Ok(row) => row,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if row.role == Role::Admin && !another_admin(tx, row.id)? {
        return Ok(Err(Error::Conflict("The last admin of a box cannot go: make another one first.")));
    }
    let id = row.id;
    sessions::revoke_all(tx, now, id, None, RevokeReason::Erased)?;
    for code in tx.list_by::<Otp>(OTP_BY_USER, &Key::of(id), &Page::first(MAX_PAGE))?.items {
        tx.delete::<Pending>(&code.key())?;
        tx.delete::<Otp>(&code.key())?;
    }
    let status = Status::Erased;
    tx.put(&User { status, password_hash: String::new(), must_change_password: false, updated_at: now, ..row })?;
    tx.put(&Erasure { user_id: id, requested_at: now, held_at: None, wiped_at: None, finished_at: None })?;
    tx.notify(Notice::UserChanged(id));
    Ok(Ok(()))
}

fn another_admin(tx: &Tx<'_>, but: UserId) -> Result<bool, Fault> {
    let admins = users::list(tx, Some(Role::Admin), &Page::first(ADMINS))?.items;
    Ok(admins.iter().any(|admin| admin.id != but && admin.is_active()))
}

/// Users whose erasure is not finished, oldest request first.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn open(read: &(impl Read + ?Sized), limit: usize) -> Result<Vec<UserId>, Fault> {
    let rows = read.list_by::<Erasure>(OPEN, &Key::new(), &Page::first(limit))?.items;
    Ok(rows.into_iter().map(|row| row.user_id).collect())
}

/// Whether a hold was found in the way before.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn is_noted_as_held(read: &(impl Read + ?Sized), user: UserId) -> Result<bool, Fault> {
    Ok(read.get::<Erasure>(&Key::of(user))?.is_some_and(|row| row.held_at.is_some()))
}

/// Notes that a hold is in the way, the first time.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn held(tx: &mut Tx<'_>, now: Timestamp, user: UserId) -> Result<(), Fault> {
    let Some(row) = tx.get::<Erasure>(&Key::of(user))? else { return Ok(()) };
    tx.put(&Erasure { held_at: row.held_at.or(Some(now)), ..row })
}

/// Wipes the account, once, and gives the name that stands for it from now on.
///
/// # Errors
/// [`Error::NotFound`] where no erasure was asked for.
pub fn wipe(tx: &mut Tx<'_>, now: Timestamp, user: UserId) -> Result<Username, Error> {
    let row = tx.get::<Erasure>(&Key::of(user))?.ok_or(Error::NotFound)?;
    let person = tx.get::<User>(&Key::of(user))?.ok_or(Error::NotFound)?;
    if row.wiped_at.is_some() {
        return Ok(person.username);
    }
    let username = free_name(tx)?;
    tx.put(&User {
        username: username.clone(),
        distributor_id: None,
        alias: None,
        phone_sealed: None,
        phone_digest: None,
        phone_verified: false,
        vip_enabled: false,
        password_hash: String::new(),
        updated_at: now,
        ..person
    })?;
    tx.put(&Erasure { wiped_at: Some(now), ..row })?;
    Ok(username)
}

/// A name that says nothing of who had the account, and that nobody has.
fn free_name(tx: &Tx<'_>) -> Result<Username, Error> {
    for _ in 0..DRAWS {
        let bytes: [u8; 12] = tx.entropy().bytes();
        let letters = bytes.iter().filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()));
        let name = format!("erased-{}", letters.map(|letter| char::from(*letter)).collect::<String>());
        if let Ok(name) = name.parse::<Username>()
            && users::record_by_username(tx, &name)?.is_none()
        {
            return Ok(name);
        }
    }
    Err(Error::UsernameTaken)
}

/// Nothing is left to do.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn finish(tx: &mut Tx<'_>, now: Timestamp, user: UserId) -> Result<(), Fault> {
    let Some(row) = tx.get::<Erasure>(&Key::of(user))? else { return Ok(()) };
    tx.put(&Erasure { finished_at: row.finished_at.or(Some(now)), ..row })
}

/// Where identity keeps what names a user, besides the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// The login audit: the entry stays, the name and the address go.
    Attempts,
    /// What the old service knew of influencers.
    Influencers,
    /// What the old service knew of whom they brought.
    Referrals,
    /// What the old service knew of the codes that users came with.
    InfluencerCodes,
}

/// Takes a user's name and what else tells who it was from a page of rows; where the next page starts.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn erase(
    tx: &mut Tx<'_>,
    user: UserId,
    name: &Username,
    trace: Trace,
    page: &Page,
) -> Result<Option<Vec<u8>>, Fault> {
    match trace {
        Trace::Attempts => {
            let rows = tx.list_by::<Attempt>(ATTEMPT_BY_USER, &Key::of(user), page)?;
            for row in rows.items {
                tx.put(&Attempt { username: name.to_string(), address: None, ..row })?;
            }
            Ok(rows.next)
        }
        Trace::Influencers => each::<Influencer>(tx, page, |row| {
            (row.user_id == Some(user)).then(|| Influencer { name: None, code: None, extra: NOTHING.to_owned(), ..row })
        }),
        Trace::Referrals => each::<Referral>(tx, page, |row| {
            (row.referred_user_id == Some(user)).then(|| Referral { extra: NOTHING.to_owned(), ..row })
        }),
        Trace::InfluencerCodes => each::<UserInfluencerCode>(tx, page, |row| {
            (row.user_id == Some(user)).then(|| UserInfluencerCode { extra: NOTHING.to_owned(), ..row })
        }),
    }
}

/// An empty JSON object.
const NOTHING: &str = "{}";

fn each<R: Record>(tx: &mut Tx<'_>, page: &Page, changed: impl Fn(R) -> Option<R>) -> Result<Option<Vec<u8>>, Fault> {
    let rows = tx.list::<R>(&Key::new(), page)?;
    for row in rows.items.into_iter().filter_map(changed) {
        tx.put(&row)?;
    }
    Ok(rows.next)
}

#[cfg(test)]
mod tests;
