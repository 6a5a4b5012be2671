//! What the owner chooses on the screen: the name of the box, and settings that nothing else says.

use serde_json::{Value, json};
use whotbox::identity::users::Role;

use crate::identity::fixture::{Whole, start};
use crate::support::whotbox::Whotbox;

const SETTINGS: &str = "/api/v1/box/settings";

/// One of the settings that can be chosen.
fn choice(settings: &Value, name: &str) -> Value {
    let all = settings["changeable"].as_array().unwrap();
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{settings}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_holds_from_the_next_start_on_and_the_name_at_once() {
    // Given a box that nobody has named.
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let first = Whole::open(&data_dir, start().await.app.started_at).await;
    let admin = first.person(Role::Admin, "root").await;
    assert_eq!(first.http.get("/api/v1/box").send().await.json()["name"], Value::Null);
    // When its owner names it, and wants messages kept for a month.
    let put = async |name: &str, value: Value| {
        first.call(&admin, "PUT", &format!("{SETTINGS}/{name}"), &json!({"value": value})).await
    };
    assert_eq!(put("box_name", json!("Mama Put Junction")).await.status, 200);
    let said = put("archive_days", json!("30")).await.json();
    // Then the name is there at once, and the rest waits for a restart.
    assert_eq!(first.http.get("/api/v1/box").send().await.json()["name"], "Mama Put Junction");
    let waiting = choice(&said, "archive_days");
    assert_eq!((&waiting["chosen"], &waiting["waits"]), (&json!("30"), &json!(true)));
    for (name, value, status) in [
        ("archive_days", json!("0"), 422),
        ("archive_days", json!("many"), 422),
        ("code_sender", json!("webhook"), 422),
        ("box_name", json!("x".repeat(65)), 422),
        ("listen", json!("0.0.0.0:1"), 404),
    ] {
        assert_eq!(put(name, value.clone()).await.status, status, "{name} {value}");
    }
    let now = first.app.started_at;
    first.app.store.close();
    drop(first);
    let second = Whole::open(&data_dir, now).await;
    let admin = second.sign_in("root").await;
    let said = second.get(&admin, SETTINGS).await.json();
    assert_eq!(choice(&said, "archive_days")["waits"], json!(false));
    let shown = said["settings"].as_array().unwrap().iter().find(|one| one["name"] == "archive_days").unwrap().clone();
    assert_eq!((&shown["value"], &shown["source"]), (&json!(30), &json!("screen")));
    let trail = second.get(&admin, "/api/v1/admin/moderation/audits").await.json();
    assert!(trail.to_string().contains("archive_days is to be 30."), "{trail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_the_file_is_not_overruled() {
    // Given a box whose file says how many backups are kept.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("whotbox.toml"), "backup_keep = 3\n").unwrap();
    let running = Whotbox::start(folder.path(), &[]);
    let admin = running.sign_in("admin", running.password.as_deref().unwrap()).await;
    // When its owner wants another number, then the box says that the file has the word.
    let said = admin.get(SETTINGS).await.json();
    assert_eq!(choice(&said, "backup_keep")["locked"], json!(true));
    let refused = admin.put(&format!("{SETTINGS}/backup_keep"), &json!({"value": "9"})).await;
    assert_eq!(refused.refusal(), (409, "conflict".to_owned()));
}
