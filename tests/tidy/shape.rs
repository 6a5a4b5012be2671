//! How code is shaped: heads, sizes, imports, lints, and tests that wait for nothing. Must not know the layers.

use super::source::{Kind, Source, Token};
use super::{Violation, at};

/// Lines of a file without its tests (style 3).
const FILE_LINES: usize = 700;
/// Lines of a function from `fn` to its brace (style 3).
const FUNCTION_LINES: usize = 70;
/// How a file or function that must be longer begins its reason.
const REASON: &str = "ong because";

/// A file opens with `//!`: what it owns and what it must not know.
pub(crate) fn head(source: &Source) -> Vec<Violation> {
    let opens = source.lines.first().is_some_and(|line| line.starts_with("//! "));
    if opens { vec![] } else { vec![at(1, "the file does not open with a `//!` sentence".to_owned())] }
}

/// No file is longer than a reader can hold.
pub(crate) fn file_length(source: &Source) -> Vec<Violation> {
    let mut tests: Vec<usize> = source.tokens.iter().filter(|token| token.test).map(|token| token.line).collect();
    tests.dedup();
    let own_tests = match (source.is_test_file(), tests.first(), tests.last()) {
        (false, Some(first), Some(last)) => last - first + 1,
        _ => 0,
    };
    let length = source.lines.len() - own_tests;
    let excused = source.comments.iter().any(|comment| comment.inner && comment.text.contains(REASON));
    if length <= FILE_LINES || excused {
        return vec![];
    }
    vec![at(1, format!("{length} lines without tests: split it, or write `//! Long because …`"))]
}

/// No function is longer than a screen.
pub(crate) fn function_length(source: &Source) -> Vec<Violation> {
    let mut found = vec![];
    for function in source.functions() {
        let length = function.last - function.first + 1;
        if length > FUNCTION_LINES && !reason_above(source, function.first) {
            let name = function.name;
            found.push(at(function.first, format!("{name} has {length} lines: split it, or say `// Long because …`")));
        }
    }
    found
}

/// Whether the comments and attributes that stand right above `line` give a reason.
fn reason_above(source: &Source, line: usize) -> bool {
    let above = source.lines[..line - 1].iter().rev().map(|text| text.trim());
    above.take_while(|text| !text.is_empty() && !text.ends_with(['}', '{', ';'])).any(|text| text.contains(REASON))
}

/// No open work, no debugging left behind.
pub(crate) fn leftovers(source: &Source) -> Vec<Violation> {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("HA", "CK"), concat!("X", "XX")];
    let mut found = vec![];
    for comment in &source.comments {
        if comment.text.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word)) {
            found.push(at(comment.line, "open work belongs in the tracker".to_owned()));
        }
    }
    for pair in source.tokens.windows(2) {
        if pair[0].is(concat!("db", "g")) && pair[1].is("!") {
            found.push(at(pair[0].line, "debugging was left behind".to_owned()));
        }
    }
    found
}

/// Imports say where a name comes from: no globs outside tests, and no `super` where there are layers.
pub(crate) fn imports(source: &Source) -> Vec<Violation> {
    let mut found = vec![];
    for path in source.paths().iter().filter(|path| !path.test) {
        if path.import && path.ends(&["*"]) {
            found.push(at(path.line, "a glob import hides where names come from".to_owned()));
        }
        if path.starts(&["super"]) && (source.path.starts_with("src/") || source.path.starts_with("replication/")) {
            found.push(at(path.line, "name it from `crate::`, so that the layer is seen".to_owned()));
        }
    }
    found
}

/// A lint is switched off with a reason.
pub(crate) fn reasons(source: &Source) -> Vec<Violation> {
    let mut found = vec![];
    for (line, tokens) in source.attributes() {
        let lifted = tokens.first().is_some_and(|token| token.is("allow") || token.is("expect"));
        if lifted && !tokens.iter().any(|token| token.is("reason")) {
            found.push(at(line, "a lint is switched off without a reason".to_owned()));
        }
    }
    found
}

/// Tests run when they may, wait for nothing and take no port that may be taken.
pub(crate) fn honest_tests(source: &Source) -> Vec<Violation> {
    let mut found = vec![];
    for path in source.paths().iter().filter(|path| path.test) {
        if path.ends(&["thread", "sleep"]) || path.ends(&["time", "sleep"]) || path.ends(&["time", "sleep_until"]) {
            found.push(at(path.line, "a test sleeps: wait for the event, or move the clock".to_owned()));
        }
    }
    for token in source.tokens.iter().filter(|token| token.test && fixed_port(token)) {
        if source.is_test_file() || opens_socket(source, token.line) {
            found.push(at(token.line, "a test takes a fixed port: ask for port 0".to_owned()));
        }
    }
    for (line, tokens) in source.attributes() {
        if tokens.first().is_some_and(|token| token.is("ignore") && token.test) {
            found.push(at(line, "a test is switched off".to_owned()));
        }
    }
    found
}

/// Whether a text names a port of this machine. Port 1 may be named: nobody listens there.
fn fixed_port(token: &Token) -> bool {
    let named = |host: &str| {
        let ports = token.text.split(host).skip(1).map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        ports.flatten().any(|port| !["", "0", "1"].contains(&port))
    };
    token.kind == Kind::Text && ["127.0.0.1:", "localhost:", "[::1]:"].into_iter().any(named)
}

/// Whether `line` opens a socket. A unit test that only reads an address may name any port.
fn opens_socket(source: &Source, line: usize) -> bool {
    let words = ["bind", "connect", "listen", "TcpListener", "TcpStream"];
    source.tokens.iter().any(|token| token.line == line && words.iter().any(|word| token.is(word)))
}

mod tests {
    use super::*;
    use crate::tidy::{silent, speaks};

    #[test]
    fn a_file_says_what_it_is() {
        speaks(head, "src/app.rs", "use std::io;\n//! Late.");
        silent(head, "src/app.rs", "//! The app.\nuse std::io;");
    }

    #[test]
    fn a_long_file_is_seen() {
        let line = "const A: u8 = 1;\n";
        speaks(file_length, "src/app.rs", &line.repeat(701));
        silent(file_length, "src/app.rs", &line.repeat(700));
        silent(file_length, "src/app.rs", &format!("//! Long because it is a table.\n{}", line.repeat(800)));
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", line.repeat(300));
        silent(file_length, "src/app.rs", &format!("{}{tests}", line.repeat(650)));
        speaks(file_length, "tests/chat.rs", &format!("{}{tests}", line.repeat(650)));
    }

    #[test]
    fn a_long_function_is_seen() {
        let body = "    let _ = '{';\n".repeat(69);
        speaks(function_length, "src/app.rs", &format!("fn f<const N: usize>(a: [u8; 4]) -> u8 {{\n{body}}}\n"));
        silent(function_length, "src/app.rs", &format!("fn f() {{\n{}}}\n", &body[17..]));
        silent(
            function_length,
            "src/app.rs",
            &format!("// Long because it is a table.\n#[inline]\nfn f() {{\n{body}}}"),
        );
        silent(function_length, "src/app.rs", &format!("trait T {{ fn f(); }}\nimpl fn() for X {{\n{body}}}"));
    }

    #[test]
    fn leftovers_are_seen() {
        speaks(leftovers, "src/app.rs", concat!("// TO", "DO: later"));
        speaks(leftovers, "src/app.rs", concat!("/* a\n FIX", "ME */"));
        speaks(leftovers, "src/app.rs", concat!("fn f() { db", "g!(1); }"));
        silent(leftovers, "src/app.rs", concat!("const S: &str = \"TO", "DO\"; // Nothing to do."));
    }

    #[test]
    fn imports_are_named() {
        speaks(imports, "src/app.rs", "use std::io::*;");
        speaks(imports, "src/app.rs", "use crate::{base::{id::*}, store};");
        speaks(imports, "src/app.rs", "use super::other;");
        speaks(imports, "src/app.rs", "fn f() { super::other::g() }");
        silent(imports, "src/app.rs", "use std::io; pub(super) fn f(a: *const u8) -> u8 { 2 * 3 }");
        silent(imports, "src/app.rs", "#[cfg(test)] mod tests { use super::*; }");
        silent(imports, "tests/app.rs", "use super::*;");
    }

    #[test]
    fn a_lint_needs_a_reason_to_go() {
        speaks(reasons, "src/app.rs", "#[allow(dead_code)] fn f() {}");
        speaks(reasons, "src/app.rs", "#![allow(dead_code)]");
        silent(reasons, "src/app.rs", "#[expect(dead_code, reason = \"why\")] fn f() {} // #[allow(x)]");
    }

    #[test]
    fn a_test_that_waits_or_takes_a_port_is_seen() {
        speaks(honest_tests, "tests/a.rs", "fn f() { std::thread::sleep(d) }");
        speaks(honest_tests, "src/a.rs", "#[cfg(test)] mod tests { use tokio::time::sleep; }");
        speaks(honest_tests, "src/a.rs", concat!("#[test] fn f() { bind(\"127.0.0.1", ":8080\") }"));
        speaks(honest_tests, "tests/a.rs", "#[test] #[ignore = \"slow\"] fn f() {}");
        silent(honest_tests, "tests/a.rs", "fn f() { connect(\"postgres://o@127.0.0.1:1/d\") }");
        silent(honest_tests, "tests/a.rs", "// thread::sleep\nfn f() { bind(\"127.0.0.1:0\") }");
        silent(honest_tests, "src/a.rs", concat!("#[test] fn f() { parse(\"127.0.0.1", ":5432\") }"));
        speaks(honest_tests, "tests/a.rs", concat!("#[test] fn f() { start(\"127.0.0.1", ":5432\") }"));
        silent(honest_tests, "src/a.rs", "async fn f() { tokio::time::sleep(d).await }");
    }
}
