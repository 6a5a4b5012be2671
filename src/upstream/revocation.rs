//! A box that central has shut: what keeps its keys from being wiped, and the wiping.
//!
//! ```text
//!   locked ─▶ everything sent, nothing refused ─▶ keys and the sealed master key confirmed ─▶ compared, nothing differs
//!          ─▶ noted as wiped, durably ─▶ the key file is replaced by one without keys ─▶ the answer at central says so
//! ```
//! A hold beats every way to destroy: the keys go only when central could open what is held without this box. Must not know how
//! a shut box refuses people.

use std::sync::Arc;

use crate::app::App;
use crate::backup::keys;
use crate::store::answers::Answer;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::locked::{self, Locked};
use crate::store::read::ReadExt as _;
use crate::store::{dead, relog};
use crate::upstream::custody::Halt;
use crate::upstream::sender::backlog;
use crate::upstream::verify::VerifyError;
use crate::upstream::{Link, compare};

/// Why the keys of a shut box are still there, in words; `None` where nothing that is known here keeps them.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn waits(app: &App) -> Result<Option<&'static str>, Fault> {
    let read = app.store.read()?;
    if backlog(&read)? > 0 || relog::pending(&read)? {
        return Ok(Some("central has not confirmed everything yet"));
    }
    if !dead::list(&read, 1)?.is_empty() {
        return Ok(Some("central refuses rows: whotbox sync dead-letters"));
    }
    if !matches!(keys::recovery(&app.config.data_dir), Ok(Some(_))) {
        return Ok(Some("no recovery sheet was printed, so nobody could open what is held: whotbox backup sheet"));
    }
    Ok(None)
}

/// Wipes the keys of a shut box if central has every row and key. To be called when central has just confirmed the keys.
///
/// # Errors
/// [`Halt`]; it is tried again.
pub async fn step(app: &Arc<App>, link: &Link) -> Result<(), Halt> {
    let Some(lock) = locked::of(&app.store.read()?)? else { return Ok(()) };
    if lock.wiped_at.is_none() {
        if waits(app)?.is_some() {
            return Ok(());
        }
        match compare::verify(app, link).await {
            Ok((_, found)) if found.diverged + found.unsettled + found.dead_letters == 0 => {}
            Ok(_)
            | Err(VerifyError::Running | VerifyError::Behind(_) | VerifyError::OtherEpoch | VerifyError::NotLinked) => {
                return Ok(());
            }
            Err(VerifyError::Central(error)) => return Err(error.into()),
            Err(VerifyError::Store(fault)) => return Err(fault.into()),
        }
        app.store
            .reserved()
            .write(move |tx, now| {
                if let Some(answer) = tx.get::<Answer>(&Key::new().number(lock.seq))? {
                    tx.put(&Answer { detail: Some(format!("shut; its keys are wiped since {now}")), ..answer })?;
                }
                tx.put(&Locked { wiped_at: Some(now), ..lock })
            })
            .await?;
        tracing::warn!("central has every row and key of this box, which it has shut: the keys here are wiped");
    }
    app.chat.wipe_keys().await?;
    Ok(())
}
