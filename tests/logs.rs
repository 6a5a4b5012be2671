//! Nothing secret is in any line that the boxes of the whole test run have logged.
//!
//! It reads what `tests/support/logs.rs` kept, so it runs after the other tests, as the order in Cargo.toml has it.

// Said again for the lints: their exceptions for tests reach every module below.
#![cfg(test)]

use std::collections::HashSet;
use std::path::Path;

/// What a run had to hide, ready to be looked for.
struct Hidden {
    /// Those that are one word, which is nearly all.
    words: HashSet<String>,
    /// Those with blanks and the like.
    phrases: Vec<String>,
}

/// What a word of a log may hold, so that a token is found between quotes, in an address or after an equals sign.
fn of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.+".contains(c)
}

impl Hidden {
    fn new<'a>(secrets: impl Iterator<Item = &'a str>) -> Self {
        let (words, phrases): (Vec<&str>, Vec<&str>) = secrets.partition(|secret| secret.chars().all(of_word));
        Self {
            words: words.into_iter().map(str::to_owned).collect(),
            phrases: phrases.into_iter().map(str::to_owned).collect(),
        }
    }

    /// The secret that a line shows, if it shows one.
    fn shown<'a>(&'a self, line: &'a str) -> Option<&'a str> {
        let words = line.split(|c: char| !of_word(c)).flat_map(|word| {
            // A sentence ends with a dot, and a token may stand within a dotted name.
            [word, word.trim_matches('.')].into_iter().chain(word.split('.'))
        });
        let word = words.into_iter().find(|word| self.words.contains(*word));
        word.or_else(|| self.phrases.iter().map(String::as_str).find(|phrase| line.contains(phrase)))
    }
}

#[test]
fn nothing_secret_is_in_any_log_of_the_whole_run() {
    // Given what the run before has logged, and what it had to hide.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("logs");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let secrets = read(&folder.join("secrets"));
    let hidden = Hidden::new(secrets.lines());
    let entries = std::fs::read_dir(&folder).expect("the box's tests ran before: cargo test --workspace");
    let logs: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some()).collect();
    let (mut lines, mut found) = (0, Vec::new());
    for log in &logs {
        for line in read(log).lines() {
            lines += 1;
            // Not the secret itself: this is logged too.
            found.extend(hidden.shown(line).map(|secret| format!("{} characters in: {}", secret.len(), log.display())));
        }
    }
    // Then none is in them.
    println!("{} secrets were looked for in {lines} lines of {} logs", secrets.lines().count(), logs.len());
    assert!(found.is_empty(), "{} lines show a secret:\n{}", found.len(), found.join("\n"));
    assert!(lines > 0 && !secrets.is_empty(), "the run before has logged nothing: the search proves nothing");
    // And every one of them would have been found, wherever it stood.
    for secret in secrets.lines() {
        for planted in [
            format!("INFO request password={secret} ms=3"),
            format!("{{\"token\":\"{secret}\"}}"),
            format!("GET /api/v1/invites/{secret}?x=1"),
            format!("it was {secret}."),
        ] {
            assert!(hidden.shown(&planted).is_some(), "a planted secret of {} characters is missed", secret.len());
        }
    }
}

#[test]
fn what_only_looks_like_a_secret_is_none() {
    let hidden = Hidden::new(["514208", "lagos by night", "aaa.bbb.ccc"].into_iter());
    for line in ["2026-11-22T10:00:00.514208Z INFO up", "id=01a2-514208ab", "lagos by day", "aaa.bbb"] {
        assert_eq!(hidden.shown(line), None, "{line}");
    }
    for line in ["code=514208", "said \"lagos by night\" to", "Bearer aaa.bbb.ccc"] {
        assert!(hidden.shown(line).is_some(), "{line}");
    }
}
