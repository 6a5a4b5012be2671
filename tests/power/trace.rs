//! strace's text, read back into calls.
//!
//! A thread stands still at the start of each call and at its end until strace has noted it. So what a line says of a
//! start was noted before the kernel began, and of an end after it was done: a call whose end stands before another's
//! start was over before the other began. Nothing else is taken from the order of the lines.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// What is recorded: everything by which bytes, lengths or names of files can change, what makes them last, what opens
/// and closes, and what a client can hear. `disk.rs` refuses those among them that it does not know.
const CALLS: &str = "openat,creat,open,close,dup,dup2,dup3,fcntl,lseek,write,pwrite64,writev,pwritev,pwritev2,\
    ftruncate,truncate,fallocate,fsync,fdatasync,sync,syncfs,sync_file_range,msync,mmap,copy_file_range,sendfile,splice,\
    rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat,io_uring_setup,\
    sendto,sendmsg,sendmmsg";

/// The end of a call that the record does not have.
pub(crate) const NEVER: usize = usize::MAX;

/// A call of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// Where in the record it began, and where it was over.
    pub(crate) begun: usize,
    pub(crate) ended: usize,
    pub(crate) name: String,
    pub(crate) args: Vec<Arg>,
    /// What it gave; `None` where it never came back.
    pub(crate) gave: Option<i64>,
}

/// An argument: its text without the quoted parts, and their bytes one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Arg {
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
}

impl Arg {
    /// The number of a descriptor, or any other.
    pub(crate) fn number(&self) -> i64 {
        let digits = self.text.split('<').next().unwrap();
        digits.parse().unwrap_or_else(|_| panic!("{} is no number", self.text))
    }

    /// The path that stands beside a descriptor.
    pub(crate) fn path(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once('<')?;
        rest.strip_suffix('>')
    }
}

/// What a program is started under, so that its calls are written to a file. strace becomes its grandchild: signals, exit
/// code and pipes are the program's own.
pub(crate) fn recorder(to: &Path) -> Vec<String> {
    let to = to.display().to_string();
    let words = ["strace", "-D", "-f", "-y", "-qq", "-s", "1000000", "-o", &to, "-e", "signal=none", "-e"];
    words.into_iter().map(str::to_owned).chain([format!("trace={CALLS}")]).collect()
}

/// Whether programs can be recorded here; the reason and what to do where they cannot.
pub(crate) fn check() {
    let wanted = "tests/power records the program's system calls with strace";
    let tried = Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).output();
    let tried = tried.unwrap_or_else(|error| panic!("{wanted}, which is missing ({error}): apt-get install strace"));
    assert!(
        tried.status.success(),
        "{wanted}, which may not watch a process here: {}. A container has to allow ptrace (--cap-add=SYS_PTRACE).",
        String::from_utf8_lossy(&tried.stderr).trim()
    );
}

/// Reads a record whose first line has the number `first`; also the number of the line after it.
pub(crate) fn parse(record: &[u8], first: usize) -> (Vec<Call>, usize) {
    let mut calls: Vec<Call> = Vec::new();
    let mut open: HashMap<&[u8], (usize, Vec<u8>)> = HashMap::new();
    let mut at = first;
    for line in record.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let space = line.iter().position(|byte| *byte == b' ').expect("a thread's number");
        let (thread, text) = (&line[..space], line[space..].trim_ascii_start());
        if text.starts_with(b"<... ") {
            let (begun, mut whole) = open.remove(thread).expect("a call that goes on has begun");
            let rest = find(text, b" resumed>").expect("what goes on is named");
            whole.extend_from_slice(&text[rest + b" resumed>".len()..]);
            calls.push(call(&whole, begun, at));
        } else if let Some(begun) = text.strip_suffix(b" <unfinished ...>") {
            assert!(open.insert(thread, (at, begun.to_vec())).is_none(), "a thread makes one call at a time");
        } else if !text.starts_with(b"+++") && !text.starts_with(b"---") {
            calls.push(call(text, at, at));
        }
        at += 1;
    }
    // What was under way when the program died.
    calls.extend(open.into_values().map(|(begun, text)| call(&text, begun, NEVER)));
    calls.sort_by_key(|call| call.begun);
    (calls, at)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// A whole call: `name(arguments) = value`, or what of it was noted.
fn call(text: &[u8], begun: usize, ended: usize) -> Call {
    let open = text.iter().position(|byte| *byte == b'(').unwrap_or_else(|| panic!("{}", shown(text)));
    let name = String::from_utf8(text[..open].to_vec()).unwrap();
    let (args, rest) = arguments(&text[open + 1..]);
    let said = String::from_utf8_lossy(rest).into_owned();
    let said = said.trim_start().strip_prefix('=').map(str::trim_start);
    let gave = said.and_then(|said| {
        let end = said.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(said.len());
        said[..end].parse().ok()
    });
    let ended = if gave.is_some() { ended } else { NEVER };
    Call { begun, ended, name, args, gave }
}

/// The arguments up to the closing bracket, and what comes after it.
fn arguments(text: &[u8]) -> (Vec<Arg>, &[u8]) {
    let (mut args, mut arg) = (Vec::new(), Arg::default());
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = text.get(at).copied() {
        at += 1;
        match byte {
            b'"' => {
                at = quoted(text, at, &mut arg.bytes);
                assert!(!text[at..].starts_with(b"..."), "strace cut a string short");
            }
            // What stands beside a descriptor is a path, in which anything can stand.
            b'<' => {
                let end = text[at..].iter().position(|byte| *byte == b'>').map_or(text.len(), |end| at + end + 1);
                // A connection is written as `a->b`.
                let end =
                    if text[..end].ends_with(b"->") { end + 1 + find(&text[end + 1..], b">").unwrap() } else { end };
                arg.text.push('<');
                arg.text.push_str(&String::from_utf8_lossy(&text[at..end]));
                at = end;
            }
            b')' if depth == 0 => {
                if !args.is_empty() || arg != Arg::default() {
                    args.push(arg);
                }
                return (args, &text[at..]);
            }
            b',' if depth == 0 => {
                args.push(std::mem::take(&mut arg));
                at += usize::from(text.get(at) == Some(&b' '));
            }
            _ => {
                match byte {
                    b'(' | b'[' | b'{' => depth += 1,
                    b')' | b']' | b'}' => depth -= 1,
                    _ => {}
                }
                arg.text.push(char::from(byte));
            }
        }
    }
    args.push(arg);
    (args, &[])
}

/// Reads a quoted string from behind its first quote, as C writes it; where it ends.
fn quoted(text: &[u8], mut at: usize, bytes: &mut Vec<u8>) -> usize {
    loop {
        let byte = *text.get(at).expect("a string ends");
        at += 1;
        if byte == b'"' {
            return at;
        }
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let escape = text[at];
        at += 1;
        bytes.push(match escape {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'v' => 0x0b,
            b'f' => 0x0c,
            b'0'..=b'7' => {
                let mut value = u32::from(escape - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = text.get(at) else { break };
                    value = value * 8 + u32::from(digit - b'0');
                    at += 1;
                }
                u8::try_from(value).expect("an octal byte")
            }
            b'"' | b'\\' | b'>' | b'<' => escape,
            other => panic!("an unknown escape, {}", char::from(other)),
        });
    }
}

fn shown(text: &[u8]) -> String {
    let mut out = String::new();
    write!(out, "no call: {}", String::from_utf8_lossy(&text[..text.len().min(200)])).unwrap();
    out
}

#[test]
fn a_record_is_read_back_with_what_was_broken_by_other_threads() {
    // given: as strace writes it, with a write that others interrupt and a sync that death interrupts
    let record =
        br#"41  openat(AT_FDCWD</box>, "data/a b.new", O_WRONLY|O_CREAT|O_CLOEXEC, 0600) = 9</box/data/a b.new>
41  write(9</box/data/a b.new>, "k\0012\0\n\"\\\377", 8 <unfinished ...>
107 sendto(7<socket:[5]>, "HTTP/1.1 201, Created\r\n", 23, MSG_NOSIGNAL, NULL, 0 <unfinished ...>
41  <... write resumed>)              = 8
107 <... sendto resumed>)             = 23
41  rename("data/a b.new", "data/a") = -1 ENOENT (No such file or directory)
107 writev(1<pipe:[77]>, [{iov_base="one ", iov_len=4}, {iov_base="two", iov_len=3}], 2) = 7
107 write(8<UNIX:[31->32]>, ")", 1) = 1
41  fdatasync(9</box/data/a> <unfinished ...>
107 close(7 <unfinished ...>
107 <... close resumed>) = ?
107 +++ killed by SIGKILL +++
41  +++ killed by SIGKILL +++
"#;
    // when
    let (calls, next) = parse(record, 100);
    // then: each call is where it began, and knows where it ended
    assert_eq!(next, 113);
    let seen: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.begun, call.ended, call.gave)).collect();
    let expected = [
        ("openat", 100, 100, Some(9)),
        ("write", 101, 103, Some(8)),
        ("sendto", 102, 104, Some(23)),
        ("rename", 105, 105, Some(-1)),
        ("writev", 106, 106, Some(7)),
        ("write", 107, 107, Some(1)),
        ("fdatasync", 108, NEVER, None),
        ("close", 109, NEVER, None),
    ];
    assert_eq!(seen, expected);
    assert_eq!(calls[0].args[0].path(), Some("/box"));
    assert_eq!(calls[0].args[1].bytes, b"data/a b.new");
    assert_eq!(calls[0].args[2].text, "O_WRONLY|O_CREAT|O_CLOEXEC");
    assert_eq!(calls[1].args[0].number(), 9);
    assert_eq!(calls[1].args[0].path(), Some("/box/data/a b.new"));
    assert_eq!(calls[1].args[1].bytes, b"k\x012\0\n\"\\\xff");
    assert_eq!(calls[2].args[1].bytes, b"HTTP/1.1 201, Created\r\n");
    assert_eq!(calls[4].args[1].bytes, b"one two");
    assert_eq!(calls[5].args[1].bytes, b")");
    assert_eq!(calls[6].args[0].number(), 9);
}
