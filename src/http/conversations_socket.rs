//! The chat's socket: messages, receipts and typing as they come.
//!
//! A signal only says that something changed; what is sent is read from a snapshot, after the socket's own cursor, so
//! that no message is lost and none comes twice. Every message of a client is authorised anew.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::IntoParams;

use crate::app::App;
use crate::base::id::{ConversationId, MessageId, UserId};
use crate::base::notice::Notice;
use crate::base::time::{Instant, Timestamp};
use crate::chat::conversations;
use crate::chat::messages::{Receipt, acknowledge, place_after};
use crate::chat::seal::Open;
use crate::http::auth;
use crate::http::conversations::problem;
use crate::http::messages::{Message, NewMessage, after};
use crate::http::problem::{Code, Problem};
use crate::http::reply::Response;
use crate::http::request::Req;
use crate::http::socket::{self, ClientText, Close, Session};
use crate::identity::access::Caller;
use crate::live::hub::{Signal, Subscription, Topic};
use crate::store::page::{MAX_PAGE, Page};

/// Receipts that a socket remembers having told, so that folded signals do not tell them twice.
const TOLD: usize = 256;
/// Typing is told on at most this often.
const TYPING_EVERY: Duration = Duration::from_millis(500);

/// Where a socket goes on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Resume {
    /// Begin with the messages after this one.
    after: Option<String>,
}

/// What the box says.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame<'a> {
    Message {
        message: Box<Message>,
    },
    Receipt {
        message_id: MessageId,
        state: &'static str,
        at: Timestamp,
    },
    Vanished {
        message_ids: [MessageId; 1],
    },
    Typing {
        user_id: UserId,
    },
    Presence {
        user_id: UserId,
        state: &'static str,
        since: Timestamp,
    },
    Pong,
    Ack {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<Box<Message>>,
    },
    Error {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a Value>,
        code: &'static str,
        detail: &'a str,
    },
}

/// What a client says about a message.
#[derive(Deserialize)]
struct About {
    message_id: MessageId,
}

/// The handler: authenticates, looks up, and opens the socket.
///
/// # Errors
/// 401, 403, 404, and those of [`socket::accept`].
pub async fn open(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let id: ConversationId = req.param("id")?;
    let read = app.store.read().map_err(auth::fault)?;
    conversations::of_participant(&read, &caller, id).map_err(problem)?;
    let after = after(req.query::<Resume>()?.after.as_deref())?;
    let (user, lasts) = (caller.id(), caller.expires_at().since(app.clock.now()));
    socket::accept(&req, &user, lasts, move |session| run(app, caller, id, after, session))
}

async fn run(app: Arc<App>, caller: Caller, id: ConversationId, after: Option<MessageId>, mut session: Session) {
    let topics = [Topic::Conversation(id), Topic::User(caller.id()), Topic::Session(caller.session())];
    let mut signals: Subscription = app.hub.subscribe(&topics);
    // Whoever is here before the other subscribes is seen when it looks; whoever comes later is signalled.
    let _here = app.hub.visit(id, caller.id(), app.clock.now());
    let mut seat = Seat { app, caller, id, other: None, cursor: 0, told: VecDeque::new(), typed: None, online: false };
    // What was committed before the subscription is read here, what comes after it is signalled.
    if let Err(why) = seat.begin(&session, after) {
        session.close(why);
    }
    loop {
        // Neither branch loses anything when the other one is taken.
        let done = tokio::select! {
            text = session.recv() => match text {
                Some(text) => seat.said(&session, &text).await,
                None => break,
            },
            signal = signals.next() => match signal {
                Ok(signal) => seat.told_of(&session, signal),
                Err(_) => Err(Close::TooSlow),
            },
        };
        if let Err(why) = done {
            session.close(why);
        }
    }
}

/// One socket of one participant.
struct Seat {
    app: Arc<App>,
    caller: Caller,
    id: ConversationId,
    /// The other of the pair, once it is known.
    other: Option<UserId>,
    /// All messages up to this number have been sent, or had vanished.
    cursor: u64,
    /// Receipts told: the message, and whether it was that of reading.
    told: VecDeque<(MessageId, bool)>,
    typed: Option<Instant>,
    /// Whether the other was told to be here.
    online: bool,
}

impl Seat {
    fn begin(&mut self, session: &Session, after: Option<MessageId>) -> Result<(), Close> {
        let read = self.app.store.read().map_err(|_| Close::Failed)?;
        auth::still(&self.caller, &read, self.app.clock.now())?;
        let info = conversations::of_participant(&read, &self.caller, self.id).map_err(|_| Close::Revoked)?;
        self.other = [info.distributor_id, info.customer_id].into_iter().find(|user| *user != self.caller.id());
        self.tell_company(session);
        match after {
            None => self.cursor = info.last_seq,
            Some(after) => {
                // A message that is gone for good is older than all that is left.
                let known = self.app.chat.message(&read, &self.caller, after);
                self.cursor = known.ok().filter(|known| known.conversation_id == self.id).map_or(0, |known| known.seq);
                self.catch_up(session)?;
            }
        }
        Ok(())
    }

    /// Sends what was committed after the cursor and is visible.
    fn catch_up(&mut self, session: &Session) -> Result<(), Close> {
        let read = self.app.store.read().map_err(|_| Close::Failed)?;
        let last = conversations::of_participant(&read, &self.caller, self.id).map_err(|_| Close::Revoked)?.last_seq;
        let mut page = Page::first(MAX_PAGE).after(Some(place_after(self.cursor)));
        drop(read);
        self.cursor = self.cursor.max(last);
        loop {
            let listed = self.app.chat.steady(|| {
                let read = self.app.store.read().map_err(|_| Close::Failed)?;
                let listed = self.app.chat.list(&read, &self.caller, self.id, None, page.clone());
                listed.map_err(|_| Close::Failed)
            })?;
            for message in listed.items {
                // One that was committed meanwhile has a signal of its own, which finds it sent.
                self.cursor = self.cursor.max(message.seq);
                session.send(&Frame::Message { message: Box::new(message.into()) });
            }
            match listed.next {
                Some(next) => page = page.after(Some(next)),
                None => return Ok(()),
            }
        }
    }

    fn told_of(&mut self, session: &Session, signal: Signal) -> Result<(), Close> {
        match signal {
            Signal::Committed(Notice::Message(..)) => self.catch_up(session),
            Signal::Committed(Notice::Receipt(_, message)) => self.receipt(session, message),
            Signal::Committed(Notice::Vanished(_, message)) => {
                session.send(&Frame::Vanished { message_ids: [message] });
                Ok(())
            }
            Signal::Committed(Notice::SessionRevoked(_) | Notice::UserRevoked(_)) => self.still(),
            Signal::Committed(Notice::UserChanged(_)) => auth::news(&self.app, &self.caller, session),
            Signal::Typing(_, user) => {
                if user != self.caller.id() {
                    session.send(&Frame::Typing { user_id: user });
                }
                Ok(())
            }
            Signal::Company(_) => {
                self.tell_company(session);
                Ok(())
            }
            // Who may write is looked at with every message; the rest is not the chat's.
            Signal::Committed(Notice::Entitlement(_) | Notice::Game(_) | Notice::GameInvite(..))
            | Signal::Presence(_)
            | Signal::TakenOver(..) => Ok(()),
        }
    }

    /// Says whether the other has the conversation open, when that has changed.
    fn tell_company(&mut self, session: &Session) {
        let Some(user_id) = self.other else { return };
        let here = self.app.hub.visiting(self.id, user_id);
        if here.is_some() != self.online {
            self.online = here.is_some();
            let state = if self.online { "online" } else { "offline" };
            let since = here.unwrap_or_else(|| self.app.clock.now());
            session.send(&Frame::Presence { user_id, state, since });
        }
    }

    /// Tells a message's receipts, each once.
    fn receipt(&mut self, session: &Session, id: MessageId) -> Result<(), Close> {
        let read = self.app.store.read().map_err(|_| Close::Failed)?;
        // An expired one has no receipts any more.
        let Ok(message) = self.app.chat.message(&read, &self.caller, id) else { return Ok(()) };
        // Reading implies delivery, so a delivery of the same moment is not told by itself.
        let delivered = message.delivered_at.filter(|at| message.read_at != Some(*at));
        for (at, state, is_read) in [(delivered, "delivered", false), (message.read_at, "read", true)] {
            if let Some(at) = at
                && !self.told.contains(&(id, is_read))
            {
                session.send(&Frame::Receipt { message_id: id, state, at });
                self.told.push_back((id, is_read));
                if self.told.len() > TOLD {
                    self.told.pop_front();
                }
            }
        }
        Ok(())
    }

    fn still(&self) -> Result<(), Close> {
        let read = self.app.store.read().map_err(|_| Close::Failed)?;
        auth::still(&self.caller, &read, self.app.clock.now())
    }

    /// A message of the client. An unknown one ends the socket.
    async fn said(&mut self, session: &Session, text: &ClientText) -> Result<(), Close> {
        self.still()?;
        let answer = match text.kind() {
            "send" => self.send(text).await.map(Some),
            "delivered" => self.acknowledge(text, Receipt::Delivered).await.map(Some),
            "read" => self.acknowledge(text, Receipt::Read).await.map(Some),
            "typing" => self.typing().map(|()| None),
            "ping" => {
                session.send(&Frame::Pong);
                return Ok(());
            }
            _ => return Err(Close::Malformed),
        };
        let reference = text.reference();
        match answer {
            Ok(message) => session.send(&Frame::Ack { reference, message: message.map(Box::new) }),
            Err(problem) => {
                let detail = problem.detail.as_deref().unwrap_or(problem.code.detail());
                session.send(&Frame::Error { reference, code: problem.code.as_str(), detail });
            }
        }
        Ok(())
    }

    async fn send(&self, text: &ClientText) -> Result<Message, Problem> {
        let open = Open::from(text.parse::<NewMessage>()?);
        let done = self.app.chat.send(&self.app.store, &self.caller, self.id, &open, None).await.map_err(problem)?;
        self.message(done.reference)
    }

    async fn acknowledge(&self, text: &ClientText, receipt: Receipt) -> Result<Message, Problem> {
        let About { message_id } = text.parse()?;
        let read = self.app.store.read().map_err(auth::fault)?;
        let known = self.app.chat.message(&read, &self.caller, message_id).map_err(problem)?;
        if known.conversation_id != self.id {
            return Err(Code::NotFound.into());
        }
        drop(read);
        let by = self.caller.clone();
        let done = self.app.store.write(move |tx, now| acknowledge(tx, now, &by, message_id, receipt));
        self.message(done.await.map_err(problem)?)
    }

    fn message(&self, id: MessageId) -> Result<Message, Problem> {
        let read = self.app.store.read().map_err(auth::fault)?;
        self.app.chat.message(&read, &self.caller, id).map(Message::from).map_err(problem)
    }

    fn typing(&mut self) -> Result<(), Problem> {
        let now = self.app.clock.monotonic();
        if self.typed.is_some_and(|before| now.since(before) < TYPING_EVERY) {
            return Ok(());
        }
        self.typed = Some(now);
        let read = self.app.store.read().map_err(auth::fault)?;
        if !conversations::may_write(&read, &self.caller, self.id).map_err(problem)? {
            return Err(Code::NotEntitled.into());
        }
        self.app.hub.signal(Topic::Conversation(self.id), Signal::Typing(self.id, self.caller.id()));
        Ok(())
    }
}
