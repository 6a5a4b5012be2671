//! Rounds: commitment, nonces, the deal, and the reveal at the end (rules 17, 19.5).
//!
//! ```text
//!   commitment published ──▶ nonces taken ──▶ dealt ──▶ ended: server seed, nonces and actions open
//! ```

use crate::base::id::GameId;
use crate::base::notice::Notice;
use crate::base::time::Timestamp;
use crate::game::error::Error;
use crate::game::play::act;
use crate::game::records::{Board, GameInvite, Logged, Round, ServerSeed, Session, damaged};
use crate::game::service::{Drawn, Service};
use crate::game::sessions::{of_mut, round_row, seated};
use crate::identity::access::Caller;
use crate::store::key::Key;
use crate::store::read::ReadExt;
use crate::store::tx::Tx;
use crate::whot::action::{Action, Actor};
use crate::whot::card::Seat;
use crate::whot::matches::Match;
use crate::whot::options::Options;
use crate::whot::refusal::Refusal;
use crate::whot::state::Phase;

/// Makes rows of rounds that have a commitment and no cards yet.
pub(in crate::game) struct Opening;

impl Opening {
    /// Round 1 of an accepted invite.
    pub(in crate::game) fn of_invite(invite: &GameInvite) -> Round {
        let drawn = Drawn { commitment: invite.commitment, sealed: invite.seed_sealed.clone() };
        Round { nonces: invite.nonces, ..Self::of(invite.game_id, 1, drawn) }
    }

    /// A round whose seed was just drawn.
    pub(in crate::game) fn of(game_id: GameId, round: u32, drawn: Drawn) -> Round {
        Round {
            game_id,
            round,
            commitment: drawn.commitment,
            server_seed: ServerSeed::Sealed(drawn.sealed),
            nonces: [None; 2],
            ready: [false; 2],
            before: None,
            seed: None,
            starter: None,
            actions: Vec::new(),
            result: None,
            started_at: None,
            ended_at: None,
        }
    }
}

impl Service {
    /// Deals round 1 and writes match and round.
    pub(in crate::game) fn deal_first(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        mut session: Session,
        mut round: Round,
    ) -> Result<(), Error> {
        let Board::Waiting { options, first_starter } = &session.board else { return Ok(()) };
        let options = Options::from_stored(options).map_err(damaged)?;
        let starter = Seat::from_index(u64::from(*first_starter)).unwrap_or(Seat::One);
        let seed = self.seed(&round)?;
        let (game, _) = Match::start(options, starter, seed);
        round.seed = Some(seed.0);
        round.starter = Some(starter.index());
        round.started_at = Some(now);
        session.board = Board::Dealt(game.to_stored());
        session.updated_at = now;
        tx.put(&round)?;
        tx.put(&session)?;
        tx.notify(Notice::Game(session.id));
        Ok(())
    }

    /// A player is ready for the next round, and may give a share in its shuffle; the last one given before the deal
    /// counts. When both are ready it is dealt at once. While a round is being played this changes nothing, so that it
    /// may be repeated.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Refusal::MatchOver`].
    pub fn ready(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        caller: &Caller,
        game: GameId,
        nonce: Option<[u8; 32]>,
    ) -> Result<(), Error> {
        let (mut session, seat) = seated(tx, caller.id(), game)?;
        if session.ended_at.is_some() {
            return Err(Refusal::MatchOver.into());
        }
        let (number, waits) = match &session.board {
            Board::Waiting { .. } => (1, true),
            Board::Closed { .. } => return Err(Refusal::MatchOver.into()),
            Board::Dealt(dealt) => (dealt.state.round.saturating_add(1), dealt.state.phase == Phase::RoundOver.code()),
        };
        if !waits {
            return Ok(());
        }
        let mut round = round_row(tx, game, number)?;
        *of_mut(&mut round.ready, seat) = true;
        if nonce.is_some() {
            *of_mut(&mut round.nonces, seat) = nonce;
        }
        if session.bot_level.is_some() {
            *of_mut(&mut round.ready, seat.other()) = true;
        }
        if round.ready == [true; 2] {
            return if number == 1 {
                self.deal_first(tx, now, session, round)
            } else {
                self.deal_next(tx, now, session, round)
            };
        }
        session.updated_at = now;
        tx.put(&round)?;
        tx.put(&session)?;
        tx.notify(Notice::Game(game));
        Ok(())
    }

    /// Deals the next round though not both said ready, if the match still is where the clock saw it (rules 19.5).
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn next_round(&self, tx: &mut Tx<'_>, now: Timestamp, game: GameId, seq: u64) -> Result<bool, Error> {
        let Some(session) = self.unmoved(tx, game, seq)? else { return Ok(false) };
        let dealt = session.dealt()?;
        if dealt.state.phase != Phase::RoundOver.code() {
            return Ok(false);
        }
        let round = round_row(tx, game, dealt.state.round.saturating_add(1))?;
        self.deal_next(tx, now, session, round)?;
        Ok(true)
    }

    /// Lets the seat on turn run out of time, if the match still is where the clock saw it (rules 19.3).
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn time_out(&self, tx: &mut Tx<'_>, now: Timestamp, game: GameId, seq: u64) -> Result<bool, Error> {
        let Some(session) = self.unmoved(tx, game, seq)? else { return Ok(false) };
        let logged = Logged { actor: Actor::Server.code(), code: 0, client: None };
        match act(self, tx, now, (session, None), Actor::Server, &Action::Timeout, logged) {
            Ok(_) => Ok(true),
            Err(Error::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Closes a match that nobody has touched since `updated_at`: no winner, the scoreboard kept, the seed revealed
    /// (rules 19.4).
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn close_void(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        game: GameId,
        updated_at: Timestamp,
    ) -> Result<bool, Error> {
        let row = tx.get::<Session>(&Key::of(game))?;
        let untouched = |session: &Session| session.ended_at.is_none() && session.updated_at == updated_at;
        let Some(mut session) = row.filter(untouched) else { return Ok(false) };
        if let Ok(dealt) = session.dealt() {
            let mut round = round_row(tx, game, dealt.state.round)?;
            self.reveal(now, &mut session, &mut round)?;
            tx.put(&round)?;
        }
        session.void = true;
        session.updated_at = now;
        session.ended_at = Some(now);
        tx.put(&session)?;
        tx.notify(Notice::Game(game));
        Ok(true)
    }

    /// The unfinished match, if it still is at `seq`.
    fn unmoved(&self, tx: &Tx<'_>, game: GameId, seq: u64) -> Result<Option<Session>, Error> {
        let row = tx.get::<Session>(&Key::of(game))?;
        Ok(row.filter(|session| session.ended_at.is_none() && session.seq() == seq && session.dealt().is_ok()))
    }

    fn deal_next(&self, tx: &mut Tx<'_>, now: Timestamp, mut session: Session, mut round: Round) -> Result<(), Error> {
        let mut game = session.game()?;
        let seed = self.seed(&round)?;
        round.before = Some(session.dealt()?.clone());
        game.apply(Actor::Server, &Action::NextRound { seed })?;
        let dealt = game.to_stored();
        round.seed = Some(seed.0);
        round.starter = Some(dealt.state.starter);
        round.started_at = Some(now);
        session.board = Board::Dealt(dealt);
        session.log.clear();
        session.updated_at = now;
        tx.put(&round)?;
        tx.put(&session)?;
        tx.notify(Notice::Game(session.id));
        Ok(())
    }

    /// Opens a round's server seed and moves the actions from the match to it.
    pub(in crate::game) fn reveal(
        &self,
        now: Timestamp,
        session: &mut Session,
        round: &mut Round,
    ) -> Result<(), Error> {
        round.server_seed = ServerSeed::Open(self.server_seed(round)?);
        round.actions.append(&mut session.log);
        round.ended_at.get_or_insert(now);
        Ok(())
    }
}
