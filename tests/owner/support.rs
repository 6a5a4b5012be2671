//! The support bundle: marked secrets stand everywhere in a box, and none of them in its bundle.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::whotbox::{Person, Whotbox, command, own_password};

/// Stands in every name, text and secret of the story.
const MARK: &str = "zebramark";

/// A box in which everything is marked, and what must not be found.
struct Scene {
    folder: tempfile::TempDir,
    whotbox: Whotbox,
    admin: Person,
    hidden: Vec<String>,
}

fn settings(folder: &Path) {
    let backups = folder.join(format!("{MARK}-stick"));
    fs::create_dir(&backups).unwrap();
    let settings = format!(
        "public_url = \"http://{MARK}.example:8080\"\nbackup_dir = \"{}\"\norigins = [\"https://{MARK}.example\"]\n\
         upstream = \"postgres://{MARK}:{MARK}-password@127.0.0.1:1/{MARK}\"\ncode_sender = \"webhook\"\n\
         code_webhook = \"https://{MARK}.example/send?key={MARK}\"\nopen_registration = true\n",
        backups.display()
    );
    fs::write(folder.join("whotbox.toml"), settings).unwrap();
}

async fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    settings(folder.path());
    // Given people, a message, an invite, a moderator's reason and a strange file, all marked.
    let whotbox = Whotbox::start(folder.path(), &[]);
    let admin = whotbox.sign_in("admin", whotbox.password.as_ref().unwrap()).await;
    let mama = format!("{MARK}-mama");
    let body = json!({"username": mama, "alias": format!("{MARK} Put"), "password": own_password(&mama)});
    admin.done("/api/v1/admin/distributors", &body).await;
    let owner = whotbox.sign_in(&mama, &own_password(&mama)).await;
    let invite = owner.done("/api/v1/invites", &json!({"alias": format!("{MARK} shop")})).await;
    let token = invite["token"].as_str().unwrap().to_owned();
    let name = format!("{MARK}-amaka");
    let redeemed = json!({"username": name, "password": own_password(&name), "phone_number": "+2348099912345"});
    let redeemed = whotbox.http.post(&format!("/api/v1/invites/{token}/redeem")).json(&redeemed).send().await;
    assert!(redeemed.status < 300, "{}", redeemed.text());
    let amaka = whotbox.sign_in(&name, &own_password(&name)).await;
    let chat = amaka.done("/api/v1/conversations", &json!({"participant_id": owner.id})).await;
    let path = format!("/api/v1/conversations/{}/messages", chat["id"].as_str().unwrap());
    amaka.done(&path, &json!({"body": format!("{MARK} says the soup is ready")})).await;
    fs::write(folder.path().join(format!("data/{MARK}.txt")), MARK).unwrap();
    let log = folder.path().join("marked.log");
    let line =
        format!("2026-11-22T10:00:00.1Z  INFO whotbox::http: {MARK} came from 192.168.4.77 with {token} name={MARK}\n");
    fs::write(&log, line.repeat(3)).unwrap();

    let secrets = |file: &str| {
        let text = fs::read_to_string(folder.path().join("data").join(file)).unwrap();
        text.split_whitespace().last().unwrap().to_owned()
    };
    let hidden = vec![
        MARK.to_owned(),
        token,
        amaka.token.clone(),
        owner.token.clone(),
        admin.id.clone(),
        amaka.id.clone(),
        chat["id"].as_str().unwrap().to_owned(),
        secrets("master.key"),
        secrets("s2s.key"),
        secrets("webhook.key"),
        "2348099912345".to_owned(),
        "192.168.4.77".to_owned(),
        "127.0.0.1".to_owned(),
        folder.path().display().to_string(),
    ];
    Scene { folder, whotbox, admin, hidden }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_holds_nothing_about_anybody() {
    let Scene { folder, whotbox, admin, hidden } = scene().await;
    let log = folder.path().join("marked.log");
    // When the bundle is made and shown, from the running box, by the route, and of the stopped box.
    let bundle = |output: &str| {
        let path = folder.path().join(output);
        let arguments = ["support", "bundle", "--log", log.to_str().unwrap(), "--output", path.to_str().unwrap()];
        let said = command(folder.path(), &arguments);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        (said, fs::read_to_string(path).unwrap())
    };
    let (said, running) = bundle("running.json");
    let route = admin.get("/api/v1/admin/support").await.text().to_owned();
    // It says first what is in it, part by part.
    let parts: Value = serde_json::from_str(&running).unwrap();
    let names: Vec<_> = parts.as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["versions", "state", "findings", "settings", "replication", "files", "metrics", "log"]);
    assert!(names.iter().all(|name| said.contains(name)), "{said}");
    // A second one does not overwrite it, and one that is shown writes nothing.
    let again = command(
        folder.path(),
        &["support", "bundle", "--output", folder.path().join("running.json").to_str().unwrap()],
    );
    assert!(!again.status.success());
    let shown = command(folder.path(), &["support", "bundle", "--show", "--log", log.to_str().unwrap()]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("\"versions\"") && !folder.path().join("whotbox-support.json").exists());
    assert_eq!(whotbox.terminate(), Some(0));
    let (_, stopped) = bundle("stopped.json");

    // Then nothing that was marked is in any of them.
    for (which, text) in [("running", &running), ("route", &route), ("shown", &shown), ("stopped", &stopped)] {
        for secret in &hidden {
            assert!(!text.contains(secret.as_str()), "{which} has {secret}");
        }
        assert!(text.contains("store.identity") && text.contains("\"archive_days\""), "{which}: {text}");
    }
    // The negative control: the same look finds the marks in what the owner sees.
    let settings = command(folder.path(), &["config", "show"]);
    assert!(String::from_utf8_lossy(&settings.stdout).contains(MARK));
    assert!(fs::read_to_string(&log).unwrap().contains(MARK));
}
