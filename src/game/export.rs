//! What the game domain holds about a player, for that player: matches in short and the place on the leaderboard. The
//! actions of each match are on its own routes.

use crate::base::id::GameId;
use crate::base::time::Timestamp;
use crate::game::error::Error;
use crate::game::records::{BotLevel, SESSION_BY_PLAYER, Session};
use crate::game::sessions::SeatInfo;
use crate::identity::access::Player;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::whot::card::{PerSeat, Seat};

/// A match in short.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldMatch {
    /// The match.
    pub game_id: GameId,
    /// By seat.
    pub players: PerSeat<SeatInfo>,
    /// The bot's level, if one plays.
    pub bot_level: Option<BotLevel>,
    /// The player's own seat.
    pub seat: Seat,
    /// By seat.
    pub rounds_won: PerSeat<u32>,
    /// By seat.
    pub points: PerSeat<u32>,
    /// Who won.
    pub winner: Option<Seat>,
    /// `target`, `resign`, `timeout`, or `void`.
    pub end_reason: Option<&'static str>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// The caller's matches.
///
/// # Errors
/// The store's, and damage.
pub fn matches(read: &(impl Read + ?Sized), caller: &Player, page: &Page) -> Result<Listed<HeldMatch>, Error> {
    let rows = read.list_by::<Session>(SESSION_BY_PLAYER, &Key::of(caller.id()), page)?;
    let items = rows.items.iter().map(|row| short(row, caller)).collect::<Result<_, _>>()?;
    Ok(Listed { items, next: rows.next })
}

fn short(row: &Session, caller: &Player) -> Result<HeldMatch, Error> {
    let seat = row.seat_of(caller.id()).ok_or(Error::NotFound)?;
    let view = row.view(seat)?;
    Ok(HeldMatch {
        game_id: row.id,
        players: row.players(),
        bot_level: row.bot_level,
        seat,
        rounds_won: view.rounds_won,
        points: view.points,
        winner: view.winner,
        end_reason: row.end_reason(),
        created_at: row.created_at,
        ended_at: row.ended_at,
    })
}
