//! Eight whole boxes at one central that restarts, loses answers and falls silent: nothing is missing, doubled, reordered or different.

use std::sync::Arc;
use std::time::Duration;

use replication::postgres::Postgres;
use replication::row::Lane;
use replication::settings::Limits;
use tokio::sync::watch;
use whotbox::store::meta::lane_head;
use whotbox::upstream::pace::Pace;
use whotbox::upstream::sender::Step;

use super::fixture::{Enrolled, PASSWORD, admin, settings};
use super::whole::Whole;
use crate::support::postgres::{Database, Postgres as Server, Stop};
use crate::support::proxy::Proxy;

/// Notes every step of a cursor.
const WATCH: &str = "
    create table public.steps (n bigserial, box_id uuid, lane text, was bigint, became bigint);
    create function public.note() returns trigger language plpgsql security definer as
      'begin insert into public.steps (box_id, lane, was, became) values (old.box_id, old.lane, old.seq, new.seq); return null; end';
    create trigger note after update of seq on replication.cursors for each row
      when (old.seq is distinct from new.seq) execute function public.note();";

/// Steps of a box's cursors that did not begin where the one before ended, or led back.
const JUMPS: &str = "
    select count(*) from (select was, became, lag(became, 1, 0::bigint) over (partition by lane order by n) as expected
      from public.steps where box_id = '{box}') s where was <> expected or became <= was";

const BOXES: u64 = 8;

/// How much is done to them.
#[derive(Clone, Copy)]
struct Plan {
    /// Commits of each box, and how many changes each of them makes.
    commits: u64,
    at_once: u64,
    /// Every so many commits of a box an answer is lost, and every so many the line becomes a hole.
    cut_every: u64,
    hole_every: u64,
    restarts: u64,
}

fn plan() -> Plan {
    if std::env::var_os("WHOTBOX_FULL").is_some() {
        // 500,000 changes, 50 restarts, 500 lost answers, 50 holes.
        return Plan { commits: 1250, at_once: 50, cut_every: 20, hole_every: 178, restarts: 50 };
    }
    // 50,000 changes, 5 restarts, 48 lost answers, 8 holes.
    Plan { commits: 14, at_once: 447, cut_every: 2, hole_every: 13, restarts: 5 }
}

struct One {
    central: Enrolled,
    whole: Whole,
    proxy: Proxy,
}

async fn one(database: &Database) -> One {
    let central = Enrolled::at(database.clone()).await;
    let proxy = Proxy::to(database.port()).await;
    let (role, name) = (&central.login.role, &database.name);
    let url = format!("postgres://{role}:{PASSWORD}@127.0.0.1:{}/{name}?sslmode=require", proxy.port);
    // A lost answer is noticed when the time for it is over, so that is what the faults cost.
    let limits = Limits { connect: Duration::from_secs(4), answer: Duration::from_millis(1500) };
    let upstream = Postgres::new(settings(database, &url).with_limits(limits));
    let whole = Whole::at(&central, upstream).await;
    // As on a line that has shown to be bad: a commit's changes are several batches, in flight together.
    let mut pace = Pace::default();
    (0..10).for_each(|_| pace.failed());
    let whole = whole.paced(pace);
    One { central, whole, proxy }
}

impl One {
    /// Commits and sends, with a fault on the line in some rounds. `done` counts the commits of the fleet.
    async fn live(&mut self, plan: Plan, done: &watch::Sender<u64>, mut serving: watch::Receiver<bool>) {
        for commit in 1..=plan.commits {
            let (hole, cut) = (commit % plan.hole_every == 0, commit % plan.cut_every == 0);
            if hole || cut {
                // The line breaks behind what is sent, not while it is opened.
                self.opened(&mut serving).await;
            }
            self.change(commit, plan.at_once);
            if hole {
                self.proxy.swallow();
            } else if cut {
                self.proxy.deafen();
            }
            let step = self.whole.sender.step().await;
            self.proxy.cut();
            if step == Step::Failed {
                serving.wait_for(|serving| *serving).await.unwrap();
            }
            done.send_modify(|done| *done += 1);
        }
        while self.whole.sender.step().await != Step::Done {
            serving.wait_for(|serving| *serving).await.unwrap();
        }
    }

    /// Sends until it comes through.
    async fn opened(&mut self, serving: &mut watch::Receiver<bool>) {
        while self.whole.sender.step().await == Step::Failed {
            serving.wait_for(|serving| *serving).await.unwrap();
        }
    }

    /// Hot rows written and deleted, and a link that is only ever added. The rows of a commit lie half in those of the one before.
    fn change(&self, commit: u64, at_once: u64) {
        let first = commit % 2 * at_once / 2;
        self.whole.write(first, first + at_once - 2, |n| format!("commit {commit} row {n}"));
        self.whole.delete(first + commit % 7);
        self.whole.audit(commit);
    }

    /// What differs from the box.
    async fn problems(&self) -> Vec<String> {
        let (database, box_id) = (&self.central.database, self.central.box_id);
        let mut found = Vec::new();
        let compared = self.whole.verify(&Postgres::new(settings(database, &self.central.login.url))).await;
        if compared.diverged + compared.unsettled + compared.dead_letters > 0 || compared.rows == 0 {
            found.push(format!("{compared:?}"));
        }
        for lane in Lane::ALL {
            let head = lane_head(&self.whole.store.read().unwrap(), lane).unwrap().seq;
            let cursor =
                format!("select seq from replication.cursors where box_id = '{box_id}' and lane = '{}'", lane.name());
            if database.sql(&cursor) != head.to_string() {
                found.push(format!("the {} lane ends elsewhere than {head}", lane.name()));
            }
        }
        if database.sql(&JUMPS.replace("{box}", &box_id.to_string())) != "0" {
            found.push("a cursor jumped".to_owned());
        }
        found
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_boxes_come_through_restarts_lost_answers_and_holes() {
    // Given eight boxes at a central that notes every step of a cursor.
    let plan = plan();
    let server = Arc::new(Server::start());
    let database = server.database();
    admin(&database).migrate().await.unwrap();
    database.sql(WATCH);
    let mut fleet = Vec::new();
    for _ in 0..BOXES {
        fleet.push(one(&database).await);
    }

    // When all of them write and send, and everything breaks again and again.
    let (done, (up, serving)) = (Arc::new(watch::Sender::new(0)), watch::channel(true));
    let tasks: Vec<_> = fleet
        .into_iter()
        .map(|mut one| {
            let (done, serving) = (Arc::clone(&done), serving.clone());
            tokio::spawn(async move {
                one.live(plan, &done, serving).await;
                one
            })
        })
        .collect();
    let mut progress = done.subscribe();
    for restart in 0..plan.restarts {
        let due = BOXES * plan.commits * (restart + 1) / (plan.restarts + 1);
        progress.wait_for(|done| *done >= due).await.unwrap();
        up.send_replace(false);
        let server = Arc::clone(&server);
        let how = if restart % 2 == 0 { Stop::Immediate } else { Stop::Fast };
        tokio::task::spawn_blocking(move || server.restart(how)).await.unwrap();
        up.send_replace(true);
    }
    let mut fleet = Vec::new();
    for task in tasks {
        fleet.push(task.await.unwrap());
    }

    // Then central holds what each box holds, and every cursor went step by step.
    for one in &fleet {
        assert_eq!(one.problems().await, Vec::<String>::new());
    }
    // Negative control: one row that is different is seen.
    database.sql("update identity.user_login_attempts set outcome = 'other' where ctid = (select min(ctid) from identity.user_login_attempts)");
    let mut seen = 0;
    for one in &fleet {
        seen += one.problems().await.len();
    }
    assert_eq!(seen, 1);
}
