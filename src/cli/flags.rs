//! The command line: its commands, their flags, and the settings that flags and environment give.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cli::backup::BackupCommand;
use crate::cli::courier::CourierCommand;
use crate::cli::moving::{ExportArgs, ImportArgs};
use crate::cli::replay::ReplayArgs;
use crate::cli::support::SupportCommand;
use crate::config::sources::Layer;
use crate::config::{ConfigError, FILE_NAME, Given, LogFormat, TlsMode};

/// The Whot box: live two-player Nigerian Whot, chat and accounts on one small machine.
#[derive(Debug, Parser)]
#[command(
    name = "whotbox",
    version,
    term_width = 120,
    next_line_help = false,
    before_help = "Examples:\n  whotbox                                start a box in ./data, making it on the first run\n  \
                  whotbox --listen 0.0.0.0:80 --data-dir /var/lib/whotbox\n  whotbox status\n  \
                  whotbox user add mama-put --role distributor --alias 'Mama Put'\n  \
                  whotbox upstream migrate --admin-url postgres://owner@db.example/central",
    after_help = "Every setting may stand in whotbox.toml or in the environment as WHOTBOX_…: whotbox config show."
)]
pub struct Cli {
    /// The settings.
    #[command(flatten)]
    pub flags: Flags,
    /// What to do; `serve` where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum Command {
    /// Run the box (this is the default).
    Serve,
    /// Make the data folder, its secrets and the first admin, without serving.
    Init(InitArgs),
    /// Say what state the box is in.
    Status(Output),
    /// Say what is wrong with the box and what to do about it; exit 1 where anything is an error.
    Doctor {
        /// How to print.
        #[command(flatten)]
        output: Output,
        /// Mend what can be mended safely: files that others may read.
        #[arg(long)]
        fix: bool,
    },
    /// Show the settings, or check them.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look after accounts from the console of the box.
    #[command(subcommand)]
    User(UserCommand),
    /// Link the box to central's PostgreSQL.
    #[command(subcommand)]
    Upstream(UpstreamCommand),
    /// Compare with central, mend what differs, and see what central refuses.
    #[command(subcommand)]
    Sync(SyncCommand),
    /// Replicate by hand where no line leads: bundles of changes on a stick, and acknowledgements back.
    #[command(subcommand)]
    Courier(CourierCommand),
    /// Look after the chat's keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Make, list, check and restore backups.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Give the disk back what deleted rows have left; whoever plays waits meanwhile. A running box does it by itself at night.
    Compact(Output),
    /// Help somebody to help you.
    #[command(subcommand)]
    Support(SupportCommand),
    /// Check or give out the audit trail of moderation.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Open messages that are sealed to `archive_recipient`, where its key is; needs no box.
    #[command(subcommand)]
    Archive(ArchiveCommand),
    /// Look at the box's clock, or confirm that it is right: nothing is destroyed while it is not trusted.
    #[command(subcommand)]
    Clock(ClockCommand),
    /// Take over the data of the four old services; nothing of them is changed. Run again, it goes on.
    Import(ImportArgs),
    /// Give out this box's data in the old services' fields.
    Export(ExportArgs),
    /// Check a finished match's proof, or run rule vectors.
    Replay(ReplayArgs),
    /// Write the manual pages and the shells' completions, for a package.
    #[command(hide = true)]
    Docs {
        /// Where to; made if missing.
        folder: PathBuf,
    },
}

/// `config …`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting, as it would be for a start from here; passwords are left out.
    Show {
        /// Say where each was said.
        #[arg(long)]
        origin: bool,
        /// Ask the running box for the settings that it was started with.
        #[arg(long)]
        running: bool,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Look for everything that would stop a start: settings, files that they name, secrets. Changes nothing.
    Check(Output),
}

/// `sync …`.
#[derive(Debug, Subcommand)]
pub enum SyncCommand {
    /// Compare every row with central's, by digests; exit 1 where any differs.
    Verify(Output),
    /// Compare, send what differs again, and compare that once more.
    Repair {
        /// Only say what would be sent again.
        #[arg(long)]
        dry_run: bool,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Make a lost box anew in an empty data folder, from what central has and the recovery key of its sheet. Cut off, it goes on.
    Rebuild {
        /// The box, as `upstream status --admin-url …` lists it.
        box_id: uuid::Uuid,
        /// A file with the recovery key of the sheet; spaces and line breaks do not matter. `-` reads standard input.
        #[arg(long, value_name = "FILE")]
        recovery_key_file: PathBuf,
        /// The old box will never run again, although central has heard of it a moment ago.
        #[arg(long)]
        adopt: bool,
        /// Only say what there is to rebuild from.
        #[arg(long)]
        dry_run: bool,
        /// Central.
        #[command(flatten)]
        central: CentralArgs,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// A box that is fenced: say by name how it and central stand, what either has alone and what mends it; exit 1 where they have parted.
    Reconcile {
        /// Have central follow this box from here on: everything is sent again, and what central alone has is taken away there. The other
        /// way is whotbox sync rebuild, in an empty folder.
        #[arg(long, value_name = "SIDE")]
        keep: Option<KeepSide>,
        /// Only say what there is, whatever else is said.
        #[arg(long)]
        dry_run: bool,
        /// No other copy of this box runs, although central has heard of one a moment ago.
        #[arg(long)]
        alone: bool,
        /// Central and its operator's login, for --keep.
        #[arg(long, env = "WHOTBOX_ADMIN_URL", hide_env_values = true)]
        admin_url: Option<String>,
        /// A file with the operator's password on one line.
        #[arg(long, value_name = "FILE")]
        admin_password_file: Option<PathBuf>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// List the rows that central refuses, or send them again.
    DeadLetters {
        /// Send them again, all or the one that is named.
        #[arg(long)]
        redrive: bool,
        /// `schema.table` of one row.
        #[arg(requires = "id", requires = "redrive")]
        table: Option<String>,
        /// Its id.
        id: Option<String>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
}

/// `--layout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LayoutFlag {
    /// One table each.
    Single,
    /// Each table split by a hash of the box.
    Partitioned,
    /// Each table distributed by the box, with Citus.
    Citus,
}

/// Which copy goes on.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KeepSide {
    /// This box.
    Box,
}

/// `keys …`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// How many keys there are, and under which version of the wrapping key.
    Status(Output),
    /// Wrap every key anew, while the box runs.
    Rotate,
}

/// `audit …`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Walk the chain; exit 1 where it is broken.
    Verify(Output),
    /// Print the whole trail as JSON, with the key that evidence is checked with.
    Export,
    /// Say that the difference from central is known, as after a restore: a link of the trail, after which both are compared anew.
    Acknowledge {
        /// Why they differ; 10 to 400 characters.
        #[arg(long)]
        reason: String,
    },
}

/// `archive …`.
#[derive(Debug, Subcommand)]
pub enum ArchiveCommand {
    /// Print the messages of a review or of an evidence archive, opened.
    Open {
        /// File with the secret key, as age-keygen writes it.
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
        /// `messages.json` of an evidence archive, or what a review answered; `-` is standard input.
        #[arg(default_value = "-")]
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `clock …`.
#[derive(Debug, Subcommand)]
pub enum ClockCommand {
    /// What it shows, and whether it is trusted.
    Status(Output),
    /// Say that it is right; noted on the audit trail, until it leaps or the box stops.
    Confirm {
        /// What another clock shows now, as in 2026-11-22T10:15:00Z; within two minutes of the box's.
        #[arg(long, value_name = "TIME")]
        time: String,
        /// How that is known; at least 10 characters.
        #[arg(long)]
        reason: String,
    },
}

/// How to print.
#[derive(Debug, Args)]
pub struct Output {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The first admin's name.
    #[arg(long, default_value = "admin")]
    pub admin_username: String,
    /// A file with the first admin's password on one line; without it a one-time password is printed.
    #[arg(long, value_name = "FILE")]
    pub admin_password_file: Option<PathBuf>,
}

/// `user …`.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make an account and print its one-time password.
    Add {
        /// Its name: 3 to 32 of a-z 0-9 _ . -
        username: String,
        /// admin, distributor or moderator.
        #[arg(long)]
        role: String,
        /// A distributor's shown name.
        #[arg(long)]
        alias: Option<String>,
        /// A file with the password on one line, instead of a one-time password.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// List accounts.
    List {
        /// Of one role alone.
        #[arg(long)]
        role: Option<String>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Suspend an account: it is signed out everywhere at once.
    Suspend {
        /// Whose.
        username: String,
        /// Let it in again.
        #[arg(long)]
        undo: bool,
    },
    /// Print a new one-time password for an account.
    ResetPassword {
        /// Whose.
        username: String,
    },
}

/// `upstream …`.
#[derive(Debug, Subcommand)]
pub enum UpstreamCommand {
    /// Bring central to this version's schema. The login needs CREATEROLE and its own database, no superuser.
    Migrate {
        /// How the replicated tables are to lie: as they do, where nothing is said. From single alone; nothing may write meanwhile.
        #[arg(long, hide_possible_values = false)]
        layout: Option<LayoutFlag>,
        /// Parts of each table, for partitioned.
        #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024), value_name = "N")]
        partitions: u16,
        /// Foreign servers (postgres_fdw) that take their share of the parts; see the handbook.
        #[arg(long, value_delimiter = ',', value_name = "SERVER")]
        servers: Vec<String>,
        /// Where and as whom.
        #[command(flatten)]
        central: CentralArgs,
    },
    /// Make this box's login at central and keep it in the data folder; the box replicates from then on. In two places: --issue NAME at
    /// central prints a code, --code CODE uses it on the box.
    Enroll(EnrollArgs),
    /// Give this box's login at central another password, while it runs.
    Rotate,
    /// Shut a box out of central.
    Revoke {
        /// Its id.
        box_id: uuid::Uuid,
        /// Where and as whom.
        #[command(flatten)]
        central: CentralArgs,
    },
    /// Order a box to do something; it does so at its next contact. Kinds: hold, release, suspend, restore, provision_distributor, settings, revoke, reinstate.
    Direct {
        /// Its id.
        box_id: uuid::Uuid,
        /// What to do.
        kind: String,
        /// With what, as a JSON object.
        #[arg(default_value = "{}")]
        arguments: String,
        /// Where and as whom.
        #[command(flatten)]
        central: CentralArgs,
    },
    /// Say how replication stands; with central's address, how the whole fleet does.
    Status {
        /// Central and its operator's login.
        #[arg(long, env = "WHOTBOX_ADMIN_URL", hide_env_values = true)]
        admin_url: Option<String>,
        /// A file with the operator's password on one line.
        #[arg(long, value_name = "FILE")]
        admin_password_file: Option<PathBuf>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
}

/// `upstream enroll`.
#[derive(Debug, Args)]
pub struct EnrollArgs {
    /// `postgres://owner@host/database`; a password may stand in it, in PGPASSWORD or in the file below.
    #[arg(long, env = "WHOTBOX_ADMIN_URL", hide_env_values = true, required_unless_present_any = ["code", "code_file"])]
    pub admin_url: Option<String>,
    /// A file with the operator's password on one line.
    #[arg(long, value_name = "FILE")]
    pub admin_password_file: Option<PathBuf>,
    /// The box's name for people.
    #[arg(long, default_value = "whotbox")]
    pub name: String,
    /// Print a code for a box that is elsewhere; it works once, for three days.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["code", "code_file"])]
    pub issue: Option<String>,
    /// The code that was printed at central.
    #[arg(long)]
    pub code: Option<String>,
    /// A file with the code on one line.
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    pub code_file: Option<PathBuf>,
}

/// Central and its operator's login.
#[derive(Debug, Args)]
pub struct CentralArgs {
    /// `postgres://owner@host/database`; a password may stand in it, in PGPASSWORD or in the file below.
    #[arg(long, env = "WHOTBOX_ADMIN_URL", hide_env_values = true)]
    pub admin_url: String,
    /// A file with the operator's password on one line.
    #[arg(long, value_name = "FILE")]
    pub admin_password_file: Option<PathBuf>,
}

/// Settings that can be given as flags. Every setting has a variable too; those are read with the settings.
#[derive(Debug, Args)]
pub struct Flags {
    /// Folder of the store, keys and certificate [default: ./data].
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Settings file [default: whotbox.toml here, if there is one].
    #[arg(long, global = true, hide_env = true, env = "WHOTBOX_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Addresses to listen on [default: 0.0.0.0:8080].
    #[arg(long, global = true, value_delimiter = ',', value_name = "ADDR")]
    pub listen: Vec<SocketAddr>,
    /// Protect the listener: off or self-signed.
    #[arg(long, global = true, hide_possible_values = true)]
    pub tls: Option<TlsFlag>,
    /// Certificate chain, PEM.
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Let players use plain HTTP on a port with TLS [default: true].
    #[arg(long, global = true, hide_possible_values = true, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub plain_http: Option<bool>,
    /// The address that join links carry, if not the one people came to.
    #[arg(long, global = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// Let anyone register without an invite.
    #[arg(long, global = true, hide_possible_values = true, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub open_registration: Option<bool>,
    /// Central's PostgreSQL with the box's login, if not enrolled by command.
    #[arg(long, global = true, value_name = "URL")]
    pub upstream: Option<String>,
    /// A private CA of central's, PEM.
    #[arg(long, global = true, value_name = "FILE")]
    pub upstream_ca: Option<PathBuf>,
    /// Refuse generated, default, short and shared secrets, and those that others can read.
    #[arg(long, global = true, hide_possible_values = true, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub production: Option<bool>,
    /// What to log: error, warn, info, debug, or a filter.
    #[arg(long, global = true, value_name = "FILTER")]
    pub log_level: Option<String>,
    /// How to log: text or json.
    #[arg(long, global = true, hide_possible_values = true)]
    pub log_format: Option<LogFlag>,
}

/// `--tls`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum TlsFlag {
    /// Plain HTTP.
    Off,
    /// A certificate that the box makes and keeps.
    SelfSigned,
}

/// `--log-format`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFlag {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Flags {
    /// The settings of flags over those of the environment over those of the settings file.
    ///
    /// # Errors
    /// [`ConfigError`] for everything in the environment and the settings file that cannot be used.
    pub fn layer(self) -> Result<Layer, ConfigError> {
        let file = match &self.config {
            Some(path) => Layer::of_file(path)?,
            None if PathBuf::from(FILE_NAME).exists() => Layer::of_file(FILE_NAME.as_ref())?,
            None => Layer::default(),
        };
        let text = |text: OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        let environment = Layer::of_environment(variables)?;
        let flags = Given {
            data_dir: self.data_dir,
            listen: (!self.listen.is_empty()).then_some(self.listen),
            tls: self.tls.map(|tls| match tls {
                TlsFlag::Off => TlsMode::Off,
                TlsFlag::SelfSigned => TlsMode::SelfSigned,
            }),
            tls_cert: self.tls_cert,
            tls_key: self.tls_key,
            public_url: self.public_url,
            plain_http: self.plain_http,
            open_registration: self.open_registration,
            upstream: self.upstream,
            upstream_ca: self.upstream_ca,
            production: self.production,
            log_level: self.log_level,
            log_format: self.log_format.map(|format| match format {
                LogFlag::Text => LogFormat::Text,
                LogFlag::Json => LogFormat::Json,
            }),
            ..Given::default()
        };
        Ok(Layer::of_flags(flags).over(environment).over(file))
    }
}
