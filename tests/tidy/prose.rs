//! What is written beside the code: paths that exist, and nothing of the machine it was written on.
//! Must not know Rust beyond its comments.

use std::path::Path;

use super::source::Source;
use super::{Violation, at};

/// The entries at the top of the repository that a document may point into.
const ROOTS: &[&str] =
    &["src", "replication", "tests", "benches", "docs", "schemas", "systemd", "web", ".ci", ".cargo", "debian", "man"];

/// Modules that a `//!` may name from inside `src/`, such as `store/record.rs`.
const MODULES: &[&str] =
    &["base", "whot", "store", "identity", "customer", "chat", "game", "live", "upstream", "jobs", "http", "cli"];

/// Every path in backticks, and every relative link, leads somewhere. `exists` is asked with a path from the root.
pub(crate) fn paths(path: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<Violation> {
    // The given texts name what a later version will have.
    if path.starts_with("docs/reference/") {
        return vec![];
    }
    let prose = match path.rsplit_once('.').map(|(_, kind)| kind) {
        Some("md") => text.lines().enumerate().map(|(at, line)| (at + 1, line.to_owned())).collect(),
        Some("rs") => {
            let comments = Source::new(path, text).comments;
            comments.into_iter().filter(|c| c.inner).map(|c| (c.line, c.text)).collect::<Vec<_>>()
        }
        _ => return vec![],
    };
    let mut found = vec![];
    for (line, text) in prose {
        for named in backticks(&text).into_iter().filter_map(|span| repository_path(&span)) {
            let inside = format!("src/{named}");
            if !exists(&named) && !exists(&inside) {
                found.push(at(line, format!("{named} does not exist")));
            }
        }
        for link in links(&text) {
            let folder = Path::new(path).parent().and_then(Path::to_str).unwrap_or("");
            let target = if folder.is_empty() { link.clone() } else { format!("{folder}/{link}") };
            if path.ends_with(".md") && !exists(&target) {
                found.push(at(line, format!("the link {link} leads nowhere")));
            }
        }
    }
    found
}

/// The words that stand between backticks.
fn backticks(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// The targets of Markdown links that stay in the repository.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let here = targets.filter(|target| !target.contains(':') && !target.starts_with('#') && !target.is_empty());
    here.map(|target| target.split('#').next().unwrap_or(target).to_owned()).collect()
}

/// The part of `word` that names something in this repository, up to its first wildcard.
fn repository_path(word: &str) -> Option<String> {
    let word = word.trim_matches(['(', ')', ',', ';', '"', '\'']).trim_end_matches(['.', ':']);
    let word = word.strip_prefix("./").unwrap_or(word);
    let (first, rest) = word.split_once('/')?;
    let end = word.find(['*', '{', '<', '#', ':', '…', 'N']).unwrap_or(word.len());
    let certain = &word[..end];
    let certain = if end < word.len() && !word[end..].starts_with([':', '#']) {
        certain.rsplit_once('/').map_or(certain, |(folder, _)| folder)
    } else {
        certain
    };
    let of_module = MODULES.contains(&first) && (rest.ends_with(".rs") || rest.is_empty());
    (ROOTS.contains(&first) || of_module).then(|| certain.trim_end_matches('/').to_owned())
}

/// What is committed speaks of the project alone.
pub(crate) fn machine(text: &str) -> Vec<Violation> {
    let folders = [concat!("/ro", "ot"), concat!("/wo", "rk"), concat!("/fa", "rm"), concat!("/ho", "me")];
    let words = [
        concat!("anth", "ropic"),
        concat!("clau", "de"),
        concat!("open", "ai"),
        concat!("chat", "gpt"),
        concat!("language ", "model"),
        concat!("work", "place"),
    ];
    let mut found = vec![];
    for (number, line) in text.lines().enumerate() {
        let lower = line.to_lowercase();
        if folders.iter().any(|folder| stands_alone(line, folder)) || temporary(line) {
            found.push(at(number + 1, "a path of one machine".to_owned()));
        }
        if words.iter().any(|word| lower.contains(word)) {
            found.push(at(number + 1, "a word that is not of the project".to_owned()));
        }
        let registry = line.contains("\"resolved\":") && !line.contains("\"https://registry.npmjs.org/");
        if registry {
            found.push(at(number + 1, "a package from another place than the public registry".to_owned()));
        }
    }
    found
}

/// Whether `folder` is the start of an absolute path in `line`.
fn stands_alone(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + folder.len()..].chars().next();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/~$}>*)".contains(c))
            && after.is_none_or(|c| c == '/' || c == '"' || c == '\'' || c == '`' || c.is_whitespace())
    })
}

/// Whether a named temporary file is in `line`.
fn temporary(line: &str) -> bool {
    let needle = concat!("/t", "mp/");
    line.match_indices(needle).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + needle.len()..].chars().next();
        !before.is_some_and(|c| c.is_alphanumeric()) && after.is_some_and(char::is_alphanumeric)
    })
}

mod tests {
    use super::*;
    use crate::tidy::{silent, speaks};

    fn known(source: &Source) -> Vec<Violation> {
        let there = ["src/store/record.rs", "docs", "docs/ARCHITECTURE.md", "tests/run", "docs/decisions"];
        paths(&source.path, &source.lines.join("\n"), &|path| there.contains(&path))
    }

    fn of_machine(source: &Source) -> Vec<Violation> {
        machine(&source.lines.join("\n"))
    }

    #[test]
    fn a_stale_path_is_seen() {
        speaks(known, "README.md", "See `src/store/gone.rs`.");
        speaks(known, "README.md", "Run `tests/walk --full`.");
        speaks(known, "docs/A.md", "See [this](GONE.md).");
        speaks(known, "src/app.rs", "//! As `store/gone.rs` says.");
        speaks(known, "docs/A.md", "Each of `schemas/store/*.bin`.");
        silent(
            known,
            "README.md",
            "Run `tests/run --full`, see `src/store/record.rs:12` and `docs/decisions/NNNN.md`.",
        );
        silent(known, "docs/A.md", "[a](ARCHITECTURE.md#top) [b](https://example.org/x) `/identity/api/v1` `a/b`");
        silent(known, "src/app.rs", "//! As `store/record.rs` says.\n// `src/gone.rs`");
    }

    #[test]
    fn the_machine_it_was_written_on_is_seen() {
        speaks(of_machine, "docs/A.md", concat!("in /ro", "ot/whot"));
        speaks(of_machine, "docs/A.md", concat!("`/wo", "rk`"));
        speaks(of_machine, "tests/a.rs", concat!("\"/t", "mp/file\""));
        speaks(of_machine, "web/package-lock.json", "\"resolved\": \"https://mirror.example/a.tgz\"");
        speaks(of_machine, "docs/A.md", concat!("Clau", "de wrote it"));
        silent(of_machine, "docs/A.md", concat!("a/wo", "rk, PrivateTmp, /api/v1/wo", "rkers, https://x/ro", "ot"));
        silent(of_machine, "web/package-lock.json", "\"resolved\": \"https://registry.npmjs.org/a.tgz\"");
    }
}
