//! Replication by hand: what central has not got goes on a stick as a bundle, and an acknowledgement comes back on it.
//!
//! ```text
//!   box      export ─▶ whotbox-…-000007.bundle    sealed with age to the courier's key, signed, numbered; the box's login is in it
//!   central  apply  ─▶ the same guarded functions as over a line ─▶ whotbox-…-000007.ack     sealed for the box alone
//!   box      import ─▶ orders carried out, cursors acknowledged, refused rows listed
//! ```
//!
//! Where central stands is central's to say, so a bundle that is late, lost, brought twice or overtaken by a line changes nothing that is
//! not due. Whoever opens a bundle proves by its acknowledgement that they opened it: the key of the answer is in the bundle.

pub mod apply;
pub mod export;
mod format;
pub mod import;
mod pouch;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use replication::error::Error as Central;
use replication::fence::Fence;
use replication::row::{Lane, Table};

use crate::base::digest::{Key, keyed};
use crate::base::durable;
use crate::base::keys::{MasterKey, Purpose};
use crate::base::recovery::{RecoveryError, RecoveryKey};
use crate::base::secret::Secret;
use crate::base::sign::Signer;
use crate::catalog;
use crate::config::ConfigError;
use crate::store::fault::Fault;
use crate::upstream::custody::{BUCKET_KEYS, Halt};
use crate::upstream::escrow::RECOVERY_KEYS;

/// How a bundle's name ends.
pub const BUNDLE: &str = "bundle";
/// How an acknowledgement's name ends.
pub const ACK: &str = "ack";

/// Why a courier's errand comes to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// The box was never enrolled.
    #[error("this box is not linked to a central database")]
    NotLinked,
    /// Nobody was named who may open the bundle.
    #[error("nobody is named who may open the bundle")]
    NoRecipient,
    /// It was changed, cut, or is nothing of ours.
    #[error("it is damaged, cut off, or no file of a courier's")]
    Damaged,
    /// It is sealed to somebody else.
    #[error("it is sealed to another courier's key")]
    OtherKey,
    /// It was made by a newer program.
    #[error("it was made by a newer version: {0}")]
    Newer(String),
    /// It is another box's.
    #[error("it is for box {0}, not for this one")]
    OtherBox(Uuid),
    /// It is of a life of the box that is over.
    #[error("it is of another life of this box's log than the present one")]
    OtherLife,
    /// Bundles before it are missing.
    #[error(
        "it starts behind entry {starts} of the {lane} lane and central has only {central}: a bundle before it is missing, the last that came is {last}"
    )]
    Missing {
        /// The lane.
        lane: &'static str,
        /// Where central stands.
        central: i64,
        /// Where the bundle starts.
        starts: i64,
        /// The highest number that central has seen before.
        last: i64,
    },
    /// Two copies of the box have written.
    #[error("central's history of the {lane} lane differs from the bundle's at entry {seq}")]
    OtherHistory {
        /// The lane.
        lane: &'static str,
        /// Where.
        seq: i64,
    },
    /// The box may not go on from where central stands.
    #[error(transparent)]
    Fence(#[from] Fence),
    /// Orders between those that the box has answered and those of the acknowledgement are missing.
    #[error("it holds orders above {after}, and this box has answered only up to {answered}")]
    OrdersMissing {
        /// It holds those above.
        after: u64,
        /// The last that was answered here.
        answered: u64,
    },
    /// A file cannot be read or written.
    #[error("{}: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It cannot be sealed.
    #[error(transparent)]
    Sealing(RecoveryError),
    /// Central refused, or was not reached.
    #[error(transparent)]
    Central(#[from] Central),
    /// The login cannot be read.
    #[error(transparent)]
    Login(#[from] ConfigError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] Fault),
    /// The chat's keys cannot be read.
    #[error(transparent)]
    Keys(#[from] Halt),
}

impl CourierError {
    /// What to do.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::NotLinked => "Link it: whotbox upstream enroll.",
            Self::NoRecipient => "Name the courier's public key with --to age1…, or set courier_recipient.",
            Self::Damaged => "Copy it from the stick again; if that does not help, export anew: nothing is lost.",
            Self::OtherKey => "Use the key that the box's courier_recipient belongs to.",
            Self::Newer(_) => "Install the newer whotbox here; nothing was changed.",
            Self::OtherBox(_) => "Bring it to the box that it is for; nothing was changed.",
            Self::OtherLife => "The box was enrolled, restored or rebuilt since: export anew. Nothing was changed.",
            Self::Missing { .. } => {
                "Bring the missing bundle first; or import the acknowledgement that was written now, and export anew."
            }
            Self::OtherHistory { .. } | Self::Fence(_) => {
                "Nothing was changed. Look at the box: whotbox sync reconcile --dry-run."
            }
            Self::OrdersMissing { .. } => "Import the earlier acknowledgement first, or let the box speak to central.",
            Self::File { .. } => "Look after the stick or the disk, then run it again: nothing is lost.",
            Self::Sealing(_) | Self::Login(_) => "Mend what is named and run it again.",
            Self::Central(_) => "Run it again: what was applied is not applied twice.",
            Self::Store(_) | Self::Keys(_) => "Run: whotbox doctor.",
        }
    }
}

/// What signs a box's bundles.
fn signer(master: &MasterKey) -> Signer {
    Signer::new(&keyed_as(master, &[b"sign"]))
}

/// What an acknowledgement of a bundle is sealed with: it is in the bundle, and the box derives it again.
fn reply_key(master: &MasterKey, bundle: Uuid) -> Key {
    keyed_as(master, &[b"reply", bundle.as_bytes()])
}

fn keyed_as(master: &MasterKey, parts: &[&[u8]]) -> Key {
    Secret::new(keyed(&master.derive(Purpose::Courier), parts))
}

/// A table that bundles carry, by its full name.
fn find(name: &str) -> Option<&'static Table> {
    let past_the_log = [&BUCKET_KEYS, &RECOVERY_KEYS].into_iter().find(|table| table.full_name() == name);
    let tables = catalog::tables().into_iter().filter_map(|info| info.upstream);
    past_the_log.or_else(|| tables.map(|goes| goes.table).find(|table| table.full_name() == name))
}

const fn place_of(lane: Lane) -> usize {
    match lane {
        Lane::Urgent => 0,
        Lane::Bulk => 1,
    }
}

/// The name of a bundle or its acknowledgement: box, life and number, so that names sort.
fn file_name(box_id: Uuid, epoch: Uuid, number: u64, ending: &str) -> String {
    // The random ends: ids of one moment begin alike.
    let end = |id: Uuid| id.simple().to_string().split_off(24);
    format!("whotbox-{}-{}-{number:06}.{ending}", end(box_id), end(epoch))
}

/// Writes a file that gets its name only when it is whole.
fn write_whole(
    folder: &Path,
    name: &str,
    write: impl FnOnce(&File) -> Result<(), CourierError>,
) -> Result<PathBuf, CourierError> {
    let path = folder.join(name);
    let done = durable::replace_with(&path, |file| write(file).map_err(Whole::Content));
    match done {
        Ok(()) => Ok(path),
        Err(Whole::Content(error)) => Err(error),
        Err(Whole::Disk(error)) => Err(CourierError::File { path, error }),
    }
}

/// What can go wrong with a file that is to be whole.
enum Whole {
    Content(CourierError),
    Disk(io::Error),
}

impl From<io::Error> for Whole {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// Makes a courier's key: the secret half into a new file, the public half is the answer.
///
/// # Errors
/// [`CourierError::File`] where there is such a file already.
pub fn make_key(path: &Path) -> Result<String, CourierError> {
    let key = RecoveryKey::generate().map_err(CourierError::Sealing)?;
    let public = key.public().map_err(CourierError::Sealing)?.as_str().to_owned();
    let failed = |error| CourierError::File { path: path.to_owned(), error };
    let text = Secret::new(format!("# public key: {public}\n{}\n", key.expose()));
    durable::create(path, text.expose().as_bytes()).map_err(failed)?;
    Ok(public)
}
