//! Restoring: an empty folder becomes the box again, under a new life, and says so until all is in order.
//!
//! ```text
//!   the whole backup is read and judged ─▶ marker ─▶ keys ─▶ store: new epoch first, rows, checks ─▶ marker gone
//! ```
//!
//! Cut off anywhere, the marker stays: the box does not start, and the restore can be run again. Must not know central:
//! it is central that fences the new life, until the box is enrolled again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::app::{RESTORING_FILE, STORE_FILE};
use crate::backup::check::{self, Checked, Target};
use crate::backup::create::SealedKeys;
use crate::backup::error::Error;
use crate::backup::format::Head;
use crate::backup::keys::{self, put};
use crate::base::digest::{hex, keyed};
use crate::base::durable;
use crate::base::entropy::Entropy;
use crate::base::keys::{MasterKey, Purpose};
use crate::base::recovery::RecoveryKey;
use crate::base::secret::Secret;
use crate::base::time::Clock;
use crate::chat::service::KEY_FILE;
use crate::store::backups::{Phase, Restored};

/// What to restore, and where to.
pub struct Order<'a> {
    /// The backup.
    pub file: &'a Path,
    /// The key of its sheet.
    pub key: &'a RecoveryKey,
    /// The folder to fill: absent or empty.
    pub data_dir: &'a Path,
    /// The owner says that the box it was made on will never run again.
    pub adopt: bool,
    /// The owner says that central is not to be spoken to any more.
    pub forget_central: bool,
    /// The digest of this machine's id under the box's key, given the key.
    pub machine: &'a dyn Fn(&MasterKey) -> Option<String>,
}

/// What was restored.
#[derive(Debug)]
pub struct Done {
    /// The backup.
    pub backup: Checked,
    /// Whether the box was enrolled at central, which will fence it until it is enrolled again.
    pub enrolled: bool,
}

/// Restores.
///
/// # Errors
/// [`Error`]. Before the marker is written nothing was changed; after that the folder is not a box until it is run again.
pub fn restore(order: &Order<'_>, clock: &Arc<dyn Clock>, entropy: &Arc<dyn Entropy>) -> Result<Done, Error> {
    is_empty(order.data_dir)?;
    // First from end to end, so that a damaged backup changes nothing.
    let (head, sealed, _) = check::read_through(order.file, order.key)?;
    let sealed = check::open_keys(&sealed, order.key)?;
    let master = master_of(&sealed, &head)?;
    if !order.adopt && head.machine != (order.machine)(&master) {
        return Err(Error::Foreign);
    }
    prepare(order.data_dir)?;
    write_keys(order, &sealed, &master)?;
    let now = clock.now();
    let restored = Restored {
        at: now,
        backup: head.id,
        backup_at: head.made_at,
        from_epoch: head.epoch,
        epoch: entropy.uuid(now),
        phase: Phase::Loading,
    };
    let mut reader = check::open(order.file, order.key)?;
    if reader.head != head {
        return Err(Error::Broken("it was changed while it was read".into()));
    }
    reader.head.logging &= !order.forget_central;
    let target = Target {
        folder: order.data_dir.to_owned(),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        digest_key: master.derive(Purpose::ChangeLog),
        restored,
    };
    let (store, head, end) = check::fill(reader, target)?;
    store.close();
    fs::remove_file(order.data_dir.join(RESTORING_FILE))?;
    durable::sync_folder(order.data_dir)?;
    Ok(Done { backup: Checked::of(&head, &end), enrolled: head.logging })
}

/// Whether a backup was made on this machine, by its head and its sealed keys.
///
/// # Errors
/// [`Error::Seal`] for another key, [`Error::Broken`].
pub fn made_here(head: &Head, sealed: &[u8], key: &RecoveryKey) -> Result<bool, Error> {
    let master = master_of(&check::open_keys(sealed, key)?, head)?;
    Ok(head.machine == keys::this_machine(&master))
}

/// A folder with anything in it is refused, unless it is what a cut restore left.
fn is_empty(folder: &Path) -> Result<(), Error> {
    let mut entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if folder.join(RESTORING_FILE).exists() || entries.next().is_none() {
        Ok(())
    } else {
        Err(Error::NotEmpty(folder.display().to_string()))
    }
}

/// Makes the folder and its marker; what a cut restore left is removed.
fn prepare(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    durable::make_folder(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    put(folder, RESTORING_FILE, b"A restore is under way here, or was cut off. Run it again.\n")?;
    let left: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    for path in left.iter().filter(|path| !path.ends_with(RESTORING_FILE)) {
        // Only what a restore itself writes; anything else is somebody's, and stays.
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(STORE_FILE) || ["master.key", "s2s.key", KEY_FILE, "upstream.toml"].contains(&name) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn master_of(sealed: &SealedKeys, head: &Head) -> Result<MasterKey, Error> {
    let wrong = || Error::Broken("its keys are not those of its box".into());
    let bytes = Secret::new(STANDARD.decode(&sealed.master).map_err(|_| wrong())?);
    let master = MasterKey::new(<[u8; 32]>::try_from(bytes.expose().as_slice()).map_err(|_| wrong())?);
    let check = keyed(&master.derive(Purpose::Check), &[b"store"]);
    let signer = STANDARD.encode(keys::signer(&master).public());
    if hex(&check) == head.key_check && signer == head.signer { Ok(master) } else { Err(wrong()) }
}

fn write_keys(order: &Order<'_>, sealed: &SealedKeys, master: &MasterKey) -> Result<(), Error> {
    let folder = order.data_dir;
    let line = |bytes: &str| Secret::new(format!("provided {bytes}\n"));
    put(folder, "master.key", line(&STANDARD.encode(master.expose())).expose().as_bytes())?;
    // A token that came from a variable of the old services is not of this form, and stays with the variable.
    let s2s = sealed.s2s.as_deref().filter(|text| STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 32));
    if let Some(s2s) = s2s {
        put(folder, "s2s.key", line(s2s).expose().as_bytes())?;
    }
    if let Some(chat) = &sealed.chat {
        let bytes = STANDARD.decode(chat).map_err(|_| Error::Broken("its keys are not of their form".into()))?;
        put(folder, KEY_FILE, &bytes)?;
    }
    if let Some(login) = sealed.login.as_ref().filter(|_| !order.forget_central) {
        put(folder, "upstream.toml", login.as_bytes())?;
    }
    Ok(())
}
