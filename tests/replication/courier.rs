//! Replication by hand: bundles and acknowledgements between a whole box and a real central, in every order that couriers come in.

use replication::row::Lane;
use serde_json::json;
use whotbox::cli::control::{Request, perform};
use whotbox::store::{dead, meta};
use whotbox::upstream::compare;
use whotbox::upstream::courier::CourierError;
use whotbox::upstream::courier::export::export;

use super::far::Far;

#[tokio::test(flavor = "multi_thread")]
async fn a_stick_brings_changes_there_and_orders_back() {
    // Given a box with people, whose line is gone, and an order that waits for it.
    let far = Far::new().await;
    far.user("ngozi").await;
    far.user("emeka").await;
    let box_id = far.app.box_id;
    let order = format!("select replication.direct('{box_id}', 'suspend', '{{\"username\": \"ngozi\"}}')");
    far.database.sql_as(&far.database.admin_url(), &order).unwrap();

    // When a courier goes there and back.
    let (delivered, imported) = far.trip().await;

    // Then central has everything, the box knows it, and the order is carried out.
    assert_eq!(far.users(), "emeka ngozi");
    assert!(delivered.entries > 0 && delivered.refused == 0 && delivered.number == 1);
    assert_eq!(imported.orders, 1);
    let listed = perform(&far.app, &far.link, Request::UserList { role: None }).await.unwrap();
    let of = |name: &str| listed.as_array().unwrap().iter().find(|user| user["username"] == name).cloned().unwrap();
    assert_eq!((&of("ngozi")["status"], &of("emeka")["status"]), (&json!("suspended"), &json!("active")));
    assert!(far.link.status.known().last_sync_at.is_some());
    // Only what the order brought about waits; the next trip brings the answer, and both copies are the same.
    assert_eq!(imported.backlog, far.backlog());
    far.trip().await;
    assert_eq!(far.backlog(), 0);
    assert_eq!(far.database.sql("select seq || ' ' || outcome from replication.answers"), "1 applied");
    assert_eq!(far.database.sql("select count(*) || ' ' || sum(refused) from replication.couriers"), "2 0");
    assert_eq!(far.diverged().await, 0);
    // Nothing of it lies anywhere in clear, nor half written.
    let names: Vec<String> = std::fs::read_dir(far.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
    for name in names.iter().filter(|name| name.starts_with("whotbox-")) {
        let bytes = std::fs::read(far.folder.path().join(name)).unwrap();
        assert!(!bytes.windows(5).any(|five| five == b"ngozi" || five == b"users"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bundles_twice_late_lost_and_out_of_order_change_nothing_that_is_not_due() {
    let far = Far::new().await;
    far.user("ada").await;
    let first = far.export().await;
    far.user("bola").await;
    let second = far.export().await;
    far.user("chike").await;
    let _lost = far.export().await;

    // The second holds the first.
    let later = far.apply(&second).await.unwrap();
    assert_eq!(far.users(), "ada bola");
    let before = far.central();
    for bundle in [&first, &second, &first] {
        let again = far.apply(bundle).await.unwrap();
        assert_eq!((again.entries, again.rows), (0, 0));
        assert_eq!(far.central(), before);
    }
    let earlier = far.apply(&first).await.unwrap();

    // Acknowledgements in the wrong order: the older one tells nothing new, and nothing is taken back.
    let taken = far.import(&earlier.ack).await.unwrap();
    assert!(!taken.older && taken.confirmed > 0);
    let waiting = far.backlog();
    let older = far.import(&later.ack).await.unwrap();
    assert!(older.older);
    assert_eq!(far.backlog(), waiting);

    far.trip().await;
    assert_eq!(far.users(), "ada bola chike");
    assert_eq!(far.diverged().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_in_between_and_a_courier_do_each_others_work_no_harm() {
    // Given a bundle on its way, and a line that came back meanwhile and took half of it and more.
    let far = Far::new().await;
    for name in ["ada", "bola", "chike"] {
        far.user(name).await;
    }
    let bundle = far.export().await;
    assert!(compare::sent(&far.app, &far.link).await.unwrap());
    far.user("dayo").await;
    assert!(compare::sent(&far.app, &far.link).await.unwrap());
    let before = far.central();

    // When the courier arrives after all, the bundle is known, and its acknowledgement harms nothing.
    let late = far.apply(&bundle).await.unwrap();
    assert_eq!((late.entries, far.central()), (0, before));
    far.import(&late.ack).await.unwrap();
    assert_eq!(far.backlog(), 0);

    // And where the line took only the beginning, the courier brings the rest: from the middle of a batch.
    far.user("efe").await;
    assert!(compare::sent(&far.app, &far.link).await.unwrap());
    let (seq, chain) = {
        let ack = meta::lane_ack(&far.app.store.read().unwrap(), Lane::Urgent).unwrap();
        (ack.seq, ack.chain)
    };
    for name in ["femi", "gozie"] {
        far.user(name).await;
    }
    let bundle = far.export().await;
    assert!(compare::sent(&far.app, &far.link).await.unwrap());
    let entry = {
        let read = far.app.store.read().unwrap();
        whotbox::store::change::entries_after(&read, Lane::Urgent, seq, 1).unwrap().remove(0)
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let set = |seq: u64, chain: &[u8]| {
        format!("update replication.cursors set seq = {seq}, chain = '\\x{}' where lane = 'urgent'", hex(chain))
    };
    far.database.sql(&set(entry.seq, &entry.chain));
    let rest = far.apply(&bundle).await.unwrap();
    assert!(rest.entries > 0);
    far.import(&rest.ack).await.unwrap();
    assert_eq!((far.backlog(), far.diverged().await), (0, 0));

    // Negative control: the same number with another history is refused, and nothing of the bundle is applied.
    far.database.sql(&set(entry.seq, &[9; 32]));
    assert!(matches!(far.apply(&bundle).await, Err(CourierError::OtherHistory { lane: "urgent", .. })));
    far.database.sql(&set(seq, &chain));
    far.apply(&bundle).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_central_that_was_set_back_says_so_and_the_next_bundle_fits() {
    // Given a central that has lost what it had acknowledged.
    let far = Far::new().await;
    far.user("ada").await;
    far.trip().await;
    far.database.sql(
        "delete from identity.users; update replication.cursors set seq = 0, chain = decode(repeat('00', 32), 'hex')",
    );
    far.user("bola").await;

    // When the next bundle comes, it does not fit and says what is missing; nothing was changed.
    let bundle = far.export().await;
    let before = far.central();
    let error = far.apply(&bundle).await.unwrap_err();
    assert!(matches!(error, CourierError::Missing { central: 0, last: 1, .. }), "{error}");
    assert_eq!(far.central(), before);

    // Then the box learns it from the acknowledgement, and the next bundle holds everything.
    let ack = bundle.with_extension("ack");
    assert!(far.import(&ack).await.unwrap().rewound);
    far.trip().await;
    assert_eq!(far.users(), "ada bola");
    assert_eq!((far.backlog(), far.diverged().await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_tampered_foreign_and_outdated_files_are_told_apart_and_change_nothing() {
    let far = Far::new().await;
    let other = Far::at(far.database.clone(), 2).await;
    far.user("ada").await;
    let bundle = far.export().await;
    let before = far.central();
    let whole = std::fs::read(&bundle).unwrap();
    let spoilt = far.folder.path().join("spoilt");
    for bytes in [&whole[..whole.len() / 2], &whole[..whole.len() - 1], &[], b"not ours at all"] {
        std::fs::write(&spoilt, bytes).unwrap();
        assert!(matches!(far.apply(&spoilt).await, Err(CourierError::Damaged)), "{} bytes", bytes.len());
    }
    for at in [whole.len() / 3, whole.len() / 2, whole.len() - 40] {
        let mut bent = whole.clone();
        bent[at] ^= 4;
        std::fs::write(&spoilt, bent).unwrap();
        assert!(matches!(far.apply(&spoilt).await, Err(CourierError::Damaged)), "byte {at}");
    }
    assert!(matches!(other.apply(&bundle).await, Err(CourierError::OtherKey)));
    assert!(matches!(far.apply(&far.folder.path().join("nothing")).await, Err(CourierError::File { .. })));
    assert_eq!(far.central(), before);

    // An acknowledgement of another box, of another life, and one that was made up.
    let ack = far.apply(&bundle).await.unwrap().ack;
    assert!(matches!(other.import(&ack).await, Err(CourierError::OtherBox(_))));
    let mut bent = std::fs::read(&ack).unwrap();
    let last = bent.len() - 1;
    bent[last] ^= 1;
    std::fs::write(&spoilt, bent).unwrap();
    assert!(matches!(far.import(&spoilt).await, Err(CourierError::Damaged)));
    assert!(far.backlog() > 0);
    far.enroll().await;
    assert!(matches!(far.import(&ack).await, Err(CourierError::OtherLife)));
    assert!(matches!(far.apply(&bundle).await, Err(CourierError::Central(_)) | Err(CourierError::OtherLife)));
    // A stick that cannot be written leaves no file of that name.
    let full = far.folder.path().join("full");
    assert!(export(&far.app, &far.key.public().unwrap(), &full).await.is_err());
    // And in the end everything arrives.
    far.trip().await;
    assert_eq!((far.users().as_str(), far.backlog(), far.diverged().await), ("ada", 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_central_refuses_is_listed_on_both_sides_until_it_arrives() {
    let far = Far::new().await;
    far.database.sql("alter table identity.users add constraint nobody check (username <> 'nobody')");
    for name in ["ada", "nobody", "bola"] {
        far.user(name).await;
    }
    let (delivered, imported) = far.trip().await;
    assert_eq!((far.users().as_str(), delivered.refused, imported.refused), ("ada bola", 1, 1));
    assert_eq!(far.database.sql("select count(*) from replication.courier_refusals where reason like '%nobody%'"), "1");
    let letters = || dead::list(&far.app.store.read().unwrap(), 10).unwrap().len();
    assert_eq!(letters(), 1);

    // Mended at central and driven again, it goes with the next courier.
    far.database.sql("alter table identity.users drop constraint nobody");
    let tables = whotbox::catalog::tables();
    far.app.store.write_blocking(move |tx, _| dead::drive_again(tx, &tables, None)).unwrap();
    far.trip().await;
    assert_eq!((far.users().as_str(), letters()), ("ada bola nobody", 0));
    far.trip().await;
    assert_eq!((far.backlog(), far.diverged().await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn within_one_life_of_a_box_one_key_signs() {
    let far = Far::new().await;
    far.user("ada").await;
    far.trip().await;
    far.database.sql("update replication.courier_bundles set signer = '\\x00'");
    let bundle = far.export().await;
    let said = far.apply(&bundle).await.unwrap_err().to_string();
    assert!(said.contains("signed by another key"), "{said}");
}
