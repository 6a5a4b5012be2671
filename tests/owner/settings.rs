//! Settings as the owner meets them: shown with where they were said, refused before anything is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use whotbox::identity::users::Role;

use crate::identity::fixture::start_with;
use crate::support::whotbox::{PROGRAM, Whotbox, command};

/// Runs the program in a folder with variables of the environment.
fn with(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).current_dir(folder).envs(variables.iter().copied()).output().unwrap()
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn setting(shown: &Value, name: &str) -> Value {
    let settings = shown["settings"].as_array().unwrap();
    settings.iter().find(|setting| setting["name"] == name).unwrap_or_else(|| panic!("{name} is not shown")).clone()
}

/// A secret file as an installer makes it.
fn give(path: &Path, start: u8, mode: u32) {
    let bytes: Vec<u8> = (0..32).map(|at| at * 7 + start).collect();
    fs::write(path, STANDARD.encode(bytes)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_setting_is_shown_with_where_it_was_said() {
    // given: a file, a variable over it and a flag over both
    let folder = tempfile::tempdir().unwrap();
    let toml =
        "archive_days = 30\nbackup_keep = 3\nlog_days = 4\nupstream = \"postgres://box:hush-hush@127.0.0.1/c\"\n";
    fs::write(folder.path().join("whotbox.toml"), toml).unwrap();
    let variables = [("WHOTBOX_BACKUP_KEEP", "5"), ("WHOTBOX_LOG", "warn")];
    let said = with(folder.path(), &variables, &["config", "show", "--json", "--log-level", "debug"]);
    let shown: Value = serde_json::from_slice(&said.stdout).unwrap();
    let one = |name, value: Value, source: &str, place: Value| {
        let wanted = json!({"name": name, "value": value, "source": source, "place": place});
        assert_eq!(setting(&shown, name), wanted);
    };
    // then
    one("archive_days", json!(30), "file", json!("whotbox.toml:1"));
    one("backup_keep", json!(5), "environment", json!("WHOTBOX_BACKUP_KEEP"));
    one("log_level", json!("debug"), "flag", json!("--log-level"));
    one("listen", json!(["0.0.0.0:8080"]), "default", Value::Null);
    one("upstream", json!("postgres://box@127.0.0.1/c"), "file", json!("whotbox.toml:4"));
    // and for people, from the box that runs as well; nothing was made by looking
    assert!(!folder.path().join("data").exists());
    fs::write(folder.path().join("whotbox.toml"), "archive_days = 30\n").unwrap();
    let whotbox = Whotbox::start(folder.path(), &["--data-dir", "data"]);
    fs::write(folder.path().join("whotbox.toml"), "").unwrap();
    let (running, _) = texts(&whotbox.command(&["config", "show", "--origin", "--running"]));
    assert!(running.contains("archive_days = 30") && running.contains("# file whotbox.toml:1"), "{running}");
    assert!(running.contains("# secret master.key: generated"), "{running}");
    let (next, _) = texts(&whotbox.command(&["config", "show", "--origin"]));
    assert!(next.contains("archive_days = 90"), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_the_settings_of_the_running_box_without_passwords() {
    let whole = start_with(|given| {
        given.archive_days = Some(31);
        given.upstream = Some("postgres://box:hush-hush@127.0.0.1:1/central".into());
    })
    .await;
    let admin = whole.person(Role::Admin, "root").await;
    let answer = whole.get(&admin, "/api/v1/admin/settings").await;
    assert_eq!((answer.status, answer.text().contains("hush-hush")), (200, false), "{}", answer.text());
    assert_eq!(setting(&answer.json(), "archive_days")["value"], 31);
    assert_eq!(setting(&answer.json(), "upstream")["value"], "postgres://box@127.0.0.1:1/central");
}

#[test]
fn everything_that_stops_a_start_is_said_at_once_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let check = |toml: &str, variables: &[(&str, &str)]| {
        fs::write(folder.path().join("whotbox.toml"), toml).unwrap();
        let said = with(folder.path(), variables, &["config", "check"]);
        (said.status.code(), texts(&said).0)
    };
    assert_eq!(check("", &[]), (Some(0), "The settings are all right.\n".to_owned()));
    let (code, said) = check("listen_on = 3\narchive_days = \"many\"\n", &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("whotbox.toml, line 1: listen_on: There is no such setting; did you mean listen?"), "{said}");
    assert!(
        said.contains("whotbox.toml, line 2: archive_days: It wants a whole number") && !said.contains("many"),
        "{said}"
    );
    // A key that must not be on the box is refused and never repeated, and so is one with a letter wrong.
    for (key, hint) in [
        ("AGE-SECRET-KEY-1QQQQQQQQQQ", "must not be on the box"),
        ("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q", "A letter is wrong"),
        ("mine", "starts with age1"),
    ] {
        let (code, said) = check(&format!("log_days = 4\narchive_recipient = \"{key}\"\n"), &[]);
        let place = "whotbox.toml, line 2: archive_recipient: ";
        assert!(code == Some(2) && said.contains(place) && said.contains(hint) && !said.contains(key), "{said}");
    }
    let (code, said) = check("", &[("WHOTBOX_ARCHIVE_DAY", "3")]);
    assert!(code == Some(2) && said.contains("did you mean WHOTBOX_ARCHIVE_DAYS?"), "{said}");
    let missing = "tls_cert = \"no.pem\"\ntls_key = \"no-key.pem\"\nlog_level = \"a=b=c\"\nupstream = \"http://x\"\n";
    let (code, said) = check(missing, &[]);
    assert_eq!((code, said.lines().count()), (Some(2), 4), "{said}");
    for part in ["line 1: tls_cert:", "line 2: tls_key:", "line 3: log_level:", "line 4: upstream:"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // A start says the same, and touches nothing.
    let start = command(folder.path(), &["--config", "nowhere.toml"]);
    assert!(start.status.code() == Some(2) && texts(&start).1.contains("nowhere.toml"), "{start:?}");
    assert!(!folder.path().join("data").exists());
}

#[test]
fn production_names_each_secret_that_will_not_do_before_it_makes_anything() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    let refused = |variables: &[(&str, &str)], names: &[&str]| {
        let said = with(folder.path(), variables, &["--production"]);
        let (_, error) = texts(&said);
        assert!(!said.status.success(), "{error}");
        for name in names {
            assert!(error.contains(name), "{name} is not named: {error}");
        }
        for (_, value) in variables {
            assert!(!error.contains(value), "a value is shown: {error}");
        }
        assert!(!data.join("box.redb").exists(), "a store was made");
    };
    // missing, short and well known, shared
    refused(&[], &["master.key: It is missing", "s2s.key: It is missing"]);
    let strong = "pL9s-x7Qw2Zr4Tn8Vb6Ym1Kc3Jd5Hf0G";
    refused(&[("JWT_SECRET_KEY", "short")], &["JWT_SECRET_KEY: It is too weak"]);
    refused(&[("S2S_WEBHOOK_SECRET", "changeme-changeme-0123456789-abcdef")], &["S2S_WEBHOOK_SECRET: It is too weak"]);
    refused(&[("JWT_SECRET_KEY", strong), ("APP_SECRET_KEY", strong)], &["JWT_SECRET_KEY: It is the same as"]);
    // readable by others, in the folder and among systemd's credentials
    give(&data.join("master.key"), 1, 0o644);
    refused(&[("S2S_WEBHOOK_SECRET", strong)], &["master.key: Others can read it"]);
    fs::remove_file(data.join("master.key")).unwrap();
    let credentials = folder.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    give(&credentials.join("master.key"), 1, 0o444);
    give(&credentials.join("s2s.key"), 2, 0o400);
    let place = credentials.to_str().unwrap();
    let said = with(folder.path(), &[("CREDENTIALS_DIRECTORY", place)], &["init", "--production"]);
    assert!(texts(&said).1.contains("master.key: Others can read it"), "{said:?}");
    // then: good ones make a box, and none of its own secrets
    give(&credentials.join("master.key"), 1, 0o440);
    let said = with(folder.path(), &[("CREDENTIALS_DIRECTORY", place)], &["init", "--production"]);
    assert!(said.status.success(), "{said:?}");
    assert!(data.join("box.redb").exists() && !data.join("master.key").exists() && !data.join("s2s.key").exists());
    // and generated ones never do
    let other = tempfile::tempdir().unwrap();
    assert!(command(other.path(), &["init"]).status.success());
    let (_, error) = texts(&command(other.path(), &["status", "--production"]));
    assert!(error.contains("master.key: It was generated") && error.contains("s2s.key: It was generated"), "{error}");
}
