//! The machine that the box runs on, as far as its service manager lets the box touch it.
//!
//! Only a box that systemd runs may turn its machine off, and only where the owner allowed it (docs/OPERATIONS.md): a box
//! that somebody started by hand never does. Must not know who wishes it.

use std::process::{Command, Stdio};

/// What a call of logind's begins with.
const LOGIND: [&str; 6] = [
    "--system",
    "--timeout=3",
    "call",
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
];

/// Whether systemd runs this process as a service, and starts it again when it ends.
#[must_use]
pub fn is_service() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Whether this box may turn its machine off.
pub async fn can_power_off() -> bool {
    is_service() && logind(&["CanPowerOff"]).await.is_some_and(|answer| answer.trim() == "s \"yes\"")
}

/// Turns the machine off. False where that is refused.
pub async fn power_off() -> bool {
    can_power_off().await && logind(&["PowerOff", "b", "false"]).await.is_some()
}

async fn logind(call: &'static [&'static str]) -> Option<String> {
    let output = tokio::task::spawn_blocking(move || {
        Command::new("busctl").args(LOGIND).args(call).stdin(Stdio::null()).stderr(Stdio::null()).output()
    });
    let output = output.await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
