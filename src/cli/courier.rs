//! `whotbox courier …`: replication by hand, where no line leads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use replication::error::Error as Central;

use crate::app::App;
use crate::base::entropy::OsEntropy;
use crate::base::recovery::{RecoveryKey, RecoveryPublic};
use crate::cli::control::{Failure, Request};
use crate::cli::flags::Output;
use crate::cli::{ask, print, text_of};
use crate::config::Config;
use crate::store::courier as kept;
use crate::upstream::courier::{self, CourierError, apply, export, import};
use crate::upstream::{Link, sender};

/// `courier …`.
#[derive(Debug, Subcommand)]
pub enum CourierCommand {
    /// At central, once: make the courier's key. Its secret half goes into FILE; the public half is printed, for the boxes.
    Key {
        /// A new file for the secret half.
        file: PathBuf,
    },
    /// On the box: write everything that central has not confirmed into a new file in FOLDER.
    Export {
        /// Where to: the stick.
        folder: PathBuf,
        /// The courier's public key, where courier_recipient does not say it.
        #[arg(long, value_name = "age1…")]
        to: Option<String>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// At central: apply a bundle, and write its acknowledgement, with central's orders, beside it. Needs no box; bringing one twice changes nothing.
    Apply {
        /// The bundle.
        bundle: PathBuf,
        /// The file with the courier's secret key.
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
        /// Write the acknowledgement into this folder instead.
        #[arg(long, value_name = "FOLDER")]
        reply: Option<PathBuf>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// On the box: take an acknowledgement in, and carry out central's orders.
    Import {
        /// The acknowledgement.
        ack: PathBuf,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// On the box: which bundles were given out, and what came back.
    Status(Output),
}

/// What the box is asked about couriers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CourierRequest {
    /// Write a bundle.
    Export {
        /// Into this folder.
        folder: PathBuf,
        /// For this key instead of the one of the settings.
        to: Option<String>,
    },
    /// Take an acknowledgement in.
    Import {
        /// This one.
        ack: PathBuf,
    },
    /// What is known.
    Status,
}

/// Does one of the commands.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn run(config: &Config, command: CourierCommand) -> Result<(), Failure> {
    let (what, output) = match command {
        CourierCommand::Key { file } => {
            print(&json!(courier::make_key(&file).map_err(|error| failure(&error))?), false);
            return Ok(());
        }
        CourierCommand::Apply { bundle, key_file, reply, output } => {
            let shown = apply_bundle(config, &bundle, &key_file, reply.as_deref()).await?;
            print(&shown, output.json);
            return Ok(());
        }
        CourierCommand::Export { folder, to, output } => {
            (CourierRequest::Export { folder: absolute(&folder)?, to }, output)
        }
        CourierCommand::Import { ack, output } => (CourierRequest::Import { ack: absolute(&ack)? }, output),
        CourierCommand::Status(output) => (CourierRequest::Status, output),
    };
    print(&ask(config, Request::Courier { what }).await?, output.json);
    Ok(())
}

/// The running box may stand in another folder.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::usage(error, "Name a path that exists."))
}

async fn apply_bundle(config: &Config, bundle: &Path, key_file: &Path, reply: Option<&Path>) -> Result<Value, Failure> {
    let key = RecoveryKey::parse(&text_of(key_file)?)
        .map_err(|error| Failure::usage(error, "Name the file that whotbox courier key has written."))?;
    let beside = bundle.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let ca = config.upstream_ca.as_deref();
    let done = apply::apply(bundle, &key, reply.unwrap_or(beside), ca, &OsEntropy).await;
    let done = done.map_err(|error| failure(&error))?;
    Ok(json!({
        "box_id": done.box_id,
        "number": done.number,
        "last_before": done.last,
        "entries": done.entries,
        "rows": done.rows,
        "refused": done.refused,
        "directives": done.orders,
        "acknowledgement": done.ack,
    }))
}

/// Does a request on an open box.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn perform(app: &Arc<App>, link: &Link, request: CourierRequest) -> Result<Value, Failure> {
    match request {
        CourierRequest::Export { folder, to } => {
            let to = to.as_deref().map(RecoveryPublic::parse).transpose();
            let to = to.map_err(|error| Failure::usage(error, "Give the line that whotbox courier key printed."))?;
            let to = to.or_else(|| app.config.courier_recipient.clone());
            let to = to.ok_or_else(|| failure(&CourierError::NoRecipient))?;
            let done = export::export(app, &to, &folder).await.map_err(|error| failure(&error))?;
            Ok(json!({
                "file": done.path,
                "number": done.number,
                "entries": done.entries,
                "rows": done.rows,
                "bytes": done.bytes,
            }))
        }
        CourierRequest::Import { ack } => {
            let done = import::import(app, link, &ack).await.map_err(|error| failure(&error))?;
            let mut shown = json!({
                "number": done.number,
                "confirmed": done.confirmed,
                "backlog": done.backlog,
                "directives": done.orders,
                "refused": done.refused,
            });
            let advice = if done.older {
                Some("A later acknowledgement was imported before: this one tells nothing new.")
            } else if done.rewound {
                Some("Central was set back to an older point: the next bundle holds what it is missing.")
            } else {
                None
            };
            if let (Some(advice), Some(fields)) = (advice, shown.as_object_mut()) {
                fields.insert("advice".into(), json!(advice));
            }
            Ok(shown)
        }
        CourierRequest::Status => {
            let broken = |fault| Failure::failed(fault, "Restart the box; if it stays, its disk may be damaged.");
            let snapshot = app.store.read().map_err(broken)?;
            let known = kept::known(&snapshot).map_err(broken)?;
            Ok(json!({
                "recipient": app.config.courier_recipient.as_ref().map(RecoveryPublic::as_str),
                "exported": known.exported,
                "exported_at": known.exported_at,
                "acknowledged": known.returned,
                "central_heard_at": known.heard,
                "backlog": sender::backlog(&snapshot).map_err(broken)?,
            }))
        }
    }
}

fn failure(error: &CourierError) -> Failure {
    match error {
        CourierError::Central(Central::NotAllowed { .. }) => {
            Failure::failed(error, "The box has another login by now, or was shut out: export anew, or enrol it again.")
        }
        CourierError::Central(central) => Failure::central(central),
        CourierError::NoRecipient => Failure::usage(error, error.advice()),
        other => Failure::failed(format!("{other}."), other.advice()),
    }
}
