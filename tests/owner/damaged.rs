//! A store over whose damage the program panics: the next start names it, and the owner gets the box back from there.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::store::damage::spoil_free_lists;
use crate::support::whotbox::{Whotbox, command};

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&[&out.stdout[..], &out.stderr[..]].concat()).into_owned()
}

#[test]
fn a_store_that_makes_the_program_panic_is_named_at_the_next_start_and_by_the_doctor() {
    // given: a box that was at work and was stopped, and a card that forgets in its store which pages are free
    let folder = tempfile::tempdir().unwrap();
    let (file, mark) = (folder.path().join("data/box.redb"), folder.path().join("data/box.mark"));
    let whotbox = Whotbox::start(folder.path(), &[]);
    assert!(whotbox.command(&["user", "reset-password", "admin"]).status.success());
    assert_eq!(whotbox.terminate(), Some(0));
    let whole = fs::read(&file).unwrap();
    let mut bytes = whole.clone();
    assert!(spoil_free_lists(&mut bytes) > 0, "no list of free pages was found");
    fs::write(&file, &bytes).unwrap();
    // when: it starts, works, and brings its journal into the tables
    let whotbox = Whotbox::start(folder.path(), &[]);
    assert!(whotbox.command(&["user", "reset-password", "admin"]).status.success());
    assert!(!mark.exists());
    whotbox.terminate();
    assert!(mark.exists());
    // and the control: without the mark it would start and do the same again
    fs::remove_file(&mark).unwrap();
    Whotbox::start(folder.path(), &[]).terminate();
    assert!(mark.exists());
    // then: each start from there on names it, with what to do
    for _ in 0..2 {
        let log = Whotbox::try_start(&[], folder.path(), &[]).err().unwrap();
        let last = log.lines().rev().take(2).collect::<Vec<_>>();
        assert!(last[1].contains("whotbox: the store cannot be opened: table store: "), "{log}");
        assert!(last[0].contains("The store is damaged") && last[0].contains("restore the last good backup"), "{log}");
    }
    assert_eq!(command(folder.path(), &["status"]).status.code(), Some(1));
    let told = command(folder.path(), &["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(1));
    assert_eq!(report["findings"][0]["id"], "does_not_start", "{}", said(&told));
    assert!(report["findings"][0]["message"].as_str().unwrap().contains("table store"), "{}", said(&told));
    // and what takes its place is used
    fs::write(&file, &whole).unwrap();
    let whotbox = Whotbox::start(folder.path(), &[]);
    assert!(whotbox.command(&["user", "reset-password", "admin"]).status.success());
    assert_eq!(whotbox.terminate(), Some(0));
    assert!(!mark.exists());
}
