//! Where settings are said: flags, environment, `whotbox.toml`. Each is read whole, and what is refused is named with
//! its place and what was probably meant.
//!
//! Must not show a value: it may be a password.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::config::keys::{self, Key};
use crate::config::{Config, ConfigError, Given, Tls};

/// How the names of our variables begin.
const PREFIX: &str = "WHOTBOX_";
/// A variable under another name than its setting's.
const ALIAS: (&str, &str) = ("WHOTBOX_LOG", "log_level");
/// Variables that are no settings.
const OTHERS: [&str; 2] = ["WHOTBOX_CONFIG", "WHOTBOX_ADMIN_URL"];

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag(String),
    /// A variable.
    Environment(String),
    /// A line of a settings file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An order of central's.
    Central,
    /// The owner, on the screen.
    Screen,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Central => f.write_str("central"),
            Self::Screen => f.write_str("the screen of the owner"),
        }
    }
}

/// Where each setting was said.
pub type Origins = BTreeMap<&'static str, Origin>;

/// Settings, and where each was said.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    /// The settings.
    pub given: Given,
    /// Where they were said.
    pub origins: Origins,
}

impl Layer {
    /// What flags say: each setting has one of its name.
    #[must_use]
    pub fn of_flags(given: Given) -> Self {
        let origins = given.said().map(|name| (name, Origin::Flag(format!("--{}", name.replace('_', "-"))))).collect();
        Self { given, origins }
    }

    /// What the environment says in `WHOTBOX_…` variables; an empty one says nothing.
    ///
    /// # Errors
    /// [`ConfigError::At`] for a value that cannot be, and for a variable that is nearly a setting's.
    pub fn of_environment(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let (mut layer, mut wrong) = (Self::default(), Vec::new());
        let ours = variables.into_iter().filter(|(name, text)| name.starts_with(PREFIX) && !text.is_empty());
        for (variable, text) in ours.filter(|(name, _)| !OTHERS.contains(&name.as_str())) {
            let name = if variable == ALIAS.0 {
                ALIAS.1.into()
            } else {
                variable.trim_start_matches(PREFIX).to_ascii_lowercase()
            };
            let origin = Origin::Environment(variable.clone());
            match keys::find(&name).filter(|key| variable == ALIAS.0 || variable == key.variable()) {
                // Whoever says both says the one with the setting's own name last.
                Some(key) if variable == ALIAS.0 && layer.origins.contains_key(key.name) => {}
                Some(key) => layer.add(key, key.of_text(&text), origin, &mut wrong),
                // The environment is everybody's: only what is nearly ours was meant for us.
                None => wrong.extend(keys::nearly(&name).map(|key| unknown(origin, &variable, &key.variable()))),
            }
        }
        one_of(wrong).map_or(Ok(layer), Err)
    }

    /// What a settings file says.
    ///
    /// # Errors
    /// [`ConfigError`] with the line of everything that is wrong.
    pub fn of_file(path: &Path) -> Result<Self, ConfigError> {
        let fail = |reason: String| ConfigError::File { path: path.to_owned(), reason };
        let text = fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        let line = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        let broken = |error: &toml::de::Error| {
            let place = error.span().map_or(String::new(), |span| format!("line {}: ", line(span.start)));
            fail(format!("{place}{}", error.message()))
        };
        let places = DeTable::parse(&text).map_err(|error| broken(&error))?;
        let mut values = text.parse::<toml::Table>().map_err(|error| broken(&error))?;
        let mut said: Vec<_> = places.get_ref().keys().map(|key| (line(key.span().start), key.get_ref())).collect();
        said.sort_unstable();
        let (mut layer, mut wrong) = (Self::default(), Vec::new());
        for (line, name) in said {
            let origin = Origin::File { path: path.to_owned(), line };
            match (keys::find(name), values.remove(name.as_ref())) {
                (Some(key), Some(value)) => layer.add(key, key.of(value), origin, &mut wrong),
                (None, _) | (_, None) => {
                    wrong.push(unknown(origin, name, keys::meant(name).map_or("", |key| key.name)))
                }
            }
        }
        one_of(wrong).map_or(Ok(layer), Err)
    }

    fn add(&mut self, key: &Key, value: Option<Given>, origin: Origin, wrong: &mut Vec<ConfigError>) {
        match value {
            Some(given) => {
                self.given = given.over(std::mem::take(&mut self.given));
                self.origins.insert(key.name, origin);
            }
            None => {
                let reason = format!("It wants {}.", key.wants);
                wrong.push(ConfigError::At { origin, setting: key.name.to_owned(), reason });
            }
        }
    }

    /// These settings, and `lower`'s where they are silent.
    #[must_use]
    pub fn over(self, mut lower: Self) -> Self {
        lower.origins.extend(self.origins);
        Self { given: self.given.over(lower.given), origins: lower.origins }
    }

    /// Checks and completes the settings.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first that cannot be used, and where it was said.
    pub fn complete(self) -> Result<Config, ConfigError> {
        let place = |error: ConfigError| match error {
            ConfigError::Setting { setting, reason } => match self.origins.get(setting) {
                Some(origin) => ConfigError::At { origin: origin.clone(), setting: setting.to_owned(), reason },
                None => ConfigError::Setting { setting, reason },
            },
            other => other,
        };
        let config = self.given.complete().map_err(place)?;
        let config = Config { said: self.origins, ..config };
        if config.production {
            let open = open_to_all(&config).map(|(setting, path)| {
                let reason = format!("It is secret, and everybody can read it: run chmod o-rwx {}", path.display());
                match config.said.get(setting) {
                    Some(origin) => ConfigError::At { origin: origin.clone(), setting: setting.to_owned(), reason },
                    None => ConfigError::Setting { setting, reason },
                }
            });
            if let Some(error) = one_of(open.collect()) {
                return Err(error);
            }
        }
        Ok(config)
    }
}

/// Settings that are secrets, or name one, in a file that everybody on the machine can read.
fn open_to_all(config: &Config) -> impl Iterator<Item = (&'static str, PathBuf)> {
    let login = match config.said.get("upstream") {
        Some(Origin::File { path, .. }) if has_password(config.upstream.as_deref().unwrap_or_default()) => Some(path),
        _ => None,
    };
    let tls = match &config.tls {
        Tls::Files { key, .. } => Some(key),
        Tls::Off | Tls::SelfSigned => None,
    };
    let named = [("upstream", login.cloned()), ("tls_key", tls.cloned())];
    named
        .into_iter()
        .filter_map(|(setting, path)| Some((setting, path?)))
        .filter(|(_, path)| fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o007 != 0))
}

fn has_password(url: &str) -> bool {
    let login = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(login, _)| login);
    login.is_some_and(|login| login.contains(':')) || url.contains("password=")
}

fn unknown(origin: Origin, said: &str, meant: &str) -> ConfigError {
    let reason = match meant {
        "" => "There is no such setting: whotbox config show lists all.".to_owned(),
        meant => format!("There is no such setting; did you mean {meant}?"),
    };
    ConfigError::At { origin, setting: said.to_owned(), reason }
}

/// One error for several; `None` for none.
pub(in crate::config) fn one_of(mut wrong: Vec<ConfigError>) -> Option<ConfigError> {
    if wrong.len() > 1 { Some(ConfigError::Several(wrong)) } else { wrong.pop() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Layer, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("whotbox.toml");
        fs::write(&path, text).unwrap();
        Layer::of_file(&path)
    }

    fn variables(said: &[(&str, &str)]) -> Result<Layer, ConfigError> {
        Layer::of_environment(said.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    #[test]
    fn everything_that_is_wrong_in_a_file_is_named_with_its_line_and_never_its_value() {
        let text =
            "# a box\nlisten_on = 3\n\narchive_days = \"s3cret-thing\"\ntls = 'off'\nzebra = 1\n[upstream]\nx = 1\n";
        let said = file(text).unwrap_err().to_string();
        for part in [
            "line 2: listen_on: There is no such setting; did you mean listen?",
            "line 4: archive_days: It wants a whole number",
            "line 6: zebra: There is no such setting: whotbox config show",
            "line 7: upstream: It wants an address",
        ] {
            assert!(said.contains(part), "{part} is not in:\n{said}");
        }
        assert!(!said.contains("s3cret-thing") && said.lines().count() == 4, "{said}");
    }

    #[test]
    fn a_file_that_is_no_toml_is_refused_with_its_line_and_without_the_line_itself() {
        let said = file("archive_days = 3\nupstream = \"postgres://box:s3cret@db\nx = 1\n").unwrap_err().to_string();
        assert!(said.contains("line 2") && !said.contains("s3cret"), "{said}");
        let said = file("archive_days = 3\narchive_days = 4\n").unwrap_err().to_string();
        assert!(said.contains("line 2") && said.contains("duplicate"), "{said}");
    }

    #[test]
    fn flags_beat_the_environment_and_that_the_file_and_each_setting_knows_where_it_was_said() {
        let low = file("archive_days = 3\nshred_minutes = 4\n\nlog_days = 5").unwrap();
        let middle =
            variables(&[("WHOTBOX_ARCHIVE_DAYS", "6"), ("WHOTBOX_SHRED_MINUTES", "7"), ("WHOTBOX_LOG", "debug")]);
        let high = Layer::of_flags(Given { archive_days: Some(8), ..Given::default() });
        let config = high.over(middle.unwrap()).over(low).complete().unwrap();
        let days = |duration: std::time::Duration| duration.as_secs() / 86_400;
        assert_eq!((days(config.archive), config.shred.as_secs(), days(config.log_retention)), (8, 420, 5));
        assert_eq!(config.said["archive_days"], Origin::Flag("--archive-days".into()));
        assert_eq!(config.said["shred_minutes"].to_string(), "environment WHOTBOX_SHRED_MINUTES");
        assert_eq!(config.said["log_level"].to_string(), "environment WHOTBOX_LOG");
        assert!(config.said["log_days"].to_string().ends_with("whotbox.toml, line 4"));
        assert!(!config.said.contains_key("backup_keep"));
    }

    #[test]
    fn a_variable_that_is_nearly_ours_is_refused_and_one_that_is_not_ours_is_not() {
        let said = variables(&[("WHOTBOX_ARCHIV_DAYS", "6")]).unwrap_err().to_string();
        assert!(said.contains("did you mean WHOTBOX_ARCHIVE_DAYS"), "{said}");
        let said = variables(&[("WHOTBOX_ARCHIVE_DAYS", "six")]).unwrap_err().to_string();
        assert!(said.contains("WHOTBOX_ARCHIVE_DAYS") && !said.contains("six"), "{said}");
        let others =
            ["WHOTBOX_FULL", "WHOTBOX_SEED", "WHOTBOX_BENCH_MB", "WHOTBOX_ADMIN_URL", "WHOTBOX_CONFIG", "LISTEN"];
        let layer = variables(&others.map(|name| (name, "1"))).unwrap();
        assert!(layer.origins.is_empty() && variables(&[("WHOTBOX_TLS", "")]).unwrap().origins.is_empty());
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_with_the_place_where_it_was_said() {
        let said = file("\narchive_days = 0").unwrap().complete().unwrap_err().to_string();
        assert!(said.contains("line 2: archive_days: It is between 1 and 3650 days."), "{said}");
    }

    #[test]
    fn production_refuses_a_password_and_a_key_that_everybody_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = (folder.path().join("whotbox.toml"), folder.path().join("key.pem"));
        fs::write(&key, "").unwrap();
        let text = format!(
            "production = true\nupstream = \"postgres://box:s3cret@db.example/c\"\ntls_cert = \"c\"\ntls_key = {key:?}"
        );
        fs::write(&path, text).unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        mode(&path, 0o644);
        mode(&key, 0o604);
        let said = Layer::of_file(&path).unwrap().complete().unwrap_err().to_string();
        assert!(
            said.contains("line 2: upstream") && said.contains("line 4: tls_key") && !said.contains("s3cret"),
            "{said}"
        );
        mode(&path, 0o640);
        mode(&key, 0o600);
        assert!(Layer::of_file(&path).unwrap().complete().is_ok());
    }
}
