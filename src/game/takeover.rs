//! Invites and matches taken over from the old service, and given out again.
//!
//! The old store does not tell hands and market, so a match comes over as its scores: one that was finished as it
//! ended, one that was not as void, which is what its players are shown. The import and the export alone call this.

use crate::base::id::{GameId, GameInviteId, UserId};
use crate::base::text::Username;
use crate::base::time::Timestamp;
use crate::game::records::{Board, GameInvite, InviteState, OldScores, Reconnect, Seated, Session, card_name};
use crate::game::scores;
use crate::identity::takeover::Facts;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;
use crate::whot::card::Seat;
use crate::whot::options::{Options, Preset};

/// An invite to a match.
#[derive(Debug, Clone)]
pub struct OldGameInvite {
    /// The id, in its old form.
    pub id: GameInviteId,
    /// Who asked.
    pub sender_id: UserId,
    /// That one's name.
    pub sender_username: Username,
    /// Who was asked.
    pub recipient_id: UserId,
    /// That one's name.
    pub recipient_username: Username,
    /// What became of it. One that was still open comes over as expired: its match was never shuffled here.
    pub state: InviteState,
    /// Its match.
    pub game_id: Option<GameId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A match.
#[derive(Debug, Clone)]
pub struct OldGame {
    /// The id, in its old form.
    pub id: GameId,
    /// By seat: who played, and that one's name.
    pub players: [(UserId, Username); 2],
    /// By seat.
    pub points: [u32; 2],
    /// The seat that won.
    pub winner: Option<Seat>,
    /// The card on top, as the old service named it.
    pub top_card: Option<String>,
    /// It was not finished.
    pub void: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended, or was last touched.
    pub ended_at: Timestamp,
}

impl OldGameInvite {
    /// The row as named texts.
    #[must_use]
    pub fn facts(&self) -> Facts {
        vec![
            ("id", Some(self.id.to_string())),
            ("sender_id", Some(self.sender_id.to_string())),
            ("sender_username", Some(self.sender_username.to_string())),
            ("recipient_id", Some(self.recipient_id.to_string())),
            ("recipient_username", Some(self.recipient_username.to_string())),
            ("status", Some(self.state.name().to_owned())),
            ("game_id", self.game_id.map(|id| id.to_string())),
            ("created_at", Some(self.created_at.to_string())),
        ]
    }
}

impl OldGame {
    /// The row as named texts.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let [(zero, zero_name), (one, one_name)] = &self.players;
        let winner = self.winner.map(|seat| if seat == Seat::Zero { zero } else { one });
        let [points_zero, points_one] = self.points;
        vec![
            ("id", Some(self.id.to_string())),
            ("player1_id", Some(zero.to_string())),
            ("player1_username", Some(zero_name.to_string())),
            ("player2_id", Some(one.to_string())),
            ("player2_username", Some(one_name.to_string())),
            ("score1", Some(points_zero.to_string())),
            ("score2", Some(points_one.to_string())),
            ("winner_id", winner.map(ToString::to_string)),
            ("top_card", self.top_card.clone()),
            ("status", Some(if self.void { "void" } else { "finished" }.to_owned())),
            ("created_at", Some(self.created_at.to_string())),
            ("ended_at", Some(self.ended_at.to_string())),
        ]
    }
}

impl From<GameInvite> for OldGameInvite {
    fn from(row: GameInvite) -> Self {
        Self {
            id: row.id,
            sender_id: row.sender_id,
            sender_username: row.sender_username,
            recipient_id: row.recipient_id,
            recipient_username: row.recipient_username,
            state: row.state,
            game_id: (row.state == InviteState::Accepted).then_some(row.game_id),
            created_at: row.created_at,
        }
    }
}

/// A match between two people; none for one against a bot, which is practice.
fn old(row: Session) -> Option<OldGame> {
    let [zero, one] = row.seats;
    let players = [(zero.user_id?, zero.username), (one.user_id?, one.username)];
    let (points, winner, top_card) = match row.board {
        Board::Closed { scores, .. } => (scores.points, scores.winner, scores.top_card),
        Board::Dealt(dealt) => {
            (dealt.state.points, dealt.state.winner, dealt.state.pile.last().and_then(|id| card_name(*id)))
        }
        Board::Waiting { .. } => ([0; 2], None, None),
    };
    Some(OldGame {
        id: row.id,
        players,
        points,
        winner: winner.and_then(|seat| Seat::from_index(u64::from(seat))),
        top_card,
        void: row.void || row.ended_at.is_none(),
        created_at: row.created_at,
        ended_at: row.ended_at.unwrap_or(row.updated_at),
    })
}

/// Takes over an invite, and says whether that was news: one whose id is here stays as it is.
///
/// # Errors
/// [`Fault`].
pub fn take_over_invite(tx: &mut Tx<'_>, old: OldGameInvite) -> Result<bool, Fault> {
    if tx.get::<GameInvite>(&Key::of(old.id))?.is_some() {
        return Ok(false);
    }
    let state = if old.state == InviteState::Pending { InviteState::Expired } else { old.state };
    tx.put(&GameInvite {
        id: old.id,
        sender_id: old.sender_id,
        sender_username: old.sender_username,
        recipient_id: old.recipient_id,
        recipient_username: old.recipient_username,
        options: Options::preset(Preset::Nigerian).to_stored(),
        first_starter: 0,
        game_id: old.game_id.unwrap_or_else(|| GameId::from(*old.id.raw())),
        commitment: [0; 32],
        seed_sealed: Vec::new(),
        nonces: [None; 2],
        state,
        rematch_of: None,
        expires_at: old.created_at,
        created_at: old.created_at,
        answered_at: None,
    })?;
    Ok(true)
}

/// Takes over a match, and says whether that was news. A finished one with a winner counts on the leaderboard.
///
/// # Errors
/// [`Fault`].
pub fn take_over(tx: &mut Tx<'_>, old: OldGame) -> Result<bool, Fault> {
    if tx.get::<Session>(&Key::of(old.id))?.is_some() {
        return Ok(false);
    }
    let [zero, one] = old.players;
    let seat = |(user_id, username)| Seated { user_id: Some(user_id), username };
    let scores = OldScores { points: old.points, winner: old.winner.map(Seat::index), top_card: old.top_card };
    let session = Session {
        id: old.id,
        seats: [seat(zero), seat(one)],
        bot_level: None,
        board: Board::Closed { options: Options::preset(Preset::Nigerian).to_stored(), scores },
        log: Vec::new(),
        reconnect: [Reconnect::default(); 2],
        void: old.void,
        created_at: old.created_at,
        updated_at: old.ended_at,
        ended_at: Some(old.ended_at),
    };
    tx.put(&session)?;
    if let Some(winner) = old.winner.filter(|_| !old.void) {
        scores::count(tx, old.ended_at, &session, winner)?;
    }
    Ok(true)
}

/// The invite of an id.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn invite(read: &(impl Read + ?Sized), id: GameInviteId) -> Result<Option<OldGameInvite>, Fault> {
    Ok(read.get::<GameInvite>(&Key::of(id))?.map(OldGameInvite::from))
}

/// The match of an id.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn game(read: &(impl Read + ?Sized), id: GameId) -> Result<Option<OldGame>, Fault> {
    Ok(read.get::<Session>(&Key::of(id))?.and_then(old))
}

/// Invites in the order of their ids.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn invites(read: &(impl Read + ?Sized), page: &Page) -> Result<Listed<OldGameInvite>, Fault> {
    Ok(read.list::<GameInvite>(&Key::new(), page)?.map(OldGameInvite::from))
}

/// Matches in the order of their ids; nothing in the place of one against a bot.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn games(read: &(impl Read + ?Sized), page: &Page) -> Result<Listed<Option<OldGame>>, Fault> {
    Ok(read.list::<Session>(&Key::new(), page)?.map(old))
}
