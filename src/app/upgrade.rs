//! The first open of a store by another program than the last: a copy of the store first, then its rows in their present forms.
//!
//! ```text
//!   walked whole ─▶ copied, read back ─▶ copy gets its name ─▶ mark: under way ─▶ rows, a batch a commit ─▶ mark: whole
//! ```
//!
//! Cut off before the mark, the store is as it was; after it, the next start goes on. The copy holds the store alone and not
//! the keys of messages: what is destroyed from here on stays destroyed. Must not know what a row means.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::app::{STORE_FILE, StartError};
use crate::base::digest::hex;
use crate::base::durable;
use crate::base::time::{Clock, Timestamp, WallTime};
use crate::catalog;
use crate::store::fault::Fault;
use crate::store::medium::RESERVE;
use crate::store::upgrade::{self, Standing};
use crate::store::writer::Store;
use crate::system;

/// Where the copy lies, within the data folder.
pub const COPY_FOLDER: &str = "before-upgrade";
/// What is written about the copy beside it.
const NOTE_FILE: &str = "note.json";
/// How long a copy is kept: by then an upgrade that does no good has been noticed.
const KEPT: Duration = Duration::from_hours(14 * 24);
/// How long a copy and an upgrade may take before systemd gives the start up: a gigabyte on a slow card, with room.
const PATIENCE: Duration = Duration::from_mins(30);
/// Bytes that are copied at once.
const PART: usize = 1 << 20;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The program that had the store before, where it left a mark.
    pub from: Option<String>,
    /// The program that brought it up.
    pub to: String,
    /// When it was copied.
    pub made_at: Timestamp,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// Why a store was not brought up. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The disk has no room for the copy.
    #[error(
        "there is no room to copy the store before the upgrade: {needed} MiB are needed, {free} MiB are free; nothing was changed"
    )]
    Room {
        /// What the copy takes.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// The store is damaged.
    #[error("the store is damaged, so it was not upgraded and nothing was changed: {0}")]
    Damaged(Fault),
    /// The copy could not be written, or reads back differently.
    #[error("the store could not be copied before the upgrade, and nothing was changed: {0}")]
    Copy(#[from] io::Error),
}

/// Brings a store up to this program, if another had it last. Its file is copied first; a store that lies elsewhere, as tests
/// have it, is not.
///
/// # Errors
/// [`StartError::Upgrade`] where the copy cannot be made, [`StartError::Store`].
pub(in crate::app) fn bring_up(
    store: &Store,
    data_dir: &Path,
    in_a_file: bool,
    clock: &dyn Clock,
) -> Result<(), StartError> {
    let tables = catalog::tables();
    let snapshot = store.read()?;
    let standing = upgrade::standing(&snapshot, &tables)?;
    match &standing {
        Standing::Present => return Ok(()),
        Standing::UnderWay => {}
        Standing::Earlier(from) => {
            system::takes_longer(PATIENCE);
            snapshot.walk_pages().map_err(UpgradeError::Damaged)?;
            if in_a_file {
                copy(data_dir, from.clone(), clock.now())?;
            }
        }
    }
    drop(snapshot);
    tracing::info!(?standing, "the store is brought up to this version");
    if standing != Standing::UnderWay {
        let tables = tables.clone();
        store.write_blocking(move |tx, _| upgrade::mark(tx, &tables, true))?;
    }
    let (mut brought, mut damaged, mut next) = (0, 0, Some(Vec::new()));
    while let Some(from) = next {
        let tables = tables.clone();
        let step = store.write_blocking(move |tx, _| upgrade::step(tx, &tables, from))?;
        brought += step.brought;
        damaged += step.damaged;
        next = step.next;
    }
    store.write_blocking(move |tx, _| upgrade::mark(tx, &tables, false))?;
    tracing::info!(brought, damaged, "the store is of this version");
    Ok(())
}

/// Copies the store's file. Nothing writes to it: it was opened just now and nobody has the store yet.
fn copy(data_dir: &Path, from: Option<String>, now: Timestamp) -> Result<(), UpgradeError> {
    let source = data_dir.join(STORE_FILE);
    let bytes = fs::metadata(&source)?.len();
    let free = durable::free_bytes(data_dir)?;
    let needed = bytes.saturating_add(RESERVE);
    if free < needed {
        return Err(UpgradeError::Room { needed: needed >> 20, free: free >> 20 });
    }
    let unfinished = data_dir.join(format!("{COPY_FOLDER}.part"));
    durable::remove_folder(&unfinished)?;
    fs::DirBuilder::new().mode(0o700).create(&unfinished)?;
    let written = write(&source, &unfinished.join(STORE_FILE))?;
    if digest(&unfinished.join(STORE_FILE))? != written {
        return Err(io::Error::other("the copy reads back differently: look after the disk").into());
    }
    let sha256 = hex(&written);
    let note = Note { from, to: env!("CARGO_PKG_VERSION").to_owned(), made_at: now, bytes, sha256 };
    durable::replace(&unfinished.join(NOTE_FILE), &serde_json::to_vec_pretty(&note).map_err(io::Error::other)?)?;
    let place = data_dir.join(COPY_FOLDER);
    // Of an upgrade before this one, which ended well.
    durable::remove_folder(&place)?;
    fs::rename(&unfinished, &place)?;
    Ok(durable::sync_folder(data_dir)?)
}

/// What is known of the copy in a data folder.
#[must_use]
pub fn note(data_dir: &Path) -> Option<Note> {
    serde_json::from_slice(&fs::read(data_dir.join(COPY_FOLDER).join(NOTE_FILE)).ok()?).ok()
}

/// Removes a copy that has served its time, by a clock that is known to be right. Returns whether there was one.
///
/// # Errors
/// What the operating system says.
pub fn forget(data_dir: &Path, wall: WallTime) -> io::Result<bool> {
    let old = note(data_dir).is_some_and(|note| wall.trusted && wall.now.since(note.made_at) > KEPT);
    if old {
        durable::remove_folder(&data_dir.join(COPY_FOLDER))?;
    }
    Ok(old)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Copies a file to the disk and returns the digest of what was read.
fn write(from: &Path, to: &Path) -> io::Result<[u8; 32]> {
    let (mut from, mut to) = (File::open(from)?, create(to)?);
    let digest = each_part(&mut from, |part| to.write_all(part))?;
    to.sync_all()?;
    // What is read back comes from the disk.
    rustix::fs::fadvise(&to, 0, None, rustix::fs::Advice::DontNeed).unwrap_or_default();
    Ok(digest)
}

fn digest(path: &Path) -> io::Result<[u8; 32]> {
    each_part(&mut File::open(path)?, |_| Ok(()))
}

fn each_part(file: &mut File, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<[u8; 32]> {
    let (mut digest, mut part) = (Sha256::new(), vec![0; PART]);
    loop {
        let read = file.read(&mut part)?;
        let Some(read) = part.get(..read).filter(|part| !part.is_empty()) else { return Ok(digest.finalize().into()) };
        digest.update(read);
        each(read)?;
    }
}
