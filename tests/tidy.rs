//! The house rules that no compiler checks, read off the sources as text.
//!
//! Each check takes one file and lists what is wrong with it. Each has planted faults that it must report and a
//! planted clean piece that it must not, so that a check that sees nothing fails too.

mod layers;
mod prose;
mod shape;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

/// One fault: its line, and what to do about it.
#[derive(Debug)]
pub(crate) struct Violation {
    line: usize,
    says: String,
}

fn at(line: usize, says: String) -> Violation {
    Violation { line, says }
}

type Check = fn(&Source) -> Vec<Violation>;

/// The checks of Rust sources.
const CHECKS: &[Check] = &[
    layers::order,
    layers::owners,
    layers::records,
    shape::head,
    shape::file_length,
    shape::function_length,
    shape::leftovers,
    shape::imports,
    shape::reasons,
    shape::honest_tests,
];

/// Folders that are built, installed or private, as `.gitignore` has them.
const NOT_OURS: &[&str] = &["target", ".git", "node_modules", "data", "dist", "__pycache__", "vectors"];

/// What is read as text: sources, documents, settings.
const TEXTS: &[&str] =
    &["rs", "md", "toml", "sql", "json", "ts", "tsx", "css", "html", "service", "timer", "yml", "sh", "svg", "py", ""];

/// Larger files are data.
const TEXT_BYTES: usize = 1 << 20;

#[test]
fn the_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exists = |path: &str| root.join(path).exists();
    let mut faults = vec![];
    let mut sources = 0;
    for file in files(root) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let mut found = prose::machine(&text);
        found.extend(prose::paths(&path, &text, &exists));
        if path.ends_with(".rs") {
            let source = Source::new(&path, &text);
            found.extend(CHECKS.iter().flat_map(|check| check(&source)));
            sources += 1;
        }
        faults.extend(found.into_iter().map(|fault| format!("{path}:{}: {}", fault.line, fault.says)));
    }
    assert!(sources > 10, "only {sources} sources were found under {}", root.display());
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_map_fits_on_its_page() {
    let map = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md");
    let lines = fs::read_to_string(map).unwrap().lines().count();
    assert!(lines <= 150, "docs/ARCHITECTURE.md has {lines} lines; it is read whole, so it has at most 150");
}

#[test]
fn the_sample_settings_name_every_setting() {
    let sample = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/whotbox.toml")).unwrap();
    let said = sample.lines().filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(whotbox::config::FILE_NAME);
    fs::write(&file, said.collect::<Vec<_>>().join("\n")).unwrap();
    let given = format!("{:?}", whotbox::config::sources::Layer::of_file(&file).unwrap().given);
    assert!(!given.contains(": None"), "the sample leaves out a setting: {given}");
}

/// Every text file of the repository.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            let kind = path.extension().map_or("", |kind| kind.to_str().unwrap());
            let size = usize::try_from(entry.metadata().unwrap().len()).unwrap();
            // In a linked working tree `.git` is a file.
            if NOT_OURS.contains(&name.as_str()) {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if TEXTS.contains(&kind) && size <= TEXT_BYTES {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The planted fault in `text` is reported.
#[track_caller]
fn speaks(check: Check, path: &str, text: &str) {
    assert!(!check(&Source::new(path, text)).is_empty(), "not reported: {path}: {text}");
}

/// The planted clean piece is not.
#[track_caller]
fn silent(check: Check, path: &str, text: &str) {
    let found = check(&Source::new(path, text));
    assert!(found.is_empty(), "reported without a fault: {path}: {text}: {found:?}");
}
