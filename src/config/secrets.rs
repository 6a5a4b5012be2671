//! The secrets of a box: where they lie, how they are made, and which are good enough.
//!
//! The master key and the service token are systemd credentials or 0600 files in the data folder. The old
//! services' variables are taken over once, into those files. A value never reaches an error or a log.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::base::digest::{Key, hmac_sha256, same};
use crate::base::durable;
use crate::base::entropy::Entropy;
use crate::base::keys::{MasterKey, Purpose};
use crate::base::secret::Secret;
use crate::config::ConfigError;
use crate::config::sources::one_of;

/// Shortest secret that somebody may choose, in bytes.
const MIN_SECRET: usize = 32;
/// Fewest different bytes of a secret: 32 random bytes have thirty, and fewer than this once in no lifetime.
const MIN_DISTINCT: usize = 10;
/// Words of samples and of people in a hurry.
const KNOWN: [&str; 7] = ["changeme", "secret", "default", "password", "example", "test", "dev"];
const TOO_WEAK: &str = "It is too weak for --production: use 32 random bytes, as openssl rand -base64 32 makes them.";
const MASTER_KEY: &str = "master.key";
const S2S_KEY: &str = "s2s.key";
const WEBHOOK_KEY: &str = "webhook.key";
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

    /// Those that are set, by their names.
    fn named(&self) -> Vec<(&'static str, &Secret<String>)> {
        let all = [
            ("CHAT_ENCRYPTION_KEY or APP_SECRET_KEY", &self.master),
            ("JWT_SECRET_KEY", &self.jwt),
            ("S2S_WEBHOOK_SECRET", &self.s2s),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect()
    }

    /// The master key that they stand for.
    fn master_key(&self) -> Option<[u8; 32]> {
        self.master.as_ref().map(|text| hmac_sha256(b"whotbox/master", text.expose().as_bytes()))
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

/// Looks for everything that is wrong with the secrets of a data folder, and changes nothing. `webhook` is whether posts
/// to an SMS gateway are signed.
#[must_use]
pub fn examine(dir: &Path, old: &OldVariables, webhook: bool, production: bool) -> Vec<ConfigError> {
    let mut wrong = Vec::new();
    if production {
        let weak = old.named().into_iter().filter(|(_, value)| is_weak(value.expose().as_bytes()));
        wrong.extend(weak.map(|(name, _)| fail(name, TOO_WEAK)));
    }
    let mut known: Vec<_> =
        old.named().into_iter().map(|(name, text)| (name, digest_of(text.expose().as_bytes()))).collect();
    let s2s = old.s2s.is_none().then_some((S2S_KEY, None));
    let webhook = webhook.then_some((WEBHOOK_KEY, None));
    for (name, given) in [Some((MASTER_KEY, old.master_key())), s2s, webhook].into_iter().flatten() {
        match settled(dir, name, given, production) {
            Ok(Some(key)) => known.push((name, digest_of(key.expose()))),
            Ok(None) => {}
            Err(error) => wrong.push(error),
        }
    }
    if production {
        for (at, (name, digest)) in known.iter().enumerate() {
            if let Some((first, _)) = known.iter().take(at).find(|(_, other)| same(other, digest)) {
                wrong.push(fail(*name, format!("It is the same as {first}: each secret is one of its own.")));
            }
        }
    }
    wrong
}

/// Where a secret lies and how it came there; never what it is.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// Its file, or its variable.
    pub name: &'static str,
    /// `generated`, `provided`, `missing` (it is made at the start), or `unusable`.
    pub state: &'static str,
    /// Its path; a variable has none.
    pub path: Option<PathBuf>,
}

/// The secrets of a data folder, and the old services' variables that are set.
#[must_use]
pub fn places(dir: &Path, old: &OldVariables) -> Vec<Place> {
    let files = [MASTER_KEY, S2S_KEY, WEBHOOK_KEY].map(|name| match find(dir, name) {
        Ok(Some(found)) if found.generated => Place { name, state: "generated", path: Some(found.path) },
        Ok(Some(found)) => Place { name, state: "provided", path: Some(found.path) },
        Ok(None) => Place { name, state: "missing", path: None },
        Err(_) => Place { name, state: "unusable", path: None },
    });
    let variables = old.named().into_iter().map(|(name, _)| Place { name, state: "provided", path: None });
    files.into_iter().chain(variables).collect()
}

/// Whether the master key comes from outside the data folder: a credential of systemd's, or an old variable.
#[must_use]
pub fn master_is_given() -> bool {
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| PathBuf::from(folder).join("master.key"));
    credential.is_some_and(|path| path.exists()) || OldVariables::from_environment().master.is_some()
}

/// Reads the secrets of a data folder, making what is missing.
///
/// # Errors
/// [`ConfigError::Secret`] naming each secret that cannot be read or written, is readable by others, or (`production`)
/// was generated, is short, well known, or the same as another.
pub fn load(dir: &Path, old: &OldVariables, production: bool, entropy: &dyn Entropy) -> Result<Secrets, ConfigError> {
    if let Some(error) = one_of(examine(dir, old, false, production)) {
        return Err(error);
    }
    let master = key_file(dir, MASTER_KEY, old.master_key(), production, entropy)?;
    let s2s = match &old.s2s {
        Some(text) => text.clone(),
        None => Secret::new(STANDARD.encode(key_file(dir, S2S_KEY, None, production, entropy)?.expose())),
    };
    let master = MasterKey::new(*master.expose());
    let jwt = match &old.jwt {
        Some(text) => Secret::new(hmac_sha256(b"whotbox/jwt", text.expose().as_bytes())),
        None => master.derive(Purpose::Jwt),
    };
    Ok(Secrets { master, jwt, s2s })
}

/// Reads the key that posts to the SMS gateway are signed with, making it where it is missing.
///
/// # Errors
/// As [`load`].
pub fn webhook(dir: &Path, production: bool, entropy: &dyn Entropy) -> Result<Key, ConfigError> {
    key_file(dir, WEBHOOK_KEY, None, production, entropy)
}

fn fail(secret: impl Into<String>, reason: impl Into<String>) -> ConfigError {
    ConfigError::Secret { secret: secret.into(), reason: reason.into() }
}

/// Too short, too few different bytes, or with a word in it that stands in every sample.
fn is_weak(value: &[u8]) -> bool {
    let distinct = value.iter().collect::<std::collections::BTreeSet<_>>().len();
    let lower = Secret::new(String::from_utf8_lossy(value).to_ascii_lowercase());
    let known = KNOWN.iter().any(|word| lower.expose().contains(word));
    value.len() < MIN_SECRET || distinct < MIN_DISTINCT || known
}

/// The same for the same secret, as text or as the base64 of its bytes.
fn digest_of(value: &[u8]) -> [u8; 32] {
    let decoded = STANDARD.decode(value.trim_ascii()).ok().filter(|bytes| bytes.len() == 32).map(Secret::new);
    hmac_sha256(b"whotbox/shared", decoded.as_ref().map_or(value, |bytes| bytes.expose()))
}

/// A key file that was found.
struct Found {
    path: PathBuf,
    generated: bool,
    /// It lies in the data folder, and not among systemd's credentials.
    ours: bool,
    key: Key,
}

/// A key file among systemd's credentials, or else in the data folder.
fn find(dir: &Path, name: &str) -> Result<Option<Found>, ConfigError> {
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| PathBuf::from(folder).join(name));
    let (path, ours) = match credential.filter(|path| path.exists()) {
        Some(path) => (path, false),
        None => (dir.join(name), true),
    };
    // systemd may give a credential to its service through an access list, which shows as the group's right.
    let closed = if ours { 0o077 } else { 0o007 };
    let found = read_key(&path, closed)?;
    Ok(found.map(|(origin, key)| Found { path, generated: origin == GENERATED, ours, key }))
}

/// A key that is there and may be used; `None` for one that has to be made, and may be.
fn settled(dir: &Path, name: &str, given: Option<[u8; 32]>, production: bool) -> Result<Option<Key>, ConfigError> {
    let Some(found) = find(dir, name)? else {
        if production && given.is_none() {
            return Err(fail(
                name,
                "It is missing, and --production makes no secrets: give it as a systemd credential.",
            ));
        }
        return Ok(None);
    };
    if let Some(given) = given
        && found.ours
        && !same(&given, found.key.expose())
    {
        return Err(fail(
            name,
            "It differs from the one given in the environment: remove the variable, or restore the right one.",
        ));
    }
    if production && found.generated {
        return Err(fail(name, "It was generated, which --production refuses: give it as a systemd credential."));
    }
    if production && is_weak(found.key.expose()) {
        return Err(fail(name, TOO_WEAK));
    }
    Ok(Some(found.key))
}

/// The 32 bytes of a key file: from systemd's credentials, the data folder, the given bytes, or made anew.
fn key_file(
    dir: &Path,
    name: &str,
    given: Option<[u8; 32]>,
    production: bool,
    entropy: &dyn Entropy,
) -> Result<Key, ConfigError> {
    if let Some(key) = settled(dir, name, given, production)? {
        return Ok(key);
    }
    let origin = if given.is_some() { PROVIDED } else { GENERATED };
    let key = Secret::new(given.unwrap_or_else(|| entropy.bytes()));
    write_key(&dir.join(name), origin, &key)?;
    Ok(key)
}

/// Reads a key file that none of the `closed` may read; `None` where there is none.
fn read_key(path: &Path, closed: u32) -> Result<Option<(String, Key)>, ConfigError> {
    let name = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(name, format!("It cannot be read: {error}."))),
    };
    let mode = fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
    if mode & closed != 0 {
        return Err(fail(&name, format!("Others can read it: run chmod 600 {name}.")));
    }
    let mut words = text.expose().split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    let (origin, encoded) = second.map_or((PROVIDED, first), |encoded| (first, encoded));
    let bytes = STANDARD.decode(encoded).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let bytes = bytes
        .ok_or_else(|| fail(&name, "It is not a key: 32 bytes in base64 are wanted (openssl rand -base64 32)."))?;
    Ok(Some((origin.to_owned(), Secret::new(bytes))))
}

fn write_key(path: &Path, origin: &str, key: &Key) -> Result<(), ConfigError> {
    let line = Secret::new(format!("{origin} {}\n", STANDARD.encode(key.expose())));
    let written = durable::create(path, line.expose().as_bytes());
    written.map_err(|error| fail(path.display().to_string(), format!("It cannot be written: {error}.")))
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

    /// A key file as somebody gives it.
    fn give(dir: &Path, name: &str, bytes: [u8; 32]) {
        fs::write(dir.join(name), STANDARD.encode(bytes)).unwrap();
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn production_names_every_secret_that_is_shared_or_weak_and_takes_good_ones() {
        let dir = tempfile::tempdir().unwrap();
        let good: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 7).unwrap());
        let other = good.map(|byte| byte ^ 0x55);
        // given: one key in both files, and once more as a variable
        give(dir.path(), MASTER_KEY, good);
        give(dir.path(), S2S_KEY, good);
        let old = OldVariables { jwt: Some(Secret::new(STANDARD.encode(good))), ..OldVariables::default() };
        let wrong = |old: &OldVariables| -> Vec<String> {
            examine(dir.path(), old, true, true).iter().map(ToString::to_string).collect()
        };
        // then: all of it is said at once, and nothing was made
        let said = wrong(&old);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].starts_with("webhook.key: It is missing"), "{said:?}");
        assert!(said[1].starts_with("master.key: It is the same as JWT_SECRET_KEY"), "{said:?}");
        assert!(!dir.path().join(WEBHOOK_KEY).exists());
        // a key of few different bytes
        give(dir.path(), S2S_KEY, [7; 32]);
        give(dir.path(), WEBHOOK_KEY, other.map(|byte| byte ^ 0x33));
        let said = wrong(&OldVariables::default());
        assert!(said.len() == 1 && said[0].starts_with("s2s.key: It is too weak"), "{said:?}");
        // and each its own
        give(dir.path(), S2S_KEY, other);
        assert!(wrong(&OldVariables::default()).is_empty());
        load_in(dir.path(), &OldVariables::default(), true).unwrap();
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
