//! The checks, one function each. Each says nothing while all is well.

use std::fs;
use std::time::Duration;

use crate::app::App;
use crate::backup::{folder, keys};
use crate::base::certificate::{Facts, fingerprint, first};
use crate::base::durable;
use crate::base::time::Timestamp;
use crate::catalog;
use crate::chat::audit;
use crate::chat::service::Gate;
use crate::doctor::{Finding, authority, certificate_file, loose};
use crate::jobs::backup::last_good;
use crate::mdns::State as Naming;
use crate::store::{backups, locked, meta};
use crate::upstream::state::State;
use crate::upstream::{Link, enrol, revocation};

type Check = fn(&App, &Link) -> Vec<Finding>;

/// Every check by the name of what it looks at.
pub(in crate::doctor) const ALL: &[(&str, Check)] = &[
    ("store", store),
    ("disk", disk),
    ("permissions", permissions),
    ("secrets", secrets),
    ("clock", clock),
    ("network", network),
    ("name", name),
    ("certificate", certificate_of),
    ("central", central),
    ("backups", backups_of),
    ("restore", restored),
    ("shut", shut),
    ("audit trail", trail),
    ("expiry", expiry),
    ("memory", memory),
];

const MIB: u64 = 1 << 20;
/// Less free space than this and writes will soon be refused.
const SPACE_ERROR: u64 = 64 * MIB;
/// Less than this, and it is time to make room.
const SPACE_WARNING: u64 = 512 * MIB;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A certificate that ends within this is named.
const ENDS_SOON: Duration = Duration::from_secs(14 * 24 * 3600);
/// Days without central that are worth a word. Months are a normal state, and still worth one.
const LONG_OFFLINE: Duration = Duration::from_secs(30 * 24 * 3600);

fn store(app: &App, _: &Link) -> Vec<Finding> {
    let mut found = Vec::new();
    match app.store.read() {
        Ok(read) => {
            if let Err(error) = catalog::check(&read) {
                let fix =
                    "Stop the box, move its data folder away, and restore the newest backup: whotbox backup restore.";
                found.push(Finding::error("store_damaged", format!("The store cannot be read whole: {error}."), fix));
            }
        }
        Err(fault) => {
            let fix = "Look at the disk (dmesg, smartctl -a), make room, and restart the box.";
            found.push(Finding::error("store_unreadable", format!("The store cannot be read: {fault}."), fix));
        }
    }
    let figures = app.store.figures();
    if figures.full {
        let message = "The disk is full: only sign-outs, holds, audits and what makes room is written.";
        let fix = format!("Make room on the disk of {}; writing goes on by itself.", app.config.data_dir.display());
        found.push(Finding::error("storage_full", message, fix));
    }
    if figures.failures > 0 {
        let message = format!("{} commits failed since the start; nothing acknowledged was lost.", figures.failures);
        let fix = "Look at the disk: dmesg, smartctl -a, df. Make a backup to another disk: whotbox backup create.";
        found.push(Finding::warning("store_commit_failures", message, fix));
    }
    found
}

fn disk(app: &App, _: &Link) -> Vec<Finding> {
    let mut found = Vec::new();
    let places = [(&app.config.data_dir, "data folder"), (&folder::path(app), "folder of backups")];
    for (path, what) in places.map(|(path, what)| (path.clone(), what)) {
        let Ok(free) = durable::free_bytes(&path) else { continue };
        let message = format!("Only {} MiB are free where the {what} lies.", free / MIB);
        let fix = format!("Make room on the disk of {}, or move the backups with backup_dir.", path.display());
        if free < SPACE_ERROR {
            found.push(Finding::error("disk_full", message, fix));
        } else if free < SPACE_WARNING {
            found.push(Finding::warning("disk_space", message, fix));
        }
    }
    // TMPFS_MAGIC of the kernel's magic.h.
    if rustix::fs::statfs(&app.config.data_dir).is_ok_and(|stat| stat.f_type as u64 == 0x0102_1994) {
        let fix = "Name a folder on a disk with --data-dir, and move the data folder there while the box is stopped.";
        found.push(Finding::error(
            "data_in_memory",
            "The data folder lies in memory and is gone with the next restart.",
            fix,
        ));
    }
    found
}

fn permissions(app: &App, _: &Link) -> Vec<Finding> {
    let each = loose(&app.config.data_dir).into_iter().map(|(path, mode)| {
        let message = format!("Others on this machine may look into {}.", path.display());
        Finding::error(
            "loose_permissions",
            message,
            format!("whotbox doctor --fix, or chmod {mode:o} {}", path.display()),
        )
    });
    each.collect()
}

fn secrets(app: &App, _: &Link) -> Vec<Finding> {
    let file = app.config.data_dir.join("master.key");
    let generated = fs::read_to_string(&file).is_ok_and(|text| text.starts_with("generated"));
    if !generated {
        return Vec::new();
    }
    let message = "The master key was made by the box and lies beside its data: whoever steals the disk has both.";
    let fix = "Where theft is likely, keep it outside: \"Keys outside the data folder\" in OPERATIONS.md.";
    vec![Finding::note("master_key_beside_data", message, fix)]
}

fn clock(app: &App, _: &Link) -> Vec<Finding> {
    let wall = app.clock.wall();
    if wall.trusted {
        return Vec::new();
    }
    let message = format!("Nothing says that the clock is right ({}), so nothing is expired or purged.", wall.now);
    let fix = "Let the system set it (timedatectl set-ntp true), or compare it and run: whotbox clock confirm --time … --reason …";
    vec![Finding::warning("clock_untrusted", message, fix)]
}

/// The box's name on its network.
fn name(app: &App, _: &Link) -> Vec<Finding> {
    let known = app.mdns.known();
    let (wanted, label) = (&known.wanted, &known.label);
    let found = match known.state {
        Naming::Off | Naming::Claiming => None,
        Naming::Held if wanted == label => None,
        Naming::Held => {
            let message = format!("Another machine here is called {wanted}.local, so this box is {label}.local.");
            let fix = "Give the box another name on its settings page, or set mdns_name in whotbox.toml.";
            Some(Finding::warning("name_taken", message, fix))
        }
        Naming::Taken => {
            let message =
                format!("Others here have the name {wanted}.local and all like it: the box answers for none.");
            let fix = "Give the box another name on its settings page, or set mdns_name in whotbox.toml.";
            Some(Finding::warning("name_taken", message, fix))
        }
        Naming::NoNetwork => {
            let message = format!("The machine is on no network that could ask for {wanted}.local.");
            let fix =
                "Turn its Wi-Fi on or plug its cable in; the name follows by itself. mdns = false if none is wanted.";
            Some(Finding::note("name_without_network", message, fix))
        }
        Naming::Refused => {
            let message = format!("The system gives no socket for {wanted}.local: people come by the number alone.");
            let fix =
                "Let the service use UDP port 5353 (see its log at level debug), or set mdns = false in whotbox.toml.";
            Some(Finding::warning("name_refused", message, fix))
        }
    };
    found.into_iter().collect()
}

fn network(app: &App, _: &Link) -> Vec<Finding> {
    let only_here = app.config.listen.iter().all(|address| address.ip().is_loopback());
    if !only_here {
        return Vec::new();
    }
    let fix = "Set listen = [\"0.0.0.0:8080\"] in whotbox.toml, or put a reverse proxy before it.";
    vec![Finding::note("listens_here_only", "The box listens on this machine alone: no phone reaches it.", fix)]
}

/// When the box's certificate ends; `None` on plain HTTP and for one that cannot be read.
#[must_use]
pub fn certificate_ends(app: &App) -> Option<Timestamp> {
    Some(Facts::of(&first(&certificate_file(&app.config)?)?)?.until)
}

fn certificate_of(app: &App, _: &Link) -> Vec<Finding> {
    let Some(path) = certificate_file(&app.config) else {
        let fix = "Give the Wi-Fi a password, or set tls = \"self-signed\" in whotbox.toml.";
        let message = "The box speaks plain HTTP: who listens on its Wi-Fi can read what passes.";
        return vec![Finding::note("plain_http", message, fix)];
    };
    let Some(facts) = first(&path).and_then(|der| Facts::of(&der)) else {
        let message = format!("{} holds no certificate that can be read.", path.display());
        return vec![Finding::error(
            "certificate_unreadable",
            message,
            "Give a PEM certificate chain: tls_cert in whotbox.toml.",
        )];
    };
    let (now, ends) = (app.clock.now(), facts.until);
    let own = authority(&app.config);
    let fix = match own {
        Some(_) => "The box renews it by itself and could not: look at its log and its disk, and restart it.",
        None => "Put the new certificate in its place; the box takes it within a minute.",
    };
    let mut found = Vec::new();
    if ends <= now {
        found.push(Finding::error("certificate_ended", format!("The certificate ended at {ends}."), fix));
    } else if ends <= now.plus(ENDS_SOON) {
        found.push(Finding::warning("certificate_ends_soon", format!("The certificate ends at {ends}."), fix));
    }
    found.extend(uncovered(app, &facts));
    found.extend(own.map(|der| {
        let message =
            format!("Devices trust this box once they have its certificate, whose SHA-256 is {}.", fingerprint(&der));
        Finding::note(
            "own_authority",
            message,
            "Open /trust on each device of the staff, and compare this fingerprint.",
        )
    }));
    found
}

/// The address that people are given, where the certificate is not for it.
fn uncovered(app: &App, facts: &Facts) -> Option<Finding> {
    let host = app.config.public_host()?;
    if facts.is_for(&host) || app.config.public_url.as_ref().is_none_or(|url| !url.starts_with("https://")) {
        return None;
    }
    let message = format!("The certificate is not for {host}, which public_url names: browsers warn of it.");
    let fix = format!(
        "Get a certificate for {host} (tls_cert and tls_key), or name a local address in public_url; the present one is for {}.",
        facts.names.join(", ")
    );
    Some(Finding::warning("certificate_name", message, fix))
}

fn central(app: &App, link: &Link) -> Vec<Finding> {
    let known = link.status.known();
    let say = |text: &Option<String>| text.clone().unwrap_or_default();
    let logging = app.store.read().ok().and_then(|read| meta::identity(&read).ok()).is_some_and(|row| row.logging);
    if logging && matches!(enrol::login(&app.config), Ok(None)) {
        let message = "The box was enrolled at central and has lost its login.";
        return vec![Finding::error(
            "central_login_lost",
            message,
            "Enrol it again: whotbox upstream enroll --admin-url …",
        )];
    }
    match known.state {
        State::Fenced => vec![Finding::error("central_fenced", say(&known.reason), say(&known.advice))],
        State::Stalled => vec![Finding::error("central_stalled", say(&known.reason), say(&known.advice))],
        State::Offline => {
            let silent = known.last_sync_at.is_some_and(|at| app.clock.now().since(at) > LONG_OFFLINE);
            let stall = match known.cause {
                Some("silent") => Some(("central_silent", "Central takes the call and gives no answer")),
                Some("disk_full") => Some(("central_full", "Central's disk is full")),
                Some("busy") => Some(("central_busy", "Central answers and takes nothing")),
                _ => None,
            };
            if let Some((id, what)) = stall {
                let message = format!("{what}; play goes on, changes wait. {}", say(&known.reason));
                return vec![Finding::warning(id, message, say(&known.advice))];
            }
            let message = format!("Central cannot be reached; play goes on. {}", say(&known.reason));
            let make = if silent { Finding::warning } else { Finding::note };
            vec![make("central_offline", message, say(&known.advice))]
        }
        State::Disabled | State::CatchingUp | State::Live => Vec::new(),
    }
}

fn backups_of(app: &App, _: &Link) -> Vec<Finding> {
    if !matches!(keys::recovery(&app.config.data_dir), Ok(Some(_))) {
        let fix = "Print the recovery sheet: whotbox backup sheet --html sheet.html";
        return vec![Finding::warning(
            "no_recovery_key",
            "No backup is made, because no recovery sheet was printed yet.",
            fix,
        )];
    }
    let mut found = Vec::new();
    let now = app.clock.now();
    let fix = "Make one now: whotbox backup create";
    match last_good(app).ok().flatten() {
        None => found.push(Finding::warning("backup_missing", "There is a recovery key and no backup yet.", fix)),
        Some(at) if now.since(at) > 7 * DAY => {
            let message =
                format!("The last good backup is of {at}, {} days ago.", now.since(at).as_secs() / DAY.as_secs());
            found.push(Finding::error("backup_old", message, fix));
        }
        Some(at) if now.since(at) > 2 * DAY => {
            found.push(Finding::warning("backup_late", format!("The last good backup is of {at}."), fix));
        }
        Some(_) => {}
    }
    let last =
        app.store.read().ok().and_then(|read| backups::runs(&read).ok()).and_then(|runs| runs.into_iter().next());
    if let Some(fault) = last.and_then(|run| run.fault) {
        let message = format!("The last backup failed its restore drill: {fault}.");
        let fix = "Make another (whotbox backup create). If it fails too, look after the disk and report this.";
        found.push(Finding::error("backup_drill_failed", message, fix));
    }
    if app.config.backup_dir.is_none() {
        let fix = "Set backup_dir in whotbox.toml to a stick or a second disk, or copy the newest backup away.";
        found.push(Finding::note("backup_same_disk", "Backups lie on the same disk as the box.", fix));
    }
    found
}

fn shut(app: &App, _: &Link) -> Vec<Finding> {
    let Ok(Some(lock)) = app.store.read().and_then(|read| locked::of(&read)) else { return Vec::new() };
    let keys = match (lock.wiped_at, revocation::waits(app)) {
        (Some(at), _) => format!("its keys are wiped since {at}"),
        (None, Ok(Some(why))) => format!("its keys stay until then: {why}"),
        (None, _) => "its keys are wiped as soon as central has compared everything".to_owned(),
    };
    let message = format!("Central has shut this box ({}): nobody plays or writes on it, and {keys}.", lock.reason);
    vec![Finding::error(
        "box_shut",
        &message,
        "Ask central's operator; central can take it back while the keys are there.",
    )]
}

fn restored(app: &App, _: &Link) -> Vec<Finding> {
    match app.chat.gate() {
        Gate::Open => Vec::new(),
        Gate::Closed => {
            let message = "The box was restored, and messages stay closed until what was due is destroyed.";
            vec![Finding::warning("messages_closed", message, "See that the clock is trusted: whotbox clock status")]
        }
        Gate::ClosedUntilHolds => {
            let message = "The box was restored, and messages stay closed until central follows it again.";
            vec![Finding::warning("messages_closed", message, "Enrol it again: whotbox upstream enroll --admin-url …")]
        }
    }
}

fn trail(app: &App, _: &Link) -> Vec<Finding> {
    let Ok(read) = app.store.read() else { return Vec::new() };
    let why = match audit::verify(&read) {
        Ok(Ok(_)) => return diverged(app),
        Ok(Err(broken)) => broken.to_string(),
        Err(fault) => fault.to_string(),
    };
    let fix = "Somebody changed the store around the box: keep a copy of the data folder and compare with central (whotbox audit verify).";
    vec![Finding::error("audit_broken", format!("The audit trail is broken: {why}."), fix)]
}

/// The trail is sound by itself, and not what central has of it.
fn diverged(app: &App) -> Vec<Finding> {
    let Some(Err(diverged)) = app.chat.trail() else { return Vec::new() };
    let fix = "If an older copy of this box was restored: whotbox audit acknowledge --reason … Otherwise keep a copy of both trails.";
    vec![Finding::error("audit_diverged", format!("The audit trail differs from central's: {diverged}."), fix)]
}

fn expiry(app: &App, _: &Link) -> Vec<Finding> {
    let status = app.chat.status();
    let mut found = Vec::new();
    if let Some(error) = status.last_error {
        let fix = "Look after the data folder's disk; it is tried again by itself.";
        found.push(Finding::error("expiry_failed", format!("What is due could not be destroyed: {error}."), fix));
    }
    if status.blocked > 0 {
        let message =
            format!("{} keys cannot be destroyed, because a held message under them is damaged.", status.blocked);
        let fix = "Ask the moderator whether the hold can be released, or restore a backup in which it is whole.";
        found.push(Finding::warning("expiry_blocked", message, fix));
    }
    let put_back = app.chat.put_back();
    if put_back > 0 {
        let message = format!("An older chat.keys was put back: {put_back} destroyed keys in it were destroyed again.");
        let fix = "Never copy chat.keys by itself. If newer messages cannot be read now: whotbox backup restore. Then restart the box: this goes.";
        found.push(Finding::error("key_file_rolled_back", message, fix));
    }
    found
}

/// Memory of this process in bytes, as the kernel counts what is resident.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn memory(_: &App, _: &Link) -> Vec<Finding> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").to_owned();
    let limit = fs::read_to_string(format!("/sys/fs/cgroup{group}/memory.max")).ok();
    let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
    match limit.zip(resident_bytes()) {
        Some((limit, used)) if used > limit / 100 * 85 => {
            let message = format!("The box uses {} of the {} MiB that it may.", used / MIB, limit / MIB);
            vec![Finding::warning(
                "memory_tight",
                message,
                "Raise MemoryMax: systemctl edit whotbox, [Service] MemoryMax=1G",
            )]
        }
        _ => Vec::new(),
    }
}
