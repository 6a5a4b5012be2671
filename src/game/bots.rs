//! Practice matches: a bot takes the other seat and plays through the same functions as a person.
//!
//! A bot is given its seat's view and the events that its seat may see, rebuilt from the stored actions for each
//! question, and nothing else: it holds no state, so it goes on after a restart as if nothing had been.

use crate::base::id::GameId;
use crate::base::time::Timestamp;
use crate::game::error::Error;
use crate::game::history::replay;
use crate::game::invites::MAX_UNFINISHED;
use crate::game::play::{Play, Played};
use crate::game::records::{Board, BotLevel, Reconnect, Seated, Session};
use crate::game::rounds::Opening;
use crate::game::service::Service;
use crate::game::sessions::{self, round_row, unfinished};
use crate::identity::access::Player;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;
use crate::whot::action::Action;
use crate::whot::bot::{Bot, Level};
use crate::whot::card::Seat;
use crate::whot::event::{Event, seen_by};
use crate::whot::options::Options;
use crate::whot::view::View;

/// The bot's seat: it is the invited player, so it starts (rules 5.1).
const BOT: Seat = Seat::One;

/// What a bot is asked: all that it may know.
pub struct Question {
    seq: u64,
    bot: Bot,
    events: Vec<Event>,
    view: View,
}

/// What a bot does, and where the match was when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    seq: u64,
    action: Action,
}

impl Question {
    /// Thinks. Takes up to some tenths of a second: not for a thread that others wait for.
    #[must_use]
    pub fn answer(mut self, seed: u64) -> Option<Answer> {
        self.bot.observe(&self.events);
        self.bot.choose(&self.view, seed).map(|action| Answer { seq: self.seq, action })
    }
}

impl Service {
    /// Opens a match against a bot. Its first round is dealt when the player says ready.
    ///
    /// # Errors
    /// [`Error::TooManyMatches`].
    pub fn practise(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        caller: &Player,
        level: BotLevel,
        options: &Options,
    ) -> Result<GameId, Error> {
        if unfinished(tx, caller.id(), MAX_UNFINISHED)? >= MAX_UNFINISHED {
            return Err(Error::TooManyMatches);
        }
        let name = format!("bot-{}", level.name()).parse();
        let bot_name = name.map_err(|_| Fault::Corrupt { table: "game.sessions", reason: "a bot has no name" })?;
        let id: GameId = tx.entropy().id(now);
        let drawn = self.draw(tx.entropy(), id, 1);
        tx.put(&Opening::of(id, 1, drawn))?;
        tx.put(&Session {
            id,
            seats: [
                Seated { user_id: Some(caller.id()), username: caller.username().clone() },
                Seated { user_id: None, username: bot_name },
            ],
            bot_level: Some(level),
            board: Board::Waiting { options: options.to_stored(), first_starter: Seat::One.index() },
            log: Vec::new(),
            reconnect: [Reconnect::default(); 2],
            void: false,
            created_at: now,
            updated_at: now,
            ended_at: None,
        })?;
        tx.notify(crate::base::notice::Notice::Game(id));
        Ok(id)
    }

    /// Plays what a bot answered, unless the match has moved on.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::Refused`], [`Error::NotFound`].
    pub fn play_bot(&self, tx: &mut Tx<'_>, now: Timestamp, game: GameId, answer: Answer) -> Result<Played, Error> {
        let session = tx.get::<Session>(&Key::of(game))?.ok_or(Error::NotFound)?;
        let play = Play { action: answer.action, client_id: None, expected_seq: Some(answer.seq) };
        self.play_seat(tx, now, (session, None), BOT, &play)
    }
}

impl Service {
    /// What the bot of a match is to be asked now; nothing where there is no bot or it is not on turn.
    ///
    /// # Errors
    /// [`Error::Store`] where the match cannot be read.
    pub fn question(&self, read: &(impl Read + ?Sized), game: GameId) -> Result<Option<Question>, Error> {
        // Most matches are between people.
        match self.present(read, game)? {
            Some(present) if present.session.bot_level.is_none() => Ok(None),
            _ => question(read, game),
        }
    }
}

fn question(read: &(impl Read + ?Sized), game: GameId) -> Result<Option<Question>, Error> {
    let Some(session) = read.get::<Session>(&Key::of(game))?.filter(|session| session.ended_at.is_none()) else {
        return Ok(None);
    };
    let (Some(level), Ok(dealt)) = (session.bot_level, session.dealt()) else { return Ok(None) };
    if dealt.state.turn != Some(BOT.index()) {
        return Ok(None);
    }
    let round = round_row(read, game, dealt.state.round)?;
    let mut events = Vec::new();
    let present = replay(&session, &round, |_, step| events.extend(seen_by(step, BOT)))?;
    let level = match level {
        BotLevel::Easy => Level::Easy,
        BotLevel::Medium => Level::Medium,
        BotLevel::Hard => Level::Hard,
    };
    let bot = Bot::new(level, *present.options(), BOT);
    Ok(Some(Question { seq: present.seq(), bot, events, view: present.view(BOT) }))
}

/// All unfinished matches against bots; for the start of the box.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn all(read: &(impl Read + ?Sized)) -> Result<Vec<GameId>, Fault> {
    let (mut found, mut place) = (Vec::new(), None);
    loop {
        let page = sessions::live(read, &Page::first(MAX_PAGE).after(place))?;
        found.extend(page.items.iter().filter(|session| session.bot_level.is_some()).map(|session| session.id));
        place = page.next;
        if place.is_none() {
            return Ok(found);
        }
    }
}
