//! Boxes and centrals of different versions: expand, migrate, contract (docs/decisions/0040-mixed-versions.md).

use replication::SCHEMA;
use replication::error::Error;
use whotbox::upstream::compare;
use whotbox::upstream::courier::CourierError;
use whotbox::upstream::directives::poll;
use whotbox::upstream::reconcile::{State, examine};

use replication::postgres::Postgres as Central;

use super::far::Far;
use super::fixture::{ATTEMPTS, Enrolled, With, admin, attempt, batch, migrated};
use crate::support::postgres::{Database, Postgres};

/// The oldest central that a box of today takes.
const OLDEST: i64 = 8;

async fn of_version(version: i64) -> Database {
    let database = Postgres::shared().database();
    assert_eq!(admin(&database).migrate_to(version).await.unwrap().to, version);
    database
}

/// A box of today does its day's work there: sends, compares, takes orders, sees how it stands.
async fn works(far: &Far, name: &str) {
    far.user(name).await;
    assert!(compare::sent(&far.app, &far.link).await.unwrap());
    assert!(far.users().contains(name));
    assert_eq!(far.diverged().await, 0);
    let box_id = far.app.box_id;
    let order = format!("select replication.direct('{box_id}', 'suspend', '{{\"username\": \"{name}\"}}')");
    far.database.sql_as(&far.database.admin_url(), &order).unwrap();
    let central = Central::new(compare::settings(&far.app).unwrap().unwrap());
    assert_eq!(poll(&far.app, &central).await.unwrap(), 1);
    assert!(compare::sent(&far.app, &far.link).await.unwrap());
    assert_eq!(examine(&far.app).await.unwrap().state, State::InStep);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_of_today_works_with_every_central_since_the_oldest_and_through_its_migration() {
    for version in OLDEST..SCHEMA {
        let far = Far::at(of_version(version).await, 3).await;
        works(&far, "ada").await;
        if version < replication::courier::HAS_COURIERS {
            let bundle = far.export().await;
            let error = far.apply(&bundle).await.unwrap_err();
            assert!(matches!(error, CourierError::Central(Error::SchemaTooOld { .. })), "{version}: {error}");
        }
        // Central is migrated under it, and it goes on.
        admin(&far.database).migrate().await.unwrap();
        works(&far, "bola").await;
    }
    // Negative control: one that is older still is named.
    let old = of_version(OLDEST - 1).await;
    let error = admin(&old).fleet().await.unwrap_err();
    assert!(matches!(error, Error::SchemaTooOld { .. } | Error::Broken { .. }), "{error:?}");
}

/// What a version of tomorrow may bring without asking anything of a box of today: a column, a table, a function.
const TOMORROW: &str = "
    alter table identity.users add column nickname text;
    do $$ declare verb text; begin
      foreach verb in array array['put_', 'drop_', 'keep_'] loop execute format('drop function identity.%I', verb || 'users'); end loop;
      perform replication.add_functions('identity', 'users', false);
    end $$;
    select replication.add_table('identity', 'nicknames', 'nickname text not null');
    insert into replication.migrations (version, name, applied_on, checksum) values (999, 'of tomorrow', '2030-01-01T00:00:00Z', '1');";

#[tokio::test(flavor = "multi_thread")]
async fn a_box_of_today_works_with_a_central_of_tomorrow() {
    for layout in ["single", "partitioned"] {
        let database = migrated().await;
        if layout == "partitioned" {
            admin(&database).lay_out(layout, 3, &[]).await.unwrap();
        }
        let far = Far::at(database.clone(), 4).await;
        works(&far, "ada").await;
        database.sql_as(&database.admin_url(), TOMORROW).unwrap();
        works(&far, "bola").await;
        far.trip().await;
        // The new table lies as the others do, and what came before has no nickname.
        let split = "select count(*) > 0 from replication.tables where name = 'nicknames' and partitioned";
        assert_eq!(database.sql(split), if layout == "partitioned" { "t" } else { "f" });
        assert_eq!(database.sql("select count(nickname) from identity.users"), "0");
        assert!(matches!(admin(&database).migrate().await, Err(Error::SchemaTooNew { central: 999, .. })));
    }
}

#[tokio::test]
async fn a_box_of_before_goes_on_at_a_central_of_today() {
    // The tables of these tests are those of a box before records: it names fewer columns, and says so with its version.
    let central = Enrolled::alone().await;
    use replication::upstream::Upstream as _;
    central.upstream.apply(&batch(0, 2).put(&ATTEMPTS, [attempt("a", "ok")])).await.unwrap();
    let oldest = central.database.sql("select oldest from replication.schema()");
    assert!(oldest.parse::<i64>().unwrap() < SCHEMA, "central still takes boxes of before");
    assert_eq!(
        central.database.sql("select count(record) || ' of ' || count(*) from identity.user_login_attempts"),
        "0 of 1"
    );
}
