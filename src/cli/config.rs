//! `whotbox config`: the settings with where each was said, and whether a start would go through.
//!
//! Must not start anything or make a file.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use replication::settings::Settings as Central;
use serde_json::{Value, json};

use crate::cli::control::{Failure, Request};
use crate::cli::flags::{ConfigCommand, Output};
use crate::cli::{logs, socket};
use crate::config::secrets::{self, OldVariables};
use crate::config::{CodeSender, Config, ConfigError, Tls};

/// What a start says to settings that it cannot use.
#[must_use]
pub fn wrong(error: &ConfigError) -> Failure {
    Failure::usage(error, "Correct what is named; whotbox config check looks at all of it.")
}

/// Runs `config …` with the settings of this command line.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn run(settings: Result<Config, ConfigError>, command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show { origin, running, output } => {
            let config = settings.map_err(|error| wrong(&error))?;
            let shown = if running { of_running(&config).await? } else { json!(config.shown()) };
            show(&shown, &config, origin, &output);
            Ok(())
        }
        ConfigCommand::Check(output) => check(&settings, &output),
    }
}

async fn of_running(config: &Config) -> Result<Value, Failure> {
    let answer = socket::ask(&config.data_dir, &Request::Settings).await;
    answer.unwrap_or_else(|| {
        let message = format!("No box runs on {}.", config.data_dir.display());
        Err(Failure::unreachable(message, "Name its folder with --data-dir, or leave out --running."))
    })
}

fn show(settings: &Value, config: &Config, origin: bool, output: &Output) {
    let secrets = secrets::places(&config.data_dir, &OldVariables::from_environment());
    let mut out = std::io::stdout().lock();
    if output.json {
        drop(writeln!(out, "{:#}", json!({"settings": settings, "secrets": secrets})));
        return;
    }
    for setting in settings.as_array().into_iter().flatten() {
        let text = |name: &str| setting.get(name).and_then(Value::as_str).unwrap_or_default();
        let value = setting.get("value").unwrap_or(&Value::Null);
        let line = match value {
            Value::Null => format!("#{} =", text("name")),
            value => format!("{} = {value}", text("name")),
        };
        let place = if text("place").is_empty() { String::new() } else { format!(" {}", text("place")) };
        let said = if origin { format!("{line:<50}  # {}{place}", text("source")) } else { line };
        drop(writeln!(out, "{said}"));
    }
    if origin {
        for secret in secrets {
            let path = secret.path.map_or_else(|| "-".to_owned(), |path| path.display().to_string());
            drop(writeln!(out, "# secret {}: {}, {path}", secret.name, secret.state));
        }
    }
}

/// Looks for everything that would stop a start.
fn check(settings: &Result<Config, ConfigError>, output: &Output) -> Result<(), Failure> {
    let wrong = match settings {
        Ok(config) => problems(config),
        Err(ConfigError::Several(all)) => all.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    };
    let mut out = std::io::stdout().lock();
    if output.json {
        drop(writeln!(out, "{:#}", json!({"usable": wrong.is_empty(), "wrong": wrong})));
    } else if wrong.is_empty() {
        drop(writeln!(out, "The settings are all right."));
    } else {
        for line in &wrong {
            drop(writeln!(out, "{line}"));
        }
    }
    match wrong.len() {
        0 => Ok(()),
        1 => Err(Failure::usage("A box would not start with these settings.", "The line above says why.")),
        _ => Err(Failure::usage("A box would not start with these settings.", "Each line above says why.")),
    }
}

/// What is wrong beyond what the settings alone can tell: files that cannot be read, words that nobody understands, secrets.
fn problems(config: &Config) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut say = |setting: &str, reason: String| {
        let place = config.said.get(setting).map_or(String::new(), |origin| format!("{origin}: "));
        wrong.push(format!("{place}{setting}: {reason}"));
    };
    let (cert, key) = match &config.tls {
        Tls::Files { cert, key } => (Some(cert), Some(key)),
        Tls::Off | Tls::SelfSigned => (None, None),
    };
    let files = [
        ("tls_cert", cert),
        ("tls_key", key),
        ("code_webhook_ca", config.code_webhook_ca.as_ref()),
        ("upstream_ca", config.upstream_ca.as_ref()),
    ];
    for (setting, path) in files {
        if let Some(error) = path.and_then(|path| File::open(path).err()) {
            say(setting, format!("It cannot be read: {error}."));
        }
    }
    if !logs::is_filter(&config.log_level) {
        say(
            "log_level",
            "It is no filter: error, warn, info, debug, or as in \"info,whotbox::upstream=debug\".".into(),
        );
    }
    let ca: Option<&Path> = config.upstream_ca.as_deref().filter(|path| path.exists());
    if let Some(error) = config.upstream.as_deref().and_then(|url| Central::parse(url, ca).err()) {
        say("upstream", format!("{error}."));
    }
    let webhook = config.code_sender == CodeSender::Webhook;
    let secrets = secrets::examine(&config.data_dir, &OldVariables::from_environment(), webhook, config.production);
    wrong.extend(secrets.iter().map(ToString::to_string));
    wrong
}
