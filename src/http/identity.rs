//! What identity looks like on the wire: the user, the session, and its refusals.
//!
//! Must not decide anything.

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::id::UserId;
use crate::base::text::{Alias, Phone};
use crate::http::auth::{denied, fault};
use crate::http::problem::{Code, Problem};
use crate::identity::error::Error;
use crate::identity::service::{Grant, Service};
use crate::identity::users::UserInfo;

/// A user, as that user and admins see one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserBody {
    id: String,
    username: String,
    role: &'static str,
    account_type: &'static str,
    /// A customer's distributor.
    distributor_id: Option<String>,
    /// A distributor's shown name.
    alias: Option<String>,
    /// E.164.
    phone: Option<String>,
    phone_verified: bool,
    vip_enabled: bool,
    /// `active` or `suspended`.
    status: &'static str,
    /// The password is temporary: everything but `users/me`, password and logout waits for a new one.
    must_change_password: bool,
    created_at: String,
}

impl UserBody {
    /// The body of a user.
    #[must_use]
    pub fn new(service: &Service, user: &UserInfo) -> Self {
        Self::with_phone(user, service.phone_of(user))
    }

    fn with_phone(user: &UserInfo, phone: Option<Phone>) -> Self {
        Self {
            id: user.id.to_string(),
            username: user.username.to_string(),
            role: user.role.name(),
            account_type: user.account_type.name(),
            distributor_id: user.distributor_id.map(|id| id.to_string()),
            alias: user.alias.as_ref().map(Alias::to_string),
            phone: phone.map(String::from),
            phone_verified: user.phone_verified,
            vip_enabled: user.vip_enabled,
            status: user.status.name(),
            must_change_password: user.must_change_password,
            created_at: user.created_at.to_string(),
        }
    }
}

/// What sockets say when the caller's rights have changed: what the client's access token says of them is outdated, and
/// a refresh gives a new one (decision 0011).
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "account")]
pub struct AccountNews {
    distributor_id: Option<UserId>,
    vip_enabled: bool,
}

impl AccountNews {
    /// The news of a user.
    #[must_use]
    pub const fn of(user: &UserInfo) -> Self {
        Self { distributor_id: user.distributor_id, vip_enabled: user.vip_enabled }
    }
}

/// What a sign-in gives.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionBody {
    /// For `Authorization: Bearer`.
    access_token: String,
    /// `bearer`.
    token_type: &'static str,
    /// Seconds until the access token ends.
    expires_in: u64,
    /// Good once, for `auth/refresh`.
    refresh_token: String,
    user: UserBody,
}

impl From<Grant> for SessionBody {
    fn from(grant: Grant) -> Self {
        Self {
            access_token: grant.access_token,
            token_type: "bearer",
            expires_in: grant.expires_in,
            refresh_token: grant.refresh_token,
            user: UserBody::with_phone(&grant.user, grant.phone),
        }
    }
}

/// What a refusal of identity's is to a client.
#[must_use]
pub fn refused(error: Error) -> Problem {
    match error {
        Error::Store(error) => fault(error),
        Error::Reused(_) => Code::IdempotencyKeyReused.into(),
        Error::Denied(why) => denied(why),
        Error::Busy => Code::Busy.into(),
        Error::InvalidCredentials => Code::InvalidCredentials.into(),
        Error::TooManyAttempts(wait) => Problem::new(Code::TooManyAttempts).retry_after(wait),
        Error::RegistrationClosed => Code::RegistrationClosed.into(),
        Error::UsernameTaken => Code::UsernameTaken.into(),
        Error::Field { field, why } => Problem::field(field, why.0),
        Error::InvalidRefresh => Code::InvalidRefresh.into(),
        Error::RefreshReused => Code::RefreshReused.into(),
        Error::InvalidOtp => Code::InvalidOtp.into(),
        Error::NotFound => Code::NotFound.into(),
        Error::Conflict(why) => Problem::new(Code::Conflict).detail(why),
    }
}
