//! `whotbox support bundle`: says what would be in it, and writes it or shows it.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Subcommand;
use serde_json::{Value, json};

use crate::app::App;
use crate::cli::ask;
use crate::cli::control::{Failure, Request};
use crate::config::Config;
use crate::doctor::support::{blacked_out, sections};
use crate::http::metrics::Metrics;
use crate::upstream::Link;

/// Lines of the log that are taken.
const LINES: usize = 400;

/// `support …`.
#[derive(Debug, Subcommand)]
pub enum SupportCommand {
    /// Put together what somebody who helps needs to know, without anything about people; what is in it is said first.
    Bundle {
        /// Show all of it and write nothing.
        #[arg(long)]
        show: bool,
        /// Where to; a file that is not there yet.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// A file with the box's log; without it the journal is asked for that of the service.
        #[arg(long, value_name = "FILE")]
        log: Option<PathBuf>,
    },
}

/// What the box gives.
///
/// # Errors
/// [`Failure`] in words for a person.
pub(in crate::cli) fn perform(app: &App, link: &Link) -> Result<Value, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(error.to_string(), "See what whotbox doctor says.");
    let mut all = sections(app, link).map_err(|fault| failed(&fault))?;
    let metrics = Metrics::of(app);
    metrics.observe(app, link);
    let about = "the figures that Prometheus is given; those of requests are of this command alone";
    all.push(metrics.section(about).map_err(|error| failed(&error))?);
    Ok(json!(all))
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn run(config: &Config, command: SupportCommand) -> Result<(), Failure> {
    let SupportCommand::Bundle { show, output, log } = command;
    let mut bundle = ask(config, Request::Support).await?;
    let lines = log_lines(log.as_deref())?;
    if let Some(all) = bundle.as_array_mut() {
        let about = "the last lines of the log, with names, numbers and addresses blacked out";
        all.push(json!({"name": "log", "about": about, "content": lines}));
    }
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "A support bundle holds, and holds nothing else:"));
    for section in bundle.as_array().into_iter().flatten() {
        let text = |name: &str| section.get(name).and_then(Value::as_str).unwrap_or_default();
        drop(writeln!(out, "  {:12} {}", text("name"), text("about")));
    }
    drop(writeln!(out, "No names, numbers, messages, keys, tokens, addresses or paths."));
    if show {
        drop(writeln!(out, "{bundle:#}"));
        return Ok(());
    }
    let path = output.unwrap_or_else(|| PathBuf::from("whotbox-support.json"));
    let failed = |error| {
        Failure::usage(format!("{}: {error}.", path.display()), "Name a file that is not there yet: --output FILE.")
    };
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
    file.write_all(format!("{bundle:#}\n").as_bytes()).map_err(failed)?;
    drop(writeln!(out, "It is in {}: look into it before you give it away.", path.display()));
    Ok(())
}

/// The end of the log, blacked out; none where neither a file was named nor a journal can be read.
fn log_lines(file: Option<&Path>) -> Result<Vec<String>, Failure> {
    let text = match file {
        Some(path) => String::from_utf8_lossy(&std::fs::read(path).map_err(|error| {
            Failure::usage(format!("{}: {error}.", path.display()), "Name a file that can be read.")
        })?)
        .into_owned(),
        None => journal().unwrap_or_default(),
    };
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
    Ok(last.iter().map(|line| blacked_out(line)).collect())
}

fn journal() -> Option<String> {
    let lines = format!("--lines={LINES}");
    let arguments = ["--unit=whotbox", "--output=cat", "--no-pager", "--quiet", &lines];
    let output = Command::new("journalctl").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
