//! Access tokens: JWTs that this box signs and verifies, one algorithm, one key, one exact header.
//!
//! A token is believed only in whom it names and when it ends; everything else is read from the store on each
//! request ([`crate::identity::access`]). The other claims are for services that cannot ask the box.

use std::sync::Once;
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
        Self { header, front, signing, verifying, validation, audience: box_id.to_string() }
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
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation).ok()?.claims;
        let seconds = |s: i64| Timestamp::from_micros(s.saturating_mul(1_000_000));
        let (issued, expires) = (seconds(claims.iat), seconds(claims.exp));
        let timely = issued <= now.plus(SKEW) && now < expires && expires <= issued.plus(ACCESS_LIFE);
        let known = Role::named(&claims.role).is_some() && AccountType::named(&claims.account_type).is_some();
        if !timely || !known {
            return None;
        }
        Some(Named { user: claims.sub.parse().ok()?, session: claims.sid.parse().ok()?, expires_at: expires })
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
