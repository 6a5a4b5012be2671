//! Enrolment in two places: the operator issues a code, the box uses it once.

use replication::admin::{Enrolment, Login, redeem};
use replication::error::Error;
use replication::postgres::Postgres;
use replication::row::Lane;
use replication::upstream::{Report, Upstream};
use uuid::Uuid;

use super::fixture::{EPOCH, Enrolled, PASSWORD, admin, batch, box_id, migrated, settings};
use crate::support::postgres::Database;

/// The password in the code, which is not the one the box will have.
const CODE: &str = "the password of the code, long enough";

/// A token that no other test of this run has.
fn token() -> Uuid {
    box_id()
}

async fn use_code(database: &Database, invited: &Login, box_id: Uuid) -> Result<Login, Error> {
    let starts = Lane::ALL.map(|lane| (lane, 0, [0; 32]));
    let enrolment = Enrolment { box_id, name: "", epoch: EPOCH, password: PASSWORD, starts };
    redeem(&settings(database, &invited.url), &enrolment).await
}

#[tokio::test]
async fn a_code_makes_one_box_and_its_password_dies_with_its_use() {
    let database = migrated().await;
    let invited = admin(&database).invite("Kiosk 7", token(), CODE, 24).await.unwrap();
    // Before it is used it opens nothing.
    let early = Postgres::new(settings(&database, &invited.url)).cursor(Lane::Bulk).await.unwrap_err();
    assert!(matches!(early, Error::NotAllowed { .. }), "{early:?}");

    let login = use_code(&database, &invited, box_id()).await.unwrap();

    Postgres::new(settings(&database, &login.url)).apply(&batch(0, 1)).await.unwrap();
    let again = use_code(&database, &invited, box_id()).await.unwrap_err();
    assert!(matches!(again, Error::NotAllowed { .. }), "{again:?}");
    let with_new_password = use_code(&database, &login, box_id()).await.unwrap_err();
    assert!(matches!(with_new_password, Error::NotAllowed { .. }), "{with_new_password:?}");
    assert_eq!(database.sql("select name, role_name from replication.boxes"), format!("Kiosk 7|{}", login.role));
}

#[tokio::test]
async fn a_code_cannot_take_the_place_of_a_known_box() {
    let known = Enrolled::new().await;
    let invited = admin(&known.database).invite("Kiosk 7", token(), CODE, 24).await.unwrap();

    let error = use_code(&known.database, &invited, known.box_id).await.unwrap_err();

    assert!(matches!(&error, Error::NotAllowed { reason } if reason.contains("known already")), "{error:?}");
    known.upstream.apply(&batch(0, 1)).await.unwrap();
    // The code was not used up by the mistake.
    use_code(&known.database, &invited, box_id()).await.unwrap();
}

#[tokio::test]
async fn a_code_that_has_expired_opens_nothing() {
    let database = migrated().await;
    let error = admin(&database).invite("Kiosk 7", token(), CODE, 0).await.unwrap_err();
    assert!(matches!(error, Error::NotAllowed { .. }), "{error:?}");

    let invited = admin(&database).invite("Kiosk 8", token(), CODE, 24).await.unwrap();
    database.sql("update replication.invitations set expires_at = now() - interval '1 second'");
    let error = use_code(&database, &invited, box_id()).await.unwrap_err();
    assert!(matches!(error, Error::NotAllowed { .. }), "{error:?}");
}

#[tokio::test]
async fn the_operator_sees_the_fleet() {
    let central = Enrolled::alone().await;
    central.upstream.apply(&batch(0, 3)).await.unwrap();
    central.upstream.contact(&Report { software: "0.1.0".to_owned(), clock: 0, ..Report::default() }).await.unwrap();

    let fleet = admin(&central.database).fleet().await.unwrap();

    let [one] = &fleet[..] else { panic!("{fleet:?}") };
    assert_eq!((one.box_id, one.name.as_str(), one.software.as_str()), (central.box_id, "Mama Ngozi", "0.1.0"));
    assert_eq!((one.urgent_seq, one.bulk_seq, one.dead_letters, one.revoked), (0, 3, 0, false));
    assert!(one.silent_seconds < 60 && one.clock_error_seconds.unwrap() < -1_000_000_000, "{one:?}");
}
