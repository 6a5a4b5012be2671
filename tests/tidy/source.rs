//! A Rust source as tidy sees it: tokens, comments and paths, each with its line, test code told from the rest.
//!
//! A scanner, not a parser: it knows enough of the language not to be fooled by strings, comments and lifetimes.
//! Must not know any rule.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or keyword.
    Word,
    /// The text of a string literal.
    Text,
    /// A number, a character or a lifetime.
    Other,
    /// One mark, or `::`.
    Mark,
}

/// One token.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Stands in a `#[cfg(test)]` item, a test function or a test file.
    pub(crate) test: bool,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text && matches!(self.kind, Kind::Word | Kind::Mark)
    }
}

/// One comment line, without its slashes.
#[derive(Debug, Clone)]
pub(crate) struct Comment {
    pub(crate) text: String,
    pub(crate) line: usize,
    /// It is `//!`.
    pub(crate) inner: bool,
}

/// A path such as `crate::base::time`, its `use` groups multiplied out.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    pub(crate) test: bool,
    /// It stands in a `use`.
    pub(crate) import: bool,
}

impl Path {
    pub(crate) fn starts(&self, with: &[&str]) -> bool {
        self.segments.len() >= with.len() && self.segments.iter().zip(with).all(|(a, b)| a == b)
    }

    pub(crate) fn ends(&self, with: &[&str]) -> bool {
        self.segments.len() >= with.len() && self.segments.iter().rev().zip(with.iter().rev()).all(|(a, b)| a == b)
    }
}

/// One function with a body.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

/// A scanned file.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) lines: Vec<String>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) comments: Vec<Comment>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut scanner = Scanner { rest: text.chars().collect(), at: 0, line: 1, tokens: vec![], comments: vec![] };
        scanner.run();
        let mut source = Self {
            path: path.to_owned(),
            lines: text.lines().map(str::to_owned).collect(),
            tokens: scanner.tokens,
            comments: scanner.comments,
        };
        source.mark_tests();
        source
    }

    /// True for a file that holds nothing but tests.
    pub(crate) fn is_test_file(&self) -> bool {
        let path = &self.path;
        path.starts_with("tests/")
            || path.contains("/tests/")
            || path.ends_with("/tests.rs")
            || path.ends_with("/testing.rs")
    }

    /// The top module under `src/` that this file belongs to.
    pub(crate) fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        inside.split('/').next().map(|first| first.trim_end_matches(".rs"))
    }

    /// Every attribute as (line, its tokens between the brackets).
    pub(crate) fn attributes(&self) -> Vec<(usize, &[Token])> {
        let mut found = vec![];
        for (at, token) in self.tokens.iter().enumerate() {
            if token.is("#") {
                let open = at + 1 + usize::from(self.tokens.get(at + 1).is_some_and(|t| t.is("!")));
                if self.tokens.get(open).is_some_and(|t| t.is("[")) {
                    found.push((token.line, &self.tokens[open + 1..self.closing(open)]));
                }
            }
        }
        found
    }

    /// Every function that has a body.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut found = vec![];
        for (at, pair) in self.tokens.windows(2).enumerate() {
            if !pair[0].is("fn") || pair[1].kind != Kind::Word {
                continue;
            }
            let mut open = at + 2;
            while let Some(token) = self.tokens.get(open).filter(|t| !t.is("{") && !t.is(";")) {
                open = if token.is("(") || token.is("[") { self.closing(open) + 1 } else { open + 1 };
            }
            if self.tokens.get(open).is_some_and(|t| t.is("{")) {
                let last = self.tokens[self.closing(open).min(self.tokens.len() - 1)].line;
                found.push(Function { name: pair[1].text.clone(), first: pair[0].line, last });
            }
        }
        found
    }

    /// Every path of two or more segments, and every import.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let mut found = vec![];
        let mut at = 0;
        while at < self.tokens.len() {
            let token = &self.tokens[at];
            // `use<'a>` in a type captures; it imports nothing.
            if token.is("use") && !self.tokens.get(at + 1).is_some_and(|t| t.is("<")) {
                at = self.tree(at + 1, &[], &mut found);
            } else if token.kind == Kind::Word && self.tokens.get(at + 1).is_some_and(|t| t.is("::")) {
                let start = at;
                let mut segments = vec![token.text.clone()];
                while self.tokens.get(at + 1).is_some_and(|t| t.is("::"))
                    && self.tokens.get(at + 2).is_some_and(|t| t.kind == Kind::Word)
                {
                    at += 2;
                    segments.push(self.tokens[at].text.clone());
                }
                // What goes on after `<…>::` is the tail of another path.
                if start < 2 || !self.tokens[start - 1].is("::") || !self.tokens[start - 2].is(">") {
                    found.push(Path { segments, line: token.line, test: token.test, import: false });
                }
                at += 1;
            } else {
                at += 1;
            }
        }
        found
    }

    /// One `use` tree from `at`, each leaf a path; returns where it ends.
    fn tree(&self, mut at: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
        let mut segments = prefix.to_vec();
        let (mut renamed, mut grouped) = (false, false);
        let (line, test) = self.tokens.get(at).map_or((0, false), |t| (t.line, t.test));
        while let Some(token) = self.tokens.get(at) {
            match token.text.as_str() {
                ";" | "," | "}" => break,
                "as" => renamed = true,
                "{" => {
                    grouped = true;
                    let close = self.closing(at);
                    at += 1;
                    while at < close {
                        at = self.tree(at, &segments, found);
                        at += usize::from(at < close);
                    }
                }
                "::" => {}
                word if !renamed => segments.push(word.to_owned()),
                _ => {}
            }
            at += 1;
        }
        if !grouped {
            found.push(Path { segments, line, test, import: true });
        }
        at
    }

    /// Where the bracket at `open` closes; the end of the file, if it does not.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0usize;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            if token.kind == Kind::Mark {
                match token.text.as_str() {
                    "(" | "[" | "{" => depth += 1,
                    ")" | "]" | "}" => depth = depth.saturating_sub(1),
                    _ => continue,
                }
                if depth == 0 {
                    return at;
                }
            }
        }
        self.tokens.len()
    }

    /// Marks the items under `#[cfg(test)]` and `#[test]`, and all of a test file.
    fn mark_tests(&mut self) {
        let whole = self.is_test_file();
        let mut ranges = vec![];
        for at in 0..self.tokens.len() {
            if !self.tokens[at].is("#") || !self.tokens.get(at + 1).is_some_and(|t| t.is("[")) {
                continue;
            }
            let close = self.closing(at + 1);
            let words: Vec<&str> = self.tokens[at + 2..close].iter().map(|t| t.text.as_str()).collect();
            let is_test = words == ["test"]
                || words.ends_with(&["::", "test"])
                || (words.first() == Some(&"cfg") && words.contains(&"test") && !words.contains(&"not"));
            if is_test {
                ranges.push(at..self.item_end(close + 1));
            }
        }
        for (at, token) in self.tokens.iter_mut().enumerate() {
            token.test = whole || ranges.iter().any(|range| range.contains(&at));
        }
    }

    /// One past the last token of the item at `at`: its `;`, or the brace that closes it.
    fn item_end(&self, mut at: usize) -> usize {
        while let Some(token) = self.tokens.get(at) {
            if token.is(";") {
                return at + 1;
            }
            if token.is("{") {
                return self.closing(at) + 1;
            }
            at = if token.is("(") || token.is("[") { self.closing(at) + 1 } else { at + 1 };
        }
        at
    }
}

struct Scanner {
    rest: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
    comments: Vec<Comment>,
}

impl Scanner {
    fn run(&mut self) {
        while let Some(here) = self.peek(0) {
            match here {
                '/' if self.peek(1) == Some('/') => self.line_comment(),
                '/' if self.peek(1) == Some('*') => self.block_comment(),
                '"' => self.string(),
                '\'' => self.quote(),
                c if c.is_whitespace() => _ = self.take(),
                c if c.is_alphabetic() || c == '_' => self.word(),
                c if c.is_ascii_digit() => {
                    let (line, text) = (self.line, self.take_while(|c| c.is_alphanumeric() || c == '_'));
                    self.push(Kind::Other, text, line);
                }
                ':' if self.peek(1) == Some(':') => {
                    self.push(Kind::Mark, "::".to_owned(), self.line);
                    self.at += 2;
                }
                c => {
                    self.push(Kind::Mark, c.to_string(), self.line);
                    self.at += 1;
                }
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn take(&mut self) -> Option<char> {
        let here = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(here == '\n');
        Some(here)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while let Some(here) = self.peek(0).filter(|c| wanted(*c)) {
            text.push(here);
            self.take();
        }
        text
    }

    fn push(&mut self, kind: Kind, text: String, line: usize) {
        self.tokens.push(Token { kind, text, line, test: false });
    }

    fn line_comment(&mut self) {
        let (line, text) = (self.line, self.take_while(|c| c != '\n'));
        let inner = text.starts_with("//!");
        self.comments.push(Comment { text: text.trim_start_matches(['/', '!']).trim().to_owned(), line, inner });
    }

    fn block_comment(&mut self) {
        let (line, mut depth, mut text) = (self.line, 0usize, String::new());
        while let Some(here) = self.take() {
            text.push(here);
            if here == '/' && self.peek(0) == Some('*') {
                depth += 1;
                self.take();
            } else if here == '*' && self.peek(0) == Some('/') {
                depth -= 1;
                self.take();
                if depth == 0 {
                    break;
                }
            }
        }
        for (below, text) in text.lines().enumerate() {
            self.comments.push(Comment { text: text.trim().to_owned(), line: line + below, inner: false });
        }
    }

    /// A string with escapes, the opening quote next.
    fn string(&mut self) {
        let line = self.line;
        self.take();
        let mut text = String::new();
        while let Some(here) = self.take().filter(|c| *c != '"') {
            text.push(here);
            if here == '\\' {
                text.extend(self.take());
            }
        }
        self.push(Kind::Text, text, line);
    }

    /// A raw string whose `hashes` marks and quote come next.
    fn raw_string(&mut self, hashes: usize) {
        let line = self.line;
        for _ in 0..=hashes {
            self.take();
        }
        let mut text = String::new();
        while let Some(here) = self.take() {
            if here == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                self.at += hashes;
                break;
            }
            text.push(here);
        }
        self.push(Kind::Text, text, line);
    }

    /// A character or a lifetime.
    fn quote(&mut self) {
        let line = self.line;
        self.take();
        if self.peek(0) == Some('\\') {
            self.take();
            self.take();
            self.take_while(|c| c != '\'');
            self.take();
        } else if self.peek(1) == Some('\'') {
            self.take();
            self.take();
        } else {
            self.take_while(|c| c.is_alphanumeric() || c == '_');
        }
        self.push(Kind::Other, "'".to_owned(), line);
    }

    fn word(&mut self) {
        let line = self.line;
        let text = self.take_while(|c| c.is_alphanumeric() || c == '_');
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
        match (text.as_str(), self.peek(hashes)) {
            ("r" | "br" | "cr", Some('"')) => self.raw_string(hashes),
            ("b" | "c", Some('"')) if hashes == 0 => self.string(),
            ("b", Some('\'')) if hashes == 0 => self.quote(),
            // A raw identifier: the name alone is the token.
            ("r", Some(_)) if hashes == 1 => _ = self.take(),
            _ => self.push(Kind::Word, text, line),
        }
    }
}
