//! Who is at which match: counted sockets of each player, and since when.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::id::{GameId, UserId};
use crate::base::time::{Instant, Timestamp};
use crate::live::hub::{Hub, Signal, Topic};

/// Whether a player is at a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// At least one socket is open.
    pub online: bool,
    /// Since when that is so, by the wall clock, for people.
    pub since: Timestamp,
    /// The same by the monotonic clock, for deadlines.
    pub since_running: Instant,
}

/// The presences of all matches. A player who was never there since the start of the box has none.
#[derive(Default)]
pub struct Presences {
    seats: Mutex<HashMap<(GameId, UserId), Seat>>,
    entered: AtomicU64,
}

struct Seat {
    sockets: u32,
    presence: Presence,
}

/// An open socket of a player at a match; leaving is dropping it.
pub struct Present {
    hub: Arc<Hub>,
    game: GameId,
    user: UserId,
    /// Counts up over all sockets: which of two is the newer.
    number: u64,
    clock: Arc<dyn crate::base::time::Clock>,
}

impl Hub {
    /// A player's socket opens at a match.
    #[must_use]
    pub fn enter(self: &Arc<Self>, game: GameId, user: UserId, clock: &Arc<dyn crate::base::time::Clock>) -> Present {
        let number = self.presences.entered.fetch_add(1, Ordering::Relaxed);
        let present = Present { hub: Arc::clone(self), game, user, number, clock: Arc::clone(clock) };
        present.count(true);
        present
    }

    /// Whether a player is at a match; `None` if never seen there.
    #[must_use]
    pub fn presence(&self, game: GameId, user: UserId) -> Option<Presence> {
        let seats = self.presences.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.get(&(game, user)).map(|seat| seat.presence)
    }

    /// Forgets the presences of a match that is over and that nobody is at.
    pub fn forget(&self, game: GameId, players: &[UserId]) {
        let mut seats = self.presences.seats.lock().unwrap_or_else(PoisonError::into_inner);
        for user in players {
            if seats.get(&(game, *user)).is_some_and(|seat| seat.sockets == 0) {
                seats.remove(&(game, *user));
            }
        }
    }
}

impl Present {
    /// Ends the player's older sockets at this match. This one has entered already, so the player is not away meanwhile.
    pub fn take_over(&self) {
        self.hub.signal(Topic::Game(self.game), Signal::TakenOver(self.game, self.user, self.number));
    }

    /// Whether a socket of this number, taking over, ends this one.
    #[must_use]
    pub const fn yields_to(&self, number: u64) -> bool {
        self.number < number
    }

    fn count(&self, enters: bool) {
        let now = Presence { online: enters, since: self.clock.now(), since_running: self.clock.monotonic() };
        let mut seats = self.hub.presences.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let seat = seats.entry((self.game, self.user)).or_insert(Seat { sockets: 0, presence: now });
        seat.sockets = if enters { seat.sockets.saturating_add(1) } else { seat.sockets.saturating_sub(1) };
        let changed = if enters { seat.sockets == 1 } else { seat.sockets == 0 };
        if changed {
            seat.presence = now;
        }
        drop(seats);
        if changed {
            self.hub.signal(Topic::Game(self.game), Signal::Presence(self.game));
            self.hub.signal(Topic::AllGames, Signal::Presence(self.game));
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.count(false);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::base::time::{Clock, ManualClock};

    #[test]
    fn a_player_is_away_when_the_last_socket_goes() {
        let (hub, time) = (Hub::new(), Arc::new(ManualClock::at(Timestamp::from_micros(0))));
        let clock: Arc<dyn Clock> = time.clone();
        let (game, user) = (GameId::from_uuid(Uuid::nil()), UserId::from_uuid(Uuid::nil()));
        assert_eq!(hub.presence(game, user), None);
        let first = hub.enter(game, user, &clock);
        let second = hub.enter(game, user, &clock);
        drop(first);
        assert!(hub.presence(game, user).unwrap().online);
        time.advance(Duration::from_secs(5));
        drop(second);
        let away = hub.presence(game, user).unwrap();
        assert_eq!((away.online, away.since_running), (false, clock.monotonic()));
        hub.forget(game, &[user]);
        assert_eq!(hub.presence(game, user), None);
    }
}
