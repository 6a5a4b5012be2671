//! The machine that the box runs on: its addresses, and as far as its service manager lets the box touch it.
//!
//! Only a box that systemd runs may turn its machine off, and only where the owner allowed it (docs/OPERATIONS.md): a box
//! that somebody started by hand never does. Must not know who wishes it.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// Where Linux lists this machine's addresses. Both are there under `ProcSubset=pid` too.
const ROUTES: &str = "/proc/self/net/fib_trie";
const ADDRESSES_6: &str = "/proc/self/net/if_inet6";

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

/// Tells systemd that the start takes longer than usual, so that it waits for so long.
pub fn takes_longer(time: Duration) {
    let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    // Without systemd there is nobody to tell.
    drop(sd_notify::notify(&[NotifyState::ExtendTimeoutUsec(micros)]));
}

/// While it is kept, systemd is told that the box lives although its store cannot be read; for ten minutes at most.
#[derive(Debug)]
pub struct AtWork(Arc<AtomicBool>);

impl AtWork {
    /// Begins.
    #[must_use]
    pub fn begin() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let tell = move || {
            for _ in 0..120 {
                drop(sd_notify::notify(&[NotifyState::Watchdog]));
                std::thread::park_timeout(Duration::from_secs(5));
                if seen.load(Ordering::Relaxed) {
                    return;
                }
            }
        };
        // Without systemd there is nobody to tell; where no thread can be had, the watchdog does what it is for.
        if is_service() {
            drop(std::thread::Builder::new().name("at-work".into()).spawn(tell));
        }
        Self(over)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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

/// This machine's own addresses, in order, without those of loopback.
#[must_use]
pub fn addresses() -> Vec<IpAddr> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let all: BTreeSet<IpAddr> = four(&read(ROUTES)).chain(six(&read(ADDRESSES_6))).collect();
    all.into_iter().filter(|address| !address.is_loopback()).collect()
}

/// In the table of routes an own address stands in the line before the words `host LOCAL`.
fn four(table: &str) -> impl Iterator<Item = IpAddr> {
    let lines = table.lines().zip(table.lines().skip(1));
    lines.filter_map(|(line, next)| {
        let own = next.trim_end().ends_with("host LOCAL");
        own.then(|| line.split_whitespace().last()?.parse::<Ipv4Addr>().ok().map(IpAddr::V4)).flatten()
    })
}

/// One address a line, as 32 hexadecimal digits before the first space.
fn six(table: &str) -> impl Iterator<Item = IpAddr> {
    table.lines().filter_map(|line| {
        let digits = line.split(' ').next().filter(|digits| digits.len() == 32)?;
        u128::from_str_radix(digits, 16).ok().map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_told_from_networks_and_broadcasts() {
        let routes = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 192.168.4.0/24 2 0 2\n\
                      \u{20}       |-- 192.168.4.0\n           /24 link UNICAST\n        |-- 192.168.4.1\n           /32 host LOCAL\n\
                      \u{20}       |-- 192.168.4.255\n           /32 link BROADCAST\n";
        assert_eq!(four(routes).collect::<Vec<_>>(), ["192.168.4.1".parse::<IpAddr>().unwrap()]);
        let table = "fe800000000000000242acfffe110002 02 40 20 80 eth0\nbroken\n";
        assert_eq!(six(table).collect::<Vec<_>>(), ["fe80::242:acff:fe11:2".parse::<IpAddr>().unwrap()]);
    }
}
