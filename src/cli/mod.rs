//! The command line: one file for each command, each thin.
//!
//! Errors go to standard error as one sentence and a hint; exit codes are 0 done, 1 failed, 2 wrong usage,
//! 3 could not reach what it needs (contract, section 8), 6 shut down from its screen, to stay so.

pub mod archive;
pub mod backup;
pub mod banner;
pub mod chat;
pub mod config;
pub mod control;
pub mod courier;
pub mod doctor;
pub mod flags;
pub mod logs;
pub mod manual;
pub mod moving;
mod rebuild;
pub mod replay;
pub mod serve;
pub mod socket;
pub mod support;
pub mod sync;
pub mod upstream;
pub mod users;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use serde_json::Value;

use crate::app::upgrade::UpgradeError;
use crate::app::{App, Parts, StartError};
use crate::backup::incoming;
use crate::base::entropy::OsEntropy;
use crate::base::time::SystemClock;
use crate::cli::chat::ChatRequest;
use crate::cli::control::{Failure, Request};
use crate::cli::flags::{
    AuditCommand, CentralArgs, Cli, ClockCommand, Command, InitArgs, KeysCommand, Output, SyncCommand, UserCommand,
};
use crate::cli::sync::SyncRequest;
use crate::config::Config;
use crate::config::secrets::OldVariables;
use crate::config::sources::Layer;
use crate::store::fault::Fault;
use crate::upstream::Link;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tell(&Failure::failed(error, "The system gives no threads: look at its limits.")),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => tell(&failure),
    }
}

fn tell(failure: &Failure) -> ExitCode {
    let mut err = std::io::stderr().lock();
    drop(writeln!(err, "whotbox: {}\n  {}", failure.message, failure.hint));
    ExitCode::from(failure.exit)
}

async fn run(cli: Cli) -> Result<(), Failure> {
    if let Some(Command::Replay(args)) = &cli.command {
        let mut out = std::io::stdout().lock();
        return match replay::run(args, &mut out) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::failed("Something differs.", "Each line above says where.")),
            Err(error) => Err(Failure::failed(error, "Check the file's name and whether it can be read.")),
        };
    }
    if let Some(Command::Docs { folder }) = &cli.command {
        let failed =
            |error| Failure::failed(format!("{}: {error}.", folder.display()), "Name a folder that can be made.");
        return manual::write(folder).map_err(failed);
    }
    if let Some(Command::Archive(command)) = &cli.command {
        return archive::run(command);
    }
    let settings = cli.flags.layer().and_then(Layer::complete);
    if let Some(Command::Config(command)) = cli.command {
        return config::run(settings, command).await;
    }
    let config = settings.map_err(|error| config::wrong(&error))?;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(config).await,
        Command::Init(args) => init(config, &args).await,
        Command::Status(output) => status(&config, &output, |whole| whole).await,
        Command::Doctor { output, fix } => doctor::run(&config, output.json, fix).await,
        Command::User(command) => user(&config, command).await,
        Command::Upstream(command) => upstream::run(&config, command).await,
        Command::Sync(command) => about_sync(&config, command).await,
        Command::Courier(command) => courier::run(&config, command).await,
        Command::Backup(command) => backup::run(&config, command).await,
        Command::Support(command) => support::run(&config, command).await,
        Command::Compact(output) => {
            print(&ask(&config, Request::Compact).await?, output.json);
            Ok(())
        }
        Command::Keys(KeysCommand::Status(output)) => about_chat(&config, ChatRequest::KeysStatus, &output).await,
        Command::Keys(KeysCommand::Rotate) => {
            about_chat(&config, ChatRequest::KeysRotate, &Output { json: false }).await
        }
        Command::Audit(AuditCommand::Verify(output)) => about_chat(&config, ChatRequest::AuditVerify, &output).await,
        Command::Audit(AuditCommand::Export) => {
            about_chat(&config, ChatRequest::AuditExport, &Output { json: true }).await
        }
        Command::Audit(AuditCommand::Acknowledge { reason }) => {
            about_chat(&config, ChatRequest::AuditAcknowledge { reason }, &Output { json: false }).await
        }
        Command::Clock(ClockCommand::Status(output)) => about_chat(&config, ChatRequest::ClockStatus, &output).await,
        Command::Clock(ClockCommand::Confirm { time, reason }) => {
            about_chat(&config, ChatRequest::ClockConfirm { time, reason }, &Output { json: false }).await
        }
        Command::Import(args) => moving::import(&config, &args).await,
        Command::Export(args) => moving::run_export(&config, args).await,
        Command::Replay(_) | Command::Archive(_) | Command::Config(_) | Command::Docs { .. } => Ok(()),
    }
}

/// Opens the box of the settings with the system's clocks and randomness.
///
/// # Errors
/// [`Failure`] in words for a person.
pub fn open(config: Config) -> Result<Arc<App>, Failure> {
    open_with(config, OldVariables::from_environment())
}

/// The same for an import: where the box has a key of its own, the old services' is the messages' alone.
fn open_for_import(config: Config) -> Result<Arc<App>, Failure> {
    let mut old = OldVariables::from_environment();
    if config.data_dir.join("master.key").exists() {
        old.master = None;
    }
    open_with(config, old)
}

fn open_with(config: Config, old: OldVariables) -> Result<Arc<App>, Failure> {
    let moved = incoming::move_in(&config.data_dir).map_err(|error| {
        Failure::failed(error, "A restore waits in the data folder: look after its disk, then start again.")
    })?;
    if moved {
        tracing::warn!("the restored box has taken its place");
    }
    let parts = Parts { clock: Arc::new(SystemClock::new()), entropy: Arc::new(OsEntropy), old, medium: None };
    App::open(config, parts).map_err(|error| {
        let hint = match &error {
            StartError::Store(Fault::Corrupt { .. }) => {
                "The store is damaged: look after the disk, and restore the last good backup into an empty data folder."
            }
            StartError::Store(_) => "Is another whotbox running on this data folder? Otherwise look after its disk.",
            StartError::Unfit(_) => "Nothing was changed. Install the newer version, or restore a backup.",
            StartError::Upgrade(UpgradeError::Room { .. }) => {
                "Make room on the disk of the data folder, or install the earlier version again."
            }
            StartError::Upgrade(UpgradeError::Damaged(_)) => {
                "Install the earlier version again and run whotbox doctor, or restore a backup."
            }
            StartError::Upgrade(UpgradeError::Copy(_)) => {
                "Look after the disk of the data folder, or install the earlier version again."
            }
            StartError::HalfRestored => "Run the same whotbox backup restore or whotbox sync rebuild again.",
            StartError::Keys { .. } => {
                "Nothing was changed. Put this box's own file back, or restore a backup: whotbox backup restore."
            }
            StartError::Config(_) | StartError::Folder { .. } | StartError::WrongKey => {
                "Mend what is named and start again."
            }
        };
        Failure::failed(error, hint)
    })
}

/// Asks the running box, or opens the stopped one and does it here; says which on standard error.
async fn ask(config: &Config, request: Request) -> Result<Value, Failure> {
    if let Some(answer) = socket::ask(&config.data_dir, &request).await {
        drop(writeln!(std::io::stderr().lock(), "(done by the running box)"));
        return answer;
    }
    if !config.data_dir.join(crate::app::STORE_FILE).exists() {
        let message = format!("There is no box in {}.", config.data_dir.display());
        return Err(Failure::unreachable(message, "Name its folder with --data-dir, or make one: whotbox init."));
    }
    drop(writeln!(std::io::stderr().lock(), "(the box is not running; its data folder is used directly)"));
    let app = open(config.clone())?;
    let answer = control::perform(&app, &Arc::new(Link::default()), request).await;
    app.store.close();
    answer
}

async fn init(config: Config, args: &InitArgs) -> Result<(), Failure> {
    let password = args.admin_password_file.as_deref().map(first_line).transpose()?;
    let data_dir = config.data_dir.clone();
    let app = open(config)?;
    let made = users::first_admin(&app, &args.admin_username, password).await?;
    app.store.close();
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "The box is in {}.", data_dir.display()));
    if let Some(password) = made {
        drop(writeln!(out, "First admin: {}\nPassword:    {password}", args.admin_username));
        drop(writeln!(out, "It is shown this once, and must be changed at the first sign-in."));
    }
    Ok(())
}

/// The first line of a file that holds a secret.
fn first_line(path: &Path) -> Result<String, Failure> {
    Ok(text_of(path)?.lines().next().unwrap_or_default().to_owned())
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let failed = |error| Failure::usage(format!("{}: {error}", path.display()), "Name a file that can be read.");
    std::fs::read_to_string(path).map_err(failed)
}

async fn status(config: &Config, output: &Output, part: fn(Value) -> Value) -> Result<(), Failure> {
    let status = part(ask(config, Request::Status).await?);
    print(&status, output.json);
    Ok(())
}

async fn about_chat(config: &Config, what: ChatRequest, output: &Output) -> Result<(), Failure> {
    print(&ask(config, Request::Chat { what }).await?, output.json);
    Ok(())
}

async fn about_sync(config: &Config, command: SyncCommand) -> Result<(), Failure> {
    let (what, output) = match command {
        SyncCommand::Rebuild { box_id, recovery_key_file, adopt, dry_run, central, output } => {
            let url = admin_url(&central)?;
            let order =
                rebuild::Order { box_id, key_file: &recovery_key_file, adopt, dry_run, url: &url, output: &output };
            return rebuild::run(config, order).await;
        }
        SyncCommand::Verify(output) => (SyncRequest::Verify, output),
        SyncCommand::Repair { dry_run, output } => (SyncRequest::Repair { dry_run }, output),
        SyncCommand::Reconcile { keep: Some(_), dry_run: false, alone, admin_url, admin_password_file, output } => {
            let admin_url = admin_url.ok_or_else(|| {
                Failure::usage(
                    "Central has to be told by its operator.",
                    "Give --admin-url postgres://owner@host/database.",
                )
            })?;
            let admin_url = self::admin_url(&CentralArgs { admin_url, admin_password_file })?;
            let ca = config.upstream_ca.as_ref().map(std::path::absolute).transpose();
            let ca = ca.map_err(|error| Failure::usage(error, "Name the CA's file with --upstream-ca FILE."))?;
            (SyncRequest::KeepBox { admin_url, ca, alone }, output)
        }
        SyncCommand::Reconcile { output, .. } => (SyncRequest::Examine, output),
        SyncCommand::DeadLetters { redrive: false, output, .. } => (SyncRequest::DeadLetters, output),
        SyncCommand::DeadLetters { table, id, output, .. } => (SyncRequest::Redrive { only: table.zip(id) }, output),
    };
    let answer = ask(config, Request::Sync { what }).await?;
    print(&answer, output.json);
    if answer.get("parted").is_some_and(|parted| parted == &Value::Bool(true)) {
        return Err(Failure::failed("Central and this box have parted.", "See the advice above."));
    }
    if sync::wrong(&answer) {
        return Err(Failure::failed("Central and this box differ.", "Mend it: whotbox sync repair."));
    }
    Ok(())
}

async fn user(config: &Config, command: UserCommand) -> Result<(), Failure> {
    let (request, json) = match command {
        UserCommand::Add { username, role, alias, password_file } => {
            let password = password_file.as_deref().map(first_line).transpose()?;
            (Request::UserAdd { username, role, alias, password }, false)
        }
        UserCommand::List { role, output } => (Request::UserList { role }, output.json),
        UserCommand::Suspend { username, undo } => (Request::UserSuspend { username, suspended: !undo }, false),
        UserCommand::ResetPassword { username } => (Request::UserResetPassword { username }, false),
    };
    let answer = ask(config, request).await?;
    print(&answer, json);
    Ok(())
}

/// The operator's URL, with the password from a file or `PGPASSWORD` where the URL has none.
fn admin_url(central: &CentralArgs) -> Result<String, Failure> {
    let password = match &central.admin_password_file {
        Some(path) => Some(first_line(path)?),
        None => std::env::var("PGPASSWORD").ok(),
    };
    let Some(password) = password else { return Ok(central.admin_url.clone()) };
    let Some((scheme, rest)) = central.admin_url.split_once("://") else { return Ok(central.admin_url.clone()) };
    let Some((login, place)) = rest.rsplit_once('@') else { return Ok(central.admin_url.clone()) };
    if login.contains(':') {
        return Ok(central.admin_url.clone());
    }
    let encoded: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
    Ok(format!("{scheme}://{login}:{encoded}@{place}"))
}

/// Prints an answer: JSON for programs, indented lines for people.
fn print(value: &Value, json: bool) {
    let mut out = std::io::stdout().lock();
    let text = if json { format!("{value:#}\n") } else { lines(value, 0) };
    drop(write!(out, "{text}"));
}

fn lines(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::Object(_) | Value::Array(_) => format!("{indent}{name}:\n{}", lines(value, depth + 1)),
                Value::Null => format!("{indent}{name}: -\n"),
                Value::String(text) => format!("{indent}{name}: {text}\n"),
                other => format!("{indent}{name}: {other}\n"),
            })
            .collect(),
        Value::Array(items) => items.iter().map(|item| format!("{}\n", lines(item, depth))).collect(),
        Value::String(text) => format!("{indent}{text}\n"),
        other => format!("{indent}{other}\n"),
    }
}
