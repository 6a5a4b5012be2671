//! The socket of a match: a snapshot, then one frame for each action, each player's own view; presence; play and ready.
//!
//! A socket has its own place in the match, the number of the last action it was sent. Woken by a commit it reads from
//! there, so none is lost and none comes twice, however many commits one waking stands for.
//!
//! ```text
//!   hub.subscribe ─▶ snapshot (or what was missed) ─▶ ┌ commit   ─▶ events since the own place
//!   (first, so that nothing falls between)            ├ presence ─▶ presence of the other
//!                                                     ├ revoked? ─▶ 4403
//!                                                     ├ a newer one takes over ─▶ 4409
//!                                                     └ client   ─▶ play, ready, ping
//! ```

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::base::id::{GameId, UserId};
use crate::base::notice::Notice;
use crate::base::time::Timestamp;
use crate::game::error::Error;
use crate::game::history::Frames;
use crate::game::play::Play;
use crate::game::sessions::{self, Shown};
use crate::http::auth;
use crate::http::games::after_of;
use crate::http::games_view::{Game, nonce_of, play_of, problem};
use crate::http::problem::{Code, Problem};
use crate::http::reply::Response;
use crate::http::request::Req;
use crate::http::socket::{self, ClientText, Close, Session};
use crate::identity::access::Caller;
use crate::live::hub::{Signal, Topic};
use crate::live::presence::Present;
use crate::whot::event::Event;

/// Missed frames that are sent one by one; past these a snapshot says the same with less. As many fit the queue.
const MAX_MISSED: usize = 64;

/// How a socket takes up the match.
#[derive(Deserialize, IntoParams)]
pub struct Resume {
    /// The last number that the client has seen: it gets the frames since then. Absent, it gets a snapshot.
    after: Option<String>,
    /// Instead of an access token; single use.
    reconnect_token: Option<String>,
    /// `true`: the caller's older sockets at this match close with 4409.
    take_over: Option<bool>,
    /// `once`: frames of events leave out what never changes in a match, since every snapshot has it.
    #[serde(default)]
    #[param(inline)]
    terms: Terms,
}

/// Which frames carry the id, the players and the options of the match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Terms {
    #[default]
    Always,
    Once,
}

/// What `terms=once` leaves out: about 600 bytes of 1,200.
const TERMS: [&str; 3] = ["game_id", "players", "options"];

/// A match as a frame of events carries it.
#[derive(Serialize)]
#[serde(untagged)]
enum Sight {
    Whole(Box<Game>),
    Brief(Map<String, Value>),
}

impl Sight {
    fn of(game: Game, terms: Terms) -> Self {
        if terms == Terms::Once
            && let Ok(Value::Object(mut fields)) = serde_json::to_value(&game)
        {
            fields.retain(|name, _| !TERMS.contains(&name.as_str()));
            return Self::Brief(fields);
        }
        Self::Whole(Box::new(game))
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToClient<'a> {
    Snapshot {
        seq: u64,
        game: Box<Game>,
    },
    Events {
        seq: u64,
        events: Vec<Event>,
        game: Sight,
    },
    Presence {
        opponent: &'static str,
        since: Option<Timestamp>,
    },
    Ack {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a Value>,
        seq: u64,
    },
    Error {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a Value>,
        code: &'static str,
        detail: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<Value>,
    },
    Pong {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a Value>,
    },
}

#[derive(Deserialize)]
struct PlayMessage {
    client_id: Option<Value>,
    expected_seq: Option<Value>,
    action: Value,
}

#[derive(Deserialize)]
struct ReadyMessage {
    nonce: Option<String>,
}

/// Opens the socket of the path's match.
///
/// # Errors
/// As every route of a match; [`socket::accept`]'s own.
pub async fn open(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let resume: Result<Resume, Problem> = req.query();
    let token = resume.as_ref().ok().and_then(|resume| resume.reconnect_token.clone());
    let caller = bearer(&app, &req, token).await?;
    let resume = resume?;
    let game: GameId = req.param("game_id")?;
    let read = app.store.read().map_err(auth::fault)?;
    let seat = sessions::seat(&read, &caller, game).map_err(problem)?;
    let players = sessions::players(&read, game).map_err(problem)?;
    drop(read);
    let after = resume.after.as_deref().map(|after| after_of(Some(after))).transpose()?;
    let expires_in = caller.expires_at().since(app.clock.now());
    let opponent = players.of(seat.other()).user_id;
    let user = caller.id();
    let terms = resume.terms;
    let table = Box::new(Table { app, caller, game, opponent, terms, at: None, closed: false, told: None });
    let alone = resume.take_over == Some(true);
    socket::accept(&req, &user, expires_in, move |session| table.run(session, after, alone))
}

/// Who opens it: the bearer of an access token, or of a reconnect token, which is used up.
async fn bearer(app: &Arc<App>, req: &Req, token: Option<String>) -> Result<Caller, Problem> {
    let Some(token) = token.filter(|_| req.bearer().is_none()) else {
        return auth::settled(app, req);
    };
    let id: GameId = req.param("game_id").map_err(|_| Problem::new(Code::Unauthenticated))?;
    let game = Arc::clone(&app.game);
    let named = app.store.write(move |tx, now| game.use_token(tx, now, id, &token)).await.map_err(problem)?;
    let read = app.store.read().map_err(auth::fault)?;
    let caller = Caller::check(&read, app.clock.now(), named).map_err(auth::denied)?;
    caller.settled().map_err(auth::denied)?;
    req.authenticated(&caller.id());
    Ok(caller)
}

/// A player's place at the table.
struct Table {
    app: Arc<App>,
    caller: Caller,
    game: GameId,
    /// None is a bot.
    opponent: Option<UserId>,
    /// Which frames carry the terms.
    terms: Terms,
    /// The number of the last action that was sent; none before the first deal.
    at: Option<u64>,
    /// The end of the match was sent.
    closed: bool,
    /// The presence of the other that was sent last.
    told: Option<bool>,
}

impl Table {
    async fn run(mut self: Box<Self>, mut session: Session, after: Option<Option<u64>>, alone: bool) {
        let topics = [Topic::Game(self.game), Topic::User(self.caller.id()), Topic::Session(self.caller.session())];
        let mut news = self.app.hub.subscribe(&topics);
        let here = self.app.hub.enter(self.game, self.caller.id(), &self.app.clock);
        if alone {
            here.take_over();
        }
        // A revocation from before the subscription is seen here, one from after it is signalled.
        if let Err(why) = self.still().and_then(|()| self.begin(&session, after)) {
            session.close(why);
        }
        self.tell_presence(&session);
        loop {
            // Both branches may be dropped at their awaits: messages and signals stay in their queues.
            let done = tokio::select! {
                signal = news.next() => match signal {
                    Ok(signal) => self.hear_news(&session, signal, &here),
                    Err(_) => Err(Close::TooSlow),
                },
                message = session.recv() => match message {
                    // Boxed: what a play needs while it is written is not held by every idle socket.
                    Some(message) => Box::pin(self.hear(&session, &message)).await,
                    None => break,
                },
            };
            if let Err(why) = done {
                session.close(why);
            }
        }
        drop(here);
        if self.closed {
            self.app.hub.forget(self.game, &[self.caller.id()]);
        }
    }

    /// The first frames: what was missed if the client says where it was, else the match as it is.
    fn begin(&mut self, session: &Session, after: Option<Option<u64>>) -> Result<(), Close> {
        let Some(after) = after else { return self.snapshot(session) };
        // Before and after a practice match's first deal the number is 0: only a snapshot tells the two apart.
        if self.opponent.is_none() && after == Some(0) {
            return self.snapshot(session);
        }
        let frames = self.frames(after, MAX_MISSED + 1)?;
        let ahead = after.is_some_and(|after| after > frames.last_seq);
        if ahead || frames.items.len() > MAX_MISSED {
            return self.snapshot(session);
        }
        self.at = after;
        let over = frames.over;
        self.send(session, frames);
        self.note_end(session, over)
    }

    fn still(&self) -> Result<(), Close> {
        let read = self.app.store.read().map_err(|fault| failed(&fault))?;
        auth::still(&self.caller, &read, self.app.clock.now())
    }

    fn snapshot(&mut self, session: &Session) -> Result<(), Close> {
        let shown = self.shown()?;
        let dealt = shown.view.round > 0;
        self.at = dealt.then_some(shown.view.seq);
        self.closed = shown.end_reason.is_some();
        let seq = shown.view.seq;
        session.send(&ToClient::Snapshot { seq, game: Box::new(Game::now(&self.app, shown)) });
        Ok(())
    }

    /// Sends what happened since the own place.
    fn catch_up(&mut self, session: &Session) -> Result<(), Close> {
        loop {
            let frames = self.frames(self.at, MAX_MISSED)?;
            let (last, over) = (frames.last_seq, frames.over);
            let all = frames.items.last().is_none_or(|frame| frame.seq >= last);
            self.send(session, frames);
            // Usually one action has happened, and everything is said with it.
            if all {
                return self.note_end(session, over);
            }
        }
    }

    fn send(&mut self, session: &Session, frames: Frames) {
        for frame in frames.items {
            self.at = Some(frame.seq);
            self.closed = frame.shown.end_reason.is_some();
            let present = frame.seq == frames.last_seq;
            let game = if present { Game::now(&self.app, frame.shown) } else { Game::past(frame.shown) };
            let game = Sight::of(game, self.terms);
            session.send(&ToClient::Events { seq: frame.seq, events: frame.events, game });
        }
    }

    /// A match that became void ends without an action: its end is shown by a snapshot.
    fn note_end(&mut self, session: &Session, over: bool) -> Result<(), Close> {
        if over && !self.closed { self.snapshot(session) } else { Ok(()) }
    }

    fn frames(&self, after: Option<u64>, limit: usize) -> Result<Frames, Close> {
        let read = self.app.store.read().map_err(|fault| failed(&fault))?;
        self.app.game.frames(&read, &self.caller, self.game, after, limit).map_err(|error| failed(&error))
    }

    fn shown(&self) -> Result<Shown, Close> {
        let read = self.app.store.read().map_err(|fault| failed(&fault))?;
        sessions::show(&read, &self.caller, self.game).map_err(|error| failed(&error))
    }

    fn hear_news(&mut self, session: &Session, signal: Signal, here: &Present) -> Result<(), Close> {
        match signal {
            Signal::Committed(Notice::Game(_)) => self.catch_up(session),
            Signal::Presence(_) => {
                self.tell_presence(session);
                Ok(())
            }
            Signal::Committed(Notice::UserRevoked(_) | Notice::SessionRevoked(_)) => self.still(),
            Signal::Committed(Notice::UserChanged(_)) => auth::news(&self.app, &self.caller, session),
            Signal::TakenOver(_, user, number) if user == self.caller.id() && here.yields_to(number) => {
                Err(Close::TakenOver)
            }
            Signal::Committed(
                Notice::GameInvite(..)
                | Notice::Message(..)
                | Notice::Receipt(..)
                | Notice::Vanished(..)
                | Notice::Entitlement(_),
            )
            | Signal::Typing(..)
            | Signal::Company(_)
            | Signal::TakenOver(..) => Ok(()),
        }
    }

    /// Says whether the other is there, when that has changed.
    fn tell_presence(&mut self, session: &Session) {
        let Some(opponent) = self.opponent else { return };
        let presence = self.app.hub.presence(self.game, opponent);
        let online = presence.is_some_and(|presence| presence.online);
        if self.told != Some(online) {
            self.told = Some(online);
            let since = presence.map(|presence| presence.since);
            session.send(&ToClient::Presence { opponent: if online { "online" } else { "offline" }, since });
        }
    }

    async fn hear(&mut self, session: &Session, message: &ClientText) -> Result<(), Close> {
        let reference = message.reference();
        let done = match message.kind() {
            "ping" => {
                session.send(&ToClient::Pong { reference });
                return Ok(());
            }
            "play" => self.play(message).await,
            "ready" => self.ready(message).await,
            _ => return Err(Close::Malformed),
        };
        match done {
            Ok(seq) => session.send(&ToClient::Ack { reference, seq }),
            Err(problem) if matches!(problem.code, Code::Unauthenticated | Code::AccountSuspended) => {
                return Err(Close::Revoked);
            }
            Err(problem) => session.send(&ToClient::Error {
                reference,
                code: problem.code.as_str(),
                detail: problem.detail.as_deref().unwrap_or(problem.code.detail()).to_owned(),
                seq: problem.extra.get("seq").cloned(),
            }),
        }
        Ok(())
    }

    async fn play(&self, message: &ClientText) -> Result<u64, Problem> {
        let play = play_of_message(message.parse()?)?;
        let (game, who, id) = (Arc::clone(&self.app.game), self.caller.clone(), self.game);
        let done = self.app.store.write(move |tx, now| {
            who.still(tx, now)?;
            game.play(tx, now, &who, id, &play)
        });
        done.await.map(|played| played.seq).map_err(problem)
    }

    /// The acknowledgement bears the number at which the match stands then.
    async fn ready(&self, message: &ClientText) -> Result<u64, Problem> {
        let ReadyMessage { nonce } = message.parse()?;
        let nonce = nonce.as_deref().map(nonce_of).transpose()?;
        let (game, who, id) = (Arc::clone(&self.app.game), self.caller.clone(), self.game);
        let done = self.app.store.write(move |tx, now| {
            who.still(tx, now)?;
            game.ready(tx, now, &who, id, nonce)?;
            Ok::<_, Error>(sessions::show(tx, &who, id)?.view.seq)
        });
        done.await.map_err(problem)
    }
}

/// The action of a message, with the envelope beside it.
fn play_of_message(message: PlayMessage) -> Result<Play, Problem> {
    let PlayMessage { client_id, expected_seq, action } = message;
    let Value::Object(mut fields) = action else { return Err(Code::BadAction.into()) };
    if fields.contains_key("client_id") || fields.contains_key("expected_seq") {
        return Err(Code::BadAction.into());
    }
    fields.insert("client_id".to_owned(), client_id.unwrap_or_default());
    fields.insert("expected_seq".to_owned(), expected_seq.unwrap_or_default());
    play_of(&Value::Object(fields))
}

fn failed(error: &dyn std::fmt::Display) -> Close {
    tracing::error!(%error, "a match's socket cannot read it");
    Close::Failed
}
