//! `whotbox replay`: runs rule vectors, or checks the proof of a finished game.
//!
//! Owns reading the files, plain or gzipped, with bounds; what a record or a proof must come to is decided by
//! `whot::record` and `whot::proof`. Needs no data folder and no running box.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use serde_json::Value;
use uuid::Uuid;

use crate::whot::proof::{self, Known};
use crate::whot::record::run_line;
use crate::whot::shuffle::bytes_from_hex;

/// Longest line of a vector file. A full record of a long match has a few megabytes.
const LONGEST_LINE: u64 = 32 << 20;
/// Largest proof or list of events; a match of a thousand rounds stays far below.
const LARGEST_PROOF: u64 = 64 << 20;
/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What `whotbox replay` is asked to do.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ReplayArgs {
    /// The proof of a finished game, as `GET /api/v1/games/{game_id}/proof` returns it
    #[arg(value_name = "FILE", required_unless_present = "vectors", conflicts_with = "vectors")]
    pub file: Option<PathBuf>,
    /// Run rule vectors, one record a line, plain or gzipped
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<PathBuf>,
    /// The game's id, if the proof does not carry it
    #[arg(long, value_name = "UUID", requires = "file")]
    pub game_id: Option<Uuid>,
    /// A nonce you sent, to see that it was used
    #[arg(long, value_name = "ROUND:HEX64", value_parser = own_nonce, requires = "file")]
    pub nonce: Vec<(u32, [u8; 32])>,
    /// What you were told, as `GET /api/v1/games/{game_id}/events` returns it, to see that it is what was dealt
    #[arg(long, value_name = "FILE", requires = "file")]
    pub events: Option<PathBuf>,
}

/// Runs the command and writes its report. The answer is whether all was as it should be.
///
/// # Errors
/// A file that cannot be opened, or an output that cannot be written.
pub fn run(args: &ReplayArgs, out: &mut dyn Write) -> io::Result<bool> {
    match (&args.vectors, &args.file) {
        (Some(path), _) => run_vectors(open(path)?, out),
        (None, Some(path)) => run_proof(args, path, out),
        (None, None) => Err(io::Error::new(io::ErrorKind::InvalidInput, "name a proof, or vectors with --vectors")),
    }
}

fn run_vectors(mut reader: Box<dyn BufRead>, out: &mut dyn Write) -> io::Result<bool> {
    let mut all_ok = true;
    let mut records = 0_usize;
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        match reader.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut bytes) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                writeln!(out, "line {line}: cannot be read: {error}")?;
                return Ok(false);
            }
        }
        if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_LINE) {
            writeln!(out, "line {line}: longer than {LONGEST_LINE} bytes; nothing after it was read")?;
            return Ok(false);
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        records += 1;
        let report = std::str::from_utf8(&bytes).map_err(|_| format!("line {line}: not UTF-8"));
        match report.and_then(|text| run_line(line, text)) {
            Ok(report) => {
                all_ok &= report.difference.is_none();
                writeln!(out, "{report}")?;
            }
            Err(sentence) => {
                all_ok = false;
                writeln!(out, "{sentence}")?;
            }
        }
    }
    if records == 0 {
        writeln!(out, "line 1: there is no record in this file")?;
    }
    Ok(all_ok && records > 0)
}

fn run_proof(args: &ReplayArgs, path: &Path, out: &mut dyn Write) -> io::Result<bool> {
    let mut known = Known { game_id: args.game_id, nonces: args.nonce.clone(), events: None };
    if let Some(events) = &args.events {
        match read_json(events)? {
            Ok(value) => known.events = Some(value),
            Err(sentence) => return refuse(out, events, &sentence),
        }
    }
    match read_json(path)?.and_then(|value| proof::check(&value, &known)) {
        Ok(report) => {
            report.lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
            writeln!(out, "{}", if report.ok { "the proof holds" } else { "THE PROOF DOES NOT HOLD" })?;
            Ok(report.ok)
        }
        Err(sentence) => refuse(out, path, &sentence),
    }
}

fn refuse(out: &mut dyn Write, path: &Path, sentence: &str) -> io::Result<bool> {
    writeln!(out, "{}: {sentence}", path.display())?;
    Ok(false)
}

/// The JSON of a file, or a sentence why there is none in it.
fn read_json(path: &Path) -> io::Result<Result<Value, String>> {
    let mut text = Vec::new();
    if let Err(error) = open(path)?.take(LARGEST_PROOF + 1).read_to_end(&mut text) {
        return Ok(Err(format!("cannot be read: {error}")));
    }
    if u64::try_from(text.len()).is_ok_and(|length| length > LARGEST_PROOF) {
        return Ok(Err(format!("larger than {LARGEST_PROOF} bytes")));
    }
    Ok(serde_json::from_slice(&text).map_err(|error| format!("not JSON: {error}")))
}

/// Opens a file, unpacking it if its first bytes are those of gzip, whatever its name says.
fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut reader = BufReader::new(File::open(path).map_err(named)?);
    let packed = reader.fill_buf().map_err(named)?.starts_with(&GZIP);
    Ok(if packed { Box::new(BufReader::new(MultiGzDecoder::new(reader))) } else { Box::new(reader) })
}

/// Reads `ROUND:HEX64`.
fn own_nonce(text: &str) -> Result<(u32, [u8; 32]), String> {
    let parts = text.split_once(':').and_then(|(round, hex)| round.parse().ok().zip(bytes_from_hex(hex)));
    parts.ok_or_else(|| "must be a round, a colon and 64 lower-case hexadecimal digits".to_owned())
}
