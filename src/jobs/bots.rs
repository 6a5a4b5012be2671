//! The bots' moves: asks the bot of each match that moved, away from the threads that serve, and plays its answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::app::App;
use crate::base::id::GameId;
use crate::base::notice::Notice;
use crate::game::bots;
use crate::game::error::Error;
use crate::jobs::{Job, Next};
use crate::live::hub::{Signal, Subscription, Topic};

/// Looked at at least so often, though a commit wakes it.
const EVERY: Duration = Duration::from_secs(5);
/// Matches that may wait for their bot. Past these the matches are looked up again when there is room.
const MAX_WAITING: usize = 10_000;

/// Plays for the bots, one move at a time, so that they never take more than one core.
pub struct Bots {
    app: Arc<App>,
    news: Subscription,
    waiting: VecDeque<GameId>,
    loaded: bool,
}

impl Bots {
    /// The job of a box.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        let news = app.hub.subscribe(&[Topic::AllGames]);
        Self { app, news, waiting: VecDeque::new(), loaded: false }
    }

    async fn work(&mut self) -> Result<Next, Error> {
        self.take_in()?;
        let Some(game) = self.waiting.pop_front() else { return Ok(Next::Commit(EVERY)) };
        let question = self.app.game.question(&self.app.store.read()?, game)?;
        let Some(question) = question else { return Ok(Next::Now) };
        let seed = u64::from_le_bytes(self.app.entropy.bytes());
        let Ok(Some(answer)) = tokio::task::spawn_blocking(move || question.answer(seed)).await else {
            tracing::warn!(game = %game, "a bot has no answer");
            return Ok(Next::Now);
        };
        let service = Arc::clone(&self.app.game);
        match self.app.store.write(move |tx, now| service.play_bot(tx, now, game, answer)).await {
            // Its own move is news too: if it is on turn again, it is asked again.
            Ok(_) | Err(Error::Stale { .. } | Error::NotFound) => Ok(Next::Now),
            Err(error) => {
                self.waiting.push_back(game);
                Err(error)
            }
        }
    }

    fn take_in(&mut self) -> Result<(), Error> {
        if !self.loaded && self.waiting.is_empty() {
            self.waiting = bots::all(&self.app.store.read()?)?.into();
            self.loaded = true;
        }
        while let Some(signal) = self.news.next().now_or_never() {
            match signal {
                Ok(Signal::Committed(Notice::Game(game))) => {
                    if self.waiting.len() >= MAX_WAITING {
                        self.loaded = false;
                    } else if !self.waiting.contains(&game) {
                        self.waiting.push_back(game);
                    }
                }
                Ok(_) => {}
                Err(_) => {
                    self.news = self.app.hub.subscribe(&[Topic::AllGames]);
                    self.loaded = false;
                }
            }
        }
        Ok(())
    }
}

impl Job for Bots {
    async fn step(&mut self) -> Next {
        match self.work().await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(%error, "a bot could not play");
                Next::After(EVERY)
            }
        }
    }
}
