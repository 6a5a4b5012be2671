//! Moderation over HTTP: reasons, the trail, holds, and who may not.

use serde_json::{Value, json};

use crate::chat::{bodies, stage};
use crate::support::soon;

#[tokio::test(flavor = "multi_thread")]
async fn a_review_needs_a_reason_and_leaves_its_row_on_the_trail() {
    let stage = stage().await;
    stage.says(&stage.cast.owner, "meet me behind the market").await;
    let moderator = stage.moderator().await;
    let one = format!("/api/v1/admin/moderation/conversations/{}", stage.id);
    for query in [
        "",
        "?reason=",
        "?reason=%20%20%20%20%20%20%20%20%20%20%20%20",
        "?reason=too+short",
        "?reason=long+enough+it+is&code=fun",
    ] {
        let answer = moderator.get(&format!("{one}{query}")).await;
        assert_eq!(answer.status, 422, "{query}: {}", answer.text());
    }
    let trail = moderator.see("/api/v1/admin/moderation/audits").await;
    assert_eq!(trail["items"], json!([]), "what was refused opened nothing");

    let review = moderator.see(&format!("{one}?reason=report+17+of+today&code=report")).await;
    assert_eq!(bodies(&review["messages"]), ["meet me behind the market"]);
    assert_eq!((&review["conversation"]["message_count"], &review["next_cursor"]), (&json!(1), &Value::Null));
    let trail = moderator.see(&format!("/api/v1/admin/moderation/audits?conversation_id={}", stage.id)).await;
    let row = &trail["items"][0];
    assert_eq!((&row["id"], &row["action"], &row["code"]), (&review["audit_id"], &json!("review"), &json!("report")));
    assert_eq!((&row["reason"], &row["moderator_id"]), (&json!("report 17 of today"), &json!(moderator.id)));
    assert_eq!(stage.sees(&stage.cast.chidi).await.len(), 1, "a review marks nothing read");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_shows_what_has_vanished() {
    let stage = stage().await;
    let sent = stage.says(&stage.cast.owner, "gone for the two").await;
    stage.cast.chidi.done(&format!("/api/v1/messages/{}/read", sent["id"].as_str().unwrap()), &Value::Null).await;
    let moderator = stage.moderator().await;
    let one = format!("/api/v1/admin/moderation/conversations/{}?reason=a+routine+look", stage.id);
    assert_eq!(bodies(&moderator.see(&one).await["messages"]), ["gone for the two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn moderation_is_for_moderators() {
    let stage = stage().await;
    let one = format!("/api/v1/admin/moderation/conversations/{}", stage.id);
    for person in [&stage.cast.owner, &stage.cast.chidi, &stage.cast.admin] {
        for path in ["/api/v1/admin/moderation/conversations", &format!("{one}?reason=a+routine+look")] {
            assert_eq!(person.get(path).await.refusal(), (403, "forbidden".to_owned()));
        }
        let hold = person.post(&format!("{one}/legal-hold"), &json!({"reason": "court order 44/26"})).await;
        assert_eq!(hold.refusal(), (403, "forbidden".to_owned()));
    }
    assert_eq!(stage.cast.admin.get("/api/v1/admin/moderation/audits").await.status, 200);
    assert_eq!(stage.cast.owner.get("/api/v1/admin/moderation/audits").await.status, 403);
    let moderator = stage.moderator().await;
    let nobodys = "/api/v1/admin/moderation/conversations/019ab3c0-0000-7000-8000-00000000dead?reason=x";
    assert_eq!(moderator.get(nobodys).await.status, 404, "the object is looked up before the reason");
    assert_eq!(moderator.post(&format!("{}/messages", stage.path), &json!({"body": "hi"})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_placed_shown_to_staff_alone_and_released() {
    let stage = stage().await;
    let moderator = stage.moderator().await;
    let hold = format!("/api/v1/admin/moderation/conversations/{}/legal-hold", stage.id);
    let reason = json!({"reason": "court order 44/26"});
    let release = || stage.whotbox.http.call("DELETE", &hold).bearer(&moderator.token).json(&reason).send();
    assert_eq!(release().await.refusal(), (409, "not_held".to_owned()));
    assert_eq!(moderator.post(&hold, &json!({"reason": "short"})).await.status, 422);
    let placed = moderator.done(&hold, &reason).await;
    let shown = &placed["legal_hold"];
    assert_eq!((&shown["active"], &shown["reason"]), (&json!(true), &reason["reason"]));
    assert_eq!((&shown["placed_by"], shown["placed_at"].is_string()), (&json!(moderator.id), true));
    assert_eq!(moderator.post(&hold, &reason).await.refusal(), (409, "already_held".to_owned()));
    assert!(stage.cast.chidi.see(&stage.path).await["legal_hold"].is_null());
    let list = moderator.see("/api/v1/admin/moderation/conversations").await;
    assert_eq!(list["items"][0]["legal_hold"]["active"], true);

    let released = release().await;
    assert_eq!((released.status, released.json()["legal_hold"]["active"].as_bool()), (200, Some(false)));
    assert!(released.json()["legal_hold"]["grace_until"].is_string());
    let trail = moderator.see("/api/v1/admin/moderation/audits").await;
    let rows = trail["items"].as_array().unwrap();
    let actions: Vec<_> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["hold_placed", "hold_released"]);
    assert_eq!(rows[1]["prev_hash"], rows[0]["hash"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_distributor_is_held_shown_and_released_and_the_pair_alone_too() {
    let stage = stage().await;
    let moderator = stage.moderator().await;
    let root = "/api/v1/admin/moderation";
    let (owner, chidi) = (&stage.cast.owner.id, &stage.cast.chidi.id);
    let reason = json!({"reason": "court order 44/26"});
    for path in [format!("{root}/distributors/{owner}"), format!("{root}/relationships/{owner}/{chidi}")] {
        let hold = format!("{path}/legal-hold");
        let release = || stage.whotbox.http.call("DELETE", &hold).bearer(&moderator.token).json(&reason).send();
        assert_eq!(release().await.refusal(), (409, "not_held".to_owned()));
        let placed = moderator.done(&hold, &reason).await;
        assert_eq!((&placed["active"], &placed["distributor_id"]), (&json!(true), &json!(owner)));
        assert_eq!(moderator.post(&hold, &reason).await.refusal(), (409, "already_held".to_owned()));
        let list = moderator.see(&format!("{root}/conversations?participant_id={chidi}")).await;
        assert_eq!(list["items"][0]["held_by"], json!([placed["scope"]]));
        let shown = moderator.see(&hold).await;
        assert_eq!((&shown["on_release"]["messages"], &shown["on_release"]["more"]), (&json!(0), &json!(false)));
        let released = release().await.json();
        assert_eq!((&released["active"], released["grace_until"].is_string()), (&json!(false), true));
    }
    let nobody = format!("{root}/distributors/{chidi}/legal-hold");
    assert_eq!(moderator.post(&nobody, &reason).await.status, 404, "a customer is no distributor");
    assert_eq!(moderator.see(&format!("{root}/holds")).await["items"].as_array().unwrap().len(), 2);
    let subject = moderator.see(&format!("{root}/audits")).await["items"][0]["subject"].clone();
    assert_eq!(subject, json!(format!("distributor:{owner}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_setting_says_so_a_release_waits_for_a_second_moderator() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("whotbox.toml"), "hold_second_moderator = true\nhold_grace_hours = 1\n").unwrap();
    let stage = crate::chat::stage_in(folder).await;
    let (first, second) = (stage.moderator().await, stage.moderator_named("mod-two").await);
    let hold = format!("/api/v1/admin/moderation/conversations/{}/legal-hold", stage.id);
    let reason = json!({"reason": "court order 44/26"});
    first.done(&hold, &reason).await;
    let http = &stage.whotbox.http;
    let release = |token: String| http.call("DELETE", &hold).bearer(&token).json(&reason).send();
    let asked = release(first.token.clone()).await;
    assert_eq!((asked.status, &asked.json()["release_requested"]["requested_by"]), (202, &json!(first.id)));
    assert_eq!(asked.json()["legal_hold"]["active"], true);
    assert_eq!(release(first.token.clone()).await.refusal(), (409, "second_moderator_needed".to_owned()));
    let granted = release(second.token.clone()).await;
    assert_eq!((granted.status, &granted.json()["legal_hold"]["active"]), (200, &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_read_on_under_its_audit_row_and_conversations_are_searched() {
    let stage = stage().await;
    for n in 0..3 {
        stage.says(&stage.cast.owner, &format!("line {n}")).await;
    }
    let moderator = stage.moderator().await;
    let one = format!("/api/v1/admin/moderation/conversations/{}", stage.id);
    let first = moderator.see(&format!("{one}?reason=a+routine+look&limit=2")).await;
    let (audit, cursor) = (first["audit_id"].as_str().unwrap(), first["next_cursor"].as_str().unwrap());
    let rest = moderator.see(&format!("{one}?audit_id={audit}&cursor={cursor}")).await;
    assert_eq!((bodies(&rest["messages"]), &rest["audit_id"]), (vec!["line 2".to_owned()], &json!(audit)));
    let trail = moderator.see("/api/v1/admin/moderation/audits").await;
    assert_eq!(trail["items"].as_array().unwrap().len(), 1, "one reason, one row");
    let other = stage.moderator_named("mod-two").await;
    let foreign = other.get(&format!("{one}?audit_id={audit}")).await;
    assert_eq!(foreign.refusal(), (403, "access_lapsed".to_owned()));
    for (query, found) in [
        ("username=chidi", 1),
        ("username=nobody-here", 0),
        ("username=amaka", 0),
        ("from=2020-01-01T00:00:00Z&username=chidi", 1),
        ("to=2020-01-01T00:00:00Z", 0),
    ] {
        let list = moderator.see(&format!("/api/v1/admin/moderation/conversations?{query}")).await;
        assert_eq!(list["items"].as_array().unwrap().len(), found, "{query}");
    }
    assert_eq!(moderator.get("/api/v1/admin/moderation/conversations?from=yesterday").await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_blocks_the_distributor_who_is_not_told_why() {
    let stage = stage().await;
    let (owner, chidi) = (&stage.cast.owner, &stage.cast.chidi);
    let (block, messages) = (format!("{}/block", stage.path), format!("{}/messages", stage.path));
    assert_eq!(chidi.done(&block, &Value::Null).await["blocked"], true);
    let (theirs, own) =
        (owner.post(&messages, &json!({"body": "x"})).await, chidi.post(&messages, &json!({"body": "x"})).await);
    assert_eq!((theirs.refusal().1.as_str(), own.refusal().1.as_str()), ("not_entitled", "blocked"));
    assert_eq!(owner.see(&stage.path).await["blocked"], false);
    let lifted = stage.whotbox.http.call("DELETE", &block).bearer(&chidi.token).send().await;
    assert_eq!((lifted.status, &lifted.json()["blocked"]), (200, &json!(false)));
    stage.says(owner, "thank you").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_confirms_the_clock_and_only_the_right_time() {
    let stage = stage().await;
    let (admin, confirm) = (&stage.cast.admin, "/api/v1/admin/clock/confirm");
    let now = admin.see("/api/v1/admin/clock").await["now"].clone();
    let wrong = admin.post(confirm, &json!({"now": "2020-01-01T00:00:00Z", "reason": "an old newspaper"})).await;
    assert_eq!(wrong.refusal(), (409, "clock_differs".to_owned()));
    let right = admin.done(confirm, &json!({"now": now, "reason": "the church tower"})).await;
    assert_eq!((&right["trusted"], right["audit_id"].is_string()), (&json!(true), true));
    let told = stage.whotbox.command(&["clock", "status", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["trusted"], true);
    let console =
        stage.whotbox.command(&["clock", "confirm", "--time", "2020-01-01T00:00:00Z", "--reason", "an old newspaper"]);
    assert_eq!(console.status.code(), Some(1));
    let trail = admin.see("/api/v1/admin/moderation/audits").await;
    assert_eq!(
        (&trail["items"][0]["action"], trail["items"].as_array().unwrap().len()),
        (&json!("clock_confirmed"), 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_runs_by_hand_for_an_admin_and_says_what_it_did() {
    let stage = stage().await;
    stage.says(&stage.cast.owner, "young").await;
    let run = "/api/v1/admin/archive-expiry/run";
    for body in [Value::Null, json!({}), json!({"dry_run": true})] {
        let ran = stage.cast.admin.done(run, &body).await;
        assert_eq!((&ran["examined"], &ran["expired"], &ran["held"]), (&json!(0), &json!(0), &json!(0)));
        assert!(ran["run_id"].is_string());
    }
    assert_eq!(stage.cast.owner.post(run, &Value::Null).await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(stage.sees(&stage.cast.chidi).await, ["young"]);
    let keyed = || stage.whotbox.http.post(run).bearer(&stage.cast.admin.token).idempotency_key("run-1").send();
    let (first, again) = (keyed().await, keyed().await);
    assert_eq!(first.json()["run_id"], again.json()["run_id"]);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_rotates_keys_while_the_box_runs_and_checks_the_trail() {
    let stage = stage().await;
    stage.says(&stage.cast.owner, "before the rotation").await;
    let moderator = stage.moderator().await;
    let one = format!("/api/v1/admin/moderation/conversations/{}", stage.id);
    moderator.see(&format!("{one}?reason=a+routine+look")).await;
    let told = |arguments: &[&str]| -> Value {
        let done = stage.whotbox.command(arguments);
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap_or_default()
    };
    assert_eq!(told(&["keys", "status", "--json"])["wrap_version"], 1);
    told(&["keys", "rotate"]);
    stage.says(&stage.cast.owner, "after it").await;
    assert_eq!(told(&["keys", "status", "--json"])["wrap_version"], 2);
    assert_eq!(stage.sees(&stage.cast.chidi).await, ["before the rotation", "after it"]);
    assert_eq!(told(&["audit", "verify", "--json"])["links"], 1);
    assert_eq!(told(&["audit", "export"])["links"][0]["action"], "review");
    let folder = stage.folder;
    let whotbox = stage.whotbox.kill_and_restart();
    let list = stage.cast.chidi.at(&whotbox.http).see(&format!("{}/messages", stage.path)).await;
    assert_eq!(bodies(&list["items"]), ["before the rotation", "after it"]);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_a_signed_tar_file() {
    let stage = stage().await;
    stage.says(&stage.cast.owner, "exhibit one").await;
    let moderator = stage.moderator().await;
    let export = format!("/api/v1/admin/moderation/conversations/{}/export", stage.id);
    assert_eq!(moderator.get(&export).await.status, 422, "an export needs a reason as well");
    let archive = moderator.get(&format!("{export}?reason=court+order+44/26&code=legal")).await;
    assert_eq!((archive.status, archive.header("content-type")), (200, Some("application/x-tar")));
    let trail = moderator.see("/api/v1/admin/moderation/audits").await;
    assert_eq!((&trail["items"][0]["action"], &trail["items"][0]["code"]), (&json!("export"), &json!("legal")));
}

/// A kill at any moment of a review: whoever has seen a text is on the trail.
#[tokio::test(flavor = "multi_thread")]
async fn no_kill_lets_a_text_out_without_its_audit_row() {
    let kills: usize = if std::env::var_os("WHOTBOX_FULL").is_some() { 1000 } else { 50 };
    let mut stage = stage().await;
    stage.says(&stage.cast.owner, "under watch").await;
    let moderator = stage.moderator().await;
    let one = format!("/api/v1/admin/moderation/conversations/{}", stage.id);
    let mut seen = Vec::new();
    for kill in 0..kills {
        let at = moderator.at(&stage.whotbox.http);
        let path = format!("{one}?reason=before+the+kill+{kill}");
        // Each asks until the box is gone: the kill falls somewhere within one of its reviews.
        let (counts, mut counted) = tokio::sync::watch::channel(0);
        let asks = tokio::spawn(async move {
            let mut answers = 0;
            while let Ok(mut wire) = at.http.connect().await {
                let request = at.http.get(&path).bearer(&at.token).bytes();
                wire.write(&request).await;
                match wire.answer().await {
                    Some(answer) if answer.status == 200 => answers += 1,
                    _ => break,
                }
                if counts.send(answers).is_err() {
                    break;
                }
            }
            answers
        });
        soon("reviews", counted.wait_for(|answers| *answers >= kill % 5)).await.unwrap();
        stage.whotbox = stage.whotbox.kill_and_restart();
        seen.push((kill, asks.await.unwrap()));
    }
    let trail = stage.whotbox.command(&["audit", "export"]);
    let trail: Value = serde_json::from_slice(&trail.stdout).unwrap();
    let links = trail["links"].as_array().unwrap();
    for (kill, answers) in &seen {
        let noted = links.iter().filter(|link| link["reason"] == format!("before the kill {kill}")).count();
        assert!(noted >= *answers, "{answers} reviews were answered before kill {kill}, {noted} are on the trail");
    }
    println!("{} reviews were answered before {kills} kills", seen.iter().map(|(_, answers)| answers).sum::<usize>());
}
