//! What every central promises: the same tests for PostgreSQL, for PostgreSQL with its tables in parts, and for the model in memory.

use replication::digest::{Digester, range};
use replication::error::Error;
use replication::row::{Cursor, Lane, Slice};
use replication::upstream::{Among, Applied, Range, Report, Upstream};
use uuid::Uuid;

use super::fixture::{ATTEMPTS, AUDITS, EPOCH, Enrolled, With, attempt, audit, batch};
use super::kind::{Kind, Model};
use super::layouts::in_parts;

/// Makes a test of PostgreSQL in either layout and one of the model from each function.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        mod postgres {
            use super::Enrolled;
            $(#[tokio::test] async fn $name() { super::$name(&Enrolled::new().await).await; })*
        }
        mod partitioned {
            use super::in_parts;
            $(#[tokio::test] async fn $name() { super::$name(&in_parts().await).await; })*
        }
        mod model {
            use super::Model;
            $(#[tokio::test] async fn $name() { super::$name(&Model::new()).await; })*
        }
    };
}

suite! {
    applies_once_however_often_it_is_sent,
    puts_and_deletes_as_one,
    refuses_what_does_not_start_where_the_lane_stands,
    lanes_are_independent,
    says_hello,
    names_the_rows_it_refuses_and_takes_the_rest,
    audits_are_only_ever_added,
    a_slice_makes_its_range_exact,
    sums_and_lists_of_ranges_are_those_of_the_rows_in_them,
}

async fn applies_once_however_often_it_is_sent(central: &impl Kind) {
    let first = batch(0, 3).put(&ATTEMPTS, [attempt("a", "ok")]);

    assert_eq!(central.upstream().apply(&first).await.unwrap(), Applied::Now);
    assert_eq!(central.upstream().apply(&first).await.unwrap(), Applied::Before);

    assert_eq!(central.upstream().cursor(Lane::Bulk).await.unwrap(), first.end());
    assert_eq!(central.rows(&ATTEMPTS), ["a ok"]);
}

async fn puts_and_deletes_as_one(central: &impl Kind) {
    let first = batch(0, 3).put(&ATTEMPTS, ["a", "b", "c"].map(|id| attempt(id, "wrong")));
    central.upstream().apply(&first).await.unwrap();

    let second =
        batch(3, 9).put(&ATTEMPTS, [attempt("b", "ok"), attempt("d", "ok")]).delete(&ATTEMPTS, &["a", "never"]);
    central.upstream().apply(&second).await.unwrap();

    assert_eq!(central.rows(&ATTEMPTS), ["b ok", "c wrong", "d ok"]);
    assert_eq!(central.upstream().cursor(Lane::Bulk).await.unwrap(), second.end());
}

async fn refuses_what_does_not_start_where_the_lane_stands(central: &impl Kind) {
    let here = batch(0, 3);
    central.upstream().apply(&here).await.unwrap();
    let row = || [attempt("x", "ok")];
    let wrong = [
        ("a gap", batch(4, 5).put(&ATTEMPTS, row())),
        ("an overlap", batch(2, 5).put(&ATTEMPTS, row())),
        ("a chain", replication::row::Batch { prev_chain: [9; 32], ..batch(3, 5).put(&ATTEMPTS, row()) }),
        ("an epoch", replication::row::Batch { epoch: Uuid::from_u128(9), ..batch(3, 5).put(&ATTEMPTS, row()) }),
    ];

    for (what, batch) in wrong {
        let error = central.upstream().apply(&batch).await.unwrap_err();
        assert!(matches!(error, Error::Elsewhere { cursor } if cursor == here.end()), "{what}: {error:?}");
    }

    assert!(central.rows(&ATTEMPTS).is_empty());
    // The lane is none the worse for it.
    central.upstream().apply(&batch(3, 5).put(&ATTEMPTS, row())).await.unwrap();
    assert_eq!(central.rows(&ATTEMPTS), ["x ok"]);
}

async fn lanes_are_independent(central: &impl Kind) {
    central.upstream().apply(&batch(0, 3)).await.unwrap();
    let urgent = replication::row::Batch { lane: Lane::Urgent, ..batch(0, 1) }.put(&AUDITS, [audit("a", "asked")]);

    central.upstream().apply(&urgent).await.unwrap();

    assert_eq!(
        central.upstream().cursor(Lane::Bulk).await.unwrap(),
        Cursor { epoch: EPOCH, seq: 3, chain: batch(0, 3).chain }
    );
    assert_eq!(central.upstream().cursor(Lane::Urgent).await.unwrap(), urgent.end());
}

async fn says_hello(central: &impl Kind) {
    let report = Report { software: "0.1.0".to_owned(), clock: 5, ..Report::default() };

    let greeting = central.upstream().contact(&report).await.unwrap();

    assert_eq!(greeting.epoch, EPOCH);
    assert!(greeting.clock > 0);
}

async fn names_the_rows_it_refuses_and_takes_the_rest(central: &impl Kind) {
    let nul = attempt("nul", "o\0k");
    let long = attempt("long", &"x".repeat(replication::row::MAX_VALUE_BYTES + 1));
    let mistyped = replication::row::Row { values: Vec::new(), ..attempt("mistyped", "ok") };
    let all = batch(0, 9).put(&ATTEMPTS, [attempt("a", "ok"), nul, attempt("b", "ok"), long, mistyped]);

    let Err(Error::Refused(refused)) = central.upstream().apply(&all).await else { panic!("not refused") };

    assert_eq!(refused.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["nul", "long", "mistyped"]);
    assert!(central.rows(&ATTEMPTS).is_empty());
    central.upstream().apply(&all.without(&refused)).await.unwrap();
    assert_eq!(central.rows(&ATTEMPTS), ["a ok", "b ok"]);
}

async fn audits_are_only_ever_added(central: &impl Kind) {
    central.upstream().apply(&batch(0, 1).put(&AUDITS, [audit("a", "asked")])).await.unwrap();

    let rewrite = batch(1, 2).put(&AUDITS, [audit("a", "never asked"), audit("b", "asked")]);
    let Err(Error::Refused(refused)) = central.upstream().apply(&rewrite).await else { panic!("not refused") };
    assert_eq!(refused.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["a"]);
    let gone = batch(1, 2).delete(&AUDITS, &["a"]);
    assert!(matches!(central.upstream().apply(&gone).await, Err(Error::Refused(_))));

    // The same row again is no rewrite.
    central.upstream().apply(&batch(1, 2).put(&AUDITS, [audit("a", "asked"), audit("b", "asked")])).await.unwrap();
    assert_eq!(central.rows(&AUDITS), ["a asked", "b asked"]);
}

async fn a_slice_makes_its_range_exact(central: &impl Kind) {
    let rows = ["a", "b", "c", "d", "e"].map(|id| attempt(id, "old"));
    central.upstream().apply(&batch(0, 1).put(&ATTEMPTS, rows)).await.unwrap();
    let slice = |after: Option<&str>, upto: Option<&str>, rows: &[&str]| Slice {
        epoch: EPOCH,
        table: &ATTEMPTS,
        after: after.map(str::to_owned),
        upto: upto.map(str::to_owned),
        rows: rows.iter().map(|id| attempt(id, "new")).collect(),
    };

    let middle = slice(Some("a"), Some("d"), &["c", "cc"]);
    central.upstream().replace(&middle).await.unwrap();
    central.upstream().replace(&middle).await.unwrap();
    assert_eq!(central.rows(&ATTEMPTS), ["a old", "c new", "cc new", "e old"]);
    central.upstream().replace(&slice(None, None, &["z"])).await.unwrap();
    assert_eq!(central.rows(&ATTEMPTS), ["z new"]);

    let other = Slice { epoch: Uuid::from_u128(9), ..slice(None, None, &[]) };
    assert!(matches!(central.upstream().replace(&other).await, Err(Error::Elsewhere { .. })));
    assert_eq!(central.upstream().cursor(Lane::Bulk).await.unwrap(), batch(0, 1).end());
}

async fn sums_and_lists_of_ranges_are_those_of_the_rows_in_them(central: &impl Kind) {
    let ids = ["a", "a!", "aa", "b", "ba", "z", "ü", "üb"];
    let rows: Vec<_> = ids.iter().map(|id| attempt(id, "ok")).collect();
    central.upstream().apply(&batch(0, 1).put(&ATTEMPTS, rows.clone())).await.unwrap();
    let between = |after, upto| Range { after, upto };
    // Their ends are ids and what lies between, one is empty, and some rows lie in none.
    let ranges = [
        between(None, Some("a")),
        between(Some("a"), Some("aa")),
        between(Some("c"), Some("d")),
        between(Some("ba"), Some("z")),
        between(Some("z"), None),
    ];
    let digester = Digester::new(&ATTEMPTS);
    let digest =
        |ids: &[&str]| range(rows.iter().filter(|row| ids.contains(&row.id.as_str())).map(|row| digester.row(row)));

    let sums = central.upstream().sums(&ATTEMPTS, &ranges).await.unwrap();
    let first = central.upstream().list(&ATTEMPTS, Among::Ranges(&ranges), 4).await.unwrap();
    let all = central.upstream().list(&ATTEMPTS, Among::Ranges(&ranges), 100).await.unwrap();
    let some = central.upstream().list(&ATTEMPTS, Among::Ids(&["b".to_owned(), "c".to_owned()]), 100).await.unwrap();

    let within: [&[&str]; 5] = [&["a"], &["a!", "aa"], &[], &["z"], &["ü", "üb"]];
    let expected: Vec<_> = within.iter().map(|ids| (ids.len() as i64, digest(ids))).collect();
    assert_eq!(sums.ranges, expected);
    let names = |listing: &replication::upstream::Listing| -> Vec<String> {
        listing.rows.iter().map(|(id, _)| id.clone()).collect()
    };
    assert_eq!(names(&first), ["a", "a!", "aa", "z"]);
    assert_eq!(names(&all), ["a", "a!", "aa", "z", "ü", "üb"]);
    assert_eq!(names(&some), ["b"]);
    assert_eq!(all.rows[0].1, digester.row(&rows[0]));
}
