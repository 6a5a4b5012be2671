//! The console of the box: through its admin socket while it runs, in its folder while it does not.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::whotbox::{Whotbox, command};

fn said(output: &Output) -> (String, String) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// The one-time password in an answer.
fn password(stdout: &str) -> String {
    let line = stdout.lines().find_map(|line| line.strip_prefix("temporary_password: "));
    line.unwrap_or_else(|| panic!("no password: {stdout}")).to_owned()
}

async fn login(whotbox: &Whotbox, username: &str, password: &str) -> u16 {
    let body = json!({"username": username, "password": password});
    whotbox.http.post("/api/v1/auth/login").json(&body).send().await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_looked_after_from_the_console_of_a_running_and_of_a_stopped_box() {
    // Given a running box.
    let folder = tempfile::tempdir().unwrap();
    let whotbox = Whotbox::start(folder.path(), &[]);
    let (made, which) =
        said(&whotbox.command(&["user", "add", "mama-put", "--role", "distributor", "--alias", "Mama Put"]));
    assert!(which.contains("the running box"), "{which}");
    let ada = whotbox.sign_in("mama-put", &password(&made)).await;
    let (list, _) = said(&whotbox.command(&["user", "list", "--role", "distributor", "--json"]));
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((&list[0]["username"], &list[0]["alias"]), (&json!("mama-put"), &json!("Mama Put")));
    // When it suspends, that is felt at once; and it lets in again.
    said(&whotbox.command(&["user", "suspend", "mama-put"]));
    assert_eq!(ada.get("/api/v1/users/me").await.refusal(), (403, "account_suspended".into()));
    said(&whotbox.command(&["user", "suspend", "mama-put", "--undo"]));
    let (reset, _) = said(&whotbox.command(&["user", "reset-password", "mama-put"]));
    assert_eq!(login(&whotbox, "mama-put", &password(&reset)).await, 200);
    // Then the stopped box does the same, and says that it is one.
    assert_eq!(whotbox.terminate(), Some(0));
    let (made, which) = said(&command(folder.path(), &["user", "add", "musa", "--role", "moderator"]));
    assert!(which.contains("not running"), "{which}");
    let refused = command(folder.path(), &["user", "add", "musa", "--role", "moderator"]);
    assert_eq!(refused.status.code(), Some(1));
    let whotbox = Whotbox::start(folder.path(), &[]);
    assert_eq!(login(&whotbox, "musa", &password(&made)).await, 200);
}

/// The length of the store's file.
fn length(folder: &std::path::Path) -> u64 {
    std::fs::metadata(folder.join("data/box.redb")).unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_compacted_while_the_box_runs_and_while_it_does_not() {
    // Given a box that has just begun, whose file is as redb makes it.
    let folder = tempfile::tempdir().unwrap();
    let whotbox = Whotbox::start(folder.path(), &[]);
    let (made, _) = said(&whotbox.command(&["user", "add", "mama-put", "--role", "distributor"]));
    // When its owner wants it shorter, then it says what became of it, and that is true.
    let (told, which) = said(&whotbox.command(&["compact", "--json"]));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert!(which.contains("the running box"), "{which}");
    assert_eq!(told["bytes_after"], length(folder.path()));
    assert!(told["bytes_before"].as_u64() >= told["bytes_after"].as_u64(), "{told}");
    // And it goes on with what was there, now and after a start.
    let ada = whotbox.sign_in("mama-put", &password(&made)).await;
    assert_eq!(whotbox.terminate(), Some(0));
    // (It is closed after that, which may take a page more.)
    let (told, which) = said(&command(folder.path(), &["compact"]));
    assert!(which.contains("not running") && told.contains("bytes_after: "), "{which}{told}");
    let whotbox = Whotbox::start(folder.path(), &[]);
    assert_eq!(ada.at(&whotbox.http).get("/api/v1/users/me").await.status, 200);
}
