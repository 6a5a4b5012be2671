//! The store against a model that is too simple to be wrong: random commands, and every way to read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use replication::row::Lane;
use whotbox::base::time::Timestamp;
use whotbox::store::change::{Entry, Op, row_digest};
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
use whotbox::store::page::{Listed, Page};
use whotbox::store::read::{Read, ReadExt};
use whotbox::store::record::{Record, encode};
use whotbox::store::tx::Tx;

use super::lab::{
    Alarm, BY_GROUP, BY_NAME, DIGEST_KEY, Dice, Lab, Note, assert_log_is_sound, entries, full, note, seed, together,
};

/// What happened to a row, as the change log must tell it: table, key, what, and the digest of the row.
type Change = (u16, Vec<u8>, Op, [u8; 16]);

/// What the store must hold.
#[derive(Debug, Default, Clone)]
struct Model {
    notes: BTreeMap<u64, Note>,
    alarms: BTreeMap<u64, Alarm>,
    urgent: Vec<Change>,
    bulk: Vec<Change>,
}

fn change<R: Record>(key: &Key, row: Option<&R>) -> Change {
    let stored = row.map(|row| encode(row).unwrap());
    let digest =
        row_digest(&whotbox::base::secret::Secret::new(DIGEST_KEY), R::TABLE.number, key.as_bytes(), stored.as_deref());
    (R::TABLE.number, key.as_bytes().to_vec(), if row.is_some() { Op::Put } else { Op::Delete }, digest)
}

impl Model {
    /// Puts a note as the store must: refused where another has its name.
    fn put(&mut self, note: &Note) -> Result<(), Fault> {
        if self.notes.values().any(|other| other.name == note.name && other.id != note.id) {
            return Err(Fault::Duplicate { table: "test.notes", index: 2 });
        }
        self.notes.insert(note.id, note.clone());
        Ok(())
    }

    /// Notes what a command changed: one entry for each row it wrote, in key order.
    fn log(&mut self, notes: &[u64], alarms: &[u64]) {
        for (ids, urgent) in [(notes, false), (alarms, true)] {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            ids.dedup();
            for id in ids {
                let key = Key::new().number(id);
                if urgent {
                    self.urgent.push(change(&key, self.alarms.get(&id)));
                } else {
                    self.bulk.push(change(&key, self.notes.get(&id)));
                }
            }
        }
    }
}

/// A random command, done to the store and to the model alike; the store must answer and read as the model does.
fn command(number: u64, model: Arc<Mutex<Model>>) -> impl FnOnce(&mut Tx<'_>, Timestamp) -> Result<(), Fault> + Send {
    move |tx, _| {
        let dice = Dice::new(number);
        let mut shared = model.lock().unwrap();
        let mut mine = shared.clone();
        let (mut notes, mut alarms) = (Vec::new(), Vec::new());
        for _ in 0..1 + dice.below(6) {
            let id = dice.below(24);
            let key = Key::new().number(id);
            match dice.below(8) {
                0 | 1 => {
                    if mine.notes.remove(&id).is_some() {
                        notes.push(id);
                    }
                    tx.delete::<Note>(&key)?;
                }
                2 => {
                    if mine.alarms.insert(id, Alarm { id }).is_none() {
                        alarms.push(id);
                    }
                    tx.put(&Alarm { id })?;
                }
                _ => {
                    let name = format!("name {}", dice.below(30));
                    let row = Note { name, ..note(id, u8::try_from(dice.below(3)).unwrap()) };
                    let before = mine.notes.get(&id).cloned();
                    let expected = mine.put(&row);
                    assert_eq!(tx.put(&row), expected);
                    if expected.is_ok() && before.as_ref() != Some(&row) {
                        notes.push(id);
                    }
                }
            }
            agree(tx, &mine, &dice);
        }
        if dice.once_in(4) {
            return Err(Fault::Busy);
        }
        mine.log(&notes, &alarms);
        *shared = mine;
        Ok(())
    }
}

/// Reading the store in every way gives what the model holds.
#[track_caller]
fn agree(read: &impl Read, model: &Model, dice: &Dice) {
    let id = dice.below(24);
    assert_eq!(read.get::<Note>(&Key::new().number(id)).unwrap().as_ref(), model.notes.get(&id));
    let name = format!("name {}", dice.below(30));
    let named = model.notes.values().find(|note| note.name == name);
    assert_eq!(read.find::<Note>(BY_NAME, &Key::new().text(&name)).unwrap().as_ref(), named);

    let size = 1 + usize::try_from(dice.below(5)).unwrap();
    let group = u8::try_from(dice.below(3)).unwrap();
    let all: Vec<_> = model.notes.values().cloned().collect();
    let of_group: Vec<_> = all.iter().filter(|note| note.group == group).cloned().collect();
    assert_eq!(paged(Page::first(size), |page| read.list::<Note>(&Key::new(), page)), all);
    assert_eq!(paged(Page::newest(size), |page| read.list::<Note>(&Key::new(), page)), backwards(&all));
    let front = Key::new().byte(group);
    assert_eq!(paged(Page::first(size), |page| read.list_by::<Note>(BY_GROUP, &front, page)), of_group);
    assert_eq!(paged(Page::newest(size), |page| read.list_by::<Note>(BY_GROUP, &front, page)), backwards(&of_group));
}

fn backwards(notes: &[Note]) -> Vec<Note> {
    notes.iter().rev().cloned().collect()
}

/// A listing, page after page.
#[track_caller]
fn paged(first: Page, list: impl Fn(&Page) -> Result<Listed<Note>, Fault>) -> Vec<Note> {
    let mut all = Vec::new();
    let mut page = first;
    loop {
        let listed = list(&page).unwrap();
        assert!(listed.items.len() <= page.limit);
        all.extend(listed.items);
        assert!(all.len() < 1000, "a listing comes to its end");
        match listed.next {
            Some(next) => page = page.after(Some(next)),
            None => return all,
        }
    }
}

fn told(entries: Vec<Entry>) -> Vec<Change> {
    entries.into_iter().map(|entry| (entry.table, entry.key, entry.op, entry.digest)).collect()
}

#[test]
fn random_commands_do_what_the_model_does_and_the_log_tells_it() {
    let dice = Dice::new(seed());
    let mut lab = Lab::new();
    let model = Arc::new(Mutex::new(Model::default()));
    for _ in 0..if full() { 2000 } else { 120 } {
        let commands = (0..1 + dice.below(6)).map(|_| command(dice.below(1 << 60), model.clone()));
        together(&lab.store, commands.collect());
        let snapshot = lab.store.read().unwrap();
        let model = model.lock().unwrap();
        agree(&snapshot, &model, &dice);
        assert_eq!(told(entries(&snapshot, Lane::Urgent)), model.urgent);
        assert_eq!(told(entries(&snapshot, Lane::Bulk)), model.bulk);
        assert_log_is_sound(&snapshot);
        drop(snapshot);
        if dice.once_in(20) {
            lab = lab.reopened();
        }
    }
}

#[test]
fn a_page_goes_on_where_it_stopped_though_rows_came_and_went_between() {
    // given: a listing in the middle of a page
    let lab = Lab::new();
    lab.put(&(0..6).map(|id| note(id * 10, 1)).collect::<Vec<_>>()).unwrap();
    let first = lab.store.read().unwrap().list::<Note>(&Key::new(), &Page::first(2)).unwrap();
    // when: the row where it stopped is deleted, and others come before and after that place
    lab.store.write_blocking(|tx, _| tx.delete::<Note>(&Key::new().number(10))).unwrap();
    lab.put(&[note(5, 1), note(15, 1)]).unwrap();
    // then: what was there all along comes once, the new row behind the place comes too
    let page = Page::first(10).after(first.next);
    let rest = lab.store.read().unwrap().list::<Note>(&Key::new(), &page).unwrap();
    assert_eq!(rest.items.iter().map(|note| note.id).collect::<Vec<_>>(), [15, 20, 30, 40, 50]);
}

#[test]
fn a_value_of_a_unique_index_can_change_hands_within_one_command() {
    let lab = Lab::new();
    lab.put(&[note(1, 1), note(2, 1)]).unwrap();
    // when: two notes swap their names by way of a third name
    let named = |id: u64, name: &str| Note { name: name.into(), ..note(id, 1) };
    lab.put(&[named(1, "free"), named(2, "note 1"), named(1, "note 2")]).unwrap();
    // then
    let found = |name: &str| lab.store.read().unwrap().find::<Note>(BY_NAME, &Key::new().text(name)).unwrap();
    assert_eq!(found("note 1").unwrap().id, 2);
    assert_eq!(found("note 2").unwrap().id, 1);
    assert_eq!(found("free"), None);
    assert_eq!(
        lab.put(&[named(3, "note 1")]),
        Err(Fault::Duplicate { table: Note::TABLE.name, index: BY_NAME.number })
    );
}
