//! What happened: events and proofs, played again from the stored actions through the rules and never stored.
//!
//! Each round's row holds the match before its deal, so that any part can be played again without the rounds before.

use crate::base::id::GameId;
use crate::game::error::Error;
use crate::game::records::{Logged, Round, ServerSeed, Session, damaged};
use crate::game::service::Service;
use crate::game::sessions::{Shown, present_commitment, round_row, seated};
use crate::identity::access::Caller;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::whot::action::{Action, Actor};
use crate::whot::card::Seat;
use crate::whot::event::{Event, seen_by};
use crate::whot::matches::Match;
use crate::whot::options::Options;
use crate::whot::shuffle::Seed;
use crate::whot::state::Phase;

/// One action as a seat may see it, and the match after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Its number; 0 is the first deal.
    pub seq: u64,
    /// What happened.
    pub events: Vec<Event>,
    /// The match after it.
    pub shown: Shown,
}

/// The frames of a part of a match.
#[derive(Debug, Clone, PartialEq)]
pub struct Frames {
    /// In order.
    pub items: Vec<Frame>,
    /// Where the match is.
    pub last_seq: u64,
    /// The match is over, as the last item says too unless it became void.
    pub over: bool,
}

/// What proves the deals of a match (rules 17.4). Only what is revealed stands here.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// The match.
    pub game_id: GameId,
    /// In round order, the next round's included.
    pub commitments: Vec<[u8; 32]>,
    /// Finished rounds.
    pub rounds: Vec<ProvenRound>,
}

/// A finished round.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvenRound {
    /// Its number.
    pub round: u32,
    /// The server's share.
    pub server_seed: [u8; 32],
    /// The players' shares by seat.
    pub nonces: [Option<[u8; 32]>; 2],
    /// What the deck follows from.
    pub seed: [u8; 32],
    /// The rules.
    pub options: Options,
    /// Who started round 1.
    pub first_starter: Seat,
    /// All actions but `next_round`.
    pub actions: Vec<(Actor, Action)>,
}

impl Service {
    /// At most `limit` frames after a number; all from the first deal where there is none.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one who has no part in the match.
    pub fn frames(
        &self,
        read: &(impl Read + ?Sized),
        caller: &Caller,
        game: GameId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Frames, Error> {
        // Nearly everybody asks for what has just happened.
        if let Some(present) = self.present(read, game)? {
            let seat = present.session.seat_of(caller.id()).ok_or(Error::NotFound)?;
            let last_seq = present.session.seq();
            if limit > 0 && after.is_some_and(|after| after.checked_add(1) == Some(last_seq)) {
                return Ok(Frames { items: vec![present.frame(seat)?], last_seq, over: false });
            }
        }
        played_again(read, caller, game, after, limit)
    }

    /// The frame of one action.
    ///
    /// # Errors
    /// As [`Service::frames`]; [`Error::NotFound`] where there is no such action.
    pub fn frame(&self, read: &(impl Read + ?Sized), caller: &Caller, game: GameId, seq: u64) -> Result<Frame, Error> {
        let frames = self.frames(read, caller, game, seq.checked_sub(1), 1)?;
        frames.items.into_iter().next().ok_or(Error::NotFound)
    }
}

/// [`Service::frames`] from the rows alone.
pub(in crate::game) fn played_again(
    read: &(impl Read + ?Sized),
    caller: &Caller,
    game: GameId,
    after: Option<u64>,
    limit: usize,
) -> Result<Frames, Error> {
    let (session, seat) = seated(read, caller.id(), game)?;
    let (last_seq, over) = (session.seq(), session.end_reason().is_some());
    let mut items = Vec::new();
    // Nothing has happened before the first deal.
    let Ok(present) = session.dealt().map(|dealt| dealt.state.round) else {
        return Ok(Frames { items, last_seq, over });
    };
    let wanted = |seq: u64| after.is_none_or(|after| seq > after);
    if !wanted(last_seq) {
        return Ok(Frames { items, last_seq, over });
    }
    // Most callers want the last few actions: then the rounds before need not be read.
    let first = if after.is_some_and(|after| after >= session.base() && !session.log.is_empty()) { present } else { 1 };
    for number in first..=present {
        let round = round_row(read, game, number)?;
        let ended = round.ended_at.is_some();
        let length = if ended { round.actions.len() } else { session.log.len() };
        if !wanted(round.base().saturating_add(length as u64)) {
            continue;
        }
        let mut made = Vec::new();
        replay(&session, &round, |after, events| {
            if wanted(after.seq()) && items.len() + made.len() < limit {
                made.push((after.seq(), seen_by(events, seat), after.view(seat)));
            }
        })?;
        for (seq, events, view) in made {
            let commitment = match view.phase {
                Phase::RoundOver => present_commitment(read, game, number, view.phase)?,
                Phase::Play | Phase::AfterDraw | Phase::MatchOver => round.commitment,
            };
            let shown = session.shown(view, commitment)?;
            items.push(Frame { seq, events, shown });
        }
    }
    Ok(Frames { items, last_seq, over })
}

/// The proof of the caller's match.
///
/// # Errors
/// [`Error::NotFound`] for one who has no part in it.
pub fn proof(read: &(impl Read + ?Sized), caller: &Caller, game: GameId) -> Result<Proof, Error> {
    let (session, _) = seated(read, caller.id(), game)?;
    let rows = read.list::<Round>(&Key::of(game), &Page::first(MAX_PAGE))?.items;
    let commitments = rows.iter().map(|round| round.commitment).collect();
    let rounds = match session.game() {
        Ok(dealt) => rows.iter().filter_map(|round| proven(&dealt, round).transpose()).collect::<Result<_, _>>()?,
        Err(Error::NotDealt) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(Proof { game_id: game, commitments, rounds })
}

fn proven(game: &Match, round: &Round) -> Result<Option<ProvenRound>, Fault> {
    let (ServerSeed::Open(server_seed), Some(seed)) = (&round.server_seed, round.seed) else { return Ok(None) };
    Ok(Some(ProvenRound {
        round: round.round,
        server_seed: *server_seed,
        nonces: round.nonces,
        seed,
        options: *game.options(),
        first_starter: game.first_starter(),
        actions: round.actions.iter().map(action).collect::<Result<_, _>>()?,
    }))
}

/// Plays a round again from its deal; `each` sees the match and the events of every step.
pub(in crate::game) fn replay(
    session: &Session,
    round: &Round,
    mut each: impl FnMut(&Match, &[Event]),
) -> Result<Match, Error> {
    let seed = Seed(round.seed.ok_or(Error::NotDealt)?);
    let (mut game, mut events) = match &round.before {
        Some(before) => {
            let mut game = Match::from_stored(before).map_err(damaged)?;
            let events = game.apply(Actor::Server, &Action::NextRound { seed }).map_err(damaged)?;
            (game, events)
        }
        None => {
            let dealt = session.game()?;
            Match::start(*dealt.options(), dealt.first_starter(), seed)
        }
    };
    each(&game, &events);
    let log = if round.ended_at.is_some() { &round.actions } else { &session.log };
    for logged in log {
        let (actor, action) = action(logged)?;
        events.clear();
        game.apply_into(actor, &action, &mut events).map_err(damaged)?;
        each(&game, &events);
    }
    Ok(game)
}

fn action(logged: &Logged) -> Result<(Actor, Action), Fault> {
    let known = Actor::from_code(logged.actor).zip(Action::from_code(logged.code, None));
    known.ok_or(Fault::Corrupt { table: "game.rounds", reason: "an action has an unknown code" })
}
