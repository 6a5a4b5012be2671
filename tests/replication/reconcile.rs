//! Boxes and centrals that have parted: each state has its name, says what either side has alone, and has a way back.

use replication::row::Lane;
use uuid::Uuid;
use whotbox::base::time::Timestamp;
use whotbox::store::fault::Fault;
use whotbox::store::meta;
use whotbox::upstream::compare;
use whotbox::upstream::reconcile::{Kept, ReconcileError, State, examine, keep_box};

use super::far::Far;

async fn keep(far: &Far, alone: bool) -> Result<Kept, ReconcileError> {
    let ca = far.database.ca_file();
    keep_box(&far.app, &far.link, &far.operator(), Some(&ca), alone).await
}

async fn state(far: &Far) -> State {
    examine(&far.app).await.unwrap().state
}

/// Both agree again, and hold these people.
async fn settled(far: &Far, users: &str) {
    assert_eq!(state(far).await, State::InStep);
    assert_eq!((far.users().as_str(), far.diverged().await), (users, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_copies_is_kept_and_the_other_is_fenced() {
    // Given a box whose disk was copied, and both copies that went on.
    let far = Far::new().await;
    far.user("ada").await;
    assert!(compare::sent(&far.app, &far.link).await.unwrap());
    assert!(matches!(keep(&far, true).await, Err(ReconcileError::Nothing)));
    let [first, second] = far.cloned();
    first.user("bola").await;
    assert!(compare::sent(&first.app, &first.link).await.unwrap());
    second.user("chike").await;

    // When the copy looks, it changes nothing and says what each side has alone.
    let before = first.central();
    let found = examine(&second.app).await.unwrap();
    assert_eq!(found.state, State::OtherCopy);
    let users = found.tables.iter().find(|count| count.table == "identity.users").unwrap();
    assert_eq!((users.here, users.central, users.only_here, users.only_central), (2, 2, 1, 1));
    assert_eq!(first.central(), before);

    // Then it is not taken while the other has just written, and it is when somebody says that the other has ended.
    assert!(matches!(keep(&second, false).await, Err(ReconcileError::StillRuns(0..300))));
    assert_eq!(first.central(), before);
    let kept = keep(&second, true).await.unwrap();
    assert_eq!(kept.before, State::OtherCopy);
    settled(&second, "ada chike").await;
    assert!(!compare::sent(&first.app, &first.link).await.unwrap());
    assert_eq!(state(&first).await, State::Unknown, "its login was given to the other");
    assert_eq!(second.users(), "ada chike");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_box_is_told_from_a_copy() {
    let far = Far::new().await;
    far.user("ada").await;
    assert!(compare::sent(&far.app, &far.link).await.unwrap());
    // A restore begins a new life of the log, which knows the one before.
    let begun: Result<(), Fault> = far.app.store.write(|tx, _| meta::start_log(tx, Uuid::from_u128(5))).await;
    begun.unwrap();
    far.user("bola").await;
    assert_eq!(state(&far).await, State::Restored);

    assert_eq!(keep(&far, false).await.unwrap().before, State::Restored);
    settled(&far, "ada bola").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_central_that_was_set_back_is_fed_as_far_as_the_log_reaches_and_filled_anew_beyond() {
    let far = Far::new().await;
    far.user("ada").await;
    assert!(compare::sent(&far.app, &far.link).await.unwrap());
    far.database.sql(
        "delete from identity.users; update replication.cursors set seq = 0, chain = decode(repeat('00', 32), 'hex')",
    );
    let found = examine(&far.app).await.unwrap();
    assert_eq!(found.state, State::Rewound);
    assert_eq!(
        found.tables.iter().map(|count| (count.table.as_str(), count.only_here)).next(),
        Some(("identity.users", 1))
    );
    assert!(compare::sent(&far.app, &far.link).await.unwrap());
    settled(&far, "ada").await;

    // And again, after the log was trimmed.
    let later = Timestamp::from_micros(i64::MAX / 2);
    for lane in Lane::ALL {
        let trimmed: Result<usize, Fault> =
            far.app.store.write(move |tx, _| meta::trim(tx, lane, later, 100_000)).await;
        trimmed.unwrap();
    }
    far.database.sql(
        "delete from identity.users; update replication.cursors set seq = 0, chain = decode(repeat('00', 32), 'hex')",
    );
    assert_eq!(state(&far).await, State::CentralRestored);
    assert_eq!(keep(&far, false).await.unwrap().before, State::CentralRestored);
    settled(&far, "ada").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_central_that_does_not_know_the_box_is_told_so() {
    let far = Far::new().await;
    far.user("ada").await;
    let box_id = far.app.box_id;
    far.database.sql_as(&far.database.admin_url(), &format!("select replication.revoke('{box_id}')")).unwrap();
    assert_eq!(state(&far).await, State::Unknown);
    keep(&far, false).await.unwrap();
    settled(&far, "ada").await;
}
