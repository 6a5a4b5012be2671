//! A backup that a fresh box becomes while it runs: restored beside it, and moved into its place at the next start.
//!
//! ```text
//!   pieces ─▶ restore/upload.age ─▶ restore/box: whole, checked ─▶ restore/ready names its files ─▶ the box ends
//!   the next start: what the fresh box had is removed ─▶ the files are moved up ─▶ restore/ is gone ─▶ the box opens
//! ```
//! Cut off before `ready` is there, the fresh box goes on; after it, the next start finishes the move. Must not know who
//! may ask for it.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::app::{App, STORE_FILE};
use crate::backup::error::Error;
use crate::backup::keys::{self, put};
use crate::backup::restore::{Done, Order, made_here, restore};
use crate::backup::{check, folder};
use crate::base::durable;
use crate::base::entropy::Entropy;
use crate::base::recovery::RecoveryKey;
use crate::base::time::Clock;
use crate::chat::service::KEY_FILE;
use crate::config::secrets;
use crate::identity::users::{self, Role};
use crate::store::page::Page;

/// The folder within the data folder.
const FOLDER: &str = "restore";
/// The file that was sent here.
const UPLOAD: &str = "upload.age";
/// The restored box.
const STAGED: &str = "box";
/// Names the files of the restored box, one a line, once it is whole.
const READY: &str = "ready";
/// What a box keeps for itself and a restored one brings or makes anew. The certificate stays: phones know it.
const OWN: [&str; 6] = ["master.key", "s2s.key", KEY_FILE, "upstream.toml", keys::RECOVERY_FILE, keys::OWN_FILE];

/// What is restored, as a person says it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// A name of the backup folder; `None` is the file that was sent here.
    pub name: Option<String>,
    /// The key of its sheet.
    pub key: RecoveryKey,
    /// The box that it was made on will never run again.
    pub adopt: bool,
    /// Central is not to be spoken to any more.
    pub forget_central: bool,
    /// The signature on the sheet, which the backup must bear.
    pub signature: Option<String>,
}

/// What a backup says of itself before it is read.
#[derive(Debug)]
pub struct Look {
    /// Its head.
    pub head: crate::backup::format::Head,
    /// What the sheet calls its signature.
    pub signature: String,
    /// It was made on this machine.
    pub here: bool,
}

/// Why this box cannot become another one.
///
/// # Errors
/// [`Error`] where the store cannot be read.
pub fn hindrance(app: &App) -> Result<Option<Error>, Error> {
    if secrets::master_is_given() {
        return Ok(Some(Error::GivenKey));
    }
    let read = app.store.read()?;
    for role in [Role::Customer, Role::Distributor, Role::Moderator] {
        if !users::list(&read, Some(role), &Page::first(1))?.items.is_empty() {
            return Ok(Some(Error::NotEmpty(app.config.data_dir.display().to_string())));
        }
    }
    Ok(None)
}

fn place(app: &App) -> PathBuf {
    app.config.data_dir.join(FOLDER)
}

fn make_place(app: &App) -> Result<PathBuf, Error> {
    let place = place(app);
    durable::make_folder(&place)?;
    Ok(place)
}

/// How much of a file has been sent here.
///
/// # Errors
/// [`Error::Io`].
pub fn received(app: &App) -> Result<u64, Error> {
    match fs::metadata(place(app).join(UPLOAD)) {
        Ok(meta) => Ok(meta.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Takes the next piece of a file; at 0 a new one begins. Returns how much is there: where that is not what was expected,
/// nothing was taken, and the sender goes on from there.
///
/// # Errors
/// [`Error::Io`].
pub fn take(app: &App, offset: u64, piece: &[u8]) -> Result<u64, Error> {
    let path = make_place(app)?.join(UPLOAD);
    let here = if offset == 0 { 0 } else { received(app)? };
    if here != offset {
        return Ok(here);
    }
    let mut open = fs::OpenOptions::new();
    let mut file = open.create(true).append(offset > 0).write(true).truncate(offset == 0).mode(0o600).open(path)?;
    file.write_all(piece)?;
    Ok(offset.saturating_add(piece.len() as u64))
}

fn file_of(app: &App, wanted: &Wanted) -> Result<PathBuf, Error> {
    match &wanted.name {
        Some(name) => folder::find(app, name),
        None => Ok(place(app).join(UPLOAD)),
    }
}

/// What the backup says of itself; it is not read to its end.
///
/// # Errors
/// [`Error`] for another key and for what is no backup.
pub fn look(app: &App, wanted: &Wanted) -> Result<Look, Error> {
    let reader = check::open(&file_of(app, wanted)?, &wanted.key)?;
    let here = made_here(&reader.head, &reader.sealed, &wanted.key)?;
    let head = reader.head;
    let signature = keys::fingerprint_of(&head.signer);
    match &wanted.signature {
        Some(sheet) if sheet.trim().to_uppercase() != signature => Err(Error::OtherSignature(signature)),
        _ => Ok(Look { head, signature, here }),
    }
}

/// Restores beside the running box, to be moved in at the next start.
///
/// # Errors
/// [`Error`]; the running box was not changed.
pub fn stage(app: &App, wanted: &Wanted) -> Result<Done, Error> {
    if let Some(hindrance) = hindrance(app)? {
        return Err(hindrance);
    }
    look(app, wanted)?;
    let place = make_place(app)?;
    let _alone = folder::hold(&place)?;
    let staged = place.join(STAGED);
    durable::remove_folder(&staged)?;
    let file = file_of(app, wanted)?;
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::clone(&app.clock), Arc::clone(&app.entropy));
    let done = restore(
        &Order {
            file: &file,
            key: &wanted.key,
            data_dir: &staged,
            adopt: wanted.adopt,
            forget_central: wanted.forget_central,
            machine: &keys::this_machine,
        },
        &clock,
        &entropy,
    )?;
    // Somebody may have joined meanwhile.
    if let Some(hindrance) = hindrance(app)? {
        return Err(hindrance);
    }
    let mut names = String::new();
    for entry in fs::read_dir(&staged)? {
        names += &format!("{}\n", entry?.file_name().to_string_lossy());
    }
    put(&place, READY, names.as_bytes())?;
    Ok(done)
}

/// Finishes a restore that waits in a data folder: before the box is opened. Returns whether one did.
///
/// # Errors
/// What the disk says; it can be run again.
pub fn move_in(data_dir: &Path) -> io::Result<bool> {
    let place = data_dir.join(FOLDER);
    let names = match fs::read_to_string(place.join(READY)) {
        Ok(text) => text.lines().map(str::to_owned).collect::<Vec<_>>(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // A name goes away with its file's arrival only where it is not one of the restored box's: so this can be cut off.
    for entry in fs::read_dir(data_dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let own = name.starts_with(STORE_FILE) || OWN.contains(&name.as_str());
        if own && !names.contains(&name) {
            fs::remove_file(path)?;
        }
    }
    for name in names.iter().filter(|name| name.starts_with(STORE_FILE) || OWN.contains(&name.as_str())) {
        match fs::rename(place.join(STAGED).join(name), data_dir.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    durable::sync_folder(data_dir)?;
    fs::remove_file(place.join(READY))?;
    // Before the box makes files of its own: were this name to come back, they would be taken for the fresh box's.
    durable::sync_folder(&place)?;
    fs::remove_dir_all(place)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(path: &Path) -> Option<String> {
        fs::read_to_string(path).ok()
    }

    /// A fresh box, and a restored one that waits beside it.
    fn waiting() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in
            [("box.redb", "fresh"), ("master.key", "fresh"), ("backup.key", "fresh"), ("cert.pem", "fresh")]
        {
            write(&folder.path().join(name), text);
        }
        for name in ["box.redb", "master.key", "s2s.key"] {
            write(&folder.path().join("restore/box").join(name), "restored");
        }
        write(&folder.path().join("restore/ready"), "box.redb\nmaster.key\ns2s.key\n");
        folder
    }

    #[track_caller]
    fn is_in(data_dir: &Path) {
        for name in ["box.redb", "master.key", "s2s.key"] {
            assert_eq!(read(&data_dir.join(name)).as_deref(), Some("restored"), "{name}");
        }
        assert_eq!(
            (read(&data_dir.join("backup.key")), read(&data_dir.join("cert.pem"))),
            (None, Some("fresh".into()))
        );
        assert!(!data_dir.join("restore").exists());
    }

    #[test]
    fn what_waits_is_moved_in_and_what_is_not_ready_is_not() {
        let folder = waiting();
        fs::remove_file(folder.path().join("restore/ready")).unwrap();
        assert!(!move_in(folder.path()).unwrap());
        assert_eq!(read(&folder.path().join("box.redb")).as_deref(), Some("fresh"));
        let folder = waiting();
        assert!(move_in(folder.path()).unwrap());
        is_in(folder.path());
        assert!(!move_in(folder.path()).unwrap());
    }

    #[test]
    fn a_move_that_was_cut_off_is_finished() {
        for moved in [vec!["box.redb"], vec!["box.redb", "master.key"], vec!["box.redb", "master.key", "s2s.key"]] {
            let folder = waiting();
            for name in moved {
                fs::rename(folder.path().join("restore/box").join(name), folder.path().join(name)).unwrap();
            }
            assert!(move_in(folder.path()).unwrap());
            is_in(folder.path());
        }
    }
}
