//! The settings as people see them: each with its value and where that was said. Passwords are left out.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::base::recovery::RecoveryPublic;
use crate::config::keys;
use crate::config::sources::Origin;
use crate::config::{CodeSender, Config, LogFormat, Tls};

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Shown {
    /// Its name in `whotbox.toml`.
    pub name: &'static str,
    /// Its value; null where there is none.
    pub value: Value,
    /// `flag`, `environment`, `file`, `central`, `screen` or `default`: who said it.
    pub source: &'static str,
    /// Which flag, variable, or file and line.
    pub place: Option<String>,
}

impl Config {
    /// Every setting, in the order of the sample.
    #[must_use]
    pub fn shown(&self) -> Vec<Shown> {
        let each = keys::ALL.iter().map(|key| {
            let (source, place) = match self.said.get(key.name) {
                None => ("default", None),
                Some(Origin::Flag(name)) => ("flag", Some(name.clone())),
                Some(Origin::Environment(name)) => ("environment", Some(name.clone())),
                Some(Origin::File { path, line }) => ("file", Some(format!("{}:{line}", path.display()))),
                Some(Origin::Central) => ("central", None),
                Some(Origin::Screen) => ("screen", None),
            };
            Shown { name: key.name, value: self.value(key.name), source, place }
        });
        each.collect()
    }

    fn value(&self, name: &str) -> Value {
        let days = |duration: Duration| duration.as_secs() / 86_400;
        let (cert, key) = match &self.tls {
            Tls::Files { cert, key } => (Some(cert), Some(key)),
            Tls::Off | Tls::SelfSigned => (None, None),
        };
        match name {
            "data_dir" => json!(self.data_dir),
            "listen" => json!(self.listen),
            "tls" => json!(match self.tls {
                Tls::Off => "off",
                Tls::SelfSigned => "self-signed",
                Tls::Files { .. } => "files",
            }),
            "tls_cert" => json!(cert),
            "tls_key" => json!(key),
            "plain_http" => json!(self.plain_http),
            "public_url" => json!(self.public_url),
            "mdns" => json!(self.mdns),
            "mdns_name" => json!(self.mdns_name),
            "open_registration" => json!(self.open_registration),
            "origins" => json!(self.origins),
            "proxies" => json!(self.proxies),
            "code_sender" => json!(match self.code_sender {
                CodeSender::Owner => "owner",
                CodeSender::Webhook => "webhook",
                CodeSender::Off => "off",
            }),
            "code_webhook" => json!(self.code_webhook.as_ref().map(|uri| without_path(&uri.to_string()))),
            "code_webhook_ca" => json!(self.code_webhook_ca),
            "archive_days" => json!(days(self.archive)),
            "archive_recipient" => json!(self.archive_recipient.as_ref().map(RecoveryPublic::as_str)),
            "shred_minutes" => json!(self.shred.as_secs() / 60),
            "hold_grace_hours" => json!(self.hold_grace.as_secs() / 3600),
            "hold_second_moderator" => json!(self.hold_second_moderator),
            "hold_offline_days" => json!(self.hold_offline.map_or(0, days)),
            "log_days" => json!(days(self.log_retention)),
            "verify_hours" => json!(self.verify_every.map_or(0, |every| every.as_secs() / 3600)),
            "backup_dir" => json!(self.backup_dir),
            "backup_keep" => json!(self.backup_keep),
            "upstream" => json!(self.upstream.as_deref().map(without_password)),
            "upstream_ca" => json!(self.upstream_ca),
            "upstream_hours" => json!(self.upstream_hours.map(|hours| hours.to_string())),
            "upstream_kbit" => json!(self.upstream_rate.map_or(0, |rate| rate / 125)),
            "courier_recipient" => json!(self.courier_recipient.as_ref().map(RecoveryPublic::as_str)),
            "log_level" => json!(self.log_level),
            "log_format" => json!(match self.log_format {
                LogFormat::Text => "text",
                LogFormat::Json => "json",
            }),
            "production" => json!(self.production),
            _ => Value::Null,
        }
    }
}

/// Central's address without password and options.
fn without_password(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return "…".into() };
    match rest.rsplit_once('@') {
        Some((login, place)) => format!("{scheme}://{}@{place}", login.split(':').next().unwrap_or_default()),
        None => url.to_owned(),
    }
}

/// A gateway's address without its path, where some have their token.
fn without_path(url: &str) -> String {
    let host = url.split('/').nth(2).unwrap_or_default();
    let scheme = url.split("://").next().unwrap_or_default();
    format!("{scheme}://{host}/…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Given;

    #[test]
    fn every_setting_is_shown_and_no_password() {
        let given = Given {
            upstream: Some("postgres://box:s3cret@db.example:5432/central?password=s3cret".into()),
            code_webhook: Some("https://sms.example/s3cret/send?key=s3cret".into()),
            tls: Some(crate::config::TlsMode::Files),
            tls_cert: Some("c".into()),
            tls_key: Some("k".into()),
            public_url: Some("http://box".into()),
            mdns_name: Some("whot-mama".into()),
            code_webhook_ca: Some("w".into()),
            upstream_ca: Some("u".into()),
            backup_dir: Some("b".into()),
            archive_recipient: Some("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p".into()),
            upstream_hours: Some("22:00-06:00".into()),
            courier_recipient: Some("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p".into()),
            ..Given::default()
        };
        let shown = given.complete().unwrap().shown();
        assert!(shown.iter().all(|setting| setting.value != Value::Null), "{shown:#?}");
        let text = serde_json::to_string(&shown).unwrap();
        assert!(!text.contains("s3cret"), "{text}");
        assert!(
            text.contains("postgres://box@db.example:5432/central") && text.contains("https://sms.example/…"),
            "{text}"
        );
    }
}
