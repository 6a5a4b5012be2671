//! The login that enrolment leaves in the data folder, and the box's side of enrolling.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use replication::admin::{Admin, Enrolment, redeem, rotate, rotated_url};
use replication::row::Lane;
use replication::settings::Settings;

use crate::app::App;
use crate::base::durable;
use crate::base::entropy::Entropy;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::config::{Config, ConfigError};
use crate::store::fault::Fault;
use crate::store::meta;
use crate::upstream::Link;

/// The file of the login within the data folder, mode 0600.
pub const LOGIN_FILE: &str = "upstream.toml";

/// A login whose password is being changed lies here until central has answered, mode 0600.
const NEXT_FILE: &str = "upstream.next.toml";

/// The CA that a code brought along.
const CA_FILE: &str = "central-ca.pem";

/// How a code begins, so that a wrong paste is told apart.
const CODE: &str = "whot1-";

/// Hours that a code may be used.
const CODE_HOURS: u16 = 72;

/// Bytes of a code, at most; a CA's certificate is some 2 KB.
const MAX_CODE: usize = 16 * 1024;

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
    keep_as(data_dir, LOGIN_FILE, url, ca)
}

fn keep_as(data_dir: &Path, name: &str, url: &str, ca: Option<&Path>) -> Result<(), ConfigError> {
    let path = data_dir.join(name);
    let stored = Stored { url: url.to_owned(), ca: ca.map(Path::to_owned) };
    let text = Secret::new(toml::to_string(&stored).map_err(|error| fail(&path, error.to_string()))?);
    keep_file(data_dir, name, text.expose())
}

/// Written beside, synced and renamed.
fn keep_file(data_dir: &Path, name: &str, text: &str) -> Result<(), ConfigError> {
    let path = data_dir.join(name);
    durable::replace(&path, text.as_bytes()).map_err(|error| fail(&path, error.to_string()))
}

/// Puts a login whose change was cut off in the other's place, where central no longer takes this one. Says whether there was one.
/// They change places, so that neither is lost while central has not said which holds.
///
/// # Errors
/// [`ConfigError::File`] where the folder cannot be written.
pub fn swap(data_dir: &Path) -> Result<bool, ConfigError> {
    let [login, next, aside] = [LOGIN_FILE, NEXT_FILE, "upstream.aside.toml"].map(|name| data_dir.join(name));
    if !next.exists() {
        return Ok(false);
    }
    let swap = || -> std::io::Result<()> {
        fs::rename(&login, &aside)?;
        fs::rename(&next, &login)?;
        fs::rename(&aside, &next)?;
        durable::sync_folder(data_dir)
    };
    swap().map(|()| true).map_err(|error| fail(&login, error.to_string()))
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
    /// What was given is no code.
    #[error("this is no enrolment code")]
    NoCode,
    /// The box was never enrolled.
    #[error("this box is not linked to a central database")]
    NotLinked,
}

/// What a code carries: everything a box needs to make a login its own.
#[derive(Serialize, Deserialize)]
struct Code {
    url: String,
    ca: Option<String>,
}

/// Issues a code by which one box, wherever it is, can enrol itself within three days. Central's operator's login is not in it.
///
/// # Errors
/// [`EnrolError`].
pub async fn issue(
    admin: &Settings,
    ca: Option<&Path>,
    name: &str,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<Secret<String>, EnrolError> {
    let password = Secret::new(URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()));
    let login = Admin::new(admin.clone()).invite(name, entropy.uuid(now), password.expose(), CODE_HOURS).await?;
    let ca = ca.map(|path| fs::read_to_string(path).map_err(|error| fail(path, error.to_string()))).transpose()?;
    let code = serde_json::to_vec(&Code { url: login.url, ca }).map_err(|_| EnrolError::NoCode)?;
    Ok(Secret::new(format!("{CODE}{}", URL_SAFE_NO_PAD.encode(code))))
}

/// Enrols this box by a code: the login becomes its own, under a password that nobody else has seen.
///
/// # Errors
/// [`EnrolError`]; the code is not used up by a refusal. Cut off while central answers, the box may be known there without its login:
/// then central's operator enrols it again.
pub async fn enrol_by_code(app: &App, link: &Link, code: &Secret<String>) -> Result<Enrolled, EnrolError> {
    let text = code.expose().trim();
    let bytes = text.strip_prefix(CODE).filter(|_| text.len() <= MAX_CODE).ok_or(EnrolError::NoCode)?;
    let bytes = URL_SAFE_NO_PAD.decode(bytes).map_err(|_| EnrolError::NoCode)?;
    let code: Code = serde_json::from_slice(&bytes).map_err(|_| EnrolError::NoCode)?;
    let data_dir = &app.config.data_dir;
    let ca = match &code.ca {
        Some(pem) => {
            keep_file(data_dir, CA_FILE, pem)?;
            let path = data_dir.join(CA_FILE);
            Some(std::path::absolute(&path).map_err(|error| fail(&path, error.to_string()))?)
        }
        None => None,
    };
    let invited = Settings::parse(&code.url, ca.as_deref())?;
    let epoch = app.entropy.uuid(app.clock.now());
    let password = Secret::new(URL_SAFE_NO_PAD.encode(app.entropy.bytes::<32>()));
    let starts = Lane::ALL.map(|lane| (lane, 0, [0; 32]));
    let enrolment = Enrolment { box_id: app.box_id, name: "", epoch, password: password.expose(), starts };
    let login = redeem(&invited, &enrolment).await?;
    keep(data_dir, &login.url, ca.as_deref())?;
    app.store.write(move |tx, _| meta::start_log(tx, epoch)).await?;
    link.status.begun();
    link.wake.notify_one();
    Ok(Enrolled { role: login.role, epoch })
}

/// Gives this box's login another password. What is being sent goes on; cut off anywhere, one of the two kept logins holds.
///
/// # Errors
/// [`EnrolError`].
pub async fn rotate_login(app: &App, link: &Link) -> Result<String, EnrolError> {
    let data_dir = &app.config.data_dir;
    let login = login(&app.config)?.ok_or(EnrolError::NotLinked)?;
    let settings = Settings::parse(login.url.expose(), login.ca.as_deref())?;
    let password = Secret::new(URL_SAFE_NO_PAD.encode(app.entropy.bytes::<32>()));
    keep_as(data_dir, NEXT_FILE, &rotated_url(&settings, password.expose()), login.ca.as_deref())?;
    let renewed = rotate(&settings, password.expose()).await?;
    keep(data_dir, &renewed.url, login.ca.as_deref())?;
    drop(fs::remove_file(data_dir.join(NEXT_FILE)));
    link.wake.notify_one();
    Ok(renewed.role)
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
    link.status.begun();
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
