//! A central that stalls, as it is seen from outside the program: by its owner's page, the console, the doctor and the metrics. The same
//! within the process, with all kinds of stalls and shorter limits: `tests/replication/stalls.rs`.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use whotbox::base::time::{Clock as _, Instant, SystemClock};

use crate::story::backup::well;
use crate::story::compare::differences;
use crate::story::evening::{caught_up, linked_by, replication};
use crate::support::postgres::{Database, Postgres};
use crate::support::proxy::Proxy;
use crate::support::soon;
use crate::support::whotbox::{Person, Whotbox};

/// The program gives a silent central up after 25 s, and nobody can set it otherwise: whoever waits for that runs everything.
fn waits() -> bool {
    std::env::var_os("WHOTBOX_FULL").is_some()
}

/// A box that sends by way of a proxy.
struct Given {
    folder: TempDir,
    whotbox: Whotbox,
    admin: Person,
    central: Database,
    proxy: Proxy,
}

/// When something began, by a clock of its own.
struct Since(SystemClock, Instant);

impl Since {
    fn now() -> Self {
        let clock = SystemClock::new();
        let now = clock.monotonic();
        Self(clock, now)
    }

    fn elapsed(&self) -> Duration {
        self.0.monotonic().since(self.1)
    }
}

async fn given(server: &Postgres) -> Given {
    let (folder, central) = (tempfile::tempdir().unwrap(), server.database());
    let whotbox = Whotbox::start(folder.path(), &[]);
    let proxy = Proxy::to(central.port()).await;
    linked_by(&whotbox, &central, proxy.port);
    let admin = whotbox.sign_in("admin", whotbox.password.as_ref().unwrap()).await;
    caught_up(&admin).await;
    Given { folder, whotbox, admin, central, proxy }
}

/// The findings about central in a report of the doctor or of `status`.
fn about_central(report: &Value) -> Vec<&str> {
    let ids = report["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap());
    ids.filter(|id| id.starts_with("central_")).collect()
}

impl Given {
    fn console(&self, question: &str) -> Value {
        serde_json::from_str(&well(&self.whotbox.command(&[question, "--json"]))).unwrap()
    }

    /// A sample of the metrics.
    async fn sample(&self, name: &str) -> f64 {
        let answer = self.admin.get("/metrics").await;
        let text = answer.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// Somebody is provisioned; since when that waits.
    async fn change(&self, name: &str) -> Since {
        let since = Since::now();
        self.admin.done("/api/v1/admin/distributors", &json!({"username": name, "alias": "Late"})).await;
        since
    }

    /// The change waits, and every figure says since when, whether or not the stall has been noticed.
    async fn lags(&self, since: &Since) {
        let waited = since.elapsed().as_secs();
        let account = replication(&self.admin).await;
        let lag = account["lag_seconds"].as_u64().unwrap();
        assert!(lag + 1 >= waited && account["backlog"].as_u64().unwrap() > 0, "after {waited} s: {account}");
        let status = self.console("status");
        assert!(status["replication"]["lag_seconds"].as_u64().unwrap() >= lag, "{status}");
        assert!(self.sample("whotbox_replication_backlog_records").await > 0.0);
        let unsent = self.sample("whotbox_replication_oldest_unsent_timestamp_seconds").await;
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        assert!(unsent > 0.0 && now - unsent + 1.0 >= waited as f64, "{unsent} at {now}, after {waited} s");
    }

    /// Waits until the box names the stall; then everybody who looks is told.
    async fn is_named(&self, name: &str, finding: &str, since: &Since) {
        let named = soon("the name of the stall", async {
            loop {
                let account = replication(&self.admin).await;
                if account["state"] == "offline" {
                    return account;
                }
            }
        })
        .await;
        println!("{name}: named {:.1} s after the change", since.elapsed().as_secs_f64());
        assert!(named["reason"].as_str().unwrap().starts_with(&format!("{name}: ")), "{named}");
        assert!(named["advice"].is_string() && named["last_error"].is_string(), "{named}");
        let status = self.console("status");
        assert_eq!(
            (status["replication"]["state"].as_str(), &status["replication"]["reason"]),
            (Some("offline"), &named["reason"])
        );
        let page = self.admin.see("/api/v1/admin/doctor").await;
        for report in [&status, &self.console("doctor"), &page] {
            assert_eq!(about_central(report), [finding], "{report}");
        }
        assert_eq!(self.sample("whotbox_replication_connected").await, 0.0);
        self.lags(since).await;
    }

    /// The first silence is named, whatever it was that waited for an answer then: not only the next connection's.
    async fn is_named_silent(&self, since: &Since) {
        self.is_named("silent", "central_silent", since).await;
        let account = replication(&self.admin).await;
        assert!(account["reason"].as_str().unwrap().ends_with("25s"), "{account}");
    }

    /// It is over: everything has arrived, and nothing is found any more.
    async fn flows(&self) {
        caught_up(&self.admin).await;
        assert_eq!(replication(&self.admin).await["lag_seconds"], 0);
        for report in [self.console("status"), self.console("doctor")] {
            assert_eq!(about_central(&report), [""; 0], "{report}");
        }
        assert_eq!(self.sample("whotbox_replication_connected").await, 1.0);
        assert_eq!(self.sample("whotbox_replication_oldest_unsent_timestamp_seconds").await, 0.0);
    }

    fn ends_whole(self) {
        assert_eq!(self.whotbox.terminate(), Some(0));
        let (differ, rows) = differences(self.folder.path(), &self.central);
        assert!(differ.is_empty() && rows > 2, "{differ:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_at_central_is_named_wherever_one_looks() {
    let given = given(Postgres::shared()).await;
    given.flows().await;
    given.central.sql(
        "create function public.no_room() returns trigger language plpgsql as
           $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
         create trigger no_room before insert on identity.users for each row execute function public.no_room()",
    );
    let since = given.change("late").await;
    given.is_named("disk_full", "central_full", &since).await;
    given.central.sql("drop trigger no_room on identity.users");
    given.flows().await;
    given.ends_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_fails_while_orders_are_asked_for_is_told_at_once() {
    // Given a central that takes every batch, and hangs up whenever it is asked for orders.
    let given = given(Postgres::shared()).await;
    given.central.sql(
        "create function public.hangs_up() returns bigint language plpgsql as
           $$ begin perform pg_terminate_backend(pg_backend_pid()); return 0; end $$;
         alter function replication.directives_after(bigint, bigint) rename to kept;
         create function replication.directives_after(after bigint, most bigint, out seqs bigint[], out kinds text[], out arguments text[], out issuers text[])
           language sql as $$ select array[public.hangs_up()], null::text[], null::text[], null::text[] $$",
    );
    // Then the box says so, though everything else arrives.
    soon("the word of it", async {
        while replication(&given.admin).await["state"] != "offline" {
            given.admin.post("/api/v1/admin/replication/sync", &Value::Null).await;
        }
    })
    .await;
    given.central.sql(
        "drop function replication.directives_after(bigint, bigint);
         alter function replication.kept(bigint, bigint) rename to directives_after",
    );
    given.flows().await;
    given.ends_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_central_is_paused_the_lag_is_told() {
    let server = Postgres::start();
    let given = given(&server).await;
    server.pause();
    let since = given.change("late").await;
    // Long before the box gives it up.
    soon("the lag", async { while replication(&given.admin).await["lag_seconds"] == 0 {} }).await;
    given.lags(&since).await;
    if waits() {
        given.is_named_silent(&since).await;
    }
    server.resume();
    given.flows().await;
    given.ends_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_line_is_half_open_the_lag_is_told() {
    let given = given(Postgres::shared()).await;
    // Both sides hold the connection, and nothing passes on it.
    given.proxy.swallow();
    let since = given.change("late").await;
    soon("the lag", async { while replication(&given.admin).await["lag_seconds"] == 0 {} }).await;
    given.lags(&since).await;
    if waits() {
        given.is_named_silent(&since).await;
    }
    given.proxy.cut();
    given.flows().await;
    given.ends_whole();
}
