//! Where log lines go: standard error, as text for people or as JSON.

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging. A filter that cannot be read counts as `info`, and says so.
pub fn start(level: &str, format: LogFormat) {
    let (filter, bad) = match EnvFilter::try_new(level) {
        Ok(filter) => (filter, false),
        Err(_) => (EnvFilter::new("info"), true),
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, as in tests, changes nothing.
    let started = match format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    drop(started);
    if bad {
        tracing::warn!(filter = level, "this log filter cannot be read; info is used");
    }
}

/// Whether a log filter can be read.
#[must_use]
pub fn is_filter(level: &str) -> bool {
    EnvFilter::try_new(level).is_ok()
}
