//! Scores: the board of one match, of two players, and how the box's players stand. Never recomputed from cards (rules 19.6).

use std::time::Duration;

use crate::base::id::{GameId, UserId};
use crate::base::text::Username;
use crate::base::time::Timestamp;
use crate::game::error::Error;
use crate::game::records::{Pair, SESSION_BY_PAIR, STANDING_BY_RANK, Session, Standing};
use crate::game::sessions::{SeatInfo, of, of_mut, seated};
use crate::identity::access::{Caller, Player};
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

/// How two players stand against each other, over all their matches that somebody won.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairBoard {
    /// The caller, then the other.
    pub players: [PairScore; 2],
    /// Matches.
    pub played: u32,
    /// The match that was counted last.
    pub last_game_id: GameId,
    /// When it ended.
    pub last_ended_at: Timestamp,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairScore {
    /// Who.
    pub user_id: UserId,
    /// The name at the last match of the two.
    pub username: Username,
    /// Matches won.
    pub won: u32,
    /// Rounds won in all matches.
    pub rounds_won: u32,
    /// Points of all matches; low is good.
    pub points: u64,
}

/// A match of two players that is over, as a line of their history.
#[derive(Debug, Clone, PartialEq)]
pub struct PastMatch {
    /// Its board.
    pub board: Scoreboard,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
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
    pub(in crate::game) fn number(self, now: Timestamp) -> u32 {
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
    board(&session, seat)
}

fn board(session: &Session, seat: Seat) -> Result<Scoreboard, Error> {
    let view = session.view(seat)?;
    Ok(Scoreboard {
        game_id: session.id,
        players: session.players(),
        rounds_won: view.rounds_won,
        points: view.points,
        history: view.history,
        winner: view.winner,
        end_reason: session.end_reason(),
    })
}

/// How the caller stands against another player.
///
/// # Errors
/// [`Error::NotFound`] for one with whom the caller has finished no match, whoever that is.
pub fn pair(read: &(impl Read + ?Sized), caller: &Player, other: UserId) -> Result<PairBoard, Error> {
    let own = caller.id();
    let pair = read.get::<Pair>(&Pair::key_of(own, other))?.ok_or(Error::NotFound)?;
    let last = read.get::<Session>(&Key::of(pair.last_game_id))?.ok_or(Error::NotFound)?;
    let score = |user_id: UserId| {
        let place = if user_id == pair.low { Seat::Zero } else { Seat::One };
        let seat = last.seat_of(user_id).ok_or(Error::NotFound)?;
        Ok::<_, Error>(PairScore {
            user_id,
            username: of(&last.seats, seat).username.clone(),
            won: *of(&pair.won, place),
            rounds_won: *of(&pair.rounds_won, place),
            points: *of(&pair.points, place),
        })
    };
    Ok(PairBoard {
        players: [score(own)?, score(other)?],
        played: pair.played,
        last_game_id: pair.last_game_id,
        last_ended_at: pair.last_ended_at,
    })
}

/// The finished matches of the caller and another player, those without a winner included; [`Page::newest`] gives the
/// last made first.
///
/// # Errors
/// [`Error::Store`] where they cannot be read.
pub fn pair_history(
    read: &(impl Read + ?Sized),
    caller: &Player,
    other: UserId,
    page: &Page,
) -> Result<Listed<PastMatch>, Error> {
    let rows = read.list_by::<Session>(SESSION_BY_PAIR, &Pair::key_of(caller.id(), other), page)?;
    let past = |session: &Session| {
        let seat = session.seat_of(caller.id()).ok_or(Error::NotFound)?;
        let (created_at, ended_at) = (session.created_at, session.ended_at);
        Ok::<_, Error>(PastMatch { board: board(session, seat)?, created_at, ended_at })
    };
    let items = rows.items.iter().map(past).collect::<Result<_, _>>()?;
    Ok(Listed { items, next: rows.next })
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
    count_pair(tx, now, session, winner)?;
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

fn count_pair(tx: &mut Tx<'_>, now: Timestamp, session: &Session, winner: Seat) -> Result<(), Fault> {
    let [Some(zero), Some(one)] = session.seats.each_ref().map(|seat| seat.user_id) else { return Ok(()) };
    let Ok(dealt) = session.dealt() else { return Ok(()) };
    let before = tx.get::<Pair>(&Pair::key_of(zero, one))?;
    let mut pair = before.unwrap_or(Pair {
        low: zero.min(one),
        high: zero.max(one),
        played: 0,
        won: [0; 2],
        rounds_won: [0; 2],
        points: [0; 2],
        last_game_id: session.id,
        last_ended_at: now,
    });
    for seat in Seat::BOTH {
        let user = if seat == Seat::Zero { zero } else { one };
        let place = if user == pair.low { Seat::Zero } else { Seat::One };
        let add = |sum: &mut u32, more: u32| *sum = sum.saturating_add(more);
        add(of_mut(&mut pair.won, place), u32::from(seat == winner));
        add(of_mut(&mut pair.rounds_won, place), *of(&dealt.state.rounds_won, seat));
        let points = of_mut(&mut pair.points, place);
        *points = points.saturating_add(u64::from(*of(&dealt.state.points, seat)));
    }
    pair.played = pair.played.saturating_add(1);
    pair.last_game_id = session.id;
    pair.last_ended_at = now;
    tx.put(&pair)
}
