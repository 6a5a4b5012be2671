//! Turn clocks: when a turn has run out, when the next round begins by itself, and when a match is void
//! (rules 19.3 to 19.5). Pure: time and presence come in, what is due goes out; doing it is the job's part.
//!
//! Deadlines live in memory and run on monotonic time, so they stand still while the box is down and start anew with
//! it. They stand still too while nobody is at the match.

use std::collections::HashMap;
use std::time::Duration;

use crate::base::id::{GameId, UserId};
use crate::base::time::{Instant, Timestamp, WallTime};
use crate::game::records::{Board, Session};
use crate::game::service::Service;
use crate::game::sessions;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::whot::card::{PerSeat, Seat};
use crate::whot::options::Options;
use crate::whot::state::Phase;

/// Least time for a player whose connection was lost (rules 19.3).
pub const AFTER_LOSS: Duration = Duration::from_secs(60);
/// Between rounds, for players who do not say that they are ready (rules 19.5).
pub const BETWEEN_ROUNDS: Duration = Duration::from_secs(30);
/// A match that nobody touches for so long is void (rules 19.4).
pub const UNTOUCHED: Duration = Duration::from_secs(24 * 3600);

/// Whether a player is at the match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// A socket is open.
    pub online: bool,
    /// Since when that is so.
    pub since: Instant,
}

/// What time has brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The seat on turn has run out of time.
    TimeOut {
        /// Where the match must still be.
        seq: u64,
    },
    /// The next round begins.
    NextRound {
        /// Where the match must still be.
        seq: u64,
    },
    /// Nobody has touched the match for a day.
    Void {
        /// When it was touched last.
        updated_at: Timestamp,
    },
}

/// What a clock needs to know of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Where it is.
    pub seq: u64,
    /// Who is on turn, while a round is live.
    pub turn: Option<Seat>,
    /// It waits for its next round.
    pub between_rounds: bool,
    /// Seconds of a turn; 0 is no clock.
    pub turn_seconds: u16,
    /// By seat; none for a bot, which is at the match whenever its player is.
    pub users: PerSeat<Option<UserId>>,
    /// When it was touched last.
    pub updated_at: Timestamp,
}

/// The clocks of all unfinished matches.
#[derive(Debug, Default)]
pub struct Clocks {
    running: HashMap<GameId, Running>,
}

#[derive(Debug)]
struct Running {
    watched: Watched,
    /// When this turn or pause began.
    began: Instant,
    /// How much of it has counted until `ticked`.
    counted: Duration,
    ticked: Instant,
    /// Whether anybody was there when it last ticked.
    attended: bool,
    /// Not before, for a seat that was away.
    floor: Option<Instant>,
    /// The seat on turn was never at the match since the box started.
    unseen: bool,
    /// When the match was seen to be touched last.
    touched: Instant,
}

impl Clocks {
    /// Takes in where a match is. Its clock starts anew if it has moved.
    pub fn watch(&mut self, game: GameId, watched: Watched, now: Instant) {
        match self.running.get_mut(&game) {
            Some(running) if running.watched.seq == watched.seq && running.watched.turn == watched.turn => {
                if running.watched.updated_at != watched.updated_at {
                    running.touched = now;
                }
                running.watched = watched;
            }
            _ => {
                let running = Running {
                    watched,
                    began: now,
                    counted: Duration::ZERO,
                    ticked: now,
                    attended: false,
                    floor: None,
                    unseen: false,
                    touched: now,
                };
                self.running.insert(game, running);
            }
        }
    }

    /// Forgets a match that is over; its players, if it was known.
    pub fn forget(&mut self, game: GameId) -> Option<PerSeat<Option<UserId>>> {
        self.running.remove(&game).map(|running| running.watched.users)
    }

    /// Lets all clocks run until `now` and says what is due. What is not done stays due.
    pub fn due(
        &mut self,
        now: Instant,
        wall: WallTime,
        presence: impl Fn(GameId, UserId) -> Option<Presence>,
    ) -> Vec<(GameId, Due)> {
        let step = |(game, running): (&GameId, &mut Running)| {
            let seats = PerSeat(running.watched.users.0.map(|user| user.and_then(|user| presence(*game, user))));
            running.tick(now, &seats);
            running.due(now, wall, &seats).map(|due| (*game, due))
        };
        self.running.iter_mut().filter_map(step).collect()
    }

    /// How long the seat on turn has still got; none where no clock runs: without `attended`, that is with nobody at
    /// the match, it stands still. A clock that has not heard of this turn yet will start now.
    #[must_use]
    pub fn remaining(
        &self,
        game: GameId,
        seq: u64,
        turn_seconds: u16,
        now: Instant,
        attended: bool,
    ) -> Option<Duration> {
        if turn_seconds == 0 || !attended {
            return None;
        }
        let whole = Duration::from_secs(u64::from(turn_seconds));
        let known = self.running.get(&game).filter(|running| running.watched.seq == seq);
        Some(known.map_or(whole, |running| {
            let since = if running.attended { now.since(running.ticked) } else { Duration::ZERO };
            let floor = running.floor.map_or(Duration::ZERO, |floor| floor.since(now));
            whole.saturating_sub(running.counted.saturating_add(since)).max(floor)
        }))
    }
}

impl Running {
    fn tick(&mut self, now: Instant, seats: &PerSeat<Option<Presence>>) {
        if self.attended {
            self.counted = self.counted.saturating_add(now.since(self.ticked));
        }
        self.ticked = now;
        self.attended = seats.0.iter().flatten().any(|presence| presence.online);
        let Some(turn) = self.watched.turn.filter(|turn| self.watched.users.of(*turn).is_some()) else { return };
        let lost = match seats.of(turn) {
            Some(presence) if presence.online => {
                // Its first connection: only now can it see that it is on turn.
                if std::mem::take(&mut self.unseen) {
                    (self.counted, self.floor) = (Duration::ZERO, None);
                }
                return;
            }
            Some(presence) => presence.since,
            None => {
                self.unseen = true;
                self.began
            }
        };
        let floor = lost.plus(AFTER_LOSS);
        self.floor = Some(self.floor.map_or(floor, |known| known.max(floor)));
    }

    fn due(&self, now: Instant, wall: WallTime, seats: &PerSeat<Option<Presence>>) -> Option<Due> {
        let watched = &self.watched;
        // Wall time counts the hours during which the box was down, if it can be believed.
        let by_wall = wall.trusted && wall.now.since(watched.updated_at) >= UNTOUCHED;
        if by_wall || now.since(self.touched) >= UNTOUCHED {
            return Some(Due::Void { updated_at: watched.updated_at });
        }
        if watched.turn.is_some() {
            let whole = Duration::from_secs(u64::from(watched.turn_seconds));
            let out = watched.turn_seconds > 0
                && self.attended
                && self.counted >= whole
                && self.floor.is_none_or(|floor| now >= floor);
            return out.then_some(Due::TimeOut { seq: watched.seq });
        }
        let online =
            |seat: Seat| watched.users.of(seat).is_none() || seats.of(seat).is_some_and(|presence| presence.online);
        let both = Seat::BOTH.into_iter().all(online) && self.attended;
        (watched.between_rounds && both && now.since(self.began) >= BETWEEN_ROUNDS)
            .then_some(Due::NextRound { seq: watched.seq })
    }
}

impl Service {
    /// What the clocks need to know of a match; none once it is over.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    pub fn watched(&self, read: &(impl Read + ?Sized), game: GameId) -> Result<Option<Watched>, Fault> {
        match self.present(read, game)? {
            Some(present) => Ok(of(&present.session)),
            None => Ok(read.get::<Session>(&Key::of(game))?.as_ref().and_then(of)),
        }
    }
}

/// All unfinished matches, page by page; for the start of the box.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn all(read: &(impl Read + ?Sized)) -> Result<Vec<(GameId, Watched)>, Fault> {
    let (mut found, mut place) = (Vec::new(), None);
    loop {
        let page = sessions::live(read, &Page::first(MAX_PAGE).after(place))?;
        found.extend(page.items.iter().filter_map(|session| of(session).map(|watched| (session.id, watched))));
        place = page.next;
        if place.is_none() {
            return Ok(found);
        }
    }
}

fn of(session: &Session) -> Option<Watched> {
    if session.ended_at.is_some() {
        return None;
    }
    let (options, state) = match &session.board {
        Board::Waiting { options, .. } | Board::Closed { options, .. } => (options, None),
        Board::Dealt(dealt) => (&dealt.options, Some(&dealt.state)),
    };
    Some(Watched {
        seq: session.seq(),
        turn: state.and_then(|state| state.turn).and_then(|turn| Seat::from_index(u64::from(turn))),
        between_rounds: state.is_some_and(|state| state.phase == Phase::RoundOver.code()),
        turn_seconds: Options::from_stored(options).map_or(0, |options| options.turn_seconds()),
        users: PerSeat(session.players().0.map(|seat| seat.user_id)),
        updated_at: session.updated_at,
    })
}

#[cfg(test)]
mod tests;
