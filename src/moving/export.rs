//! The export: a box's own data in the fields of the import, so that nobody is locked in.
//!
//! One file a table, CSV or JSON Lines. Messages leave as Fernet tokens under a key of the owner's, as the old services
//! kept them: no text is written anywhere. The export is on the audit trail before the first file is. Must not know the command line.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::app::App;
use crate::base::digest::Key;
use crate::base::durable;
use crate::base::fernet;
use crate::base::id::UserId;
use crate::base::text::Reason;
use crate::chat::takeover::{self as chat, OldMessage, OldText};
use crate::customer::takeover as customer;
use crate::game::takeover as game;
use crate::identity::legacy::{self, LegacyTable};
use crate::identity::takeover::{self as identity, Facts};
use crate::identity::users;
use crate::moving::tables::{TABLES, Table};
use crate::store::fault::Fault;
use crate::store::page::{Listed, MAX_PAGE, Page};
use crate::store::snapshot::Snapshot;

/// Whose hand it is that exports, on the audit trail.
const CONSOLE: &str = "console";

/// How the files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a head.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

impl Format {
    const fn end(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Fault),
    /// A file cannot be written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder has files in it.
    #[error("{0}: it is not empty; name a new folder")]
    NotEmpty(PathBuf),
}

/// Writes every table into a new folder; the rows of each file.
///
/// # Errors
/// [`ExportError`]; what was written by then stays.
pub fn export(
    app: &App,
    folder: &Path,
    format: Format,
    chat_key: &Key,
    reason: Reason,
) -> Result<Vec<(&'static str, u64)>, ExportError> {
    make_folder(folder)?;
    let console: UserId = CONSOLE.parse().map_err(|_| Fault::Closed)?;
    app.store.write_blocking(move |tx, now| chat::note_export(tx, now, console, reason))?;
    let read = app.store.read()?;
    let mut written = Vec::new();
    for table in TABLES {
        // Codes of minutes are nothing to take along.
        if table.key == "identity.user_otps" {
            continue;
        }
        let path = folder.join(format!("{}.{}", table.key, format.end()));
        let failed = |source| ExportError::File { path: path.clone(), source };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        let mut out = BufWriter::new(file);
        let rows = write_table(app, &read, table, format, chat_key, &mut out, &failed)?;
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        written.push((table.key, rows));
    }
    Ok(written)
}

fn make_folder(folder: &Path) -> Result<(), ExportError> {
    let failed = |source| ExportError::File { path: folder.to_owned(), source };
    let is_new = durable::make_folder(folder).map_err(failed)?;
    let is_empty = is_new || std::fs::read_dir(folder).map_err(failed)?.next().is_none();
    if is_empty { Ok(()) } else { Err(ExportError::NotEmpty(folder.to_owned())) }
}

fn write_table(
    app: &App,
    read: &Snapshot,
    table: &'static Table,
    format: Format,
    chat_key: &Key,
    out: &mut BufWriter<File>,
    failed: &impl Fn(std::io::Error) -> ExportError,
) -> Result<u64, ExportError> {
    let (mut rows, mut page, mut head) = (0, Page::first(MAX_PAGE), format == Format::Csv);
    loop {
        let listed = page_of(app, read, table, chat_key, &page)?;
        for facts in listed.items.into_iter().flatten() {
            if head {
                let names: Vec<Option<String>> = facts.iter().map(|(name, _)| Some((*name).to_owned())).collect();
                csv(out, &names).map_err(failed)?;
                head = false;
            }
            match format {
                Format::Csv => {
                    let values: Vec<Option<String>> = facts.into_iter().map(|(_, value)| value).collect();
                    csv(out, &values).map_err(failed)?;
                }
                Format::JsonLines => {
                    let object: serde_json::Map<_, _> =
                        facts.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
                    writeln!(out, "{}", serde_json::Value::Object(object)).map_err(failed)?;
                }
            }
            rows += 1;
        }
        match listed.next {
            Some(next) => page = page.after(Some(next)),
            None => return Ok(rows),
        }
    }
}

/// A line of RFC 4180. Nothing is an empty field, an empty text is one in quotes.
fn csv(out: &mut impl Write, values: &[Option<String>]) -> std::io::Result<()> {
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        match value {
            None => {}
            Some(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) => {
                write!(out, "\"{}\"", text.replace('"', "\"\""))?;
            }
            Some(text) => out.write_all(text.as_bytes())?,
        }
    }
    out.write_all(b"\r\n")
}

fn some<T>(listed: Listed<T>, facts: impl Fn(T) -> Facts) -> Listed<Option<Facts>> {
    listed.map(|row| Some(facts(row)))
}

/// A page of a table; nothing in the place of what has no form in the old services, such as a match against a bot.
fn page_of(
    app: &App,
    read: &Snapshot,
    table: &'static Table,
    chat_key: &Key,
    page: &Page,
) -> Result<Listed<Option<Facts>>, Fault> {
    let legacy = |table: LegacyTable| legacy::rows(read, table, page).map(|rows| some(rows, |row| row.facts()));
    Ok(match table.key {
        "identity.users" => {
            let rows = identity::users(read, page)?;
            some(rows, |row| with_phone(app, read, row.id, row.facts()))
        }
        "identity.refresh_tokens" => some(identity::sessions(read, page)?, |row| row.facts()),
        "identity.user_login_attempts" => some(identity::attempts(read, page)?, |row| row.facts()),
        "identity.influencers" => legacy(LegacyTable::Influencers)?,
        "identity.referrals" => legacy(LegacyTable::Referrals)?,
        "identity.earnings" => legacy(LegacyTable::Earnings)?,
        "identity.user_influencer_codes" => legacy(LegacyTable::UserInfluencerCodes)?,
        "customer.invites" => some(customer::invites(read, page)?, |row| row.facts()),
        "customer.relationships" => some(customer::relationships(read, page)?, |row| row.facts()),
        "game.invites" => some(game::invites(read, page)?, |row| row.facts()),
        "game.sessions" => game::games(read, page)?.map(|row| row.map(|row| row.facts())),
        "chat.conversations" => some(chat::conversations(read, page)?, |row| row.facts()),
        "chat.messages" => some(app.chat.old_messages(read, page)?, |row| sealed(app, chat_key, &row)),
        "chat.audits" => some(chat::audits(read, page)?, |row| row.facts()),
        _ => Listed { items: Vec::new(), next: None },
    })
}

/// The number itself in the place of its digest.
fn with_phone(app: &App, read: &Snapshot, id: UserId, mut facts: Facts) -> Facts {
    let phone = users::by_id(read, id).ok().flatten().and_then(|user| app.identity.phone_of(&user));
    for (name, value) in &mut facts {
        if *name == "phone" {
            *value = phone.as_ref().map(ToString::to_string);
        }
    }
    facts
}

/// A message with its text as a token under the owner's key; one that never could be opened with its bytes as they were.
fn sealed(app: &App, chat_key: &Key, message: &OldMessage) -> Facts {
    let text = match &message.text {
        OldText::Open(body) => {
            Some(fernet::seal(chat_key, &*app.entropy, message.created_at, body.as_str().as_bytes()))
        }
        OldText::Unopened(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        OldText::Away(away) => Some(away.to_text()),
        OldText::Gone => None,
    };
    let mut facts = message.facts();
    for (name, value) in &mut facts {
        if *name == "ciphertext" {
            value.clone_from(&text);
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_csv_keeps_what_is_in_it_apart() {
        let mut out = Vec::new();
        let text = |text: &str| Some(text.to_owned());
        csv(&mut out, &[text("a"), None, text(""), text("b,\"c\"\n"), text("naïve")]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a,,\"\",\"b,\"\"c\"\"\n\",naïve\r\n");
    }
}
