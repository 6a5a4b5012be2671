//! Keys by purpose: everything derives from the one master key (security.md, 2.2).
//!
//! Knows the purposes, not who uses them. The master key itself is in a systemd credential or a 0600 file.

use hkdf::Hkdf;
use sha2::Sha256;

use crate::base::digest::Key;
use crate::base::secret::Secret;

/// What a derived key is for. The label is part of the format: changing one changes every key under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Wraps the chat's bucket keys; the number is the version that rotation raises.
    ChatWrap(u32),
    /// Recognises the master key without revealing it.
    Check,
    /// Signs access tokens.
    Jwt,
    /// Derives refresh tokens.
    Refresh,
    /// Derives invite tokens and codes.
    Invite,
    /// Derives the reconnect tokens of matches.
    Reconnect,
    /// Keyed digests of one-time codes.
    Otp,
    /// Seals phone numbers.
    Phone,
    /// Seals a live round's server seed.
    Round,
    /// Keyed digests of requests that bear an `Idempotency-Key`.
    Idempotency,
    /// Keyed digests in the change log.
    ChangeLog,
    /// Makes the temporary passwords' and other one-time answers' repetition possible.
    Answer,
    /// Keyed digests of client message ids and throttled addresses.
    Pseudonym,
    /// The message-authentication key of the audit chain.
    Audit,
    /// The message-authentication key of the chat's key file.
    KeyFile,
    /// Signs evidence archives.
    Evidence,
    /// Signs backups.
    Backup,
    /// Signs a courier's bundles, and seals what is brought back.
    Courier,
}

impl Purpose {
    fn label(self) -> String {
        let name = match self {
            Self::ChatWrap(version) => return format!("whotbox/kek/chat/v{version}"),
            Self::Check => "check",
            Self::Jwt => "jwt",
            Self::Refresh => "refresh",
            Self::Invite => "invite",
            Self::Reconnect => "reconnect",
            Self::Otp => "pepper/otp",
            Self::Phone => "phone",
            Self::Round => "round",
            Self::Idempotency => "idempotency",
            Self::ChangeLog => "change-log",
            Self::Answer => "answer",
            Self::Pseudonym => "pseudonym",
            Self::Audit => "audit-mac",
            Self::KeyFile => "key-file",
            Self::Evidence => "evidence",
            Self::Backup => "backup",
            Self::Courier => "courier",
        };
        format!("whotbox/{name}")
    }
}

/// The master key of a box.
#[derive(Debug, Clone)]
pub struct MasterKey(Key);

impl MasterKey {
    /// The master key of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// The key for one purpose: HKDF-SHA-256 (RFC 5869) with the purpose's label as info.
    #[must_use]
    pub fn derive(&self, purpose: Purpose) -> Key {
        let mut out = [0; 32];
        #[expect(clippy::expect_used, reason = "HKDF gives up to 8,160 bytes")]
        Hkdf::<Sha256>::new(None, self.0.expose())
            .expand(purpose.label().as_bytes(), &mut out)
            .expect("HKDF gives 32 bytes");
        Secret::new(out)
    }

    /// The key's bytes, for the recovery sheet and the key file alone.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}
