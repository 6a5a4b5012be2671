//! Forgetting: sessions, audit entries, codes and counts that have served their time.
//!
//! Called in steps by a job; each step is one bounded command.

use std::time::Duration;

use crate::base::time::Timestamp;
use crate::identity::codes::{self, Pending};
use crate::identity::records::{ATTEMPT_BY_TIME, Attempt, OTP_BY_TIME, Otp, SESSION_BY_END, Session};
use crate::identity::throttle;
use crate::store::fault::Fault;
use crate::store::index::Index;
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::ReadExt;
use crate::store::record::Record;
use crate::store::tx::Tx;

/// How long an ended session stays, for the question who was signed in when.
const SESSIONS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long the login audit is kept.
const ATTEMPTS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long the row of a dead code is kept, which holds a digest alone.
const OTPS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Forgets at most `limit` rows of each kind; returns the greatest number of one kind, which is `limit` where more
/// may be due.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn step(tx: &mut Tx<'_>, now: Timestamp, limit: usize) -> Result<usize, Fault> {
    let done = [
        sweep::<Session>(tx, SESSION_BY_END, limit, |row| {
            now.since(row.revoked_at.unwrap_or(row.expires_at)) >= SESSIONS_KEPT
        })?,
        sweep::<Attempt>(tx, ATTEMPT_BY_TIME, limit, |row| now.since(row.at) >= ATTEMPTS_KEPT)?,
        sweep::<Otp>(tx, OTP_BY_TIME, limit, |row| now.since(row.created_at) >= OTPS_KEPT)?,
        sweep::<Pending>(tx, codes::BY_END, limit, |row| row.expires_at <= now)?,
        throttle::forget(tx, now, limit)?,
    ];
    Ok(done.into_iter().max().unwrap_or(0))
}

fn sweep<R: Record>(
    tx: &mut Tx<'_>,
    oldest_first: Index,
    limit: usize,
    due: impl Fn(&R) -> bool,
) -> Result<usize, Fault> {
    let rows = tx.list_by::<R>(oldest_first, &Key::new(), &Page::first(limit))?.items;
    let due: Vec<R> = rows.into_iter().take_while(due).collect();
    for row in &due {
        tx.delete::<R>(&row.key())?;
    }
    Ok(due.len())
}
