//! Invites: made, listed, looked up by token or typed code, revoked.
//!
//! Redemption is in [`crate::customer::redeem`]. Must not know HTTP.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::id::{InviteId, UserId};
use crate::base::text::{Alias, BadText};
use crate::base::time::{Clock, Timestamp};
use crate::customer::error::Error;
use crate::customer::records::{INVITE_BY_CODE, INVITE_BY_DISTRIBUTOR, INVITE_BY_TOKEN, Invite, InviteState};
use crate::customer::secrets::{MAX_TOKEN, shown, token_digest, typed};
use crate::customer::service::Service;
use crate::identity::access::{Caller, Distributor};
use crate::identity::throttle::{Bucket, Scope, longest_wait};
use crate::identity::users;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::once::{Done, OnceKey, once};
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// How long an invite stands when nothing is said (contract, section 3).
pub const DEFAULT_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// The shortest and longest life of an invite, in seconds: lost cards shall die some day.
const LIFE: std::ops::RangeInclusive<u64> = 1..=90 * 24 * 3600;
/// Invites of one printed sheet: six pages of ten cards.
pub const MAX_SHEET: usize = 60;
/// Derivations of a code that are tried: with a million invites, one in a million needs a second.
const CODE_ROUNDS: u32 = 16;

/// What a distributor asks for.
#[derive(Debug, Clone, Default)]
pub struct NewInvite {
    /// The name that the invited person sees; the distributor's own where it is absent.
    pub alias: Option<Alias>,
    /// Seconds until it expires.
    pub expires_in: Option<u64>,
}

/// Where an invite stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteStatus {
    /// It can be redeemed.
    Open,
    /// Somebody did.
    Redeemed,
    /// It is too old.
    Expired,
    /// The distributor took it back, or may not act any more.
    Revoked,
}

impl InviteStatus {
    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Redeemed => "redeemed",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// The refusal of a redemption, unless it is open.
    ///
    /// # Errors
    /// [`Error::Redeemed`], [`Error::Expired`], [`Error::Revoked`].
    pub fn open(self) -> Result<(), Error> {
        match self {
            Self::Open => Ok(()),
            Self::Redeemed => Err(Error::Redeemed),
            Self::Expired => Err(Error::Expired),
            Self::Revoked => Err(Error::Revoked),
        }
    }
}

/// An invite as it is shown, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteInfo {
    /// Its id.
    pub id: InviteId,
    /// Whose it is.
    pub distributor_id: UserId,
    /// The name that the invited person sees.
    pub distributor_alias: Option<Alias>,
    /// Where it stands.
    pub status: InviteStatus,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Who redeemed it.
    pub redeemed_by_user_id: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What is shown once: the token and its typed form.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteSecrets {
    /// For links and QR codes.
    pub token: String,
    /// For typing: `K7Q2-9FMD`.
    pub code: String,
}

impl Invite {
    /// Where it stands now.
    pub(in crate::customer) fn status(
        &self,
        read: &(impl Read + ?Sized),
        now: Timestamp,
    ) -> Result<InviteStatus, Fault> {
        Ok(match self.state {
            InviteState::Redeemed => InviteStatus::Redeemed,
            InviteState::Revoked => InviteStatus::Revoked,
            InviteState::Open if self.expires_at <= now => InviteStatus::Expired,
            InviteState::Open => {
                let owner = users::by_id(read, self.distributor_id)?;
                let able = owner.is_some_and(|user| user.is_active() && user.is_distributor());
                if able { InviteStatus::Open } else { InviteStatus::Revoked }
            }
        })
    }

    fn info(self, read: &(impl Read + ?Sized), now: Timestamp) -> Result<InviteInfo, Fault> {
        let status = self.status(read, now)?;
        Ok(InviteInfo {
            id: self.id,
            distributor_id: self.distributor_id,
            distributor_alias: self.distributor_alias,
            status,
            expires_at: self.expires_at,
            redeemed_by_user_id: self.redeemed_by_user_id,
            created_at: self.created_at,
        })
    }
}

impl Service {
    /// Makes an invite.
    ///
    /// # Errors
    /// [`Error::Field`] for a life out of bounds; the refusals of a caller who is no distributor.
    pub async fn invite(
        self: &Arc<Self>,
        store: &Store,
        caller: &Caller,
        new: NewInvite,
        key: Option<OnceKey>,
    ) -> Result<Done<InviteId>, Error> {
        let made = self.invite_many(store, caller, new, 1, key).await?;
        let reference = made.reference.first().copied().ok_or(Error::NotFound)?;
        Ok(Done { reference, replayed: made.replayed })
    }

    /// Makes a sheet of invites, all of them or none.
    ///
    /// # Errors
    /// [`Error::Field`] for a number or a life out of bounds; the refusals of a caller who is no distributor.
    pub async fn invite_many(
        self: &Arc<Self>,
        store: &Store,
        caller: &Caller,
        new: NewInvite,
        count: usize,
        key: Option<OnceKey>,
    ) -> Result<Done<Vec<InviteId>>, Error> {
        let owner = caller.distributor()?;
        let life = check_life(new.expires_in)?;
        if !(1..=MAX_SHEET).contains(&count) {
            return Err(Error::Field { field: "count", why: BadText("A sheet has 1 to 60 invites.") });
        }
        let (service, caller) = (Arc::clone(self), caller.clone());
        let made = store.write(move |tx, now| {
            caller.still(tx, now)?;
            once(tx, now, key, |tx| {
                (0..count).map(|_| service.make(tx, now, &owner, new.alias.clone(), life)).collect()
            })
        });
        made.await
    }

    fn make(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        owner: &Distributor,
        alias: Option<Alias>,
        life: Duration,
    ) -> Result<InviteId, Error> {
        let id: InviteId = tx.entropy().id(now);
        let (code_round, code_digest) = self.free_code(tx, id)?;
        let by_name = || owner.username().as_str().parse().ok();
        tx.put(&Invite {
            id,
            token_digest: token_digest(&self.secrets.token(id)),
            code_digest,
            code_round,
            distributor_id: owner.id(),
            distributor_alias: alias.or_else(|| owner.user().alias.clone()).or_else(by_name),
            state: InviteState::Open,
            expires_at: now.plus(life),
            redeemed_by_user_id: None,
            redeemed_at: None,
            revoked_at: None,
            created_at: now,
        })?;
        Ok(id)
    }

    /// The first derivation of an invite's code that no other invite has.
    pub(in crate::customer) fn free_code(&self, tx: &Tx<'_>, id: InviteId) -> Result<(u32, [u8; 32]), Fault> {
        for round in 0..CODE_ROUNDS {
            let digest = self.secrets.code_digest(&self.secrets.code(id, round));
            if tx.find::<Invite>(INVITE_BY_CODE, &Key::new().fixed(&digest))?.is_none() {
                return Ok((round, digest));
            }
        }
        Err(Fault::Corrupt { table: "customer.invites", reason: "no code is free" })
    }

    /// An invite and what is shown of it once, for the answer to its making.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn shown_once(
        &self,
        read: &(impl Read + ?Sized),
        now: Timestamp,
        id: InviteId,
    ) -> Result<(InviteInfo, InviteSecrets), Error> {
        let row = read.get::<Invite>(&Key::of(id))?.ok_or(Error::NotFound)?;
        let code = shown(&self.secrets.code(id, row.code_round));
        Ok((row.info(read, now)?, InviteSecrets { token: self.secrets.token(id), code }))
    }

    /// The token of an invite that was found by its token or its code: who has the one may have the other.
    #[must_use]
    pub fn token_of(&self, invite: &InviteInfo) -> String {
        self.secrets.token(invite.id)
    }

    /// The invite of a token or a typed code. A code that does not exist is counted before it is answered.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TooManyAttempts`].
    pub async fn look_up(
        &self,
        store: &Store,
        clock: &dyn Clock,
        text: &str,
        address: IpAddr,
    ) -> Result<InviteInfo, Error> {
        let (snapshot, now) = (store.read()?, clock.now());
        if text.len() > MAX_TOKEN {
            return Err(Error::NotFound);
        }
        if let Some(row) = snapshot.find::<Invite>(INVITE_BY_TOKEN, &Key::new().fixed(&token_digest(text)))? {
            return Ok(row.info(&snapshot, now)?);
        }
        let code = typed(text).ok_or(Error::NotFound)?;
        let buckets = [
            self.identity.bucket_of_address(Scope::InviteCode, address),
            self.identity.bucket_of_box(Scope::InviteCodeBox),
        ];
        if let Some(wait) = longest_wait(&snapshot, now, &buckets)? {
            return Err(Error::TooManyAttempts(wait));
        }
        let digest = self.secrets.code_digest(&code);
        match snapshot.find::<Invite>(INVITE_BY_CODE, &Key::new().fixed(&digest))? {
            Some(row) => Ok(row.info(&snapshot, now)?),
            None => {
                store.write(move |tx, now| count_miss(tx, now, buckets)).await?;
                Err(Error::NotFound)
            }
        }
    }
}

fn count_miss(tx: &mut Tx<'_>, now: Timestamp, buckets: [Bucket; 2]) -> Result<(), Fault> {
    buckets.iter().try_for_each(|bucket| bucket.failed(tx, now))
}

/// The life of an invite, in bounds.
fn check_life(expires_in: Option<u64>) -> Result<Duration, Error> {
    match expires_in {
        None => Ok(DEFAULT_LIFE),
        Some(seconds) if LIFE.contains(&seconds) => Ok(Duration::from_secs(seconds)),
        Some(_) => {
            let why = BadText("An invite lives from 1 second to 90 days.");
            Err(Error::Field { field: "expires_in", why })
        }
    }
}

/// A distributor's invites, newest first.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn list(
    read: &(impl Read + ?Sized),
    now: Timestamp,
    owner: &Distributor,
    page: &Page,
) -> Result<Listed<InviteInfo>, Fault> {
    let page = Page { newest_first: true, ..page.clone() };
    let rows = read.list_by::<Invite>(INVITE_BY_DISTRIBUTOR, &Key::of(owner.id()), &page)?;
    let items = rows.items.into_iter().map(|row| row.info(read, now)).collect::<Result<_, _>>()?;
    Ok(Listed { items, next: rows.next })
}

/// Invites that concern the caller, by whom they were made or redeemed. A page holds those of so many of the box's.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn concerning(
    read: &(impl Read + ?Sized),
    now: Timestamp,
    caller: &Caller,
    page: &Page,
) -> Result<Listed<InviteInfo>, Fault> {
    let rows = read.list::<Invite>(&Key::new(), page)?;
    let own = |row: &Invite| row.distributor_id == caller.id() || row.redeemed_by_user_id == Some(caller.id());
    let items = rows.items.into_iter().filter(own).map(|row| row.info(read, now)).collect::<Result<_, _>>()?;
    Ok(Listed { items, next: rows.next })
}

/// Takes an invite back. One that was taken back or has expired may be taken back again.
///
/// # Errors
/// [`Error::NotFound`] for one of another distributor; [`Error::Redeemed`] for one that somebody used.
pub fn revoke(tx: &mut Tx<'_>, now: Timestamp, owner: &Distributor, id: InviteId) -> Result<(), Error> {
    let row = tx.get::<Invite>(&Key::of(id))?.filter(|row| row.distributor_id == owner.id());
    let row = row.ok_or(Error::NotFound)?;
    match row.state {
        InviteState::Redeemed => Err(Error::Redeemed),
        InviteState::Revoked => Ok(()),
        InviteState::Open => {
            tx.put(&Invite { state: InviteState::Revoked, revoked_at: Some(now), ..row })?;
            Ok(())
        }
    }
}
