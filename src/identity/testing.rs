//! Users for the unit tests of this and other domains: written straight into the store, without passwords.

use crate::base::id::{SessionId, UserId};
use crate::base::time::Timestamp;
use crate::identity::access::Caller;
use crate::identity::records::User;
use crate::identity::users::{AccountType, Role, Status, UserInfo, by_id};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::read::ReadExt;
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// Makes an active user of a role, with the account type that belongs to it.
#[track_caller]
pub fn user(store: &Store, username: &str, role: Role) -> UserInfo {
    let account_type = AccountType::of(role);
    let username = username.parse().unwrap();
    let made = store.write_blocking(move |tx: &mut Tx<'_>, now| {
        let id: UserId = tx.entropy().id(now);
        tx.put(&User {
            id,
            username,
            role,
            account_type,
            distributor_id: None,
            alias: None,
            phone_sealed: None,
            phone_digest: None,
            phone_verified: false,
            vip_enabled: false,
            status: Status::Active,
            must_change_password: false,
            password_hash: String::new(),
            created_at: now,
            updated_at: now,
        })?;
        Ok::<_, Fault>(id)
    });
    by_id(&store.read().unwrap(), made.unwrap()).unwrap().unwrap()
}

/// The user as a caller whose token does not expire.
pub fn caller(user: &UserInfo) -> Caller {
    let session = SessionId::from(*user.id.raw());
    Caller::for_test(user.clone(), session, Timestamp::from_micros(i64::MAX))
}

/// Changes a user's status without any of what else belongs to it.
#[track_caller]
pub fn set_status(store: &Store, user: UserId, status: Status) {
    let done = store.write_blocking(move |tx: &mut Tx<'_>, _| {
        let row = tx.get::<User>(&Key::of(user))?.unwrap();
        tx.put(&User { status, ..row })
    });
    done.unwrap();
}
