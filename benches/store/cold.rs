//! How long a store of a gigabyte takes to open after its process was killed, with nothing of it in memory;
//! and what a commit costs in a store of that size.

use std::path::Path;
use std::sync::Arc;

use whotbox::base::time::{Clock, SystemClock};
use whotbox::store::key::Key;
use whotbox::store::medium::FileMedium;
use whotbox::store::page::Page;
use whotbox::store::read::ReadExt;
use whotbox::store::tx::Tx;

use crate::WRITERS;
use crate::load::{Message, Refused, open};
use crate::ours::Ours;
use crate::table::{Goal, Table, median};

/// The file's size.
const BYTES: u64 = 1 << 30;
/// Messages of one command while it is filled.
const FILLING: usize = 4000;
/// Openings.
const ROUNDS: usize = 5;

/// Fills a store, and opens what a kill would leave of it.
pub(crate) fn run(folder: &Path, table: &mut Table) {
    let (path, left) = (folder.join("large.redb"), folder.join("left.redb"));
    let store = open(Arc::new(FileMedium { path: path.clone(), reserve: 0 }));
    while std::fs::metadata(&path).unwrap().len() < BYTES {
        let fill = |tx: &mut Tx<'_>, _| (0..FILLING).try_for_each(|_| tx.put(&Message::new()).map_err(Refused::Fault));
        store.write_blocking(fill).unwrap();
    }
    store.write_blocking(Message::new().post()).unwrap();
    let clock = SystemClock::new();
    let (mut opened, mut read) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        std::fs::copy(&path, &left).unwrap();
        let file = std::fs::File::open(&left).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        drop(file);
        let began = clock.monotonic();
        let store = open(Arc::new(FileMedium { path: left.clone(), reserve: 0 }));
        opened.push(clock.monotonic().since(began).as_secs_f64() * 1000.0);
        let listed = store.read().unwrap().list::<Message>(&Key::new(), &Page::newest(50)).unwrap();
        read.push(clock.monotonic().since(began).as_secs_f64() * 1000.0);
        assert!(listed.items.len() == 50 && !store.figures().repaired);
    }
    table.value("cold 1 GB store after a kill: open, ms", median(opened), Goal::AtMost(100.0));
    table.value("... and its newest 50 rows read, ms", median(read), Goal::None);
    store.close();
    let mut large = Ours::new(&path);
    // So many that checkpoints are among them.
    large.concurrent(WRITERS * 400);
    table.value("... bytes to the kernel per byte of payload", large.amplification(), Goal::None);
}
