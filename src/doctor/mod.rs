//! The doctor: what is wrong with a box, in one sentence each, and exactly what to do about it.
//!
//! Findings for the console and the owner's page are the same list. A look changes nothing; what [`mend`] mends is safe:
//! it takes rights away from others and nothing else. Must not know who asks.

pub mod checks;
pub mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::base::certificate;
use crate::base::time::Timestamp;
use crate::config::{Config, Tls};
use crate::upstream::Link;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something does not work, or data is in danger.
    Error,
    /// It works, and will not for long, or not as well as it could.
    Warning,
    /// Worth knowing.
    Note,
}

/// One thing that the owner should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Finding {
    /// Its stable name.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is the matter, in one sentence.
    pub message: String,
    /// Exactly what to do.
    pub fix: String,
}

/// What a look came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Examined)]
pub struct Report {
    /// Nothing is an error.
    pub healthy: bool,
    /// When it was looked.
    #[schema(value_type = String, format = DateTime)]
    pub checked_at: Timestamp,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// What was looked at.
    pub checked: Vec<&'static str>,
}

impl Finding {
    /// An error.
    #[must_use]
    pub fn error(id: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { id, severity: Severity::Error, message: message.into(), fix: fix.into() }
    }

    /// A warning.
    #[must_use]
    pub fn warning(id: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { id, severity: Severity::Warning, message: message.into(), fix: fix.into() }
    }

    /// A note.
    #[must_use]
    pub fn note(id: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { id, severity: Severity::Note, message: message.into(), fix: fix.into() }
    }
}

impl Report {
    /// The report of these findings.
    #[must_use]
    pub fn of(checked_at: Timestamp, mut findings: Vec<Finding>, checked: Vec<&'static str>) -> Self {
        findings.sort_by_key(|finding| finding.severity);
        let healthy = findings.iter().all(|finding| finding.severity != Severity::Error);
        Self { healthy, checked_at, findings, checked }
    }
}

/// Looks at an open box.
#[must_use]
pub fn examine(app: &App, link: &Link) -> Report {
    let mut findings = Vec::new();
    for (_, check) in checks::ALL {
        findings.extend(check(app, link));
    }
    Report::of(app.clock.now(), findings, checks::ALL.iter().map(|(name, _)| *name).collect())
}

/// What others may do with the data folder and must not: each path and the mode it should have.
#[must_use]
pub fn loose(data_dir: &Path) -> Vec<(PathBuf, u32)> {
    let mode = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.permissions().mode() & 0o777);
    let mut found = Vec::new();
    if mode(data_dir) & 0o077 != 0 {
        found.push((data_dir.to_owned(), 0o700));
    }
    let entries = fs::read_dir(data_dir).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).filter(|path| path.is_file()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let secret = name.ends_with(".key") || name.ends_with(".keys") || name.starts_with("box.redb");
        let secret = secret || name == "key.pem" || name == "ca-key.pem" || name == "upstream.toml";
        if secret && mode(&path) & 0o077 != 0 {
            found.push((path, 0o600));
        }
    }
    found
}

/// The file of the certificate that the box shows; `None` on plain HTTP.
#[must_use]
pub fn certificate_file(config: &Config) -> Option<PathBuf> {
    match &config.tls {
        Tls::Off => None,
        Tls::Files { cert, .. } => Some(cert.clone()),
        Tls::SelfSigned => Some(config.data_dir.join("cert.pem")),
    }
}

/// The certificate of the box's own authority, where it has signed the certificate that the box shows.
#[must_use]
pub fn authority(config: &Config) -> Option<CertificateDer<'static>> {
    if config.tls != Tls::SelfSigned {
        return None;
    }
    let authority = certificate::first(&config.data_dir.join("ca.pem"))?;
    let shown = fs::read_to_string(certificate_file(config)?).ok()?;
    shown.lines().next()?.ends_with(&certificate::fingerprint(&authority)).then_some(authority)
}

/// Takes away what [`loose`] finds. Returns what was changed.
///
/// # Errors
/// What the operating system says.
pub fn mend(data_dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut changed = Vec::new();
    for (path, mode) in loose(data_dir) {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        changed.push(path);
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_can_read_is_found_and_closed() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        for (name, mode) in [("master.key", 0o644), ("s2s.key", 0o600), ("cert.pem", 0o644), ("key.pem", 0o640)] {
            fs::write(folder.path().join(name), "x").unwrap();
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let mut names: Vec<_> =
            mend(folder.path()).unwrap().into_iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["key.pem", "master.key"]);
        assert!(loose(folder.path()).is_empty());
    }

    #[test]
    fn the_worst_stands_first_and_decides() {
        let at = Timestamp::from_micros(0);
        let (note, error) = (Finding::note("a", "a", "a"), Finding::error("b", "b", "b"));
        assert!(Report::of(at, vec![note.clone()], vec![]).healthy);
        let report = Report::of(at, vec![note, error.clone()], vec![]);
        assert_eq!((report.healthy, &report.findings[0]), (false, &error));
    }
}
