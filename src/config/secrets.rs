//! The secrets of a box: where they lie, how they are made, and which are good enough.
//!
//! The master key and the service token are systemd credentials or 0600 files in the data folder. The old
//! services' variables are taken over once, into those files. A value never reaches an error or a log.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::base::digest::{Key, hmac_sha256, same};
use crate::base::entropy::Entropy;
use crate::base::keys::{MasterKey, Purpose};
use crate::base::secret::Secret;
use crate::config::ConfigError;

/// Shortest secret that somebody may choose, in bytes.
const MIN_SECRET: usize = 32;
/// First word of a key file that the box made for itself.
const GENERATED: &str = "generated";
/// First word of a key file that was given.
const PROVIDED: &str = "provided";

/// The old services' variables (contract, section 8), as found in the environment.
#[derive(Debug, Default, Clone)]
pub struct OldVariables {
    /// `CHAT_ENCRYPTION_KEY`, or `APP_SECRET_KEY` where there is none.
    pub master: Option<Secret<String>>,
    /// `JWT_SECRET_KEY`.
    pub jwt: Option<Secret<String>>,
    /// `S2S_WEBHOOK_SECRET`.
    pub s2s: Option<Secret<String>>,
}

impl OldVariables {
    /// Reads them from the environment of this process.
    #[must_use]
    pub fn from_environment() -> Self {
        let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty()).map(Secret::new);
        Self {
            master: get("CHAT_ENCRYPTION_KEY").or_else(|| get("APP_SECRET_KEY")),
            jwt: get("JWT_SECRET_KEY"),
            s2s: get("S2S_WEBHOOK_SECRET"),
        }
    }
}

/// The secrets of a running box.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Everything else derives from it.
    pub master: MasterKey,
    /// Signs access tokens: `JWT_SECRET_KEY` where it is set, so that other services can go on checking them.
    pub jwt: Key,
    /// What a service presents in `X-S2S-Token`.
    pub s2s: Secret<String>,
}

/// Reads the secrets of a data folder, making what is missing.
///
/// # Errors
/// [`ConfigError::Secret`] naming a secret that cannot be read or written, is readable by others, too short, or
/// (`production`) was generated.
pub fn load(dir: &Path, old: &OldVariables, production: bool, entropy: &dyn Entropy) -> Result<Secrets, ConfigError> {
    for (name, value) in [
        ("CHAT_ENCRYPTION_KEY or APP_SECRET_KEY", &old.master),
        ("JWT_SECRET_KEY", &old.jwt),
        ("S2S_WEBHOOK_SECRET", &old.s2s),
    ] {
        if let Some(value) = value {
            strong_enough(name, value.expose(), production)?;
        }
    }
    let given = old.master.as_ref().map(|text| hmac_sha256(b"whotbox/master", text.expose().as_bytes()));
    let master = key_file(dir, "master.key", given, production, entropy)?;
    let given = old.s2s.as_ref().map(|text| text.expose().as_bytes().to_vec());
    let s2s = match given {
        Some(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        None => STANDARD.encode(key_file(dir, "s2s.key", None, production, entropy)?.expose()),
    };
    let master = MasterKey::new(*master.expose());
    let jwt = match &old.jwt {
        Some(text) => Secret::new(hmac_sha256(b"whotbox/jwt", text.expose().as_bytes())),
        None => master.derive(Purpose::Jwt),
    };
    Ok(Secrets { master, jwt, s2s: Secret::new(s2s) })
}

/// Reads the key that posts to the SMS gateway are signed with, making it where it is missing.
///
/// # Errors
/// As [`load`].
pub fn webhook(dir: &Path, production: bool, entropy: &dyn Entropy) -> Result<Key, ConfigError> {
    key_file(dir, "webhook.key", None, production, entropy)
}

fn fail(secret: impl Into<String>, reason: impl Into<String>) -> ConfigError {
    ConfigError::Secret { secret: secret.into(), reason: reason.into() }
}

fn strong_enough(name: &str, value: &str, production: bool) -> Result<(), ConfigError> {
    let distinct = value.bytes().collect::<std::collections::BTreeSet<_>>().len();
    let known = ["changeme", "secret", "default", "password", "example", "test", "dev"];
    let lower = value.to_ascii_lowercase();
    if production && (value.len() < MIN_SECRET || distinct < 10 || known.iter().any(|word| lower.contains(word))) {
        return Err(fail(
            name,
            format!("It is too weak for --production: use at least {MIN_SECRET} random characters."),
        ));
    }
    Ok(())
}

/// The 32 bytes of a key file: from systemd's credentials, the data folder, the given bytes, or made anew.
fn key_file(
    dir: &Path,
    name: &str,
    given: Option<[u8; 32]>,
    production: bool,
    entropy: &dyn Entropy,
) -> Result<Key, ConfigError> {
    if let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") {
        let path = PathBuf::from(folder).join(name);
        if path.exists() {
            return read_key(&path, false).map(|(_, key)| key);
        }
    }
    let path = dir.join(name);
    let (origin, key) = match read_key(&path, true) {
        Ok(found) => found,
        Err(ConfigError::Secret { reason, .. }) if reason == MISSING => {
            let origin = if given.is_some() { PROVIDED } else { GENERATED };
            if production && given.is_none() {
                return Err(fail(
                    name,
                    "It is missing, and --production makes no secrets: give it as a systemd credential.",
                ));
            }
            let key = Secret::new(given.unwrap_or_else(|| entropy.bytes()));
            write_key(&path, origin, &key)?;
            (origin.to_owned(), key)
        }
        Err(error) => return Err(error),
    };
    if let Some(given) = given
        && !same(&given, key.expose())
    {
        return Err(fail(
            name,
            "It differs from the one given in the environment: remove the variable, or restore the right one.",
        ));
    }
    if production && origin == GENERATED {
        return Err(fail(name, "It was generated, which --production refuses: give it as a systemd credential."));
    }
    Ok(key)
}

/// The reason that stands for "there is no such file".
const MISSING: &str = "missing";

fn read_key(path: &Path, private: bool) -> Result<(String, Key), ConfigError> {
    let name = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(fail(name, MISSING)),
        Err(error) => return Err(fail(name, format!("It cannot be read: {error}."))),
    };
    let mode = fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
    if private && mode & 0o077 != 0 {
        return Err(fail(&name, format!("Others can read it: run chmod 600 {name}.")));
    }
    let mut words = text.expose().split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    let (origin, encoded) = second.map_or((PROVIDED, first), |encoded| (first, encoded));
    let bytes = STANDARD.decode(encoded).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let bytes = bytes
        .ok_or_else(|| fail(&name, "It is not a key: 32 bytes in base64 are wanted (openssl rand -base64 32)."))?;
    Ok((origin.to_owned(), Secret::new(bytes)))
}

fn write_key(path: &Path, origin: &str, key: &Key) -> Result<(), ConfigError> {
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let line = Secret::new(format!("{origin} {}\n", STANDARD.encode(key.expose())));
        file.write_all(line.expose().as_bytes())?;
        file.sync_all()?;
        if let Some(folder) = path.parent() {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|error| fail(path.display().to_string(), format!("It cannot be written: {error}.")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;

    fn load_in(dir: &Path, old: &OldVariables, production: bool) -> Result<Secrets, ConfigError> {
        load(dir, old, production, &SeededEntropy::new(5))
    }

    #[test]
    fn what_was_made_once_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let first = load_in(dir.path(), &OldVariables::default(), false).unwrap();
        let again = load(dir.path(), &OldVariables::default(), false, &SeededEntropy::new(6)).unwrap();
        assert_eq!(first.master.expose(), again.master.expose());
        assert_eq!(first.s2s.expose(), again.s2s.expose());
    }

    #[test]
    fn production_refuses_what_was_generated_or_is_weak_and_never_shows_it() {
        let dir = tempfile::tempdir().unwrap();
        load_in(dir.path(), &OldVariables::default(), false).unwrap();
        assert!(load_in(dir.path(), &OldVariables::default(), true).is_err());
        let weak = OldVariables { jwt: Some(Secret::new("changeme-value-here".into())), ..OldVariables::default() };
        let error = load_in(dir.path(), &weak, true).unwrap_err().to_string();
        assert!(error.contains("JWT_SECRET_KEY") && !error.contains("value-here"), "{error}");
    }

    #[test]
    fn a_key_file_that_others_can_read_or_that_differs_from_the_environment_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let old = OldVariables { master: Some(Secret::new("one".into())), ..OldVariables::default() };
        load_in(dir.path(), &old, false).unwrap();
        let other = OldVariables { master: Some(Secret::new("two".into())), ..OldVariables::default() };
        assert!(load_in(dir.path(), &other, false).is_err());
        fs::set_permissions(dir.path().join("master.key"), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load_in(dir.path(), &old, false).unwrap_err().to_string().contains("chmod 600"));
    }
}
