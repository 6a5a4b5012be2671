//! The real program as a child process: started as a new user would, killed as the power would.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, mpsc};

use serde_json::{Value, json};

use crate::support::http::{Answer, Http};
use crate::support::logs;
use crate::support::ws::Ws;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_whotbox");

/// A running box.
pub(crate) struct Whotbox {
    child: Child,
    pub(crate) http: Http,
    /// The first admin's one-time password, on the first start.
    pub(crate) password: Option<String>,
    /// What it says from there on.
    lines: Mutex<mpsc::Receiver<String>>,
    folder: PathBuf,
    arguments: Vec<String>,
}

impl Whotbox {
    /// Starts `whotbox` in a folder on a free port of loopback; its log goes to `log` in the folder.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::try_start(&[], folder, arguments).unwrap_or_else(|log| panic!("the box did not start: {log}"))
    }

    /// The same, under another program that leaves signals and pipes to the box; the log where it does not start.
    pub(crate) fn try_start(under: &[String], folder: &Path, arguments: &[&str]) -> Result<Self, String> {
        Self::spawn(under, folder, arguments.iter().map(|text| (*text).to_owned()).collect())
    }

    fn spawn(under: &[String], folder: &Path, arguments: Vec<String>) -> Result<Self, String> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = Command::new(under.first().map_or(PROGRAM, String::as_str));
        if let Some((_, rest)) = under.split_first() {
            command.args(rest).arg(PROGRAM);
        }
        let mut child = command
            .args(["--listen", "127.0.0.1:0"])
            // What a test says about the log comes first.
            .args(if arguments.iter().any(|a| a == "--log-level") { &[][..] } else { &["--log-level", "debug"] })
            .args(&arguments)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let (say, lines) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        // Whatever it says later must not fill the pipe.
        std::thread::spawn(move || out.lines().map_while(Result::ok).for_each(|line| drop(say.send(line))));
        let said = told(&lines);
        let Some(address) = value(&said, "Listening on").and_then(|text| text.parse::<SocketAddr>().ok()) else {
            drop(child.kill());
            drop(child.wait());
            return Err(std::fs::read_to_string(folder.join("log")).unwrap_or_default());
        };
        let (http, password) = (Http::new(address), value(&said, "Password"));
        Ok(Self { child, http, password, lines: Mutex::new(lines), folder: folder.to_owned(), arguments })
    }

    /// Waits until it has started again by itself.
    pub(crate) fn comes_back(&mut self) {
        let said = told(self.lines.get_mut().unwrap());
        let address = value(&said, "Listening on").and_then(|text| text.parse().ok());
        self.http = Http::new(address.unwrap_or_else(|| panic!("the box did not come back: {said:?}")));
    }

    /// Kills it as the power would, without a word, and starts it again on the same data.
    pub(crate) fn kill_and_restart(mut self) -> Self {
        self.kill();
        let (folder, arguments) = (self.folder.clone(), self.arguments.clone());
        drop(self);
        Self::spawn(&[], &folder, arguments).unwrap_or_else(|log| panic!("the box did not start again: {log}"))
    }

    /// Kills it as the power would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, as systemd would; the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }

    /// Runs a command of the program on this box's folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        command(&self.folder, arguments)
    }

    /// Signs in, changing a temporary password.
    pub(crate) async fn sign_in(&self, username: &str, password: &str) -> Person {
        let credentials = json!({"username": username, "password": password});
        let answer = self.http.post("/api/v1/auth/login").json(&credentials).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let person = Person::of(&self.http, &answer.json());
        if answer.json()["user"]["must_change_password"] == true {
            let own = json!({"current_password": password, "new_password": own_password(username)});
            let changed = person.post("/api/v1/auth/password", &own).await;
            assert_eq!(changed.status, 204, "{}", changed.text());
        }
        person
    }
}

impl Drop for Whotbox {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        logs::keep(&self.folder.join("log"));
    }
}

/// What a box says until it is ready, or ends.
fn told(lines: &mpsc::Receiver<String>) -> Vec<String> {
    lines.iter().take_while(|line| line != "Ready.").collect()
}

/// The last word of the line that begins so.
fn value(said: &[String], name: &str) -> Option<String> {
    let line = said.iter().find(|line| line.starts_with(name))?;
    line.split_whitespace().last().map(str::to_owned)
}

/// Runs a command of the program in a folder.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).current_dir(folder).output().unwrap()
}

/// The password that somebody in a test chooses.
pub(crate) fn own_password(username: &str) -> String {
    format!("{username}-Sun7flower-own")
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) token: String,
    pub(crate) http: Http,
}

impl Person {
    /// The person of a `Session`.
    #[track_caller]
    pub(crate) fn of(http: &Http, session: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text in {session}")).to_owned();
        Self {
            id: text(&session["user"]["id"]),
            username: text(&session["user"]["username"]),
            token: text(&session["access_token"]),
            http: http.clone(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.http.get(path).bearer(&self.token).send().await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.http.call("PUT", path).bearer(&self.token).json(body).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let call = self.http.post(path).bearer(&self.token);
        if body.is_null() { call.send().await } else { call.json(body).send().await }
    }

    /// What a GET of 200 gives.
    #[track_caller]
    pub(crate) fn see(&self, path: &str) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.get(path).await;
            assert_eq!(answer.status, 200, "{path} at {caller}: {}", answer.text());
            answer.json()
        }
    }

    /// What a POST of 200 or 201 gives.
    #[track_caller]
    pub(crate) fn done(&self, path: &str, body: &Value) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.post(path, body).await;
            assert!(matches!(answer.status, 200 | 201), "{path} at {caller}: {} {}", answer.status, answer.text());
            answer.json()
        }
    }

    pub(crate) async fn socket(&self, path: &str) -> Ws {
        let opened = Ws::open(self.http.address, path, &self.token).await;
        opened.unwrap_or_else(|status| panic!("{path}: {status}"))
    }

    /// The same person at a box that was started again elsewhere.
    pub(crate) fn at(&self, http: &Http) -> Self {
        Self { http: http.clone(), ..self.clone() }
    }
}
