//! The doctor: what it finds, that the owner's page shows the same, and that a healthy box is called healthy.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};
use whotbox::identity::users::Role;

use crate::identity::fixture::{Person, Whole, start};
use crate::support::whotbox::{Whotbox, command};

async fn look(whole: &Whole, admin: &Person) -> Value {
    let answer = whole.get(admin, "/api/v1/admin/doctor").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The severity of a finding; null where it is not found.
fn found(report: &Value, id: &str) -> Value {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["id"] == id).map_or(Value::Null, |finding| finding["severity"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_finding_comes_and_goes_with_its_cause() {
    let whole = start().await;
    let admin = whole.person(Role::Admin, "root").await;
    let report = look(&whole, &admin).await;
    assert_eq!((&report["healthy"], found(&report, "no_recovery_key")), (&json!(true), json!("warning")));
    // A secret that others can read.
    let key = whole.app.config.data_dir.join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let report = look(&whole, &admin).await;
    assert_eq!((&report["healthy"], &report["findings"][0]["id"]), (&json!(false), &json!("loose_permissions")));
    whotbox::doctor::mend(&whole.app.config.data_dir).unwrap();
    // A clock that nothing vouches for.
    whole.clock.set(whotbox::base::time::Clock::now(&*whole.clock), false);
    assert_eq!(found(&look(&whole, &admin).await, "clock_untrusted"), "warning");
    // A sheet without a backup, a fresh one, an old one.
    whole.post(&admin, "/api/v1/admin/backups/recovery-key", &json!({})).await;
    assert_eq!(found(&look(&whole, &admin).await, "backup_missing"), "warning");
    assert_eq!(whole.post(&admin, "/api/v1/admin/backups", &json!({})).await.status, 201);
    assert_eq!(found(&look(&whole, &admin).await, "backup_missing"), Value::Null);
    for (days, id, severity) in [(3, "backup_late", "warning"), (6, "backup_old", "error")] {
        whole.clock.advance(Duration::from_secs(days * 24 * 3600));
        let admin = whole.sign_in("root").await;
        assert_eq!(found(&look(&whole, &admin).await, id), severity, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_says_it_with_an_exit_code_and_mends_what_is_safe() {
    let folder = tempfile::tempdir().unwrap();
    let doctor = |arguments: &[&str]| command(folder.path(), &[&["doctor"], arguments].concat());
    assert_eq!(doctor(&[]).status.code(), Some(1), "there is no box yet");
    let whotbox = Whotbox::start(folder.path(), &[]);
    let key = folder.path().join("data/master.key");
    assert_eq!(doctor(&["--json"]).status.code(), Some(0));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o604)).unwrap();
    let said = doctor(&[]);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(said.status.code(), Some(1), "{text}");
    assert!(text.contains("loose_permissions") && text.contains("chmod 600"), "{text}");
    assert_eq!(doctor(&["--fix"]).status.code(), Some(0));
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let status = whotbox.command(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["healthy"], status["disk_free_bytes"].is_u64()), (&json!(true), true));
    assert_eq!(found(&status, "no_recovery_key"), "warning");
}
