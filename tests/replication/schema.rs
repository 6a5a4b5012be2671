//! Central's schema: migrations, what they hold, and the comparison with what boxes describe.

use replication::SCHEMA;
use replication::admin::Migrated;
use replication::catalogue::compare;
use replication::error::Error;
use replication::row::{Column, Table, Type, Value};
use replication::upstream::Upstream;

use super::fixture::{ATTEMPTS, AUDITS, Enrolled, ROUNDS, With, admin, batch, migrated};
use crate::support::postgres::Postgres as Server;

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let database = Server::shared().database();

    assert_eq!(admin(&database).migrate().await.unwrap(), Migrated { from: 0, to: SCHEMA });
    assert_eq!(admin(&database).migrate().await.unwrap(), Migrated { from: SCHEMA, to: SCHEMA });
}

#[tokio::test]
async fn of_four_that_migrate_at_once_one_does_the_work() {
    let database = Server::shared().database();
    let admin = admin(&database);

    let (a, b, c, d) = tokio::join!(admin.migrate(), admin.migrate(), admin.migrate(), admin.migrate());

    let mut from = [a, b, c, d].map(|migrated| migrated.unwrap().from);
    from.sort_unstable();
    assert_eq!(from, [0, SCHEMA, SCHEMA, SCHEMA]);
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/postgres")).unwrap();
    let files = folder.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "sql")).count();
    assert_eq!(database.sql("select count(*) from replication.migrations"), files.to_string());
}

#[tokio::test]
async fn a_newer_central_is_not_migrated() {
    let database = migrated().await;
    database.sql("insert into replication.migrations values (999, 'of tomorrow', '2030-01-01T00:00:00Z', '1')");

    let error = admin(&database).migrate().await.unwrap_err();

    assert!(matches!(error, Error::SchemaTooNew { central: 999, ours: SCHEMA }), "{error:?}");
}

#[tokio::test]
async fn a_box_names_a_central_that_is_too_old_or_too_new_for_it() {
    let central = Enrolled::alone().await;
    central.database.sql(
        "alter table replication.migrations rename to put_away; create table replication.migrations (version int)",
    );
    let error = central.upstream.apply(&batch(0, 1)).await.unwrap_err();
    // The old table's grants are gone too, but the function runs with its owner's.
    assert!(matches!(error, Error::SchemaTooOld { central: 0, .. } | Error::NotAllowed { .. }), "{error:?}");

    let central = Enrolled::alone().await;
    let body = "select 1000::bigint, 900::bigint";
    central.database.sql(&format!(
        "create or replace function replication.schema(out current bigint, out oldest bigint) language sql as '{body}'"
    ));
    let error = central.upstream.apply(&batch(0, 1)).await.unwrap_err();
    assert!(matches!(error, Error::SchemaTooNew { central: 900, .. }), "{error:?}");
}

#[tokio::test]
async fn every_type_arrives_as_it_was_sent() {
    let central = Enrolled::new().await;
    let full = vec![
        Value::Text("Ẹ ku, 'quoted' \\ {a,NULL}".to_owned()),
        Value::BigInt(i64::MIN),
        Value::Bytes(vec![0, 255, 1]),
        Value::Bytes(Vec::new()),
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::BigInt(i64::MAX),
        Value::Bytes(vec![7]),
        Value::Json(r#"{"b": [1, null, "ü"], "a": 1e3}"#.to_owned()),
        Value::Time(-1),
        Value::Time(1_700_000_000_123_456),
    ];
    let mut bare: Vec<Value> = vec![Value::Null; 13];
    for (index, value) in [(0, Value::Text(String::new())), (1, Value::BigInt(0))] {
        bare[index] = value;
    }
    bare[2] = Value::Bytes(vec![1]);
    bare[9] = Value::Bytes(vec![2]);
    let row = |id: &str, values| replication::row::Row { id: id.to_owned(), values };

    central.upstream.apply(&batch(0, 2).put(&ROUNDS, [row("full", full), row("bare", bare)])).await.unwrap();

    let columns = "id, game_id, round, commitment, secret_sealed, seed, starter, actions, result, \
        to_char(started_at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US'), extract(epoch from ended_at)";
    let rows = central
        .database
        .sql(&format!("select {columns} from game.rounds where box_id = '{}' order by id", central.box_id));
    let [bare, full] = rows.lines().collect::<Vec<_>>()[..] else { panic!("{rows}") };
    assert_eq!(bare, r"bare||0|\x01|∅|∅|∅|\x02|∅|∅|∅");
    assert_eq!(
        full,
        "full|Ẹ ku, 'quoted' \\ {a,NULL}|-9223372036854775808|\\x00ff01|\\x|∅|9223372036854775807|\\x07|\
         {\"a\": 1000, \"b\": [1, null, \"ü\"]}|1969-12-31 23:59:59.999999|1700000000.123456"
    );
}

#[tokio::test]
async fn rows_that_are_equal_are_not_written_again() {
    let central = Enrolled::new().await;
    let row = || [super::fixture::attempt("a", "ok")];
    central.upstream.apply(&batch(0, 1).put(&ATTEMPTS, row())).await.unwrap();
    let place = format!("select ctid from identity.user_login_attempts where box_id = '{}'", central.box_id);
    let place = || central.database.sql(&place);
    let before = place();

    central.upstream.apply(&batch(1, 2).put(&ATTEMPTS, row())).await.unwrap();

    assert_eq!(place(), before);
}

#[tokio::test]
async fn the_comparison_names_every_difference() {
    let database = migrated().await;
    let tables = [&ROUNDS, &ATTEMPTS, &AUDITS];
    let found = |text: &[String], what: &str| text.iter().any(|line| line == what);
    let say = async || {
        let differences = compare(&admin(&database), &tables).await.unwrap();
        differences.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let mut clean = say().await;
    // The tables of these tests are those of a box before records, which a newer central takes.
    clean.retain(|line| {
        !line.ends_with("a column record that no box describes") && !line.ends_with("a put function of other arguments")
    });
    assert!(!clean.iter().any(|line| tables.iter().any(|table| line.starts_with(&table.full_name()))), "{clean:?}");
    assert!(found(&clean, "identity.users: is described by no box"), "{clean:?}");

    database.sql(
        "alter table game.rounds alter round type int, drop seed, add shuffled text;
         alter table identity.user_login_attempts alter outcome drop not null;
         drop function chat.put_audits",
    );

    let said = say().await;
    for what in [
        "game.rounds: has round as integer, not as bigint",
        "game.rounds: has no column seed",
        "game.rounds: has a column shuffled that no box describes",
        "identity.user_login_attempts: has outcome nullable, not required",
        "chat.audits: has no function to put rows",
    ] {
        assert!(found(&said, what), "{what} is not among {said:?}");
    }
    static NOWHERE: Table = Table {
        schema: "game",
        name: "nowhere",
        append_only: false,
        columns: &[Column { name: "a", ty: Type::Text, nullable: true }],
    };
    let differences = compare(&admin(&database), &[&NOWHERE]).await.unwrap();
    assert!(differences.iter().any(|one| one.to_string() == "game.nowhere: is not there"), "{differences:?}");
}
