//! The login that enrolment leaves in the data folder, and the box's side of enrolling.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use replication::admin::{Admin, Enrolment};
use replication::row::Lane;
use replication::settings::Settings;

use crate::app::App;
use crate::base::secret::Secret;
use crate::config::{Config, ConfigError};
use crate::store::fault::Fault;
use crate::store::meta;
use crate::upstream::Link;

/// The file of the login within the data folder, mode 0600.
pub const LOGIN_FILE: &str = "upstream.toml";

/// How to reach central, with the password.
#[derive(Debug, Clone)]
pub struct Login {
    /// `postgres://…` with the box's role and password.
    pub url: Secret<String>,
    /// PEM file of a private CA.
    pub ca: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    url: String,
    ca: Option<PathBuf>,
}

fn fail(path: &Path, reason: impl Into<String>) -> ConfigError {
    ConfigError::File { path: path.to_owned(), reason: reason.into() }
}

/// The login of this box: from the settings, else from the data folder; `None` if it was never enrolled.
///
/// # Errors
/// [`ConfigError::File`] for a login that cannot be read.
pub fn login(config: &Config) -> Result<Option<Login>, ConfigError> {
    if let Some(url) = &config.upstream {
        return Ok(Some(Login { url: Secret::new(url.clone()), ca: config.upstream_ca.clone() }));
    }
    let path = config.data_dir.join(LOGIN_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(&path, error.to_string())),
    };
    // The parser's words would quote the line, which holds a password.
    let stored: Stored =
        toml::from_str(text.expose()).map_err(|_| fail(&path, "it is damaged: enrol this box again"))?;
    Ok(Some(Login { url: Secret::new(stored.url), ca: stored.ca.or_else(|| config.upstream_ca.clone()) }))
}

/// Keeps the login: written beside, synced and renamed, so that it is whole or the old one.
///
/// # Errors
/// [`ConfigError::File`] where it cannot be written.
pub fn keep(data_dir: &Path, url: &str, ca: Option<&Path>) -> Result<(), ConfigError> {
    let path = data_dir.join(LOGIN_FILE);
    let beside = data_dir.join(format!("{LOGIN_FILE}.new"));
    let stored = Stored { url: url.to_owned(), ca: ca.map(Path::to_owned) };
    let text = Secret::new(toml::to_string(&stored).map_err(|error| fail(&path, error.to_string()))?);
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(text.expose().as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        fs::File::open(data_dir)?.sync_all()
    };
    write().map_err(|error| fail(&path, error.to_string()))
}

/// What enrolment came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The box's role at central.
    pub role: String,
    /// The epoch that its log goes on under.
    pub epoch: Uuid,
}

/// Why a box could not be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Central refused, or cannot be reached.
    #[error(transparent)]
    Central(#[from] replication::error::Error),
    /// The login cannot be kept.
    #[error(transparent)]
    Login(#[from] ConfigError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] Fault),
}

/// Makes this box's login at central, keeps it, and starts the change log under a new epoch.
///
/// Cut off in between, the box is fenced as of another epoch and says so; enrolling again mends it.
///
/// # Errors
/// [`EnrolError`]; central's operator's password is in none.
pub async fn enrol(
    app: &App,
    link: &Link,
    admin: &Settings,
    ca: Option<&Path>,
    name: &str,
) -> Result<Enrolled, EnrolError> {
    let epoch = app.entropy.uuid(app.clock.now());
    let password = Secret::new(URL_SAFE_NO_PAD.encode(app.entropy.bytes::<32>()));
    let start = |lane| (lane, 0, [0; 32]);
    let login = Admin::new(admin.clone())
        .enroll(&Enrolment {
            box_id: app.box_id,
            name,
            epoch,
            password: password.expose(),
            starts: [start(Lane::Urgent), start(Lane::Bulk)],
        })
        .await?;
    keep(&app.config.data_dir, &login.url, ca)?;
    app.store.write(move |tx, _| meta::start_log(tx, epoch)).await?;
    link.wake.notify_one();
    Ok(Enrolled { role: login.role, epoch })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::Given;

    #[test]
    fn a_kept_login_is_found_is_private_and_is_not_quoted_when_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let config = Given { data_dir: Some(dir.path().into()), ..Given::default() }.complete().unwrap();
        assert!(login(&config).unwrap().is_none());
        keep(dir.path(), "postgres://box:hunter2@db/central", None).unwrap();
        assert_eq!(login(&config).unwrap().unwrap().url.expose(), "postgres://box:hunter2@db/central");
        let path = dir.path().join(LOGIN_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "url = hunter2").unwrap();
        assert!(!login(&config).unwrap_err().to_string().contains("hunter2"));
    }
}
