//! Background work: each job is a `step` that says what it did, and one loop repeats them all.
//!
//! A step is short, safe to repeat and safe to cut off; what it must remember is in the store.

pub mod backup;
pub mod bots;
pub mod codes;
pub mod compaction;
pub mod custody;
pub mod erasure;
pub mod games;
pub mod gateway;
pub mod housekeeping;
pub mod naming;
pub mod replication;
pub mod retention;
pub mod verify;

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

/// Between two steps that commits asked for: what a busy box commits meanwhile is one step's work. Far below what a person
/// notices of a bot or a clock.
const PAUSE: Duration = Duration::from_millis(20);

/// When a job wants its next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// At once: there is more to do.
    Now,
    /// After a while.
    After(Duration),
    /// After the next commit, at the latest after a while.
    Commit(Duration),
}

/// Work that goes on by steps.
pub trait Job: Send {
    /// Does a little.
    fn step(&mut self) -> impl Future<Output = Next> + Send;

    /// Ends early when somebody wants the next step now.
    fn woken(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// Repeats a job until it is told to stop; the step under way is finished.
pub async fn run(mut job: impl Job, mut commits: watch::Receiver<u64>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        // What is committed from here on is news to the next step.
        commits.mark_unchanged();
        let (wait, on_commit) = match job.step().await {
            Next::Now => continue,
            Next::After(wait) => (wait, false),
            Next::Commit(wait) => (wait, true),
        };
        let rest = tokio::time::sleep(PAUSE);
        // Every branch may be dropped at any point: none of them holds anything.
        tokio::select! {
            () = stop.cancelled() => {}
            () = job.woken() => {}
            () = tokio::time::sleep(wait) => {}
            open = committed(&mut commits, rest), if on_commit => {
                if !open { return; }
            }
        }
    }
}

/// Waits for a commit, and until the job has rested; whether the store is still open.
async fn committed(commits: &mut watch::Receiver<u64>, rest: Sleep) -> bool {
    let open = commits.changed().await.is_ok();
    rest.await;
    open
}
