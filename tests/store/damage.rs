//! Damaged files: a card that flips bits, a copy that was cut off, blocks that changed places. What is wrong is named, no
//! row is read as something else, and nothing panics.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use whotbox::base::time::ManualClock;
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
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

/// What became of the damaged files.
#[derive(Debug, Default)]
struct Found {
    refused: u64,
    named: u64,
    whole: u64,
    absent: u64,
}

/// Opens a file and reads all of it, by key and by list. An error in words where something was read that never was.
fn read_all(bytes: Vec<u8>, expected: &BTreeMap<u64, Note>, found: &mut Found) -> Result<(), String> {
    let clock = Arc::new(ManualClock::at(START));
    let store = match Store::open(settings(Arc::new(Disk::holding(bytes)), &clock, |_| {})) {
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
    found.named += u64::from(named);
    // What no single read could notice, the walk before each backup does. The journal's last record is beyond any doubt: where
    // it is not whole, it looks like one that was cut off before anybody was answered.
    let walked = read.walk_pages().is_err();
    if absent > 1 && !named && !walked {
        return Err(format!("{absent} rows are missing without a word"));
    }
    named |= walked;
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
        read_all(image[..left].to_vec(), &expected, &mut found).unwrap();
    }
    // then
    assert_eq!(found.refused, cuts.len() as u64, "{found:?}");
}

#[test]
fn a_damaged_file_is_named_and_never_read_as_something_else() {
    // given
    let image = at_work();
    let expected: BTreeMap<u64, Note> = (0..NOTES)
        .map(|id| (id, note(id, u8::try_from(id % 8).unwrap())))
        .chain((NOTES..NOTES + 6).map(|id| (id, note(id, 1))))
        .collect();
    let mut control = Found::default();
    read_all(image.clone(), &expected, &mut control).unwrap();
    assert_eq!(control.whole, 1, "the control: undamaged, all of it is read: {control:?}");
    // when
    let (dice, mut found) = (Dice::new(seed()), Found::default());
    for _ in 0..files() {
        let mut bytes = image.clone();
        let what = damage(&mut bytes, &dice);
        // then
        let done = catch_unwind(AssertUnwindSafe(|| read_all(bytes, &expected, &mut found)));
        match done {
            Ok(Ok(())) => {}
            Ok(Err(wrong)) => panic!("{what}: {wrong}"),
            Err(_) => panic!("{what}: a panic"),
        }
    }
    println!("{found:?}");
    assert!(found.refused > 0 && found.named > 0, "the damage met nothing: {found:?}");
}
