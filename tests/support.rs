//! What tests share: clients that speak HTTP and WebSockets to the last byte, and a PostgreSQL to throw away.

pub(crate) mod http;
pub(crate) mod logs;
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod whotbox;
pub(crate) mod ws;

use std::time::Duration;

/// How long a test waits for what must come. Reached only by a failure, so it is long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what must come.
#[track_caller]
pub(crate) fn soon<F: Future>(what: &'static str, future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(out) => out,
            Err(_) => panic!("{what} did not come; waited for at {caller}"),
        }
    }
}

/// Compares a text with its golden under `schemas/`; with `UPDATE_GOLDENS=1` it is written instead.
#[track_caller]
pub(crate) fn golden(path: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(path);
    if std::env::var_os("UPDATE_GOLDENS").is_some_and(|v| v == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(
        kept == text,
        "{} differs first in line {:?}; UPDATE_GOLDENS=1 writes it",
        path.display(),
        differs.map(|n| n + 1)
    );
}
