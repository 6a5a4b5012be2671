//! What a box's login may do: call its functions, on its own rows, and nothing else.

use replication::admin::Admin;
use replication::error::Error;
use replication::postgres::Postgres;
use replication::row::Lane;
use replication::upstream::Upstream;
use uuid::Uuid;

use super::fixture::{ATTEMPTS, EPOCH, Enrolled, With, admin, attempt, batch, box_id, enroll, migrated, settings};

#[tokio::test]
async fn the_operator_needs_no_superuser() {
    let database = migrated().await;

    let login = enroll(&database, box_id(), EPOCH).await;

    assert_eq!(
        database.sql("select rolsuper, rolcreatedb, rolbypassrls from pg_roles where rolname = 'operator'"),
        "f|f|f"
    );
    let role = login.role;
    let rights = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin, rolconnlimit";
    assert_eq!(database.sql(&format!("select {rights} from pg_roles where rolname = '{role}'")), "f|f|f|f|f|t|8");
}

#[tokio::test]
async fn a_box_has_no_privilege_on_any_table() {
    let central = Enrolled::alone().await;
    let schemas = "('identity', 'customer', 'game', 'chat', 'replication')";
    let role = &central.login.role;
    let count = |privilege: &str| {
        central.database.sql(&format!(
            "select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace where nspname in {schemas}
             and relkind in ('r', 'p', 'v', 'm', 'S') and has_table_privilege('{role}', c.oid, '{privilege}')"
        ))
    };

    for privilege in ["select", "insert", "update", "delete", "truncate", "references", "trigger"] {
        assert_eq!(count(privilege), "0", "{privilege}");
    }
    let unforced = format!(
        "select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace where nspname in {schemas}
         and relkind in ('r', 'p') and relname <> 'migrations' and not (relrowsecurity and relforcerowsecurity)"
    );
    assert_eq!(central.database.sql(&unforced), "0");
    let unpinned = format!(
        "select string_agg(p.oid::regprocedure::text, ' ') from pg_proc p join pg_namespace n on n.oid = pronamespace
         where nspname in {schemas} and prosecdef and not coalesce(proconfig, '{{}}') @> '{{\"search_path=pg_catalog, pg_temp\"}}'"
    );
    assert_eq!(central.database.sql(&unpinned), "∅");
    // Negative control: the question would have found a privilege.
    central.database.sql(&format!("grant select on identity.users to {role}"));
    assert_eq!(count("select"), "1");
}

#[tokio::test]
async fn a_box_may_call_its_functions_and_no_others() {
    let central = Enrolled::new().await;
    let role = &central.login.role;

    let open = central.database.sql(&format!(
        "select string_agg(distinct proname, ' ' order by proname) from pg_proc p join pg_namespace n on n.oid = pronamespace
         where nspname = 'replication' and has_function_privilege('{role}', p.oid, 'execute')"
    ));

    assert_eq!(
        open,
        "begin_batch begin_slice contact cursor directives_after drop_answers drop_bucket_keys drop_dead_letters \
         drop_recovery_keys drop_verifications finish_batch keep_answers keep_bucket_keys keep_dead_letters keep_recovery_keys \
         keep_verifications list_answers list_bucket_keys list_dead_letters list_recovery_keys list_verifications lists_answers \
         lists_bucket_keys lists_dead_letters lists_recovery_keys lists_verifications note_bundle note_refusals positions \
         put_answers put_bucket_keys put_dead_letters put_recovery_keys put_verifications reader_group redeem refusals_after \
         rotate schema sum_answers sum_bucket_keys sum_dead_letters sum_recovery_keys sum_verifications sums_answers \
         sums_bucket_keys sums_dead_letters sums_recovery_keys sums_verifications"
    );
}

#[tokio::test]
async fn a_box_sees_and_touches_only_its_own_rows() {
    let one = Enrolled::alone().await;
    let two = Enrolled::at(one.database.clone()).await;
    for central in [&one, &two] {
        central.upstream.apply(&batch(0, 1).put(&ATTEMPTS, [attempt("same", "ok")])).await.unwrap();
    }

    two.upstream.apply(&batch(1, 2).delete(&ATTEMPTS, &["same"])).await.unwrap();

    let count = format!("select count(*) from identity.user_login_attempts where box_id = '{}'", one.box_id);
    assert_eq!(one.database.sql(&count), "1");
    // The second line: even with the privileges it must never have, a box sees no row but its own.
    let role = &two.login.role;
    one.database.sql(&format!(
        "grant select, insert, update on all tables in schema identity, replication to {role};
         grant execute on all functions in schema replication to {role}"
    ));
    let all = "select count(*) from identity.user_login_attempts; select count(*) from replication.cursors; select count(*) from replication.boxes";
    assert_eq!(two.database.sql_as(&two.login.url, all).unwrap(), "0\n2\n1");
    let forged = format!(
        "insert into identity.user_login_attempts (box_id, id, username, outcome, at) values ('{}', 'x', 'x', 'x', now())",
        one.box_id
    );
    let refused = two.database.sql_as(&two.login.url, &forged).unwrap_err();
    assert!(refused.contains("row-level security"), "{refused}");
    // Negative control: without that line it would have seen, and forged.
    one.database.sql("alter table identity.user_login_attempts disable row level security");
    assert_eq!(two.database.sql_as(&two.login.url, all).unwrap(), "1\n2\n1");
    two.database.sql_as(&two.login.url, &forged).unwrap();
}

#[tokio::test]
async fn rows_are_written_only_inside_an_open_batch() {
    let central = Enrolled::new().await;
    let put = "select identity.drop_user_login_attempts(array['a'])";
    let begin = format!("select replication.begin_batch('bulk', '{EPOCH}', 0, decode(repeat('00', 32), 'hex'))");
    let finish = "select replication.finish_batch('bulk', 1, decode(repeat('01', 32), 'hex'))";
    let run = |sql: &str| central.database.sql_as(&central.login.url, sql);

    let bare = run(put).unwrap_err();
    let late = run(&format!("begin; {begin}; {put}; {finish}; {put}; commit")).unwrap_err();
    let other = run(&format!("begin; {begin}; commit; {put}")).unwrap_err();
    let rolled_back = run(&format!("begin; savepoint s; {begin}; rollback to s; {put}; commit")).unwrap_err();

    for refused in [bare, late, other, rolled_back] {
        assert!(refused.contains("no batch is open"), "{refused}");
    }
    run(&format!("begin; {begin}; {put}; {finish}; commit")).unwrap();
}

#[tokio::test]
async fn a_revoked_box_is_out_at_its_next_transaction() {
    let central = Enrolled::new().await;
    central.upstream.apply(&batch(0, 1)).await.unwrap();

    assert!(admin(&central.database).revoke(central.box_id).await.unwrap());

    // Over the connection that is still open, and over a new one.
    let still = central.upstream.apply(&batch(1, 2)).await.unwrap_err();
    assert!(matches!(still, Error::NotAllowed { .. }), "{still:?}");
    let again = Postgres::new(settings(&central.database, &central.login.url)).cursor(Lane::Bulk).await.unwrap_err();
    assert!(matches!(again, Error::NotAllowed { .. }), "{again:?}");
    assert!(!admin(&central.database).revoke(Uuid::from_u128(1)).await.unwrap());
}

#[tokio::test]
async fn enrolling_again_rotates_the_password_and_a_new_epoch_starts_anew() {
    let central = Enrolled::new().await;
    central.upstream.apply(&batch(0, 5)).await.unwrap();

    let same = enroll(&central.database, central.box_id, EPOCH).await;
    assert_eq!(same.role, central.login.role);
    assert_eq!(central.upstream.cursor(Lane::Bulk).await.unwrap().seq, 5);

    let next = Uuid::from_u128(78);
    enroll(&central.database, central.box_id, next).await;
    let cursor = central.upstream.cursor(Lane::Bulk).await.unwrap();
    assert_eq!((cursor.epoch, cursor.seq), (next, 0));
    let parent = format!("select parent_epoch from replication.boxes where box_id = '{}'", central.box_id);
    assert_eq!(central.database.sql(&parent), EPOCH.to_string());
}

#[tokio::test]
async fn a_wrong_password_is_told_apart_from_an_outage() {
    let central = Enrolled::new().await;
    let url = central.database.url(&central.login.role, "wrong");

    let error = Postgres::new(settings(&central.database, &url)).cursor(Lane::Bulk).await.unwrap_err();

    assert!(matches!(error, Error::NotAllowed { .. }), "{error:?}");
    assert!(!error.to_string().contains("wrong"));
    let box_as_admin =
        Admin::new(settings(&central.database, &central.login.url)).revoke(central.box_id).await.unwrap_err();
    assert!(matches!(box_as_admin, Error::NotAllowed { .. }), "{box_as_admin:?}");
}
