//! Codes on their way to people: readable only here, sealed, in a table that never leaves the box, until they are
//! used or expire.
//!
//! The owner's way shows them to the user's distributor; the webhook's way hands them to the job that posts them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::aead;
use crate::base::digest::Key as DigestKey;
use crate::base::entropy::Entropy;
use crate::base::id::{OtpId, UserId};
use crate::base::text::{Phone, Username};
use crate::base::time::Timestamp;
use crate::identity::access::Caller;
use crate::identity::error::Error;
use crate::identity::otp::OtpPurpose;
use crate::identity::records::SenderKind;
use crate::identity::service::Service;
use crate::identity::users::{self, UserInfo};
use crate::store::fault::Fault;
use crate::store::index::{Index, Indexes};
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::record::{Record, TableId};
use crate::store::tx::Tx;

/// Waits between two posts of one code; after the last it is given up.
const RETRIES: &[Duration] = &[
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
];

/// A code that somebody has still to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::identity) struct Pending {
    pub(in crate::identity) id: OtpId,
    pub(in crate::identity) user_id: UserId,
    pub(in crate::identity) purpose: OtpPurpose,
    pub(in crate::identity) sender: SenderKind,
    pub(in crate::identity) sealed: Vec<u8>,
    pub(in crate::identity) created_at: Timestamp,
    pub(in crate::identity) expires_at: Timestamp,
    /// Posts that failed.
    pub(in crate::identity) posts: u32,
    /// When to post; `None` once that is done or given up.
    pub(in crate::identity) post_at: Option<Timestamp>,
}

/// Codes in the order in which they expire.
pub(in crate::identity) const BY_END: Index = Index::ordered(1);
/// Codes in the order in which they are to be posted.
const BY_POST: Index = Index::ordered(2);

impl Record for Pending {
    const TABLE: TableId = TableId { number: 31, name: "identity.pending_codes" };

    fn key(&self) -> Key {
        Key::of(self.id)
    }

    fn indexes(&self, to: &mut Indexes<'_>) {
        to.add(BY_END, &Key::new().time(self.expires_at));
        if let Some(at) = self.post_at {
            to.add(BY_POST, &Key::new().time(at));
        }
    }
}

fn binding(id: OtpId) -> Vec<u8> {
    [b"whotbox/otp/v1".as_slice(), &id.raw().binding()].concat()
}

pub(in crate::identity) fn seal(key: &DigestKey, entropy: &dyn Entropy, id: OtpId, code: &str) -> Vec<u8> {
    aead::seal(key, entropy, &binding(id), code.as_bytes())
}

fn open(key: &DigestKey, pending: &Pending) -> Option<String> {
    aead::open(key, &binding(pending.id), &pending.sealed).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// A code as the owner's screen shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownCode {
    /// Whose it is.
    pub user_id: UserId,
    /// That user's name.
    pub username: Username,
    /// What it is good for.
    pub purpose: OtpPurpose,
    /// The six digits.
    pub code: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What is due for the gateway.
#[derive(Clone, PartialEq, Eq)]
pub enum Due {
    /// A code to be posted.
    Post(Post),
    /// A code that nobody can be told: its number is gone, or it has expired.
    Lost(OtpId),
}

/// What became of a due code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Delivered, refused for good, or lost: it is forgotten.
    Done,
    /// To be tried again later, until the tries are used up.
    Later,
}

/// A code to be posted to the gateway.
#[derive(Clone, PartialEq, Eq)]
pub struct Post {
    /// The code's id: the gateway can recognise a repetition by it.
    pub id: OtpId,
    /// Where it goes.
    pub phone: Phone,
    /// What it is good for.
    pub purpose: OtpPurpose,
    /// The six digits.
    pub code: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Service {
    /// The codes that this caller may pass on: an admin all, a distributor those of the own customers.
    ///
    /// # Errors
    /// [`Error::Denied`] for others.
    pub fn shown_codes(
        &self,
        read: &(impl Read + ?Sized),
        now: Timestamp,
        caller: &Caller,
        page: &Page,
    ) -> Result<Listed<ShownCode>, Error> {
        let own_of = match caller.admin() {
            Ok(_) => None,
            Err(_) => Some(caller.distributor()?.id()),
        };
        let rows = read.list_by::<Pending>(BY_END, &Key::new(), page)?;
        let mut items = Vec::new();
        for row in rows.items.into_iter().filter(|row| row.sender == SenderKind::Owner && now < row.expires_at) {
            let user = users::by_id(read, row.user_id)?;
            let visible = user.filter(|user| own_of.is_none() || (user.distributor_id == own_of && user.is_customer()));
            if let (Some(user), Some(code)) = (visible, open(&self.otp, &row)) {
                let Pending { user_id, purpose, created_at, expires_at, .. } = row;
                items.push(ShownCode { user_id, username: user.username, purpose, code, created_at, expires_at });
            }
        }
        Ok(Listed { items, next: rows.next })
    }

    /// The codes that are due for the gateway, at most `limit`.
    ///
    /// # Errors
    /// [`Fault`] where they cannot be read.
    pub fn due_posts(&self, read: &(impl Read + ?Sized), now: Timestamp, limit: usize) -> Result<Vec<Due>, Fault> {
        let rows = read.list_by::<Pending>(BY_POST, &Key::new(), &Page::first(limit))?.items;
        let due = rows.into_iter().filter(|row| row.post_at.is_some_and(|at| at <= now));
        due.map(|row| self.due(read, now, &row)).collect()
    }

    fn due(&self, read: &(impl Read + ?Sized), now: Timestamp, row: &Pending) -> Result<Due, Fault> {
        let user = users::by_id(read, row.user_id)?.filter(UserInfo::is_active);
        let phone = user.and_then(|user| self.phone_of(&user)).filter(|_| now < row.expires_at);
        Ok(match (phone, open(&self.otp, row)) {
            (Some(phone), Some(code)) => {
                Due::Post(Post { id: row.id, phone, purpose: row.purpose, code, expires_at: row.expires_at })
            }
            _ => Due::Lost(row.id),
        })
    }
}

/// Notes what became of a post. After the last try it is given up, and nothing readable is left of the code.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn posted(tx: &mut Tx<'_>, now: Timestamp, id: OtpId, fate: Fate) -> Result<(), Fault> {
    // A newer code may have taken its place meanwhile.
    let Some(row) = tx.get::<Pending>(&Key::of(id))? else { return Ok(()) };
    let wait = usize::try_from(row.posts).ok().and_then(|posts| RETRIES.get(posts));
    match wait.filter(|_| fate == Fate::Later) {
        Some(wait) => tx.put(&Pending { posts: row.posts.saturating_add(1), post_at: Some(now.plus(*wait)), ..row }),
        None => tx.delete::<Pending>(&Key::of(id)),
    }
}

/// When the next post is due, if any is.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn next_post(read: &(impl Read + ?Sized)) -> Result<Option<Timestamp>, Fault> {
    let first = read.list_by::<Pending>(BY_POST, &Key::new(), &Page::first(1))?.items.into_iter().next();
    Ok(first.and_then(|row| row.post_at))
}
