//! The handbook, followed to the letter: from an empty folder to the same box on a second, empty machine, by the commands of
//! README.md and docs/OPERATIONS.md as they stand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::whotbox::{PROGRAM, Whotbox};

/// The fenced blocks of a chapter of a page, by the line that begins it.
fn blocks(page: &str, chapter: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let (_, rest) = text.split_once(&format!("\n{chapter}\n")).unwrap_or_else(|| panic!("{page} has no {chapter}"));
    let end = rest.find("\n## ").unwrap_or(rest.len());
    rest[..end].split("```").skip(1).step_by(2).map(str::to_owned).collect()
}

/// The block in which a command stands.
fn block(page: &str, chapter: &str, command: &str) -> String {
    let found = blocks(page, chapter).into_iter().find(|block| block.contains(command));
    found.unwrap_or_else(|| panic!("{page}, {chapter}: nothing says {command}"))
}

const OPERATIONS: &str = "docs/OPERATIONS.md";

/// A machine: a folder, and a search path on which the program is installed.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(PROGRAM, folder.path().join("bin/whotbox")).unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Self { folder }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Types a script, and stops at the first line that fails.
    #[track_caller]
    fn types(&self, script: &str) -> String {
        let path = format!("{}:{}", self.folder.path().join("bin").display(), std::env::var("PATH").unwrap());
        let script = format!("set -euo pipefail\n{script}");
        let typed =
            Command::new("bash").arg("-c").arg(&script).env("PATH", path).current_dir(self.home()).output().unwrap();
        let said = String::from_utf8_lossy(&typed.stdout).into_owned();
        assert!(typed.status.success(), "{script}\n{said}\n{}", String::from_utf8_lossy(&typed.stderr));
        said
    }
}

/// What a person reads off the printed sheet: the key, in its groups, and the signature.
fn read_off(sheet: &str) -> (String, String) {
    let between = |from: &str, to: &str| sheet.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
    (between("<pre>", "</pre>"), between("Signature <b>", "</b>"))
}

/// The time now, as a watch shows it.
fn by_the_watch() -> String {
    let said = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_an_empty_machine_to_the_same_box_on_a_second_one() {
    // Given a first machine, on which the README's first ten minutes were played.
    let first = Machine::empty();
    assert_eq!(block(OPERATIONS, "## The first run", "whotbox").trim(), "whotbox");
    let whotbox = Whotbox::start(&first.home(), &[]);
    let written = ["127.0.0.1", "8080"].join(":");
    let played = block("README.md", "## The first ten minutes", "auth/login")
        .replace(&written, &whotbox.http.address.to_string());
    let played = played.replace("THE-PRINTED-PASSWORD", whotbox.password.as_ref().unwrap());
    let played = format!("{played}\nprintf 'game=%s\\n' \"$game\"\n");
    let said = first.types(&played);
    let game = said.lines().rev().find_map(|line| line.strip_prefix("game=")).unwrap().to_owned();

    // When the owner prints the sheet and makes a backup, as the handbook says.
    first.types(&block(OPERATIONS, "## Backups", "backup sheet"));
    let (key, signature) = read_off(&fs::read_to_string(first.home().join("sheet.html")).unwrap());
    fs::write(first.home().join("typed.key"), &key).unwrap();
    let by_hand = block(OPERATIONS, "## Backups", "backup create");
    let (create, verify) = by_hand.split_at(by_hand.find("whotbox backup verify FILE").unwrap());
    first.types(create);
    let made = fs::read_dir(first.home().join("data/backups")).unwrap().map(|entry| entry.unwrap().path());
    let made = made.max().unwrap();
    let named = |script: &str, file: &Path, key: &str| {
        script.replace("KEYFILE", key).replace("FILE", &file.display().to_string())
    };
    let verified = first.types(&named(verify, &made, "typed.key"));
    assert!(verified.contains(&signature), "{verified}");
    // And the first machine is gone, but for the stick and the sheet.
    drop(whotbox);
    let second = Machine::empty();
    let stick = second.home().join(made.file_name().unwrap());
    fs::copy(&made, &stick).unwrap();
    fs::write(second.home().join("typed.key"), &key).unwrap();
    drop(first);

    // Then the handbook's commands make the second machine that box.
    let restoring = block(OPERATIONS, "## Backups", "backup restore");
    let (restore, start) = restoring.trim().split_once('\n').unwrap();
    let handbook = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(OPERATIONS)).unwrap();
    assert!(handbook.contains("On another machine add `--adopt`"));
    let restored = second.types(
        &named(&format!("{restore} --adopt --signature {signature}"), &stick, "typed.key").replace("DIR", "data"),
    );
    assert!(restored.contains(&signature), "{restored}");
    assert_eq!(start, "whotbox --data-dir DIR");
    let whotbox = Whotbox::start(&second.home(), &["--data-dir", "data"]);
    let clock = block(OPERATIONS, "## The clock", "clock confirm");
    let (sample, _) = clock.split_once("--time ").unwrap().1.split_once(' ').unwrap();
    second.types(&clock.replace(sample, &by_the_watch()));
    let status = || -> Value { serde_json::from_str(&second.types("whotbox status --json")).unwrap() };
    assert!((0..200).any(|_| status()["backup"]["messages"] == "open"), "messages stay closed: {}", status());

    // And people go on where they were.
    let mut played = 0;
    for (name, password) in [("amaka", "seven of stars"), ("chidi", "hold on hold on")] {
        let player = whotbox.sign_in(name, password).await;
        let view = player.see(&format!("/api/v1/games/{game}")).await;
        if view["turn"] == view["seat"] && view["legal"].as_array().is_some_and(|legal| !legal.is_empty()) {
            let answer = player.post(&format!("/api/v1/games/{game}/play"), &view["legal"][0]).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            played += 1;
        }
    }
    assert!(played > 0, "nobody was on turn");
    let owner = whotbox.sign_in("mama-put", "pepper soup at noon").await;
    assert_eq!(owner.post("/api/v1/invites", &json!({})).await.status, 201);
}
