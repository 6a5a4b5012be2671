//! `whotbox doctor`: the findings of the running box, of a stopped one, or why it does not start.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::control::{Failure, Request};
use crate::cli::{ask, socket};
use crate::config::Config;
use crate::doctor::mend;

/// Runs the command; a failure where anything is an error.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn run(config: &Config, json: bool, fix: bool) -> Result<(), Failure> {
    if fix {
        mend_here(&config.data_dir)?;
    }
    let running = socket::ask(&config.data_dir, &Request::Status).await.is_some();
    let mut report = match ask(config, Request::Doctor).await {
        Ok(report) => report,
        Err(failure) => json!({"healthy": false, "findings": [{
            "id": "does_not_start", "severity": "error", "message": failure.message, "fix": failure.hint,
        }]}),
    };
    if !running {
        add(&mut report, &taken_ports(config));
    }
    show(&report, json);
    if report.get("healthy").and_then(Value::as_bool) == Some(true) {
        return Ok(());
    }
    Err(Failure::failed("Something is wrong with this box.", "Each line above says what to do."))
}

fn mend_here(data_dir: &Path) -> Result<(), Failure> {
    let changed = mend(data_dir)
        .map_err(|error| Failure::failed(format!("{error}."), "Run it as root or as the box's own user."))?;
    for path in changed {
        drop(writeln!(std::io::stderr().lock(), "(closed to others: {})", path.display()));
    }
    Ok(())
}

/// Addresses that something else listens on, while the box does not run.
fn taken_ports(config: &Config) -> Vec<Value> {
    let taken = config.listen.iter().filter_map(|address| Some((address, std::net::TcpListener::bind(address).err()?)));
    let finding = |(address, error): (&std::net::SocketAddr, std::io::Error)| {
        json!({
            "id": "port_taken", "severity": "error", "message": format!("{address} cannot be listened on: {error}."),
            "fix": "Stop what uses it (ss -ltnp), or choose another: listen in whotbox.toml.",
        })
    };
    taken.map(finding).collect()
}

fn add(report: &mut Value, more: &[Value]) {
    if more.is_empty() {
        return;
    }
    if let Some(fields) = report.as_object_mut() {
        fields.insert("healthy".into(), false.into());
        if let Some(findings) = fields.get_mut("findings").and_then(Value::as_array_mut) {
            findings.splice(0..0, more.iter().cloned());
        }
    }
}

fn show(report: &Value, json: bool) {
    let mut out = std::io::stdout().lock();
    if json {
        drop(writeln!(out, "{report:#}"));
        return;
    }
    let text = |finding: &Value, name: &str| finding.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let findings = report.get("findings").and_then(Value::as_array).cloned().unwrap_or_default();
    for finding in &findings {
        let (severity, id) = (text(finding, "severity"), text(finding, "id"));
        drop(writeln!(out, "{severity:<8} {id}: {}\n         {}", text(finding, "message"), text(finding, "fix")));
    }
    let checked: Vec<&str> =
        report.get("checked").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if !checked.is_empty() {
        drop(writeln!(out, "Looked at: {}.", checked.join(", ")));
    }
    if report.get("healthy").and_then(Value::as_bool) == Some(true) {
        drop(writeln!(out, "The box is all right."));
    }
}
