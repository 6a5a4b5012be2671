//! Matches as their players see them: finding one's own, and the projection of one for a seat.
//!
//! What a seat may know of the cards is the rules' [`View`]; this adds who plays and under what commitment.

use crate::base::id::{GameId, UserId};
use crate::base::text::Username;
use crate::game::error::Error;
use crate::game::records::{Board, Round, SESSION_BY_PLAYER, SESSION_BY_STATE, SESSION_LIVE, Session, damaged};
use crate::identity::access::{Caller, Player};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::whot::card::{CardList, CardSet, PerSeat, Seat};
use crate::whot::matches::Match;
use crate::whot::options::Options;
use crate::whot::state::{EndReason, Phase};
use crate::whot::stored::StoredMatch;
use crate::whot::view::View;

/// A player of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatInfo {
    /// None for a bot.
    pub user_id: Option<UserId>,
    /// The name at the time the match began.
    pub username: Username,
}

/// A match as one seat may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The match.
    pub game_id: GameId,
    /// By seat.
    pub players: PerSeat<SeatInfo>,
    /// The rules it is played by.
    pub options: Options,
    /// Of the present round; between rounds of the next one (contract, section 4).
    pub commitment: [u8; 32],
    /// What this seat may know of the cards. A void match is shown as over.
    pub view: View,
    /// `target`, `resign`, `timeout`, or `void`.
    pub end_reason: Option<&'static str>,
}

impl Session {
    /// The seat of a user; nothing for one who has no part in it.
    pub(in crate::game) fn seat_of(&self, user: UserId) -> Option<Seat> {
        Seat::BOTH.into_iter().find(|seat| of(&self.seats, *seat).user_id == Some(user))
    }

    /// The match as stored.
    pub(in crate::game) fn dealt(&self) -> Result<&StoredMatch, Error> {
        match &self.board {
            Board::Dealt(dealt) => Ok(dealt),
            Board::Waiting { .. } | Board::Closed { .. } => Err(Error::NotDealt),
        }
    }

    /// The match of the rules.
    pub(in crate::game) fn game(&self) -> Result<Match, Error> {
        Ok(Match::from_stored(self.dealt()?).map_err(damaged)?)
    }

    /// Accepted actions; none before the first deal.
    pub(in crate::game) fn seq(&self) -> u64 {
        self.dealt().map_or(0, |dealt| dealt.state.seq)
    }

    /// The `seq` of the present round's deal. Between rounds and after the last, that of its last action.
    pub(in crate::game) fn base(&self) -> u64 {
        self.seq().saturating_sub(self.log.len() as u64)
    }

    pub(in crate::game) fn players(&self) -> PerSeat<SeatInfo> {
        PerSeat(self.seats.clone().map(|seat| SeatInfo { user_id: seat.user_id, username: seat.username }))
    }

    /// What a seat may know. Before the first deal that is an empty table, between rounds 0 and 1; of a match of the old
    /// service it is an empty table and the scores.
    pub(in crate::game) fn view(&self, seat: Seat) -> Result<View, Error> {
        let (first_starter, scores) = match &self.board {
            Board::Dealt(_) => return Ok(self.game()?.view(seat)),
            Board::Waiting { first_starter, .. } => (*first_starter, None),
            Board::Closed { scores, .. } => (0, Some(scores)),
        };
        let winner = scores.and_then(|scores| scores.winner).and_then(|seat| Seat::from_index(u64::from(seat)));
        Ok(View {
            called: None,
            drawn: None,
            end_reason: None,
            hand: CardSet::EMPTY,
            history: Vec::new(),
            legal: Vec::new(),
            market_cards: 0,
            opponent_cards: 0,
            pending: None,
            phase: if scores.is_some() { Phase::MatchOver } else { Phase::RoundOver },
            pile: CardList::EMPTY,
            points: PerSeat(scores.map_or([0; 2], |scores| scores.points)),
            reshuffles: 0,
            result: None,
            round: 0,
            rounds_won: PerSeat::default(),
            seat,
            seq: 0,
            starter: Seat::from_index(u64::from(first_starter)).unwrap_or(Seat::One),
            timeouts: PerSeat::default(),
            turn: None,
            winner,
        })
    }

    /// The match with this view of one of its seats. A void match is over, whatever its cards say.
    pub(in crate::game) fn shown(&self, view: View, commitment: [u8; 32]) -> Result<Shown, Error> {
        let options = match &self.board {
            Board::Dealt(dealt) => &dealt.options,
            Board::Waiting { options, .. } | Board::Closed { options, .. } => options,
        };
        let options = Options::from_stored(options).map_err(damaged)?;
        let end_reason = view.end_reason.map(EndReason::word);
        let mut shown = Shown { game_id: self.id, players: self.players(), options, commitment, view, end_reason };
        if self.void && shown.view.seq == self.seq() {
            shown.view.phase = Phase::MatchOver;
            shown.view.turn = None;
            shown.view.drawn = None;
            shown.view.legal.clear();
            shown.end_reason = self.end_reason();
        }
        Ok(shown)
    }
}

/// The value of a seat.
pub(in crate::game) const fn of<T>([zero, one]: &[T; 2], seat: Seat) -> &T {
    match seat {
        Seat::Zero => zero,
        Seat::One => one,
    }
}

/// The value of a seat, to change it.
pub(in crate::game) const fn of_mut<T>([zero, one]: &mut [T; 2], seat: Seat) -> &mut T {
    match seat {
        Seat::Zero => zero,
        Seat::One => one,
    }
}

/// A player's match and seat.
///
/// # Errors
/// [`Error::NotFound`] for everybody else.
pub(in crate::game) fn seated(
    read: &(impl Read + ?Sized),
    user: UserId,
    game: GameId,
) -> Result<(Session, Seat), Error> {
    let session = read.get::<Session>(&Key::of(game))?.ok_or(Error::NotFound)?;
    let seat = session.seat_of(user).ok_or(Error::NotFound)?;
    Ok((session, seat))
}

/// The seat of a caller in a match.
///
/// # Errors
/// [`Error::NotFound`] for one who has no part in it.
pub fn seat(read: &(impl Read + ?Sized), caller: &Caller, game: GameId) -> Result<Seat, Error> {
    seated(read, caller.id(), game).map(|(_, seat)| seat)
}

/// The players of a match, for clocks and presence.
///
/// # Errors
/// [`Error::NotFound`] where there is none.
pub fn players(read: &(impl Read + ?Sized), game: GameId) -> Result<PerSeat<SeatInfo>, Error> {
    Ok(read.get::<Session>(&Key::of(game))?.ok_or(Error::NotFound)?.players())
}

/// The match as the caller may see it.
///
/// # Errors
/// [`Error::NotFound`] for one who has no part in it.
pub fn show(read: &(impl Read + ?Sized), caller: &Caller, game: GameId) -> Result<Shown, Error> {
    let (session, seat) = seated(read, caller.id(), game)?;
    shown_now(read, &session, seat)
}

fn shown_now(read: &(impl Read + ?Sized), session: &Session, seat: Seat) -> Result<Shown, Error> {
    let view = session.view(seat)?;
    let commitment = match &session.board {
        // Nothing was ever committed to: the old service shuffled as it liked.
        Board::Closed { .. } => [0; 32],
        Board::Waiting { .. } | Board::Dealt(_) => present_commitment(read, session.id, view.round, view.phase)?,
    };
    session.shown(view, commitment)
}

/// The commitment that stands in `Game`: the round's own, or between rounds the next one's.
pub(in crate::game) fn present_commitment(
    read: &(impl Read + ?Sized),
    game: GameId,
    round: u32,
    phase: Phase,
) -> Result<[u8; 32], Error> {
    let round = if phase == Phase::RoundOver { round.saturating_add(1) } else { round };
    Ok(round_row(read, game, round)?.commitment)
}

/// A round's row. One that is missing is damage.
pub(in crate::game) fn round_row(read: &(impl Read + ?Sized), game: GameId, round: u32) -> Result<Round, Fault> {
    let row = read.get::<Round>(&Key::of(game).small(round))?;
    row.ok_or(Fault::Corrupt { table: "game.rounds", reason: "a match lacks a round" })
}

/// Which of a player's matches are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those not over.
    Live,
    /// Those over.
    Over,
}

/// The caller's matches as the caller may see them; [`Page::newest`] gives the last made first.
///
/// # Errors
/// [`Error::Store`] where they cannot be read.
pub fn of_player(
    read: &(impl Read + ?Sized),
    caller: &Player,
    which: Which,
    page: &Page,
) -> Result<Listed<Shown>, Error> {
    let user = caller.id();
    let rows = match which {
        Which::All => read.list_by::<Session>(SESSION_BY_PLAYER, &Key::of(user), page)?,
        Which::Live => read.list_by::<Session>(SESSION_BY_STATE, &Key::of(user).byte(0), page)?,
        Which::Over => read.list_by::<Session>(SESSION_BY_STATE, &Key::of(user).byte(1), page)?,
    };
    let shown = |session: &Session| shown_now(read, session, session.seat_of(user).ok_or(Error::NotFound)?);
    let items = rows.items.iter().map(shown).collect::<Result<_, _>>()?;
    Ok(Listed { items, next: rows.next })
}

/// How many unfinished matches a player has, counted up to one page.
pub(in crate::game) fn unfinished(read: &(impl Read + ?Sized), user: UserId, at_most: usize) -> Result<usize, Fault> {
    let front = Key::of(user).byte(0);
    Ok(read.list_by::<Session>(SESSION_BY_STATE, &front, &Page::first(at_most))?.items.len())
}

/// A page of all matches that are not over, for the clocks.
pub(in crate::game) fn live(read: &(impl Read + ?Sized), page: &Page) -> Result<Listed<Session>, Fault> {
    read.list_by::<Session>(SESSION_LIVE, &Key::new(), page)
}
