//! Central in another layout: what holds for one table holds for a table in parts, here and on other servers.

use std::sync::atomic::{AtomicU32, Ordering};

use replication::admin::Admin;
use replication::postgres::Postgres as Central;
use replication::upstream::{Applied, Upstream};
use tokio::sync::OnceCell;

use super::far::Far;
use super::fixture::{ATTEMPTS, AUDITS, Enrolled, With, admin, attempt, audit, batch, migrated};
use super::whole::Whole;
use crate::support::postgres::{Database, Postgres};
use whotbox::upstream::compare;

/// Parts of each table in these tests.
const PARTS: u16 = 5;

async fn partitioned() -> Database {
    let database = migrated().await;
    assert!(admin(&database).lay_out("partitioned", PARTS, &[]).await.unwrap());
    database
}

/// A box at a database in parts that other tests' boxes use too.
pub(super) async fn in_parts() -> Enrolled {
    static SHARED: OnceCell<Database> = OnceCell::const_new();
    let database = SHARED.get_or_init(partitioned).await.clone();
    assert_eq!(database.sql("select count(*) from replication.tables where not partitioned"), "0");
    Enrolled::at(database).await
}

/// Two further servers that hold their share of the parts, and the database in front of them.
struct Spread {
    database: Database,
    others: [Database; 2],
    _servers: [Postgres; 2],
}

impl Spread {
    async fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let servers = [Postgres::start(), Postgres::start()];
        let others = [servers[0].database(), servers[1].database()];
        let database = migrated().await;
        database.sql("create extension postgres_fdw; grant usage on foreign data wrapper postgres_fdw to operator");
        let mut names = Vec::new();
        for other in &others {
            let name = format!("far{}", NUMBER.fetch_add(1, Ordering::Relaxed));
            let (port, db) = (other.port(), &other.name);
            let server = format!(
                "create server {name} foreign data wrapper postgres_fdw options (host '127.0.0.1', port '{port}', dbname '{db}');
                 create user mapping for operator server {name} options (user 'operator', password 'of no worth')"
            );
            database.sql_as(&database.admin_url(), &server).unwrap();
            names.push(name);
        }
        let listed = format!("array['{}']", names.join("','"));
        for (number, other) in others.iter().enumerate() {
            let ddl = database.sql(&format!("select replication.remote_tables({PARTS}, {listed}, {})", number + 1));
            other.sql_as(&other.admin_url(), &ddl).unwrap();
        }
        let servers_named: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(admin(&database).lay_out("partitioned", PARTS, &servers_named).await.unwrap());
        Self { database, others, _servers: servers }
    }
}

/// What every layout must do for one box: batches once, rows changed and gone, audits only added.
async fn holds_for(central: &Enrolled) {
    let upstream = &central.upstream;
    let first =
        batch(0, 3).put(&ATTEMPTS, ["a", "b", "c"].map(|id| attempt(id, "wrong"))).put(&AUDITS, [audit("a", "asked")]);
    assert_eq!(upstream.apply(&first).await.unwrap(), Applied::Now);
    assert_eq!(upstream.apply(&first).await.unwrap(), Applied::Before);
    let second = batch(3, 9)
        .put(&ATTEMPTS, [attempt("b", "ok"), attempt("d", "ok")])
        .put(&AUDITS, [audit("a", "asked"), audit("b", "asked")])
        .delete(&ATTEMPTS, &["a", "never"]);
    assert_eq!(upstream.apply(&second).await.unwrap(), Applied::Now);
    let rows = |table: &str, column: &str| {
        let box_id = central.box_id;
        let sql =
            format!("select string_agg(id || ' ' || {column}, ',' order by id) from {table} where box_id = '{box_id}'");
        central.database.sql_as(&central.database.admin_url(), &sql).unwrap()
    };
    assert_eq!(rows("identity.user_login_attempts", "outcome"), "b ok,c wrong,d ok");
    assert_eq!(rows("chat.audits", "reason"), "a asked,b asked");
    let rewrite = batch(9, 10).put(&AUDITS, [audit("a", "never asked"), audit("c", "asked")]);
    assert!(upstream.apply(&rewrite).await.is_err(), "an audit is never written anew");
    assert_eq!(rows("chat.audits", "reason"), "a asked,b asked");
}

#[tokio::test]
async fn a_central_with_rows_is_split_and_nobody_notices() {
    // Given a central with the rows of a whole box, and everything that is said of its tables and views.
    let database = migrated().await;
    let far = Far::at(database.clone(), 5).await;
    far.user("ada").await;
    assert!(compare::sent(&far.app, &far.link).await.unwrap());
    let said = "select md5(string_agg(d, ' ' order by d)) from (
        select n.nspname || '.' || c.relname || coalesce(obj_description(c.oid), '') || coalesce(a.attname, '') || coalesce(col_description(c.oid, a.attnum), '')
               || has_table_privilege(replication.reader_group(), c.oid, 'select') as d
          from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
         where n.nspname in ('identity', 'customer', 'game', 'chat', 'replication') and c.relkind in ('r', 'p', 'v') and not c.relispartition) s";
    let (before, rows) = (database.sql(said), far.users());

    // When it is split, then it is the same to whoever looks, and the box goes on.
    assert!(admin(&database).lay_out("partitioned", PARTS, &[]).await.unwrap());
    assert!(!admin(&database).lay_out("partitioned", PARTS, &[]).await.unwrap(), "a second time changes nothing");
    assert_eq!((database.sql(said), far.users()), (before, rows));
    assert_eq!(database.sql("select count(*) from replication.tables where not partitioned"), "0");
    far.user("bola").await;
    assert!(compare::sent(&far.app, &far.link).await.unwrap());
    assert_eq!((far.users().as_str(), far.diverged().await), ("ada bola", 0));
    assert_eq!(database.sql("select count(*) from replication.box_status where state <> 'revoked'"), "1");
    // Another layout on top is refused by name, and so is one that this server has not.
    assert!(admin(&database).lay_out("citus", PARTS, &[]).await.unwrap_err().to_string().contains("single alone"));
    let plain: Admin = admin(&migrated().await);
    assert!(plain.lay_out("citus", PARTS, &[]).await.unwrap_err().to_string().contains("no citus"));
}

#[tokio::test]
async fn batches_and_comparing_are_the_same_in_parts() {
    let database = partitioned().await;
    holds_for(&Enrolled::at(database.clone()).await).await;
    let central = Enrolled::at(database.clone()).await;
    let mut whole = Whole::at(&central, Central::new(super::fixture::settings(&database, &central.login.url))).await;
    whole.write(0, 300, |n| format!("row {n}"));
    whole.delete(7);
    whole.audit(1);
    whole.send().await;
    let found = whole.verify(&central.upstream).await;
    assert_eq!((found.diverged, found.unsettled, found.rows > 290), (0, 0, true));
    // What a box may reach is no more than before: neither a table nor a part of it.
    let parts = database.sql(
        "select string_agg(c.oid::regclass::text, ' ') from pg_class c where c.relispartition and c.relkind = 'r'",
    );
    assert!(parts.split(' ').count() > 50);
    for part in parts.split(' ').take(12) {
        assert!(database.sql_as(&central.login.url, &format!("select * from {part}")).is_err(), "{part}");
    }
    // Negative control: the part that holds a row is read by who may.
    let held = "select count(*) from identity.user_login_attempts";
    assert_ne!(database.sql(held), "0");
}

#[tokio::test]
async fn parts_may_lie_on_two_other_servers() {
    let spread = Spread::new().await;
    // Boxes enough that each server has some.
    for _ in 0..6 {
        holds_for(&Enrolled::at(spread.database.clone()).await).await;
    }
    let here = "select count(*) from identity.user_login_attempts";
    assert_eq!(spread.database.sql_as(&spread.database.admin_url(), here).unwrap(), "18");
    for other in &spread.others {
        let parts = other.sql("select string_agg(format('(select count(*) from %I.%I)', schemaname, tablename), ' + ') from pg_tables where tablename like 'user_login_attempts_p%'");
        let count: u64 = other.sql(&format!("select {parts}")).parse().unwrap();
        assert_eq!(count % 3, 0, "three rows of each box");
    }
    // A whole box over it, compared row by row.
    let central = Enrolled::at(spread.database.clone()).await;
    let settings = super::fixture::settings(&spread.database, &central.login.url);
    let mut whole = Whole::at(&central, Central::new(settings)).await;
    whole.write(0, 60, |n| format!("row {n}"));
    whole.send().await;
    whole.write(30, 60, |n| format!("again {n}"));
    whole.delete(3);
    whole.send().await;
    let found = whole.verify(&central.upstream).await;
    assert_eq!((found.diverged, found.unsettled), (0, 0));
}
