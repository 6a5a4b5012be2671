//! Cut connections, lost answers, restarts and poison rows: the effect stays exactly once. And the same test catches protocols that
//! are wrong on purpose.

use std::sync::Arc;
use std::time::Duration;

use replication::error::Error;
use replication::memory::Fault;
use replication::postgres::Postgres;
use replication::row::{Lane, Row, Value};
use replication::settings::{Limits, Settings};
use replication::upstream::{Applied, Upstream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::driver::{Protocol, Small};
use super::fixture::{ATTEMPTS, AUDITS, EPOCH, Enrolled, PASSWORD, ROUNDS, With, admin, attempt, batch, settings};
use super::kind::{Kind, Model};
use crate::support::postgres::{Postgres as Server, Stop};
use crate::support::proxy::Proxy;

/// The box's login through a proxy, with limits that a test can wait for.
async fn through(central: &Enrolled) -> (Arc<Proxy>, Arc<Postgres>) {
    let proxy = Proxy::to(central.database.port()).await;
    let url = format!(
        "postgres://{}:{PASSWORD}@127.0.0.1:{}/{}?sslmode=require",
        central.login.role, proxy.port, central.database.name
    );
    let limits = Limits { connect: Duration::from_secs(20), answer: Duration::from_secs(20) };
    let settings = settings(&central.database, &url).with_limits(limits);
    (Arc::new(proxy), Arc::new(Postgres::new(settings)))
}

/// What differs between central and a box whose log ends at `head`.
async fn problems(central: &impl Kind, head: i64) -> Vec<String> {
    let mut found = Vec::new();
    let cursor = central.upstream().cursor(Lane::Bulk).await.unwrap();
    if cursor.seq != head {
        found.push(format!("the cursor is {cursor:?}, the head {head}"));
    }
    let expected: Vec<String> = Small::rows(head).into_iter().map(|(id, what)| format!("{id} {what}")).collect();
    let rows = central.rows(&ATTEMPTS);
    if rows != expected {
        found.push(format!("rows are {rows:?}, not {expected:?}"));
    }
    let audits: Vec<String> = (1..=head).map(|n| format!("{n:09} reason {n}")).collect();
    if central.rows(&AUDITS) != audits {
        found.push("the audits are not those of the log".to_owned());
    }
    found
}

/// Notes every step of a cursor, to see that each began where the one before it ended.
const WATCH: &str = "
    create table public.steps (n bigserial, box_id uuid, was bigint, became bigint);
    create function public.note() returns trigger language plpgsql security definer as
      'begin insert into public.steps (box_id, was, became) values (old.box_id, old.seq, new.seq); return null; end';
    create trigger note after update of seq on replication.cursors for each row
      when (old.seq is distinct from new.seq) execute function public.note();";

/// Steps of a cursor that did not begin where the one before ended, or led back.
fn jumps(central: &Enrolled) -> String {
    central.database.sql(&format!(
        "select count(*) from (select was, became, lag(became, 1, 0::bigint) over (order by n) as expected from public.steps where box_id = '{}') s
          where was <> expected or became <= was",
        central.box_id
    ))
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_cursor_tells() {
    let central = Enrolled::new().await;
    let (proxy, upstream) = through(&central).await;
    upstream.apply(&batch(0, 1).put(&ATTEMPTS, [attempt("a", "first")])).await.unwrap();
    let second = batch(1, 2).put(&ATTEMPTS, [attempt("a", "second")]);

    proxy.deafen();
    let (sending, sent) = (Arc::clone(&upstream), second.clone());
    let answer = tokio::spawn(async move { sending.apply(&sent).await });
    while central.rows(&ATTEMPTS) != ["a second"] {
        tokio::task::yield_now().await;
    }
    proxy.cut();

    let error = answer.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
    assert_eq!(upstream.cursor(Lane::Bulk).await.unwrap(), second.end());
    assert_eq!(upstream.apply(&second).await.unwrap(), Applied::Before);
}

#[tokio::test]
async fn a_connection_that_was_cut_while_idle_costs_one_attempt() {
    let central = Enrolled::new().await;
    let (proxy, upstream) = through(&central).await;
    upstream.apply(&batch(0, 1)).await.unwrap();
    proxy.cut();

    let mut first = upstream.apply(&batch(1, 2)).await;
    if let Err(Error::Unknown { .. } | Error::Unreachable { .. }) = first {
        first = upstream.apply(&batch(1, 2)).await;
    }

    assert_eq!(first.unwrap(), Applied::Now);
}

#[tokio::test]
async fn a_server_that_takes_calls_and_never_answers_is_noticed() {
    let central = Enrolled::new().await;
    let proxy = Proxy::to(central.database.port()).await;
    let url =
        format!("postgres://{}:{PASSWORD}@127.0.0.1:{}/{}", central.login.role, proxy.port, central.database.name);
    let limits = Limits { connect: Duration::from_secs(20), answer: Duration::from_secs(2) };
    let upstream = Postgres::new(Settings::parse(&url, None).unwrap().with_limits(limits));
    upstream.apply(&batch(0, 1)).await.unwrap();
    proxy.swallow();

    let error = upstream.apply(&batch(1, 2)).await.unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error:?}");

    let limits = Limits { connect: Duration::from_millis(200), answer: Duration::from_secs(2) };
    let fresh = Postgres::new(Settings::parse(&url, None).unwrap().with_limits(limits));
    let error = fresh.cursor(Lane::Bulk).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn batches_in_flight_together_arrive_in_order_and_fail_together() {
    let central = Enrolled::new().await;
    let upstream = &central.upstream;
    let batches: Vec<_> = (0..4).map(|n| batch(n, n + 1).put(&ATTEMPTS, [attempt("a", &n.to_string())])).collect();
    let [one, two, three, four] = &batches[..] else { panic!() };

    let (a, b, c, d) =
        tokio::join!(upstream.apply(one), upstream.apply(two), upstream.apply(three), upstream.apply(four));
    assert_eq!([a, b, c, d].map(Result::unwrap), [Applied::Now; 4]);
    assert_eq!(central.rows(&ATTEMPTS), ["a 3"]);

    let (poisoned, behind) = (batch(4, 5).put(&ROUNDS, [round("x", "{")]), batch(5, 6));
    let (first, second) = tokio::join!(upstream.apply(&poisoned), upstream.apply(&behind));
    assert!(matches!(first, Err(Error::Refused(_))), "{first:?}");
    assert!(matches!(second, Err(Error::Elsewhere { .. })), "{second:?}");
    upstream.apply(&batch(4, 6)).await.unwrap();
}

/// A round with this result.
fn round(id: &str, result: &str) -> Row {
    let mut values = vec![Value::Null; 13];
    values[0] = Value::Text("g".to_owned());
    values[1] = Value::BigInt(1);
    values[2] = Value::Bytes(vec![1]);
    values[9] = Value::Bytes(vec![1]);
    values[10] = Value::Json(result.to_owned());
    Row { id: id.to_owned(), values }
}

#[tokio::test]
async fn among_many_rows_exactly_the_poisoned_ones_are_named() {
    let central = Enrolled::new().await;
    let result = |n: usize| match n {
        17 => "{",
        1_800 => r#"{"nul": "\u0000"}"#,
        _ => "{}",
    };
    let rows = (0..2_000).map(|n| round(&format!("r{n}"), result(n)));
    let all = batch(0, 2_000).put(&ATTEMPTS, [attempt("a", "ok")]).put(&ROUNDS, rows);

    let Err(Error::Refused(refused)) = central.upstream.apply(&all).await else { panic!("not refused") };

    let named: Vec<&str> = refused.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(named, ["r17", "r1800"]);
    assert!(refused.iter().all(|row| row.reason.contains("SQLSTATE 22")), "{refused:?}");
    assert_eq!(central.upstream.apply(&all.without(&refused)).await.unwrap(), Applied::Now);
    let arrived = format!("select count(*) from game.rounds where box_id = '{}'", central.box_id);
    assert_eq!(central.database.sql(&arrived), "1998");
    assert_eq!(central.rows(&ATTEMPTS), ["a ok"]);
}

#[tokio::test]
async fn restarts_lose_double_and_reorder_nothing() {
    let restarts: i64 = if std::env::var_os("WHOTBOX_FULL").is_some() { 50 } else { 4 };
    let server = Arc::new(Server::start());
    let database = server.database();
    admin(&database).migrate().await.unwrap();
    database.sql(WATCH);
    let central = Enrolled::at(database).await;
    let small = Small { head: restarts * 40 };
    let (up, serving) = watch::channel(true);
    let (up, mut done) = (Arc::new(up), 0);

    let mut restarting = JoinSet::new();
    small
        .deliver(&central.upstream, 3, Protocol::Right, serving, |seq| {
            // One at a time: what is asked for while a restart goes on comes after it.
            while restarting.try_join_next().transpose().unwrap().is_some() {}
            if restarting.is_empty() && done < restarts && seq >= done * 40 + 20 {
                up.send_replace(false);
                let (server, up) = (Arc::clone(&server), Arc::clone(&up));
                let how = if done % 2 == 0 { Stop::Immediate } else { Stop::Fast };
                restarting.spawn_blocking(move || {
                    server.restart(how);
                    up.send_replace(true);
                });
                done += 1;
            }
        })
        .await;
    restarting.join_all().await;

    assert_eq!(done, restarts);
    assert_eq!(problems(&central, small.head).await, Vec::<String>::new());
    assert_eq!(jumps(&central), "0");
}

#[tokio::test]
async fn a_paused_server_is_noticed_and_what_it_does_later_does_no_harm() {
    let server = Server::start();
    let database = server.database();
    admin(&database).migrate().await.unwrap();
    let central = Enrolled::at(database).await;
    let limits = Limits { connect: Duration::from_secs(20), answer: Duration::from_secs(2) };
    let box_side = Postgres::new(settings(&central.database, &central.login.url).with_limits(limits));
    box_side.apply(&batch(0, 1).put(&ATTEMPTS, [attempt("a", "wrong")])).await.unwrap();

    server.pause();
    let second = batch(1, 2).put(&ATTEMPTS, [attempt("a", "ok")]);
    let error = box_side.apply(&second).await.unwrap_err();
    server.resume();

    assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
    let again = box_side.apply(&second).await.unwrap();
    assert!(matches!(again, Applied::Now | Applied::Before));
    assert_eq!(central.rows(&ATTEMPTS), ["a ok"]);
    assert_eq!(central.upstream.cursor(Lane::Bulk).await.unwrap(), second.end());
}

/// Faults on a third of all calls, from a seed.
fn planned(seed: u64) -> impl Iterator<Item = Option<Fault>> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        // The generator of Numerical Recipes; its upper bits are good enough to plan faults with.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (state >> 33) % 6 {
            0 => Some(Fault::Before),
            1 => Some(Fault::After),
            _ => None,
        }
    })
}

/// Delivers a log through planned faults and says what is wrong afterwards.
async fn delivered(protocol: Protocol, faults: impl Iterator<Item = Option<Fault>>) -> Vec<String> {
    let central = Model::new();
    central.upstream.meet(faults);
    let small = Small { head: 60 };
    let (_up, serving) = watch::channel(true);
    small.deliver(&central.upstream, 4, protocol, serving, |_seq| {}).await;
    problems(&central, small.head).await
}

#[tokio::test]
async fn planned_faults_do_no_harm_to_the_right_protocol_and_show_the_wrong_ones() {
    let (mut apart, mut cached) = (0, 0);
    for seed in 0..40 {
        let faults = || planned(seed).take(1_000);
        let found = delivered(Protocol::Right, faults()).await;
        assert!(found.is_empty(), "seed {seed}: {found:?}");
        apart += usize::from(!delivered(Protocol::CursorApart, faults()).await.is_empty());
        cached += usize::from(!delivered(Protocol::CursorCached, faults()).await.is_empty());
    }
    assert!(apart > 30, "a cursor apart from its rows was caught with {apart} seeds of 40 only");
    assert!(cached > 3, "a cached cursor was caught with {cached} seeds of 40 only");
}

/// Two connections of one box: an old one whose transaction is still open and writes a row, and a new one that starts from the same
/// cursor, goes one entry further and deletes that row. The old one commits once the new one waits for it or is through. Returns what became of the new one's batch.
async fn overlap(central: &Enrolled) -> Result<Applied, Error> {
    central.database.sql(WATCH);
    let mut old = central.database.session(&central.login.url);
    old.run(&format!(
        "begin; select replication.begin_batch('bulk', '{EPOCH}', 0, decode(repeat('00', 32), 'hex'));
         select identity.put_user_login_attempts(array['a'], array['ada'], array[null], array['old'], array[null], array[now()])"
    ));
    let upstream = Postgres::new(settings(&central.database, &central.login.url));
    let new = tokio::spawn(async move { upstream.apply(&batch(0, 2).delete(&ATTEMPTS, &["a"])).await });
    let role = &central.login.role;
    let waits = format!("select count(*) from pg_stat_activity where usename = '{role}' and wait_event_type = 'Lock'");
    while !new.is_finished() && central.database.sql(&waits) == "0" {
        tokio::task::yield_now().await;
    }
    old.run("select replication.finish_batch('bulk', 1, decode(repeat('02', 32), 'hex')); commit");
    new.await.unwrap()
}

#[tokio::test]
async fn an_old_connections_open_transaction_is_waited_for() {
    let central = Enrolled::alone().await;

    let new = overlap(&central).await;

    assert!(matches!(new, Err(Error::Elsewhere { cursor }) if cursor.seq == 1), "{new:?}");
    assert_eq!((central.rows(&ATTEMPTS), jumps(&central)), (vec!["a old".to_owned()], "0".to_owned()));
}

#[tokio::test]
async fn without_the_lock_the_same_overlap_reorders_and_is_seen() {
    let central = Enrolled::alone().await;
    central.database.sql(
        "create or replace function replication.begin_batch(lane text, epoch uuid, prev_seq bigint, prev_chain bytea) returns void
           language plpgsql security definer as $$ declare here replication.cursors; begin
             perform pg_current_xact_id();
             select * into here from replication.cursors c where c.box_id = replication.caller() and c.lane = $1;
             if here.seq <> $3 then raise exception 'elsewhere' using errcode = 'WB002'; end if; end $$;
         create or replace function replication.writing() returns uuid language sql security definer as 'select replication.caller()';
         create or replace function replication.finish_batch(lane text, seq bigint, chain bytea) returns void
           language sql security definer as
           'update replication.cursors c set seq = $2, chain = $3 where c.box_id = replication.caller() and c.lane = $1'",
    );

    let new = overlap(&central).await;

    assert!(new.is_ok(), "{new:?}");
    assert_eq!(central.rows(&ATTEMPTS), ["a old"], "the deleted row did not come back");
    assert_ne!(jumps(&central), "0");
}
