//! One-time codes: six digits, ten minutes, five tries, one use.
//!
//! A try is counted on disk before the code is compared, so that no crash and no parallel request gives a sixth.
//! Asking looks the same whether the user exists or not. How a code reaches its user is in
//! [`crate::identity::codes`].

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::digest::{keyed, same};
use crate::base::id::{OtpId, UserId};
use crate::base::secret::Secret;
use crate::base::text::{BadText, Username};
use crate::base::time::{Clock, Timestamp};
use crate::identity::accounts;
use crate::identity::codes::{self, Pending};
use crate::identity::error::Error;
use crate::identity::passwords::PasswordHash;
use crate::identity::policy;
use crate::identity::records::{Attempt, OTP_BY_USER, Otp, Outcome, SenderKind, User};
use crate::identity::service::{CodeSender, Service};
use crate::identity::throttle::{Bucket, Scope};
use crate::identity::users::{self, Status, UserInfo};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::once::{Done, OnceKey, once, seen};
use crate::store::page::Page;
use crate::store::read::ReadExt;
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// How long a code lives (issue 3).
pub const LIFE: Duration = Duration::from_secs(600);
/// How often a code may be tried (contract, section 2).
pub const TRIES: u32 = 5;

/// What a one-time code is good for. The order is part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OtpPurpose {
    /// Set a new password without the old one.
    PasswordReset,
    /// Prove that the phone number is the user's.
    VerifyPhone,
}

impl OtpPurpose {
    /// Its name in the API and upstream.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::VerifyPhone => "verify_phone",
        }
    }

    /// The purpose of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::PasswordReset, Self::VerifyPhone].into_iter().find(|purpose| purpose.name() == name)
    }

    pub(in crate::identity) const fn number(self) -> u8 {
        match self {
            Self::PasswordReset => 1,
            Self::VerifyPhone => 2,
        }
    }
}

/// A code that somebody types in.
#[derive(Debug)]
pub struct Typed {
    /// Whose it is said to be.
    pub username: String,
    /// What it is for.
    pub purpose: OtpPurpose,
    /// What was typed.
    pub code: Secret<String>,
    /// For a password reset, the new password.
    pub new_password: Option<Secret<String>>,
    /// Where it came from.
    pub address: IpAddr,
}

/// A code that is ready to be stored: made before the command is queued.
struct Made {
    id: OtpId,
    digest: [u8; 32],
    sealed: Vec<u8>,
    sender: SenderKind,
}

impl Service {
    /// Makes a code and sends it on its way, if there is such a user, the way exists and the throttle lets it.
    /// What it came to is never told.
    ///
    /// # Errors
    /// [`Error::Store`] alone.
    pub async fn request_code(
        &self,
        store: &Store,
        clock: &dyn Clock,
        username: &str,
        purpose: OtpPurpose,
        key: Option<OnceKey>,
    ) -> Result<Done<()>, Error> {
        let sender = match self.codes {
            CodeSender::Owner => SenderKind::Owner,
            CodeSender::Webhook => SenderKind::Webhook,
            CodeSender::Off => return Ok(Done { reference: (), replayed: false }),
        };
        let name = username.parse::<Username>().ok();
        let bucket = self.bucket_of_name(Scope::OtpRequest, name.as_ref().map_or(username, Username::as_str));
        let made = self.make_code(clock.now(), sender);
        let asked =
            store.write(move |tx, now| once(tx, now, key, |tx| request(tx, now, name.as_ref(), purpose, bucket, made)));
        asked.await
    }

    fn make_code(&self, now: Timestamp, sender: SenderKind) -> Made {
        let id: OtpId = self.entropy.id(now);
        // 64 random bits, so that the remainder is even to one part in 10^13.
        let code = format!("{:06}", u64::from_be_bytes(self.entropy.bytes()) % 1_000_000);
        let sealed = codes::seal(&self.otp, &*self.entropy, id, &code);
        Made { id, digest: self.code_digest(id, &code), sealed, sender }
    }

    fn code_digest(&self, id: OtpId, code: &str) -> [u8; 32] {
        keyed(&self.otp, &[b"code", &id.raw().binding(), code.as_bytes()])
    }

    /// Uses a code.
    ///
    /// # Errors
    /// [`Error::InvalidOtp`] for a wrong, used, expired or unknown one, or after too many tries; [`Error::Field`] for
    /// a password reset without a new password or with one that may not be; [`Error::TooManyAttempts`].
    pub async fn verify_code(
        &self,
        store: &Store,
        clock: &dyn Clock,
        typed: Typed,
        key: Option<OnceKey>,
    ) -> Result<Done<()>, Error> {
        // A repetition bears a code that is used up, and is no try.
        if seen::<(), Error>(&store.read()?, clock.now(), key.as_ref())?.is_some() {
            return Ok(Done { reference: (), replayed: true });
        }
        let name = typed.username.parse::<Username>().ok();
        check_new_password(name.as_ref(), &typed)?;
        let address = self.bucket_of_address(Scope::Address, typed.address);
        if let Some(wait) = address.wait(&store.read()?, clock.now())? {
            return Err(Error::TooManyAttempts(wait));
        }
        let (who, purpose) = (name.clone(), typed.purpose);
        let found = store.write(move |tx, now| count_try(tx, now, who.as_ref(), purpose, address)).await?;
        let given = typed.code.expose().trim();
        let Some(otp) = found.filter(|otp| same(&self.code_digest(otp.id, given), &otp.code_digest)) else {
            // What is nobody's name may have been a password.
            let pseudonym = self.pseudonym_of(&typed.username.to_lowercase());
            store.write(move |tx, now| note_wrong(tx, now, name.as_ref(), pseudonym, typed.address)).await?;
            return Err(Error::InvalidOtp);
        };
        let new = match (purpose, &typed.new_password) {
            (OtpPurpose::PasswordReset, Some(new)) => Some(self.pool.hash(new).await?),
            _ => None,
        };
        store.write(move |tx, now| once(tx, now, key, |tx| use_up(tx, now, otp.id, new))).await
    }
}

/// A reset needs a password that may be one; that is looked at before the code, and so tells nothing about it.
fn check_new_password(name: Option<&Username>, typed: &Typed) -> Result<(), Error> {
    let refuse = |why| Error::Field { field: "new_password", why };
    match (typed.purpose, &typed.new_password, name) {
        (OtpPurpose::VerifyPhone, ..) => Ok(()),
        (OtpPurpose::PasswordReset, None, _) => Err(refuse(BadText("A new password is needed."))),
        (OtpPurpose::PasswordReset, Some(new), Some(name)) => policy::check(name, new.expose()).map_err(refuse),
        (OtpPurpose::PasswordReset, Some(_), None) => Ok(()),
    }
}

/// The command of a request. A user who does not exist costs the same write.
fn request(
    tx: &mut Tx<'_>,
    now: Timestamp,
    name: Option<&Username>,
    purpose: OtpPurpose,
    bucket: Bucket,
    made: Made,
) -> Result<(), Error> {
    if bucket.wait(tx, now)?.is_some() {
        return Ok(());
    }
    bucket.failed(tx, now)?;
    let user = match name {
        Some(name) => users::record_by_username(tx, name)?,
        None => None,
    };
    let needs_phone = purpose == OtpPurpose::VerifyPhone || made.sender == SenderKind::Webhook;
    let reachable = |user: &User| user.status == Status::Active && (user.phone_sealed.is_some() || !needs_phone);
    let Some(user) = user.filter(reachable) else { return Ok(()) };
    if let Some(before) = newest(tx, user.id, purpose)? {
        close(tx, now, before)?;
    }
    let expires_at = now.plus(LIFE);
    tx.put(&Otp {
        id: made.id,
        user_id: user.id,
        purpose,
        code_digest: made.digest,
        tries: 0,
        sender: made.sender,
        created_at: now,
        expires_at,
        used_at: None,
    })?;
    tx.put(&Pending {
        id: made.id,
        user_id: user.id,
        purpose,
        sender: made.sender,
        sealed: made.sealed,
        created_at: now,
        expires_at,
        posts: 0,
        post_at: (made.sender == SenderKind::Webhook).then_some(now),
    })?;
    Ok(())
}

fn newest(tx: &Tx<'_>, user: UserId, purpose: OtpPurpose) -> Result<Option<Otp>, Fault> {
    let front = Key::of(user).byte(purpose.number());
    Ok(tx.list_by::<Otp>(OTP_BY_USER, &front, &Page::newest(1))?.items.into_iter().next())
}

/// Marks a code as done with, and destroys its readable form.
fn close(tx: &mut Tx<'_>, now: Timestamp, otp: Otp) -> Result<(), Fault> {
    tx.delete::<Pending>(&Key::of(otp.id))?;
    tx.put(&Otp { used_at: otp.used_at.or(Some(now)), ..otp })
}

/// Counts a try at a user's newest code, and gives the code to compare with. The fifth try is the last.
fn count_try(
    tx: &mut Tx<'_>,
    now: Timestamp,
    name: Option<&Username>,
    purpose: OtpPurpose,
    address: Bucket,
) -> Result<Option<Otp>, Error> {
    // Before anything is looked up, so that a code which exists and one which does not cost the same.
    address.failed(tx, now)?;
    let user = match name {
        Some(name) => users::by_username(tx, name)?.filter(UserInfo::is_active),
        None => None,
    };
    let Some(user) = user else { return Ok(None) };
    let Some(otp) = newest(tx, user.id, purpose)? else { return Ok(None) };
    if otp.used_at.is_some() || otp.expires_at <= now || otp.tries >= TRIES {
        return Ok(None);
    }
    let counted = Otp { tries: otp.tries + 1, ..otp };
    tx.put(&counted)?;
    if counted.tries >= TRIES {
        // Nobody may pass on a code that cannot be tried again.
        tx.delete::<Pending>(&Key::of(counted.id))?;
    }
    Ok(Some(counted))
}

fn note_wrong(
    tx: &mut Tx<'_>,
    now: Timestamp,
    name: Option<&Username>,
    pseudonym: String,
    from: IpAddr,
) -> Result<(), Error> {
    let known = match name {
        Some(name) => users::by_username(tx, name)?,
        None => None,
    };
    let user_id = known.as_ref().map(|user| user.id);
    tx.put(&Attempt {
        id: tx.entropy().id(now),
        username: known.map_or(pseudonym, |user| user.username.to_string()),
        user_id,
        outcome: Outcome::WrongCode,
        address: Some(from.to_string()),
        at: now,
    })?;
    Ok(())
}

/// Uses up a code that was right, and does what it is good for, in one transaction.
fn use_up(tx: &mut Tx<'_>, now: Timestamp, id: OtpId, new: Option<PasswordHash>) -> Result<(), Error> {
    let otp = tx.get::<Otp>(&Key::of(id))?.ok_or(Error::InvalidOtp)?;
    if otp.used_at.is_some() || otp.expires_at <= now {
        return Err(Error::InvalidOtp);
    }
    let (user, purpose) = (otp.user_id, otp.purpose);
    close(tx, now, otp)?;
    match (purpose, new) {
        (OtpPurpose::PasswordReset, Some(hash)) => accounts::set_password(tx, now, user, hash, false, None),
        (OtpPurpose::PasswordReset, None) => Err(Error::InvalidOtp),
        (OtpPurpose::VerifyPhone, _) => {
            let row = accounts::living(tx, user)?;
            tx.put(&User { phone_verified: row.phone_sealed.is_some(), updated_at: now, ..row })?;
            Ok(())
        }
    }
}
