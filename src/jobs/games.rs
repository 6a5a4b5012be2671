//! The clocks of matches: takes in what moved, and does what is due. What is due is decided in `game::clock`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::app::App;
use crate::base::id::GameId;
use crate::base::notice::Notice;
use crate::base::time::Instant;
use crate::game::clock::{self, Due, Presence};
use crate::game::error::Error;
use crate::game::invites;
use crate::jobs::{Job, Next};
use crate::live::hub::{Signal, Subscription, Topic};
use crate::store::fault::Fault;

/// Clocks are looked at at least so often; a turn may last that much longer than its seconds.
const EVERY: Duration = Duration::from_millis(500);
/// How often invites past their time are looked for.
const EVERY_INVITE: Duration = Duration::from_secs(10);
/// What one step does at most; the rest is due again at once.
const AT_ONCE: usize = 200;

/// Turn clocks, the start of rounds that nobody asked for, void matches and expired invites.
pub struct Games {
    app: Arc<App>,
    news: Subscription,
    loaded: bool,
    invites_at: Option<Instant>,
}

impl Games {
    /// The job of a box.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        let news = app.hub.subscribe(&[Topic::AllGames]);
        Self { app, news, loaded: false, invites_at: None }
    }

    async fn work(&mut self) -> Result<Next, Error> {
        self.take_in()?;
        let app = Arc::clone(&self.app);
        let presence = |game, user| {
            let presence = app.hub.presence(game, user)?;
            Some(Presence { online: presence.online, since: presence.since_running })
        };
        let mut due = app.game.clocks().due(app.clock.monotonic(), app.clock.wall(), presence);
        let more = due.len() > AT_ONCE;
        due.truncate(AT_ONCE);
        for (game, due) in due {
            self.act(game, due).await?;
        }
        self.expire_invites().await?;
        Ok(if more { Next::Now } else { Next::Commit(EVERY) })
    }

    /// Reads all matches once, then those that a notice names.
    fn take_in(&mut self) -> Result<(), Fault> {
        let now = self.app.clock.monotonic();
        if !self.loaded {
            let found = clock::all(&self.app.store.read()?)?;
            let mut clocks = self.app.game.clocks();
            found.into_iter().for_each(|(game, watched)| clocks.watch(game, watched, now));
            self.loaded = true;
        }
        let mut moved = Vec::new();
        while let Some(signal) = self.news.next().now_or_never() {
            match signal {
                Ok(Signal::Committed(Notice::Game(game))) => moved.push(game),
                Ok(_) => {}
                Err(_) => {
                    // Too much happened at once: look at everything again.
                    self.news = self.app.hub.subscribe(&[Topic::AllGames]);
                    self.loaded = false;
                }
            }
        }
        if moved.is_empty() {
            return Ok(());
        }
        let read = self.app.store.read()?;
        for game in moved {
            let watched = self.app.game.watched(&read, game)?;
            let mut clocks = self.app.game.clocks();
            match watched {
                Some(watched) => clocks.watch(game, watched, now),
                None => {
                    let users = clocks.forget(game);
                    let users: Vec<_> = users.iter().flat_map(|users| users.0).flatten().collect();
                    self.app.hub.forget(game, &users);
                }
            }
        }
        Ok(())
    }

    async fn act(&self, id: GameId, due: Due) -> Result<(), Error> {
        let game = Arc::clone(&self.app.game);
        let done = self.app.store.write(move |tx, now| match due {
            Due::TimeOut { seq } => game.time_out(tx, now, id, seq),
            Due::NextRound { seq } => game.next_round(tx, now, id, seq),
            Due::Void { updated_at } => game.close_void(tx, now, id, updated_at),
        });
        let done = done.await?;
        tracing::debug!(game = %id, ?due, done, "a clock has run out");
        Ok(())
    }

    async fn expire_invites(&mut self) -> Result<(), Error> {
        let now = self.app.clock.monotonic();
        if self.invites_at.is_some_and(|at| now.since(at) < EVERY_INVITE) {
            return Ok(());
        }
        self.invites_at = Some(now);
        if invites::expiry_due(&self.app.store.read()?, self.app.clock.now())? {
            self.app.store.write(|tx, now| invites::expire(tx, now, AT_ONCE)).await?;
        }
        Ok(())
    }
}

impl Job for Games {
    async fn step(&mut self) -> Next {
        match self.work().await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(%error, "the clocks of matches could not be looked after");
                Next::After(EVERY)
            }
        }
    }
}
