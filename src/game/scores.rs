//! Scores: the board of one match, and how the box's players stand. Never recomputed from cards (rules 19.6).

use std::time::Duration;

use crate::base::id::{GameId, UserId};
use crate::base::text::Username;
use crate::base::time::Timestamp;
use crate::game::error::Error;
use crate::game::records::{STANDING_BY_RANK, Session, Standing};
use crate::game::sessions::{SeatInfo, of, seated};
use crate::identity::access::Caller;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;
use crate::whot::card::{PerSeat, Seat};
use crate::whot::state::HistoryEntry;

/// Seconds of a week.
const WEEK: i64 = 7 * 24 * 3600;
/// 1970-01-01 was a Thursday; weeks begin on Mondays.
const TO_MONDAY: Duration = Duration::from_secs(3 * 24 * 3600);

/// The scoreboard of a match.
#[derive(Debug, Clone, PartialEq)]
pub struct Scoreboard {
    /// The match.
    pub game_id: GameId,
    /// By seat.
    pub players: PerSeat<SeatInfo>,
    /// By seat.
    pub rounds_won: PerSeat<u32>,
    /// By seat; low is good.
    pub points: PerSeat<u32>,
    /// Finished rounds.
    pub history: Vec<HistoryEntry>,
    /// Who won.
    pub winner: Option<Seat>,
    /// Why it ended.
    pub end_reason: Option<&'static str>,
}

/// A line of the leaderboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The player.
    pub user_id: UserId,
    /// The name at the player's last match.
    pub username: Username,
    /// Matches won.
    pub won: u32,
    /// Matches played to their end.
    pub played: u32,
}

/// Which leaderboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Since Monday, UTC.
    Week,
    /// Since the box began.
    All,
}

impl Period {
    /// Its number in keys: weeks from 1970 on, from 1; 0 is all time.
    fn number(self, now: Timestamp) -> u32 {
        match self {
            Self::All => 0,
            Self::Week => u32::try_from(now.plus(TO_MONDAY).seconds().div_euclid(WEEK)).unwrap_or(0).saturating_add(1),
        }
    }
}

/// The scoreboard of the caller's match.
///
/// # Errors
/// [`Error::NotFound`].
pub fn scoreboard(read: &(impl Read + ?Sized), caller: &Caller, game: GameId) -> Result<Scoreboard, Error> {
    let (session, seat) = seated(read, caller.id(), game)?;
    let view = session.view(seat)?;
    Ok(Scoreboard {
        game_id: game,
        players: session.players(),
        rounds_won: view.rounds_won,
        points: view.points,
        history: view.history,
        winner: view.winner,
        end_reason: session.end_reason(),
    })
}

/// The players of a period, most matches won first, among equals the one who needed fewer.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn leaderboard(
    read: &(impl Read + ?Sized),
    now: Timestamp,
    period: Period,
    page: &Page,
) -> Result<Listed<Place>, Fault> {
    let front = Key::new().small(period.number(now));
    let rows = read.list_by::<Standing>(STANDING_BY_RANK, &front, page)?;
    Ok(rows.map(Place::from))
}

/// A player's line of the leaderboard of all time, if there is one.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn standing(read: &(impl Read + ?Sized), user: UserId) -> Result<Option<Place>, Fault> {
    Ok(read.get::<Standing>(&Key::new().small(0).id(user))?.map(Place::from))
}

impl From<Standing> for Place {
    fn from(row: Standing) -> Self {
        Self { user_id: row.user_id, username: row.username, won: row.won, played: row.played }
    }
}

/// Takes a player from the leaderboards of all time and of the week in which a match of theirs ended.
pub(in crate::game) fn forget(tx: &mut Tx<'_>, ended: Timestamp, user: UserId) -> Result<(), Fault> {
    for period in [Period::All, Period::Week] {
        tx.delete::<Standing>(&Key::new().small(period.number(ended)).id(user))?;
    }
    Ok(())
}

/// Counts a match that was just won. One against a bot is practice and does not count.
pub(in crate::game) fn count(tx: &mut Tx<'_>, now: Timestamp, session: &Session, winner: Seat) -> Result<(), Fault> {
    if session.bot_level.is_some() {
        return Ok(());
    }
    for seat in Seat::BOTH {
        let seated = of(&session.seats, seat);
        let Some(user_id) = seated.user_id else { continue };
        for period in [Period::All, Period::Week] {
            let period = period.number(now);
            let before = tx.get::<Standing>(&Key::new().small(period).id(user_id))?;
            let (won, played) = before.map_or((0, 0), |row| (row.won, row.played));
            tx.put(&Standing {
                period,
                user_id,
                username: seated.username.clone(),
                won: won.saturating_add(u32::from(seat == winner)),
                played: played.saturating_add(1),
            })?;
        }
    }
    Ok(())
}
