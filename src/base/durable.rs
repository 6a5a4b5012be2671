//! Files and folders that a power cut leaves as they were, or as they were to become: never in between, and never gone
//! once the call has come back.
//!
//! Bytes last when their file is synced, and names when their *folder* is: a file system may lose the name of a synced
//! file, or a whole new folder, until then. `tests/power` cuts the power at every point of what is done here.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Puts a file in place, whole, readable by its owner alone; what was there before is there until then.
///
/// # Errors
/// What the operating system says; the file is then the old one, or the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_with(path, |mut file| file.write_all(bytes))
}

/// The same with whatever `write` puts into it. What it leaves where it fails is removed.
///
/// # Errors
/// What `write` says, and what the operating system says; the file is then the old one, or the new one.
pub fn replace_with<E: From<io::Error>>(path: &Path, write: impl FnOnce(&File) -> Result<(), E>) -> Result<(), E> {
    let beside = beside(path);
    // What an earlier try left may be readable by others, and nothing in it is needed.
    remove_file(&beside)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = write(&file).and_then(|()| {
        file.sync_all()?;
        Ok(std::fs::rename(&beside, path)?)
    });
    if let Err(error) = written {
        // The next try removes it where this does not.
        drop(std::fs::remove_file(&beside));
        return Err(error);
    }
    Ok(sync_folder(folder_of(path))?)
}

/// The same for a file that is not there yet. The folder is locked meanwhile: of two that start together one makes it.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] where there is one, and what the operating system says.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = File::open(folder_of(path))?;
    folder.lock()?;
    if path.try_exists()? {
        return Err(ErrorKind::AlreadyExists.into());
    }
    replace(path, bytes)
}

/// Makes a folder that only its owner can look into; whether it was not there yet.
///
/// # Errors
/// What the operating system says.
pub fn make_folder(path: &Path) -> io::Result<bool> {
    let is_new = match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    // Also where it was there: whoever made it may have died before this.
    match sync_folder(folder_of(path)) {
        // Who may make something in a folder may not always read it, and only who reads it can sync it.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(is_new),
        synced => synced.map(|()| is_new),
    }
}

/// Removes a file, if it is there. Until its folder is synced a power cut may bring it back.
///
/// # Errors
/// What the operating system says.
pub fn remove_file(path: &Path) -> io::Result<()> {
    unless_absent(std::fs::remove_file(path))
}

/// Removes a folder and all that is in it, if it is there. Until the folder around it is synced a power cut may bring it back.
///
/// # Errors
/// What the operating system says.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    unless_absent(std::fs::remove_dir_all(path))
}

/// Bytes that may still be written where a path lies.
///
/// # Errors
/// What the operating system says.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn unless_absent(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Makes the names in a folder last.
///
/// # Errors
/// What the operating system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder that a name lies in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a file is written before it gets its name.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some.key");
        // What an earlier try left is written over.
        std::fs::write(dir.path().join("some.key.new"), [7; 5000]).unwrap();
        create(&path, b"one").unwrap();
        assert_eq!(create(&path, b"two").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        replace(&path, b"three").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing lies beside it");
    }

    #[test]
    fn what_is_made_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("data");
        assert_eq!((make_folder(&folder).unwrap(), make_folder(&folder).unwrap()), (true, false));
        // Even where an earlier try left something that others can read.
        std::fs::write(folder.join("a.new"), b"").unwrap();
        std::fs::set_permissions(folder.join("a.new"), std::fs::Permissions::from_mode(0o644)).unwrap();
        replace(&folder.join("a"), b"secret").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("a"))), (0o700, 0o600));
    }

    #[test]
    fn of_many_that_make_a_file_at_once_one_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let made = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..8_u8)
                .map(|n| {
                    scope.spawn({
                        let path = &path;
                        move || create(path, &[n; 32]).is_ok()
                    })
                })
                .collect();
            tries.into_iter().map(|one| one.join().unwrap()).filter(|made| *made).count()
        });
        assert_eq!((made, std::fs::read(&path).unwrap().len()), (1, 32));
    }
}
