//! Playing: one action, applied by the rules and written as one row; exactly once however often it is sent.

use std::sync::Arc;

use crate::base::digest::sha256;
use crate::base::id::GameId;
use crate::base::notice::Notice;
use crate::base::text::ClientId;
use crate::base::time::Timestamp;
use crate::game::error::Error;
use crate::game::present::Present;
use crate::game::records::{Board, Logged, Round, Session};
use crate::game::rounds::Opening;
use crate::game::scores;
use crate::game::service::Service;
use crate::game::sessions::{round_row, seated};
use crate::identity::access::Caller;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;
use crate::whot::action::{Action, Actor};
use crate::whot::card::Seat;
use crate::whot::refusal::Refusal;
use crate::whot::state::Phase;

/// What a player sends.
#[derive(Debug, Clone)]
pub struct Play {
    /// The action.
    pub action: Action,
    /// The client's own id of this action: seen before in the match, the first answer is given again.
    pub client_id: Option<ClientId>,
    /// Where the client takes the match to be.
    pub expected_seq: Option<u64>,
}

/// An accepted action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Played {
    /// Its number in the match.
    pub seq: u64,
    /// It had been accepted before, under the same client id.
    pub replayed: bool,
}

impl Service {
    /// A player acts.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Stale`], [`Error::Refused`], [`Error::NotDealt`]; then nothing has changed.
    pub fn play(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        caller: &Caller,
        game: GameId,
        play: &Play,
    ) -> Result<Played, Error> {
        let known = self.present(tx, game)?;
        let (session, seat) = match &known {
            Some(known) => (known.session.clone(), known.session.seat_of(caller.id()).ok_or(Error::NotFound)?),
            None => seated(tx, caller.id(), game)?,
        };
        self.play_seat(tx, now, (session, known), seat, play)
    }

    /// The same for a seat, which a bot's is too.
    pub(in crate::game) fn play_seat(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        (session, known): (Session, Option<Arc<Present>>),
        seat: Seat,
        play: &Play,
    ) -> Result<Played, Error> {
        let client = play.client_id.as_ref().map(|id| client_digest(seat, id));
        if let Some(client) = client
            && let Some(seq) = seen_before(tx, &session, client)?
        {
            return Ok(Played { seq, replayed: true });
        }
        let seq = session.seq();
        if play.expected_seq.is_some_and(|expected| expected != seq) {
            return Err(Error::Stale { seq });
        }
        let logged = Logged { actor: Actor::Seat(seat).code(), code: 0, client };
        let seq = act(self, tx, now, (session, known), Actor::Seat(seat), &play.action, logged)?;
        Ok(Played { seq, replayed: false })
    }
}

/// Applies an action and writes what follows from it; its number in the match. Beside the row stands what is
/// kept of the match, where that is what the row has.
pub(in crate::game) fn act(
    service: &Service,
    tx: &mut Tx<'_>,
    now: Timestamp,
    (mut session, known): (Session, Option<Arc<Present>>),
    actor: Actor,
    action: &Action,
    logged: Logged,
) -> Result<u64, Error> {
    if session.ended_at.is_some() {
        return Err(Refusal::MatchOver.into());
    }
    let mut game = known.as_ref().map_or_else(|| session.game(), |known| Ok(known.game.clone()))?;
    let events = game.apply(actor, action)?;
    let code = action.code().ok_or(Refusal::BadAction)?;
    session.log.push(Logged { code, ..logged });
    session.board = Board::Dealt(game.to_stored());
    session.updated_at = now;
    if !game.phase().is_live() {
        let mut round = round_row(tx, session.id, game.round())?;
        service.reveal(now, &mut session, &mut round)?;
        round.result = game.result().and_then(|result| serde_json::to_string(result).ok());
        tx.put(&round)?;
    }
    if game.phase() == Phase::RoundOver {
        let next = game.round().saturating_add(1);
        let drawn = service.draw(tx.entropy(), session.id, next);
        tx.put(&Opening::of(session.id, next, drawn))?;
    }
    if let Some((winner, _)) = game.outcome() {
        session.ended_at = Some(now);
        scores::count(tx, now, &session, winner)?;
    }
    tx.put(&session)?;
    tx.notify(Notice::Game(session.id));
    let seq = game.seq();
    service.keep(tx, known.as_deref(), session, game, events)?;
    Ok(seq)
}

/// The front of a digest is enough: a match has at most some thousands of actions.
fn client_digest(seat: Seat, id: &ClientId) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = sha256(&[&[seat.index()], id.as_str().as_bytes()]);
    [a, b, c, d, e, f, g, h]
}

/// The number of the action that bore this client id in this match.
fn seen_before(read: &(impl Read + ?Sized), session: &Session, client: [u8; 8]) -> Result<Option<u64>, Error> {
    let place = |log: &[Logged]| log.iter().position(|logged| logged.client == Some(client));
    let number = |base: u64, place: usize| base.saturating_add(place as u64).saturating_add(1);
    if let Some(found) = place(&session.log) {
        return Ok(Some(number(session.base(), found)));
    }
    if session.dealt().map_or(1, |dealt| dealt.state.round) == 1 && !session.log.is_empty() {
        return Ok(None);
    }
    let rounds = read.list::<Round>(&Key::of(session.id), &Page::newest(MAX_PAGE))?.items;
    Ok(rounds.iter().find_map(|round| place(&round.actions).map(|found| number(round.base(), found))))
}

impl Round {
    /// The `seq` of its deal: 0 for round 1, otherwise that of its `next_round`.
    pub(in crate::game) fn base(&self) -> u64 {
        self.before.as_ref().map_or(0, |before| before.state.seq.saturating_add(1))
    }
}
