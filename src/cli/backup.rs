//! `whotbox backup …`: made, listed and checked by the box; restored where there is none yet.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::backup::error::Error;
use crate::backup::restore::{Order, restore};
use crate::backup::sheet::Sheet;
use crate::backup::undo::{NEWER_FILE, undo};
use crate::backup::{check, create, folder, keys};
use crate::base::entropy::{Entropy, OsEntropy};
use crate::base::recovery::RecoveryKey;
use crate::base::time::{Clock, SystemClock};
use crate::cli::control::{Failure, Request};
use crate::cli::flags::Output;
use crate::cli::{ask, print, socket};
use crate::config::{Config, secrets};
use crate::jobs::backup::last_good;

/// `backup …`.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Make the recovery key and print its sheet. The key is shown this once.
    Sheet {
        /// Write the sheet as a page to print into this file, instead of showing it here.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// Make a new key although there is one; it does not open the backups made before.
        #[arg(long)]
        replace: bool,
    },
    /// Make a backup now, check it, and remove the oldest beyond `backup_keep`.
    Create {
        /// Only where the last one is older than so many hours.
        #[arg(long, value_name = "HOURS")]
        if_older: Option<u64>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// List the backups, newest first.
    List(Output),
    /// Check a backup by filling a scratch store from it: the newest, or FILE.
    Verify {
        /// The backup: a name of the list, or with a recovery key any file.
        file: Option<PathBuf>,
        /// Check it with the recovery key, as a restore would; needs no box.
        #[arg(long, value_name = "FILE")]
        recovery_key_file: Option<PathBuf>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Fill an empty data folder from a backup.
    Restore {
        /// The backup.
        file: PathBuf,
        /// A file with the recovery key of the sheet; spaces and line breaks do not matter. `-` reads standard input.
        #[arg(long, value_name = "FILE")]
        recovery_key_file: PathBuf,
        /// The box that the backup was made on will never run again: this machine is the box from now on.
        #[arg(long)]
        adopt: bool,
        /// Do not speak to central any more: what it holds for this box is not waited for.
        #[arg(long)]
        forget_central: bool,
        /// Refuse a backup that is not signed by the box of this signature, as the sheet has it.
        #[arg(long, value_name = "XXXX-XXXX")]
        signature: Option<String>,
    },
    /// Go back behind the last upgrade, with the earlier version installed again and the box stopped.
    UndoUpgrade,
}

/// What the box is asked about backups.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupRequest {
    /// Make the recovery key.
    Sheet {
        /// Although there is one.
        replace: bool,
    },
    /// Make a backup.
    Create {
        /// Only where the last one is older than so many hours.
        if_older: Option<u64>,
    },
    /// List them.
    List,
    /// Check one: the newest, where none is named.
    Verify {
        /// Its name.
        name: Option<String>,
    },
}

/// What a failure is on the command line.
#[must_use]
pub fn failure(error: &Error) -> Failure {
    Failure::failed(format!("{error}."), error.advice())
}

/// Does a request on an open box.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn perform(app: &Arc<App>, request: BackupRequest) -> Result<Value, Failure> {
    let failed = |error: Error| failure(&error);
    match request {
        BackupRequest::Sheet { replace } => {
            let sheet = Sheet::make(app, replace).map_err(failed)?;
            Ok(json!({"text": sheet.text(), "html": sheet.html()}))
        }
        BackupRequest::Create { if_older } => {
            let last = last_good(app).map_err(|fault| failure(&fault.into()))?;
            let fresh = if_older.zip(last).filter(|(hours, at)| {
                let age = app.clock.now().since(*at);
                *at <= app.clock.now() && age < Duration::from_secs(hours.saturating_mul(3600))
            });
            if let Some((_, at)) = fresh {
                return Ok(json!({"made": false, "last": at}));
            }
            let run = create::create(app).await.map_err(failed)?;
            let file = folder::path(app).join(&run.file);
            Ok(json!({
                "made": true, "file": file, "bytes": run.bytes, "rows": run.rows, "made_at": run.made_at,
                "checked_at": run.checked_at,
            }))
        }
        BackupRequest::List => {
            let backups = folder::list(app).map_err(failed)?;
            serde_json::to_value(backups).map_err(|error| Failure::failed(error, "Report this."))
        }
        BackupRequest::Verify { name } => verify(app, name).await.map_err(failed),
    }
}

async fn verify(app: &Arc<App>, name: Option<String>) -> Result<Value, Error> {
    let newest = || folder::names(&folder::path(app))?.into_iter().next().ok_or(Error::NotFound);
    let name = name.map_or_else(newest, Ok)?;
    let checked = check::now(app, &name).await?;
    Ok(serde_json::to_value(checked).map_err(std::io::Error::other)?)
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn run(config: &Config, command: BackupCommand) -> Result<(), Failure> {
    let (request, output) = match command {
        BackupCommand::Sheet { html, replace } => return sheet(config, html.as_deref(), replace).await,
        BackupCommand::Create { if_older, output } => (BackupRequest::Create { if_older }, output),
        BackupCommand::List(output) => (BackupRequest::List, output),
        BackupCommand::Verify { file: Some(file), recovery_key_file: Some(key), output } => {
            return verify_anywhere(&file, &key, &output);
        }
        BackupCommand::Verify { file: None, recovery_key_file: Some(_), .. } => {
            return Err(Failure::usage("Which backup?", "Name its file."));
        }
        BackupCommand::Verify { file, recovery_key_file: None, output } => {
            let name = file.map(|file| file.file_name().unwrap_or_default().to_string_lossy().into_owned());
            (BackupRequest::Verify { name }, output)
        }
        BackupCommand::UndoUpgrade => return undo_upgrade(config).await,
        BackupCommand::Restore { file, recovery_key_file, adopt, forget_central, signature } => {
            let key = read_key(&recovery_key_file)?;
            return restore_here(config, &file, &key, (adopt, forget_central), signature.as_deref()).await;
        }
    };
    print(&ask(config, Request::Backup { what: request }).await?, output.json);
    Ok(())
}

async fn sheet(config: &Config, html: Option<&Path>, replace: bool) -> Result<(), Failure> {
    // Opened first, so that a key is not made for a page that cannot be kept.
    let page = html.map(|path| {
        use std::os::unix::fs::OpenOptionsExt as _;
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
            Failure::usage(format!("{}: {error}.", path.display()), "Name a file that is not there yet.")
        })
    });
    let page = page.transpose()?;
    let made = ask(config, Request::Backup { what: BackupRequest::Sheet { replace } }).await;
    if made.is_err()
        && let Some(path) = html
    {
        drop(std::fs::remove_file(path));
    }
    let made = made?;
    let text = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match page {
        Some(mut file) => file.write_all(text("html").as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
            Failure::failed(
                format!("The sheet cannot be written: {error}."),
                "Make another: whotbox backup sheet --replace.",
            )
        }),
        None => {
            drop(write!(std::io::stdout().lock(), "{}", text("text")));
            Ok(())
        }
    }
}

pub(in crate::cli) fn read_key(path: &Path) -> Result<RecoveryKey, Failure> {
    let text =
        if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    let text = text.map_err(|error| {
        Failure::usage(format!("{}: {error}.", path.display()), "Name a file with the key of the recovery sheet.")
    })?;
    RecoveryKey::parse(&text).map_err(|error| Failure::usage(format!("{error}."), "Compare it with the sheet."))
}

fn verify_anywhere(file: &Path, key: &Path, output: &Output) -> Result<(), Failure> {
    let key = read_key(key)?;
    let checked = || -> Result<check::Checked, Error> {
        let (_, sealed, _) = check::read_through(file, &key)?;
        check::open_keys(&sealed, &key)?;
        let folder = scratch()?;
        let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock::new()), Arc::new(OsEntropy));
        let checked = check::drill_in(&folder, file, &key, (&clock, &entropy), None);
        drop(std::fs::remove_dir_all(&folder));
        checked
    };
    let checked = checked().map_err(|error| failure(&error))?;
    print(&serde_json::to_value(checked).unwrap_or_default(), output.json);
    Ok(())
}

/// A folder of its own, which nobody else can have made before.
fn scratch() -> Result<PathBuf, Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    let entropy: &dyn Entropy = &OsEntropy;
    let name: String = entropy.bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = std::env::temp_dir().join(format!("whotbox-verify-{name}"));
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

async fn undo_upgrade(config: &Config) -> Result<(), Failure> {
    let running = Failure::failed("The box is running.", "Stop it first: systemctl stop whotbox.");
    if socket::ask(&config.data_dir, &Request::Status).await.is_some() {
        return Err(running);
    }
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock::new()), Arc::new(OsEntropy));
    let old = secrets::OldVariables::from_environment();
    let secrets = secrets::load(&config.data_dir, &old, config.production, &*entropy);
    let secrets = secrets.map_err(|error| Failure::failed(error, "Mend what is named and run it again."))?;
    let note = undo(&config.data_dir, &secrets.master, &clock, &entropy).map_err(|error| match error {
        Error::NotFound => Failure::failed(
            "There is no copy of before an upgrade.",
            "It is kept for fourteen days. Restore a backup into an empty folder: whotbox backup restore.",
        ),
        Error::Newer(_) => Failure::failed(format!("{error}."), "Install the version of before the upgrade first."),
        error => failure(&error),
    })?;
    let mut out = std::io::stdout().lock();
    drop(writeln!(
        out,
        "The box is as it was at {}, before whotbox {}. What happened since is in {NEWER_FILE} of its data folder and nowhere else.\n\
         Messages open once everything that was due by now is destroyed. Where it was enrolled at central, enrol it again.",
        note.made_at, note.to
    ));
    Ok(())
}

async fn restore_here(
    config: &Config,
    file: &Path,
    key: &RecoveryKey,
    (adopt, forget_central): (bool, bool),
    signature: Option<&str>,
) -> Result<(), Failure> {
    if socket::ask(&config.data_dir, &Request::Status).await.is_some() {
        return Err(failure(&Error::NotEmpty(config.data_dir.display().to_string())));
    }
    if let Some(wanted) = signature {
        let reader = check::open(file, key).map_err(|error| failure(&error))?;
        let found = keys::fingerprint_of(&reader.head.signer);
        if found != wanted.to_uppercase() {
            let message = format!("This backup is signed by {found}.");
            return Err(Failure::failed(message, "It is of another box, or forged: do not restore it."));
        }
    }
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock::new()), Arc::new(OsEntropy));
    let order = Order { file, key, data_dir: &config.data_dir, adopt, forget_central, machine: &keys::this_machine };
    let done = restore(&order, &clock, &entropy).map_err(|error| failure(&error))?;
    let mut out = std::io::stdout().lock();
    let backup = &done.backup;
    drop(writeln!(
        out,
        "Restored the box {} as of {}: {} rows, {} open matches, {} legal holds.\nSignature {}: it must be that of the sheet.\n\
         Start it with: whotbox --data-dir {}\nMessages open once everything that was due by now is destroyed.",
        backup.box_id,
        backup.made_at,
        backup.rows,
        backup.live_matches,
        backup.holds,
        backup.fingerprint,
        config.data_dir.display()
    ));
    if done.enrolled {
        drop(writeln!(
            out,
            "Central follows the box's earlier life and will fence this one: enrol it again (whotbox upstream enroll …). \
             Nothing is destroyed and messages stay closed until then."
        ));
    }
    Ok(())
}
