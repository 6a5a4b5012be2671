//! Settings, read once: flags over environment over `whotbox.toml` over defaults.
//!
//! Knows what each setting may be; nothing here acts on one. Where each was said is in [`sources`]. Secrets are in
//! [`secrets`]: they are files, never settings.

pub mod chosen;
pub mod hours;
pub mod keys;
mod names;
pub mod secrets;
pub mod shown;
pub mod sources;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use serde::Deserialize;

use crate::base::recovery::{RecoveryError, RecoveryPublic};
use crate::config::hours::{Hours, NoHours};
use crate::config::sources::{Origin, Origins};

/// Where the box listens when nothing else is said: every address, so that phones on its Wi-Fi reach it.
const DEFAULT_LISTEN: &str = "0.0.0.0:8080";
/// The folder that a box without arguments makes.
const DEFAULT_DATA: &str = "data";
/// The name of the settings file, in the data folder or the working folder.
pub const FILE_NAME: &str = "whotbox.toml";
/// Days that the archive keeps a message (issue: default 90 days).
const DEFAULT_ARCHIVE_DAYS: u32 = 90;
/// Minutes until a vanished participants' copy is scrubbed at the latest (design, section 6).
const DEFAULT_SHRED_MINUTES: u32 = 15;
/// Hours after the release of a hold before anything expires (issue 5).
const DEFAULT_GRACE_HOURS: u32 = 72;
/// Days without central after which a hold may be pending: longer than a holiday, shorter than any retention in use.
const DEFAULT_OFFLINE_DAYS: u32 = 30;
/// Days that acknowledged change-log entries are kept (design, section 5).
const DEFAULT_LOG_DAYS: u32 = 30;
/// Hours between two comparisons with central.
const DEFAULT_VERIFY_HOURS: u32 = 24;

/// Backups that are kept: two weeks of days.
const DEFAULT_BACKUP_KEEP: u32 = 14;

/// Settings as one source gives them; what it does not say stays open. An unknown key is refused.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// Folder of store, keys and certificate.
    pub data_dir: Option<PathBuf>,
    /// Addresses to listen on.
    pub listen: Option<Vec<SocketAddr>>,
    /// `off`, `self-signed` or `files`.
    pub tls: Option<TlsMode>,
    /// PEM file of the certificate chain, with `tls = "files"`.
    pub tls_cert: Option<PathBuf>,
    /// PEM file of its key.
    pub tls_key: Option<PathBuf>,
    /// Whether players may use plain HTTP where the listener has TLS.
    pub plain_http: Option<bool>,
    /// The address that join links and codes carry, if it is not the one the request came to.
    pub public_url: Option<String>,
    /// Whether the box answers for a name of its own on its network.
    pub mdns: Option<bool>,
    /// That name, without `.local`, where it is not to follow the box's name.
    pub mdns_name: Option<String>,
    /// Whether anyone may register without an invite.
    pub open_registration: Option<bool>,
    /// Origins besides the box's own that may open sockets.
    pub origins: Option<Vec<String>>,
    /// Reverse proxies on loopback whose `X-Forwarded-For` counts.
    pub proxies: Option<Vec<IpAddr>>,
    /// How one-time codes reach people: `owner`, `webhook` or `off`.
    pub code_sender: Option<CodeSender>,
    /// Where the webhook sender posts.
    pub code_webhook: Option<String>,
    /// PEM file of a private CA of the gateway's.
    pub code_webhook_ca: Option<PathBuf>,
    /// Days that the archive keeps a message.
    pub archive_days: Option<u32>,
    /// An age public key, kept off the box, that the archive is sealed to.
    pub archive_recipient: Option<String>,
    /// Minutes until a vanished copy is scrubbed.
    pub shred_minutes: Option<u32>,
    /// Hours after the release of a legal hold before anything expires.
    pub hold_grace_hours: Option<u32>,
    /// Whether a second moderator must grant the release of a legal hold.
    pub hold_second_moderator: Option<bool>,
    /// Days without central after which expiry waits, because a hold may be pending; 0 never waits.
    pub hold_offline_days: Option<u32>,
    /// Days that acknowledged change-log entries are kept.
    pub log_days: Option<u32>,
    /// Hours between two comparisons with central; 0 is never by itself.
    pub verify_hours: Option<u32>,
    /// Folder of the backups.
    pub backup_dir: Option<PathBuf>,
    /// How many backups are kept.
    pub backup_keep: Option<u32>,
    /// Address of central's PostgreSQL with login, if not enrolled by command.
    pub upstream: Option<String>,
    /// PEM file of a private CA of central's.
    pub upstream_ca: Option<PathBuf>,
    /// When the bulk lane may send, as in `22:00-06:00 +01:00`.
    pub upstream_hours: Option<String>,
    /// Kilobits of rows a second that are sent at most; 0 is as much as the line bears.
    pub upstream_kbit: Option<u32>,
    /// The courier's public key, which bundles for central are sealed to.
    pub courier_recipient: Option<String>,
    /// Log filter, as `info` or `whotbox=debug`.
    pub log_level: Option<String>,
    /// `text` or `json`.
    pub log_format: Option<LogFormat>,
    /// Refuse generated and weak secrets.
    pub production: Option<bool>,
}

/// Hands every field of [`Given`] to a macro.
macro_rules! each_setting {
    ($with:ident) => {
        $with! {
            data_dir listen tls tls_cert tls_key plain_http public_url mdns mdns_name open_registration origins proxies code_sender code_webhook
            code_webhook_ca archive_days archive_recipient shred_minutes hold_grace_hours hold_second_moderator
            hold_offline_days log_days verify_hours backup_dir backup_keep upstream upstream_ca upstream_hours upstream_kbit courier_recipient log_level log_format production
        }
    };
}

/// How the listener is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Plain HTTP: phones on a LAN trust no local name.
    Off,
    /// A certificate that the box makes and keeps.
    SelfSigned,
    /// Given PEM files.
    Files,
}

/// How one-time codes reach people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeSender {
    /// The code is shown to the person's distributor; works without internet.
    Owner,
    /// Posted to an SMS gateway.
    Webhook,
    /// No codes: every request is accepted and nothing is sent.
    Off,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The certificate to serve with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Plain HTTP.
    Off,
    /// Made by the box.
    SelfSigned,
    /// PEM files.
    Files {
        /// Certificate chain.
        cert: PathBuf,
        /// Private key.
        key: PathBuf,
    },
}

/// The settings of a running box: complete and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder of store, keys and certificate.
    pub data_dir: PathBuf,
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// The listener's protection.
    pub tls: Tls,
    /// Players may use plain HTTP beside TLS.
    pub plain_http: bool,
    /// The address in join links, without a slash at its end.
    pub public_url: Option<String>,
    /// Whether the box answers for a name of its own.
    pub mdns: bool,
    /// The name, where it is set by hand.
    pub mdns_name: Option<String>,
    /// Whether anyone may register without an invite.
    pub open_registration: bool,
    /// Further origins that may open sockets.
    pub origins: Vec<String>,
    /// Proxies whose forwarded address counts.
    pub proxies: Vec<IpAddr>,
    /// How one-time codes reach people.
    pub code_sender: CodeSender,
    /// Where the webhook sender posts.
    pub code_webhook: Option<Uri>,
    /// A private CA of the gateway's.
    pub code_webhook_ca: Option<PathBuf>,
    /// How long the archive keeps a message.
    pub archive: Duration,
    /// The key off the box that the archive is sealed to.
    pub archive_recipient: Option<RecoveryPublic>,
    /// How soon a vanished copy is scrubbed.
    pub shred: Duration,
    /// How long after the release of a legal hold nothing expires.
    pub hold_grace: Duration,
    /// Whether a second moderator must grant the release of a legal hold.
    pub hold_second_moderator: bool,
    /// How long without central expiry waits; `None` never does.
    pub hold_offline: Option<Duration>,
    /// How long acknowledged change-log entries are kept.
    pub log_retention: Duration,
    /// How often central is compared with this box; `None` is never by itself.
    pub verify_every: Option<Duration>,
    /// Folder of the backups, where it is not the one in the data folder.
    pub backup_dir: Option<PathBuf>,
    /// How many backups are kept.
    pub backup_keep: usize,
    /// Central's address, where it is set by hand.
    pub upstream: Option<String>,
    /// A private CA of central's.
    pub upstream_ca: Option<PathBuf>,
    /// When the bulk lane may send.
    pub upstream_hours: Option<Hours>,
    /// Bytes of rows a second that are sent at most.
    pub upstream_rate: Option<u64>,
    /// The key off the box that bundles for central are sealed to.
    pub courier_recipient: Option<RecoveryPublic>,
    /// Log filter.
    pub log_level: String,
    /// Log form.
    pub log_format: LogFormat,
    /// Refuse generated and weak secrets.
    pub production: bool,
    /// Where each setting was said; what is not in it is a default.
    pub said: Origins,
}

/// A setting that cannot be used: which, from where, and what would do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file cannot be read.
    #[error("{path}: {reason}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's or the parser's words, with the line.
        reason: String,
    },
    /// Something that was said is refused, and where it was said is known.
    #[error("{origin}: {setting}: {reason}")]
    At {
        /// Where it was said.
        origin: Origin,
        /// The setting's name, as it was said.
        setting: String,
        /// What is wrong and what would do; never the value, which may be a secret.
        reason: String,
    },
    /// More than one thing is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<ConfigError>),
    /// A value or a combination of values is refused.
    #[error("{setting}: {reason}")]
    Setting {
        /// The setting's name in `whotbox.toml`.
        setting: &'static str,
        /// What is wrong and what would do.
        reason: String,
    },
    /// A secret is missing, weak or readable by others. Names the secret, never its value.
    #[error("{secret}: {reason}")]
    Secret {
        /// The secret's file or variable.
        secret: String,
        /// What is wrong and what would do.
        reason: String,
    },
}

impl Given {
    /// These settings, and `lower`'s where they are silent.
    #[must_use]
    pub fn over(self, lower: Self) -> Self {
        macro_rules! first {
            ($($field:ident)*) => { Self { $($field: self.$field.or(lower.$field)),* } };
        }
        each_setting!(first)
    }

    /// The names of the settings that are said here.
    pub fn said(&self) -> impl Iterator<Item = &'static str> {
        macro_rules! names {
            ($($field:ident)*) => { [$((stringify!($field), self.$field.is_some())),*] };
        }
        each_setting!(names).into_iter().filter_map(|(name, said)| said.then_some(name))
    }

    /// The data folder that these settings name.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| DEFAULT_DATA.into())
    }

    /// Checks and completes the settings.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] naming the first that cannot be used.
    pub fn complete(self) -> Result<Config, ConfigError> {
        let setting = |setting, reason: &str| ConfigError::Setting { setting, reason: reason.into() };
        self.check_addresses()?;
        let data_dir = self.data_dir();
        let tls = protection(self.tls, self.tls_cert, self.tls_key)?;
        let listen = match self.listen {
            Some(listen) if listen.is_empty() => return Err(setting("listen", "Give at least one address.")),
            Some(listen) => listen,
            None => DEFAULT_LISTEN.parse().into_iter().collect(),
        };
        let code_webhook = code_webhook(self.code_sender, self.code_webhook)?;
        let public_url = self.public_url.map(|url| url.trim_end_matches('/').to_owned());
        let days = |days: u32| Duration::from_secs(u64::from(days) * 24 * 3600);
        let archive_days = self.archive_days.unwrap_or(DEFAULT_ARCHIVE_DAYS);
        let archive_days = bounded("archive_days", archive_days, 1..=3650, " days")?;
        let archive_recipient = self.archive_recipient.as_deref().map(recipient("archive_recipient")).transpose()?;
        let courier_recipient = self.courier_recipient.as_deref().map(recipient("courier_recipient")).transpose()?;
        let shred_minutes = self.shred_minutes.unwrap_or(DEFAULT_SHRED_MINUTES);
        let shred_minutes = bounded("shred_minutes", shred_minutes, 1..=60, " minutes")?;
        let grace_hours = self.hold_grace_hours.unwrap_or(DEFAULT_GRACE_HOURS);
        let grace_hours = bounded("hold_grace_hours", grace_hours, 0..=8760, " hours")?;
        let backup_keep = bounded("backup_keep", self.backup_keep.unwrap_or(DEFAULT_BACKUP_KEEP), 1..=1000, "")?;
        let offline_days = self.hold_offline_days.unwrap_or(DEFAULT_OFFLINE_DAYS);
        Ok(Config {
            data_dir,
            listen,
            tls,
            plain_http: self.plain_http.unwrap_or(true),
            public_url,
            mdns: self.mdns.unwrap_or(true),
            mdns_name: self.mdns_name,
            open_registration: self.open_registration.unwrap_or(false),
            origins: self.origins.unwrap_or_default(),
            proxies: self.proxies.unwrap_or_default(),
            code_sender: self.code_sender.unwrap_or(CodeSender::Owner),
            code_webhook,
            code_webhook_ca: self.code_webhook_ca,
            archive: days(archive_days),
            archive_recipient,
            shred: Duration::from_secs(u64::from(shred_minutes) * 60),
            hold_grace: Duration::from_secs(u64::from(grace_hours) * 3600),
            hold_second_moderator: self.hold_second_moderator.unwrap_or(false),
            hold_offline: (offline_days > 0).then(|| days(offline_days)),
            log_retention: days(self.log_days.unwrap_or(DEFAULT_LOG_DAYS)),
            verify_every: match self.verify_hours.unwrap_or(DEFAULT_VERIFY_HOURS) {
                0 => None,
                hours => Some(Duration::from_secs(u64::from(hours) * 3600)),
            },
            backup_dir: self.backup_dir,
            backup_keep: backup_keep as usize,
            upstream: self.upstream,
            upstream_ca: self.upstream_ca,
            upstream_hours: self.upstream_hours.as_deref().map(hours).transpose()?,
            upstream_rate: self.upstream_kbit.filter(|kbit| *kbit > 0).map(|kbit| u64::from(kbit) * 125),
            courier_recipient,
            log_level: self.log_level.unwrap_or_else(|| "info".into()),
            log_format: self.log_format.unwrap_or(LogFormat::Text),
            production: self.production.unwrap_or(false),
            said: Origins::default(),
        })
    }

    /// Whether what names the box, its clients and its proxies can be what it is to be.
    fn check_addresses(&self) -> Result<(), ConfigError> {
        let setting = |setting, reason: &str| Err(ConfigError::Setting { setting, reason: reason.into() });
        if self.public_url.as_ref().is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            return setting("public_url", "It starts with http:// or https://.");
        }
        if self.mdns_name.as_ref().is_some_and(|name| !names::is_label(name)) {
            return setting("mdns_name", "Small letters, digits and - within them, at most 60, without .local.");
        }
        if self.proxies.iter().flatten().any(|proxy| !proxy.is_loopback()) {
            return setting("proxies", "Only loopback addresses can be trusted to name the client.");
        }
        if self.origins.iter().flatten().any(|origin| !is_origin(origin)) {
            let reason = "An origin is https://host or http://host:port, without a slash at its end.";
            return setting("origins", reason);
        }
        Ok(())
    }
}

/// How the listener is protected: a certificate and its key go together, and say `files`.
fn protection(mode: Option<TlsMode>, cert: Option<PathBuf>, key: Option<PathBuf>) -> Result<Tls, ConfigError> {
    let setting = |setting, reason: &str| ConfigError::Setting { setting, reason: reason.into() };
    Ok(match (mode, cert, key) {
        (None | Some(TlsMode::Files), Some(cert), Some(key)) => Tls::Files { cert, key },
        (Some(TlsMode::Files), _, _) => return Err(setting("tls", "\"files\" needs tls_cert and tls_key.")),
        (_, Some(_), None) => return Err(setting("tls_key", "A certificate needs its key: set tls_key too.")),
        (_, None, Some(_)) => return Err(setting("tls_cert", "A key needs its certificate: set tls_cert too.")),
        (Some(TlsMode::SelfSigned), None, None) => Tls::SelfSigned,
        (Some(_), Some(_), Some(_)) => {
            return Err(setting("tls", "With tls_cert and tls_key it must be \"files\"."));
        }
        (None | Some(TlsMode::Off), None, None) => Tls::Off,
    })
}

/// Whether a page's origin can look like this: scheme and host, nothing after it.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@']))
}

/// Hours of the day.
fn hours(text: &str) -> Result<Hours, ConfigError> {
    text.parse().map_err(|error: NoHours| ConfigError::Setting { setting: "upstream_hours", reason: error.to_string() })
}

/// A key off the box that something is sealed to. What was said is never repeated: it may be the half that opens.
fn recipient(setting: &'static str) -> impl Fn(&str) -> Result<RecoveryPublic, ConfigError> {
    move |text| recipient_of(setting, text)
}

fn recipient_of(setting: &'static str, text: &str) -> Result<RecoveryPublic, ConfigError> {
    RecoveryPublic::parse(text).map_err(|error| {
        let reason = match error {
            RecoveryError::Unsupported => "This program was built without age: leave it out, or build it with age.",
            _ if text.trim().to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") => {
                "This is the half that opens, and it must not be on the box: make another key elsewhere (age-keygen), \
                 and give the line that starts with age1."
            }
            _ if text.trim().starts_with("age1") => {
                "A letter is wrong or missing: copy the whole public key again, as age-keygen -y prints it."
            }
            _ => "It is an age public key, which starts with age1: make the pair elsewhere with age-keygen.",
        };
        ConfigError::Setting { setting, reason: reason.into() }
    })
}

/// Where codes are posted, if they are.
fn code_webhook(sender: Option<CodeSender>, address: Option<String>) -> Result<Option<Uri>, ConfigError> {
    let refuse = |reason: &str| ConfigError::Setting { setting: "code_webhook", reason: reason.into() };
    if sender == Some(CodeSender::Webhook) && address.is_none() {
        return Err(refuse("The webhook sender needs the address it posts to."));
    }
    address.map(|address| gateway(&address)).transpose().map_err(refuse)
}

/// The address of a gateway: codes and phone numbers go there, so it is TLS unless it is this machine.
fn gateway(address: &str) -> Result<Uri, &'static str> {
    let uri: Uri = address.parse().map_err(|_| "It is no address: https://host/path is wanted.")?;
    let host = uri.host().unwrap_or_default();
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) || host.is_empty() {
        return Err("It is https://host/path, without a name and password.");
    }
    let here = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) || host == "localhost";
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if here => Ok(uri),
        _ => Err(
            "It starts with https://, so that nobody reads the codes on their way; http:// goes to this machine alone.",
        ),
    }
}

/// A number that lies in its range, or a refusal that names the range.
fn bounded(setting: &'static str, value: u32, range: RangeInclusive<u32>, unit: &str) -> Result<u32, ConfigError> {
    if range.contains(&value) {
        return Ok(value);
    }
    let reason = format!("It is between {} and {}{unit}.", range.start(), range.end());
    Err(ConfigError::Setting { setting, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Given, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn the_higher_source_wins_and_the_lower_fills_in() {
        let high = file("open_registration = true").unwrap();
        let low = file("open_registration = false\narchive_days = 30").unwrap();
        let config = high.over(low).complete().unwrap();
        assert!(config.open_registration);
        assert_eq!(config.archive, Duration::from_secs(30 * 24 * 3600));
    }

    #[test]
    fn half_a_certificate_and_a_foreign_proxy_are_refused() {
        for text in [
            "tls_cert = \"a\"",
            "tls = \"files\"",
            "proxies = [\"10.0.0.1\"]",
            "listen = []",
            "archive_days = 0",
            "public_url = \"box\"",
            "mdns_name = \"Mama Put\"",
            "mdns_name = \"box.local\"",
            "origins = [\"https://owner.example/\"]",
            "origins = [\"owner.example\"]",
        ] {
            assert!(file(text).unwrap().complete().is_err(), "{text}");
        }
    }
}
