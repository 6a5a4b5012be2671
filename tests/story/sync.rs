//! A copy that drifted: the operator of the box finds out, looks, mends, and both sides remember.

use serde_json::{Value, json};

use crate::story::compare::differences;
use crate::story::evening::{caught_up, linked, replication};
use crate::support::postgres::Postgres;
use crate::support::whotbox::Whotbox;

/// What a command printed as JSON, and its exit code.
#[track_caller]
fn said(whotbox: &Whotbox, arguments: &[&str]) -> (Value, Option<i32>) {
    let done = whotbox.command(arguments);
    let text = String::from_utf8(done.stdout).unwrap();
    let json = serde_json::from_str(&text);
    let json = json.unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&done.stderr)));
    (json, done.status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_drifted_is_found_shown_and_mended_while_the_box_runs() {
    // Given a linked box, and two rows that somebody changed at central.
    let folder = tempfile::tempdir().unwrap();
    let central = Postgres::shared().database();
    let whotbox = Whotbox::start(folder.path(), &[]);
    let admin = whotbox.sign_in("admin", whotbox.password.as_ref().unwrap()).await;
    linked(&whotbox, &central);
    for number in 0..20 {
        admin.done("/api/v1/admin/distributors", &json!({"username": format!("dist-{number}"), "alias": "D"})).await;
    }
    caught_up(&admin).await;
    let (clean, code) = said(&whotbox, &["sync", "verify", "--json"]);
    assert_eq!((clean["diverged"].as_u64(), code), (Some(0), Some(0)), "{clean}");
    central.sql("update identity.users set alias = 'Forged' where username = 'dist-7'");
    central.sql("delete from identity.users where username = 'dist-8'");

    // When the operator looks.
    let (found, code) = said(&whotbox, &["sync", "verify", "--json"]);

    // Then both are named, in the answer, in the box's account and at central.
    assert_eq!((found["diverged"].as_u64(), code), (Some(2), Some(1)), "{found}");
    let hows: Vec<&str> =
        found["differences"].as_array().unwrap().iter().map(|row| row["how"].as_str().unwrap()).collect();
    assert!(hows.contains(&"missing") && hows.contains(&"different"), "{found}");
    let account = replication(&admin).await;
    assert_eq!(account["diverged_rows"], 2);
    assert!(account["last_verified_at"].is_string(), "{account}");
    caught_up(&admin).await;
    let last = "select kind || ' ' || diverged || ' ' || jsonb_array_length(differences) from replication.verifications order by id desc limit 1";
    assert_eq!(central.sql(last), "verify 2 2");
    // A dry run mends nothing; a repair mends both.
    let (dry, code) = said(&whotbox, &["sync", "repair", "--dry-run", "--json"]);
    assert_eq!((dry["sent_again"].as_u64(), dry["diverged"].as_u64(), code), (Some(0), Some(2), Some(1)), "{dry}");
    let (done, code) = said(&whotbox, &["sync", "repair", "--json"]);
    assert_eq!(
        (done["mended"].as_u64(), done["still_different"].as_u64(), code),
        (Some(2), Some(0), Some(0)),
        "{done}"
    );
    assert_eq!(replication(&admin).await["diverged_rows"], 0);
    caught_up(&admin).await;
    assert_eq!(central.sql(last), "repair 0 0");
    // The same on a stopped box, which sends by itself for once.
    let box_folder = folder.path().to_owned();
    assert_eq!(whotbox.terminate(), Some(0));
    central.sql("update identity.users set alias = 'Again' where username = 'dist-9'");
    let done = crate::support::whotbox::command(&box_folder, &["sync", "repair", "--json"]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let (differ, _) = differences(&box_folder, &central);
    assert!(differ.iter().all(|row| row.starts_with("replication.")), "{differ:#?}");
}
