//! Compaction: the file gets shorter, nothing in it changes, and a power cut anywhere in it loses nothing.

use whotbox::store::fault::Fault;
use whotbox::store::key::Key;

use super::disk::{Disk, Event, Player};
use super::lab::{Dice, Lab, Note, dump, full, note, seed, wait};

/// A store of large rows of which most are deleted again.
fn emptied() -> Lab {
    let lab = Lab::new();
    for id in 0..40 {
        lab.put(&[Note { body: vec![7; 90_000], ..note(id, 1) }]).unwrap();
    }
    lab.store
        .write_blocking(|tx, _| {
            (0..40).filter(|id| id % 5 > 0).try_for_each(|id| tx.delete::<Note>(&Key::new().number(id)))
        })
        .map_err(|fault: Fault| fault)
        .unwrap();
    lab.reopened()
}

fn compact(lab: &Lab) -> Result<whotbox::store::writer::Compacted, Fault> {
    let store = lab.store.clone();
    wait(Box::pin(async move { store.compact().await }))
}

#[test]
fn the_file_gets_shorter_and_holds_what_it_held() {
    let lab = emptied();
    let (before, fill) = (dump(&lab.store.read().unwrap()), lab.store.fill().unwrap());
    assert!(fill.free_percent() > 30, "{fill:?}");
    let done = compact(&lab).unwrap();
    assert_eq!((done.before, done.after), (fill.bytes, lab.disk.bytes().len() as u64));
    assert!(done.after < done.before - (1 << 20), "{done:?}");
    println!("{} bytes became {}", done.before, done.after);
    assert_eq!(dump(&lab.store.read().unwrap()), before);
    // It goes on as ever, and opens again.
    lab.put(&[note(1000, 1)]).unwrap();
    let lab = lab.reopened();
    assert_eq!(dump(&lab.store.read().unwrap()).len(), before.len() + dump_of_one(&lab));
}

/// Keys that one more note takes: its row, its index entries, its change.
fn dump_of_one(lab: &Lab) -> usize {
    let with = dump(&lab.store.read().unwrap()).len();
    lab.put(&[note(1001, 1)]).unwrap();
    dump(&lab.store.read().unwrap()).len() - with
}

#[test]
fn whoever_reads_is_not_disturbed_and_it_can_be_asked_again() {
    let lab = emptied();
    let snapshot = lab.store.read().unwrap();
    assert_eq!(compact(&lab), Err(Fault::Busy));
    assert!(!dump(&snapshot).is_empty());
    drop(snapshot);
    compact(&lab).unwrap();
}

#[test]
fn a_power_cut_anywhere_in_a_compaction_loses_nothing() {
    let dice = Dice::new(seed());
    let lab = emptied();
    let held = dump(&lab.store.read().unwrap());
    let (image, from) = (lab.disk.bytes(), lab.disk.events());
    let again = Lab::on(Disk::holding(image.clone()));
    let opened = again.disk.events();
    compact(&again).unwrap();
    let history = again.disk.history();
    assert!(history.len() > opened + 10, "{} events before, {from} in the first", history.len());
    let mut player = Player::new(image);
    let (mut cuts, one_in) = (0, if full() { 1 } else { 6 });
    for (at, event) in history.iter().enumerate() {
        if at >= opened && (matches!(event, Event::Sync) || dice.once_in(one_in)) {
            let left = Lab::on(Disk::holding(player.cut(&dice)));
            assert_eq!(dump(&left.store.read().unwrap()).len(), held.len(), "cut at {at}");
            assert!(dump(&left.store.read().unwrap()) == held, "cut at {at}");
            cuts += 1;
        }
        player.play(event);
    }
    println!("{cuts} cuts in {} events", history.len() - opened);
    assert!(cuts > 3);
}
