//! A tar file (POSIX ustar) of a few short files, in memory.
//!
//! Must not know what is in them.

use zeroize::Zeroizing;

use crate::base::time::Timestamp;

/// A tar file is a row of blocks of this size.
const BLOCK: usize = 512;

/// The archive of some files, all of one time, readable by everyone.
#[must_use]
pub(super) fn archive(files: &[(&str, Zeroizing<Vec<u8>>)], at: Timestamp) -> Vec<u8> {
    let room: usize = files.iter().map(|(_, bytes)| BLOCK + bytes.len().next_multiple_of(BLOCK)).sum();
    let mut out = Vec::with_capacity(room + 2 * BLOCK);
    for (name, bytes) in files {
        out.extend_from_slice(&header(name, bytes.len(), at));
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.resize(out.len() + 2 * BLOCK, 0);
    out
}

fn header(name: &str, length: usize, at: Timestamp) -> Vec<u8> {
    let octal = |number: u64, digits: usize| format!("{number:0digits$o}\0").into_bytes();
    let text = |text: &str, room: usize| {
        let mut out: Vec<u8> = text.bytes().take(room - 1).collect();
        out.resize(room, 0);
        out
    };
    let seconds = u64::try_from(at.seconds()).unwrap_or(0);
    let front = [text(name, 100), octal(0o644, 7), octal(0, 7), octal(0, 7), octal(length as u64, 11)].concat();
    let front = [front, octal(seconds, 11)].concat();
    let back = [b"0".to_vec(), text("", 100), b"ustar\x0000".to_vec(), text("", BLOCK - 265)].concat();
    // The sum is taken with blanks in its own place.
    let sum: u64 = front.iter().chain(&back).map(|byte| u64::from(*byte)).sum::<u64>() + 8 * u64::from(b' ');
    [front, format!("{sum:06o}\0 ").into_bytes(), back].concat()
}
