//! Access tokens: JWTs that this box signs and verifies, one algorithm, one key, one exact header.
//!
//! A token is believed only in whom it names and when it ends; everything else is read from the store on each
//! request ([`crate::identity::access`]). The other claims are for services that cannot ask the box.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result as JwtResult};
use jsonwebtoken::signature::{Error as SignatureError, Signer as SignBytes, Verifier as VerifyBytes};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::base::digest::{Key, hmac_sha256, same, sha256};
use crate::base::entropy::Entropy;
use crate::base::id::SessionId;
use crate::base::time::Timestamp;
use crate::identity::access::Named;
use crate::identity::users::{AccountType, Role, UserInfo};

/// How long a token lives (contract, section 1).
pub const ACCESS_LIFE: Duration = Duration::from_secs(15 * 60);
/// The `iss` claim.
const ISSUER: &str = "whotbox";
/// Longest token that is looked at; ours have about 600 bytes.
const MAX_TOKEN: usize = 2048;
/// Verified tokens that are remembered, of some 150 bytes each; beyond that all are forgotten.
const MAX_KNOWN: usize = 4096;
/// How far a token may have been issued in the future: the clock was set back since.
const SKEW: Duration = Duration::from_secs(60);

/// The claims, in the contract's names. Every one is required and typed.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    username: String,
    role: String,
    account_type: String,
    // Without this, serde would take an absent claim for `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    distributor_id: Option<String>,
    vip_enabled: bool,
    sid: String,
    iat: i64,
    exp: i64,
    iss: String,
    aud: String,
    jti: Uuid,
}

/// Signs and verifies this box's tokens.
pub struct Tokens {
    header: Header,
    /// The one header, encoded: a token with any other is not ours.
    front: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    audience: String,
    /// By their digests, those that were verified: a client sends the same one with every request for a quarter of an hour.
    known: Mutex<HashMap<[u8; 32], Known>>,
}

/// What a token says that was verified.
#[derive(Clone, Copy)]
struct Known {
    issued: Timestamp,
    named: Named,
}

impl Known {
    fn is_timely(&self, now: Timestamp) -> bool {
        let expires = self.named.expires_at;
        self.issued <= now.plus(SKEW) && now < expires && expires <= self.issued.plus(ACCESS_LIFE)
    }
}

impl Tokens {
    /// The tokens of a box, under its signing key.
    #[must_use]
    pub fn new(key: &Key, box_id: Uuid) -> Self {
        install_provider();
        let [a, b, c, d, ..] = sha256(&[b"kid", key.expose()]);
        let header = Header { kid: Some(format!("{a:02x}{b:02x}{c:02x}{d:02x}")), ..Header::new(Algorithm::HS256) };
        let signing = EncodingKey::from_secret(key.expose());
        let front = jsonwebtoken::encode(&header, &(), &signing).unwrap_or_default();
        let front = front.split_once('.').map_or("", |(front, _)| front).to_owned();
        let mut validation = Validation::new(Algorithm::HS256);
        // The crate would ask the system's clock; ours is asked below.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[box_id]);
        let verifying = DecodingKey::from_secret(key.expose());
        let (audience, known) = (box_id.to_string(), Mutex::default());
        Self { header, front, signing, verifying, validation, audience, known }
    }

    /// A token for a session of a user, from `now` on for [`ACCESS_LIFE`]. `None` only if signing failed.
    #[must_use]
    pub fn sign(&self, entropy: &dyn Entropy, now: Timestamp, user: &UserInfo, session: SessionId) -> Option<String> {
        let claims = Claims {
            sub: user.id.to_string(),
            username: user.username.to_string(),
            role: user.role.name().to_owned(),
            account_type: user.account_type.name().to_owned(),
            distributor_id: user.distributor_id.map(|id| id.to_string()),
            vip_enabled: user.vip_enabled,
            sid: session.to_string(),
            iat: now.seconds(),
            exp: now.plus(ACCESS_LIFE).seconds(),
            iss: ISSUER.to_owned(),
            aud: self.audience.clone(),
            jti: entropy.uuid(now),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.signing).ok()
    }

    /// Whom a token names, if this box signed it and it has not expired.
    #[must_use]
    pub fn verify(&self, now: Timestamp, token: &str) -> Option<Named> {
        // The header is compared whole, so that no other algorithm, key or extension is ever parsed.
        if token.len() > MAX_TOKEN || self.front.is_empty() || token.split('.').next() != Some(&self.front) {
            return None;
        }
        let digest = sha256(&[token.as_bytes()]);
        if let Some(known) = self.known().get(&digest) {
            return Some(known.named).filter(|_| known.is_timely(now));
        }
        let known = self.verify_anew(token).filter(|known| known.is_timely(now))?;
        let mut all = self.known();
        if all.len() >= MAX_KNOWN {
            all.clear();
        }
        all.insert(digest, known);
        Some(known.named)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<[u8; 32], Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verify_anew(&self, token: &str) -> Option<Known> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation).ok()?.claims;
        let seconds = |s: i64| Timestamp::from_micros(s.saturating_mul(1_000_000));
        let (issued, expires) = (seconds(claims.iat), seconds(claims.exp));
        let known = Role::named(&claims.role).is_some() && AccountType::named(&claims.account_type).is_some();
        let named = Named { user: claims.sub.parse().ok()?, session: claims.sid.parse().ok()?, expires_at: expires };
        Some(Known { issued, named }).filter(|_| known)
    }
}

/// HS256 over our own HMAC: the crate's own providers bring RSA or a second crypto library (deps.md).
struct Hs256(Zeroizing<Vec<u8>>);

impl SignBytes<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(hmac_sha256(&self.0, message).to_vec())
    }
}

impl VerifyBytes<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        if same(&hmac_sha256(&self.0, message), signature) { Ok(()) } else { Err(SignatureError::new()) }
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

fn hs256(algorithm: Algorithm, key: &[u8]) -> JwtResult<Hs256> {
    if algorithm == Algorithm::HS256 {
        Ok(Hs256(Zeroizing::new(key.to_vec())))
    } else {
        Err(ErrorKind::InvalidAlgorithm.into())
    }
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(hs256(*algorithm, key.as_bytes())?)),
    verifier_factory: |algorithm, key| Ok(Box::new(hs256(*algorithm, key.try_get_as_bytes()?)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

fn install_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        if PROVIDER.install_default().is_err() {
            tracing::error!("another JWT provider was installed; tokens cannot be signed");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use crate::identity::testing::user;
    use crate::store::testing::store;

    fn key() -> Key {
        crate::base::keys::MasterKey::new([3; 32]).derive(crate::base::keys::Purpose::Round)
    }

    #[test]
    fn a_token_that_was_verified_before_ends_as_one_that_was_not() {
        let (store, _) = store();
        let who = user(&store, "ada", Role::Customer);
        let (entropy, now) = (SeededEntropy::new(7), Timestamp::from_micros(1_795_341_600_000_000));
        let (tokens, session): (_, SessionId) =
            (Tokens::new(&key(), Uuid::from_u128(9)), (&entropy as &dyn Entropy).id(now));
        let token = tokens.sign(&entropy, now, &who, session).unwrap();
        let fresh = || Tokens::new(&key(), Uuid::from_u128(9));
        let shift = [0_i64, 30, 899, 900, 901, -30, -61]
            .map(|seconds| (seconds, Timestamp::from_micros(now.micros() + seconds * 1_000_000)));
        assert!(tokens.verify(now, &token).is_some());
        for (seconds, at) in shift {
            let named = tokens.verify(at, &token);
            assert_eq!(named, fresh().verify(at, &token), "{seconds} s later");
            assert_eq!(named.is_some(), (-60..900).contains(&seconds), "{seconds} s later");
        }
        // One that differs in its last sign is another.
        let (front, last) = token.split_at(token.len() - 1);
        let bent = format!("{front}{}", if last == "A" { "E" } else { "A" });
        assert_eq!(tokens.verify(now, &bent), None);
    }
}
