//! What the chain shows: every way to change a trail but to cut its end, which central sees.

use crate::base::entropy::{Entropy, SeededEntropy};
use crate::chat::audit::*;
use crate::chat::trail::{Witness, compare};
use crate::store::record::Record as _;
use crate::store::testing::store;
use crate::store::writer::Store;

fn trail(store: &Store, links: u64) {
    for n in 0..links {
        let reason = format!("reason number {n}").parse().unwrap();
        let deed = Deed {
            conversation: Some("c".parse().unwrap()),
            subject: None,
            moderator: "m".parse().unwrap(),
            action: Action::Review,
            code: Code::Audit,
            reason,
        };
        store.write_blocking(move |tx, now| note(tx, now, deed)).unwrap();
    }
}

type Change = Box<dyn FnOnce(&mut Tx<'_>) -> Result<(), Fault> + Send>;

fn meddle(store: &Store, change: impl FnOnce(&mut Tx<'_>) -> Result<(), Fault> + Send + 'static) {
    store.write_blocking(move |tx, _| change(tx)).unwrap();
}

fn link(read: &impl Read, seq: u64) -> Audit {
    read.find::<Audit>(AUDIT_BY_SEQ, &Key::new().number(seq)).unwrap().unwrap()
}

#[test]
fn a_sound_trail_verifies_and_its_head_is_what_is_anchored() {
    let (store, _) = store();
    assert_eq!(verify(&store.read().unwrap()).unwrap(), Ok(Head::default()));
    trail(&store, 5);
    let read = store.read().unwrap();
    assert_eq!(verify(&read).unwrap().unwrap(), head(&read).unwrap());
    assert_eq!(head(&read).unwrap().seq, 5);
    let newest: Vec<u64> = list(&read, None, &Page::newest(2)).unwrap().items.iter().map(|entry| entry.seq).collect();
    assert_eq!(newest, [5, 4]);
}

#[test]
fn every_deletion_edit_insertion_and_swap_is_found_a_hundred_times_each() {
    let seed = 3;
    println!("seed {seed}");
    let random = SeededEntropy::new(seed);
    let random: &dyn Entropy = &random;
    for turn in 0..100 {
        let pick = 1 + u64::from(random.bytes::<1>()[0]) % 8;
        let swap = |tx: &mut Tx<'_>, one: Audit, other: Audit| {
            tx.delete::<Audit>(&one.key())?;
            tx.delete::<Audit>(&other.key())?;
            tx.put(&Audit { seq: other.seq, ..one.clone() })?;
            tx.put(&Audit { seq: one.seq, ..other })
        };
        let changes: Vec<Change> = vec![
            Box::new(move |tx| tx.delete::<Audit>(&link(tx, pick).key())),
            Box::new(move |tx| {
                let edited = Audit { reason: "a better reason".parse().unwrap(), ..link(tx, pick) };
                tx.put(&Audit { hash: hash(&edited), ..edited })
            }),
            Box::new(move |tx| {
                let row = Audit { id: "forged".parse().unwrap(), seq: 0, ..link(tx, pick) };
                tx.put(&row)
            }),
            Box::new(move |tx| {
                let (one, other) = (link(tx, pick), link(tx, pick + 1));
                swap(tx, one, other)
            }),
        ];
        for (kind, change) in changes.into_iter().enumerate() {
            let (store, _) = store();
            trail(&store, 9);
            meddle(&store, change);
            assert!(verify(&store.read().unwrap()).unwrap().is_err(), "turn {turn}, link {pick}, change {kind}");
        }
    }
}

/// What central tells about the trail that it has.
fn anchored(store: &Store) -> (Head, u64) {
    let head = head(&store.read().unwrap()).unwrap();
    (head, head.seq)
}

fn compared(store: &Store, (head, links): (Head, u64)) -> Result<(), Diverged> {
    compare(&store.read().unwrap(), Witness { head, links }).unwrap()
}

#[test]
fn a_cut_or_set_back_trail_is_sound_by_itself_and_found_against_central_a_hundred_times_each() {
    let seed = 4;
    println!("seed {seed}");
    let random = SeededEntropy::new(seed);
    let random: &dyn Entropy = &random;
    let mut how = std::collections::BTreeMap::new();
    for turn in 0..200 {
        let [cut, again] = random.bytes::<2>().map(u64::from);
        // The first hundred are cut; the others are set back, as by an older copy, and go on.
        let (cut, again) = (1 + cut % 8, if turn < 100 { 0 } else { 1 + again % 12 });
        let (store, _) = store();
        trail(&store, 9);
        let central = anchored(&store);
        assert_eq!(compared(&store, central), Ok(()), "the negative control");
        for _ in 0..cut {
            meddle(&store, |tx| {
                let last = head(tx)?.seq;
                tx.delete::<Audit>(&link(tx, last).key())
            });
        }
        trail(&store, again);
        assert!(verify(&store.read().unwrap()).unwrap().is_ok(), "a chain cannot show its own end");
        let found = compared(&store, central).unwrap_err();
        let kind = if matches!(found, Diverged::Cut { .. }) { "cut" } else { "rewritten" };
        *how.entry(kind).or_insert(0) += 1;
    }
    println!("{how:?}");
    assert!(how.len() == 2 && how["cut"] >= 100);
}

#[test]
fn two_ways_of_one_trail_are_found_by_their_number_and_central_may_lag() {
    let (store, _) = store();
    trail(&store, 5);
    let (head, links) = anchored(&store);
    trail(&store, 4);
    assert_eq!(compared(&store, (head, links)), Ok(()), "central has not got the last four yet");
    assert_eq!(compared(&store, (head, links + 2)), Err(Diverged::Forked { last: 5, links: 7 }));
    assert_eq!(compared(&store, (head, links - 2)), Ok(()), "older links may follow newer ones");
    assert_eq!(compared(&store, (Head::default(), 0)), Ok(()), "nor anything at all");
}
