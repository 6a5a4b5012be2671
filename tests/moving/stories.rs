//! Three installations move in: into a running box, into a stopped one, and across a kill.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::moving::sources::{Sources, text};
use crate::story::compare::differences;
use crate::story::evening::{caught_up, linked};
use crate::story::secrecy::search;
use crate::support::postgres::{Database, Postgres};
use crate::support::whotbox::{Person, Whotbox};

/// Texts of the old messages, and a token of the old services.
const TEXTS: [&str; 4] =
    ["harmattan message 1 from", "harmattan under hold", "harmattan of the twin", "open-invite-token"];

/// Messages of a store: enough for several batches, or what the issue asks for.
fn messages(few: usize) -> usize {
    if std::env::var_os("WHOTBOX_FULL").is_some() { 100_000 } else { few }
}

async fn log_in(whotbox: &Whotbox, name: &str, password: &str) -> (u16, Value) {
    let body = json!({"username": name, "password": password});
    let answer = whotbox.http.post("/api/v1/auth/login").json(&body).send().await;
    (answer.status, answer.json())
}

/// Every person of the old service signs in with the old password, under the old id; and those who must not do not.
async fn people_are_there(whotbox: &Whotbox, sources: &Sources, report: &Value) {
    for (number, person) in sources.truth["people"].as_array().unwrap().iter().enumerate() {
        let (name, password) = (person["username"].as_str().unwrap(), person["password"].as_str().unwrap());
        let (status, session) = log_in(whotbox, name, password).await;
        if person["works"] == true {
            assert_eq!((status, &session["user"]["id"]), (200, &person["id"]), "{name}: {session}");
            assert_eq!(session["user"]["role"], person["role"]);
            // The second time the password is checked against the box's own hash; a few are enough to see that.
            if number < 3 {
                assert_eq!(log_in(whotbox, name, password).await.0, 200, "{name}");
            }
        } else {
            assert_ne!(status, 200, "{name}");
        }
    }
    let temporary = &report["temporary_passwords"][0];
    assert_eq!(temporary["username"], "md5man");
    let (status, session) = log_in(whotbox, "md5man", temporary["temporary_password"].as_str().unwrap()).await;
    assert_eq!((status, &session["user"]["must_change_password"]), (200, &json!(true)));
    // A sign-in of the old service goes on, once.
    let body = json!({"refresh_token": sources.truth["live_token"]});
    let refreshed = whotbox.http.post("/api/v1/auth/refresh").json(&body).send().await;
    assert_eq!((refreshed.status, &refreshed.json()["user"]["username"]), (200, &json!("cust0")));
    assert_eq!(whotbox.http.post("/api/v1/auth/refresh").json(&body).send().await.status, 401);
    // And an old invite is redeemed.
    let body = json!({"token": sources.truth["open_invite"], "username": "newcomer", "password": "harmattan at dawn"});
    let redeemed = whotbox.http.post("/api/v1/invites/redeem").json(&body).send().await;
    assert_eq!(redeemed.status, 201, "{}", redeemed.text());
}

async fn signed_in(whotbox: &Whotbox, name: &str, password: &str) -> Person {
    let (status, session) = log_in(whotbox, name, password).await;
    assert_eq!(status, 200, "{session}");
    Person::of(&whotbox.http, &session)
}

/// All pages of a list.
async fn all(person: &Person, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = person.see(&format!("{path}limit=200{cursor}")).await;
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// A distributor reads the chats as they were, in the order of their times; what was read there has vanished here.
async fn chats_are_there(whotbox: &Whotbox, sources: &Sources) {
    for number in 0..4 {
        let owner = signed_in(whotbox, &format!("dist_{number}"), &format!("old password of Dist_{number}")).await;
        for conversation in all(&owner, "/api/v1/conversations?").await {
            let id = conversation["id"].as_str().unwrap();
            let listed = all(&owner, &format!("/api/v1/conversations/{id}/messages?")).await;
            assert!(listed.is_sorted_by_key(|message| message["created_at"].as_str().unwrap().to_owned()));
            for (message, told) in sources.truth["texts"].as_object().unwrap().iter().filter(|(_, told)| told[0] == id)
            {
                let found = listed.iter().find(|listed| listed["id"] == **message);
                match told[2].as_bool().unwrap() {
                    true => assert!(found.is_none(), "message {message} was read by both"),
                    false => assert_eq!(found.map(|found| &found["body"]), Some(&told[1]), "message {message}"),
                }
            }
        }
    }
}

/// A moderator finds the hold, the message that is kept past its time because of it, and the trail of the old service.
async fn holds_are_there(whotbox: &Whotbox, sources: &Sources) {
    let moderator = signed_in(whotbox, "mod.ada", "old password of mod.ada").await;
    let id = sources.truth["held_conversation"].as_str().unwrap();
    let path = format!("/api/v1/admin/moderation/conversations/{id}?reason=check%20of%20the%20import&");
    let reviewed = moderator.see(&format!("{path}limit=1")).await;
    assert_eq!(reviewed["conversation"]["legal_hold"]["active"], true, "{reviewed:#}");
    let found = whole_review(&moderator, &path).await;
    for held in sources.truth["held"].as_array().unwrap() {
        let message = found.iter().find(|message| message["id"] == held[0]).expect("the held message is there");
        assert_eq!(message["body"], held[1]);
    }
    let audits = moderator.see("/api/v1/admin/moderation/audits").await;
    assert!(audits["items"].as_array().unwrap().len() >= 4, "{audits:#}");
}

async fn whole_review(moderator: &Person, path: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = moderator.see(&format!("{path}limit=200{cursor}")).await;
        let messages = &page["messages"];
        let items = messages.as_array().or_else(|| messages["items"].as_array()).unwrap();
        found.extend(items.iter().cloned());
        let next = page["next_cursor"].as_str().or_else(|| messages["next_cursor"].as_str());
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

async fn games_are_there(whotbox: &Whotbox, sources: &Sources) {
    let winner = signed_in(whotbox, "cust0", "old password of cust0").await;
    let won = sources.truth["won"].as_str().unwrap();
    let board = winner.see(&format!("/api/v1/games/{won}/scoreboard")).await;
    assert_eq!((&board["players"][0]["points"], &board["players"][1]["points"]), (&json!(3), &json!(1)), "{board:#}");
    let player = signed_in(whotbox, "cust2", "old password of cust2").await;
    let void = sources.truth["void"].as_str().unwrap();
    let game = player.see(&format!("/api/v1/games/{void}")).await;
    assert_eq!((&game["phase"], &game["end_reason"]), (&json!("match_over"), &json!("void")), "{game:#}");
    assert_eq!(game["points"], json!([2, 2]), "{game:#}");
}

/// Central holds exactly what the box holds, which is at least as many rows as there were messages.
fn central_has_it_all(whotbox: Whotbox, folder: &Path, central: &Database, least: usize) {
    assert_eq!(whotbox.terminate(), Some(0));
    let (found, rows) = differences(folder, central);
    assert!(found.is_empty(), "{found:#?}");
    assert!(rows > least, "{rows} rows");
}

/// A box that is linked to central after it took the old stores in sends all of it there.
async fn it_reaches_central(whotbox: Whotbox, folder: &Path, least: usize) {
    let central = Postgres::shared().database();
    linked(&whotbox, &central);
    caught_up(&signed_in(&whotbox, "boss", "old password of boss").await).await;
    central_has_it_all(whotbox, folder, &central, least);
}

/// No file under a folder holds a text of a message or a token in any spelling.
#[track_caller]
fn nowhere_in(folder: &Path) {
    assert_eq!(search(folder, &TEXTS), Vec::<String>::new());
}

async fn everything_is_there(whotbox: &Whotbox, sources: &Sources, report: &Value) {
    sources.assert_accounted(report);
    sources.assert_untouched();
    people_are_there(whotbox, sources, report).await;
    chats_are_there(whotbox, sources).await;
    holds_are_there(whotbox, sources).await;
    games_are_there(whotbox, sources).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn integers_and_naive_times_move_into_a_running_box_that_sends_them_to_central() {
    // Given a running box that is linked to central.
    let sources = Sources::make("integers", messages(1200));
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    let central = server.database();
    let whotbox = Whotbox::start(folder.path(), &[]);
    linked(&whotbox, &central);
    // When the old stores are imported while it runs.
    let report = sources.import(folder.path());
    // Then everything is there, and an admin of the old service sees central catch up.
    everything_is_there(&whotbox, &sources, &report).await;
    let admin = signed_in(&whotbox, "boss", "old password of boss").await;
    caught_up(&admin).await;
    let hashes = central.sql("select count(*) from identity.users where password_hash like '$2b$%'");
    let suspended = "1";
    assert_eq!(hashes.trim(), suspended, "who signed in has a hash of this box's making");
    central_has_it_all(whotbox, folder.path(), &central, messages(1200));
    // And no text is in any file of the box, its log, or central.
    nowhere_in(folder.path());
    nowhere_in(&server.data());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_import_goes_on_and_one_that_is_done_changes_nothing() {
    // Given an import into a stopped box that is killed in the middle of the messages.
    let sources = Sources::make("uuids", messages(3500));
    let folder = tempfile::tempdir().unwrap();
    let mut child = sources.command(folder.path(), &[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let seen = lines.by_ref().find(|line| line.starts_with("chat.messages"));
    assert!(seen.is_some());
    child.kill().unwrap();
    child.wait().unwrap();
    // Then no text was written on the way, not even for a moment that the kill would have kept; where there is one, it is found.
    nowhere_in(folder.path());
    assert!(search(sources.folder(), &TEXTS[..1]).len() == 1, "the truth's own file has the texts");
    // When it is run again, and again.
    let report = sources.import(folder.path());
    let again = sources.import(folder.path());
    // Then the second run went on, and the third changed nothing.
    assert_eq!(report, again);
    let whotbox = Whotbox::start(folder.path(), &[]);
    everything_is_there(&whotbox, &sources, &report).await;
    it_reaches_central(whotbox, folder.path(), messages(3500)).await;
    nowhere_in(folder.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_names_and_text_ids_move_in_by_a_map_and_what_is_missing_is_named() {
    let sources = Sources::make("renamed", messages(1200));
    let folder = tempfile::tempdir().unwrap();
    // Given a map that names a column which is not there, and a dry run.
    std::fs::write(folder.path().join("wrong.toml"), "[chat.messages]\nciphertext = \"no_such\"\n").unwrap();
    let refused = sources.mapped_by(folder.path(), "wrong.toml").output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && said.contains("has no column \"no_such\""), "{said}");
    let dry = sources.command(folder.path(), &["--dry-run"]).output().unwrap();
    assert!(dry.status.success(), "{}", String::from_utf8_lossy(&dry.stderr));
    assert!(text(&dry).contains("sender_id = \"author_id\""), "{}", text(&dry));
    assert!(!folder.path().join("data").exists(), "a dry run makes no box");
    // When the right one is used.
    let report = sources.import(folder.path());
    // Then everything is there.
    let whotbox = Whotbox::start(folder.path(), &[]);
    everything_is_there(&whotbox, &sources, &report).await;
    assert!(std::fs::read_to_string(folder.path().join("report.html")).unwrap().contains("accounted for"));
    it_reaches_central(whotbox, folder.path(), messages(1200)).await;
    nowhere_in(folder.path());
}
