//! `whotbox archive open`: messages that are sealed to `archive_recipient`, opened with the key that is kept off the box.
//!
//! It needs no box and asks none: it reads what a review or an evidence archive gave out. It runs where the key is.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::base::recovery::RecoveryKey;
use crate::chat::seal::away::{Away, AwayError};
use crate::cli::control::Failure;
use crate::cli::flags::ArchiveCommand;

/// Bytes of a document at most: an evidence archive has no more.
const MAX_INPUT: u64 = 1 << 30;
/// Bytes of a key file at most.
const MAX_KEY: u64 = 64 * 1024;

/// Does it. What was opened goes to standard output alone.
///
/// # Errors
/// [`Failure`] in words for a person; also where one message of many could not be opened.
pub fn run(command: &ArchiveCommand) -> Result<(), Failure> {
    let ArchiveCommand::Open { identity, file, json } = command;
    let key = RecoveryKey::parse(&read_text(identity, MAX_KEY)?)
        .map_err(|error| Failure::usage(error, "The file has one line that starts with AGE-SECRET-KEY-1."))?;
    let text = read_text(file, MAX_INPUT)?;
    let wrong = |why: String| {
        Failure::usage(why, "Give messages.json of an evidence archive, or the JSON that a review answered.")
    };
    let document: Value = serde_json::from_str(&text).map_err(|error| wrong(format!("That is no JSON: {error}.")))?;
    let messages = document.get("messages").unwrap_or(&document).as_array();
    let messages = messages.ok_or_else(|| wrong("There are no messages in it.".to_owned()))?;
    let (mut opened, mut failed) = (Vec::with_capacity(messages.len()), 0);
    for message in messages {
        let one = open(&key, message);
        failed += usize::from(one.get("error").is_some_and(|error| !error.is_null()));
        opened.push(one);
    }
    print(&opened, *json).map_err(|error| Failure::failed(error, "Look where the output goes."))?;
    match failed {
        0 => Ok(()),
        _ => Err(Failure::failed(
            format!("{failed} of {} messages could not be opened.", opened.len()),
            "Each says why. Is it the key of that time?",
        )),
    }
}

/// Reads a text, from standard input for `-`.
fn read_text(path: &Path, most: u64) -> Result<Zeroizing<String>, Failure> {
    let fail = |error: io::Error| Failure::failed(format!("{}: {error}", path.display()), "Check the file's name.");
    let mut text = Zeroizing::new(String::new());
    let source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(fail)?) };
    source.take(most).read_to_string(&mut text).map_err(fail)?;
    Ok(text)
}

/// A message with its text, if it was sealed and this key opens it.
fn open(key: &RecoveryKey, message: &Value) -> Map<String, Value> {
    let mut out = message.as_object().cloned().unwrap_or_default();
    let Some(sealed) = out.remove("sealed").filter(|sealed| !sealed.is_null()) else { return out };
    let named = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
    let read = match sealed.as_str().map(Away::from_text) {
        Some(Ok(away)) => away.open(key, named("id")),
        _ => Err(AwayError::NoMessage),
    };
    match read {
        // The document was bound by whoever sealed it: what stands around it must say the same.
        Ok(document) if document.sender_id != named("sender_id") => {
            out.insert("error".to_owned(), json!(format!("its sender is {}", document.sender_id)));
        }
        Ok(document) => {
            out.insert("body".to_owned(), json!(document.body));
            out.insert("client_message_id".to_owned(), json!(document.client_message_id));
        }
        Err(error) => {
            out.insert("error".to_owned(), json!(error.to_string()));
        }
    }
    out
}

fn print(messages: &[Map<String, Value>], json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, messages)?;
        return writeln!(out);
    }
    for message in messages {
        let field = |name: &str| message.get(name).and_then(Value::as_str);
        let (at, sender) = (field("created_at").unwrap_or("?"), field("sender_id").unwrap_or("?"));
        // A text may not steer the terminal that it is read on.
        let body = field("body").map(|body| body.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}"));
        let why = || format!("({})", field("error").unwrap_or("nothing is left of it"));
        writeln!(out, "{at}  {sender}  {}", body.unwrap_or_else(why))?;
    }
    Ok(())
}
