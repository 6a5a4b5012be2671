//! What the last action of each match made, kept in memory: so that neither its answer nor the frames of the match's
//! sockets play the round again, and the next action need not read the match anew.
//!
//! ```text
//!   act ─▶ keep: the match, its row's bytes, the events ─▶ present: believed where the row still has these bytes
//! ```
//!
//! The row decides. What a commit did not make true, or what a restore took back, has other bytes and is not believed; and
//! as the rules are deterministic, the same bytes were made by the same action.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::id::GameId;
use crate::game::error::Error;
use crate::game::history::Frame;
use crate::game::records::Session;
use crate::game::service::Service;
use crate::game::sessions::present_commitment;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::read::{Read, ReadExt};
use crate::whot::card::Seat;
use crate::whot::event::{Event, seen_by};
use crate::whot::matches::Match;

/// Matches that are kept at most, of some kilobytes each; beyond that all are forgotten.
const MOST: usize = 1024;

/// A match after its last action.
pub(in crate::game) struct Present {
    /// The row's bytes.
    stored: Vec<u8>,
    pub(in crate::game) session: Session,
    pub(in crate::game) game: Match,
    events: Vec<Event>,
    commitment: [u8; 32],
}

impl Present {
    /// The last action as a seat may see it.
    pub(in crate::game) fn frame(&self, seat: Seat) -> Result<Frame, Error> {
        let shown = self.session.shown(self.game.view(seat), self.commitment)?;
        Ok(Frame { seq: self.game.seq(), events: seen_by(&self.events, seat), shown })
    }
}

/// The matches that are kept.
#[derive(Default)]
pub(in crate::game) struct Presents(Mutex<BTreeMap<GameId, Arc<Present>>>);

impl Presents {
    fn get(&self, game: GameId) -> Option<Arc<Present>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&game).map(Arc::clone)
    }

    fn keep(&self, present: Present) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST && !kept.contains_key(&present.session.id) {
            kept.clear();
        }
        kept.insert(present.session.id, Arc::new(present));
    }

    fn forget(&self, game: GameId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&game);
    }
}

impl Service {
    /// The match after its last action, if that is kept and is what `read` has.
    pub(in crate::game) fn present(
        &self,
        read: &(impl Read + ?Sized),
        game: GameId,
    ) -> Result<Option<Arc<Present>>, Fault> {
        let Some(present) = self.presents.get(game) else { return Ok(None) };
        let stored = read.stored::<Session>(&Key::of(game))?;
        Ok(Some(present).filter(|present| stored.as_ref() == Some(&present.stored)))
    }

    /// Keeps what an action made, after its row was written; `before` is what was kept and believed before it.
    pub(in crate::game) fn keep(
        &self,
        read: &(impl Read + ?Sized),
        before: Option<&Present>,
        session: Session,
        game: Match,
        events: Vec<Event>,
    ) -> Result<(), Error> {
        // A match that is over is hardly looked at again.
        let stored = read.stored::<Session>(&Key::of(session.id))?;
        let Some(stored) = stored.filter(|_| session.ended_at.is_none()) else {
            self.presents.forget(session.id);
            return Ok(());
        };
        // A round keeps its commitment. One that was never committed is not asked: its round may have been opened anew since.
        let same = |before: &&Present| {
            before.game.round() == game.round() && before.game.phase().is_live() && game.phase().is_live()
        };
        let commitment = match before.filter(same) {
            Some(before) => before.commitment,
            None => present_commitment(read, session.id, game.round(), game.phase())?,
        };
        self.presents.keep(Present { stored, session, game, events, commitment });
        Ok(())
    }
}
