//! Comparing and mending: exactly what differs is named, and exactly that is sent again; what is in motion is not blamed.

use std::collections::BTreeSet;

use replication::digest::{Digester, range};
use replication::postgres::Postgres;
use replication::row::{Row, Value};
use replication::upstream::{Among, Range, Upstream};
use whotbox::store::fault::Fault;
use whotbox::store::page::MAX_PAGE;
use whotbox::store::{dead, meta};
use whotbox::upstream::sender::Step;
use whotbox::upstream::verify::{How, Verifier, VerifyError, mend};

use super::fixture::{Enrolled, ROUNDS, With, batch, settings};
use super::whole::{Whole, id};

fn full() -> bool {
    std::env::var_os("WHOTBOX_FULL").is_some()
}

/// A box at a central of its own, and a second connection to compare by.
async fn given() -> (Enrolled, Whole, Postgres) {
    let central = Enrolled::alone().await;
    let open = || Postgres::new(settings(&central.database, &central.login.url));
    let (whole, second) = (Whole::at(&central, open()).await, open());
    (central, whole, second)
}

fn named(rows: &[whotbox::upstream::verify::Difference]) -> BTreeSet<(String, How)> {
    rows.iter().map(|row| (row.id.clone(), row.how)).collect()
}

#[tokio::test]
async fn five_corrupted_rows_of_many_are_named_and_mended_and_no_other() {
    // Given many rows at central, and five that somebody changed there, took away or added.
    let many: u64 = if full() { 1_000_000 } else { 12_000 };
    let (central, mut whole, upstream) = given().await;
    whole.write(0, many, |n| format!("outcome {n}"));
    whole.send().await;
    let clean = whole.verify(&upstream).await;
    assert_eq!((clean.diverged, clean.rows, clean.tables), (0, many, 4));
    let pick = |nth: u64| (nth * many / 5 + 7 * nth + 3) % many;
    let [changed, whitespace, gone, nulled] = [0, 1, 2, 3].map(|nth| id(pick(nth)).to_string());
    let forged = "018f3a5c-0000-7000-8000-00000000f00d";
    let of = |id: &str| format!("where id = '{id}'");
    let table = "identity.user_login_attempts";
    central.database.sql(&format!("update {table} set outcome = 'forged' {}", of(&changed)));
    central.database.sql(&format!("update {table} set outcome = outcome || ' ' {}", of(&whitespace)));
    central.database.sql(&format!("delete from {table} {}", of(&gone)));
    central.database.sql(&format!("update {table} set at = at + interval '1 microsecond' {}", of(&nulled)));
    central
        .database
        .sql(&format!("insert into {table} values ('{}', '{forged}', 'x', null, 'x', null, now())", central.box_id));
    central.database.sql("create table public.written (id text)");
    central.database.sql(&format!(
        "create function public.note() returns trigger language plpgsql security definer as
           'begin insert into public.written values (coalesce(new.id, old.id)); return null; end';
         create trigger note after insert or update or delete on {table} for each row execute function public.note()"
    ));

    // When they are compared.
    let found = whole.verify(&upstream).await;

    // Then exactly those five are named.
    let five: BTreeSet<(String, How)> = [
        (changed, How::Different),
        (whitespace, How::Different),
        (gone, How::Missing),
        (nulled, How::Different),
        (forged.to_owned(), How::Extra),
    ]
    .into();
    assert_eq!(named(&found.differences), five);
    assert_eq!((found.diverged, found.unsettled, found.rows), (5, 0, many));
    // And mending writes exactly those five.
    assert_eq!(mend(&whole.store, &whole.tables, &found.differences).await.unwrap(), 5);
    whole.send().await;
    let written = central.database.sql("select id from public.written order by id");
    let ids: BTreeSet<String> = five.into_iter().map(|(id, _)| id).collect();
    assert_eq!(written.lines().map(str::to_owned).collect::<BTreeSet<_>>(), ids);
    assert_eq!(whole.verify(&upstream).await.diverged, 0);
    assert_eq!(
        Verifier::new(&whole.store, &whole.tables, &upstream).these(&found.differences).await.unwrap().diverged,
        0
    );
}

#[tokio::test]
async fn a_row_on_its_way_is_not_blamed_and_one_that_was_lost_behind_it_is() {
    let (central, mut whole, upstream) = given().await;
    whole.write(0, 3000, |n| format!("first {n}"));
    whole.send().await;
    // Given changes that central has not been sent, and one row lost there.
    whole.write(10, 40, |n| format!("second {n}"));
    whole.delete(50);
    central.database.sql(&format!("delete from identity.user_login_attempts where id = '{}'", id(77)));

    let while_they_move = async {
        // They are sent while the comparison waits for them.
        let sending = whole.sender.step();
        sending.await
    };
    let (store, tables) = (whole.store.clone(), whole.tables.clone());
    let (found, sent) = tokio::join!(Verifier::new(&store, &tables, &upstream).all(), while_they_move);

    assert_eq!(sent, Step::Moved);
    assert_eq!(named(&found.unwrap().differences), [(id(77).to_string(), How::Missing)].into());
}

#[tokio::test]
async fn what_is_only_ever_added_to_is_named_and_cannot_be_mended_away() {
    let (central, mut whole, upstream) = given().await;
    (1..4).for_each(|n| whole.audit(n));
    whole.send().await;
    central.database.sql(&format!(
        "alter table chat.audits disable trigger user;
         update chat.audits set reason = 'never asked' where id = '{}'; delete from chat.audits where id = '{}'",
        id(1),
        id(2)
    ));
    central.database.sql("alter table chat.audits enable trigger user");

    let found = whole.verify(&upstream).await;

    assert_eq!(
        named(&found.differences),
        [(id(1).to_string(), How::Different), (id(2).to_string(), How::Missing)].into()
    );
    let mendable: Vec<&str> = found.differences.iter().filter(|row| row.mendable).map(|row| row.id.as_str()).collect();
    assert_eq!(mendable, [id(2).to_string()]);
}

#[tokio::test]
async fn another_life_of_the_box_and_a_box_far_behind_are_not_compared() {
    let (central, mut whole, upstream) = given().await;
    whole.write(0, 100, |n| format!("{n}"));
    whole.send().await;
    central.database.sql("update replication.boxes set epoch = gen_random_uuid()");
    let other = Verifier::new(&whole.store, &whole.tables, &upstream).all().await;
    assert!(matches!(other, Err(VerifyError::OtherEpoch)), "{other:?}");
    let restarted = whole.store.write_blocking(|tx, _| meta::start_log(tx, uuid::Uuid::from_u128(5)));
    restarted.map_err(|fault: Fault| fault).unwrap();
    let behind = Verifier::new(&whole.store, &whole.tables, &upstream).all().await;
    assert!(matches!(behind, Err(VerifyError::Behind(_))), "{behind:?}");
}

#[tokio::test]
async fn digests_are_the_same_in_sql_and_here_for_every_type() {
    let central = Enrolled::new().await;
    let json = [
        r#"{"b": [1, null, "ü"], "a": 1e3, "aa": -0.50, "b": {"x": 1.5e-3}}"#,
        r#"[]"#,
        r#" { } "#,
        r#""tab\t \u0041 \ud83d\ude00 \/ \u001f \" \\""#,
        r#"[-0, 0.0, 12345678901234567890123, 1E+2, 100e-2, true, false]"#,
    ];
    let row = |n: usize, json: &str| Row {
        id: format!("row {n} ü"),
        values: vec![
            Value::Text("Ẹ ku, 'quoted' \\ {a,NULL}".to_owned()),
            Value::BigInt(i64::MIN + i64::try_from(n).unwrap()),
            Value::Bytes(vec![0, 255, 1]),
            Value::Bytes(Vec::new()),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::BigInt(i64::MAX),
            Value::Bytes(vec![7]),
            Value::Json(json.to_owned()),
            Value::Time(-1),
            Value::Time(1_700_000_000_123_456),
        ],
    };
    let rows: Vec<Row> = json.iter().enumerate().map(|(n, json)| row(n, json)).collect();
    central.upstream.apply(&batch(0, 1).put(&ROUNDS, rows.clone())).await.unwrap();
    let digester = Digester::new(&ROUNDS);
    let ours: Vec<_> = rows.iter().map(|row| (row.id.clone(), digester.row(row))).collect();

    let theirs = central.upstream.list(&ROUNDS, Among::Ranges(&[Range::default()]), 100).await.unwrap();
    let above_first = [Range { after: Some("row 0 ü"), upto: None }];
    let sums = central.upstream.sums(&ROUNDS, &above_first).await.unwrap();

    for ((id, our), (_, their)) in ours.iter().zip(&theirs.rows) {
        let text = central.database.sql(&format!("select result from game.rounds where id = '{id}'"));
        assert_eq!(our, their, "{id}: {text}");
    }
    assert_eq!(theirs.rows.len(), json.len());
    assert_eq!(sums.ranges, [(4, range(ours.iter().skip(1).map(|(_, digest)| *digest)))]);
    assert_eq!(sums.at.bulk, 1);
}

#[tokio::test]
async fn one_poison_row_in_many_is_listed_all_others_arrive_and_it_goes_when_the_cause_is_mended() {
    let many: u64 = if full() { 100_000 } else { 5000 };
    let (central, mut whole, upstream) = given().await;
    central.database.sql("alter table identity.user_login_attempts add constraint cause check (outcome <> 'poison')");
    let poison = many / 2 + 1;
    whole.write(0, many, |n| if n == poison { "poison".to_owned() } else { format!("fine {n}") });

    whole.send().await;

    let held = central.database.sql("select count(*) from identity.user_login_attempts");
    assert_eq!(held, (many - 1).to_string());
    let listed = dead::list(&whole.store.read().unwrap(), MAX_PAGE).unwrap();
    let [letter] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((letter.id.as_str(), letter.tries), (id(poison).to_string().as_str(), 1));
    assert!(letter.reason.contains("cause"), "{}", letter.reason);
    // Central has the list too, and the comparison does not take it for a copy that drifts.
    let at_central = "select row_id || ' ' || tries from replication.dead_letters";
    assert_eq!(central.database.sql(at_central), format!("{} 1", id(poison)));
    let found = whole.verify(&upstream).await;
    assert_eq!((found.diverged, found.dead_letters), (0, 1));

    // Driven again too early it stays, and says that it was tried.
    drive(&whole);
    whole.send().await;
    assert_eq!(central.database.sql(at_central), format!("{} 2", id(poison)));
    central.database.sql("alter table identity.user_login_attempts drop constraint cause");
    drive(&whole);
    whole.send().await;
    assert_eq!(central.database.sql("select count(*) from identity.user_login_attempts"), many.to_string());
    assert_eq!(central.database.sql("select count(*) from replication.dead_letters"), "0");
    assert_eq!(whole.verify(&upstream).await.dead_letters, 0);
}

#[tokio::test]
async fn a_whole_batch_of_poison_is_listed_in_one_go() {
    let (central, mut whole, _) = given().await;
    central.database.sql("alter table identity.user_login_attempts add constraint cause check (outcome <> 'poison')");
    whole.write(0, 350, |n| if n % 10 == 9 { "fine".to_owned() } else { "poison".to_owned() });

    whole.send().await;

    assert_eq!(central.database.sql("select count(*) from identity.user_login_attempts"), "35");
    assert_eq!(dead::list(&whole.store.read().unwrap(), MAX_PAGE).unwrap().len(), 315);
    assert_eq!(central.database.sql("select count(*) from replication.dead_letters"), "315");
}

fn drive(whole: &Whole) {
    let tables = whole.tables.clone();
    let driven = whole.store.write_blocking(move |tx, _| dead::drive_again(tx, &tables, None));
    assert_eq!(driven.map_err(|fault: Fault| fault).unwrap(), 1);
}
