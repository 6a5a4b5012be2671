//! A throw-away PostgreSQL for tests: TLS by its own CA, SCRAM logins, an operator with CREATEROLE and no superuser.
//!
//! ```text
//!   Postgres::shared()   one cluster for all tests of this process that do not stop it; one Database each
//!   Postgres::start()    a cluster of one's own, to stop, restart and pause
//! ```
//! Nothing stays behind: a cluster ends with its value, the shared one with the process, even a killed one. Its
//! commits are as durable as in earnest (`fsync` stays on).

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// The operator's login: owns its databases, may create roles, is no superuser.
pub(crate) const OPERATOR: &str = "operator";
/// Its password; it guards nothing but a throw-away cluster.
const PASSWORD: &str = "of no worth";

/// How a server is stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// As if the power went: no goodbye to anyone, recovery at the next start.
    Immediate,
    /// Open transactions are rolled back, clients are told.
    Fast,
}

/// A running cluster.
pub(crate) struct Postgres {
    folder: PathBuf,
    port: u16,
    /// Ends the cluster and removes its folder as soon as its standard input closes, which the kernel does for us if we die.
    keeper: Child,
}

/// One database of a cluster, owned by the operator.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) name: String,
    folder: PathBuf,
    port: u16,
}

impl Postgres {
    /// The cluster that all tests of this process share. It is never stopped.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A cluster of one's own.
    pub(crate) fn start() -> Self {
        let folder = TempDir::with_prefix("whotbox-pg-").unwrap().keep();
        let data = folder.join("data");
        certificates(&folder);
        own(&folder);
        let initdb = ["-D", utf8(&data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
        check(&run(&folder, "initdb", &initdb));
        configure(&folder);
        let keeper = keeper(&folder);
        let port = (0..20).find_map(|_attempt| try_start(&folder)).expect("no port of twenty could be had");
        let server = Self { folder, port, keeper };
        let operator = format!("create role {OPERATOR} login createrole password '{PASSWORD}'");
        server.superuser().sql(&operator);
        server
    }

    /// A new, empty database.
    pub(crate) fn database(&self) -> Database {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("central{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.superuser().sql(&format!("create database {name} owner {OPERATOR}"));
        Database { name, ..self.superuser() }
    }

    /// The folder with all that the server has written, to search for what must not be there.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Stops the server.
    pub(crate) fn stop(&self, how: Stop) {
        let mode = match how {
            Stop::Immediate => "immediate",
            Stop::Fast => "fast",
        };
        check(&run(&self.folder, "pg_ctl", &["-D", utf8(&self.data()), "-w", "-m", mode, "stop"]));
    }

    /// Starts it again where it was, and returns when it takes connections.
    pub(crate) fn start_again(&self) {
        check(&launch(&self.folder, self.port));
    }

    /// Stops and starts.
    pub(crate) fn restart(&self, how: Stop) {
        self.stop(how);
        self.start_again();
    }

    /// Freezes every process of the server: connections stay open and nothing answers.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Ends a [`Postgres::pause`].
    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        check(&Command::new("kill").arg(signal).args(self.processes()).output().unwrap());
    }

    /// The ids of the server's processes, its first one in front.
    pub(crate) fn processes(&self) -> Vec<String> {
        let pid_file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let postmaster = pid_file.lines().next().unwrap().to_owned();
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
        std::iter::once(postmaster).chain(children.split_whitespace().map(str::to_owned)).collect()
    }

    /// The maintenance database.
    fn superuser(&self) -> Database {
        Database { name: "postgres".to_owned(), folder: self.folder.clone(), port: self.port }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The keeper does the rest; nobody needs to wait for it.
        drop(self.keeper.stdin.take());
    }
}

impl Database {
    /// The operator's URL.
    pub(crate) fn admin_url(&self) -> String {
        self.url(OPERATOR, PASSWORD)
    }

    /// The operator's URL, by way of another port of this machine.
    pub(crate) fn admin_url_by(&self, port: u16) -> String {
        Self { port, ..self.clone() }.admin_url()
    }

    /// Any login's URL.
    pub(crate) fn url(&self, user: &str, password: &str) -> String {
        let password = password.replace(' ', "%20");
        format!("postgres://{user}:{password}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// The CA that signed the server's certificate, as PEM.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The server's port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL as superuser: rows as lines, columns parted by `|`, NULL as `∅`.
    #[track_caller]
    pub(crate) fn sql(&self, sql: &str) -> String {
        let folder = self.folder.to_str().unwrap();
        let to = format!("host={folder} port={} user=postgres dbname={}", self.port, self.name);
        psql(&to, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs SQL by the login of a URL, over TLS; the error is what the server said.
    pub(crate) fn sql_as(&self, url: &str, sql: &str) -> Result<String, String> {
        psql(&self.verified(url), sql)
    }

    /// A connection that stays open between calls, by the login of a URL, over TLS.
    pub(crate) fn session(&self, url: &str) -> Session {
        let mut child = psql_command(&self.verified(url)).stderr(Stdio::inherit()).spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Session { child, answers }
    }

    fn verified(&self, url: &str) -> String {
        let and = if url.contains('?') { '&' } else { '?' };
        format!("{url}{and}sslmode=verify-full&sslrootcert={}", self.ca_file().display())
    }
}

/// A connection that stays open between calls.
pub(crate) struct Session {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Session {
    /// Sends SQL and does not wait for what becomes of it.
    pub(crate) fn ask(&mut self, sql: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{sql};").unwrap();
    }

    /// Runs SQL and returns when it is done.
    pub(crate) fn run(&mut self, sql: &str) -> String {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{sql}; select 'so far'").and_then(|()| writeln!(input, ";")).unwrap();
        let mut said = String::new();
        while !said.ends_with("so far\n") {
            assert_ne!(self.answers.read_line(&mut said).unwrap(), 0, "the session has ended: {said}");
        }
        said.trim_end_matches("so far\n").trim_end().to_owned()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

fn psql(to: &str, sql: &str) -> Result<String, String> {
    let mut child = psql_command(to).spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn psql_command(to: &str) -> Command {
    let flags = ["-X", "-q", "-A", "-t", "-P", "null=∅", "-v", "ON_ERROR_STOP=1", "-d", to, "-f", "-"];
    let mut command = Command::new(program("psql"));
    command.args(flags).env("PGOPTIONS", "-c client_min_messages=warning");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The CA and the server's certificate, for 127.0.0.1 and localhost. ECDSA, so that channel binding is offered.
fn certificates(folder: &Path) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "Throw-away CA");
    fs::write(folder.join("ca.pem"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    fs::write(folder.join("server.pem"), leaf.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
}

fn configure(folder: &Path) {
    let at = folder.display();
    let settings = format!(
        "listen_addresses = '127.0.0.1'\nunix_socket_directories = '{at}'\nssl = on\n\
         ssl_cert_file = '{at}/server.pem'\nssl_key_file = '{at}/server.key'\npassword_encryption = 'scram-sha-256'\n\
         shared_buffers = 16MB\nmax_connections = 100\nmax_wal_senders = 0\nwal_level = minimal\n\
         recovery_init_sync_method = syncfs\n"
    );
    let data = folder.join("data");
    let mut file = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).unwrap();
    file.write_all(settings.as_bytes()).unwrap();
    // The socket lies in a folder of our own; over TCP everybody needs a password.
    fs::write(data.join("pg_hba.conf"), "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n").unwrap();
}

/// Starts the server on a port that was free a moment ago; another program may have been faster.
fn try_start(folder: &Path) -> Option<u16> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    launch(folder, port).status.success().then_some(port)
}

fn launch(folder: &Path, port: u16) -> Output {
    let (data, log) = (folder.join("data"), folder.join("server.log"));
    let options = format!("-p {port}");
    run(folder, "pg_ctl", &["-D", utf8(&data), "-w", "-l", utf8(&log), "-o", &options, "start"])
}

fn keeper(folder: &Path) -> Child {
    // A paused server must be woken before it can be stopped.
    let script = "read -r _; pid=$(head -n 1 \"$0/data/postmaster.pid\" 2>/dev/null) && \
        kill -CONT $pid $(cat /proc/$pid/task/$pid/children); \
        \"$@\" -D \"$0/data\" -m immediate -w stop; rm -rf \"$0\"";
    Command::new("sh")
        .args(["-c", script, utf8(folder)])
        .args(as_owner())
        .arg(program("pg_ctl"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Runs a program of PostgreSQL in `folder`, as a user that it accepts: it refuses root.
fn run(folder: &Path, name: &str, args: &[&str]) -> Output {
    let mut words = as_owner();
    words.push(utf8(&program(name)).to_owned());
    let (first, rest) = words.split_first().unwrap();
    // The server keeps what it inherits, so it must not be our pipes.
    let said = fs::File::create(folder.join("said")).unwrap();
    let status = Command::new(first)
        .args(rest)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(said.try_clone().unwrap())
        .stderr(said)
        .status()
        .unwrap();
    Output { status, stdout: Vec::new(), stderr: fs::read(folder.join("said")).unwrap() }
}

/// The words before a command that must not run as root.
fn as_owner() -> Vec<String> {
    if !is_root() {
        return Vec::new();
    }
    ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"].map(str::to_owned).to_vec()
}

fn own(folder: &Path) {
    if !is_root() {
        return;
    }
    let id = |flag| String::from_utf8(Command::new("id").args([flag, "postgres"]).output().unwrap().stdout).unwrap();
    let (uid, gid) = (id("-u").trim().parse().unwrap(), id("-g").trim().parse().unwrap());
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in entries.chain([folder.to_owned()]) {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

fn is_root() -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| Command::new("id").arg("-u").output().unwrap().stdout == b"0\n")
}

/// A program of PostgreSQL: on the path, or where Debian hides it.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let hidden =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().map(|entry| entry.unwrap().path().join("bin"));
    let found = std::env::split_paths(&path).chain(hidden).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} of PostgreSQL is not installed"))
}

fn utf8(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn check(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
