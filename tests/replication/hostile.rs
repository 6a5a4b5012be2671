//! What a box's login can try against others: nothing of them is read, nothing changed.

use replication::upstream::Upstream;

use super::fixture::{ATTEMPTS, AUDITS, Enrolled, With, attempt, audit, batch};

/// A word in the other box's rows that must never be read.
const MARK: &str = "theirs-alone";

/// What a compromised box may send. `{other}` is another box, `{role}` its login, `{own}` the sender's login.
const HOSTILE: &[&str] = &[
    "select * from identity.user_login_attempts",
    "select * from identity.users",
    "select * from chat.audits",
    "select * from chat.messages",
    "select * from replication.boxes",
    "select * from replication.cursors",
    "select * from replication.invitations",
    "select * from replication.migrations",
    "select * from replication.couriers",
    "select * from replication.courier_bundles",
    "insert into replication.courier_refusals (box_id, epoch, number, table_name, row_id, reason) values ('{other}', gen_random_uuid(), 1, 'x', 'x', 'x')",
    "select * from replication.box_status",
    "table identity.user_login_attempts",
    "copy identity.user_login_attempts to stdout",
    "copy identity.user_login_attempts to 'hostile.txt'",
    "copy identity.user_login_attempts from program 'id'",
    "insert into identity.user_login_attempts values ('{other}', 'x', 'x', null, 'x', null, now())",
    "update identity.user_login_attempts set outcome = 'x'",
    "delete from identity.user_login_attempts",
    "truncate identity.user_login_attempts",
    "update replication.cursors set seq = 9999",
    "update replication.boxes set revoked_at = null, role_name = session_user",
    "insert into replication.boxes (box_id, role_name, name, epoch) values (gen_random_uuid(), 'x', 'x', gen_random_uuid())",
    "drop table identity.user_login_attempts",
    "drop schema identity cascade",
    "alter table identity.user_login_attempts disable row level security",
    "alter table identity.user_login_attempts no force row level security",
    "drop policy own on identity.user_login_attempts",
    "create policy mine on identity.user_login_attempts using (true)",
    "grant select on identity.user_login_attempts to {own}",
    "set session authorization {role}",
    "set role {role}",
    "set role operator",
    "set role postgres",
    "reset session authorization",
    "alter role {own} superuser",
    "alter role {own} bypassrls",
    "alter role {role} password 'mine'",
    "grant operator to {own}",
    "create role accomplice",
    "select replication.enroll('{other}', 'x', gen_random_uuid(), 'SCRAM-SHA-256$x', 0, '', 0, '')",
    "select replication.revoke('{other}')",
    "select replication.invite('x', gen_random_uuid(), 'SCRAM-SHA-256$x', interval '1 day')",
    "select replication.redeem('{other}', gen_random_uuid(), 'SCRAM-SHA-256$x', 0, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'))",
    "select replication.set_login('{role}', 'SCRAM-SHA-256$x', 'infinity')",
    "select replication.add_function('identity', 'mine', 'a text', 'null;')",
    "select replication.lay_out('partitioned')",
    "select replication.split_table('identity', 'user_login_attempts', false, 2, '{}')",
    "select replication.bind_box('replication.positions()'::regprocedure)",
    "select replication.direct('{other}', 'revoke', '{}')",
    "insert into replication.directives (box_id, seq, kind) values ('{other}', 1, 'revoke')",
    "update replication.layout set name = 'citus'",
    "select * from replication.layout",
    "select replication.writing()",
    "select identity.drop_user_login_attempts(array['secret'])",
    "select identity.keep_user_login_attempts(null, null, array[]::text[])",
    "set row_security = off; select * from identity.user_login_attempts",
    "create function replication.caller() returns uuid language sql as 'select ''{other}''::uuid'",
    "create temp table cursors (box_id uuid); select replication.cursor('bulk')",
    "create schema mine",
    "create table public.mine (x text)",
    "set search_path = public; create function public.now() returns timestamptz language sql as 'select null::timestamptz'",
    "select pg_read_file('/etc/passwd')",
    "select * from pg_authid",
    "select lo_import('/etc/passwd')",
    "create extension postgres_fdw",
    "load 'auto_explain'",
    "alter system set ssl = off",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'",
    "begin; prepare transaction 'held'",
];

#[tokio::test]
async fn hostile_statements_read_and_change_nothing_of_others() {
    let victim = Enrolled::alone().await;
    let attacker = Enrolled::at(victim.database.clone()).await;
    let rows = batch(0, 1).put(&ATTEMPTS, [attempt("secret", MARK)]).put(&AUDITS, [audit("secret", MARK)]);
    victim.upstream.apply(&rows).await.unwrap();
    let database = &victim.database;
    let fingerprint = || {
        let parts = ["identity.user_login_attempts", "chat.audits", "replication.boxes", "replication.cursors"];
        let of = |table: &&str| {
            database.sql(&format!("select md5(string_agg(t::text, ' ' order by t::text)) from {table} t"))
        };
        let policies = "select count(*), string_agg(polname, ' ' order by oid) from pg_policy";
        let roles = "select md5(string_agg(rolname || rolsuper || rolbypassrls || coalesce(rolpassword, ''), ' ' order by rolname)) from pg_authid
            where rolname ~ '^whotbox_' and rolname in (select role_name from replication.boxes)";
        (parts.iter().map(of).collect::<Vec<_>>(), database.sql(policies), database.sql(roles))
    };
    let before = fingerprint();

    for statement in HOSTILE {
        let sent = statement
            .replace("{other}", &victim.box_id.to_string())
            .replace("{role}", &victim.login.role)
            .replace("{own}", &attacker.login.role);
        let answer = database.sql_as(&attacker.login.url, &sent);
        let said = answer.clone().unwrap_or_else(|refused| refused);
        assert!(!said.contains(MARK) && !said.contains(&victim.box_id.to_string()), "{sent}: {said}");
        // These say yes and do nothing.
        let may_pass =
            ["reset session authorization", "select pg_terminate_backend"].iter().any(|one| sent.starts_with(one));
        assert!(answer.is_err() || may_pass, "{sent} went through: {said}");
    }

    assert_eq!(fingerprint(), before);
    // Negative control: who has the privilege and the policy does read the mark.
    let admin = database.admin_url();
    assert!(database.sql_as(&admin, HOSTILE[0]).unwrap().contains(MARK));
    database.sql(&format!("grant select on identity.user_login_attempts to {}; alter table identity.user_login_attempts disable row level security", attacker.login.role));
    assert!(database.sql_as(&attacker.login.url, HOSTILE[0]).unwrap().contains(MARK));
}

#[tokio::test]
async fn what_a_box_may_call_reaches_its_own_rows_alone() {
    let victim = Enrolled::new().await;
    let attacker = Enrolled::at(victim.database.clone()).await;
    victim.upstream.apply(&batch(0, 1).put(&ATTEMPTS, [attempt("secret", MARK)])).await.unwrap();
    let open = "begin; select replication.begin_slice((select epoch from replication.cursor('bulk')))";
    let calls = [
        "select identity.drop_user_login_attempts(array['secret'])",
        "select identity.keep_user_login_attempts(null, null, array[]::text[])",
        "select identity.put_user_login_attempts(array['secret'], array['x'], array[null], array['x'], array[null], array[now()])",
    ];

    let note = "select replication.note_refusals(1, (select epoch from replication.cursor('bulk')), array['t'], array['theirs-alone'], array['x'])";
    victim.database.sql_as(&victim.login.url, note).unwrap();
    let asked = "select * from replication.refusals_after(0, (select epoch from replication.cursor('bulk')))";
    assert!(victim.database.sql_as(&victim.login.url, asked).unwrap().contains(MARK), "its own it sees");
    assert!(!attacker.database.sql_as(&attacker.login.url, asked).unwrap().contains(MARK));
    let noted =
        "select replication.note_bundle(9, (select epoch from replication.cursor('bulk')), '\\x01', now(), 1, 1)";
    attacker.database.sql_as(&attacker.login.url, noted).unwrap();
    let whose = "select count(*) from replication.courier_bundles where box_id = '{}'";
    assert_eq!(victim.database.sql(&whose.replace("{}", &victim.box_id.to_string())), "0");

    for call in calls {
        attacker.database.sql_as(&attacker.login.url, &format!("{open}; {call}; commit")).unwrap();
    }

    let rows = format!("select id, outcome from identity.user_login_attempts where box_id = '{}'", victim.box_id);
    assert_eq!(victim.database.sql(&rows), format!("secret|{MARK}"));
}
