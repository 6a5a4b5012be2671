//! The README, followed to the letter: its first ten minutes are run as they stand, against the real program.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::whotbox::Whotbox;

#[test]
fn the_first_ten_minutes_are_as_the_readme_says() {
    // given a box in an empty folder
    let folder = tempfile::tempdir().unwrap();
    let whotbox = Whotbox::start(folder.path(), &[]);
    let password = whotbox.password.clone().unwrap();

    // when its owner types what the README says, with the printed address and password
    let written = ["127.0.0.1", "8080"].join(":");
    let script = commands().replace(&written, &whotbox.http.address.to_string());
    let script = format!("set -euo pipefail\n{}", script.replace("THE-PRINTED-PASSWORD", &password));
    let typed = Command::new("bash").arg("-c").arg(script).output().unwrap();

    // then a card has been played, or one drawn
    let said = String::from_utf8(typed.stdout).unwrap();
    let failed = String::from_utf8(typed.stderr).unwrap();
    assert!(typed.status.success(), "{said}\n{failed}");
    assert!(said.contains("\"username\": \"mama-put\""), "{said}\n{failed}");
    assert!(said.contains("\"legal\""), "{said}\n{failed}");
    assert!(said.contains(r#""type":"played""#) || said.contains(r#""type":"drew""#), "{said}\n{failed}");
}

/// The commands of the README's chapter.
fn commands() -> String {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let chapter = readme.split("## The first ten minutes").nth(1).expect("the README has the chapter");
    chapter.split("```").nth(1).expect("the chapter has commands").to_owned()
}
