//! Old stores to import from, made by `generate.py`, and what a good import makes of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::postgres::{Database, Postgres};
use crate::support::whotbox::PROGRAM;

/// Old stores of one installation.
pub(crate) struct Sources {
    folder: TempDir,
    pub(crate) identity: Database,
    /// What a good import makes of them.
    pub(crate) truth: Value,
    before: BTreeMap<String, Vec<u8>>,
    tables_before: String,
}

/// A Python that has `cryptography` and `bcrypt`: the one that `tests/run` prepared, the system's, or one made now.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    let able = |python: &Path| {
        let asked = Command::new(python).args(["-c", "import cryptography, bcrypt"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    PYTHON.get_or_init(|| {
        let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv");
        let candidates = [made.join("bin/python"), PathBuf::from("python3")];
        if let Some(python) = candidates.iter().find(|python| able(python)) {
            return python.clone();
        }
        let run = |program: &Path, arguments: &[&str]| {
            let status = Command::new(program).args(arguments).status().unwrap();
            assert!(status.success(), "{} {arguments:?}", program.display());
        };
        run(Path::new("python3"), &["-m", "venv", made.to_str().unwrap()]);
        run(&made.join("bin/python"), &["-m", "pip", "install", "--quiet", "cryptography", "bcrypt"]);
        made.join("bin/python")
    })
}

impl Sources {
    pub(crate) fn make(shape: &str, messages: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moving/generate.py");
        let made = Command::new(python()).arg(script).arg(folder.path()).args([shape, &messages.to_string()]).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let identity = Postgres::shared().database();
        let sql = std::fs::read_to_string(folder.path().join("identity.sql")).unwrap();
        identity.sql_as(&identity.admin_url(), &sql).unwrap();
        let truth = serde_json::from_str(&std::fs::read_to_string(folder.path().join("truth.json")).unwrap()).unwrap();
        let mut made = Self { folder, identity, truth, before: BTreeMap::new(), tables_before: String::new() };
        (made.before, made.tables_before) = (made.files(), made.tables());
        made
    }

    /// Where the files of the old services are, and what a good import makes of them.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap());
        entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
    }

    /// Every row of the old PostgreSQL, and when each was last touched.
    fn tables(&self) -> String {
        let names = self.identity.sql(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1",
        );
        let rows =
            |name: &str| self.identity.sql(&format!("select t.xmin, t.ctid, t::text from {name} t order by t.ctid"));
        names.lines().map(|name| format!("{name}\n{}\n", rows(name))).collect()
    }

    /// Nothing of the sources has changed, not even beside them.
    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        assert!(self.files() == self.before, "a file of the old services changed");
        assert!(self.tables() == self.tables_before, "a row of the old PostgreSQL changed");
    }

    /// `import` for a box of a folder, with these arguments besides.
    pub(crate) fn command(&self, folder: &Path, more: &[&str]) -> Command {
        let map = self.folder.path().join("map.toml");
        let mut command = self.mapped_by(folder, map.to_str().filter(|_| map.exists()).unwrap_or_default());
        command.args(more);
        command
    }

    /// The same with another map; with none where it has no name.
    pub(crate) fn mapped_by(&self, folder: &Path, map: &str) -> Command {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = Command::new(PROGRAM);
        command.arg("import").args(["--identity", &self.identity.admin_url()]);
        command.args(["--source-ca", self.identity.ca_file().to_str().unwrap()]);
        command.args(["--customer", &at("customer.db"), "--game", &at("game.db"), "--chat", &at("chat.db")]);
        command.args(["--chat-key-file", &at("key.txt"), "--report", "report.json", "--report", "report.html"]);
        if !map.is_empty() {
            command.args(["--map", map]);
        }
        // What is put down for a moment must lie where the tests look for it.
        let temporary = folder.join("tmp");
        std::fs::create_dir_all(&temporary).unwrap();
        command.env("TMPDIR", temporary).current_dir(folder);
        command
    }

    /// The same, run to its end; the report.
    #[track_caller]
    pub(crate) fn import(&self, folder: &Path) -> Value {
        let done = self.command(folder, &[]).output().unwrap();
        assert!(done.status.success(), "{}\n{}", text(&done), String::from_utf8_lossy(&done.stderr));
        assert!(text(&done).contains("Every source row is accounted for."), "{}", text(&done));
        serde_json::from_str(&std::fs::read_to_string(folder.join("report.json")).unwrap()).unwrap()
    }

    /// The report accounts for every row, and says of the planted ones what they are.
    #[track_caller]
    pub(crate) fn assert_accounted(&self, report: &Value) {
        assert_eq!(report["accounted_for"], true);
        assert_eq!(report["same"], true, "{report:#}");
        let tables = report["tables"].as_array().unwrap();
        assert_eq!(tables.len(), 15);
        for table in tables {
            let name = table["table"].as_str().unwrap();
            let count = |field: &str| table[field].as_u64().unwrap();
            let dropped: u64 = table["not_kept"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
            let sum = count("written") + count("already_here") + count("merged") + dropped + count("refused");
            assert_eq!(sum, count("source_rows"), "{name}");
            assert_eq!(table["source_digest"], table["box_digest"], "{name}");
            assert_eq!(noted(table, "refused"), strings(&self.truth["refused"][name]), "{name}");
            assert_eq!(noted(table, "merged"), strings(&self.truth["merged"][name]), "{name}");
            assert_eq!(dropped, self.truth["dropped"][name].as_u64().unwrap_or(0), "{name}");
            assert_eq!(count("already_here"), self.truth["known"][name].as_u64().unwrap_or(0), "{name}");
            if let Some(rows) = self.truth["rows"][name].as_u64() {
                assert_eq!(count("source_rows"), rows, "{name}");
            }
        }
        let messages = tables.iter().find(|table| table["table"] == "chat.messages").unwrap();
        assert_eq!(noted(messages, "unopened"), strings(&self.truth["unopened"]));
    }
}

pub(crate) fn text(done: &Output) -> String {
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn strings(list: &Value) -> Vec<String> {
    let mut all: Vec<String> =
        list.as_array().into_iter().flatten().map(|id| id.as_str().unwrap().to_owned()).collect();
    all.sort_unstable();
    all
}

fn noted(table: &Value, what: &str) -> Vec<String> {
    let notes = table["notes"].as_array().unwrap().iter().filter(|note| note["what"] == what);
    let mut ids: Vec<String> = notes.map(|note| note["id"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    ids
}
