//! The folder of backups: names, the list, how many are kept, and that one is made at a time.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::backup::error::Error;
use crate::backup::format::Reader;
use crate::backup::keys;
use crate::base::durable;
use crate::base::recovery;
use crate::base::time::Timestamp;
use crate::store::backups;

/// The folder within the data folder, where the settings name no other.
pub const FOLDER: &str = "backups";
/// How a whole backup's name ends.
const ENDING: &str = ".age";
/// How the name of one that is being written ends.
pub const UNFINISHED: &str = ".part";

/// A backup as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Backup {
    /// Its file's name.
    pub name: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// Its length in bytes.
    pub bytes: u64,
    /// Rows in it, where that was noted.
    pub rows: Option<u64>,
    /// The program that made it; unknown for one that this box cannot open.
    pub version: Option<String>,
    /// When it was last filled into a scratch store and checked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub checked_at: Option<Timestamp>,
    /// What is wrong with it, if anything was found.
    pub fault: Option<String>,
}

/// Holds the folder: one backup is made at a time, by whichever process.
#[derive(Debug)]
pub struct Alone {
    _lock: File,
}

/// The folder of a box.
#[must_use]
pub fn path(app: &App) -> PathBuf {
    app.config.backup_dir.clone().unwrap_or_else(|| app.config.data_dir.join(FOLDER))
}

/// Makes the folder, readable by its owner alone, and holds it.
///
/// # Errors
/// [`Error::Busy`] while somebody else holds it, [`Error::Io`].
pub fn hold(folder: &Path) -> Result<Alone, Error> {
    durable::make_folder(folder)?;
    let lock = File::open(folder)?;
    match lock.try_lock() {
        Ok(()) => Ok(Alone { _lock: lock }),
        Err(fs::TryLockError::WouldBlock) => Err(Error::Busy),
        Err(fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// The name of a backup: the box and the moment, so that names sort by age.
#[must_use]
pub fn name(box_id: Uuid, made_at: Timestamp) -> String {
    let short: String =
        box_id.simple().to_string().chars().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect();
    let moment: String = made_at.to_string().chars().filter(char::is_ascii_digit).collect();
    let (day, time) = moment.split_at_checked(8).unwrap_or((&moment, ""));
    format!("whotbox-{short}-{day}-{time}{ENDING}")
}

/// The file of a listed backup.
///
/// # Errors
/// [`Error::NotFound`] for anything that is no name of a backup in the folder.
pub fn find(app: &App, name: &str) -> Result<PathBuf, Error> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    let file = path(app).join(name);
    if plain && name.starts_with("whotbox-") && name.ends_with(ENDING) && file.is_file() {
        Ok(file)
    } else {
        Err(Error::NotFound)
    }
}

/// Names of whole backups, newest first.
///
/// # Errors
/// [`Error::Io`].
pub fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("whotbox-") && name.ends_with(ENDING) {
            names.push(name);
        }
    }
    // The moment stands last in a name; boxes of several ids may share a folder.
    names.sort_by(|a, b| moment(b).cmp(moment(a)));
    Ok(names)
}

fn moment(name: &str) -> &str {
    name.splitn(3, '-').nth(2).unwrap_or_default()
}

/// The backups of the folder, newest first, with what was noted of each.
///
/// # Errors
/// [`Error`] where folder or store cannot be read.
pub fn list(app: &App) -> Result<Vec<Backup>, Error> {
    let folder = path(app);
    let noted = backups::runs(&app.store.read()?)?;
    let own = keys::own(&app.config.data_dir).ok();
    let mut all = Vec::new();
    for name in names(&folder)? {
        let file = folder.join(&name);
        let bytes = fs::metadata(&file)?.len();
        let head = own.as_ref().and_then(|key| {
            let opened = recovery::open(key, BufReader::new(File::open(&file).ok()?)).ok()?;
            Some(Reader::begin(opened).ok()?.head)
        });
        let run = noted.iter().find(|run| run.file == name);
        let Some(made_at) = head.as_ref().map(|head| head.made_at).or_else(|| run.map(|run| run.made_at)) else {
            let fault = Some("It was not made by this box, or it is damaged.".to_owned());
            let made_at = Timestamp::from_micros(0);
            all.push(Backup { name, made_at, bytes, rows: None, version: None, checked_at: None, fault });
            continue;
        };
        all.push(Backup {
            name,
            made_at,
            bytes,
            rows: run.map(|run| run.rows),
            version: head.map(|head| head.version),
            checked_at: run.and_then(|run| run.checked_at),
            fault: run.and_then(|run| run.fault.clone()),
        });
    }
    Ok(all)
}

/// Removes the oldest backups of a box beyond `keep`, and what unfinished ones left. Returns the names that went.
///
/// # Errors
/// [`Error::Io`].
pub fn prune(folder: &Path, box_id: Uuid, keep: usize) -> Result<Vec<String>, Error> {
    let ours = name(box_id, Timestamp::from_micros(0));
    let front: String = ours.chars().take("whotbox-00000000-".len()).collect();
    let mut gone = Vec::new();
    for name in names(folder)?.into_iter().filter(|name| name.starts_with(&front)).skip(keep.max(1)) {
        fs::remove_file(folder.join(&name))?;
        gone.push(name);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') && name.ends_with(UNFINISHED) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(gone)
}
