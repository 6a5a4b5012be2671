//! The keys of backups on the box: the public half of the recovery key, and a key by which the box proves its own.
//!
//! The recovery key itself never touches the disk of the box: it is on the sheet alone.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::backup::error::Error;
use crate::base::digest::{Key, hex, keyed, sha256};
use crate::base::durable;
use crate::base::keys::{MasterKey, Purpose};
use crate::base::recovery::{RecoveryKey, RecoveryPublic};
use crate::base::sign::Signer;
use crate::base::time::Timestamp;

/// The public half of the recovery key, within the data folder.
pub const RECOVERY_FILE: &str = "recovery.pub";
/// The key by which the box opens its own backups, save for the keys in them.
pub const OWN_FILE: &str = "backup.key";
/// Where Linux keeps the id of this installation.
const MACHINE_ID: &str = "/etc/machine-id";

/// The public half of the recovery key, and when it was made.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// What seals.
    pub public: RecoveryPublic,
    /// When the sheet was printed.
    pub made_at: Option<Timestamp>,
}

/// The recovery key's public half; `None` until a sheet was printed.
///
/// # Errors
/// [`Error::Seal`] for a damaged file, [`Error::Io`].
pub fn recovery(data_dir: &Path) -> Result<Option<Recovery>, Error> {
    let Some(text) = read(&data_dir.join(RECOVERY_FILE))? else { return Ok(None) };
    let mut words = text.split_whitespace();
    let public = RecoveryPublic::parse(words.next().unwrap_or_default())?;
    Ok(Some(Recovery { public, made_at: words.next().and_then(|at| at.parse().ok()) }))
}

/// Makes a recovery key and keeps its public half. The key is in the answer and nowhere else.
///
/// # Errors
/// [`Error::HasRecoveryKey`], [`Error::Io`].
pub fn make_recovery(data_dir: &Path, now: Timestamp, replace: bool) -> Result<RecoveryKey, Error> {
    if !replace && recovery(data_dir)?.is_some() {
        return Err(Error::HasRecoveryKey);
    }
    let key = RecoveryKey::generate()?;
    put(data_dir, RECOVERY_FILE, format!("{} {now}\n", key.public()?.as_str()).as_bytes())?;
    Ok(key)
}

/// The box's own key for its backups, made with the first one.
///
/// # Errors
/// [`Error::Seal`] for a damaged file, [`Error::Io`].
pub fn own(data_dir: &Path) -> Result<RecoveryKey, Error> {
    if let Some(text) = read(&data_dir.join(OWN_FILE))? {
        return Ok(RecoveryKey::parse(&text)?);
    }
    let key = RecoveryKey::generate()?;
    put(data_dir, OWN_FILE, format!("{}\n", key.expose()).as_bytes())?;
    Ok(key)
}

/// What signs the backups of a box.
#[must_use]
pub fn signer(master: &MasterKey) -> Signer {
    Signer::new(&master.derive(Purpose::Backup))
}

/// What the sheet says of the signing key, so that a forged backup is seen: eight digits in two groups.
#[must_use]
pub fn fingerprint(public: &[u8]) -> String {
    let digits: String =
        hex(&sha256(&[b"whotbox/backup/fingerprint", public])).to_uppercase().chars().take(8).collect();
    let (one, two) = digits.split_at_checked(4).unwrap_or((&digits, ""));
    format!("{one}-{two}")
}

/// [`fingerprint`] of a key in base64, as a backup's head has it.
#[must_use]
pub fn fingerprint_of(signer: &str) -> String {
    fingerprint(&STANDARD.decode(signer).unwrap_or_default())
}

/// A digest of this machine's id that says nothing to others; `None` where it has none.
#[must_use]
pub fn this_machine(master: &MasterKey) -> Option<String> {
    let id = fs::read_to_string(MACHINE_ID).ok().filter(|id| id.trim().len() >= 32)?;
    Some(machine(master, id.trim()))
}

/// [`this_machine`] for an id.
#[must_use]
pub fn machine(master: &MasterKey, id: &str) -> String {
    let key: Key = master.derive(Purpose::Backup);
    hex(&keyed(&key, &[b"whotbox/machine", id.as_bytes()]))
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes a private file whole: beside, synced, renamed.
///
/// # Errors
/// What the disk says.
pub fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    durable::replace(&folder.join(name), bytes)
}
