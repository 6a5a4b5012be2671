//! What is done before a batch's command is queued: translating, hashing, sealing. Nothing is written here but chat keys.

use std::sync::Arc;

use crate::app::App;
use crate::chat::takeover::{OldMessage, SealedOld};
use crate::ledger::What;
use crate::moving::cell::Row;
use crate::moving::cipher::OldKeys;
use crate::moving::desk::{Batch, Error};
use crate::moving::tables::Table;
use crate::moving::translate::{Context, Old, Translated, Verdict, translate};
use crate::store::fault::Fault;

/// A row on its way into the transaction.
pub(super) enum Ready {
    /// A row of any table but messages.
    Row(Old),
    /// A message, sealed.
    Message(SealedOld),
    /// Not taken.
    Refused(String),
    /// Not kept.
    Dropped(&'static str),
}

/// A row with what is worth knowing about it.
pub(super) struct Prepared {
    pub(super) ready: Ready,
    pub(super) remarks: Vec<(What, String)>,
}

impl Prepared {
    const fn bare(ready: Ready) -> Self {
        Self { ready, remarks: Vec::new() }
    }
}

/// Rows that one thread translates or seals: below, a second thread costs more than it brings.
const SHARE: usize = 64;
/// Threads: as many as the box has cores.
const THREADS: usize = 2;

/// Prepares a batch.
pub(super) async fn prepare(app: &Arc<App>, table: &'static Table, batch: &Arc<Batch>) -> Result<Vec<Prepared>, Error> {
    let (worker, rows) = (Arc::clone(app), Arc::clone(batch));
    let translated = blocking(move || translate_all(&worker, table, &rows)).await??;
    let mut prepared = Vec::with_capacity(translated.len());
    if table.key == "chat.messages" {
        return seal_all(app, translated).await;
    }
    for one in translated {
        prepared.push(match one {
            Ok(Translated { old, mut remarks }) => {
                let old = with_password(app, old, &mut remarks).await?;
                Prepared { ready: Ready::Row(old), remarks }
            }
            Err(Verdict::Refused(why)) => Prepared::bare(Ready::Refused(why)),
            Err(Verdict::Dropped(why)) => Prepared::bare(Ready::Dropped(why)),
            Err(Verdict::Failed(fault)) => return Err(fault.into()),
        });
    }
    Ok(prepared)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Store(Fault::Closed))
}

type Each = Result<Translated, Verdict>;

/// Each half of the rows on a thread of its own.
fn translate_all(app: &App, table: &'static Table, batch: &Batch) -> Result<Vec<Each>, Fault> {
    let keys = OldKeys::parse(&batch.reading.key);
    let part = |rows: &[Vec<crate::moving::cell::Cell>]| -> Result<Vec<Each>, Fault> {
        let context = Context::new(app, &keys, batch.reading.cipher)?;
        let row = |cells| Row { table, cells, offset: batch.reading.offset };
        Ok(rows.iter().map(|cells| translate(&context, &row(cells))).collect())
    };
    let share = batch.rows.len().div_ceil(THREADS).max(SHARE);
    std::thread::scope(|scope| {
        let part = &part;
        let working: Vec<_> = batch.rows.chunks(share).map(|rows| scope.spawn(move || part(rows))).collect();
        let mut all = Vec::with_capacity(batch.rows.len());
        for one in working {
            all.extend(one.join().map_err(|_| Fault::Closed)??);
        }
        Ok(all)
    })
}

/// A user whose password cannot be verified here gets a temporary one, unless the user is here already.
async fn with_password(app: &App, old: Old, remarks: &mut Vec<(What, String)>) -> Result<Old, Error> {
    let Old::User(mut user) = old else { return Ok(old) };
    if user.temporary && crate::identity::takeover::user(&app.store.read()?, user.id)?.is_none() {
        let (nonce, hash) = app.identity.make_temporary(user.id).await?;
        user.password = Some(hash);
        remarks.push((What::TemporaryPassword, nonce.to_string()));
    }
    Ok(Old::User(user))
}

/// Makes the chat keys that are missing, durably, then seals: half of the messages on a thread of its own.
async fn seal_all(app: &Arc<App>, translated: Vec<Each>) -> Result<Vec<Prepared>, Error> {
    let mut prepared = Vec::with_capacity(translated.len());
    let (mut messages, mut places) = (Vec::new(), Vec::new());
    for one in translated {
        let (ready, remarks) = match one {
            Ok(Translated { old: Old::Message(message), remarks }) => {
                messages.push(*message);
                places.push(prepared.len());
                (Ready::Dropped(""), remarks)
            }
            Ok(Translated { old, remarks }) => (Ready::Row(old), remarks),
            Err(Verdict::Refused(why)) => (Ready::Refused(why), Vec::new()),
            Err(Verdict::Dropped(why)) => (Ready::Dropped(why), Vec::new()),
            Err(Verdict::Failed(fault)) => return Err(fault.into()),
        };
        prepared.push(Prepared { ready, remarks });
    }
    let parked = app.chat.ready_for(&app.store.read()?, &messages).await?;
    let worker = Arc::clone(app);
    let sealed = blocking(move || seal_halves(&worker, messages.into_iter().zip(parked).collect())).await??;
    for (place, sealed) in places.into_iter().zip(sealed) {
        // A bucket is being replaced right now: the next try finds its successor.
        let sealed = sealed.ok_or(Fault::Busy)?;
        if let Some(one) = prepared.get_mut(place) {
            one.ready = Ready::Message(sealed);
        }
    }
    Ok(prepared)
}

fn seal_halves(app: &App, mut messages: Vec<(OldMessage, bool)>) -> Result<Vec<Option<SealedOld>>, Fault> {
    let rest = messages.split_off(messages.len() / THREADS);
    let seal = |part: Vec<(OldMessage, bool)>| -> Vec<Option<SealedOld>> {
        part.into_iter().map(|(message, parked)| app.chat.seal_old(message, parked)).collect()
    };
    std::thread::scope(|scope| {
        let second = scope.spawn(|| seal(rest));
        let mut all = seal(messages);
        all.extend(second.join().map_err(|_| Fault::Closed)?);
        Ok(all)
    })
}
