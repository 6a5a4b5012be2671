//! `whotbox import` and `whotbox export`: the sources are read here, the box does the rest, running or stopped.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::app::App;
use crate::base::digest::Key;
use crate::base::secret::Secret;
use crate::base::text::Reason;
use crate::cli::control::{Failure, Request};
use crate::cli::socket;
use crate::config::Config;
use crate::moving::desk::{Account, Answer, Step};
use crate::moving::export::{ExportError, Format, export};
use crate::moving::map::Map;
use crate::moving::report::ON_SCREEN;
use crate::moving::run::{Desk, Order, RunError, Watch};
use crate::moving::source::{Location, SourceError};
use crate::moving::tables::Service;

/// `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The identity service's PostgreSQL (postgres://…) or SQLite file.
    #[arg(long, value_name = "URL|FILE")]
    pub identity: Option<String>,
    /// The customer service's SQLite file.
    #[arg(long, value_name = "FILE")]
    pub customer: Option<String>,
    /// The game service's SQLite file.
    #[arg(long, value_name = "FILE")]
    pub game: Option<String>,
    /// The chat service's SQLite file.
    #[arg(long, value_name = "FILE")]
    pub chat: Option<String>,
    /// Print a map file as a draft, and what is missing. Nothing is written.
    #[arg(long)]
    pub dry_run: bool,
    /// Which column is which, where names alone do not tell.
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Where the report goes: .json, .html or text by its name; may stand several times. It holds temporary passwords.
    #[arg(long, value_name = "FILE")]
    pub report: Vec<PathBuf>,
    /// A file with the old CHAT_ENCRYPTION_KEY on one line, where it is not in the environment.
    #[arg(long, value_name = "FILE")]
    pub chat_key_file: Option<PathBuf>,
    /// A private CA of the PostgreSQL, PEM.
    #[arg(long, value_name = "FILE")]
    pub source_ca: Option<PathBuf>,
    /// Do not compare every row with its source after it was written.
    #[arg(long)]
    pub no_compare: bool,
    /// Close an import that will not be finished: what is due may expire again.
    #[arg(long)]
    pub abandon: bool,
}

/// `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// A new folder for the files.
    pub folder: PathBuf,
    /// How the files are written.
    #[arg(long, value_enum, default_value = "csv")]
    pub format: FormatFlag,
    /// A file with a Fernet key on one line; messages leave sealed under it, as the old services kept them.
    #[arg(long, value_name = "FILE")]
    pub chat_key_file: PathBuf,
    /// Why; it stands on the audit trail.
    #[arg(long)]
    pub reason: String,
}

/// `--format`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FormatFlag {
    /// RFC 4180, with a head.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// The box, behind its socket or in this process.
enum Reached {
    Running(PathBuf),
    Stopped(Arc<App>),
}

impl Reached {
    /// Nothing more is asked of it: a stopped box is closed as it should be.
    fn leave(&self) {
        if let Self::Stopped(app) = self {
            app.store.close();
        }
    }
}

impl Desk for Reached {
    async fn step(&mut self, step: Step) -> Result<Answer, String> {
        match self {
            Self::Stopped(app) => crate::moving::desk::perform(app, step).await.map_err(|error| error.to_string()),
            Self::Running(data_dir) => match socket::ask(data_dir, &Request::Import { step }).await {
                Some(Ok(answer)) => serde_json::from_value(answer).map_err(|error| error.to_string()),
                Some(Err(failure)) => Err(failure.message),
                None => Err("it was stopped meanwhile".to_owned()),
            },
        }
    }
}

/// Shows progress on standard error: one line that moves on a terminal, else a line for every tenth.
struct Shown {
    terminal: bool,
    last: String,
}

impl Watch for Shown {
    fn at(&mut self, table: &str, done: u64, total: u64, comparing: bool) {
        let act = if comparing { "compared" } else { "brought" };
        let mut err = std::io::stderr().lock();
        if self.terminal {
            let end = if done >= total { "\n" } else { "" };
            drop(write!(err, "\r{table}: {done} of {total} {act}{end}"));
            drop(err.flush());
            return;
        }
        let tenth = format!("{table}: {} % of {total} {act}", (done * 10).checked_div(total).unwrap_or(10) * 10);
        if tenth != self.last {
            drop(writeln!(err, "{tenth}"));
            self.last = tenth;
        }
    }
}

/// What the box does with a step that came over its socket.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn answer(app: &Arc<App>, step: Step) -> Result<Value, Failure> {
    let answer = crate::moving::desk::perform(app, step).await;
    let answer = answer.map_err(|error| Failure::failed(error, "Run the import again: it goes on where it is."))?;
    serde_json::to_value(answer).map_err(|error| Failure::failed(error, "Report this."))
}

/// Reaches the running box, or opens the stopped one, which is made where there is none.
async fn reach(config: &Config) -> Result<Reached, Failure> {
    match socket::ask(&config.data_dir, &Request::Status).await {
        Some(Ok(_)) => return Ok(Reached::Running(config.data_dir.clone())),
        Some(Err(failure)) => return Err(failure),
        None => {}
    }
    drop(writeln!(std::io::stderr().lock(), "(the box is not running; its data folder is used directly)"));
    Ok(Reached::Stopped(crate::cli::open_for_import(config.clone())?))
}

fn sources(args: &ImportArgs) -> BTreeMap<Service, Location> {
    let given = [&args.identity, &args.customer, &args.game, &args.chat];
    let named = Service::ALL.into_iter().zip(given);
    named.filter_map(|(service, text)| text.as_ref().map(|text| (service, Location::parse(text)))).collect()
}

/// Runs `import`.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn import(config: &Config, args: &ImportArgs) -> Result<(), Failure> {
    if args.abandon {
        let mut desk = reach(config).await?;
        let answer = desk.step(Step::Abandon).await;
        desk.leave();
        answer.map_err(|why| Failure::failed(why, "Run it again."))?;
        drop(writeln!(std::io::stdout().lock(), "The import is closed. What it brought stays."));
        return Ok(());
    }
    let sources = sources(args);
    if sources.is_empty() {
        let hint = "Name at least one of --identity, --customer, --game, --chat.";
        return Err(Failure::usage("There is nothing to import from.", hint));
    }
    let map = match &args.map {
        Some(path) => {
            Map::parse(&crate::cli::text_of(path)?).map_err(|error| Failure::usage(error, "Correct the map."))?
        }
        None => Map::default(),
    };
    let key = chat_key(args)?;
    let ca = args.source_ca.as_deref();
    let order = Order { sources: &sources, map: &map, key: key.expose(), ca, compare: !args.no_compare };
    if args.dry_run {
        return dry_run(&order).await;
    }
    // Before a box is made where there is none.
    order.check().await.map_err(|error| failure(&error))?;
    let mut desk = reach(config).await?;
    let mut shown = Shown { terminal: std::io::stderr().is_terminal(), last: String::new() };
    let done = order.run(&mut desk, &mut shown).await.map_err(|error| failure(&error));
    desk.leave();
    let account = done?;
    for path in &args.report {
        write_report(path, &account)?;
    }
    drop(write!(std::io::stdout().lock(), "{}", account.text(ON_SCREEN)));
    if account.is_whole() && account.is_same() {
        return Ok(());
    }
    Err(Failure::failed("The import is not as it should be.", "The report above says which table; run it again."))
}

fn failure(error: &RunError) -> Failure {
    match error {
        RunError::Source(SourceError::Postgres(central)) => Failure::central(central),
        RunError::Source(_) => Failure::unreachable(error, "Check the file's name, and stop the old service first."),
        RunError::Unmapped(_) => Failure::usage(
            error,
            "Print a draft with --dry-run, correct it, and give it with --map FILE. Nothing was written.",
        ),
        RunError::Desk(_) => Failure::failed(error, "Run it again: it goes on where it was."),
    }
}

fn chat_key(args: &ImportArgs) -> Result<Secret<String>, Failure> {
    let text = match &args.chat_key_file {
        Some(path) => crate::cli::first_line(path)?,
        None => std::env::var("CHAT_ENCRYPTION_KEY").unwrap_or_default(),
    };
    Ok(Secret::new(text))
}

async fn dry_run(order: &Order<'_>) -> Result<(), Failure> {
    let (draft, missing, counts) = order.dry_run().await.map_err(|error| failure(&error))?;
    let mut out = std::io::stdout().lock();
    drop(write!(out, "{draft}"));
    for (table, rows) in counts {
        drop(writeln!(out, "# {table}: {rows} rows"));
    }
    match missing {
        None => Ok(()),
        Some(unmapped) => Err(failure(&RunError::Unmapped(unmapped))),
    }
}

/// Writes a report for its owner's eyes alone.
fn write_report(path: &Path, account: &Account) -> Result<(), Failure> {
    let text = match path.extension().and_then(|end| end.to_str()) {
        Some("json") => format!("{:#}\n", account.json()),
        Some("html" | "htm") => account.html(),
        _ => account.text(usize::MAX),
    };
    let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure::failed(format!("{}: {error}", path.display()), "Name another file with --report."))
}

/// A Fernet key, as the old services had one.
fn fernet_key(path: &Path) -> Result<Key, Failure> {
    let line = crate::cli::first_line(path)?;
    let bytes = [URL_SAFE.decode(line.trim()), STANDARD.decode(line.trim())].into_iter().flatten();
    let key = bytes.filter_map(|bytes| <[u8; 32]>::try_from(bytes).ok()).next();
    let hint = "Make one: python3 -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'";
    key.map(Secret::new).ok_or_else(|| Failure::usage(format!("{} holds no Fernet key.", path.display()), hint))
}

/// Runs `export`.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn run_export(config: &Config, args: ExportArgs) -> Result<(), Failure> {
    let key = fernet_key(&args.chat_key_file)?;
    let reason: Reason = args.reason.parse().map_err(|why| Failure::usage(why, "Say why with --reason."))?;
    let folder = std::path::absolute(&args.folder);
    let folder = folder.map_err(|error| Failure::usage(error, "Name a folder that can be made."))?;
    let csv = matches!(args.format, FormatFlag::Csv);
    let request = Request::Export { folder, csv, key: STANDARD.encode(key.expose()), reason: reason.to_string() };
    let answer = crate::cli::ask(config, request).await?;
    crate::cli::print(&answer, false);
    Ok(())
}

/// What the box does with a request to export.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn give_out(
    app: &Arc<App>,
    folder: PathBuf,
    csv: bool,
    key: String,
    reason: String,
) -> Result<Value, Failure> {
    let bad = || Failure::usage("The request to export cannot be read.", "Use the box's own version of whotbox.");
    let key: [u8; 32] = STANDARD.decode(key).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(bad)?;
    let reason: Reason = reason.parse().map_err(|_| bad())?;
    let format = if csv { Format::Csv } else { Format::JsonLines };
    let app = Arc::clone(app);
    let work = tokio::task::spawn_blocking(move || export(&app, &folder, format, &Secret::new(key), reason));
    let done = work.await.map_err(|error| Failure::failed(error, "Report this."))?;
    let rows = done.map_err(|error| match &error {
        ExportError::Store(_) => Failure::failed(error, "Restart the box; if it stays, its disk may be damaged."),
        ExportError::File { .. } => Failure::failed(error, "Name a folder that the box's user may write to."),
        ExportError::NotEmpty(_) => Failure::usage(error, "Name a folder that does not exist yet."),
    })?;
    Ok(rows
        .into_iter()
        .map(|(table, rows)| (table.to_owned(), Value::from(rows)))
        .collect::<serde_json::Map<_, _>>()
        .into())
}
