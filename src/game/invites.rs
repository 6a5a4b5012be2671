//! Invites to a match: made with frozen options and a commitment, answered once.
//!
//! The match's id is drawn with the invite, since the sealed seed of round 1 is bound to it.

use std::time::Duration;

use crate::base::id::{GameId, GameInviteId, UserId};
use crate::base::notice::Notice;
use crate::base::text::Username;
use crate::base::time::Timestamp;
use crate::game::error::Error;
use crate::game::records::{
    Board, GameInvite, INVITE_BY_END, INVITE_BY_RECIPIENT, INVITE_BY_SENDER, INVITE_PENDING, INVITE_REMATCH,
    InviteState, Reconnect, Seated, Session, damaged,
};
use crate::game::rounds::Opening;
use crate::game::service::Service;
use crate::game::sessions::{of_mut, seated, unfinished};
use crate::identity::access::{Caller, Player};
use crate::identity::users::{self, UserInfo};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;
use crate::whot::card::Seat;
use crate::whot::options::Options;

/// How long an invite can be answered: an evening and the next day.
pub const INVITE_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Invites of one sender that may wait for an answer; enough for a whole room, too few to fill the box with.
pub const MAX_OPEN_INVITES: usize = 50;
/// Unfinished matches of one player; far more than anyone follows, and a page's worth.
pub const MAX_UNFINISHED: usize = 500;
/// Rows of one walk through pending invites.
const PENDING_PAGE: usize = 200;

/// An invite as sender and recipient see it.
#[derive(Debug, Clone, PartialEq)]
pub struct InviteInfo {
    /// Its id.
    pub id: GameInviteId,
    /// Who sent it.
    pub sender_id: UserId,
    /// The sender's name then.
    pub sender_username: Username,
    /// Who may answer it.
    pub recipient_id: UserId,
    /// The recipient's name then.
    pub recipient_username: Username,
    /// The rules.
    pub options: Options,
    /// Of round 1.
    pub commitment: [u8; 32],
    /// What became of it.
    pub state: InviteState,
    /// The match, once accepted.
    pub game_id: Option<GameId>,
    /// The match that this is a rematch of.
    pub rematch_of: Option<GameId>,
    /// Until when it can be answered.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A new invite.
#[derive(Debug, Clone)]
pub struct NewInvite {
    /// Whom to invite.
    pub recipient: Username,
    /// The rules.
    pub options: Options,
}

/// Which side of the caller's invites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Sent to the caller.
    Received,
    /// Sent by the caller.
    Sent,
}

struct Terms {
    options: Options,
    first_starter: Seat,
    rematch_of: Option<GameId>,
}

impl Service {
    /// Invites another player. The inviter deals first, so the invited player starts (rules 5.1).
    ///
    /// # Errors
    /// [`Error::UnknownPlayer`], [`Error::SelfInvite`], [`Error::TooManyInvites`].
    pub fn invite(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        caller: &Player,
        input: &NewInvite,
    ) -> Result<GameInviteId, Error> {
        let recipient = users::by_username(tx, &input.recipient)?.filter(may_play).ok_or(Error::UnknownPlayer)?;
        if recipient.id == caller.id() {
            return Err(Error::SelfInvite);
        }
        let terms = Terms { options: input.options, first_starter: Seat::One, rematch_of: None };
        self.send(tx, now, caller, &recipient, &terms)
    }

    /// Invites the other player of a finished match to another; its loser deals. Asked twice, it is one invite.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotOver`], [`Error::OpponentGone`], [`Error::TooManyInvites`].
    pub fn rematch(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        caller: &Player,
        game: GameId,
    ) -> Result<GameInviteId, Error> {
        let (session, seat) = seated(tx, caller.id(), game)?;
        if session.ended_at.is_none() {
            return Err(Error::NotOver);
        }
        let other = session.players().of(seat.other()).user_id.ok_or(Error::OpponentGone)?;
        let other = users::by_id(tx, other)?.filter(may_play).ok_or(Error::OpponentGone)?;
        let asked = tx.list_by::<GameInvite>(INVITE_REMATCH, &Key::of(game), &Page::first(PENDING_PAGE))?.items;
        if let Some(asked) = asked.iter().find(|asked| asked.sender_id == caller.id() && asked.open(now)) {
            return Ok(asked.id);
        }
        let played = session.game()?;
        let lost = played.outcome().map(|(winner, _)| winner.other());
        // The caller has seat 0 now. Who deals does not start; without a loser the inviter deals.
        let first_starter = if lost == Some(seat.other()) { Seat::Zero } else { Seat::One };
        self.send(tx, now, caller, &other, &Terms { options: *played.options(), first_starter, rematch_of: Some(game) })
    }

    fn send(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        sender: &Player,
        recipient: &UserInfo,
        terms: &Terms,
    ) -> Result<GameInviteId, Error> {
        let pending = tx.list_by::<GameInvite>(INVITE_PENDING, &Key::of(sender.id()), &Page::first(PENDING_PAGE))?;
        if pending.items.iter().filter(|invite| invite.open(now)).count() >= MAX_OPEN_INVITES {
            return Err(Error::TooManyInvites);
        }
        let (id, game_id) = (tx.entropy().id(now), tx.entropy().id(now));
        let drawn = self.draw(tx.entropy(), game_id, 1);
        tx.put(&GameInvite {
            id,
            sender_id: sender.id(),
            sender_username: sender.username().clone(),
            recipient_id: recipient.id,
            recipient_username: recipient.username.clone(),
            options: terms.options.to_stored(),
            first_starter: terms.first_starter.index(),
            game_id,
            commitment: drawn.commitment,
            seed_sealed: drawn.sealed,
            nonces: [None; 2],
            state: InviteState::Pending,
            rematch_of: terms.rematch_of,
            expires_at: now.plus(INVITE_LIFE),
            created_at: now,
            answered_at: None,
        })?;
        tx.notify(Notice::GameInvite(id, sender.id(), recipient.id));
        Ok(id)
    }

    /// Accepts an invite and deals round 1.
    ///
    /// # Errors
    /// [`Error::NotFound`] for anyone but the recipient, [`Error::InviteAnswered`], [`Error::InviteExpired`],
    /// [`Error::OpponentGone`], [`Error::TooManyMatches`].
    pub fn accept(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        caller: &Player,
        id: GameInviteId,
        nonce: Option<[u8; 32]>,
    ) -> Result<GameId, Error> {
        let mut invite = open_invite(tx, now, id, |invite| invite.recipient_id == caller.id())?;
        users::by_id(tx, invite.sender_id)?.filter(may_play).ok_or(Error::OpponentGone)?;
        for user in [invite.sender_id, invite.recipient_id] {
            if unfinished(tx, user, MAX_UNFINISHED)? >= MAX_UNFINISHED {
                return Err(Error::TooManyMatches);
            }
        }
        if nonce.is_some() {
            *of_mut(&mut invite.nonces, Seat::One) = nonce;
        }
        let seated = |user, name: &Username| Seated { user_id: Some(user), username: name.clone() };
        let session = Session {
            id: invite.game_id,
            seats: [
                seated(invite.sender_id, &invite.sender_username),
                seated(invite.recipient_id, &invite.recipient_username),
            ],
            bot_level: None,
            board: Board::Waiting { options: invite.options.clone(), first_starter: invite.first_starter },
            log: Vec::new(),
            reconnect: [Reconnect::default(); 2],
            void: false,
            created_at: now,
            updated_at: now,
            ended_at: None,
        };
        let round = Opening::of_invite(&invite);
        self.deal_first(tx, now, session, round)?;
        answer(tx, now, invite, InviteState::Accepted)
    }
}

/// The own share in the shuffle of round 1, given before the answer. The last one given counts.
///
/// # Errors
/// [`Error::NotFound`] for anyone but the two, [`Error::InviteAnswered`], [`Error::InviteExpired`].
pub fn give_nonce(
    tx: &mut Tx<'_>,
    now: Timestamp,
    caller: &Player,
    id: GameInviteId,
    nonce: [u8; 32],
) -> Result<(), Error> {
    let mut invite = open_invite(tx, now, id, |invite| invite.concerns(caller.id()))?;
    let seat = if invite.sender_id == caller.id() { Seat::Zero } else { Seat::One };
    *of_mut(&mut invite.nonces, seat) = Some(nonce);
    Ok(tx.put(&invite)?)
}

/// The recipient says no.
///
/// # Errors
/// [`Error::NotFound`] for anyone but the recipient, [`Error::InviteAnswered`], [`Error::InviteExpired`].
pub fn decline(tx: &mut Tx<'_>, now: Timestamp, caller: &Player, id: GameInviteId) -> Result<(), Error> {
    let invite = open_invite(tx, now, id, |invite| invite.recipient_id == caller.id())?;
    answer(tx, now, invite, InviteState::Declined).map(drop)
}

/// The sender takes it back.
///
/// # Errors
/// [`Error::NotFound`] for anyone but the sender, [`Error::InviteAnswered`], [`Error::InviteExpired`].
pub fn cancel(tx: &mut Tx<'_>, now: Timestamp, caller: &Player, id: GameInviteId) -> Result<(), Error> {
    let invite = open_invite(tx, now, id, |invite| invite.sender_id == caller.id())?;
    answer(tx, now, invite, InviteState::Cancelled).map(drop)
}

/// Marks at most `limit` invites that nobody answered in time; how many.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn expire(tx: &mut Tx<'_>, now: Timestamp, limit: usize) -> Result<usize, Fault> {
    let first = tx.list_by::<GameInvite>(INVITE_BY_END, &Key::new(), &Page::first(limit))?.items;
    let due: Vec<GameInvite> = first.into_iter().filter(|invite| !invite.open(now)).collect();
    let count = due.len();
    for invite in due {
        tx.notify(Notice::GameInvite(invite.id, invite.sender_id, invite.recipient_id));
        tx.put(&GameInvite { state: InviteState::Expired, ..invite })?;
    }
    Ok(count)
}

/// Whether [`expire`] would find anything.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn expiry_due(read: &(impl Read + ?Sized), now: Timestamp) -> Result<bool, Fault> {
    let first = read.list_by::<GameInvite>(INVITE_BY_END, &Key::new(), &Page::first(1))?.items;
    Ok(first.iter().any(|invite| !invite.open(now)))
}

/// The invite, for one whom it concerns.
///
/// # Errors
/// [`Error::NotFound`] for everybody else.
pub fn show(
    read: &(impl Read + ?Sized),
    now: Timestamp,
    caller: &Caller,
    id: GameInviteId,
) -> Result<InviteInfo, Error> {
    let invite = read.get::<GameInvite>(&Key::of(id))?.filter(|invite| invite.concerns(caller.id()));
    invite.ok_or(Error::NotFound)?.shown(now)
}

/// The caller's invites of one side.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn of_player(
    read: &(impl Read + ?Sized),
    now: Timestamp,
    caller: &Player,
    side: Side,
    page: &Page,
) -> Result<Listed<InviteInfo>, Error> {
    let index = match side {
        Side::Received => INVITE_BY_RECIPIENT,
        Side::Sent => INVITE_BY_SENDER,
    };
    let rows = read.list_by::<GameInvite>(index, &Key::of(caller.id()), page)?;
    let items = rows.items.into_iter().map(|invite| invite.shown(now)).collect::<Result<_, _>>()?;
    Ok(Listed { items, next: rows.next })
}

impl GameInvite {
    fn concerns(&self, user: UserId) -> bool {
        self.sender_id == user || self.recipient_id == user
    }

    fn open(&self, now: Timestamp) -> bool {
        self.state == InviteState::Pending && now < self.expires_at
    }

    fn shown(self, now: Timestamp) -> Result<InviteInfo, Error> {
        let late = self.state == InviteState::Pending && !self.open(now);
        Ok(InviteInfo {
            id: self.id,
            sender_id: self.sender_id,
            sender_username: self.sender_username,
            recipient_id: self.recipient_id,
            recipient_username: self.recipient_username,
            options: Options::from_stored(&self.options).map_err(damaged)?,
            commitment: self.commitment,
            state: if late { InviteState::Expired } else { self.state },
            game_id: (self.state == InviteState::Accepted).then_some(self.game_id),
            rematch_of: self.rematch_of,
            expires_at: self.expires_at,
            created_at: self.created_at,
        })
    }
}

/// The invite, if it still waits and is this caller's to act on.
fn open_invite(
    tx: &Tx<'_>,
    now: Timestamp,
    id: GameInviteId,
    allowed: impl FnOnce(&GameInvite) -> bool,
) -> Result<GameInvite, Error> {
    let invite = tx.get::<GameInvite>(&Key::of(id))?.filter(allowed).ok_or(Error::NotFound)?;
    match invite.state {
        InviteState::Pending if invite.open(now) => Ok(invite),
        InviteState::Pending | InviteState::Expired => Err(Error::InviteExpired),
        InviteState::Accepted | InviteState::Declined | InviteState::Cancelled => Err(Error::InviteAnswered),
    }
}

/// Writes an invite of an erased user's; one that still waits is taken back.
pub(in crate::game) fn withdraw(tx: &mut Tx<'_>, now: Timestamp, invite: GameInvite) -> Result<(), Error> {
    match invite.state {
        InviteState::Pending => answer(tx, now, invite, InviteState::Cancelled).map(drop),
        InviteState::Accepted | InviteState::Declined | InviteState::Cancelled | InviteState::Expired => {
            Ok(tx.put(&invite)?)
        }
    }
}

fn answer(tx: &mut Tx<'_>, now: Timestamp, invite: GameInvite, state: InviteState) -> Result<GameId, Error> {
    let game = invite.game_id;
    tx.notify(Notice::GameInvite(invite.id, invite.sender_id, invite.recipient_id));
    tx.put(&GameInvite { state, answered_at: Some(now), ..invite })?;
    Ok(game)
}

fn may_play(user: &UserInfo) -> bool {
    user.is_active() && user.is_player()
}
