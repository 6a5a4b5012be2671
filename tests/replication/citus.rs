//! What Citus asks of a schema that is distributed by box, read off every table and every statement that a box can make central run: no Citus is
//! at hand here, so its rules are checked where they can be broken. Each rule has planted samples that it must find.

use super::fixture::{ATTEMPTS, AUDITS, settings};
use super::fixture::{Enrolled, With, admin, attempt, audit, batch, migrated};
use super::whole::Whole;
use crate::support::postgres::Database;
use replication::postgres::Postgres;
use replication::upstream::Upstream;

/// Tables that are to be distributed, as a list for SQL.
const DISTRIBUTED: &str = "(select format('%I.%I', schema, name)::regclass from replication.tables)";

/// Rules of tables: what breaks each, by name.
fn tables_against_the_rules(database: &Database) -> Vec<String> {
    let rules = [
        (
            "a unique index without the box",
            "select i.indexrelid::regclass::text from pg_index i where i.indisunique and i.indrelid in {t} and not exists
               (select from pg_attribute a where a.attrelid = i.indrelid and a.attname = 'box_id' and a.attnum = any(i.indkey))",
        ),
        (
            "a table without the box",
            "select c.oid::regclass::text from pg_class c where c.oid in {t} and not exists (select from pg_attribute a
               where a.attrelid = c.oid and a.attname = 'box_id' and a.attnotnull and a.atttypid = 'uuid'::regtype)",
        ),
        (
            "a foreign key",
            "select conname from pg_constraint where contype = 'f' and (conrelid in {t} or confrelid in {t})",
        ),
        ("an exclusion", "select conname from pg_constraint where contype = 'x' and conrelid in {t}"),
        (
            "a trigger that distributing does not take away",
            "select tgname from pg_trigger where not tgisinternal and tgrelid in {t} and tgname not in ('append_only', 'append_only_all')",
        ),
        (
            "a number of the server's own",
            "select attrelid::regclass || '.' || attname from pg_attribute where attrelid in {t} and attnum > 0 and (attidentity <> '' or atthasdef)",
        ),
        ("a table that inherits", "select inhrelid::regclass::text from pg_inherits where inhparent in {t}"),
        (
            "a column of a kind that differs between servers",
            "select attrelid::regclass || '.' || attname from pg_attribute a join pg_type y on y.oid = a.atttypid
               where attrelid in {t} and attnum > 0 and not attisdropped and typnamespace <> 'pg_catalog'::regnamespace",
        ),
    ];
    let mut found = Vec::new();
    for (rule, sql) in rules {
        let said = database.sql(&sql.replace("{t}", DISTRIBUTED));
        found.extend(said.lines().map(|what| format!("{rule}: {what}")));
    }
    found
}

/// The statements of a function's body that name a distributed table and do not bind it to the one box that the function has taken from
/// the login.
fn statements_beyond_one_box(body: &str, tables: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for statement in body.split(';') {
        let words = statement.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let named = tables.iter().map(|table| uses(&words, table)).sum::<usize>();
        if named == 0 {
            continue;
        }
        let bound = words.matches("box_id = box").count() + usize::from(words.contains("select box, r.id"));
        if words.contains("replication.caller()") {
            found.push(format!("asks for the login in the middle: {words}"));
        } else if bound < named {
            found.push(format!("is not bound to one box: {words}"));
        } else if tables.iter().filter(|table| uses(&words, table) > 0).count() > 1 {
            found.push(format!("joins two tables: {words}"));
        }
        for forbidden in [" for update", " for share", "nextval(", "clock_timestamp()", "truncate ", " with recursive "]
        {
            if words.contains(forbidden) {
                found.push(format!("says{forbidden}: {words}"));
            }
        }
    }
    found
}

/// How often a statement reads or writes a table; its columns and the functions that end like it do not count.
fn uses(words: &str, table: &str) -> usize {
    let follows = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || "_.'".contains(c));
    words
        .match_indices(table)
        .filter(|(at, _)| {
            let before = words[..*at].trim_end();
            let verb = ["from", "into", "update", "join", ","].iter().any(|verb| before.ends_with(verb));
            verb && follows(&words[at + table.len()..])
        })
        .count()
}

/// Every statement that a box's login can make central run, once the reading functions are bound as distributing binds them.
fn functions_against_the_rules(database: &Database) -> Vec<String> {
    database.sql("select replication.bind_reading(schema, name) from replication.tables");
    let list = database.sql("select schema || '.' || name from replication.tables");
    let tables: Vec<String> = list.lines().map(str::to_owned).collect();
    assert!(tables.len() > 20, "{tables:?}");
    let callable = "select p.oid::regprocedure || '|' || encode(convert_to(p.prosrc, 'UTF8'), 'hex') from pg_proc p
        where p.pronamespace in ('identity'::regnamespace, 'customer'::regnamespace, 'game'::regnamespace, 'chat'::regnamespace, 'replication'::regnamespace)
          and has_function_privilege(replication.box_group(), p.oid, 'execute')";
    let mut found = Vec::new();
    let mut read = 0;
    for line in database.sql(callable).lines() {
        let (name, body) = line.rsplit_once('|').unwrap();
        let bytes: Vec<u8> = body
            .as_bytes()
            .chunks(2)
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect();
        read += 1;
        let body = String::from_utf8(bytes).unwrap();
        found.extend(statements_beyond_one_box(&body, &tables).into_iter().map(|fault| format!("{name} {fault}")));
    }
    assert!(read > 150, "{read} functions");
    found
}

#[tokio::test]
async fn every_table_and_every_statement_of_the_schema_can_be_distributed_by_box() {
    let database = migrated().await;
    assert_eq!(tables_against_the_rules(&database), Vec::<String>::new());
    assert_eq!(functions_against_the_rules(&database), Vec::<String>::new());
}

#[tokio::test]
async fn what_cannot_be_distributed_is_found() {
    let database = migrated().await;
    // Given faults of every kind, as a later migration might bring them.
    database.sql(
        "create unique index by_name on identity.users (username);
         alter table identity.users add constraint mate foreign key (box_id, id) references identity.users (box_id, id);
         alter table identity.users add number bigint generated always as identity;
         create trigger later after insert on identity.users for each row execute function replication.refuse_rewrite();
         create type mood as enum ('good'); alter table identity.users add mood mood;
         alter table identity.referrals add constraint apart exclude (id with =);
         create table public.more () inherits (game.sessions)",
    );
    let found = tables_against_the_rules(&database);
    for wanted in [
        "a unique index without the box: identity.by_name",
        "a foreign key: mate",
        "users.number",
        "later",
        "users.mood",
        "apart",
        "more",
    ] {
        assert!(found.iter().any(|fault| fault.contains(wanted)), "{wanted} was not found: {found:?}");
    }

    let tables = ["identity.users".to_owned(), "game.sessions".to_owned()];
    let faulty = |body: &str| statements_beyond_one_box(body, &tables);
    for body in [
        "select count(*) from identity.users",
        "delete from identity.users t where t.id = any($1)",
        "select from identity.users t where t.box_id = replication.caller()",
        "select from identity.users u join game.sessions s on s.box_id = box where u.box_id = box",
        "select from identity.users u where u.box_id = box and exists (select from identity.users o where o.id = u.id)",
        "select from identity.users u where u.box_id = box for update",
        "begin null; update identity.users set alias = 'x'; end",
        "insert into identity.users (box_id, id) select r.box, r.id from unnest($1, $2) as r(box, id)",
    ] {
        assert!(!faulty(body).is_empty(), "{body}");
    }
    for body in [
        "select from identity.users t where t.box_id = box",
        "insert into identity.users as t (box_id, id) select box, r.id from unnest($1) as r(id) on conflict (box_id, id) do nothing",
        "select 'identity.users'",
        "perform identity.users_of(box)",
    ] {
        assert_eq!(faulty(body), Vec::<String>::new(), "{body}");
    }
}

#[tokio::test]
async fn bound_functions_answer_as_before() {
    // What distributing does to the functions, on one server: the same batches, the same comparison.
    let database = migrated().await;
    database.sql("select replication.bind_reading(schema, name) from replication.tables");
    let central = Enrolled::at(database.clone()).await;
    let rows = batch(0, 3).put(&ATTEMPTS, [attempt("a", "ok")]).put(&AUDITS, [audit("a", "asked")]);
    central.upstream.apply(&rows).await.unwrap();
    assert_eq!(database.sql_as(&central.login.url, "select seq, links from chat.audit_head()").unwrap(), "1|1");
    let central = Enrolled::at(database.clone()).await;
    let mut whole = Whole::at(&central, Postgres::new(settings(&database, &central.login.url))).await;
    whole.write(0, 50, |n| format!("row {n}"));
    whole.send().await;
    let found = whole.verify(&central.upstream).await;
    assert_eq!((found.diverged, found.rows), (0, 50));
    // Negative control: a row that is different is seen by them too.
    database.sql(&format!(
        "update identity.user_login_attempts set outcome = 'other' where box_id = '{}' and outcome = 'row 7'",
        central.box_id
    ));
    assert_eq!(whole.verify(&central.upstream).await.diverged, 1);
    // And they are still those of the operator's schema, for whom nothing else has changed.
    assert!(admin(&database).fleet().await.unwrap().len() >= 2);
}
