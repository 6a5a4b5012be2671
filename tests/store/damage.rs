//! Damaged files: a card that flips bits, a copy that was cut off, blocks that changed places. What is wrong is named, no
//! row is read as something else, and nothing panics.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;

use redb::StorageBackend;
use whotbox::base::time::ManualClock;
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
use whotbox::store::medium::{FileMedium, Mark, Medium};
use whotbox::store::page::Page;
use whotbox::store::read::ReadExt;
use whotbox::store::writer::Store;

use super::disk::{Disk, JOURNAL};
use super::lab::{Dice, Lab, Note, START, full, note, seed, settings};

/// Files that are damaged: in CI, and under `tests/run --full`.
fn files() -> u64 {
    if full() { 1000 } else { 60 }
}

const NOTES: u64 = 400;
const BLOCK: usize = 4096;

/// A store with most of its rows in the tables and the newest in the journal, as a kill leaves it.
fn at_work() -> Vec<u8> {
    let lab = Lab::new();
    for group in 0..8_u8 {
        let of_group = |id: &u64| id % 8 == u64::from(group);
        lab.put(&(0..NOTES).filter(of_group).map(|id| note(id, group)).collect::<Vec<_>>()).unwrap();
    }
    let lab = lab.reopened();
    (0..6).for_each(|id| lab.put(&[note(NOTES + id, 1)]).unwrap());
    lab.disk.bytes()
}

/// One way for a file to be damaged.
fn damage(bytes: &mut Vec<u8>, dice: &Dice) -> String {
    let at = |dice: &Dice, end: usize| usize::try_from(dice.below(end as u64)).unwrap();
    let blocks = bytes.len() / BLOCK;
    match dice.below(5) {
        0 => {
            let (offset, bit) = (at(dice, bytes.len()), dice.below(8));
            bytes[offset] ^= 1 << bit;
            format!("bit {bit} of byte {offset}")
        }
        1 => {
            let (offset, many) = (at(dice, bytes.len()), 1 + at(dice, 512));
            bytes[offset..].iter_mut().take(many).for_each(|byte| *byte ^= u8::try_from(1 + dice.below(255)).unwrap());
            format!("{many} bytes from {offset} on")
        }
        2 => {
            let left = at(dice, bytes.len());
            bytes.truncate(left);
            format!("cut off after {left}")
        }
        3 => {
            let (one, other) = (at(dice, blocks), at(dice, blocks));
            let (first, second) = (bytes[one * BLOCK..][..BLOCK].to_vec(), bytes[other * BLOCK..][..BLOCK].to_vec());
            bytes[one * BLOCK..][..BLOCK].copy_from_slice(&second);
            bytes[other * BLOCK..][..BLOCK].copy_from_slice(&first);
            format!("blocks {one} and {other} in each other's place")
        }
        _ => {
            let block = at(dice, blocks);
            bytes[block * BLOCK..][..BLOCK].fill(0);
            format!("block {block} gone")
        }
    }
}

/// Leads redb's lists of free pages out of the file: a number of pages, then the pages, whose upper half is empty in a file as
/// short as this. Returns how many there were, those included that are lists no longer.
pub(crate) fn spoil_free_lists(bytes: &mut [u8]) -> usize {
    let word = |bytes: &[u8], at: usize| bytes.get(at..at + 8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    let journal = word(bytes, 8).unwrap();
    let (mut lists, mut at) = (0, BLOCK + usize::try_from(journal).unwrap());
    while at + 10 < bytes.len() {
        let count = usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let pages: Vec<_> = (0..count.min(64)).map_while(|page| word(bytes, at + 2 + 8 * page)).collect();
        let is_list = count > 0 && pages.iter().all(|page| *page != 0 && *page < 1 << 16);
        if is_list && pages.windows(2).all(|pair| pair[0] != pair[1]) {
            bytes[at + 2 + 4] = 0xFF;
            lists += 1;
            at += 2 + 8 * pages.len();
        } else {
            at += 1;
        }
    }
    lists
}

/// What became of the damaged files.
#[derive(Debug, Default)]
struct Found {
    refused: u64,
    named: u64,
    whole: u64,
    absent: u64,
}

/// Opens a file and reads all of it, by key and by list. An error in words where something was read that never was.
fn read_all(medium: Arc<dyn Medium>, expected: &BTreeMap<u64, Note>, found: &mut Found) -> Result<(), String> {
    let clock = Arc::new(ManualClock::at(START));
    let store = match Store::open(settings(medium, &clock, |_| {})) {
        Ok(store) => store,
        Err(Fault::Unavailable(_) | Fault::Corrupt { .. } | Fault::Newer { .. }) => {
            found.refused += 1;
            return Ok(());
        }
        Err(other) => return Err(format!("an odd refusal: {other}")),
    };
    let (mut named, mut absent) = (false, 0);
    let read = match store.read() {
        Ok(read) => read,
        Err(_) => {
            found.named += 1;
            return Ok(());
        }
    };
    for (id, note) in expected {
        match read.get::<Note>(&Key::new().number(*id)) {
            Ok(Some(read)) if read == *note => {}
            Ok(Some(read)) => return Err(format!("note {id} was read as {read:?}")),
            Ok(None) => absent += 1,
            Err(_) => named = true,
        }
    }
    let mut after = None;
    loop {
        match read.list::<Note>(&Key::new(), &Page::first(100).after(after)) {
            Ok(listed) => {
                if let Some(wrong) = listed.items.iter().find(|note| expected.get(&note.id) != Some(note)) {
                    return Err(format!("a list shows {wrong:?}"));
                }
                match listed.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            Err(_) => {
                named = true;
                break;
            }
        }
    }
    // What no single read could notice, the walk before each backup does. The journal's last record is beyond any doubt: where
    // it is not whole, it looks like one that was cut off before anybody was answered.
    let walked = read.walk_pages().is_err();
    if absent > 1 && !named && !walked {
        return Err(format!("{absent} rows are missing without a word"));
    }
    named |= walked;
    found.named += u64::from(named);
    found.absent += u64::from(absent > 0 && !named);
    found.whole += u64::from(absent == 0 && !named);
    Ok(())
}

#[test]
fn a_file_that_was_cut_off_in_its_first_parts_is_not_made_anew() {
    // given
    let (image, parts) = (at_work(), BLOCK + usize::try_from(JOURNAL).unwrap());
    let (expected, mut found) = (BTreeMap::from([(0, note(0, 0))]), Found::default());
    let cuts = [1, 23, 24, BLOCK - 1, BLOCK, BLOCK + 1, parts - 1, parts];
    // when
    for left in cuts {
        read_all(Arc::new(Disk::holding(image[..left].to_vec())), &expected, &mut found).unwrap();
    }
    // then
    assert_eq!(found.refused, cuts.len() as u64, "{found:?}");
}

/// What the notes of a store at work are.
fn expected() -> BTreeMap<u64, Note> {
    let settled = (0..NOTES).map(|id| (id, note(id, u8::try_from(id % 8).unwrap())));
    settled.chain((NOTES..NOTES + 6).map(|id| (id, note(id, 1)))).collect()
}

#[test]
fn a_damaged_file_is_named_and_never_read_as_something_else() {
    // given
    let (folder, seed) = (tempfile::tempdir().unwrap(), seed().to_string());
    std::fs::write(folder.path().join("marked"), "").unwrap();
    let (mut found, mut ended) = (Found::default(), 0);
    // when: a process opens one after the other; over some damage redb panics twice, which ends it, and it is started again
    loop {
        let (status, said) = child("store::damage::a_child_that_reads_damaged_files", folder.path(), Some(&seed));
        if status.success() {
            break;
        }
        ended += 1;
        assert_eq!(status.signal(), Some(ABORT), "{said}");
        assert!(folder.path().join("marked.mark").exists(), "it would go on ending: {said}");
        assert!(ended <= files(), "{said}");
    }
    // then
    let lines = std::fs::read_to_string(folder.path().join("found")).unwrap();
    for line in lines.lines() {
        match line {
            "refused" => found.refused += 1,
            "named" => found.named += 1,
            "whole" => found.whole += 1,
            "absent" => found.absent += 1,
            other => panic!("{other}"),
        }
    }
    println!("{found:?}, of {ended} named by a second process");
    assert_eq!(lines.lines().count() as u64, files());
    assert!(found.refused > 0 && found.named > 0, "the damage met nothing: {found:?}");
}

/// A medium in memory whose mark outlives the process.
#[derive(Debug)]
struct Marked(Disk, FileMedium);

impl Medium for Marked {
    fn open(&self) -> std::io::Result<Box<dyn StorageBackend>> {
        self.0.open()
    }
    fn mark(&self) -> Option<Mark> {
        self.1.mark()
    }
    fn set_mark(&self, mark: Option<Mark>) -> std::io::Result<()> {
        self.1.set_mark(mark)
    }
}

/// Run by the test above in processes of its own; by itself it does nothing.
#[test]
fn a_child_that_reads_damaged_files() {
    let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let (image, expected) = (at_work(), expected());
    let mut control = Found::default();
    read_all(Arc::new(Disk::holding(image.clone())), &expected, &mut control).unwrap();
    assert_eq!(control.whole, 1, "the control: undamaged, all of it is read: {control:?}");
    let marked = FileMedium { path: folder.join("marked"), reserve: 0 };
    let mut lines = OpenOptions::new().append(true).create(true).open(folder.join("found")).unwrap();
    let done = std::fs::read_to_string(folder.join("found")).unwrap().lines().count() as u64;
    let dice = Dice::new(seed());
    for number in 0..files() {
        let mut bytes = image.clone();
        let what = damage(&mut bytes, &dice);
        if number < done {
            continue;
        }
        let (medium, mut found) = (Marked(Disk::holding(bytes), marked.clone()), Found::default());
        let was_marked = medium.mark().is_some();
        let read = catch_unwind(AssertUnwindSafe(|| read_all(Arc::new(medium), &expected, &mut found)));
        match read {
            Ok(Ok(())) => {}
            Ok(Err(wrong)) => panic!("{what}: {wrong}"),
            Err(_) => panic!("{what}: a panic"),
        }
        assert!(found.refused == 1 || !was_marked, "{what}: ended the process, and was opened again: {found:?}");
        marked.set_mark(None).unwrap();
        let counted =
            [(found.refused, "refused"), (found.named, "named"), (found.whole, "whole"), (found.absent, "absent")];
        let (_, line) = counted.into_iter().find(|(count, _)| *count == 1).unwrap();
        writeln!(lines, "{line}").unwrap();
    }
}

/// Says to a test that it is the child of another, and which folder it has.
const CHILD: &str = "WHOTBOX_DAMAGED_IN";
/// The signal of a process that ended itself.
const ABORT: i32 = 6;

/// Runs a test of this file in a process of its own.
fn child(name: &str, folder: &Path, seed: Option<&str>) -> (ExitStatus, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", name]).env(CHILD, folder).env("RUST_BACKTRACE", "0");
    if let Some(seed) = seed {
        command.env("WHOTBOX_SEED", seed);
    }
    let out = command.output().unwrap();
    (out.status, String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

#[test]
fn a_list_of_free_pages_that_ends_the_process_is_named_at_the_next_start() {
    // given: redb panics over it while it unwinds from a panic, when the journal is brought into the tables
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("box.redb");
    let whole = at_work();
    let mut bytes = whole.clone();
    assert!(spoil_free_lists(&mut bytes) > 0, "no list of free pages was found");
    std::fs::write(&file, &bytes).unwrap();
    let run = || child("store::damage::a_child_that_has_a_store", folder.path(), None);
    // when
    let (ended, said) = run();
    assert_eq!(ended.signal(), Some(ABORT), "{said}");
    // then: the damage is named, as often as it is asked
    for _ in 0..3 {
        let (status, said) = run();
        assert!(status.success() && said.contains("refused: table store: "), "{said}");
    }
    // and what takes the file's place is looked at, and used
    std::fs::write(&file, &whole).unwrap();
    let (status, said) = run();
    assert!(status.success() && said.contains("opened, repaired: true"), "{said}");
    let (status, said) = run();
    assert!(status.success() && said.contains("opened, repaired: false"), "{said}");
    // and the control: without the mark it never comes to an end
    std::fs::write(&file, &bytes).unwrap();
    for _ in 0..3 {
        let (ended, said) = run();
        assert_eq!(ended.signal(), Some(ABORT), "{said}");
        std::fs::remove_file(folder.path().join("box.mark")).unwrap();
    }
}

/// Run by the test above in processes of its own; by itself it does nothing.
#[test]
fn a_child_that_has_a_store() {
    let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let medium = FileMedium { path: folder.join("box.redb"), reserve: 0 };
    match Store::open(settings(Arc::new(medium), &Arc::new(ManualClock::at(START)), |_| {})) {
        Ok(store) => {
            println!("opened, repaired: {}", store.figures().repaired);
            store.write_blocking(|tx, _| tx.put(&note(NOTES + 7, 1))).unwrap();
            store.close();
        }
        Err(fault) => println!("refused: {fault}"),
    }
}
