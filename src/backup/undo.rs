//! Going back behind an upgrade: the copy that was made before it takes the store's place, under a new life.
//!
//! As after a restore, messages stay closed until what was due is destroyed, and central fences the box until it is enrolled
//! again: holds that were placed since come first. The key file stays as it is, so nothing destroyed comes back. The store of the
//! newer program is kept beside it. Must not know what a row means.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use crate::app::STORE_FILE;
use crate::app::upgrade::{COPY_FOLDER, Note, note};
use crate::backup::error::Error;
use crate::base::digest::{keyed, same};
use crate::base::durable;
use crate::base::entropy::Entropy;
use crate::base::keys::{MasterKey, Purpose};
use crate::base::time::Clock;
use crate::catalog::{self, Unfit};
use crate::store::backups::{Phase, Restored};
use crate::store::fault::Fault;
use crate::store::medium::FileMedium;
use crate::store::meta;
use crate::store::writer::{Settings, Store};

/// Where the newer program's store is kept.
pub const NEWER_FILE: &str = "box.redb.newer";
/// The copy while it is made ready.
const UNFINISHED: &str = "box.redb.undoing";

/// Puts the copy in the store's place. Cut off anywhere, the store is the newer one or the copy, whole.
///
/// # Errors
/// [`Error::NotFound`] without a copy, [`Error::Newer`] where this program is not the earlier one, [`Error::Broken`].
pub fn undo(
    data_dir: &Path,
    master: &MasterKey,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Note, Error> {
    let note = note(data_dir).ok_or(Error::NotFound)?;
    let (present, ready) = (data_dir.join(STORE_FILE), data_dir.join(UNFINISHED));
    // Whoever has the store open keeps it.
    open(&present, master, clock, entropy)?.close();
    durable::remove_file(&ready)?;
    fs::copy(data_dir.join(COPY_FOLDER).join(STORE_FILE), &ready)?;
    let store = open(&ready, master, clock, entropy)?;
    let begun = begin(&store, master, &note, &**clock);
    store.close();
    if let Err(error) = begun {
        durable::remove_file(&ready)?;
        return Err(error);
    }
    File::open(&ready)?.sync_all()?;
    // The newer store gets a second name first, so that at no moment there is none.
    let kept = data_dir.join(NEWER_FILE);
    durable::remove_file(&kept)?;
    fs::hard_link(&present, &kept)?;
    fs::rename(&ready, &present)?;
    durable::sync_folder(data_dir)?;
    Ok(note)
}

fn open(path: &Path, master: &MasterKey, clock: &Arc<dyn Clock>, entropy: &Arc<dyn Entropy>) -> Result<Store, Error> {
    let settings = Settings {
        medium: Arc::new(FileMedium { path: path.to_owned(), reserve: 0 }),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        digest_key: master.derive(Purpose::ChangeLog),
        listener: Arc::new(|_| {}),
        checkpoints_beside: false,
    };
    Ok(Store::open(settings)?)
}

/// The first write of the new life.
fn begin(store: &Store, master: &MasterKey, note: &Note, clock: &dyn Clock) -> Result<(), Error> {
    let read = store.read()?;
    catalog::check(&read).map_err(|unfit| match unfit {
        Unfit::Newer(what) => Error::Newer(what),
        Unfit::Store(fault) => fault.into(),
    })?;
    let was = meta::identity(&read)?;
    if !same(&was.key_check, &keyed(&master.derive(Purpose::Check), &[b"store"])) {
        return Err(Error::Broken("the master key is not its box's".into()));
    }
    let (at, backup_at) = (clock.now(), note.made_at);
    store.write_blocking(move |tx, now| {
        let epoch = tx.entropy().uuid(now);
        if was.logging {
            meta::start_log(tx, epoch)?;
        } else {
            tx.put(&meta::Identity { epoch, parent_epoch: Some(was.epoch), ..was.clone() })?;
        }
        let backup = tx.entropy().uuid(now);
        tx.put(&Restored { at, backup, backup_at, from_epoch: was.epoch, epoch, phase: Phase::Closed })?;
        Ok::<_, Fault>(())
    })?;
    Ok(())
}
