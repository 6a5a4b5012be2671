//! Central gives orders, and the fleet is seen and linked from central: what its operator does with SQL and three commands.

use serde_json::{Value, json};

use crate::story::backup::{key_of, well};
use crate::story::evening::{caught_up, gather, linked, replication};
use crate::story::rebuild::rebuilding;
use crate::support::postgres::{Database, Postgres};
use crate::support::soon;
use crate::support::whotbox::{Person, Whotbox, command};

/// Waits until central has `count` answers, asking the box to go on at once.
async fn answered(admin: &Person, central: &Database, count: u64) {
    let wait = async {
        while central.sql("select count(*) from replication.answers") != count.to_string() {
            admin.post("/api/v1/admin/replication/sync", &Value::Null).await;
        }
    };
    soon("the answers", wait).await;
}

/// Issues an order to the one box there is, as the operator.
#[track_caller]
fn order(central: &Database, kind: &str, arguments: &Value) {
    let sql = format!("select replication.direct((select box_id from replication.boxes), '{kind}', '{arguments}')");
    central.sql_as(&central.admin_url(), &sql).unwrap();
}

fn outcomes(central: &Database) -> Vec<String> {
    let sql = "select seq || ' ' || kind || ' ' || outcome from replication.directive_status order by seq";
    central.sql(sql).lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_carried_out_once_in_order_and_a_bad_one_blocks_nothing() {
    // Given a linked box with people and a conversation.
    let folder = tempfile::tempdir().unwrap();
    let central = Postgres::shared().database();
    let whotbox = Whotbox::start(folder.path(), &[]);
    linked(&whotbox, &central);
    let cast = gather(&whotbox).await;
    let talk = cast.chidi.done("/api/v1/conversations", &json!({"participant_id": cast.owner.id})).await["id"].clone();
    caught_up(&cast.admin).await;

    // When central orders this and that, and some of it makes no sense.
    order(&central, "hold", &json!({"conversation_id": talk, "reason": "Court order 12/2026"}));
    order(&central, "hold", &json!({"conversation_id": "nowhere", "reason": "Court order 13/2026"}));
    order(&central, "suspend", &json!({"username": "amaka"}));
    order(&central, "settings", &json!({"archive_days": 30}));
    order(&central, "settings", &json!({"archive_days": 400}));
    order(&central, "provision_distributor", &json!({"username": "mama-two", "alias": "Mama Two"}));
    order(&central, "provision_distributor", &json!({"username": "mama-two"}));
    order(&central, "suspend", &json!({"user_name": "chidi"}));
    answered(&cast.admin, &central, 8).await;

    // Then each has its answer, the refused ones with the reason.
    assert_eq!(
        outcomes(&central),
        [
            "1 hold applied",
            "2 hold refused",
            "3 suspend applied",
            "4 settings refused",
            "5 settings applied",
            "6 provision_distributor applied",
            "7 provision_distributor refused",
            "8 suspend refused"
        ]
    );
    let detail = |seq: u8| central.sql(&format!("select detail from replication.answers where seq = {seq}"));
    assert_eq!(detail(2), "not found");
    assert!(detail(4).contains("never shortens retention"), "{}", detail(4));
    assert!(detail(8).contains("user_name"), "{}", detail(8));
    assert_eq!(cast.amaka.get("/api/v1/users/me").await.status, 403);
    assert_eq!(cast.chidi.get("/api/v1/users/me").await.status, 200);
    caught_up(&cast.admin).await;
    let held = central.sql("select hold_placed_by || ' ' || hold_reason from replication.holds");
    assert_eq!(held, "central:operator Court order 12/2026");
    let made = "select count(*) from identity.users where username = 'mama-two' and role = 'distributor'";
    assert_eq!(central.sql(made), "1");

    // And killed and started again, the box carries nothing out twice and keeps messages for the longer time.
    let whotbox = whotbox.kill_and_restart();
    let admin = cast.admin.at(&whotbox.http);
    order(&central, "restore", &json!({"username": "amaka"}));
    answered(&admin, &central, 9).await;
    assert_eq!(cast.amaka.at(&whotbox.http).get("/api/v1/users/me").await.status, 401, "the old session stays ended");
    let audited = "select count(*) from chat.audits where action = 'hold_placed'";
    assert_eq!(central.sql(audited), "1");
    let shortened = json!({"archive_days": 399});
    order(&central, "settings", &shortened);
    answered(&admin, &central, 10).await;
    assert!(detail(10).contains("400 days"), "{}", detail(10));
}

// Long because each part stands on the lock that the part before has left.
#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_central_shuts_serves_nobody_and_its_keys_go_once_central_has_them() {
    // Given a linked box with a held conversation, somebody at a socket, and no recovery sheet.
    let folder = tempfile::tempdir().unwrap();
    let central = Postgres::shared().database();
    let whotbox = Whotbox::start(folder.path(), &[]);
    linked(&whotbox, &central);
    let cast = gather(&whotbox).await;
    let talk = cast.chidi.done("/api/v1/conversations", &json!({"participant_id": cast.owner.id})).await["id"].clone();
    let path = format!("/api/v1/conversations/{}", talk.as_str().unwrap());
    cast.owner.done(&format!("{path}/messages"), &json!({"body": "keep this for the court"})).await;
    let socket = cast.chidi.socket(&format!("{path}/ws")).await;
    let status = || -> Value { serde_json::from_str(&well(&whotbox.command(&["status", "--json"]))).unwrap() };
    let keys = || -> Value { serde_json::from_str(&well(&whotbox.command(&["keys", "status", "--json"]))).unwrap() };
    let settled = |wanted: &'static str| {
        let sql = format!("select count(*) from replication.answers where detail like '%{wanted}%'");
        let central = central.clone();
        soon("the answer", async move {
            while central.sql(&sql) != "1" {
                tokio::task::yield_now().await;
            }
        })
    };
    order(&central, "hold", &json!({"conversation_id": talk, "reason": "Court order 12/2026"}));
    order(&central, "reinstate", &json!({"reason": "nothing to take back"}));
    answered(&cast.admin, &central, 2).await;

    // When central shuts it, then nobody is served but who asks for its state, and it goes on sending.
    order(&central, "revoke", &json!({"reason": "stolen at the market"}));
    whotbox.http.post("/api/v1/admin/replication/sync").bearer(&cast.admin.token).send().await;
    settled("wiped once").await;
    assert_eq!(socket.closed().await, Some(4403));
    assert_eq!(cast.chidi.get("/api/v1/users/me").await.status, 503);
    assert_eq!(cast.admin.get("/api/v1/admin/replication").await.status, 503);
    assert_eq!(whotbox.http.get("/").send().await.status, 503);
    assert_eq!(whotbox.http.get("/healthz").send().await.status, 200);
    // The keys stay: nobody could open what is held, without a sheet.
    let before = keys();
    assert!(before["conversations"].as_u64().unwrap_or_else(|| panic!("{before}")) > 0);
    let shut = status()["shut"].clone();
    assert_eq!((&shut["reason"], &shut["keys_wiped_at"]), (&json!("stolen at the market"), &Value::Null), "{shut}");

    // And once a sheet is printed, they go here, and stay at central; killed in between, it stays shut.
    let count: u64 =
        ["conversations", "days_of_expiry", "conversations_held"].iter().filter_map(|kind| before[kind].as_u64()).sum();
    let sheet = well(&whotbox.command(&["backup", "sheet"]));
    let whotbox = whotbox.kill_and_restart();
    assert_eq!(whotbox.http.get("/api/v1/users/me").send().await.status, 503);
    settled("wiped since").await;
    let wiped: Value = serde_json::from_str(&well(&whotbox.command(&["keys", "status", "--json"]))).unwrap();
    assert_eq!(
        (&wiped["conversations"], &wiped["days_of_expiry"], &wiped["conversations_held"]),
        (&json!(0), &json!(0), &json!(0))
    );
    assert_eq!(central.sql("select count(*) from replication.bucket_keys"), count.to_string());
    order(&central, "reinstate", &json!({"reason": "it was found again"}));
    settled("are wiped: rebuild").await;
    drop(whotbox);

    // From central and the sheet the box comes back, on another machine, and opens what is held.
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("key"), key_of(&sheet)).unwrap();
    let done = rebuilding(other.path(), &central, &["--adopt"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(told["diverged"], 0, "{told}");
}

// Long because each part stands on the link that the part before has left.
#[tokio::test(flavor = "multi_thread")]
async fn a_box_is_linked_by_a_code_gets_another_password_and_is_shut_out() {
    let folder = tempfile::tempdir().unwrap();
    let central = Postgres::shared().database();
    let (url, ca) = (format!("{}?sslmode=verify-full", central.admin_url()), central.ca_file().display().to_string());
    let operator = tempfile::tempdir().unwrap();
    let at_central = |arguments: &[&str]| {
        let rest = ["--admin-url", &url, "--upstream-ca", &ca];
        let done = command(operator.path(), &[arguments, &rest[..]].concat());
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    at_central(&["upstream", "migrate"]);
    // Given a code that was issued at central, and a box that has never seen the operator's password.
    let code = at_central(&["upstream", "enroll", "--issue", "Kiosk 7"]);
    assert!(code.starts_with("whot1-") && !code.contains("of no worth"), "{code}");
    let whotbox = Whotbox::start(folder.path(), &[]);
    let admin = whotbox.sign_in("admin", whotbox.password.as_ref().unwrap()).await;

    // When the box uses it, as its owner's page does.
    let link = "/api/v1/box/sync/link";
    let part = admin.post(link, &json!({"code": &code[..40]})).await;
    assert_eq!((part.status, &part.json()["errors"][0]["field"]), (422, &json!("code")));
    admin.done(link, &json!({"code": code})).await;
    caught_up(&admin).await;

    // Then it replicates, and the code is used up.
    assert_eq!(central.sql("select name from replication.boxes"), "Kiosk 7");
    let again = whotbox.command(&["upstream", "enroll", "--code", code.trim()]);
    assert_eq!(again.status.code(), Some(1), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(admin.post(link, &json!({"code": code})).await.status, 409);
    let nonsense = whotbox.command(&["upstream", "enroll", "--code", "whot1-nonsense"]);
    assert_eq!(nonsense.status.code(), Some(2));
    // A new password while it runs, and it goes on.
    let before = std::fs::read_to_string(folder.path().join("data/upstream.toml")).unwrap();
    let done = whotbox.command(&["upstream", "rotate"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_ne!(std::fs::read_to_string(folder.path().join("data/upstream.toml")).unwrap(), before);
    admin.done("/api/v1/admin/moderators", &json!({"username": "after-rotation"})).await;
    caught_up(&admin).await;
    // A change of the password that was cut off: the login that central no longer takes lies in the other's place.
    let data = folder.path().join("data");
    let kept = std::fs::read_to_string(data.join("upstream.toml")).unwrap();
    std::fs::write(data.join("upstream.next.toml"), &kept).unwrap();
    std::fs::write(data.join("upstream.toml"), &before).unwrap();
    let whotbox = whotbox.kill_and_restart();
    let admin = admin.at(&whotbox.http);
    admin.done("/api/v1/admin/moderators", &json!({"username": "after-the-cut"})).await;
    caught_up(&admin).await;
    assert_eq!(std::fs::read_to_string(data.join("upstream.toml")).unwrap(), kept);
    // The fleet view shows it, and a reader sees that and no row of a box's.
    let fleet: Value = serde_json::from_str(&at_central(&["upstream", "status", "--json"])).unwrap();
    assert_eq!((fleet[0]["name"].as_str(), fleet[0]["dead_letters"].as_u64()), (Some("Kiosk 7"), Some(0)), "{fleet}");
    central.sql("create role watcher login password 'of no worth'; do $$ begin execute format('grant %I to watcher', replication.reader_group()); end $$");
    let watcher = central.url("watcher", "of no worth");
    for view in ["box_status", "backlog", "dead_letters", "holds", "overdue_expiry", "clock_error", "versions"] {
        let seen = central.sql_as(&watcher, &format!("select count(*) >= 0 from replication.{view}"));
        assert_eq!(seen.as_deref(), Ok("t"), "{view}");
    }
    assert_eq!(central.sql_as(&watcher, "select name from replication.box_status").as_deref(), Ok("Kiosk 7"));
    for closed in ["select * from identity.users", "select * from replication.boxes", "select * from chat.messages"] {
        assert!(central.sql_as(&watcher, closed).is_err(), "{closed}");
    }
    // Shut out, it says so and plays on.
    let box_id = replication(&admin).await["box_id"].as_str().unwrap().to_owned();
    at_central(&["upstream", "revoke", &box_id]);
    admin.done("/api/v1/admin/moderators", &json!({"username": "after-revocation"})).await;
    let stalled = async {
        while replication(&admin).await["state"] != "stalled" {
            admin.post("/api/v1/admin/replication/sync", &Value::Null).await;
        }
    };
    soon("the named stall", stalled).await;
    assert!(replication(&admin).await["advice"].as_str().unwrap().contains("revoked"));
}
