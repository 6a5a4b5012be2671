//! What a disk may hold after a power cut, from the calls that a program made before it.
//!
//! **Bytes.** A write is there as soon as it began and lasts once a sync of its file, which began after the write was over,
//! has come back. Until then each of its 512-byte sectors is there or not, whatever became of those before and after it.
//! A new length is there or not in the same way. What a file was made longer by, and not written, reads as zeros: ext4, XFS
//! and Btrfs show nobody what lay there before.
//!
//! **Names.** A name that is made, changed or removed lasts once a sync of its *folder*, which began after the change was
//! over, has come back. A sync of the file does not do that: it does on ext4, and POSIX does not say so. A rename happens
//! as a whole or not at all, between two folders too, and says nothing of the bytes under the name. The folder that all lies in is there; a folder
//! made in it is a name like any other.
//!
//! Whatever is not known to be lasting by these rules may be lost, so nothing is taken for safe that is not. In the
//! other direction nothing is lost here that a disk has to keep: a sync counts only for what was over before it began.

use std::collections::HashMap;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::power::trace::{Arg, Call, NEVER};
use crate::whot::random::Random;

/// What a power cut leaves whole or loses whole.
const SECTOR: usize = 512;
/// The folder that is watched, in the program's own.
const WATCHED: &str = "data";

/// A file or a folder, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder(usize),
}

/// Something that was done to a file or a folder.
#[derive(Debug)]
struct Done<T> {
    issued: usize,
    ended: usize,
    /// Where the record says that it lasts.
    lasts: usize,
    what: T,
}

#[derive(Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Len(u64),
    AtLeast(u64),
}

#[derive(Debug)]
enum Name {
    Made(String, Node),
    Moved(String, String, Node),
    Gone(String),
    /// It went into another folder: what became of it stands in that folder's list, at this place.
    Left(String, usize, usize),
}

#[derive(Debug)]
struct Opened {
    node: Node,
    at: u64,
}

/// What unsynced things a cut leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    Everything,
    /// What was done up to some point, and a part of what was being done there.
    First,
    /// Any of the writes and names, each whole.
    Whole,
    /// Any of the sectors and names, so many in a hundred.
    Sectors(usize),
}

impl Keep {
    /// Those that lose something.
    pub(crate) const LOSING: [Self; 5] =
        [Self::Nothing, Self::First, Self::Whole, Self::Sectors(50), Self::Sectors(90)];
}

/// A power cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// Where in the record.
    pub(crate) at: usize,
    /// Syncs that came back from here on did nothing. As far as `at`, or farther, the disk is honest.
    pub(crate) honest: usize,
    pub(crate) keep: Keep,
}

/// The disk that a recorded program wrote to.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    files: Vec<Vec<Done<Change>>>,
    folders: Vec<Vec<Done<Name>>>,
    /// Names as the running program sees them.
    names: HashMap<String, Node>,
    lengths: Vec<u64>,
    descriptors: HashMap<i64, Opened>,
    /// What was handed to sockets and pipes, and where that began.
    pub(crate) sent: Vec<(usize, Vec<u8>)>,
    /// Where syncs of files and folders began that came back well.
    pub(crate) syncs: Vec<usize>,
}

impl Disk {
    /// An empty disk whose folder `root` is the program's.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: Vec::new(),
            folders: vec![Vec::new()],
            names: HashMap::from([(String::new(), Node::Folder(0))]),
            lengths: Vec::new(),
            descriptors: HashMap::new(),
            sent: Vec::new(),
            syncs: Vec::new(),
        }
    }

    /// Takes in a run of the program, from its start to its end. Syncs of the watched folder from `ignored` on count for
    /// nothing.
    pub(crate) fn take(&mut self, calls: &[Call], ignored: Option<usize>) {
        self.descriptors.clear();
        let mut order: Vec<&Call> = calls.iter().filter(|call| call.gave.is_none_or(|gave| gave >= 0)).collect();
        // A descriptor is there from the end of what made it, and gone from the start of what closes it.
        order.sort_by_key(|call| if makes_descriptor(&call.name) { call.ended } else { call.begun });
        for call in order {
            self.apply(call, ignored);
        }
    }

    fn apply(&mut self, call: &Call, ignored: Option<usize>) {
        let args = &call.args;
        let offset = |place: usize| u64::try_from(args[place].number()).unwrap();
        match call.name.as_str() {
            "openat" if call.ended != NEVER => self.open(call, path_at(args, 0), &args[2].text),
            "openat" => {}
            "close" => drop(self.descriptors.remove(&args[0].number())),
            "fcntl" if !args[1].text.starts_with("F_DUPFD") => {}
            "dup" | "fcntl" => {
                let same = self.descriptors.get(&args[0].number()).map(|open| (open.node, open.at));
                if let (Some((node, at)), Some(gave)) = (same, call.gave) {
                    self.descriptors.insert(gave, Opened { node, at });
                }
            }
            "write" | "writev" => self.write(call, None),
            "sendto" | "sendmsg" | "sendmmsg" => self.sent.push((call.begun, args[1].bytes.clone())),
            "pwrite64" => self.write(call, Some(offset(3))),
            "ftruncate" => self.change(call, Change::Len(offset(1))),
            "fallocate" => self.change(call, Change::AtLeast(offset(2) + offset(3))),
            "fsync" | "fdatasync" => self.sync(call, ignored),
            "rename" => self.rename(call, path_at(args, usize::MAX), path(None, &args[1])),
            "renameat" | "renameat2" => self.rename(call, path_at(args, 0), path_at(args, 2)),
            "unlink" | "rmdir" => self.remove(call, path_at(args, usize::MAX)),
            "unlinkat" => self.remove(call, path_at(args, 0)),
            "mkdir" => self.make_folder(call, path_at(args, usize::MAX)),
            "mkdirat" => self.make_folder(call, path_at(args, 0)),
            "mmap" if !args[3].text.contains("MAP_SHARED") || !args[2].text.contains("PROT_WRITE") => {}
            _ => {
                let paths = args.iter().filter_map(|arg| arg.path()).map(Path::new);
                let touched = paths.filter_map(|path| self.inside(path)).next();
                let named =
                    args.iter().filter(|arg| !arg.bytes.is_empty()).find_map(|arg| self.inside(Path::new(text(arg))));
                let touched = touched.or(named);
                assert!(touched.is_none(), "the model does not know {}: {args:?}", call.name);
            }
        }
    }

    /// A path in the watched folder, from the program's own folder on.
    fn inside(&self, path: &Path) -> Option<String> {
        let path = self.root.join(path);
        let inner = path.strip_prefix(&self.root).ok()?.to_str()?.to_owned();
        // The program's own folder is in it for the sake of its syncs.
        (inner.is_empty() || inner == WATCHED || inner.starts_with(&format!("{WATCHED}/"))).then_some(inner)
    }

    fn open(&mut self, call: &Call, path: PathBuf, flags: &str) {
        let Some(path) = self.inside(&path) else { return };
        let node = match self.names.get(&path) {
            Some(node) => *node,
            None => {
                assert!(flags.contains("O_CREAT"), "{path} was there before the record");
                self.files.push(Vec::new());
                self.lengths.push(0);
                let node = Node::File(self.files.len() - 1);
                self.named(call, Name::Made(path.clone(), node));
                self.names.insert(path, node);
                node
            }
        };
        let at = if let Node::File(file) = node
            && flags.contains("O_APPEND")
        {
            self.lengths[file]
        } else {
            0
        };
        self.descriptors.insert(call.gave.unwrap(), Opened { node, at });
        if let Node::File(file) = node {
            assert!(!flags.contains("O_SYNC"), "the model does not know {flags}");
            if flags.contains("O_TRUNC") && self.lengths[file] > 0 {
                self.done(call, file, Change::Len(0));
            }
        }
    }

    /// The open file or folder of a call's first argument.
    fn opened(&mut self, call: &Call) -> Option<&mut Opened> {
        let known = self.descriptors.contains_key(&call.args[0].number());
        let inside = call.args[0].path().and_then(|path| self.inside(Path::new(path)));
        assert!(known || inside.is_none(), "{} of a file whose opening was not seen: {inside:?}", call.name);
        self.descriptors.get_mut(&call.args[0].number())
    }

    fn write(&mut self, call: &Call, at: Option<u64>) {
        let mut bytes = call.args[1].bytes.clone();
        bytes.truncate(call.gave.map_or(usize::MAX, |gave| usize::try_from(gave).unwrap()));
        let Some(open) = self.opened(call) else {
            self.sent.push((call.begun, bytes));
            return;
        };
        let place = at.unwrap_or(open.at);
        if at.is_none() {
            open.at += bytes.len() as u64;
        }
        self.change(call, Change::Write(place, bytes));
    }

    fn change(&mut self, call: &Call, change: Change) {
        if let Some(Node::File(file)) = self.opened(call).map(|open| open.node) {
            self.done(call, file, change);
        }
    }

    fn done(&mut self, call: &Call, file: usize, what: Change) {
        let length = &mut self.lengths[file];
        *length = match &what {
            Change::Write(at, bytes) => (*length).max(at + bytes.len() as u64),
            Change::Len(to) => *to,
            Change::AtLeast(to) => (*length).max(*to),
        };
        self.files[file].push(Done { issued: call.begun, ended: call.ended, lasts: NEVER, what });
    }

    /// Notes a change of a name in its folder, whose number it gives.
    fn named(&mut self, call: &Call, what: Name) -> usize {
        let (Name::Made(path, _) | Name::Moved(path, ..) | Name::Gone(path) | Name::Left(path, ..)) = &what;
        let Node::Folder(folder) = self.names[folder_of(path)] else { panic!("{path} is in no folder") };
        self.folders[folder].push(Done { issued: call.begun, ended: call.ended, lasts: NEVER, what });
        folder
    }

    fn sync(&mut self, call: &Call, ignored: Option<usize>) {
        let Some(node) = self.opened(call).map(|open| open.node) else { return };
        let is_ignored = ignored.is_some_and(|from| call.begun >= from && self.names.get(WATCHED) == Some(&node));
        if call.ended == NEVER || is_ignored {
            return;
        }
        self.syncs.push(call.begun);
        match node {
            Node::File(file) => lasting(&mut self.files[file], call),
            Node::Folder(folder) => lasting(&mut self.folders[folder], call),
        }
    }

    fn rename(&mut self, call: &Call, from: PathBuf, to: PathBuf) {
        let (Some(from), Some(to)) = (self.inside(&from), self.inside(&to)) else { return };
        let Some(node @ Node::File(_)) = self.names.remove(&from) else { panic!("the model renames files: {from}") };
        if folder_of(&from) == folder_of(&to) {
            self.named(call, Name::Moved(from, to.clone(), node));
        } else {
            let folder = self.named(call, Name::Made(to.clone(), node));
            let place = self.folders[folder].len() - 1;
            self.named(call, Name::Left(from, folder, place));
        }
        self.names.insert(to, node);
    }

    fn remove(&mut self, call: &Call, path: PathBuf) {
        // A socket of the program's is no file of this model.
        let Some(path) = self.inside(&path) else { return };
        if self.names.remove(&path).is_some() {
            self.named(call, Name::Gone(path));
        }
    }

    fn make_folder(&mut self, call: &Call, path: PathBuf) {
        let Some(path) = self.inside(&path) else { return };
        self.folders.push(Vec::new());
        let node = Node::Folder(self.folders.len() - 1);
        self.named(call, Name::Made(path.clone(), node));
        self.names.insert(path, node);
    }

    /// Where each rename to a name was over, and the whole bytes that it brought.
    pub(crate) fn versions(&self, name: &str) -> Vec<(usize, Vec<u8>)> {
        let mut found = Vec::new();
        for done in self.folders.iter().flatten() {
            if let Name::Moved(_, to, Node::File(file)) = &done.what
                && to == name
            {
                let mut content = Content::default();
                self.files[*file].iter().for_each(|done| content.whole(&done.what));
                found.push((done.ended, content.bytes));
            }
        }
        found
    }

    /// Where names of files and folders began to change.
    pub(crate) fn renamings(&self) -> Vec<usize> {
        self.folders.iter().flatten().map(|done| done.issued).collect()
    }

    /// Makes the folder that a cut leaves; chance decides what is not said.
    pub(crate) fn image(&self, cut: Cut, random: &mut Random, to: &Path) {
        let mut open: Vec<usize> = Vec::new();
        let is_open = |issued: usize, lasts: usize| issued < cut.at && !cut.has(lasts);
        let changes = self.files.iter().flatten().map(|done| (done.issued, done.lasts));
        let names = self.folders.iter().flatten().map(|done| (done.issued, done.lasts));
        open.extend(changes.chain(names).filter(|(issued, lasts)| is_open(*issued, *lasts)).map(|(issued, _)| issued));
        open.sort_unstable();
        let last = if open.is_empty() { NEVER } else { *random.pick(&open) };
        let mut is_kept =
            |done: &Done<Name>| done.issued < cut.at && (cut.has(done.lasts) || cut.keeps(done.issued, last, random));
        let mut kept: Vec<Vec<bool>> = Vec::new();
        for folder in &self.folders {
            kept.push(folder.iter().map(&mut is_kept).collect());
        }
        for (folder, number) in self.folders.iter().zip(0..) {
            for (done, place) in folder.iter().zip(0..) {
                if let Name::Left(_, other, there) = &done.what {
                    kept[number][place] = kept[*other][*there];
                }
            }
        }
        self.make(0, to, &kept, cut, last, random);
    }

    fn make(&self, folder: usize, to: &Path, kept: &[Vec<bool>], cut: Cut, last: usize, random: &mut Random) {
        let mut names: HashMap<&str, Node> = HashMap::new();
        for (done, _) in self.folders[folder].iter().zip(&kept[folder]).filter(|(_, kept)| **kept) {
            match &done.what {
                Name::Made(name, node) => drop(names.insert(name, *node)),
                Name::Moved(from, name, node) => {
                    names.remove(from.as_str());
                    names.insert(name, *node);
                }
                Name::Gone(name) | Name::Left(name, ..) => drop(names.remove(name.as_str())),
            }
        }
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        for (name, node) in names {
            let path = to.join(name.rsplit('/').next().unwrap());
            match node {
                Node::Folder(inner) => {
                    std::fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
                    self.make(inner, &path, kept, cut, last, random);
                }
                Node::File(file) => self.content(file, cut, last, random).write(&path),
            }
        }
    }

    fn content(&self, file: usize, cut: Cut, last: usize, random: &mut Random) -> Content {
        let mut content = Content::default();
        for done in self.files[file].iter().filter(|done| done.issued < cut.at) {
            if cut.has(done.lasts) {
                content.whole(&done.what);
                continue;
            }
            match (&done.what, cut.keep) {
                (Change::Write(at, bytes), Keep::Sectors(percent)) => {
                    sectors(*at, bytes, |at, part| {
                        if random.chance(percent) {
                            content.put(at, part);
                        }
                    });
                }
                // The write at which it stopped.
                (Change::Write(at, bytes), Keep::First) if done.issued == last => {
                    let mut left = random.below(bytes.len() / SECTOR + 1);
                    sectors(*at, bytes, |at, part| {
                        if left > 0 {
                            content.put(at, part);
                            left -= 1;
                        }
                    });
                }
                (what, _) if cut.keeps(done.issued, last, random) => content.whole(what),
                _ => {}
            }
        }
        content
    }
}

impl Cut {
    /// Whether what lasts from a point of the record on is there for certain.
    fn has(&self, lasts: usize) -> bool {
        lasts < self.at.min(self.honest)
    }

    /// Whether it leaves something that no sync made last.
    fn keeps(&self, issued: usize, last: usize, random: &mut Random) -> bool {
        match self.keep {
            Keep::Nothing => false,
            Keep::Everything => true,
            Keep::First => issued < last,
            Keep::Whole => random.chance(50),
            Keep::Sectors(percent) => random.chance(percent),
        }
    }
}

/// Bytes of a file; those beyond them, up to its length, are zeros.
#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    length: u64,
}

impl Content {
    fn put(&mut self, at: u64, part: &[u8]) {
        let (start, end) = (usize::try_from(at).unwrap(), usize::try_from(at).unwrap() + part.len());
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..end].copy_from_slice(part);
        self.length = self.length.max(end as u64);
    }

    fn whole(&mut self, change: &Change) {
        match change {
            Change::Write(at, bytes) => self.put(*at, bytes),
            Change::Len(length) => {
                self.bytes.truncate(usize::try_from(*length).unwrap());
                self.length = *length;
            }
            Change::AtLeast(length) => self.length = self.length.max(*length),
        }
    }

    fn write(&self, path: &Path) {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
        file.write_all(&self.bytes).unwrap();
        file.set_len(self.length).unwrap();
    }
}

/// Calls `each` with every part of a write that lies in one sector.
fn sectors(at: u64, bytes: &[u8], mut each: impl FnMut(u64, &[u8])) {
    let mut done = 0;
    while done < bytes.len() {
        let place = at + done as u64;
        let room = SECTOR - usize::try_from(place % SECTOR as u64).unwrap();
        let end = (done + room).min(bytes.len());
        each(place, &bytes[done..end]);
        done = end;
    }
}

/// A sync has come back: what was over before it began lasts.
fn lasting<T>(all: &mut [Done<T>], sync: &Call) {
    for done in all.iter_mut().filter(|done| done.ended < sync.begun) {
        done.lasts = done.lasts.min(sync.ended);
    }
}

fn makes_descriptor(name: &str) -> bool {
    matches!(name, "openat" | "dup" | "fcntl")
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn text(arg: &Arg) -> &str {
    std::str::from_utf8(&arg.bytes).unwrap()
}

/// The path of an argument, from the folder of the descriptor before it, if it has one.
fn path(folder: Option<&Arg>, arg: &Arg) -> PathBuf {
    Path::new(folder.and_then(Arg::path).unwrap_or_default()).join(text(arg))
}

/// The path behind the folder's descriptor at a place of the arguments, or the first argument.
fn path_at(args: &[Arg], place: usize) -> PathBuf {
    path(args.get(place), &args[place.wrapping_add(1)])
}
