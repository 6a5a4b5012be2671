//! Whatever falls silent or takes nothing more has a name, in the account of replication and as a finding of the doctor, and goes away by itself.

use std::sync::Arc;
use std::time::Duration;

use replication::postgres::Postgres;
use replication::settings::{Limits, Settings};
use whotbox::catalog;
use whotbox::doctor::{Severity, examine};
use whotbox::upstream::enrol;
use whotbox::upstream::report::{ReplicationReport, report};
use whotbox::upstream::sender::{Sender, Step};

use super::far::Far;
use super::fixture::admin;
use crate::support::postgres::Postgres as Server;
use crate::support::proxy::Proxy;

/// Enough for a busy machine where an answer comes, and not long to wait for where none does.
const LIMITS: Limits = Limits { connect: Duration::from_secs(3), answer: Duration::from_secs(3) };

/// A box that sends through a proxy.
struct Given {
    far: Far,
    proxy: Proxy,
    sender: Sender<Postgres>,
}

async fn given(far: Far) -> Given {
    let login = enrol::login(&far.app.config).unwrap().unwrap();
    let proxy = Proxy::to(far.database.port()).await;
    let (direct, detour) = (format!(":{}/", far.database.port()), format!(":{}/", proxy.port));
    let url = login.url.expose().replace(&direct, &detour);
    let central = Postgres::new(Settings::parse(&url, login.ca.as_deref()).unwrap().with_limits(LIMITS));
    let (store, status) = (far.app.store.clone(), Arc::clone(&far.link.status));
    let sender = Sender::new(store, far.clock.clone(), status, catalog::tables(), central);
    let mut given = Given { far, proxy, sender };
    given.sent().await;
    given
}

impl Given {
    /// Sends until central has everything.
    async fn sent(&mut self) {
        for _ in 0..50 {
            if self.sender.step().await == Step::Done {
                assert_eq!(self.account().state, "live");
                return;
            }
        }
        panic!("{:?}", self.far.link.status.known());
    }

    fn account(&self) -> ReplicationReport {
        report(&self.far.app, &self.far.link).unwrap()
    }

    fn findings(&self) -> Vec<(&'static str, Severity)> {
        let found = examine(&self.far.app, &self.far.link).findings;
        found.into_iter().filter(|one| one.id.starts_with("central_")).map(|one| (one.id, one.severity)).collect()
    }

    /// A change is made, and sending it comes to nothing: it is named so, and the figures stay true while it lasts.
    async fn stalls_as(&mut self, name: &str, finding: &'static str) {
        let (before, waited) = (self.account(), Duration::from_secs(90));
        self.far.user(&format!("user-{}", before.head_seq)).await;
        assert_eq!(self.sender.step().await, Step::Failed);
        self.far.clock.advance(waited);
        let account = self.account();
        let reason = account.reason.clone().unwrap();
        assert_eq!((account.state, reason.split(':').next()), ("offline", Some(name)), "{reason}");
        assert!(account.advice.is_some() && account.last_error.is_some());
        assert!(account.backlog > 0 && account.lag_seconds >= waited.as_secs(), "{account:?}");
        assert_eq!(account.last_sync_at, before.last_sync_at);
        assert_eq!(self.findings(), [(finding, Severity::Warning)]);
    }

    /// It is over: everything arrives and the finding is gone.
    async fn goes_on(&mut self) {
        self.sent().await;
        assert_eq!((self.account().backlog, self.findings()), (0, vec![]));
        assert_eq!(self.far.diverged().await, 0);
    }
}

#[tokio::test]
async fn a_connection_on_which_nothing_comes_back_has_a_name() {
    let mut given = given(Far::new().await).await;
    given.proxy.swallow();
    given.stalls_as("silent", "central_silent").await;
    // New calls are taken and not answered either.
    given.stalls_as("silent", "central_silent").await;
    given.proxy.cut();
    given.goes_on().await;
}

#[tokio::test]
async fn a_paused_server_has_a_name() {
    let server = Server::start();
    let database = server.database();
    admin(&database).migrate().await.unwrap();
    let mut given = given(Far::at(database, 3).await).await;
    server.pause();
    given.stalls_as("silent", "central_silent").await;
    server.resume();
    given.goes_on().await;
}

#[tokio::test]
async fn a_full_disk_at_central_has_a_name() {
    let mut given = given(Far::new().await).await;
    given.far.database.sql(
        "create function public.no_room() returns trigger language plpgsql as
           $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
         create trigger no_room before insert on identity.users for each row execute function public.no_room()",
    );
    given.stalls_as("disk_full", "central_full").await;
    given.far.database.sql("drop trigger no_room on identity.users");
    given.goes_on().await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_no_alarm() {
    let mut given = given(Far::new().await).await;
    let before = given.account().last_sync_at;
    given.proxy.close().await;
    given.far.user("late").await;
    while given.sender.step().await != Step::Failed {}
    let account = given.account();
    assert!(account.reason.clone().unwrap().starts_with("unreachable: "), "{account:?}");
    assert_eq!((account.state, account.last_sync_at), ("offline", before));
    assert_eq!(given.findings(), [("central_offline", Severity::Note)]);
}
