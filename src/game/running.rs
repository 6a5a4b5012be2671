//! The matches that go on now, for those who run the box: who plays, how it stands, and when somebody last acted.
//!
//! Names, scores and times only. No card is ever here, not even the one on top: whoever runs the box may play too.

use crate::base::id::GameId;
use crate::base::time::Timestamp;
use crate::game::error::Error;
use crate::game::records::{Board, BotLevel, SESSION_LIVE, Session, damaged};
use crate::game::sessions::SeatInfo;
use crate::identity::access::{Admin, Caller, Distributor};
use crate::identity::users;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::whot::card::{PerSeat, Seat};
use crate::whot::options::Options;
use crate::whot::state::Phase;

/// Whose matches are wanted.
pub enum Overseer {
    /// Everybody's.
    Admin(Admin),
    /// The distributor's own and those of the distributor's customers.
    Distributor(Distributor),
}

impl Overseer {
    /// What a caller may oversee.
    ///
    /// # Errors
    /// [`Error::Denied`] for all but admins and distributors.
    pub fn of(caller: &Caller) -> Result<Self, Error> {
        match caller.admin() {
            Ok(admin) => Ok(Self::Admin(admin)),
            Err(_) => Ok(Self::Distributor(caller.distributor()?)),
        }
    }

    fn sees(&self, read: &(impl Read + ?Sized), session: &Session) -> Result<bool, Fault> {
        let Self::Distributor(owner) = self else { return Ok(true) };
        for user in session.seats.iter().filter_map(|seat| seat.user_id) {
            let own = || -> Result<bool, Fault> {
                let customer = users::by_id(read, user)?.filter(users::UserInfo::is_customer);
                Ok(customer.is_some_and(|customer| customer.distributor_id == Some(owner.id())))
            };
            if user == owner.id() || own()? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A match that goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// The match.
    pub game_id: GameId,
    /// By seat.
    pub players: PerSeat<SeatInfo>,
    /// At the seat of nobody, how well the bot plays.
    pub bot: Option<BotLevel>,
    /// The rules it is played by.
    pub options: Options,
    /// Where it is; before the first deal it is between rounds.
    pub phase: Phase,
    /// The present round; 0 before the first deal.
    pub round: u32,
    /// Accepted actions.
    pub seq: u64,
    /// Who is on turn.
    pub turn: Option<Seat>,
    /// Rounds won by seat.
    pub rounds_won: PerSeat<u32>,
    /// Points by seat.
    pub points: PerSeat<u32>,
    /// When it began.
    pub started_at: Timestamp,
    /// When somebody last acted, the clock included.
    pub last_action_at: Timestamp,
}

/// The matches that go on, the last begun first. A page holds as many as it may, whatever is left out between.
///
/// # Errors
/// [`Error::Store`] where they cannot be read.
pub fn running(read: &(impl Read + ?Sized), overseer: &Overseer, page: &Page) -> Result<Listed<Running>, Error> {
    let (mut items, mut after) = (Vec::new(), page.after.clone());
    loop {
        let rest = Page::newest(page.limit.saturating_sub(items.len())).after(after);
        let rows = read.list_by::<Session>(SESSION_LIVE, &Key::new(), &rest)?;
        for session in rows.items {
            if overseer.sees(read, &session)? {
                items.push(of(session)?);
            }
        }
        after = rows.next;
        if after.is_none() || items.len() >= page.limit {
            return Ok(Listed { items, next: after });
        }
    }
}

fn of(session: Session) -> Result<Running, Error> {
    let options = match &session.board {
        Board::Dealt(dealt) => &dealt.options,
        Board::Waiting { options, .. } | Board::Closed { options, .. } => options,
    };
    let options = Options::from_stored(options).map_err(damaged)?;
    // The public part of a projection; whose seat it is made for does not matter.
    let view = session.view(Seat::Zero)?;
    Ok(Running {
        game_id: session.id,
        players: session.players(),
        bot: session.bot_level,
        options,
        phase: view.phase,
        round: view.round,
        seq: view.seq,
        turn: view.turn,
        rounds_won: view.rounds_won,
        points: view.points,
        started_at: session.created_at,
        last_action_at: session.updated_at,
    })
}
