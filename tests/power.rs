//! The power goes, seen from outside: the real program's system calls are recorded, and from them the data folder is made
//! as a disk may show it after a power cut at any point of the record. The real program starts on each such folder and
//! is asked over HTTP for everything that it had acknowledged by then.
//!
//! ```text
//!   load.rs    people at work with a box under strace; what each of its answers promised
//!   trace.rs   strace's text ──▶ calls, each with the places where it began and ended
//!   disk.rs    calls ──▶ what a disk may hold after a cut
//!   images.rs  cut, start, ask; and the same with a disk that lies, which must be seen
//!   restoring.rs  the same while a box becomes the one of a backup
//!   swapped.rs  a data folder with a file of another box, or of another day
//! ```
//!
//! `tests/store/crash.rs` does the same to the store alone, in memory. Only here are the key files, the renames and the
//! folders part of it, and the order between a sync and the answer on the socket.

mod disk;
mod images;
mod load;
mod restoring;
mod swapped;
mod trace;
