//! Linking a box that is in use to a central, by the commands of the operator's book.

use serde_json::json;

use crate::story::compare::{differences, heads_and_cursors};
use crate::story::evening::{caught_up, linked, replication};
use crate::support::postgres::{Postgres, Stop};
use crate::support::soon;
use crate::support::whotbox::{Whotbox, command};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_the_box_was_linked_reaches_central_too() {
    // Given a box that was in use before it was linked.
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    let central = server.database();
    let whotbox = Whotbox::start(folder.path(), &[]);
    let admin = whotbox.sign_in("admin", whotbox.password.as_ref().unwrap()).await;
    assert_eq!(replication(&admin).await["state"], "disabled");
    for number in 0..20 {
        let new = json!({"username": format!("early-{number}"), "alias": "Early"});
        admin.done("/api/v1/admin/distributors", &new).await;
    }

    // When it is linked while it runs, and central is gone for a while.
    linked(&whotbox, &central);
    caught_up(&admin).await;
    server.stop(Stop::Fast);
    admin.done("/api/v1/admin/moderators", &json!({"username": "while-away"})).await;
    let away = async {
        while replication(&admin).await["state"] != "offline" {
            admin.post("/api/v1/admin/replication/sync", &json!(null)).await;
        }
    };
    soon("the offline state", away).await;
    let now = replication(&admin).await;
    assert!(now["reason"].is_string() && now["advice"].is_string(), "{now}");
    server.start_again();
    caught_up(&admin).await;

    // Then central holds all of it, once.
    assert_eq!(whotbox.terminate(), Some(0));
    let (differ, rows) = differences(folder.path(), &central);
    assert!(differ.is_empty(), "{differ:#?}");
    assert!(rows >= 22, "{rows}");
    let [heads, cursors] = heads_and_cursors(folder.path(), &central);
    assert_eq!(heads, cursors);
    // And the comparison is no formality.
    central.sql("update identity.users set alias = 'Forged' where username = 'early-7'");
    central.sql("delete from identity.users where username = 'early-8'");
    assert_eq!(differences(folder.path(), &central).0.len(), 2);
}

#[test]
fn a_central_that_cannot_be_reached_or_proved_is_a_sentence_a_hint_and_exit_3() {
    let folder = tempfile::tempdir().unwrap();
    let central = Postgres::shared().database();
    let foreign = folder.path().join("foreign.pem");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["other".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(&foreign, certificate.pem()).unwrap();
    // A port that was free a moment ago: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("postgres://o@{free}/central");
    for (url, ca) in [(nobody.as_str(), None), (central.admin_url().as_str(), Some(&foreign))] {
        let mut arguments = vec!["upstream", "migrate", "--admin-url", url];
        if let Some(ca) = ca {
            arguments.extend(["--upstream-ca", ca.to_str().unwrap()]);
        }
        let done = command(folder.path(), &arguments);
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(3), "{said}");
        assert!(said.starts_with("whotbox: ") && said.lines().count() == 2, "{said}");
        assert!(!said.contains("of no worth"), "{said}");
    }
}
