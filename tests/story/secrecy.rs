//! Searching bytes for what must not be there, in every spelling that a leak would have.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// The spellings of a text: UTF-8, UTF-16 both ways, hexadecimal both ways, and base64 at its three offsets.
fn spellings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![
        ("UTF-8", text.as_bytes().to_vec()),
        ("UTF-16LE", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16BE", text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("HEX", hex.to_uppercase().into_bytes()),
        ("hex", hex.into_bytes()),
    ];
    for offset in 0..3 {
        let padded = [vec![b' '; offset], text.as_bytes().to_vec()].concat();
        for (name, engine) in [("base64", &STANDARD), ("base64url", &URL_SAFE)] {
            let encoded = engine.encode(&padded).into_bytes();
            // The characters at either end mix with what stands beside the text.
            let front = if offset == 0 { 0 } else { 4 };
            all.push((name, encoded[front..encoded.len() - 4].to_vec()));
        }
    }
    all
}

/// Every file under `folder` that has one of the texts in one of the spellings.
pub(crate) fn search(folder: &Path, texts: &[&str]) -> Vec<String> {
    let needles: Vec<_> = texts.iter().flat_map(|text| spellings(text)).collect();
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                // A file that PostgreSQL removes meanwhile holds nothing any more.
                let Ok(bytes) = std::fs::read(entry.path()) else { continue };
                let hits = needles.iter().filter(|(_, needle)| contains(&bytes, needle));
                found.extend(hits.map(|(spelling, _)| format!("{} ({spelling})", entry.path().display())));
            }
        }
    }
    found
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == needle[0]) {
        rest = &rest[at..];
        if rest.starts_with(needle) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

#[test]
fn a_planted_text_is_found_in_every_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let text = "the goods come at dawn";
    for (number, (_, bytes)) in spellings(text).iter().enumerate() {
        let planted = [b"\x00\x01before", bytes.as_slice(), b"after\xff"].concat();
        std::fs::write(folder.path().join(number.to_string()), planted).unwrap();
    }
    let hits = search(folder.path(), &[text]);
    let files: BTreeSet<_> = hits.iter().map(|hit| hit.split(" (").next().unwrap()).collect();
    assert_eq!(files.len(), spellings(text).len());
    assert!(search(folder.path(), &["another text altogether"]).is_empty());
}
