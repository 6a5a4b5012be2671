//! The service: identity's derived keys, its password pool and what it was told at the start.
//!
//! Its asynchronous functions are the acts that hash: each reads a snapshot, hashes in the pool, and queues one
//! command that checks again what the snapshot said. Must not know HTTP.

use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::base::digest::{Key, keyed};
use crate::base::entropy::Entropy;
use crate::base::id::UserId;
use crate::base::keys::{MasterKey, Purpose};
use crate::base::secret::Secret;
use crate::base::text::{Phone, Username};
use crate::base::time::Timestamp;
use crate::identity::access::{self, Caller, Denied, Named};
use crate::identity::error::Error;
use crate::identity::passwords::{PasswordHash, Pool};
use crate::identity::phone::{Phones, SealedPhone};
use crate::identity::policy;
use crate::identity::sessions::{self, RefreshTokens, SessionRef};
use crate::identity::throttle::{Bucket, Scope};
use crate::identity::tokens::{ACCESS_LIFE, Tokens};
use crate::identity::users::{self, Status, UserInfo};
use crate::store::fault::Fault;
use crate::store::read::Read;

/// Letters and digits of temporary passwords: none that looks like another on a small screen or in handwriting.
const TYPEABLE: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// By what way one-time codes reach people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeSender {
    /// The code stands on the distributor's screen; works without internet.
    Owner,
    /// It is posted to an SMS gateway.
    Webhook,
    /// There are no codes: every request is accepted and nothing is sent.
    Off,
}

/// What the service is made from.
pub struct Setup<'a> {
    /// Everything derives from it.
    pub master: &'a MasterKey,
    /// Signs access tokens.
    pub jwt: &'a Key,
    /// What another service of the owner's presents; none, and none is believed.
    pub s2s: Option<Secret<String>>,
    /// The `aud` of access tokens.
    pub box_id: Uuid,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// When this start of the box was.
    pub started: Timestamp,
    /// Whether anyone may register without an invite.
    pub open_registration: bool,
    /// How one-time codes reach people.
    pub codes: CodeSender,
}

/// Identity's keys and pool.
pub struct Service {
    pub(in crate::identity) refresh: RefreshTokens,
    pub(in crate::identity) phones: Phones,
    pub(in crate::identity) otp: Key,
    pub(in crate::identity) pool: Pool,
    pub(in crate::identity) entropy: Arc<dyn Entropy>,
    pub(in crate::identity) started: Timestamp,
    pub(in crate::identity) open_registration: bool,
    pub(in crate::identity) codes: CodeSender,
    tokens: Tokens,
    answer: Key,
    pseudonym: Key,
    s2s: Option<Secret<String>>,
}

/// What a sign-in hands out.
pub struct Grant {
    /// The JWT.
    pub access_token: String,
    /// Seconds until it ends.
    pub expires_in: u64,
    /// The refresh token.
    pub refresh_token: String,
    /// The user.
    pub user: UserInfo,
    /// The user's number.
    pub phone: Option<Phone>,
}

impl Service {
    /// The service of a box.
    #[must_use]
    pub fn new(setup: Setup<'_>) -> Self {
        let Setup { master, jwt, s2s, box_id, entropy, started, open_registration, codes } = setup;
        Self {
            refresh: RefreshTokens(master.derive(Purpose::Refresh)),
            phones: Phones(master.derive(Purpose::Phone)),
            otp: master.derive(Purpose::Otp),
            pool: Pool::new(Arc::clone(&entropy)),
            entropy,
            started,
            open_registration,
            codes,
            tokens: Tokens::new(jwt, box_id),
            answer: master.derive(Purpose::Answer),
            pseudonym: master.derive(Purpose::Pseudonym),
            s2s,
        }
    }

    /// The caller whom a bearer token names, checked in the store.
    ///
    /// # Errors
    /// [`Denied::Unauthenticated`], [`Denied::Suspended`].
    pub fn caller(&self, read: &(impl Read + ?Sized), now: Timestamp, token: Option<&str>) -> Result<Caller, Denied> {
        Caller::check(read, now, self.named(now, token)?)
    }

    /// Whom a bearer token names; nothing of it is checked in the store.
    ///
    /// # Errors
    /// [`Denied::Unauthenticated`].
    pub fn named(&self, now: Timestamp, token: Option<&str>) -> Result<Named, Denied> {
        token.and_then(|token| self.tokens.verify(now, token)).ok_or(Denied::Unauthenticated)
    }

    /// The service that an `X-S2S-Token` proves.
    #[must_use]
    pub fn s2s(&self, given: &[u8]) -> Option<access::Service> {
        access::Service::check(self.s2s.as_ref().map(|secret| secret.expose().as_str()), given)
    }

    /// The tokens of a sign-in, first given or given again: both are made here, from ids alone.
    ///
    /// # Errors
    /// [`Error::InvalidRefresh`] where the session or its user is gone.
    pub fn grant(&self, read: &(impl Read + ?Sized), now: Timestamp, of: SessionRef) -> Result<Grant, Error> {
        let owner = sessions::owner(read, of.session)?.ok_or(Error::InvalidRefresh)?;
        let user = users::by_id(read, owner)?.filter(|user| user.status != Status::Erased);
        let user = user.ok_or(Error::InvalidRefresh)?;
        let signed = self.tokens.sign(&*self.entropy, now, &user, of.session);
        let access_token = signed.ok_or(Fault::Corrupt { table: "tokens", reason: "a token cannot be signed" })?;
        Ok(Grant {
            access_token,
            expires_in: ACCESS_LIFE.as_secs(),
            refresh_token: self.refresh.token(of),
            phone: self.phone_of(&user),
            user,
        })
    }

    /// A user's number in the clear, for that user and for admins.
    #[must_use]
    pub fn phone_of(&self, user: &UserInfo) -> Option<Phone> {
        user.phone_sealed.as_deref().and_then(|sealed| self.phones.open(user.id, sealed))
    }

    /// The id for an account that is about to be made.
    #[must_use]
    pub fn new_user_id(&self, now: Timestamp) -> UserId {
        self.entropy.id(now)
    }

    /// Seals a number for an account.
    #[must_use]
    pub fn seal_phone(&self, user: UserId, phone: &Phone) -> SealedPhone {
        self.phones.seal(&*self.entropy, user, phone)
    }

    /// Checks and hashes a password that somebody chose. `field` names it in the refusal.
    ///
    /// # Errors
    /// [`Error::Field`], [`Error::Busy`].
    pub async fn hash_chosen(
        &self,
        username: &Username,
        password: &Secret<String>,
        field: &'static str,
    ) -> Result<PasswordHash, Error> {
        policy::check(username, password.expose()).map_err(|why| Error::Field { field, why })?;
        Ok(self.pool.hash(password).await?)
    }

    /// The temporary password that a nonce stands for: twelve typeable characters, 59 bits. It is derived, so that a
    /// repeated request can be told the same; only its hash is stored.
    #[must_use]
    pub fn temporary_password(&self, user: UserId, nonce: Uuid) -> Secret<String> {
        let bytes = keyed(&self.answer, &[b"temporary-password", &user.raw().binding(), nonce.as_bytes()]);
        let letters = bytes.iter().take(12).filter_map(|byte| TYPEABLE.get(usize::from(*byte) % TYPEABLE.len()));
        let mut text = String::with_capacity(14);
        for (at, letter) in letters.enumerate() {
            if at > 0 && at % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(*letter));
        }
        Secret::new(text)
    }

    /// A nonce for [`Service::temporary_password`], and the hash of the password it stands for.
    ///
    /// # Errors
    /// [`Error::Busy`].
    pub async fn make_temporary(&self, user: UserId) -> Result<(Uuid, PasswordHash), Error> {
        let nonce = Uuid::from_bytes(self.entropy.bytes());
        let password = self.temporary_password(user, nonce);
        Ok((nonce, self.pool.hash(&password).await?))
    }

    /// The bucket of a client's address in a scope.
    #[must_use]
    pub fn bucket_of_address(&self, scope: Scope, address: IpAddr) -> Bucket {
        Bucket::new(scope, keyed(&self.pseudonym, &[b"address", address.to_string().as_bytes()]))
    }

    /// The one bucket of a scope that counts for the whole box.
    #[must_use]
    pub fn bucket_of_box(&self, scope: Scope) -> Bucket {
        Bucket::new(scope, keyed(&self.pseudonym, &[b"box"]))
    }

    /// The bucket of a name, known or not.
    pub(in crate::identity) fn bucket_of_name(&self, scope: Scope, name: &str) -> Bucket {
        Bucket::new(scope, keyed(&self.pseudonym, &[b"name", name.as_bytes()]))
    }

    /// The bucket of a name at an address.
    pub(in crate::identity) fn bucket_of_pair(&self, name: &str, address: IpAddr) -> Bucket {
        let address = address.to_string();
        Bucket::new(Scope::Own, keyed(&self.pseudonym, &[b"pair", name.as_bytes(), address.as_bytes()]))
    }

    /// What the audit keeps of a name that is nobody's: it may have been a password.
    #[must_use]
    pub fn pseudonym_of(&self, name: &str) -> String {
        let [a, b, c, d, ..] = keyed(&self.pseudonym, &[b"attempt", name.as_bytes()]);
        format!("?{a:02x}{b:02x}{c:02x}{d:02x}")
    }
}
